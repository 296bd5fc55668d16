/* Writing and checked reading of tracks.json and geometry.safetensors. */
#include "face/track_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "nn/tensor_file.h"

#define MAX_SIDE   16384
#define MAX_FRAMES (1 << 22)

static const char *const state_names[] = {"lost", "filled", "seen"};

static json_t *numbers(const float *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_real(round((double)values[i] * 100) / 100));
    return array;
}

static json_t *track_json(const mdm_track *track)
{
    json_t *boxes = json_array(), *states = json_array();
    double score = 0;
    int seen = 0;
    for (int i = 0; i < track->count; i++) {
        const mdm_track_frame *frame = &track->frame[i];
        json_array_append_new(boxes, numbers(frame->box, 4));
        json_array_append_new(states, json_string(state_names[frame->state]));
        if (frame->state == MDM_TRACK_SEEN)
            score += frame->score, seen++;
    }
    return json_pack("{s:i, s:n, s:i, s:i, s:f, s:o, s:o}", "id", track->id, "person", "first", track->first, "last",
                     track->first + track->count - 1, "score", seen ? score / seen : 0.0, "boxes", boxes, "state",
                     states);
}

static json_t *region_json(const mdm_region *region)
{
    json_t *quads = json_array();
    for (int i = 0; i < region->count; i++) {
        json_t *quad = numbers(&region->quad[i].corner[0][0], 8);
        json_array_insert_new(quad, 0, json_integer(region->quad[i].frame));
        json_array_append_new(quads, quad);
    }
    json_t *readings = json_array();
    if (region->reading[0])
        json_array_append_new(readings, json_string(region->reading));
    return json_pack("{s:s, s:i, s:i, s:o, s:o}", "kind", region->kind, "first",
                     region->count ? region->quad[0].frame : 0, "last",
                     region->count ? region->quad[region->count - 1].frame : 0, "quads", quads, "readings", readings);
}

static mdm_status write_geometry(const mdm_found *found, const char *folder)
{
    int n = found->tracks.count;
    mdm_array *arrays = NULL;
    uint8_t **valid = NULL;
    char(*names)[2][32] = NULL;
    char *path = NULL;
    mdm_status status = mdm_alloc(&arrays, (size_t)n * 2 + 1, sizeof *arrays, "geometry arrays");
    if (!status)
        status = mdm_alloc(&valid, (size_t)n + 1, sizeof *valid, "geometry flags");
    if (!status)
        status = mdm_alloc(&names, (size_t)n + 1, sizeof *names, "geometry names");
    for (int i = 0; i < n && !status; i++) {
        const mdm_track *track = &found->tracks.track[i];
        status = mdm_alloc(&valid[i], (size_t)track->count, 1, "geometry flags");
        if (status)
            break;
        for (int k = 0; k < track->count; k++)
            valid[i][k] = track->frame[k].has_mesh;
        snprintf(names[i][0], sizeof names[i][0], "t%d.points", track->id);
        snprintf(names[i][1], sizeof names[i][1], "t%d.valid", track->id);
        size_t count = (size_t)track->count;
        arrays[2 * i] = (mdm_array){.name = names[i][0],
                                    .dtype = MDM_F32,
                                    .rank = 3,
                                    .scale = 1,
                                    .shape = {track->count, MDM_MESH_POINTS, 3},
                                    .data = track->point,
                                    .size = count * sizeof *track->point};
        arrays[2 * i + 1] = (mdm_array){.name = names[i][1],
                                        .dtype = MDM_U8,
                                        .rank = 1,
                                        .scale = 1,
                                        .shape = {track->count},
                                        .data = valid[i],
                                        .size = count};
    }
    if (!status)
        status = mdm_join_path(&path, folder, "geometry.safetensors");
    if (!status)
        status = mdm_safetensors_write(path, arrays, (size_t)n * 2, NULL);
    for (int i = 0; valid && i < n; i++)
        mdm_free(&valid[i]);
    mdm_free(&valid);
    mdm_free(&arrays);
    mdm_free(&names);
    mdm_free(&path);
    return status;
}

