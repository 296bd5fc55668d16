/* Motions on disk. Shapes are written minus the neutral, so that the file can be applied to another face. */
#include "face/motion_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "nn/tensor_file.h"

#define MAX_FRAMES (1 << 22)

/* The arrays of a motion: name, numbers a frame (0: one set for the clip), where they lie, the largest they may be. */
typedef struct field {
    const char *name;
    int per_frame, once;
    float limit;
} field;

enum { POSE, SHAPE, NEUTRAL, EYES, GAZE, LIPS, LIGHT, TEETH, FIELDS };
static const field fields[FIELDS] = {
    [POSE] = {"pose", 13, 0, 1e6f},
    [SHAPE] = {"shape", MDM_MESH_VERTICES * 3, 0, 100},
    [NEUTRAL] = {"neutral", 0, MDM_MESH_VERTICES * 3, 100},
    [EYES] = {"eyes", 2, 0, 10},
    [GAZE] = {"gaze", 4, 0, 10},
    [LIPS] = {"lips", 1, 0, 10},
    [LIGHT] = {"light", MDM_LIGHT_TERMS * 3, 0, 20},
    [TEETH] = {"teeth", 1, 0, 1},
};

static float *place_of(const mdm_motion *m, int which)
{
    switch (which) {
    case NEUTRAL:
        return (float *)(uintptr_t)&m->neutral[0][0];
    case EYES:
        return &m->eyes[0][0];
    case GAZE:
        return &m->gaze[0][0][0];
    case LIPS:
        return m->lips;
    case LIGHT:
        return &m->light[0][0][0];
    case TEETH:
        return m->teeth;
    default:
        return NULL;
    }
}

static void poses_to_floats(float *out, const mdm_motion *m)
{
    for (int i = 0; i < m->count; i++, out += 13) {
        out[0] = (float)m->pose[i].scale;
        for (int k = 0; k < 9; k++)
            out[1 + k] = (float)m->pose[i].rotation[k];
        for (int k = 0; k < 3; k++)
            out[10 + k] = (float)m->pose[i].shift[k];
    }
}

static json_t *about(const mdm_motion *m)
{
    const mdm_motion_correction *c = &m->correction;
    const mdm_motion_look *l = &m->look;
    json_t *views = json_array();
    for (int i = 0; i < MDM_YAW_NODES; i++) {
        const mdm_view_correction *v = &c->view[i];
        json_array_append_new(views, json_pack("{s:f, s:[[f,f],[f,f]], s:[f,f,f]}", "yaw",
                                               (double)MDM_YAW_STEP * (i - (MDM_YAW_NODES - 1) / 2), "gaze",
                                               (double)v->gaze[0][0], (double)v->gaze[0][1], (double)v->gaze[1][0],
                                               (double)v->gaze[1][1], "turn", (double)v->turn[0], (double)v->turn[1],
                                               (double)v->turn[2]));
    }
    json_t *rest = json_array(), *gain = json_array();
    for (int i = 0; i < MDM_RESTS; i++)
        json_array_append_new(rest, json_real((double)c->rest[i]));
    for (int i = 0; i < MDM_REST_MOVES; i++)
        json_array_append_new(gain, json_real((double)c->gain[i]));
    return json_pack(
        "{s:i, s:i, s:i, s:f, s:[f,f], s:{s:f, s:f, s:o, s:o, s:o}, s:{s:f, s:f, s:f, s:f, s:f, s:[f,f,f]}}", "track",
        m->track, "first", m->first, "frames", m->count, "fps", m->fps, "eye_neutral", (double)m->eye_neutral[0],
        (double)m->eye_neutral[1], "correction", "eye_gain", (double)c->eye_gain, "lip_gain", (double)c->lip_gain,
        "rest", rest, "gain", gain, "views", views, "look", "contrast", (double)l->contrast, "depth", (double)l->depth,
        "blur", (double)l->blur, "unsharp", (double)l->unsharp, "grain", (double)l->grain, "tone", (double)l->tone[0],
        (double)l->tone[1], (double)l->tone[2]);
}

