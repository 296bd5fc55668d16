/* Reading light and teeth from the recording. Step 11 of standins.md 2.1. */
#include "face/scene_light.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/order.h"
#include "face/light.h"
#include "face/smooth.h"

#define DEPTH_LEAST 60.0f /* px of face: in smaller ones the eyes are a few pixels, and look hazy without haze */
#define DEPTH_SHOWN 1.8f  /* of the eyes' dark: a pupil or a nostril is darker still */

/* How much each vertex says about the light: bare skin, seen face-on, inside the picture, not darker than light explains. */
static void weigh(float *weight, const float (*colour)[3], const float (*points)[3], const mdm_pose *pose,
                  const mdm_image *image, const mdm_canonical *canonical)
{
    float bright[MDM_MESH_VERTICES];
    int n = 0;
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        const float *p = points[i], *q = canonical->normal[i];
        double towards =
            -(pose->rotation[6] * (double)q[0] + pose->rotation[7] * (double)q[1] + pose->rotation[8] * (double)q[2]);
        int inside = p[0] > 1 && p[1] > 1 && p[0] < (float)image->width - 2 && p[1] < (float)image->height - 2;
        weight[i] = inside ? canonical->skin[i] * mdm_clampf((float)((towards - 0.15) / 0.3), 0, 1) : 0;
        if (inside && canonical->skin[i] > 0)
            bright[n++] = (colour[i][0] + colour[i][1] + colour[i][2]) / 3;
    }
    if (n == 0)
        return;
    mdm_sort(bright, (size_t)n);
    float usual = bright[n / 2];
    for (int i = 0; i < MDM_MESH_VERTICES; i++) /* fringe and beard are darker than light makes skin */
        weight[i] *= mdm_clampf(1 - (usual - 0.55f - (colour[i][0] + colour[i][1] + colour[i][2]) / 3) / 0.3f, 0, 1);
}

static const uint8_t *pixel(const mdm_image *image, float x, float y)
{
    int u = (int)mdm_clampf(roundf(x), 0, (float)image->width - 1),
        v = (int)mdm_clampf(roundf(y), 0, (float)image->height - 1);
    return image->data + (size_t)v * image->stride + 3 * (size_t)u;
}

/* Share of the mouth's opening, from above, that is tooth: bright against skin and not red. < 0 when it is closed. */
static float teeth_share(const mdm_image *image, const float (*p)[3])
{
    enum { ROWS = 12, COLUMNS = 9 };
    float gap = hypotf(p[13][0] - p[14][0], p[13][1] - p[14][1]),
          width = hypotf(p[78][0] - p[308][0], p[78][1] - p[308][1]);
    static const int cheeks[4] = {205, 425, 50, 280};
    float skin[3] = {0};
    int rows = 0;
    if (gap < 0.06f * width || gap < 2)
        return -1;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 3; k++)
            skin[k] += (float)pixel(image, p[cheeks[i]][0], p[cheeks[i]][1])[k] / 4;
    float along[2] = {(p[308][0] - p[78][0]) / width, (p[308][1] - p[78][1]) / width};
    for (int r = 0; r < ROWS; r++) {
        int teeth = 0;
        float v = 0.05f + 0.9f * (float)r / (ROWS - 1);
        for (int c = 0; c < COLUMNS; c++) {
            float u = (-0.2f + 0.4f * (float)c / (COLUMNS - 1)) * width;
            const uint8_t *q = pixel(image, p[13][0] + v * (p[14][0] - p[13][0]) + u * along[0],
                                     p[13][1] + v * (p[14][1] - p[13][1]) + u * along[1]);
            float green = (float)q[1] / ((float)q[0] + 1), skin_green = skin[1] / (skin[0] + 1);
            teeth += green > 1.06f * skin_green && (float)(q[0] + q[1] + q[2]) > 0.5f * (skin[0] + skin[1] + skin[2]);
        }
        rows += (float)teeth / COLUMNS > 0.4f;
    }
    return (float)rows / ROWS;
}

