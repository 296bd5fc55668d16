/* SHA-256 (FIPS 180-4) in pieces; file.h has the one-call forms. */
#ifndef MDM_BASE_SHA256_H
#define MDM_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct mdm_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
} mdm_sha256;

void mdm_sha256_start(mdm_sha256 *hash);
void mdm_sha256_add(mdm_sha256 *hash, const void *data, size_t size);
void mdm_sha256_end(mdm_sha256 *hash, unsigned char digest[32]);

/* Lower-case hexadecimal of a digest, 64 characters and a NUL. */
void mdm_sha256_text(char out[65], const unsigned char digest[32]);

#endif
