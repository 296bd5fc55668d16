/* From motion to the stand-in's landmarks. */
#include "face/standin_landmarks.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "face/pose.h"
#include "face/transfer.h"

#define SMOOTH 12 /* frames each way that the window's place is averaged over: half a second */

enum { IRIS = MDM_MESH_VERTICES, IRIS_POINTS = (MDM_LANDMARK_POINTS - MDM_MESH_VERTICES) / 2 };

mdm_status mdm_talking_windows(mdm_talking_window *windows, const mdm_motion *motion, const mdm_pose *portrait)
{
    const int count = motion->count;
    double(*sum)[3] = NULL; /* of log scale and place of the head, over the frames before */
    MDM_TRY(mdm_alloc(&sum, (size_t)count + 1, sizeof *sum, "windows"));
    for (int i = 0; i < count; i++) {
        const mdm_pose *p = &motion->pose[i];
        const double now[3] = {log(p->scale), p->shift[0], p->shift[1]};
        for (int k = 0; k < 3; k++)
            sum[i + 1][k] = sum[i][k] + now[k];
    }
    for (int i = 0; i < count; i++) {
        const int reach = i < count - 1 - i ? i : count - 1 - i, way = reach < SMOOTH ? reach : SMOOTH;
        double mean[3];
        for (int k = 0; k < 3; k++) /* as far before as after, or the window would lag at the ends */
            mean[k] = (sum[i + way + 1][k] - sum[i - way][k]) / (2 * way + 1);
        windows[i].scale = portrait->scale / exp(mean[0]);
        for (int k = 0; k < 2; k++)
            windows[i].shift[k] = portrait->shift[k] - windows[i].scale * mean[1 + k];
    }
    mdm_free(&sum);
    return MDM_OK;
}

void mdm_motion_without_loop(mdm_motion *motion)
{
    mdm_motion_correction *c = &motion->correction;
    c->eye_gain = c->lip_gain = 1;
    for (int i = 0; i < MDM_REST_MOVES; i++)
        c->gain[i] = 1;
    memset(c->view, 0, sizeof c->view);
}

/* The middle of an iris, as paint_eyes.c has it. image: the mesh, IMAGE px. */
static void iris_of(float out[2], const float (*image)[3], const mdm_motion *m, int index, int e)
{
    const mdm_eye_index *eye = &mdm_eyes[e];
    const float *a = image[eye->outer], *b = image[eye->inner], along[2] = {b[0] - a[0], b[1] - a[1]};
    const mdm_view_correction c = mdm_motion_correct(m, index);
    float down[2] = {-along[1], along[0]};
    if (down[1] < 0)
        down[0] = -down[0], down[1] = -down[1];
    for (int k = 0; k < 2; k++)
        out[k] = (a[k] + b[k]) / 2 + (m->gaze[index][e][0] + c.gaze[e][0]) * along[k] +
                 (m->gaze[index][e][1] + c.gaze[e][1]) * down[k];
}

void mdm_standin_landmarks(float (*points)[2], const mdm_motion *motion, int index, const float (*standin)[3],
                           const mdm_canonical *canonical, const mdm_talking_window *window)
{
    float shape[MDM_RENDER_VERTICES][3], image[MDM_LANDMARK_POINTS][3];
    mdm_transfer(shape, motion, index, standin, canonical);
    mdm_to_image(image, (const float(*)[3])shape, MDM_MESH_VERTICES, &motion->pose[index]);
    for (int e = 0; e < 2; e++)
        for (int i = 0; i < IRIS_POINTS; i++)
            iris_of(image[IRIS + e * IRIS_POINTS + i], (const float(*)[3])image, motion, index, e);
    for (int i = 0; i < MDM_LANDMARK_POINTS; i++)
        for (int k = 0; k < 2; k++)
            points[i][k] = (float)(window->scale * (double)image[i][k] + window->shift[k]);
}

mdm_status mdm_motion_landmarks(float (**out)[MDM_LANDMARK_POINTS][2], const mdm_motion *motion,
                                const mdm_pose *portrait, const float (*standin)[3], const mdm_canonical *canonical)
{
    const size_t count = (size_t)motion->count;
    mdm_talking_window *windows = NULL;
    MDM_TRY(mdm_alloc(out, count, sizeof **out, "landmarks"));
    MDM_TRY(mdm_alloc(&windows, count, sizeof *windows, "windows"));
    mdm_status status = mdm_talking_windows(windows, motion, portrait);
    for (int i = 0; i < motion->count && !status; i++)
        mdm_standin_landmarks((*out)[i], motion, i, standin, canonical, &windows[i]);
    mdm_free(&windows);
    return status;
}