/* How far the dark of the eyes lies under the skin, log: the darkest eighth of the pixels between the corners of an eye, of the
 * eye that shows more of it. Haze leaves little. */
static float darkest(const mdm_image *image, const float (*p)[3], const float (*colour)[3])
{
    enum { ROWS = 7, COLUMNS = 17, PIXELS = ROWS * COLUMNS };
    float bright[MDM_MESH_VERTICES], eye[PIXELS], depth = 0;
    for (int i = 0; i < MDM_MESH_VERTICES; i++)
        bright[i] = (colour[i][0] + colour[i][1] + colour[i][2]) / 3;
    mdm_sort(bright, MDM_MESH_VERTICES);
    for (int e = 0; e < 2; e++) {
        const float *a = p[mdm_eyes[e].outer], *b = p[mdm_eyes[e].inner];
        for (int i = 0; i < PIXELS; i++) {
            float u = ((float)(i % COLUMNS) + 0.5f) / COLUMNS, v = 0.3f * ((float)(i / COLUMNS) / (ROWS - 1) - 0.5f);
            const uint8_t *q = pixel(image, a[0] + u * (b[0] - a[0]) - v * (b[1] - a[1]),
                                     a[1] + u * (b[1] - a[1]) + v * (b[0] - a[0]));
            eye[i] = (logf((float)q[0] + MDM_LOG_FLOOR) + logf((float)q[1] + MDM_LOG_FLOOR) +
                      logf((float)q[2] + MDM_LOG_FLOOR)) /
                     3;
        }
        mdm_sort(eye, PIXELS);
        depth = fmaxf(depth, bright[MDM_MESH_VERTICES / 2] - eye[PIXELS / 8]);
    }
    return depth;
}

/* Median of the values that were read, which are not negative; < 0: there is none. Scrambles them. */
static float median_read(float *values, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (values[i] >= 0)
            values[n++] = values[i];
    mdm_sort(values, (size_t)n);
    return n ? values[n / 2] : -1;
}

mdm_status mdm_scene_light_read(mdm_scene_light *state, mdm_motion *m, int index, const mdm_image *image,
                                const mdm_standin *standin, const mdm_canonical *canonical)
{
    float points[MDM_MESH_VERTICES][3], colour[MDM_MESH_VERTICES][3], weight[MDM_MESH_VERTICES],
        own[MDM_LIGHT_TERMS][3];
    if (!state->known) {
        MDM_TRY(mdm_alloc(&state->known, (size_t)m->count, 1, "light"));
        MDM_TRY(mdm_alloc(&state->spread, (size_t)m->count, sizeof *state->spread, "light"));
        MDM_TRY(mdm_alloc(&state->depth, (size_t)m->count, sizeof *state->depth, "light"));
        for (int i = 0; i < m->count; i++)
            state->spread[i] = state->depth[i] = m->teeth[i] = -1;
    }
    mdm_motion_image(points, m, index);
    float width = (float)m->pose[index].scale * 15;
    mdm_vertex_colour(colour, image, (const float(*)[3])points, MDM_MESH_VERTICES, fmaxf(0.8f, 0.03f * width));
    weigh(weight, (const float(*)[3])colour, (const float(*)[3])points, &m->pose[index], image, canonical);
    if (width >= DEPTH_LEAST)
        state->depth[index] = darkest(image, (const float(*)[3])points, (const float(*)[3])colour);
    if (mdm_light_fit(own, (const float(*)[3])colour, weight, canonical)) {
        float rest[MDM_MESH_VERTICES];
        int n = 0;
        for (int i = 0; i < MDM_MESH_VERTICES; i++) {
            float fit[3];
            if (weight[i] <= 0.3f)
                continue;
            mdm_light_at(fit, (const float(*)[3])own, canonical->light[i]);
            rest[n++] = (colour[i][0] + colour[i][1] + colour[i][2] - fit[0] - fit[1] - fit[2]) / 3;
        }
        if (n > 30)
            state->spread[index] = mdm_robust_spread(rest, n);
        for (int i = 0; i < MDM_MESH_VERTICES; i++)
            for (int k = 0; k < 3; k++)
                colour[i][k] -= standin->colour[i][k];
        for (int i = 0; i < MDM_MESH_VERTICES; i++)
            weight[i] *= standin->bare[i];
        state->known[index] = mdm_light_fit(m->light[index], (const float(*)[3])colour, weight, canonical);
    }
    m->teeth[index] = teeth_share(image, (const float(*)[3])points);
    return MDM_OK;
}

