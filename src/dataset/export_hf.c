/* hf: the dataset as it is, in other parts: a Hugging Face VideoFolder (pictures beside it, where there are both). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "dataset/export_card.h"
#include "dataset/pack.h"

/* Videos and pictures cannot be one folder-dataset. */
static bool has_videos(const mdm_export *e)
{
    for (size_t i = 0; i < e->count; i++)
        if (!e->clips[i].still)
            return true;
    return false;
}

static mdm_status write_part(const mdm_export *e, int part, bool stills, const char *folder)
{
    mdm_out rows = {0};
    char *path = NULL;
    mdm_status status = MDM_OK;
    const bool videos = has_videos(e);
    for (size_t i = 0; i < e->count && status == MDM_OK; i++) {
        const mdm_export_clip *clip = &e->clips[i];
        char *media = NULL;
        if (clip->part != part || (videos && clip->still) != stills)
            continue;
        if (!rows.path) {
            status = mdm_export_path(&path, e, "%s/metadata.jsonl", folder);
            if (status == MDM_OK)
                status = mdm_out_open(&rows, path);
        }
        if (status == MDM_OK)
            status = mdm_export_path(&media, e, "%s/%s", folder, clip->file);
        if (status == MDM_OK)
            status = mdm_copy_file(clip->media, media);
        if (status == MDM_OK)
            status = mdm_out_json(&rows, json_incref(clip->row));
        if (status == MDM_OK)
            status = mdm_out_write(&rows, "\n", 1);
        mdm_free(&media);
    }
    mdm_free(&path);
    return rows.path ? mdm_out_close(&rows, status) : status;
}

static mdm_status copy_labels(const mdm_export *e)
{
    for (size_t i = 0; i < e->count; i++) {
        char *path;
        if (!e->clips[i].labels)
            continue;
        MDM_TRY(mdm_export_path(&path, e, "labels/%s/%s.jsonl", mdm_part_names[e->clips[i].part], e->clips[i].id));
        mdm_status status = mdm_copy_file(e->clips[i].labels, path);
        mdm_free(&path);
        MDM_TRY(status);
    }
    return MDM_OK;
}

mdm_status mdm_export_hf(mdm_export *e)
{
    bool has[MDM_PARTS];
    mdm_buffer configs = {0};
    mdm_status status = MDM_OK;
    for (int p = 0; p < MDM_PARTS && status == MDM_OK; p++) {
        char stills[32];
        snprintf(stills, sizeof stills, "stills/%s", mdm_part_names[p]);
        status = write_part(e, p, false, mdm_part_names[p]);
        if (status == MDM_OK)
            status = write_part(e, p, true, stills);
        has[p] = mdm_export_has_part(e, p);
    }
    if (status == MDM_OK)
        status = copy_labels(e);
    if (status == MDM_OK)
        status = mdm_card_configs(&configs, has);
    if (status == MDM_OK)
        status = mdm_export_card(e, (const char *)configs.data);
    mdm_buffer_free(&configs);
    return status;
}
