/* Labels that people already have (--labels): finding those of a clip, and carrying them over to its result. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "dataset/carried.h"
#include "pipeline/job.h"

#define SEVERAL "all.json" /* labels of several recordings in one file */

/* The recording's name without folders and ending. */
static void stem_of(char *out, size_t room, const char *path)
{
    const char *slash = strrchr(path, '/');
    snprintf(out, room, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot && dot != out)
        *dot = '\0';
}

static bool is_json(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

static mdm_status read_all(json_t *items, const char *folder, const mdm_carried_clip *clip)
{
    char **names;
    size_t count;
    MDM_TRY(mdm_list_folder(&names, &count, folder));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        char *path;
        if (!is_json(names[i]) || !(mdm_carried_names(names[i], clip->stem) || strcmp(names[i], SEVERAL) == 0))
            continue;
        status = mdm_join_path(&path, folder, names[i]);
        if (status == MDM_OK)
            status = mdm_carried_read(items, path, clip);
        mdm_free(&path);
    }
    mdm_names_free(&names, count);
    return status;
}

mdm_status mdm_job_carried(json_t **items, json_t **changes, const mdm_job *job, const mdm_job_clip *clip,
                           const json_t *clip_json, const char *faces)
{
    const json_t *video = json_object_get(clip_json, "video");
    mdm_settings settings;
    char stem[256];
    mdm_face_labels measured = {0};
    *items = *changes = NULL;
    if (!job->settings.labels[0])
        return MDM_OK;
    mdm_job_clip_settings(&settings, job, clip);
    if (settings.start > 0 || settings.end > 0) {
        mdm_log(MDM_LOG_WARN,
                "%s: its labels are not carried over: it is a part of a recording, whose frames count otherwise",
                clip->input->clip_id);
        return MDM_OK;
    }
    stem_of(stem, sizeof stem, clip->input->path);
    const mdm_carried_clip of = {stem, (int)json_integer_value(json_object_get(video, "frames")),
                                 (int)json_integer_value(json_object_get(video, "width")),
                                 (int)json_integer_value(json_object_get(video, "height"))};
    json_t *had = json_array();
    mdm_status status = read_all(had, job->settings.labels, &of);
    if (status == MDM_OK && faces)
        status = mdm_labels_read(&measured, faces, of.frames);
    if (status == MDM_OK)
        status = mdm_carried_remeasure(items, changes, had, &measured, job->settings.mode == MDM_MODE_SCENE);
    mdm_labels_free(&measured);
    json_decref(had);
    return status;
}
