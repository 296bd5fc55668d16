/* The attacks of the audit: somebody who has recordings of the same people tries to find them again in the dataset. Works on
 * face vectors of recordings and results that exist in memory only; what comes out are counts of persons. */
#ifndef MDM_DATASET_ATTACK_H
#define MDM_DATASET_ATTACK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "models/recogniser.h"

/* One face as one recogniser saw it: of a recording (side 0) or of the result at the same frame (side 1). */
typedef struct mdm_attack_sample {
    mdm_recogniser_kind kind;
    int side, clip, person, frame;
    float *values; /* mdm_recogniser_size(kind) */
} mdm_attack_sample;

typedef struct mdm_attack_setting {
    const char *const *person; /* ids by number */
    size_t person_count;
    bool same_standin; /* one stand-in for a person in all clips: then clips of a person are meant to be linkable */
} mdm_attack_setting;

/* {persons, identity, recognisers: [...]} (docs/evidence-format.md), or null when there is nobody with both sides. Sorts the
 * samples. */
mdm_status mdm_attack_report(json_t **out, const mdm_attack_setting *setting, mdm_attack_sample *samples, size_t count);

/* Wilson's 95 % interval of `found` out of `all`: 0 out of 20 is not "none", it is "at most 16 %". */
void mdm_wilson(double *low, double *high, long long found, long long all);

#endif
