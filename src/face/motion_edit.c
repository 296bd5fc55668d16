/* Reading motion-edit.json and changing motions by it. */
#include "face/motion_edit.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/order.h"
#include "face/mesh_index.h"
#include "face/pose.h"
#include "face/smooth.h"

enum { MOST_POINTS = 2000 };

static const mdm_edit_info infos[MDM_EDIT_CURVES] = {
    [MDM_EDIT_MOUTH] = {"mouth", 3},     [MDM_EDIT_BLINK] = {"blink", 1}, [MDM_EDIT_GAZE_X] = {"gaze_x", 0.3},
    [MDM_EDIT_GAZE_Y] = {"gaze_y", 0.3}, [MDM_EDIT_YAW] = {"yaw", 20},    [MDM_EDIT_PITCH] = {"pitch", 20},
    [MDM_EDIT_ROLL] = {"roll", 20},
};

mdm_edit_info mdm_edit_info_of(mdm_edit_curve curve)
{
    return infos[curve];
}

/* ---- the file ------------------------------------------------------------------------------------------------------- */

static mdm_status check_curve(const json_t *points, const mdm_edit_info *info, long long track, const char *where)
{
    double last = -1;
    if (!json_is_array(points) || json_array_size(points) > MOST_POINTS)
        return mdm_fail(MDM_ERR_CONFIG, "%s: track %lld, %s: expected at most %d points", where, track, info->name,
                        MOST_POINTS);
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *point = json_array_get(points, i), *frame = json_array_get(point, 0),
                     *value = json_array_get(point, 1);
        if (json_array_size(point) != 2 || !json_is_integer(frame) || !json_is_number(value))
            return mdm_fail(MDM_ERR_CONFIG, "%s: track %lld, %s: point %zu is not [frame, value]", where, track,
                            info->name, i);
        const double at = json_number_value(frame), v = json_number_value(value);
        if (!(at > last) || at > INT32_MAX)
            return mdm_fail(MDM_ERR_CONFIG, "%s: track %lld, %s: point %zu: frames have to rise from 0", where, track,
                            info->name, i);
        if (!(fabs(v) <= info->limit))
            return mdm_fail(MDM_ERR_CONFIG, "%s: track %lld, %s: point %zu: %g is over %g", where, track, info->name, i,
                            v, info->limit);
        last = at;
    }
    return MDM_OK;
}

static const mdm_edit_info *find_info(const char *name)
{
    for (int c = 0; c < MDM_EDIT_CURVES; c++)
        if (strcmp(infos[c].name, name) == 0)
            return &infos[c];
    return NULL;
}

static mdm_status check_tracks(const json_t *root, const char *where)
{
    json_t *tracks, *track, *curves, *points;
    size_t i;
    MDM_TRY(mdm_json_array(&tracks, root, "tracks", where));
    if (json_array_size(tracks) > MDM_MAX_TRACKS)
        return mdm_fail(MDM_ERR_CONFIG, "%s: more than %d tracks", where, MDM_MAX_TRACKS);
    json_array_foreach(tracks, i, track)
    {
        const char *name;
        long long id;
        MDM_TRY(mdm_json_int(&id, track, "id", 0, 1000000, where));
        MDM_TRY(mdm_json_object(&curves, track, "curves", where));
        json_object_foreach(curves, name, points)
        {
            const mdm_edit_info *info = find_info(name);
            if (!info)
                return mdm_fail(MDM_ERR_CONFIG, "%s: track %lld: there is no curve '%.40s'", where, id, name);
            MDM_TRY(check_curve(points, info, id, where));
        }
    }
    return MDM_OK;
}

