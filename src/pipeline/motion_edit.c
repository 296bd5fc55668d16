/* The public functions about motions that a person changes. */
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "face/motion_edit.h"
#include "mmdm.h"

static json_t *values_of(const mdm_motion *m, mdm_edit_curve curve, int step)
{
    json_t *values = json_array();
    for (int i = 0; i < m->count; i += step)
        json_array_append_new(values,
                              m->valid[i] ? mdm_json_rounded((double)mdm_edit_value(m, curve, i), 4) : json_null());
    return values;
}

/* At most 2000 values a curve: as many as a screen shows. */
static json_t *track_curves(const mdm_motion *m)
{
    const int step = 1 + (m->count - 1) / 2000;
    json_t *curves = json_object();
    for (int c = 0; c < MDM_EDIT_CURVES; c++) {
        const mdm_edit_info info = mdm_edit_info_of((mdm_edit_curve)c);
        json_object_set_new(
            curves, info.name,
            json_pack("{s:f, s:o}", "limit", info.limit, "values", values_of(m, (mdm_edit_curve)c, step)));
    }
    return json_pack("{s:i, s:i, s:i, s:i, s:o}", "id", m->track, "first", m->first, "frames", m->count, "step", step,
                     "curves", curves);
}

mdm_status mdm_motion_curves(char **out, const char *folder)
{
    mdm_motions motions;
    *out = NULL;
    MDM_TRY(mdm_motions_read(&motions, folder));
    json_t *tracks = json_array();
    for (int i = 0; i < motions.count; i++)
        json_array_append_new(tracks, track_curves(&motions.motion[i]));
    mdm_motions_free(&motions);
    json_t *root = json_pack("{s:o}", "tracks", tracks);
    *out = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(root);
    return *out ? MDM_OK : mdm_fail(MDM_ERR_MEMORY, "no memory for a motion's curves");
}

mdm_status mdm_motion_edit(const char *folder, const char *text)
{
    char *path, *fresh = NULL;
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return mdm_fail(MDM_ERR_CONFIG, "a changed motion: not valid JSON: %s", error.text);
    mdm_status status = mdm_join_path(&path, folder, MDM_MOTION_EDIT);
    if (status == MDM_OK)
        status = mdm_temp_name(&fresh, path);
    if (status == MDM_OK)
        status = mdm_json_save(root, fresh);
    if (status == MDM_OK)
        status = mdm_motion_edit_check(fresh);
    if (status == MDM_OK)
        status = mdm_temp_commit(fresh, path);
    else
        mdm_temp_discard(fresh);
    json_decref(root);
    mdm_free(&fresh);
    mdm_free(&path);
    return status;
}
