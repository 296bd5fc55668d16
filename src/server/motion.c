/* The motion of a clip's faces as curves, and the changes that a person draws over them. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "server/web.h"

static mdm_status clip_folder(char **out, web_request *request)
{
    char *folder;
    MDM_TRY(web_job_folder(&folder, request->web, request->id[0]));
    mdm_status status = web_path(out, folder, "private", "work", request->id[1], NULL);
    mdm_free(&folder);
    return status;
}

web_result web_motion_show(web_request *request)
{
    char *folder, *text = NULL, *path = NULL;
    json_t *curves = NULL, *edit = NULL;
    mdm_status status = clip_folder(&folder, request);
    if (status != MDM_OK)
        return web_status(request, status);
    status = mdm_motion_curves(&text, folder);
    if (status == MDM_OK)
        status = web_parse_json(&curves, text, strlen(text), 16);
    if (status == MDM_OK)
        status = web_path(&path, folder, "motion-edit.json", NULL);
    if (status == MDM_OK && mdm_file_exists(path))
        (void)mdm_json_load(&edit, path, 0);
    if (status == MDM_OK)
        json_object_set_new(curves, "edit", edit ? edit : json_null());
    mdm_text_free(&text);
    mdm_free(&path);
    mdm_free(&folder);
    if (status == MDM_OK)
        return web_json(request, 200, curves);
    json_decref(curves);
    return web_status(request, status);
}

web_result web_motion_edit(web_request *request)
{
    char *folder, *job = NULL;
    mdm_status status = web_job_folder(&job, request->web, request->id[0]);
    if (status == MDM_OK && web_job_runs(job, NULL))
        status = mdm_fail(MDM_ERR_AGAIN, "The job runs; wait for its end or stop it first.");
    mdm_free(&job);
    if (status == MDM_OK)
        status = clip_folder(&folder, request);
    if (status != MDM_OK)
        return web_status(request, status);
    char *text = json_dumps(request->json, JSON_COMPACT);
    status = text ? mdm_motion_edit(folder, text) : mdm_fail(MDM_ERR_MEMORY, "no memory");
    free(text);
    mdm_free(&folder);
    return status == MDM_OK ? web_json(request, 200, json_object()) : web_status(request, status);
}
