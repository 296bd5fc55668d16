/* A portrait from words: from the options to a picture on disk. */
#include "pipeline/draw.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "media/writer.h"
#include "models/drawing_models.h"
#include "models/text_to_image.h"
#include "nn/gpu.h"
#include "nn/tensor_file.h"
#include "pipeline/job.h"
#include "pipeline/progress.h"
#include "pipeline/worker.h"
#include "stages/portrait_check.h"

/* One call of mdm_draw. */
typedef struct job {
    const mdm_settings *settings;
    const mdm_drawing_settings *options; /* the settings' */
    const mdm_drawing_model *backend;
    mdm_text_to_image *model, *refiner; /* refiner: NULL or a model of its own */
    mdm_portrait_check *check;
    mdm_portrait_wanted wanted;
    char prompt[MDM_CAPTION_TEXT];
    mdm_drawing first, second;
    int shape[3]; /* of the latent */
    size_t count;
    float *noise; /* NULL: the seed's */
    mdm_display *display;
    uint64_t seed;     /* of the next drawing */
    char name[24];     /* the seed of the one under way, for the display */
    const char *stage; /* of it */
} job;

/* ---- what is seen meanwhile ---- */

/* Shares of the time that a picture takes. */
#define DRAW_WEIGHT   1.0
#define DECODE_WEIGHT 0.1

static bool moved(void *user, double done, double total)
{
    job *j = user;
    mdm_display_moved(j->display, j->name, j->stage, 0, total > 0 ? done / total : 1);
    mdm_display_draw(j->display);
    return !mdm_pool_stop_asked();
}

static void begin(job *j, const char *stage, double weight)
{
    j->stage = stage;
    mdm_display_add_total(j->display, weight);
    mdm_display_started(j->display, j->name, stage, weight);
    mdm_display_draw(j->display);
}

static mdm_status end(job *j, double weight, mdm_status status)
{
    mdm_display_ended(j->display, j->name, j->stage, weight, status ? "failed" : "done");
    return status;
}

/* ---- models ---- */

static int threads(const mdm_drawing_settings *options)
{
    long count = options->threads ? options->threads : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 64 ? 64 : (int)count;
}

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

static mdm_status open_models(job *j)
{
    const mdm_drawing_settings *o = j->options;
    char *base = NULL, *unet = NULL;
    mdm_store store = MDM_STORE_F32;
    MDM_TRY(mdm_store_named(&store, o->precision));
    MDM_TRY(mdm_gpu_use(o->device));
    mdm_status status =
        *o->model ? mdm_strdup(&base, o->model) : mdm_drawing_model_folder(&base, j->backend, j->backend->base);
    if (!status && (*o->unet || !*o->model)) /* a folder that is given is taken as it is */
        status = *o->unet ? mdm_strdup(&unet, o->unet) : mdm_drawing_model_folder(&unet, j->backend, j->backend->unet);
    if (!status)
        status = mdm_text_to_image_open(
            &j->model, &(mdm_text_to_image_options){base, unet, given(o->checkpoint), store, threads(o)});
    if (!status && *o->refiner)
        status = mdm_text_to_image_open(&j->refiner,
                                        &(mdm_text_to_image_options){o->refiner, NULL, NULL, store, threads(o)});
    mdm_free(&base);
    mdm_free(&unet);
    return status;
}

/* ---- what to draw ---- */

static mdm_status find_person(const json_t **out, const json_t *plan, const char *id, const char *path)
{
    size_t i;
    json_t *person, *persons;
    MDM_TRY(mdm_json_array(&persons, plan, "persons", path));
    json_array_foreach(persons, i, person)
    {
        const char *its = json_string_value(json_object_get(person, "id")),
                   *action = json_string_value(json_object_get(person, "action"));
        if (id ? its && !strcmp(its, id) : action && !strcmp(action, "replace")) {
            *out = person;
            return MDM_OK;
        }
    }
    return mdm_fail(MDM_ERR_INPUT, "%s: no person %s in it", path, id ? id : "who is to be replaced");
}

