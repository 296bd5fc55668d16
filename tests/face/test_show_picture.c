/* A picture in the stand-in's place: it lies where its window says, in the scene's light, and what is beside the face stays. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fetched.h"
#include "common/ok.h"
#include "face/pose.h"
#include "face/standin_render.h"

enum { WIDTH = 640, HEIGHT = 480, SIDE = 220 };

static mdm_canonical canonical;
static mdm_standin standin;
static mdm_motion motion;

/* A grey portrait, the canonical face in it, and the same face looking ahead in one frame of a recording. */
static void set_stage(void)
{
    mdm_image portrait = {0};
    mdm_mesh mesh = {.presence = 1};
    const mdm_pose in_portrait = {.scale = 12, .rotation = {1, 0, 0, 0, 1, 0, 0, 0, 1}, .shift = {128, 128, 0}},
                   in_scene = {.scale = 16, .rotation = {1, 0, 0, 0, 1, 0, 0, 0, 1}, .shift = {300, 240, 0}};
    need_file(models(), "canonical-face-model.obj");
    ok(mdm_canonical_load(&canonical, models()));
    ok(mdm_image_new(&portrait, 256, 256, 3));
    memset(portrait.data, 128, portrait.stride * 256);
    mdm_to_image(mesh.point, (const float(*)[3])canonical.vertex, MDM_MESH_VERTICES, &in_portrait);
    for (int i = MDM_MESH_VERTICES; i < MDM_MESH_POINTS; i++) { /* irises in the middle of the eyes */
        const mdm_eye_index *eye = &mdm_eyes[i >= 473];
        for (int k = 0; k < 3; k++)
            mesh.point[i][k] = (mesh.point[eye->outer][k] + mesh.point[eye->inner][k]) / 2;
        mesh.point[i][0] += i % 5 == 4 ? 3.0f : i % 5 == 1 ? -3.0f : 0.0f;
    }
    ok(mdm_standin_make(&standin, &portrait, &mesh, &canonical));
    mdm_image_free(&portrait);
    ok(mdm_motion_alloc(&motion, 1));
    motion.pose[0] = in_scene;
    memcpy(motion.neutral, canonical.vertex, sizeof motion.neutral);
    memcpy(motion.shape[0], canonical.vertex, sizeof motion.shape[0]);
    motion.eye_neutral[0] = motion.eye_neutral[1] = motion.eyes[0][0] = motion.eyes[0][1] = 0.3f;
    motion.valid[0] = 1;
    motion.look = (mdm_motion_look){.contrast = 1, .depth = MDM_USUAL_DEPTH};
}

/* Red says the column, green the row. */
static void make_picture(mdm_image *out)
{
    ok(mdm_image_new(out, SIDE, SIDE, 3));
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            uint8_t *p = out->data + (size_t)y * out->stride + 3 * (size_t)x;
            p[0] = (uint8_t)x, p[1] = (uint8_t)y, p[2] = 90;
        }
}

/* Draws, and compares what is wholly the picture's with where the window says it comes from. */
static void draw(const mdm_image *picture, const mdm_talking_window *window, float light)
{
    mdm_image scene = {0};
    mdm_renderer *renderer = NULL;
    int rect[4], inside = 0;
    double worst = 0;
    for (int k = 0; k < 3; k++)
        motion.light[0][0][k] = light;
    ok(mdm_image_new(&scene, WIDTH, HEIGHT, 3));
    memset(scene.data, 60, scene.stride * HEIGHT);
    ok(mdm_renderer_new(&renderer, &canonical, &motion, &standin));
    mdm_renderer_show(renderer, picture, window);
    ok(mdm_renderer_draw(renderer, &scene, 0));
    const float *alpha = mdm_renderer_alpha(renderer, rect);
    const double gain = exp((double)light);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const uint8_t *p = scene.data + (size_t)y * scene.stride + 3 * (size_t)x;
            const int u = x - rect[0], v = y - rect[1];
            const float a = u >= 0 && v >= 0 && u < rect[2] && v < rect[3] ? alpha[v * rect[2] + u] : 0;
            if (a == 0)
                assert_true(p[0] == 60 && p[1] == 60 && p[2] == 60);
            if (a < 1)
                continue;
            inside++;
            for (int k = 0; k < 2; k++) {
                const double want = (window->scale * (k ? y : x) + window->shift[k] + 8) * gain - 8;
                worst = fmax(worst, fabs(p[k] - fmin(fmax(want, 0), 255)));
            }
        }
    print_message("%d pixels, %.1f of 255 at most\n", inside, worst);
    assert_true(inside > 3000 && worst < 3);
    mdm_renderer_free(&renderer);
    mdm_image_free(&scene);
}

static void pictures_lie_where_their_window_says(void **state)
{
    (void)state;
    mdm_image picture = {0};
    set_stage();
    make_picture(&picture);
    draw(&picture, &(mdm_talking_window){.scale = 0.6, .shift = {-70, -34}}, 0);
    draw(&picture, &(mdm_talking_window){.scale = 0.6, .shift = {-70, -34}}, -0.4f); /* half as light */
    draw(&picture, &(mdm_talking_window){.scale = 0.8, .shift = {-130, -82}}, 0);
    mdm_image_free(&picture);
    mdm_standin_free(&standin);
    mdm_motion_free(&motion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pictures_lie_where_their_window_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
