/* Measures of the portrait gate that come from the mesh's geometry and from the light, and the limits. */
#include "face/portrait_gate.h"

#include <math.h>
#include <stddef.h>

#include "base/memory.h"

#define VERTICES 468
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))
#define DEGREES  57.29577951308232
#define AROUND   0.4f  /* of the face's width: the strip over glasses reaches .2 past it, the wider blur .16 */
#define SMILE    0.08f /* of corner_lift, what a whole smile may have more */

static const short eye_outline[2][4] = {{33, 133, 159, 145}, {263, 362, 386, 374}};
static const struct {
    short outer, inner, upper[3], lower[3];
} eyes[2] = {
    {33, 133, {160, 159, 158}, {144, 145, 153}},
    {263, 362, {387, 386, 385}, {373, 374, 380}},
};
static const short lip_upper[] = {81, 82, 13, 312, 311}, lip_lower[] = {178, 87, 14, 317, 402};
/* brows, eyes and lips: what is near them is not plain skin */
static const short features[] = {
    70,  63,  105, 66,  107, 55,  65,  52,  53,  46,  300, 293, 334, 296, 336, 285, 295, 282, 283, 276, 78,  191,
    80,  81,  82,  13,  312, 311, 310, 415, 308, 95,  88,  178, 87,  14,  317, 402, 318, 324, 61,  185, 40,  39,
    37,  0,   267, 269, 270, 409, 291, 375, 321, 405, 314, 17,  84,  181, 91,  146, 246, 161, 160, 159, 158, 157,
    173, 7,   163, 144, 145, 153, 154, 155, 247, 30,  29,  27,  28,  56,  190, 33,  133, 466, 388, 387, 386, 385,
    384, 398, 249, 390, 373, 374, 380, 381, 382, 467, 260, 259, 257, 258, 286, 414, 263, 362,
};

static const struct {
    size_t offset;
    float low, high;
    const char *complaint;
} limits[] = {
    {offsetof(mdm_portrait_measures, yaw), -8, 8, "not frontal"},
    {offsetof(mdm_portrait_measures, pitch), -9, 9, "not frontal"},
    {offsetof(mdm_portrait_measures, roll), -8, 8, "tilted"},
    /* the generator draws faces of 88 +- 4 px on 128: less is a face that does not fill its frame */
    {offsetof(mdm_portrait_measures, face_width), 76, 1e9f, "face too small"},
    {offsetof(mdm_portrait_measures, lip_gap), -1, 0.035f, "mouth open"},
    {offsetof(mdm_portrait_measures, corner_lift), -0.10f, 1e9f, "smiling"},
    {offsetof(mdm_portrait_measures, eye_open), 0.2f, 1e9f, "eyes narrow or shut"},
    {offsetof(mdm_portrait_measures, light), -1, 0.22f, "lit from one side"},
    {offsetof(mdm_portrait_measures, fringe), -1, 0.10f, "fringe"},
};

const char *mdm_portrait_complaint(const mdm_portrait_measures *measures, bool glasses, float smile)
{
    mdm_portrait_measures unasked = *measures, *m = &unasked;
    m->corner_lift += SMILE * smile;
    for (int i = 0; i < COUNT(limits); i++) {
        float value = *(const float *)((const char *)m + limits[i].offset);
        if (!(value >= limits[i].low && value <= limits[i].high)) /* NaN is refused too */
            return limits[i].complaint;
    }
    if (!glasses)
        return m->glasses < MDM_PORTRAIT_NO_GLASSES ? NULL : "glasses";
    return !(m->glasses > 0.5f) ? "no glasses" : !(m->shade > -0.35f) ? "sunglasses" : NULL;
}

