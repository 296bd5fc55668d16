/* Measuring a finished dataset again, without the recordings: what can be seen of it from outside. The parts of audit.c. */
#ifndef MDM_PIPELINE_AUDIT_H
#define MDM_PIPELINE_AUDIT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/settings.h"
#include "base/status.h"
#include "mmdm.h"

typedef struct mdm_auditor {
    const mdm_settings *settings;
    const char *folder; /* the dataset's */
    char *models, *weights;
    json_t *report; /* audit/report.json, or NULL */
    mdm_audit_fn tell;
    void *user;
    size_t faults, clips;
    struct mdm_audit_eyes *eyes; /* audit_look.c's networks and what they saw; NULL when only files are checked */
} mdm_auditor;

/* What mdm_audit does (mmdm.h), with settings. */
mdm_status mdm_audit_folder(size_t *faults, const mdm_settings *settings, const char *folder, mdm_audit_fn tell,
                            void *user);

/* One line; a fault counts. */
MDM_PRINTF(3, 4) void mdm_audit_say(mdm_auditor *audit, bool fault, const char *format, ...);

/* audit_files.c: checksums, rows, marks. `row` is called for each row of a metadata.jsonl whose file is there. */
mdm_status mdm_audit_checksums(mdm_auditor *audit);
mdm_status mdm_audit_rows(mdm_auditor *audit,
                          mdm_status (*look)(mdm_auditor *audit, const char *path, const json_t *row));

/* audit_look.c: faces, text and looks of one clip; and of all clips together at the end. */
mdm_status mdm_audit_look(mdm_auditor *audit, const char *path, const json_t *row);
mdm_status mdm_audit_look_together(mdm_auditor *audit);
void mdm_audit_look_end(mdm_auditor *audit);

#endif