static mdm_status add_arrays(mdm_array *arrays, char (*names)[32], float **owned, const mdm_motion *m)
{
    const size_t n = (size_t)m->count;
    MDM_TRY(mdm_alloc(&owned[0], n * 13, sizeof(float), "motion"));
    MDM_TRY(mdm_alloc(&owned[1], n * MDM_MESH_VERTICES * 3, sizeof(float), "motion"));
    poses_to_floats(owned[0], m);
    for (int i = 0; i < m->count; i++)
        for (int v = 0; v < MDM_MESH_VERTICES * 3; v++)
            owned[1][(size_t)i * MDM_MESH_VERTICES * 3 + (size_t)v] = (&m->shape[i][0][0])[v] - (&m->neutral[0][0])[v];
    for (int k = 0; k <= FIELDS; k++) {
        mdm_array *a = &arrays[k];
        snprintf(names[k], sizeof names[k], "t%d.%s", m->track, k < FIELDS ? fields[k].name : "valid");
        *a = (mdm_array){.name = names[k], .dtype = MDM_F32, .rank = 2, .scale = 1};
        if (k == FIELDS) {
            *a = (mdm_array){.name = names[k],
                             .dtype = MDM_U8,
                             .rank = 1,
                             .shape = {m->count},
                             .data = m->valid,
                             .size = n,
                             .scale = 1};
            continue;
        }
        a->shape[0] = fields[k].once ? fields[k].once / 3 : m->count;
        a->shape[1] = fields[k].once ? 3 : fields[k].per_frame;
        a->data = k == POSE ? owned[0] : k == SHAPE ? owned[1] : place_of(m, k);
        a->size = (size_t)(a->shape[0] * a->shape[1]) * sizeof(float);
    }
    return MDM_OK;
}

mdm_status mdm_motions_write(const mdm_motions *motions, const char *folder)
{
    enum { EACH = FIELDS + 1 };
    size_t n = (size_t)motions->count;
    mdm_array *arrays = NULL;
    char(*names)[32] = NULL, *path = NULL;
    float **owned = NULL;
    json_t *tracks = json_array();
    mdm_status status = mdm_alloc(&arrays, n * EACH + 1, sizeof *arrays, "motion");
    if (!status)
        status = mdm_alloc(&names, n * EACH + 1, sizeof *names, "motion");
    if (!status)
        status = mdm_alloc(&owned, n * 2 + 1, sizeof *owned, "motion");
    for (size_t i = 0; i < n && !status; i++) {
        status = add_arrays(arrays + i * EACH, names + i * EACH, owned + 2 * i, &motions->motion[i]);
        json_array_append_new(tracks, about(&motions->motion[i]));
    }
    if (!status)
        status = mdm_join_path(&path, folder, "motion.safetensors");
    if (!status)
        status = mdm_safetensors_write(path, arrays, n * EACH, NULL);
    mdm_free(&path);
    json_t *root = json_pack("{s:i, s:o}", "version", 1, "tracks", tracks);
    if (!status)
        status = mdm_join_path(&path, folder, "motion.json"); /* last: its presence says that both are complete */
    if (!status)
        status = mdm_json_save(root, path);
    json_decref(root);
    mdm_free(&path);
    for (size_t i = 0; owned && i < 2 * n; i++)
        mdm_free(&owned[i]);
    mdm_free(&owned);
    mdm_free(&names);
    mdm_free(&arrays);
    return status;
}

