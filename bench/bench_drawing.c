/* How long a text-to-picture model takes, part by part, and the memory it needs: JSON to stdout. bench/drawing_gpu.py lays it beside
 * diffusers, drawing_cpu.py beside stable-diffusion.cpp.
 *   bench_drawing MODEL SIDE STEPS GUIDANCE DEVICE PRECISION REPEATS [THREADS]
 * MODEL is a folder as diffusers writes it. The first drawing, which builds the networks, is not counted, unless REPEATS is 0: then it is the
 * only one. Seconds by the clock and ("_cpu") of all cores together; "used" is the card's memory, "peak" this process's. */
#define _XOPEN_SOURCE 700 /* clock_gettime, getrusage */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/memory.h"
#include "base/order.h"
#include "models/text_to_image.h"
#include "nn/gpu.h"

#define MOST_STEPS 1000

/* By the clock, and of all cores. */
typedef struct moment {
    double clock, cores;
} moment;

static moment now(void)
{
    struct timespec t, c;
    clock_gettime(CLOCK_MONOTONIC, &t);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c);
    return (moment){(double)t.tv_sec + (double)t.tv_nsec * 1e-9, (double)c.tv_sec + (double)c.tv_nsec * 1e-9};
}

static void print(const char *name, moment from, moment to)
{
    printf("\"%s\": %.5f, \"%s_cpu\": %.5f, ", name, to.clock - from.clock, name, to.cores - from.cores);
}

typedef struct steps {
    moment at[MOST_STEPS];
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
static moment step_time(const steps *s)
{
    float clock[MOST_STEPS], cores[MOST_STEPS];
    for (int i = 1; i < s->count; i++) {
        clock[i - 1] = (float)(s->at[i].clock - s->at[i - 1].clock);
        cores[i - 1] = (float)(s->at[i].cores - s->at[i - 1].cores);
    }
    return (moment){(double)mdm_median(clock, (size_t)(s->count - 1)), (double)mdm_median(cores, (size_t)(s->count - 1))};
}

static size_t peak_memory(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (size_t)used.ru_maxrss * 1024;
}

static mdm_status draw(mdm_text_to_image *model, mdm_drawing *drawing, float *latent, bool counted)
{
    steps s = {.count = 0};
    const mdm_progress progress = {after_step, &s};
    mdm_image picture = {0};
    const moment start = now();
    MDM_TRY(mdm_text_to_image_ask(model, "a headshot of a person", NULL, NULL));
    const moment asked = now();
    drawing->progress = &progress;
    MDM_TRY(mdm_text_to_image_draw(model, latent, drawing));
    const moment drawn = now();
    MDM_TRY(mdm_text_to_image_decode(model, &picture, latent, drawing->width, drawing->height, NULL));
    const moment decoded = now();
    mdm_image_free(&picture);
    if (!counted)
        return MDM_OK;
    printf("{");
    print("text", start, asked);
    print("step", (moment){0}, step_time(&s));
    print("steps", asked, drawn);
    print("decode", drawn, decoded);
    print("whole", start, decoded);
    printf("\"used\": %zu, \"peak\": %zu}\n", mdm_gpu_memory(), peak_memory());
    fflush(stdout);
    return MDM_OK;
}

static mdm_status run(char *const *word, int threads, mdm_text_to_image **model, float **latent)
{
    int shape[3];
    mdm_store store;
    MDM_TRY(mdm_store_named(&store, word[6]));
    MDM_TRY(mdm_gpu_use(word[5]));
    MDM_TRY(mdm_text_to_image_open(
        model, &(mdm_text_to_image_options){.base = word[1], .store = store, .threads = threads}));
    mdm_drawing drawing = {.width = atoi(word[2]),
                           .height = atoi(word[2]),
                           .steps = atoi(word[3]),
                           .guidance = strtof(word[4], NULL),
                           .sampler = MDM_SAMPLER_EULER,
                           .seed = 1};
    MDM_TRY(mdm_text_to_image_shape(shape, *model, drawing.width, drawing.height));
    MDM_TRY(mdm_alloc(latent, (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2], sizeof(float), "latent"));
    const int repeats = atoi(word[7]);
    for (int i = 0; i <= repeats; i++)
        MDM_TRY(draw(*model, &drawing, *latent, i > 0 || repeats == 0));
    return MDM_OK;
}

int main(int argc, char **argv)
{
    mdm_text_to_image *model = NULL;
    float *latent = NULL;
    if (argc < 8 || argc > 9 || atoi(argv[3]) < 2) {
        fprintf(stderr, "usage: bench_drawing MODEL SIDE STEPS GUIDANCE DEVICE PRECISION REPEATS [THREADS]\n");
        return 2;
    }
    mdm_status status = run(argv, argc > 8 ? atoi(argv[8]) : 4, &model, &latent);
    if (status)
        fprintf(stderr, "bench_drawing: %s\n", mdm_error_message());
    mdm_free(&latent);
    mdm_text_to_image_free(&model);
    return status ? 70 : 0;
}
