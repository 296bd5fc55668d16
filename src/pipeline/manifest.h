/* OUT/private/manifest.jsonl: the clips of a job with the ids they have for good, a line each, for processes that share the work. */
#ifndef MDM_PIPELINE_MANIFEST_H
#define MDM_PIPELINE_MANIFEST_H

#include "pipeline/inputs.h"

typedef struct mdm_manifest_head {
    const char *key; /* of the options that the clips were cut by */
    bool seconds;    /* weights are seconds of recording; otherwise bytes, before analysis has been there */
} mdm_manifest_head;

/* weights[i], of items[i]: how much work a clip is. */
mdm_status mdm_manifest_write(const char *path, const mdm_manifest_head *head, const mdm_input *items,
                              const double *weights, size_t count);

/* A reader, a clip at a time: a manifest of millions of clips need not be held. */
typedef struct mdm_manifest mdm_manifest;
mdm_status mdm_manifest_open(mdm_manifest **out, const char *path);
void mdm_manifest_close(mdm_manifest **manifest);
bool mdm_manifest_in_seconds(const mdm_manifest *manifest);

/* The next clip; *more is false after the last. item->path belongs to the caller (mdm_free). MDM_ERR_INPUT names a bad line. */
mdm_status mdm_manifest_next(bool *more, mdm_manifest *manifest, mdm_input *item, double *weight);

/* The weights of all; caller frees with mdm_free. */
mdm_status mdm_manifest_weights(double **out, size_t *count, const char *path);

#endif