/* Straight lines through frames without a value (known 0). */
static void bridge(float *rows, int width, const unsigned char *known, int count)
{
    int before = -1;
    for (int i = 0; i <= count; i++) {
        if (i < count && !known[i])
            continue;
        for (int k = before + 1; k < i; k++) {
            int a = before >= 0 ? before : i, b = i < count ? i : before;
            float t = b > a ? (float)(k - a) / (float)(b - a) : 0;
            for (int c = 0; a >= 0 && a < count && b >= 0 && c < width; c++)
                rows[k * width + c] = rows[a * width + c] + t * (rows[b * width + c] - rows[a * width + c]);
        }
        before = i;
    }
}

static mdm_status smooth_floats(float *rows, int count, int width, int window)
{
    double *copy = NULL;
    size_t n = (size_t)count * (size_t)width;
    MDM_TRY(mdm_alloc(&copy, n, sizeof *copy, "light"));
    for (size_t i = 0; i < n; i++)
        copy[i] = (double)rows[i];
    mdm_status status = mdm_savgol(copy, count, width, window, 1);
    for (size_t i = 0; i < n && !status; i++)
        rows[i] = (float)copy[i];
    mdm_free(&copy);
    return status;
}

mdm_status mdm_scene_light_finish(mdm_scene_light *state, mdm_motion *m, const mdm_standin *standin)
{
    int fitted = 0;
    if (!state->known)
        return mdm_fail(MDM_ERR_INTERNAL, "track %d: no frame was read for its light", m->track);
    for (int i = 0; i < m->count; i++)
        fitted += state->known[i];
    if (fitted)
        bridge(&m->light[0][0][0], MDM_LIGHT_TERMS * 3, state->known, m->count);
    MDM_TRY(smooth_floats(&m->light[0][0][0], m->count, MDM_LIGHT_TERMS * 3, 11));
    fitted = 0;
    for (int i = 0; i < m->count; i++)
        fitted += state->known[i] = m->teeth[i] >= 0;
    if (fitted)
        bridge(m->teeth, 1, state->known, m->count);
    for (int i = 0; i < m->count; i++)
        m->teeth[i] = fitted ? m->teeth[i] : 0.4f;
    MDM_TRY(smooth_floats(m->teeth, m->count, 1, 7));
    for (int i = 0; i < m->count; i++)
        m->teeth[i] = mdm_clampf(m->teeth[i], 0, 1);
    const float spread = median_read(state->spread, m->count), depth = median_read(state->depth, m->count);
    if (depth >= 0)
        m->look.depth = mdm_clampf(DEPTH_SHOWN * depth, 0.3f, MDM_USUAL_DEPTH);
    if (spread >= 0) /* what the recording's noise adds to its spread hides how much haze takes from all detail alike */
        m->look.contrast = mdm_clampf(powf(spread / fmaxf(standin->detail, 1e-4f), 0.7f), 0.55f, 1) *
                           sqrtf(m->look.depth / MDM_USUAL_DEPTH);
    mdm_log(MDM_LOG_DEBUG, "track %d: contrast %.2f, depth %.2f", m->track, (double)m->look.contrast, (double)depth);
    return MDM_OK;
}

void mdm_scene_light_free(mdm_scene_light *state)
{
    mdm_free(&state->depth);
    mdm_free(&state->spread);
    mdm_free(&state->known);
}
