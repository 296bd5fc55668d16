/* Host functions behind MediaPipe's custom operations (facts: their public descriptions; checked against mediapipe 0.10.14). */
#include "nn/mediapipe_ops.h"

#include <math.h>

#include "nn/flexbuffer.h"
#include "nn/nn_internal.h"

#define MAX_SUBSET 256

typedef struct matrix_call {
    int left, right, subset[MAX_SUBSET], count;
    float width, height, scale_x, scale_y, target;
} matrix_call;

static void run_matrix(float *out, const float *const *arguments, void *user)
{
    const matrix_call *c = user;
    const float *p = arguments[0];
    float turn = atan2f(p[3 * c->right + 1] - p[3 * c->left + 1], p[3 * c->right] - p[3 * c->left]) - c->target;
    float cs = cosf(turn), sn = sinf(turn);
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int i = 0; i < c->count; i++) {
        const float *q = p + 3 * c->subset[i];
        float u[2] = {cs * q[0] + sn * q[1], cs * q[1] - sn * q[0]}; /* turned back to level */
        for (int k = 0; k < 2; k++) {
            low[k] = fminf(low[k], u[k]);
            high[k] = fmaxf(high[k], u[k]);
        }
    }
    float mid[2] = {(low[0] + high[0]) / 2, (low[1] + high[1]) / 2};
    float cx = cs * mid[0] - sn * mid[1], cy = sn * mid[0] + cs * mid[1];
    float sx = c->scale_x * (high[0] - low[0]) / c->width, sy = c->scale_y * (high[1] - low[1]) / c->height;
    float m[16] = {cs * sx, -sn * sy, 0, 0, sn * sx, cs * sy, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    m[3] = cx - m[0] * c->width / 2 - m[1] * c->height / 2;
    m[7] = cy - m[4] * c->width / 2 - m[5] * c->height / 2;
    for (int i = 0; i < 16; i++)
        out[i] = m[i];
}

mdm_node *mdm_landmarks_to_matrix(mdm_nn *nn, mdm_node *landmarks, const unsigned char *options, size_t size)
{
    static const char *const keys[] = {
        "left_rotation_idx", "right_rotation_idx", "output_width", "output_height", "scale_x", "scale_y"};
    double value[6], subset[MAX_SUBSET], target = 0;
    matrix_call *c = mdm_nn_own(nn, 1, sizeof *c);
    if (!c || !landmarks)
        return NULL;
    for (int i = 0; i < 6; i++)
        if (!mdm_flex_number(&value[i], options, size, keys[i]))
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "Landmarks2TransformMatrix lacks the option \"%s\"", keys[i]);
    mdm_flex_number(&target, options, size, "target_rotation_radians");
    c->count = mdm_flex_numbers(subset, MAX_SUBSET, options, size, "subset_idxs");
    int64_t points = mdm_nn_dim(landmarks, 1);
    for (int i = 0; i < c->count; i++) {
        if (!(subset[i] >= 0 && subset[i] < (double)points))
            return mdm_nn_fail(nn, MDM_ERR_INPUT, "Landmarks2TransformMatrix: point %g of %lld", subset[i],
                               (long long)points);
        c->subset[i] = (int)subset[i];
    }
    bool fine = c->count > 0 && mdm_nn_dim(landmarks, 0) == 3;
    for (int i = 0; i < 6; i++)
        fine = fine && value[i] >= 0 && value[i] < (i < 2 ? (double)points : 4096);
    if (!fine || !(fabs(target) < 10))
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "Landmarks2TransformMatrix: options out of range");
    c->left = (int)value[0], c->right = (int)value[1];
    c->width = (float)value[2], c->height = (float)value[3], c->scale_x = (float)value[4], c->scale_y = (float)value[5];
    c->target = (float)target;
    return mdm_nn_host(nn, &(mdm_host_operation){run_matrix, c}, &landmarks, 1, 3, (int64_t[]){1, 4, 4});
}

typedef struct sample_call {
    int channels, in_height, in_width, height, width;
} sample_call;

static void run_sample(float *out, const float *const *arguments, void *user)
{
    const sample_call *c = user;
    const float *m = arguments[1];
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            /* pixel centres of the crop to pixel centres of the picture */
            float px = (float)x + 0.5f, py = (float)y + 0.5f;
            float sx = m[0] * px + m[1] * py + m[3] - 0.5f, sy = m[4] * px + m[5] * py + m[7] - 0.5f;
            float *to = out + y * c->width + x;
            if (!(sx >= 0 && sx <= (float)(c->in_width - 1) && sy >= 0 && sy <= (float)(c->in_height - 1))) {
                for (int k = 0; k < c->channels; k++)
                    to[k * c->height * c->width] = 0;
                continue;
            }
            int x0 = (int)sx, y0 = (int)sy;
            int dx = x0 + 1 < c->in_width, dy = y0 + 1 < c->in_height ? c->in_width : 0;
            float tx = sx - (float)x0, ty = sy - (float)y0;
            for (int k = 0; k < c->channels; k++) {
                const float *p = arguments[0] + (k * c->in_height + y0) * c->in_width + x0;
                to[k * c->height * c->width] =
                    (1 - ty) * ((1 - tx) * p[0] + tx * p[dx]) + ty * ((1 - tx) * p[dy] + tx * p[dy + dx]);
            }
        }
}

mdm_node *mdm_transform_bilinear(mdm_nn *nn, mdm_node *x, mdm_node *matrix, int height, int width)
{
    sample_call *c = mdm_nn_own(nn, 1, sizeof *c);
    if (!c || !x || !matrix)
        return NULL;
    if (mdm_nn_dim(matrix, 0) != 4 || mdm_nn_dim(matrix, 1) != 4 || height < 1 || width < 1 || height > 1024 ||
        width > 1024)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "TransformTensorBilinear to %d x %d", width, height);
    *c = (sample_call){(int)mdm_nn_dim(x, 2), (int)mdm_nn_dim(x, 1), (int)mdm_nn_dim(x, 0), height, width};
    mdm_node *arguments[2] = {x, matrix};
    return mdm_nn_host(nn, &(mdm_host_operation){run_sample, c}, arguments, 2, 4,
                       (int64_t[]){1, c->channels, height, width});
}

static void run_landmarks(float *out, const float *const *arguments, void *user)
{
    const int count = *(const int *)user;
    const float *p = arguments[0], *m = arguments[1];
    for (int i = 0; i < count; i++) {
        out[2 * i] = m[0] * p[2 * i] + m[1] * p[2 * i + 1] + m[3];
        out[2 * i + 1] = m[4] * p[2 * i] + m[5] * p[2 * i + 1] + m[7];
    }
}

mdm_node *mdm_transform_landmarks(mdm_nn *nn, mdm_node *landmarks, mdm_node *matrix)
{
    int *count = mdm_nn_own(nn, 1, sizeof *count);
    if (!count || !landmarks || !matrix)
        return NULL;
    if (mdm_nn_dim(landmarks, 0) != 2 || mdm_nn_dim(matrix, 0) != 4 || mdm_nn_dim(matrix, 1) != 4)
        return mdm_nn_fail(nn, MDM_ERR_INPUT, "TransformLandmarks on points of %lld numbers",
                           (long long)mdm_nn_dim(landmarks, 0));
    *count = (int)mdm_nn_dim(landmarks, 1);
    mdm_node *arguments[2] = {landmarks, matrix};
    return mdm_nn_host(nn, &(mdm_host_operation){run_landmarks, count}, arguments, 2, 3, (int64_t[]){1, *count, 2});
}
