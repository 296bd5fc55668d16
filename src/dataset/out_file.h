/* A file that is written piece by piece: under a temporary name until it is complete, hashed on the way. */
#ifndef MDM_DATASET_OUT_FILE_H
#define MDM_DATASET_OUT_FILE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "base/sha256.h"
#include "base/status.h"

typedef struct mdm_out {
    FILE *file;
    char *path, *temporary;
    uint64_t bytes;
    mdm_sha256 hash;
    char sha256[65]; /* once it is committed */
} mdm_out;

/* Zero the struct first; mdm_out_close may then be called whatever happened. */
mdm_status mdm_out_open(mdm_out *out, const char *path);
mdm_status mdm_out_write(mdm_out *out, const void *data, size_t size);
mdm_status mdm_out_printf(mdm_out *out, const char *format, ...) MDM_PRINTF(2, 3);
/* Compact, keys in their order, numbers with nine digits; takes the reference. */
mdm_status mdm_out_json(mdm_out *out, json_t *value);
mdm_status mdm_out_file(mdm_out *out, const char *path); /* all of another file */

/* Commits under the final name when `status` is MDM_OK, else discards. Returns `status`, or what went wrong here. */
mdm_status mdm_out_close(mdm_out *out, mdm_status status);

#endif