static mdm_status read_field(float *out, size_t count, const mdm_tensor_file *file, int track, const char *name,
                             float limit, const char *where)
{
    char full[32];
    snprintf(full, sizeof full, "t%d.%s", track, name);
    const mdm_array *array = mdm_tensor_file_find(file, full);
    if (!array || array->size != count * mdm_dtype_size(array->dtype))
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is missing or has not %zu values; run `mmdm animate` again", where,
                        full, count);
    MDM_TRY(mdm_array_to_f32(out, count, array));
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(out[i]) <= limit))
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\": value %zu is %g, expected within +-%g", where, full, i,
                            (double)out[i], (double)limit);
    return MDM_OK;
}

static mdm_status number(float *out, const json_t *array, size_t index, float low, float high, const char *what,
                         const char *where)
{
    const json_t *value = index == SIZE_MAX ? array : json_array_get(array, index);
    double v = json_number_value(value);
    if (!json_is_number(value) || !(v >= (double)low && v <= (double)high))
        return mdm_fail(MDM_ERR_INPUT, "%s: %s is not a number from %g to %g", where, what, (double)low, (double)high);
    *out = (float)v;
    return MDM_OK;
}

static mdm_status read_about(mdm_motion *m, const json_t *json, const char *where)
{
    const json_t *c = json_object_get(json, "correction"), *l = json_object_get(json, "look"),
                 *n = json_object_get(json, "eye_neutral");
    MDM_TRY(mdm_json_number(&m->fps, json, "fps", where));
    for (size_t e = 0; e < 2; e++)
        MDM_TRY(number(&m->eye_neutral[e], n, e, 1e-4f, 10, "eye_neutral", where));
    for (size_t i = 0; i < MDM_YAW_NODES; i++) {
        const json_t *view = json_array_get(json_object_get(c, "views"), i), *gaze = json_object_get(view, "gaze"),
                     *turn = json_object_get(view, "turn");
        mdm_view_correction *v = &m->correction.view[i];
        for (size_t k = 0; k < 4; k++)
            MDM_TRY(number(&v->gaze[k / 2][k % 2], json_array_get(gaze, k / 2), k % 2, -1, 1, "a view's gaze", where));
        for (size_t k = 0; k < 3; k++)
            MDM_TRY(number(&v->turn[k], turn, k, -1, 1, "a view's turn", where));
    }
    for (size_t k = 0; k < MDM_RESTS; k++)
        MDM_TRY(number(&m->correction.rest[k], json_object_get(c, "rest"), k, -1, 1, "correction.rest", where));
    for (size_t k = 0; k < MDM_REST_MOVES; k++)
        MDM_TRY(number(&m->correction.gain[k], json_object_get(c, "gain"), k, 0, 4, "correction.gain", where));
    MDM_TRY(
        number(&m->correction.eye_gain, json_object_get(c, "eye_gain"), SIZE_MAX, 0, 4, "correction.eye_gain", where));
    MDM_TRY(
        number(&m->correction.lip_gain, json_object_get(c, "lip_gain"), SIZE_MAX, 0, 4, "correction.lip_gain", where));
    MDM_TRY(number(&m->look.contrast, json_object_get(l, "contrast"), SIZE_MAX, 0, 4, "look.contrast", where));
    MDM_TRY(number(&m->look.depth, json_object_get(l, "depth"), SIZE_MAX, 0.1, 4, "look.depth", where));
    MDM_TRY(number(&m->look.blur, json_object_get(l, "blur"), SIZE_MAX, 0, 20, "look.blur", where));
    MDM_TRY(number(&m->look.unsharp, json_object_get(l, "unsharp"), SIZE_MAX, 0, 4, "look.unsharp", where));
    for (size_t k = 0; k < 3; k++)
        MDM_TRY(number(&m->look.tone[k], json_object_get(l, "tone"), k, -1, 1, "look.tone", where));
    return number(&m->look.grain, json_object_get(l, "grain"), SIZE_MAX, 0, 64, "look.grain", where);
}