static mdm_status describe_person(job *j, const json_t *person)
{
    const json_t *standin = json_object_get(person, "standin");
    const char *age = json_string_value(json_object_get(standin, "age")),
               *gender = json_string_value(json_object_get(standin, "gender")),
               *race = json_string_value(json_object_get(standin, "race")),
               *key = json_string_value(json_object_get(standin, "seed_key"));
    mdm_caption caption;
    mdm_random random;
    mdm_random_seed(&random, j->settings->seed, key ? key : "caption");
    const bool glasses = json_is_true(json_object_get(standin, "glasses"));
    MDM_TRY(mdm_caption_of_standin(&caption, age, gender, race, glasses, &random));
    j->wanted = mdm_portrait_wanted_of(age, gender, race, glasses);
    return mdm_text_to_image_fit(j->prompt, j->model, &caption);
}

static mdm_status make_prompt(job *j)
{
    const mdm_drawing_settings *o = j->options;
    const json_t *person = NULL;
    json_t *plan = NULL;
    j->wanted = mdm_portrait_wanted_of(NULL, NULL, NULL, false);
    if (!*o->describe == !*o->plan)
        return mdm_fail(MDM_ERR_USAGE, "a portrait of whom? Give either --describe TEXT or --plan PLAN.json");
    if (*o->describe) {
        snprintf(j->prompt, sizeof j->prompt, "%s", o->describe);
        return MDM_OK;
    }
    mdm_status status = mdm_json_load(&plan, o->plan, 0);
    if (!status)
        status = find_person(&person, plan, given(o->person), o->plan);
    if (!status)
        status = describe_person(j, person);
    json_decref(plan);
    return status;
}

static mdm_status read_sampler(mdm_sampler_kind *out, const char *name)
{
    for (int i = 0; i < MDM_SAMPLER_KINDS; i++)
        if (!strcmp(mdm_sampler_names[i], name)) {
            *out = (mdm_sampler_kind)i;
            return MDM_OK;
        }
    return mdm_fail(MDM_ERR_USAGE, "--sampler %s: expected euler, euler-a, ddim or dpm++2m", name);
}

static mdm_status make_drawings(job *j)
{
    const mdm_drawing_settings *o = j->options;
    const mdm_drawing_model *b = j->backend;
    j->first = (mdm_drawing){
        .width = o->width ? o->width : b->side,
        .height = o->height ? o->height : b->side,
        .sampler = b->sampler,
        .steps = o->steps ? o->steps : b->steps,
        .karras = o->karras,
        .guidance = o->guidance <= 0 ? b->guidance : (float)o->guidance,
    };
    if (*o->sampler)
        MDM_TRY(read_sampler(&j->first.sampler, o->sampler));
    j->second = j->first;
    j->second.strength = o->second_pass > 0 ? o->second_pass : b->second_strength;
    j->second.steps = o->second_steps ? o->second_steps : b->second_steps;
    j->second.guidance = o->second_guidance <= 0 ? b->second_guidance : (float)o->second_guidance;
    MDM_TRY(mdm_text_to_image_shape(j->shape, j->model, j->first.width, j->first.height));
    j->count = (size_t)j->shape[0] * (size_t)j->shape[1] * (size_t)j->shape[2];
    return MDM_OK;
}

/* The one tensor of --noise, of the latent's shape with or without a leading 1. */
static mdm_status read_noise(job *j)
{
    mdm_tensor_file *file = NULL;
    if (!*j->options->noise)
        return MDM_OK;
    MDM_TRY(mdm_tensor_file_open(&file, j->options->noise));
    const mdm_array *a = mdm_tensor_file_at(file, 0);
    const int skip = a && a->rank == 4 && a->shape[0] == 1;
    bool same = mdm_tensor_file_count(file) == 1 && a->rank == 3 + skip;
    for (int i = 0; same && i < 3; i++)
        same = a->shape[skip + i] == j->shape[i];
    mdm_status status = MDM_OK;
    if (!same)
        status = mdm_fail(MDM_ERR_INPUT, "%s: expected one tensor of %d x %d x %d", j->options->noise, j->shape[0],
                          j->shape[1], j->shape[2]);
    if (!status)
        status = mdm_alloc(&j->noise, j->count, sizeof *j->noise, "noise");
    if (!status)
        status = mdm_array_to_f32(j->noise, j->count, a);
    mdm_tensor_file_free(&file);
    j->first.noise = j->noise;
    return status;
}