mdm_status mdm_found_write(const mdm_found *found, const char *folder)
{
    MDM_TRY(write_geometry(found, folder)); /* tracks.json last: its presence says that both are complete */
    json_t *tracks = json_array(), *regions = json_array(), *cuts = json_array();
    for (int i = 0; i < found->tracks.count; i++)
        json_array_append_new(tracks, track_json(&found->tracks.track[i]));
    for (int i = 0; i < found->region_count; i++)
        json_array_append_new(regions, region_json(&found->region[i]));
    for (int i = 0; i < found->cut_count; i++)
        json_array_append_new(cuts, json_integer(found->cut[i]));
    json_t *root = json_pack("{s:i, s:i, s:i, s:i, s:o, s:o, s:o}", "version", 1, "frames", found->frames, "width",
                             found->width, "height", found->height, "cuts", cuts, "tracks", tracks, "regions", regions);
    char *path = NULL;
    mdm_status status =
        root ? mdm_join_path(&path, folder, "tracks.json") : mdm_fail(MDM_ERR_MEMORY, "tracks.json: out of memory");
    if (!status)
        status = mdm_json_save(root, path);
    json_decref(root);
    mdm_free(&path);
    return status;
}

static mdm_status read_floats(float *out, size_t count, const json_t *array, size_t from, const char *where)
{
    if (!json_is_array(array) || json_array_size(array) != count + from)
        return mdm_fail(MDM_ERR_INPUT, "%s: expected a list of %zu numbers; run `mmdm find` again", where,
                        count + from);
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i + from);
        double v = json_number_value(value);
        if (!json_is_number(value) || !(fabs(v) <= 4.0 * MAX_SIDE))
            return mdm_fail(MDM_ERR_INPUT, "%s: coordinate %zu is not a number within +-%d", where, i, 4 * MAX_SIDE);
        out[i] = (float)v;
    }
    return MDM_OK;
}

static mdm_status read_track(mdm_found *found, const json_t *json, const mdm_tensor_file *geometry, const char *where)
{
    long long id, first, last;
    json_t *boxes, *states;
    MDM_TRY(mdm_json_int(&id, json, "id", found->tracks.count, found->tracks.count, where));
    MDM_TRY(mdm_json_int(&first, json, "first", 0, found->frames - 1, where));
    MDM_TRY(mdm_json_int(&last, json, "last", first, found->frames - 1, where));
    MDM_TRY(mdm_json_array(&boxes, json, "boxes", where));
    MDM_TRY(mdm_json_array(&states, json, "state", where));
    size_t count = (size_t)(last - first + 1);
    if (json_array_size(boxes) != count || json_array_size(states) != count)
        return mdm_fail(MDM_ERR_INPUT, "%s: track %lld has %zu boxes and %zu states for %zu frames", where, id,
                        json_array_size(boxes), json_array_size(states), count);
    char name[32];
    snprintf(name, sizeof name, "t%d.points", (int)id);
    const mdm_array *points = mdm_tensor_file_find(geometry, name);
    snprintf(name, sizeof name, "t%d.valid", (int)id);
    const mdm_array *valid = mdm_tensor_file_find(geometry, name);
    if (!points || points->dtype != MDM_F32 || points->rank != 3 || points->shape[0] != (int64_t)count ||
        points->shape[1] != MDM_MESH_POINTS || points->shape[2] != 3 || !valid || valid->dtype != MDM_U8 ||
        valid->size != count)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: geometry.safetensors does not hold track %lld with %zu frames; run `mmdm find` again",
                        where, id, count);
    mdm_track *track;
    MDM_TRY(mdm_tracks_add(&track, &found->tracks, (int)first));
    MDM_TRY(mdm_track_reach(track, (int)first));
    MDM_TRY(mdm_track_reach(track, (int)last));
    memcpy(track->point, points->data, count * sizeof *track->point);
    const float *flat = &track->point[0][0][0];
    for (size_t i = 0; i < count * MDM_MESH_POINTS * 3; i++)
        if (!(fabsf(flat[i]) <= 4.0f * MAX_SIDE))
            return mdm_fail(MDM_ERR_INPUT, "%s: track %lld: mesh value %zu is not a pixel position", where, id, i);
    for (size_t i = 0; i < count; i++) {
        mdm_track_frame *frame = &track->frame[i];
        MDM_TRY(read_floats(frame->box, 4, json_array_get(boxes, i), 0, where));
        const char *state = json_string_value(json_array_get(states, i));
        int s = 0;
        while (s < 3 && (!state || strcmp(state, state_names[s])))
            s++;
        if (s == 3)
            return mdm_fail(MDM_ERR_INPUT, "%s: state \"%s\", expected seen, filled or lost", where,
                            state ? state : "?");
        frame->state = (uint8_t)s;
        frame->has_mesh = ((const uint8_t *)valid->data)[i] != 0;
        frame->score = frame->state == MDM_TRACK_SEEN;
    }
    return MDM_OK;
}

