/* Deterministic random numbers: xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
 * 2021), seeded by SHA-256 of the project seed and a key. */
#include "base/random.h"

#include <math.h>
#include <string.h>

#include "base/sha256.h"

void mdm_random_seed(mdm_random *random, uint64_t seed, const char *key)
{
    mdm_sha256 hash;
    unsigned char bytes[8], digest[32];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(seed >> (8 * i));
    mdm_sha256_start(&hash);
    mdm_sha256_add(&hash, bytes, sizeof bytes);
    mdm_sha256_add(&hash, key, strlen(key));
    mdm_sha256_end(&hash, digest);
    memset(random, 0, sizeof *random);
    for (int i = 0; i < 32; i++)
        random->state[i / 8] |= (uint64_t)digest[i] << (8 * (i % 8));
    random->state[0] |= 1; /* the all-zero state is the one xoshiro cannot leave */
}

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

uint64_t mdm_random_u64(mdm_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double mdm_random_uniform(mdm_random *random)
{
    return (double)(mdm_random_u64(random) >> 11) * 0x1p-53;
}

float mdm_random_normal(mdm_random *random)
{
    if (random->has_spare) {
        random->has_spare = 0;
        return random->spare;
    }
    double radius = sqrt(-2.0 * log(1.0 - mdm_random_uniform(random))); /* 1 - u lies in (0,1] */
    double angle = 6.283185307179586 * mdm_random_uniform(random);
    random->spare = (float)(radius * sin(angle));
    random->has_spare = 1;
    return (float)(radius * cos(angle));
}

int mdm_random_weighted(mdm_random *random, const double *weights, int count)
{
    double total = 0;
    for (int i = 0; i < count; i++)
        total += weights[i] > 0 ? weights[i] : 0;
    double at = mdm_random_uniform(random) * total;
    int last = 0;
    for (int i = 0; i < count; i++) {
        if (!(weights[i] > 0))
            continue;
        last = i;
        if (at < weights[i])
            return i;
        at -= weights[i];
    }
    return last; /* rounding at the upper end */
}
