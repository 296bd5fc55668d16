/* EchoMimic's two U-nets at the published sizes against a re-statement in torch (tools/make_echomimic_goldens.py SPEC FOLDER): errors,
 * seconds of CPU, peak memory. Usage: bench_echomimic FOLDER [f32|f16|q8_0|q4_0] [guided] */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/memory.h"
#include "models/echomimic.h"
#include "nn/tensor_file.h"

enum { TOKENS = 50, TIME = 832 };

typedef struct bench {
    const char *folder;
    mdm_store store;
    bool guided;
    mdm_tensor_file *golden;
    int side, frames;
} bench;

static double seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)use.ru_utime.tv_sec + 1e-6 * (double)use.ru_utime.tv_usec;
}

static void tell(const char *what, double since)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("%-22s %6.1f s of CPU, peak so far %.2f GB\n", what, seconds() - since, (double)use.ru_maxrss * 1024 / 1e9);
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

/* Adds |a - b|^2 and |b|^2. */
static void add(double sums[2], const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sums[0] += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        sums[1] += (double)b[i] * (double)b[i];
    }
}

static mdm_status compare(const bench *b, const char *name, const float *values)
{
    double sums[2] = {0};
    float *want = NULL;
    size_t count = 0;
    MDM_TRY(read_golden(&want, &count, b, name));
    add(sums, values, want, count);
    printf("%-22s %.2g relative\n", name, sqrt(sums[0] / sums[1]));
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

static mdm_status look(mdm_echomimic_bank *bank, const bench *b)
{
    mdm_weights *weights = NULL;
    float *portrait = NULL, *want = NULL;
    double sums[2] = {0};
    size_t count, at = 0;
    const double began = seconds();
    MDM_TRY(read_golden(&portrait, &count, b, "portrait"));
    MDM_TRY(open_weights(&weights, b, "reference_unet"));
    MDM_TRY(mdm_reference_unet_run(bank, &mdm_echomimic_published, weights, b->store, portrait, b->side, b->side, 1));
    mdm_weights_free(&weights);
    tell("reference U-net", began);
    MDM_TRY(read_golden(&want, &count, b, "bank"));
    for (int i = 0; i < MDM_ECHOMIMIC_BANK && at + bank->size[i] <= count; at += bank->size[i++])
        add(sums, bank->state[i], want + at, bank->size[i]);
    printf("%-22s %.2g relative\n", "bank", sqrt(sums[0] / sums[1]));
    mdm_free(&portrait);
    mdm_free(&want);
    return MDM_OK;
}

static mdm_status denoise(const bench *b, const mdm_echomimic_bank *bank)
{
    mdm_weights *weights = NULL, *motion = NULL;
    mdm_denoising_unet *unet = NULL;
    float *latents = NULL, *audio = NULL, *face = NULL, *with = NULL, *without = NULL;
    size_t count, unused;
    const mdm_denoising_shape shape = {b->side, b->side, b->frames, TOKENS, 1, b->guided};
    double began = seconds();
    MDM_TRY(open_weights(&weights, b, "denoising_unet"));
    MDM_TRY(open_weights(&motion, b, "motion_module"));
    MDM_TRY(mdm_denoising_unet_new(&unet, &mdm_echomimic_published, weights, motion, bank, b->store, &shape, 1));
    mdm_weights_free(&weights);
    mdm_weights_free(&motion);
    tell("reading", began);
    MDM_TRY(read_golden(&audio, &unused, b, "audio"));
    MDM_TRY(read_golden(&face, &unused, b, "face"));
    MDM_TRY(read_golden(&latents, &count, b, "latents"));
    MDM_TRY(mdm_alloc(&with, count, sizeof *with, "velocities"));
    MDM_TRY(mdm_alloc(&without, count, sizeof *without, "velocities"));
    began = seconds();
    MDM_TRY(mdm_denoising_unet_run(unet, with, b->guided ? without : NULL, latents, TIME, audio, face));
    tell("denoising U-net", began);
    MDM_TRY(compare(b, "conditional", with));
    return b->guided ? compare(b, "unconditional", without) : MDM_OK; /* the process ends: nothing is freed */
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
    MDM_TRY(look(&bank, b));
    return denoise(b, &bank);
}

int main(int argc, char **argv)
{
    bench b = {.folder = argc > 1 ? argv[1] : ".", .guided = argc > 3 && !strcmp(argv[3], "guided")};
    mdm_status status = mdm_store_named(&b.store, argc > 2 ? argv[2] : "f32");
    if (!status)
        status = run(&b);
    if (status)
        fprintf(stderr, "%s\n", mdm_error_message());
    return mdm_exit_code(status);
}
