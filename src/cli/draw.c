/* mmdm portrait --backend NAME: one picture by a text-to-picture model, from words or from a plan. Its options are of its own. */
#define _POSIX_C_SOURCE 200809L /* isatty */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

typedef enum kind { TEXT, WHOLE, REAL, SEED, NONE } kind;

typedef struct option {
    const char *name, *argument;
    kind kind;
    size_t offset; /* in mdm_drawing_options */
    const char *help;
} option;

#define AT(field) offsetof(mdm_drawing_options, field)

static const option table[] = {
    {"backend", "NAME", TEXT, AT(backend), "cosmicman-sdxl or cosmicman-sd."},
    {"describe", "TEXT", TEXT, AT(describe), "The prompt, word for word."},
    {"plan", "PLAN.json", TEXT, AT(plan), "Or a plan: the prompt is made of the stand-in's attributes."},
    {"person", "ID", TEXT, AT(person), "Whose stand-in; otherwise the first of the plan."},
    {"negative", "TEXT", TEXT, AT(negative), "What is not to be seen; the empty text unless it is given."},
    {"no-negative", NULL, NONE, AT(negative), "No negative prompt at all, which SDXL takes for zeros."},
    {"output", "PICTURE.png", TEXT, AT(output), "Also -o."},
    {"seed", "NUMBER", SEED, AT(seed), "Of the first picture that is tried; 1."},
    {"tries", "COUNT", WHOLE, AT(tries),
     "Pictures drawn until one can be used as a stand-in (8); 0 takes the first one."},
    {"model", "FOLDER", TEXT, AT(model),
     "The base model as diffusers writes it, instead of the one in the hub's cache."},
    {"unet", "PATH", TEXT, AT(unet), "A folder or file with the U-net that takes the base's place."},
    {"checkpoint", "FILE", TEXT, AT(checkpoint),
     "All weights in one file of the original naming; --model then has tokenizers."},
    {"refiner", "FOLDER", TEXT, AT(refiner), "A model for the second pass; otherwise the same one."},
    {"width", "PX", WHOLE, AT(width), "Of the picture."},
    {"height", "PX", WHOLE, AT(height), "Of the picture."},
    {"steps", "COUNT", WHOLE, AT(steps), "Of the sampler."},
    {"sampler", "NAME", TEXT, AT(sampler), "euler, euler-a, ddim or dpm++2m."},
    {"guidance", "FACTOR", REAL, AT(guidance), "How much the prompt counts; up to 1, as it is."},
    {"second-pass", "STRENGTH", REAL, AT(second_pass),
     "Changes the picture once more, 0 to 1 (0.3 is the authors'); 0: no."},
    {"second-steps", "COUNT", WHOLE, AT(second_steps), "Of which the second pass runs its share."},
    {"second-guidance", "FACTOR", REAL, AT(second_guidance), "Of the second pass."},
    {"precision", "NAME", TEXT, AT(precision), "Of the weights' matrices: f32, f16, q8_0 or q4_0."},
    {"threads", "COUNT", WHOLE, AT(threads), "0 is one a core."},
    {"device", "NAME", TEXT, AT(device), "cpu, cuda or auto (the NVIDIA card, where there is one)."},
    {"noise", "FILE", TEXT, AT(noise), "The first noise, a safetensors file of one tensor."},
    {"save-latents", "FILE", TEXT, AT(save_latents), "Writes the finished latent."},
    {"models", "FOLDER", TEXT, AT(models), "Third-party model files (for --tries)."},
    {"weights", "FOLDER", TEXT, AT(weights), "This project's own weights (for --tries)."},
};

enum { COUNT = sizeof table / sizeof *table };

void mdm_cli_draw_help(void)
{
    puts("\nWith --backend, one picture from words (other options do not count then):");
    for (int i = 0; i < COUNT; i++) {
        char left[48];
        snprintf(left, sizeof left, "--%s %s", table[i].name, table[i].argument ? table[i].argument : "");
        printf("  %-28s %s\n", left, table[i].help);
    }
}

bool mdm_cli_draws(int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--backend") || !strncmp(argv[i], "--backend=", 10))
            return true;
    return false;
}

static int wrong(const char *name, const char *value, const char *expected)
{
    fprintf(stderr, "mmdm: --%s %s: expected %s; `mmdm portrait --help` lists the options\n", name, value, expected);
    return 2;
}

/* Sets one option from its text; 0 or an exit code. */
static int set(mdm_drawing_options *options, const option *o, const char *value)
{
    char *end = NULL;
    char *field = (char *)options + o->offset;
    errno = 0;
    switch (o->kind) {
    case TEXT:
        *(const char **)field = value;
        return 0;
    case NONE:
        *(const char **)field = NULL;
        return 0;
    case WHOLE: {
        long number = strtol(value, &end, 10);
        *(int *)field = (int)number;
        return end == value || *end || errno || number < 0 || number > 100000 ? wrong(o->name, value, "a whole number")
                                                                              : 0;
    }
    case SEED:
        *(uint64_t *)field = strtoull(value, &end, 10);
        return end == value || *end || errno || *value == '-' ? wrong(o->name, value, "a whole number") : 0;
    case REAL:
        *(double *)field = strtod(value, &end);
        return end == value || *end || errno || !(*(double *)field >= 0 && *(double *)field <= 1000)
                   ? wrong(o->name, value, "a number from 0 to 1000")
                   : 0;
    }
    return 70;
}

static const option *find(const char *name, size_t length)
{
    for (int i = 0; i < COUNT; i++)
        if (strlen(table[i].name) == length && !strncmp(table[i].name, name, length))
            return &table[i];
    return NULL;
}

static int parse(mdm_drawing_options *options, int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++) {
        const char *word = !strcmp(argv[i], "-o") ? "--output" : argv[i];
        const char *equals = strchr(word, '=');
        const option *o =
            strncmp(word, "--", 2) ? NULL : find(word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2);
        if (!o) {
            fprintf(stderr,
                    "mmdm: %s: not one of the options that go with --backend; `mmdm portrait --help` lists them\n",
                    argv[i]);
            return 2;
        }
        const char *value = equals ? equals + 1 : NULL;
        if (o->kind != NONE && !value) {
            if (i + 1 == argc)
                return wrong(o->name, "", o->argument);
            value = argv[++i];
        }
        int code = set(options, o, value);
        if (code)
            return code;
    }
    return 0;
}

static void say(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "mmdm: %s\n", line);
}

static void step(void *user, double done, double total)
{
    (void)user;
    fprintf(stderr, "\r%.0f of %.0f%s", done, total, done < total ? "" : "\n");
}

int mdm_cli_draw(int argc, char *const *argv)
{
    mdm_drawing_options options;
    mdm_drawing_defaults(&options);
    int code = parse(&options, argc, argv);
    if (code)
        return code;
    mdm_catch_signals();
    mdm_status status = mdm_draw_portrait(&options, say, isatty(STDERR_FILENO) ? step : NULL, NULL);
    return status == MDM_OK ? 0 : mdm_cli_fail(status);
}
