/* How long a text-to-picture model takes, part by part, and the memory it needs on the card: JSON to stdout. bench/drawing_gpu.py
 * lays it beside diffusers.
 *   bench_drawing MODEL SIDE STEPS GUIDANCE DEVICE PRECISION REPEATS
 * MODEL is a folder as diffusers writes it. The first drawing, which builds the networks, is not counted. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/order.h"
#include "models/text_to_image.h"
#include "nn/gpu.h"

#define MOST_STEPS 1000

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct steps {
    double at[MOST_STEPS];
    int count;
} steps;

static bool after_step(void *user, double done, double total)
{
    steps *s = user;
    (void)done;
    (void)total;
    if (s->count < MOST_STEPS)
        s->at[s->count++] = now();
    return true;
}

/* The median time from one step to the next. */
static double step_time(const steps *s)
{
    float gaps[MOST_STEPS];
    for (int i = 1; i < s->count; i++)
        gaps[i - 1] = (float)(s->at[i] - s->at[i - 1]);
    return (double)mdm_median(gaps, (size_t)(s->count - 1));
}

static mdm_status draw(mdm_text_to_image *model, mdm_drawing *drawing, float *latent, bool counted)
{
    steps s = {.count = 0};
    const mdm_progress progress = {after_step, &s};
    mdm_image picture = {0};
    const double start = now();
    MDM_TRY(mdm_text_to_image_ask(model, "a headshot of a person", NULL, NULL));
    const double asked = now();
    drawing->progress = &progress;
    MDM_TRY(mdm_text_to_image_draw(model, latent, drawing));
    const double drawn = now();
    MDM_TRY(mdm_text_to_image_decode(model, &picture, latent, drawing->width, drawing->height, NULL));
    const double decoded = now();
    mdm_image_free(&picture);
    if (counted)
        printf("{\"text\": %.4f, \"step\": %.5f, \"steps\": %.4f, \"decode\": %.4f, \"used\": %zu}\n", asked - start,
               step_time(&s), drawn - asked, decoded - drawn, mdm_gpu_memory());
    fflush(stdout);
    return MDM_OK;
}

static mdm_status run(char *const *word, mdm_text_to_image **model, float **latent)
{
    int shape[3];
    mdm_store store;
    MDM_TRY(mdm_store_named(&store, word[6]));
    MDM_TRY(mdm_gpu_use(word[5]));
    MDM_TRY(mdm_text_to_image_open(
        model, &(mdm_text_to_image_options){.base = word[1], .store = store, .threads = 4}));
    mdm_drawing drawing = {.width = atoi(word[2]),
                           .height = atoi(word[2]),
                           .steps = atoi(word[3]),
                           .guidance = strtof(word[4], NULL),
                           .sampler = MDM_SAMPLER_EULER,
                           .seed = 1};
    MDM_TRY(mdm_text_to_image_shape(shape, *model, drawing.width, drawing.height));
    MDM_TRY(mdm_alloc(latent, (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2], sizeof(float), "latent"));
    for (int i = 0; i <= atoi(word[7]); i++)
        MDM_TRY(draw(*model, &drawing, *latent, i > 0));
    return MDM_OK;
}

int main(int argc, char **argv)
{
    mdm_text_to_image *model = NULL;
    float *latent = NULL;
    if (argc != 8 || atoi(argv[3]) < 2) {
        fprintf(stderr, "usage: bench_drawing MODEL SIDE STEPS GUIDANCE DEVICE PRECISION REPEATS\n");
        return 2;
    }
    mdm_status status = run(argv, &model, &latent);
    if (status)
        fprintf(stderr, "bench_drawing: %s\n", mdm_error_message());
    mdm_free(&latent);
    mdm_text_to_image_free(&model);
    return status ? 70 : 0;
}