static float distance(const float *a, const float *b, int axes)
{
    float sum = 0;
    for (int i = 0; i < axes; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrtf(sum);
}

/* Geometry in `q`, the points turned upright. */
static void measure_shape(mdm_portrait_measures *m, const float (*q)[3])
{
    /* Straight lines fitted on 1,400 AI-made faces against the canonical mesh: r = 0.996 and 0.97. */
    m->yaw = 1.058f * (float)(atan2((double)(q[263][2] - q[33][2]), (double)(q[263][0] - q[33][0])) * DEGREES);
    m->pitch =
        0.832f * (float)(atan2((double)(q[152][2] - q[10][2]), (double)(q[152][1] - q[10][1])) * DEGREES) - 1.32f;
    m->face_width = distance(q[234], q[454], 2);
    float gap = 0;
    for (int i = 0; i < COUNT(lip_upper); i++)
        gap += distance(q[lip_upper[i]], q[lip_lower[i]], 3) / COUNT(lip_upper);
    m->lip_gap = gap / distance(q[78], q[308], 3);
    m->eye_open = 1e9f;
    for (int e = 0; e < 2; e++) {
        float height = 0;
        for (int i = 0; i < 3; i++)
            height += distance(q[eyes[e].upper[i]], q[eyes[e].lower[i]], 2) / 3;
        m->eye_open = fminf(m->eye_open, height / distance(q[eyes[e].outer], q[eyes[e].inner], 2));
    }
    m->corner_lift = ((q[61][1] + q[291][1]) / 2 - q[13][1]) / distance(q[61], q[291], 3);
}

/* The part of the picture that the measures look at, with what the blurs bring in from around it; `local`: the points in it. */
static mdm_image around_face(float (*local)[3], const mdm_image *image, const float (*points)[3], float face_width)
{
    const int limit[2] = {image->width, image->height};
    int from[2], to[2];
    for (int axis = 0; axis < 2; axis++) {
        float low = INFINITY, high = -INFINITY;
        for (int v = 0; v < VERTICES; v++)
            low = fminf(low, points[v][axis]), high = fmaxf(high, points[v][axis]);
        from[axis] = (int)fmaxf(0, fminf(low - AROUND * face_width - 2, (float)limit[axis] - 2));
        to[axis] = (int)fminf((float)limit[axis], fmaxf(high + AROUND * face_width + 3, (float)from[axis] + 2));
    }
    for (int v = 0; v < VERTICES; v++) {
        local[v][0] = points[v][0] - (float)from[0];
        local[v][1] = points[v][1] - (float)from[1];
        local[v][2] = points[v][2];
    }
    return (mdm_image){to[0] - from[0], to[1] - from[1], 3, image->stride,
                       image->data + (size_t)from[1] * image->stride + 3 * (size_t)from[0]};
}

/* The picture blurred, as ln(value + 8). */
static mdm_status log_picture(float *log, const mdm_image *image, float sigma)
{
    const size_t row = 3 * (size_t)image->width;
    for (int y = 0; y < image->height; y++)
        for (size_t i = 0; i < row; i++)
            log[(size_t)y * row + i] = image->data[(size_t)y * image->stride + i];
    MDM_TRY(mdm_blur_float(log, image->width, image->height, 3, sigma));
    for (size_t i = 0; i < row * (size_t)image->height; i++)
        log[i] = logf(log[i] + 8);
    return MDM_OK;
}

static float light_difference(const float *log, const mdm_image *image, const float (*points)[3], const float (*q)[3],
                              float face_width)
{
    float light[VERTICES];
    for (int v = 0; v < VERTICES; v++) {
        int x = (int)lrintf(fminf(fmaxf(points[v][0], 0), (float)(image->width - 1)));
        int y = (int)lrintf(fminf(fmaxf(points[v][1], 0), (float)(image->height - 1)));
        const float *p = log + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
        light[v] = (p[0] + p[1] + p[2]) / 3;
    }
    double sum = 0;
    int count = 0;
    for (int v = 0; v < VERTICES; v++) {
        float nearest = 1e30f, mirrored[2] = {2 * q[168][0] - q[v][0], q[v][1]}; /* about the bridge of the nose */
        int other = v;
        for (int i = 0; i < COUNT(features); i++)
            nearest = fminf(nearest, distance(q[v], q[features[i]], 3));
        if (nearest <= 0.05f * face_width)
            continue;
        float best = 1e30f;
        for (int w = 0; w < VERTICES; w++) {
            float d = distance(q[w], mirrored, 2);
            if (d < best) {
                best = d;
                other = w;
            }
        }
        sum += (double)(light[v] - light[other]) * (double)(light[v] - light[other]);
        count++;
    }
    return count ? (float)sqrt(sum / count) : 1e9f;
}

mdm_status mdm_portrait_measure(mdm_portrait_measures *out, const mdm_image *image, const float (*points)[3])
{
    if (image->channels != 3)
        return mdm_fail(MDM_ERR_INTERNAL, "portrait gate: a picture of %d channels, expected 3", image->channels);
    float q[VERTICES][3], eye[2][2] = {{0}};
    for (int e = 0; e < 2; e++)
        for (int i = 0; i < 4; i++)
            for (int axis = 0; axis < 2; axis++)
                eye[e][axis] += points[eye_outline[e][i]][axis] / 4;
    double roll = atan2((double)(eye[1][1] - eye[0][1]), (double)(eye[1][0] - eye[0][0]));
    float c = (float)cos(roll), s = (float)sin(roll);
    for (int v = 0; v < VERTICES; v++) {
        q[v][0] = c * points[v][0] + s * points[v][1];
        q[v][1] = -s * points[v][0] + c * points[v][1];
        q[v][2] = points[v][2];
    }
    *out = (mdm_portrait_measures){.roll = (float)(roll * DEGREES)};
    measure_shape(out, (const float(*)[3])q);
    float *log = NULL, local[VERTICES][3];
    const mdm_image face = around_face(local, image, points, out->face_width);
    MDM_TRY(mdm_alloc(&log, 3 * (size_t)face.width * (size_t)face.height, sizeof *log, "portrait"));
    mdm_status status = log_picture(log, &face, out->face_width * 0.04f);
    if (!status) {
        out->light = light_difference(log, &face, (const float(*)[3])local, (const float(*)[3])q, out->face_width);
        status = log_picture(log, &face, fmaxf(0.6f, out->face_width * 0.008f));
    }
    if (!status) {
        out->fringe = mdm_portrait_fringe(log, face.width, face.height, (const float(*)[3])local);
        out->knit = mdm_portrait_knit(log, face.width, face.height, (const float(*)[3])local);
        mdm_portrait_glasses(&out->glasses, &out->shade, log, face.width, face.height, (const float(*)[3])local);
    }
    mdm_free(&log);
    return status;
}