static mdm_status load(json_t **out, const char *path)
{
    MDM_TRY(mdm_json_load(out, path, (size_t)16 << 20));
    mdm_status status = check_tracks(*out, path);
    if (status != MDM_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

mdm_status mdm_motion_edit_check(const char *path)
{
    json_t *root;
    MDM_TRY(load(&root, path));
    json_decref(root);
    return MDM_OK;
}

/* ---- curves ---------------------------------------------------------------------------------------------------------- */

/* Value at a frame of the clip. */
static float curve_at(const json_t *points, int frame)
{
    const size_t count = json_array_size(points);
    for (size_t i = 0; i + 1 < count; i++) {
        const json_t *a = json_array_get(points, i), *b = json_array_get(points, i + 1);
        const double from = json_number_value(json_array_get(a, 0)), to = json_number_value(json_array_get(b, 0));
        if (frame < from || frame > to)
            continue;
        const double share = (frame - from) / (to - from), x = json_number_value(json_array_get(a, 1)),
                     y = json_number_value(json_array_get(b, 1));
        return (float)(x + share * (y - x));
    }
    return count == 1 && frame == json_integer_value(json_array_get(json_array_get(points, 0), 0))
               ? (float)json_number_value(json_array_get(json_array_get(points, 0), 1))
               : 0;
}

/* ---- what they do ------------------------------------------------------------------------------------------------------ */

/* The lower lip goes down in an arc between the corners, and the chin some of the way. */
static void open_mouth(mdm_motion *m, int index, float by)
{
    float(*shape)[3] = m->shape[index];
    const float line = (m->neutral[13][1] + m->neutral[14][1]) / 2,
                middle = (m->neutral[13][0] + m->neutral[14][0]) / 2;
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        const float across = m->neutral[i][0] - middle, down = m->neutral[i][1] - line;
        if (down > 0.4f)
            shape[i][1] += 0.6f * by * mdm_clampf(1 - (hypotf(across, down) - 2) / 3, 0, 1);
    }
    for (int i = 0; i < MDM_LIP_ROW; i++) {
        const float arc = sinf(3.14159265f * (float)(i + 1) / (MDM_LIP_ROW + 1));
        float *lower = shape[mdm_lip_lower[i]];
        lower[1] = fmaxf(lower[1] + by * arc, shape[mdm_lip_upper[i]][1]); /* lips meet, they do not cross */
    }
    m->lips[index] = mdm_clampf(mdm_lip_gap((const float(*)[3])shape), 0, 10);
}

static void multiply(double out[9], const double a[9], const double b[9])
{
    double r[9];
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            r[3 * i + k] = a[3 * i] * b[k] + a[3 * i + 1] * b[3 + k] + a[3 * i + 2] * b[6 + k];
    memcpy(out, r, sizeof r);
}

/* Turns the head about its middle, in the image's directions. */
static void turn_head(mdm_motion *m, int index, const float by[3])
{
    const double radians = 3.14159265358979 / 180;
    const double y = by[0] * radians, p = by[1] * radians, r = by[2] * radians;
    const double yaw[9] = {cos(y), 0, -sin(y), 0, 1, 0, sin(y), 0, cos(y)},
                 pitch[9] = {1, 0, 0, 0, cos(p), -sin(p), 0, sin(p), cos(p)},
                 roll[9] = {cos(r), -sin(r), 0, sin(r), cos(r), 0, 0, 0, 1};
    double middle[3] = {0}, turned[9];
    mdm_pose *pose = &m->pose[index];
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        for (int k = 0; k < 3; k++)
            middle[k] += (double)m->neutral[i][k] / MDM_MESH_VERTICES;
    multiply(turned, yaw, pose->rotation);
    multiply(turned, pitch, turned);
    multiply(turned, roll, turned);
    for (int k = 0; k < 3; k++)
        for (int n = 0; n < 3; n++)
            pose->shift[k] += pose->scale * middle[n] * (pose->rotation[3 * k + n] - turned[3 * k + n]);
    memcpy(pose->rotation, turned, sizeof turned);
}

static void edit_frame(mdm_motion *m, int index, const float by[MDM_EDIT_CURVES])
{
    if (by[MDM_EDIT_MOUTH] != 0)
        open_mouth(m, index, by[MDM_EDIT_MOUTH]);
    for (int e = 0; e < 2; e++) {
        m->eyes[index][e] = mdm_clampf(m->eyes[index][e] * (1 - by[MDM_EDIT_BLINK]), 0, 10);
        m->gaze[index][e][0] +=
            (e ? -1.0f : 1.0f) * by[MDM_EDIT_GAZE_X]; /* from outer to inner corners, which point at each other */
        m->gaze[index][e][1] += by[MDM_EDIT_GAZE_Y];
    }
    if (by[MDM_EDIT_YAW] != 0 || by[MDM_EDIT_PITCH] != 0 || by[MDM_EDIT_ROLL] != 0)
        turn_head(m, index, by + MDM_EDIT_YAW);
}

static void edit_motion(mdm_motion *m, const json_t *curves)
{
    for (int i = 0; i < m->count; i++) {
        float by[MDM_EDIT_CURVES];
        for (int c = 0; c < MDM_EDIT_CURVES; c++)
            by[c] = curve_at(json_object_get(curves, infos[c].name), m->first + i);
        edit_frame(m, i, by);
    }
}

mdm_status mdm_motion_edit_apply(mdm_motions *motions, const char *folder)
{
    char *path;
    json_t *root = NULL, *track;
    size_t i;
    MDM_TRY(mdm_join_path(&path, folder, MDM_MOTION_EDIT));
    mdm_status status = mdm_file_exists(path) ? load(&root, path) : MDM_OK;
    mdm_free(&path);
    json_array_foreach(json_object_get(root, "tracks"), i, track)
    {
        for (int k = 0; k < motions->count; k++)
            if (motions->motion[k].track == json_integer_value(json_object_get(track, "id")))
                edit_motion(&motions->motion[k], json_object_get(track, "curves"));
    }
    json_decref(root);
    return status;
}

float mdm_edit_value(const mdm_motion *motion, mdm_edit_curve curve, int index)
{
    double angles[3];
    const float(*gaze)[2] = (const float(*)[2])motion->gaze[index];
    switch (curve) {
    case MDM_EDIT_MOUTH:
        return motion->shape[index][14][1] - motion->shape[index][13][1];
    case MDM_EDIT_BLINK:
        return 1 - (motion->eyes[index][0] + motion->eyes[index][1]) /
                       fmaxf(motion->eye_neutral[0] + motion->eye_neutral[1], 1e-3f);
    case MDM_EDIT_GAZE_X:
        return (gaze[0][0] - gaze[1][0]) / 2;
    case MDM_EDIT_GAZE_Y:
        return (gaze[0][1] + gaze[1][1]) / 2;
    default:
        mdm_pose_angles(angles, &motion->pose[index]);
        return (float)angles[curve - MDM_EDIT_YAW];
    }
}