static mdm_status read_motion(mdm_motion *m, const json_t *json, const mdm_tensor_file *file, const char *where)
{
    long long track, first, frames;
    float *buffer = NULL;
    MDM_TRY(mdm_json_int(&track, json, "track", 0, MDM_MAX_TRACKS, where));
    MDM_TRY(mdm_json_int(&first, json, "first", 0, MAX_FRAMES, where));
    MDM_TRY(mdm_json_int(&frames, json, "frames", 1, MAX_FRAMES, where));
    MDM_TRY(mdm_motion_alloc(m, (int)frames));
    m->track = (int)track;
    m->first = (int)first;
    size_t n = (size_t)frames;
    mdm_status status = read_about(m, json, where);
    for (int k = 0; k < FIELDS && !status; k++)
        if (place_of(m, k))
            status =
                read_field(place_of(m, k), fields[k].once ? (size_t)fields[k].once : n * (size_t)fields[k].per_frame,
                           file, m->track, fields[k].name, fields[k].limit, where);
    const size_t shape = MDM_MESH_VERTICES * 3;
    if (!status)
        status = read_field(&m->shape[0][0][0], n * shape, file, m->track, "shape", fields[SHAPE].limit, where);
    for (size_t i = 0; i < n * shape && !status; i++)
        (&m->shape[0][0][0])[i] += (&m->neutral[0][0])[i % shape];
    if (!status)
        status = mdm_alloc(&buffer, n * 13, sizeof *buffer, "motion");
    if (!status)
        status = read_field(buffer, n * 13, file, m->track, "pose", fields[POSE].limit, where);
    for (size_t i = 0; i < n && !status; i++) {
        const float *p = buffer + 13 * i;
        m->pose[i].scale = (double)p[0];
        for (int k = 0; k < 9; k++)
            m->pose[i].rotation[k] = (double)p[1 + k];
        for (int k = 0; k < 3; k++)
            m->pose[i].shift[k] = (double)p[10 + k];
        if (!(p[0] > 1e-3f && p[0] < 4096))
            status =
                mdm_fail(MDM_ERR_INPUT, "%s: track %d, frame %zu: scale %g px a cm", where, m->track, i, (double)p[0]);
    }
    if (!status)
        status = read_field(buffer, n, file, m->track, "valid", 1, where);
    for (size_t i = 0; i < n && !status; i++)
        m->valid[i] = buffer[i] > 0.5f;
    mdm_free(&buffer);
    return status;
}

mdm_status mdm_motions_read(mdm_motions *out, const char *folder)
{
    char *path = NULL, *data_path = NULL;
    json_t *root = NULL, *tracks = NULL;
    mdm_tensor_file *file = NULL;
    memset(out, 0, sizeof *out);
    mdm_status status = mdm_join_path(&path, folder, "motion.json");
    if (!status)
        status = mdm_join_path(&data_path, folder, "motion.safetensors");
    if (!status)
        status = mdm_json_load(&root, path, 0);
    if (!status)
        status = mdm_json_array(&tracks, root, "tracks", path);
    size_t count = json_array_size(tracks);
    if (!status && count > MDM_MAX_TRACKS)
        status = mdm_fail(MDM_ERR_INPUT, "%s: %zu tracks, at most %d", path, count, MDM_MAX_TRACKS);
    if (!status && count)
        status = mdm_tensor_file_open(&file, data_path);
    if (!status)
        status = mdm_alloc(&out->motion, count, sizeof *out->motion, "motions");
    for (size_t i = 0; i < count && !status; i++) {
        status = read_motion(&out->motion[i], json_array_get(tracks, i), file, path);
        out->count = (int)i + 1;
    }
    if (status)
        mdm_motions_free(out);
    mdm_tensor_file_free(&file);
    json_decref(root);
    mdm_free(&path);
    mdm_free(&data_path);
    return status;
}

void mdm_motions_free(mdm_motions *motions)
{
    for (int i = 0; i < motions->count; i++)
        mdm_motion_free(&motions->motion[i]);
    mdm_free(&motions->motion);
    motions->count = 0;
}
