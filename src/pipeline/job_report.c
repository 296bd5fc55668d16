/* OUT/private/report.html: every clip before and after, with the full evidence. Not to be shared. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "dataset/html.h"
#include "pipeline/job.h"

static mdm_status pictures(mdm_buffer *out, const mdm_job_clip *clip, const char *name)
{
    char *folder, **names = NULL;
    size_t count = 0;
    MDM_TRY(mdm_join_path(&folder, clip->folder, name));
    mdm_status status = MDM_OK;
    if (mdm_file_exists(folder))
        status = mdm_list_folder(&names, &count, folder);
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        char *path;
        status = mdm_join_path(&path, folder, names[i]);
        if (status == MDM_OK)
            status = mdm_html_picture(out, path);
        mdm_free(&path);
    }
    mdm_names_free(&names, count);
    mdm_free(&folder);
    return status;
}

static mdm_status member_rows(mdm_buffer *out, const json_t *object)
{
    const char *name;
    json_t *value;
    MDM_TRY(mdm_buffer_printf(out, "<table>"));
    json_object_foreach((json_t *)object, name, value)
    {
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_text(out, name));
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        MDM_TRY(mdm_html_value(out, value));
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status evidence_of(mdm_buffer *out, const json_t *evidence)
{
    size_t i;
    json_t *reason, *person;
    json_array_foreach(json_object_get(evidence, "reasons"), i, reason)
    {
        MDM_TRY(mdm_buffer_printf(out, "<p class=bad>"));
        MDM_TRY(mdm_html_value(out, json_object_get(reason, "text")));
        MDM_TRY(mdm_buffer_printf(out, "</p>\n"));
    }
    json_array_foreach(json_object_get(evidence, "persons"), i, person)
    {
        MDM_TRY(mdm_buffer_printf(out, "<p><b>"));
        MDM_TRY(mdm_html_value(out, json_object_get(person, "id")));
        MDM_TRY(mdm_buffer_printf(out, "</b> frames: "));
        MDM_TRY(mdm_html_value(out, json_object_get(person, "frames")));
        MDM_TRY(mdm_buffer_printf(out, "</p>\n"));
        MDM_TRY(member_rows(out, json_object_get(person, "reidentification")));
        MDM_TRY(member_rows(out, json_object_get(person, "contexts")));
    }
    return MDM_OK;
}

static mdm_status one_clip(mdm_buffer *out, const mdm_job_clip *clip)
{
    json_t *evidence;
    MDM_TRY(mdm_buffer_printf(out, "<h2>"));
    MDM_TRY(mdm_html_text(out, clip->input->clip_id));
    MDM_TRY(mdm_buffer_printf(out, "</h2>\n<p class=note>"));
    MDM_TRY(mdm_html_text(out, clip->input->path));
    MDM_TRY(mdm_buffer_printf(out, "</p>\n"));
    if (clip->status != MDM_OK) {
        MDM_TRY(mdm_buffer_printf(out, "<p class=bad>failed: "));
        MDM_TRY(mdm_html_text(out, clip->message));
        return mdm_buffer_printf(out, "</p>\n");
    }
    MDM_TRY(mdm_buffer_printf(out, "<p>before<br>"));
    MDM_TRY(pictures(out, clip, "before"));
    MDM_TRY(mdm_buffer_printf(out, "<p>after<br>"));
    MDM_TRY(pictures(out, clip, "after"));
    MDM_TRY(mdm_buffer_printf(out, "</p>\n"));
    mdm_status status = mdm_json_load_from(&evidence, clip->folder, "evidence.json", (size_t)512 << 20);
    if (status == MDM_OK)
        status = evidence_of(out, evidence);
    json_decref(evidence);
    return status;
}

mdm_status mdm_job_private_report(mdm_job *job)
{
    mdm_buffer page = {.max = (size_t)1 << 30};
    char *path = NULL;
    mdm_status status = mdm_html_head(&page, "Before and after: private");
    if (status == MDM_OK)
        status = mdm_buffer_printf(
            &page, "<h1>Before and after</h1>\n<p class=bad>This page shows the recorded persons. It is for "
                   "whoever owns the recordings and is not to be shared; dataset/audit/report.html is.</p>\n");
    for (size_t i = 0; i < job->clip_count && status == MDM_OK; i++)
        status = one_clip(&page, &job->clips[i]);
    if (status == MDM_OK)
        status = mdm_buffer_printf(&page, "</html>\n");
    if (status == MDM_OK)
        status = mdm_join_path(&path, job->layout.private_folder, "report.html");
    if (status == MDM_OK)
        status = mdm_file_write(path, page.data, page.size);
    mdm_buffer_free(&page);
    mdm_free(&path);
    return status;
}