/* ---- drawing ---- */

/* *out = PATH, or NAME-3.png where there are several. */
static mdm_status numbered(char **out, const job *j, const char *path, int number)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const size_t stem = dot && dot > (slash ? slash + 1 : path) ? (size_t)(dot - path) : strlen(path);
    return j->options->count == 1 ? mdm_strdup(out, path)
                                  : mdm_format(out, "%.*s-%d%s", (int)stem, path, number + 1, path + stem);
}

/* A look at the picture under way, where one is wanted after this step. */
static mdm_status look(void *user, const float *clean, int done)
{
    job *j = user;
    const char *path = j->options->preview;
    mdm_image picture = {0};
    if (!*path || done % j->options->preview_every)
        return MDM_OK;
    MDM_TRY(mdm_text_to_image_preview(j->model, &picture, clean, j->first.width, j->first.height));
    mdm_status status = mdm_image_write_png(&picture, path);
    mdm_image_free(&picture);
    if (!status)
        mdm_event(json_pack("{s:s, s:s, s:s, s:i, s:s}", "event", "preview", "seed", j->name, "stage", j->stage, "step",
                            done, "file", path));
    return status;
}

static mdm_status ask(job *j)
{
    const char *negative = j->options->no_negative ? NULL : j->options->negative;
    size_t tokens = 0;
    MDM_TRY(mdm_text_to_image_ask(j->model, j->prompt, negative, &tokens));
    mdm_log(MDM_LOG_INFO, "prompt: %s", j->prompt);
    if (tokens > (size_t)mdm_text_to_image_tokens(j->model))
        mdm_log(MDM_LOG_WARN, "the prompt's end is not heard: %zu tokens, the text encoder reads %d", tokens,
                mdm_text_to_image_tokens(j->model));
    return j->refiner && j->second.strength > 0 ? mdm_text_to_image_ask(j->refiner, j->prompt, negative, NULL) : MDM_OK;
}

static mdm_status draw_latent(job *j, float *latent, uint64_t seed)
{
    const mdm_progress progress = {moved, j};
    j->first.seed = j->second.seed = seed;
    j->first.progress = j->second.progress = &progress;
    j->first.watch = j->second.watch = look;
    j->first.watcher = j->second.watcher = j;
    begin(j, "draw", DRAW_WEIGHT);
    MDM_TRY(end(j, DRAW_WEIGHT, mdm_text_to_image_draw(j->model, latent, &j->first)));
    if (!(j->second.strength > 0))
        return MDM_OK;
    float *changed = NULL;
    MDM_TRY(mdm_alloc(&changed, j->count, sizeof *changed, "latent"));
    j->second.from = latent;
    begin(j, "change", DRAW_WEIGHT);
    mdm_status status = mdm_text_to_image_draw(j->refiner ? j->refiner : j->model, changed, &j->second);
    end(j, DRAW_WEIGHT, status);
    if (!status)
        memcpy(latent, changed, j->count * sizeof *latent);
    mdm_free(&changed);
    return status;
}

static mdm_status save_latents(const job *j, const float *latent, int number)
{
    char *path = NULL;
    const mdm_array array = {
        .name = "latents",
        .rank = 4,
        .shape = {1, j->shape[0], j->shape[1], j->shape[2]},
        .data = latent,
        .size = j->count * sizeof *latent,
    };
    if (!*j->options->save_latents)
        return MDM_OK;
    MDM_TRY(numbered(&path, j, j->options->save_latents, number));
    mdm_status status = mdm_safetensors_write(path, &array, 1, NULL);
    mdm_free(&path);
    return status;
}

