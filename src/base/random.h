/* Deterministic random numbers: the same draws on every machine, keyed by text, never by time. */
#ifndef MDM_BASE_RANDOM_H
#define MDM_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct mdm_random {
    uint64_t state[4]; /* xoshiro256** */
    float spare;
    int has_spare;
} mdm_random;

/* Seeds from a project seed and a key such as "person-03/portrait" (SHA-256 of both). */
void mdm_random_seed(mdm_random *random, uint64_t seed, const char *key);
uint64_t mdm_random_u64(mdm_random *random);
double mdm_random_uniform(mdm_random *random);                                 /* [0,1) */
float mdm_random_normal(mdm_random *random);                                   /* Box-Muller, both halves used */
int mdm_random_weighted(mdm_random *random, const double *weights, int count); /* index */

#endif
