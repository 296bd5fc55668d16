/* mmdm audit: a finished dataset looked at by somebody who does not have the recordings. */
#include "pipeline/audit.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/options.h"
#include "pipeline/job.h"

void mdm_audit_say(mdm_auditor *audit, bool fault, const char *format, ...)
{
    char line[512];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    audit->faults += fault;
    if (audit->tell)
        audit->tell(audit->user, fault, line);
}

/* OUT or OUT/dataset: where SHA256SUMS lies. */
static mdm_status find_dataset(char **out, const char *folder)
{
    char *sums = NULL;
    for (int i = 0; i < 2; i++) {
        MDM_TRY(i ? mdm_join_path(out, folder, "dataset") : mdm_strdup(out, folder));
        mdm_status status = mdm_join_path(&sums, *out, "SHA256SUMS");
        bool there = !status && mdm_file_exists(sums);
        mdm_free(&sums);
        if (there)
            return MDM_OK;
        mdm_free(out);
        MDM_TRY(status);
    }
    return mdm_fail(MDM_ERR_INPUT,
                    "%s: no SHA256SUMS there nor in its folder dataset: name the folder that `mmdm run -o` made",
                    folder);
}

static mdm_status load_report(mdm_auditor *audit)
{
    char *path;
    MDM_TRY(mdm_format(&path, "%s/audit/report.json", audit->folder));
    if (!mdm_file_exists(path))
        mdm_audit_say(audit, true, "audit/report.json is not there");
    else if (mdm_json_load(&audit->report, path, (size_t)256 << 20) != MDM_OK)
        mdm_audit_say(audit, true, "audit/report.json: %s", mdm_error_message());
    mdm_free(&path);
    return MDM_OK;
}

static void compare_totals(mdm_auditor *audit)
{
    const json_t *delivered = json_object_get(json_object_get(audit->report, "totals"), "delivered");
    if (json_is_integer(delivered) && json_integer_value(delivered) != (json_int_t)audit->clips)
        mdm_audit_say(audit, true, "audit/report.json speaks of %lld clips, %zu are there",
                      (long long)json_integer_value(delivered), audit->clips);
}

mdm_status mdm_audit_folder(size_t *faults, const mdm_settings *settings, const char *folder, mdm_audit_fn tell,
                            void *user)
{
    char models[MDM_MAX_PATH], weights[MDM_MAX_PATH], *dataset = NULL;
    mdm_auditor audit = {.settings = settings, .models = models, .weights = weights, .tell = tell, .user = user};
    *faults = 0;
    MDM_TRY(mdm_job_find_folders(models, weights, settings));
    MDM_TRY(find_dataset(&dataset, folder));
    audit.folder = dataset;
    mdm_status status = mdm_audit_checksums(&audit);
    if (!status)
        status = load_report(&audit);
    if (!status)
        status = mdm_audit_rows(&audit, mdm_audit_look);
    if (!status)
        status = mdm_audit_look_together(&audit);
    if (!status)
        compare_totals(&audit);
    mdm_audit_look_end(&audit);
    json_decref(audit.report);
    mdm_free(&dataset);
    *faults = audit.faults;
    return status;
}