/* Draws from the next seed; *usable says whether it is to be kept, picture (mdm_image_free) is set where one is wanted. */
static mdm_status draw_one(job *j, mdm_image *picture, bool *usable, float *latent)
{
    const char *complaint = NULL;
    const uint64_t seed = j->seed++;
    mdm_mesh mesh;
    snprintf(j->name, sizeof j->name, "%llu", (unsigned long long)seed);
    MDM_TRY(draw_latent(j, latent, seed));
    if (*j->settings->output || j->check) {
        begin(j, "decode", DECODE_WEIGHT);
        MDM_TRY(end(j, DECODE_WEIGHT,
                    mdm_text_to_image_decode(j->model, picture, latent, j->first.width, j->first.height,
                                             &(mdm_progress){moved, j})));
    }
    if (j->check)
        MDM_TRY(mdm_portrait_check_run(&complaint, &mesh, j->check, picture, &j->wanted));
    *usable = complaint == NULL;
    if (complaint)
        mdm_log(MDM_LOG_INFO, "seed %s: %s", j->name, complaint);
    return MDM_OK;
}

static mdm_status write_picture(const job *j, const mdm_image *picture, const float *latent, int number)
{
    char *path = NULL;
    MDM_TRY(save_latents(j, latent, number));
    MDM_TRY(numbered(&path, j, j->settings->output, number));
    mdm_status status = *j->settings->output ? mdm_write_marked_png(picture, path, NULL) : MDM_OK;
    if (!status)
        mdm_event(json_pack("{s:s, s:i, s:s, s:s}", "event", "picture", "number", number + 1, "seed", j->name, "file",
                            *j->settings->output ? path : ""));
    mdm_free(&path);
    return status;
}

static mdm_status draw_until_usable(job *j, float *latent, int number)
{
    const int most = j->check && !j->noise ? j->options->tries : 1; /* the same noise gives the same picture */
    for (int i = 0; i < most; i++) {
        mdm_image picture = {0};
        bool usable = false;
        mdm_status status = draw_one(j, &picture, &usable, latent);
        if (!status && usable)
            status = write_picture(j, &picture, latent, number);
        mdm_image_free(&picture);
        if (status || usable)
            return status;
    }
    return mdm_fail(MDM_ERR_AGAIN, "none of %d pictures can be used as a stand-in; try another --seed or other words",
                    most);
}

static mdm_status open_check(job *j)
{
    char models[MDM_MAX_PATH], weights[MDM_MAX_PATH];
    if (!j->options->tries)
        return MDM_OK;
    MDM_TRY(mdm_job_find_folders(models, weights, j->settings));
    return mdm_portrait_check_new(&j->check, models, weights);
}

static mdm_status run(job *j)
{
    float *latent = NULL;
    if (!*j->settings->output && !*j->options->save_latents)
        return mdm_fail(MDM_ERR_USAGE, "nothing to write: give -o PICTURE.png or --save-latents FILE");
    if (*j->options->noise && j->options->count > 1)
        return mdm_fail(MDM_ERR_USAGE, "--count %d: the same --noise gives the same picture", j->options->count);
    MDM_TRY(mdm_drawing_model_find(&j->backend, j->options->backend));
    MDM_TRY(open_models(j));
    MDM_TRY(make_drawings(j));
    MDM_TRY(make_prompt(j));
    MDM_TRY(read_noise(j));
    MDM_TRY(open_check(j));
    MDM_TRY(ask(j));
    MDM_TRY(mdm_display_new(&j->display, 0, j->settings->verbosity < 0));
    MDM_TRY(mdm_alloc(&latent, j->count, sizeof *latent, "latent"));
    mdm_status status = MDM_OK;
    for (int i = 0; i < j->options->count && !status; i++)
        status = draw_until_usable(j, latent, i);
    mdm_free(&latent);
    return status;
}

mdm_status mdm_draw(const mdm_settings *settings)
{
    job j = {.settings = settings, .options = &settings->drawing, .seed = settings->seed};
    mdm_status status = run(&j);
    mdm_display_free(&j.display);
    mdm_free(&j.noise);
    mdm_portrait_check_free(&j.check);
    mdm_text_to_image_free(&j.model);
    mdm_text_to_image_free(&j.refiner);
    return status;
}
