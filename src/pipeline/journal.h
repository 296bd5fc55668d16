/* The job's journal (OUT/private/journal.jsonl): append-only JSON lines, each brought to the disk before it counts.
 * It remembers clip ids, person ids, and which stage of which clip is finished under which key. */
#ifndef MDM_PIPELINE_JOURNAL_H
#define MDM_PIPELINE_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct mdm_journal mdm_journal;

/* Opens or makes the journal. A torn last line (a crash while writing) is cut off; a damaged line before it is
 * MDM_ERR_INPUT with its number. */
mdm_status mdm_journal_open(mdm_journal **out, const char *path);
void mdm_journal_free(mdm_journal **journal);

/* Id of a piece of a recording ("<sha256>" or "<sha256>@<start>-<end>"): the known one, or the next free clip-NNNN,
 * which is then written down. Borrowed. */
mdm_status mdm_journal_clip_id(const char **out, mdm_journal *journal, const char *content);

/* Hash of a file seen before with the same path, size and time of change; NULL when it has to be computed. */
const char *mdm_journal_seen(const mdm_journal *journal, const char *path, uint64_t size, int64_t changed);
mdm_status mdm_journal_add_seen(mdm_journal *journal, const char *path, uint64_t size, int64_t changed,
                                const char *sha256);

/* Person of a clip's track, or NULL; and the next unused number of a person. */
const char *mdm_journal_person(const mdm_journal *journal, const char *clip_id, int track);
int mdm_journal_next_person(const mdm_journal *journal);
mdm_status mdm_journal_add_person(mdm_journal *journal, const char *clip_id, int track, const char *person);

/* What is finished: `subject` is a clip id or "job", `what` a stage, "plan" or "pack". */
bool mdm_journal_is_done(const mdm_journal *journal, const char *subject, const char *what, const char *key);
mdm_status mdm_journal_add_done(mdm_journal *journal, const char *subject, const char *what, const char *key);

/* About to do something again: until it is done, no older key counts, whatever is left of the old result. */
mdm_status mdm_journal_forget(mdm_journal *journal, const char *subject, const char *what);

/* Forgets everything finished (work was wiped, or --force); ids are kept. */
mdm_status mdm_journal_add_wiped(mdm_journal *journal);

#endif