static mdm_status read_region(mdm_region *region, const json_t *json, int frames, const char *where)
{
    const char *kind;
    json_t *quads, *readings;
    MDM_TRY(mdm_json_string(&kind, json, "kind", where));
    MDM_TRY(mdm_json_array(&quads, json, "quads", where));
    MDM_TRY(mdm_json_array(&readings, json, "readings", where));
    if (strcmp(kind, "plate") && strcmp(kind, "text"))
        return mdm_fail(MDM_ERR_INPUT, "%s: region kind \"%s\", expected plate or text", where, kind);
    snprintf(region->kind, sizeof region->kind, "%s", kind);
    const char *reading = json_string_value(json_array_get(readings, 0));
    snprintf(region->reading, sizeof region->reading, "%s", reading ? reading : "");
    size_t count = json_array_size(quads);
    MDM_TRY(mdm_alloc(&region->quad, count, sizeof *region->quad, "region"));
    region->count = (int)count;
    int previous = -1;
    for (size_t i = 0; i < count; i++) {
        const json_t *quad = json_array_get(quads, i);
        json_int_t frame = json_integer_value(json_array_get(quad, 0));
        if (frame <= previous || frame >= frames)
            return mdm_fail(MDM_ERR_INPUT, "%s: region frame %lld, expected %d..%d", where, (long long)frame,
                            previous + 1, frames - 1);
        region->quad[i].frame = previous = (int)frame;
        MDM_TRY(read_floats(&region->quad[i].corner[0][0], 8, quad, 1, where));
    }
    return MDM_OK;
}

static mdm_status read_root(mdm_found *out, const json_t *root, const mdm_tensor_file *geometry, const char *where)
{
    long long value;
    json_t *tracks, *regions, *cuts;
    MDM_TRY(mdm_json_int(&value, root, "version", 1, 1, where));
    MDM_TRY(mdm_json_int(&value, root, "frames", 1, MAX_FRAMES, where));
    out->frames = (int)value;
    MDM_TRY(mdm_json_int(&value, root, "width", 1, MAX_SIDE, where));
    out->width = (int)value;
    MDM_TRY(mdm_json_int(&value, root, "height", 1, MAX_SIDE, where));
    out->height = (int)value;
    MDM_TRY(mdm_json_array(&tracks, root, "tracks", where));
    MDM_TRY(mdm_json_array(&regions, root, "regions", where));
    MDM_TRY(mdm_json_array(&cuts, root, "cuts", where));
    MDM_TRY(mdm_alloc(&out->cut, json_array_size(cuts) + 1, sizeof *out->cut, "cuts"));
    for (size_t i = 0; i < json_array_size(cuts); i++) {
        json_int_t cut = json_integer_value(json_array_get(cuts, i));
        if (cut < 0 || cut >= out->frames)
            return mdm_fail(MDM_ERR_INPUT, "%s: cut at frame %lld, expected 0..%d", where, (long long)cut,
                            out->frames - 1);
        out->cut[out->cut_count++] = (int)cut;
    }
    for (size_t i = 0; i < json_array_size(tracks); i++)
        MDM_TRY(read_track(out, json_array_get(tracks, i), geometry, where));
    size_t count = json_array_size(regions);
    MDM_TRY(mdm_alloc(&out->region, count, sizeof *out->region, "regions"));
    for (size_t i = 0; i < count; i++) {
        out->region_count++;
        MDM_TRY(read_region(&out->region[i], json_array_get(regions, i), out->frames, where));
    }
    return MDM_OK;
}

mdm_status mdm_found_read(mdm_found *out, const char *folder)
{
    memset(out, 0, sizeof *out);
    char *tracks_path = NULL, *geometry_path = NULL;
    json_t *root = NULL;
    mdm_tensor_file *geometry = NULL;
    mdm_status status = mdm_join_path(&tracks_path, folder, "tracks.json");
    if (!status)
        status = mdm_join_path(&geometry_path, folder, "geometry.safetensors");
    if (!status)
        status = mdm_json_load(&root, tracks_path, (size_t)1 << 30);
    if (!status)
        status = mdm_tensor_file_open(&geometry, geometry_path);
    if (!status)
        status = read_root(out, root, geometry, tracks_path);
    if (status)
        mdm_found_free(out);
    json_decref(root);
    mdm_tensor_file_free(&geometry);
    mdm_free(&tracks_path);
    mdm_free(&geometry_path);
    return status;
}

void mdm_found_free(mdm_found *found)
{
    mdm_tracks_free(&found->tracks);
    for (int i = 0; i < found->region_count; i++)
        mdm_free(&found->region[i].quad);
    mdm_free(&found->region);
    mdm_free(&found->cut);
    memset(found, 0, sizeof *found);
}
