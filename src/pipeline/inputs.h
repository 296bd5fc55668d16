/* The recordings of a job: files and folders turned into clips with stable ids. */
#ifndef MDM_PIPELINE_INPUTS_H
#define MDM_PIPELINE_INPUTS_H

#include <stddef.h>

#include "base/log.h"
#include "pipeline/journal.h"

#define MDM_MAX_INPUTS (1 << 20) /* recordings, or parts of them, in one job */

typedef struct mdm_input {
    char *path;        /* absolute */
    char sha256[65];   /* of the whole file; "" when it could not be read */
    char clip_id[24];  /* "" until mdm_inputs_name */
    double start, end; /* part of the recording in seconds; 0, 0 is all of it */
    mdm_status status; /* not MDM_OK: unreadable, with the message */
    char message[512];
} mdm_input;

typedef struct mdm_inputs {
    mdm_input *items;
    size_t count;
    size_t skipped; /* files in folders that are not media */
} mdm_inputs;

/* Collects files and, recursively, folders. Files named outright are always taken; files found in folders are taken
 * when their first bytes or their name look like media, else skipped with a warning. Hidden names, links to folders
 * and the folder `except` (the output) are left out. Nothing found is MDM_ERR_INPUT; a path that does not exist too. */
mdm_status mdm_inputs_collect(mdm_inputs *out, const char *const *paths, size_t count, const char *except);
/* Adds a copy of one that is known already, with its id. */
mdm_status mdm_inputs_add(mdm_inputs *inputs, const mdm_input *item);
void mdm_inputs_free(mdm_inputs *inputs);

/* Hashes all (the journal remembers unchanged files), drops files with the same content as another (with a warning),
 * and sorts by content. */
mdm_status mdm_inputs_hash(mdm_inputs *inputs, mdm_journal *journal, const mdm_progress *progress);

/* Gives each its clip id from the journal. Files that could not be read get none. */
mdm_status mdm_inputs_name(mdm_inputs *inputs, mdm_journal *journal);

/* Replaces item `index` by parts at the given cut times (seconds, ascending, strictly inside). */
mdm_status mdm_inputs_split(mdm_inputs *inputs, size_t index, const double *cuts, size_t cut_count);

#endif
