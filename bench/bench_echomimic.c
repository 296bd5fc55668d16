/* EchoMimic's networks at the published sizes, part by part: what they answer, how long they take, the memory they need.
 *   bench_echomimic FOLDER [PRECISION [DEVICE [REPEATS [guided]]]]
 * FOLDER has reference_unet, denoising_unet and motion_module (.safetensors), the inputs in golden.safetensors (portrait, latents, audio, face), and perhaps
 * the autoencoder in vae.safetensors. tools/make_echomimic_goldens.py SPEC FOLDER makes a small one for the CPU, bench/echomimic_gpu.py a large one.
 * FOLDER/answers.safetensors gets bank, conditional, unconditional and picture; where the golden file has one of them, the relative error is told.
 * JSON to stdout: seconds by the clock, medians of REPEATS where there are any, and of the cores; memory in bytes. */
#define _XOPEN_SOURCE 700 /* clock_gettime, getrusage */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/memory.h"
#include "base/order.h"
#include "models/echomimic.h"
#include "models/vae.h"
#include "nn/gpu.h"
#include "nn/tensor_file.h"

enum { TOKENS = 50, TIME = 832, MOST_REPEATS = 100, ANSWERS = 4 };

typedef struct bench {
    const char *folder;
    mdm_store store;
    bool guided;
    int repeats;
    mdm_tensor_file *golden;
    int side, frames;
    mdm_array answer[ANSWERS]; /* data is owned */
    size_t answers;
} bench;

/* ---- telling ---- */

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct moment {
    double clock, cores;
} moment;

static moment begin(void)
{
    return (moment){now(CLOCK_MONOTONIC), now(CLOCK_PROCESS_CPUTIME_ID)};
}

static void tell(const char *what, moment since, double seconds)
{
    struct rusage use;
    const moment t = begin();
    getrusage(RUSAGE_SELF, &use);
    printf("{\"what\": \"%s\", \"seconds\": %.5f, \"cores\": %.3f, \"peak\": %zu, \"card\": %zu}\n", what,
           seconds > 0 ? seconds : t.clock - since.clock, t.cores - since.cores, (size_t)use.ru_maxrss * 1024,
           mdm_gpu_memory());
    fflush(stdout);
}

static mdm_status read_golden(float **out, size_t *count, const bench *b, const char *name)
{
    const mdm_array *array = mdm_tensor_file_find(b->golden, name);
    if (!array)
        return mdm_fail(MDM_ERR_INPUT, "%s: no \"%s\" in golden.safetensors", b->folder, name);
    *count = mdm_array_count(array);
    MDM_TRY(mdm_alloc(out, *count, sizeof **out, name));
    return mdm_array_to_f32(*out, *count, array);
}

/* Keeps `values`, which become its own, for answers.safetensors, and lays them beside the golden ones where there are any. */
static mdm_status answer(bench *b, const char *name, float *values, size_t count)
{
    double apart = 0, size = 0;
    float *want = NULL;
    size_t wanted;
    b->answer[b->answers++] = (mdm_array){
        .name = name, .rank = 1, .shape = {(int64_t)count}, .data = values, .size = count * sizeof *values};
    if (!mdm_tensor_file_find(b->golden, name))
        return MDM_OK;
    MDM_TRY(read_golden(&want, &wanted, b, name));
    if (wanted != count)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has %zu values, expected %zu", b->folder, name, wanted, count);
    for (size_t i = 0; i < count; i++) {
        apart += ((double)values[i] - (double)want[i]) * ((double)values[i] - (double)want[i]);
        size += (double)want[i] * (double)want[i];
    }
    printf("{\"what\": \"%s\", \"relative\": %.3g}\n", name, sqrt(apart / size));
    mdm_free(&want);
    return MDM_OK;
}

static mdm_status open_weights(mdm_weights **out, const bench *b, const char *name)
{
    char *path = NULL;
    MDM_TRY(mdm_format(&path, "%s/%s.safetensors", b->folder, name));
    mdm_status status = mdm_weights_open(out, path);
    mdm_free(&path);
    return status;
}

/* ---- networks ---- */

static mdm_status look(mdm_echomimic_bank *bank, bench *b)
{
    mdm_weights *weights = NULL;
    float *portrait = NULL, *all = NULL;
    size_t count, total = 0;
    MDM_TRY(read_golden(&portrait, &count, b, "portrait"));
    const moment began = begin();
    MDM_TRY(open_weights(&weights, b, "reference_unet"));
    MDM_TRY(mdm_reference_unet_run(bank, &mdm_echomimic_published, weights, b->store, portrait, b->side, b->side, 1));
    mdm_weights_free(&weights);
    tell("reference U-net, read and run", began, 0);
    for (int i = 0; i < MDM_ECHOMIMIC_BANK; i++)
        total += bank->size[i];
    MDM_TRY(mdm_alloc(&all, total, sizeof *all, "features"));
    count = 0;
    for (int i = 0; i < MDM_ECHOMIMIC_BANK; count += bank->size[i++])
        memcpy(all + count, bank->state[i], bank->size[i] * sizeof *all);
    mdm_free(&portrait);
    return answer(b, "bank", all, total);
}

/* Velocities of a window, and how long they take once the graph is warm. */
static mdm_status ask(bench *b, mdm_denoising_unet *unet)
{
    float *latents = NULL, *audio = NULL, *face = NULL, *with = NULL, *without = NULL, took[MOST_REPEATS];
    size_t count, unused;
    MDM_TRY(read_golden(&audio, &unused, b, "audio"));
    MDM_TRY(read_golden(&face, &unused, b, "face"));
    MDM_TRY(read_golden(&latents, &count, b, "latents"));
    MDM_TRY(mdm_alloc(&with, count, sizeof *with, "velocities"));
    MDM_TRY(mdm_alloc(&without, count, sizeof *without, "velocities"));
    for (int i = b->repeats ? -2 : 0; i < (b->repeats ? b->repeats : 1); i++) { /* the first two are not counted */
        const moment began = begin();
        MDM_TRY(mdm_denoising_unet_run(unet, with, b->guided ? without : NULL, latents, TIME, audio, face));
        if (i >= 0)
            took[i] = (float)(begin().clock - began.clock);
        if (i == (b->repeats ? b->repeats : 1) - 1)
            tell(b->guided ? "window, guided" : "window", began,
                 b->repeats ? (double)mdm_median(took, (size_t)b->repeats) : 0);
    }
    mdm_free(&latents);
    mdm_free(&audio);
    mdm_free(&face);
    MDM_TRY(answer(b, "conditional", with, count));
    if (b->guided)
        return answer(b, "unconditional", without, count);
    mdm_free(&without);
    return MDM_OK;
}

static mdm_status denoise(bench *b, const mdm_echomimic_bank *bank)
{
    mdm_weights *weights = NULL, *motion = NULL;
    mdm_denoising_unet *unet = NULL;
    const mdm_denoising_shape shape = {b->side, b->side, b->frames, TOKENS, 1, b->guided};
    const moment began = begin();
    mdm_status status = open_weights(&weights, b, "denoising_unet");
    if (!status)
        status = open_weights(&motion, b, "motion_module");
    if (!status)
        status = mdm_denoising_unet_new(&unet, &mdm_echomimic_published, weights, motion, bank, b->store, &shape, 1);
    mdm_weights_free(&weights);
    mdm_weights_free(&motion);
    if (!status) {
        tell("denoising U-net, read", began, 0);
        status = ask(b, unet);
    }
    mdm_denoising_unet_free(&unet);
    return status;
}

static mdm_status decode(bench *b, mdm_vae *vae)
{
    float *latent = NULL, *picture = NULL, took[MOST_REPEATS];
    size_t count;
    const size_t side = (size_t)b->side, pixels = 3 * 64 * side * side;
    MDM_TRY(read_golden(&latent, &count, b, "latents"));
    MDM_TRY(mdm_alloc(&picture, pixels, sizeof *picture, "picture"));
    const moment began = begin();
    for (int i = -2; i < b->repeats; i++) {
        const double from = now(CLOCK_MONOTONIC);
        MDM_TRY(mdm_vae_decode(vae, picture, latent, b->side, b->side, NULL));
        if (i >= 0)
            took[i] = (float)(now(CLOCK_MONOTONIC) - from);
    }
    tell("decoding", began, (double)mdm_median(took, (size_t)b->repeats));
    mdm_free(&latent);
    return answer(b, "picture", picture, pixels);
}

static mdm_status show(bench *b)
{
    mdm_weights *weights = NULL;
    mdm_vae *vae = NULL;
    const mdm_store store = mdm_gpu_used() && b->store != MDM_STORE_F32 ? MDM_STORE_F16 : MDM_STORE_F32;
    MDM_TRY(open_weights(&weights, b, "vae"));
    mdm_status status =
        mdm_vae_new(&vae, &mdm_vae_sd15, weights, MDM_VAE_DECODER, store, b->side, b->side, 1, 1);
    mdm_weights_free(&weights);
    if (!status)
        status = decode(b, vae);
    mdm_vae_free(&vae);
    return status;
}

static mdm_status run(bench *b)
{
    char *path = NULL;
    mdm_echomimic_bank bank;
    MDM_TRY(mdm_format(&path, "%s/golden.safetensors", b->folder));
    MDM_TRY(mdm_tensor_file_open(&b->golden, path));
    const mdm_array *latents = mdm_tensor_file_find(b->golden, "latents");
    if (!latents || latents->rank != 4)
        return mdm_fail(MDM_ERR_INPUT, "%s: no latents in it", path);
    b->frames = (int)latents->shape[0];
    b->side = (int)latents->shape[3];
    mdm_free(&path);
    MDM_TRY(look(&bank, b));
    mdm_status status = denoise(b, &bank);
    mdm_echomimic_bank_free(&bank);
    if (!status && b->repeats)
        status = show(b);
    if (!status)
        status = mdm_format(&path, "%s/answers.safetensors", b->folder);
    if (!status)
        status = mdm_safetensors_write(path, b->answer, b->answers, NULL);
    mdm_free(&path);
    return status;
}

int main(int argc, char **argv)
{
    bench b = {.folder = argc > 1 ? argv[1] : "."};
    b.repeats = argc > 4 ? atoi(argv[4]) : 0;
    b.repeats = b.repeats < 0 ? 0 : b.repeats > MOST_REPEATS ? MOST_REPEATS : b.repeats;
    b.guided = argc > 5 && !strcmp(argv[5], "guided");
    mdm_status status = mdm_store_named(&b.store, argc > 2 ? argv[2] : "f32");
    if (!status)
        status = mdm_gpu_use(argc > 3 ? argv[3] : "cpu");
    if (!status)
        status = run(&b);
    if (status)
        fprintf(stderr, "%s\n", mdm_error_message());
    for (size_t i = 0; i < b.answers; i++) {
        float *data = (float *)(uintptr_t)b.answer[i].data;
        mdm_free(&data);
    }
    mdm_tensor_file_free(&b.golden);
    return mdm_exit_code(status);
}
