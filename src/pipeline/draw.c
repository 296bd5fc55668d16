/* A portrait from words: from the options to a picture on disk. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/options.h"
#include "mmdm.h"
#include "models/convert_weights.h"
#include "models/drawing_models.h"
#include "models/hub_cache.h"
#include "models/text_to_image.h"
#include "nn/gpu.h"
#include "nn/tensor_file.h"
#include "pipeline/job.h"
#include "pipeline/worker.h"
#include "stages/portrait_check.h"

void mdm_drawing_defaults(mdm_drawing_options *options)
{
    *options = (mdm_drawing_options){
        .backend = "cosmicman-sdxl",
        .negative = "",
        .guidance = -1,
        .second_guidance = -1,
        .seed = 1,
        .tries = 8,
        .precision = "f32",
        .device = "auto",
        .models = "",
        .weights = "",
    };
}

/* One call of mdm_draw_portrait. */
typedef struct job {
    const mdm_drawing_options *options;
    const mdm_drawing_model *backend;
    mdm_text_to_image *model, *refiner; /* refiner: NULL or a model of its own */
    mdm_portrait_check *check;
    mdm_portrait_wanted wanted;
    char prompt[MDM_CAPTION_TEXT];
    mdm_drawing first, second;
    int shape[3]; /* of the latent */
    size_t count;
    float *noise; /* NULL: the seed's */
    void (*say)(void *user, const char *line);
    void (*step)(void *user, double done, double total);
    void *user;
} job;

static bool after_step(void *user, double done, double total)
{
    const job *j = user;
    if (j->step)
        j->step(j->user, done, total);
    return !mdm_pool_stop_asked();
}

static void tell(const job *j, const char *format, ...) MDM_PRINTF(2, 3);
static void tell(const job *j, const char *format, ...)
{
    char line[MDM_CAPTION_TEXT + 256];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (j->say)
        j->say(j->user, line);
}

/* ---- models ---- */

static int threads(const mdm_drawing_options *options)
{
    long count = options->threads ? options->threads : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 64 ? 64 : (int)count;
}

static mdm_status open_models(job *j)
{
    const mdm_drawing_options *o = j->options;
    char *base = NULL, *unet = NULL;
    mdm_store store = MDM_STORE_F32;
    MDM_TRY(mdm_store_named(&store, o->precision));
    MDM_TRY(mdm_gpu_use(o->device));
    mdm_status status =
        o->model ? mdm_strdup(&base, o->model) : mdm_drawing_model_folder(&base, j->backend, j->backend->base);
    if (!status && (o->unet || !o->model)) /* a folder that is given is taken as it is */
        status = o->unet ? mdm_strdup(&unet, o->unet) : mdm_drawing_model_folder(&unet, j->backend, j->backend->unet);
    if (!status)
        status = mdm_text_to_image_open(&j->model,
                                        &(mdm_text_to_image_options){base, unet, o->checkpoint, store, threads(o)});
    if (!status && o->refiner)
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
    mdm_random_seed(&random, j->options->seed, key ? key : "caption");
    MDM_TRY(mdm_caption_of_standin(&caption, age, gender, race, &random));
    j->wanted = mdm_portrait_wanted_of(age, gender, race, json_is_true(json_object_get(standin, "glasses")));
    return mdm_text_to_image_fit(j->prompt, j->model, &caption);
}

static mdm_status make_prompt(job *j)
{
    const mdm_drawing_options *o = j->options;
    const json_t *person = NULL;
    json_t *plan = NULL;
    j->wanted = mdm_portrait_wanted_of(NULL, NULL, NULL, false);
    if (!o->describe == !o->plan)
        return mdm_fail(MDM_ERR_USAGE, "a portrait of whom? Give either --describe TEXT or --plan PLAN.json");
    if (o->describe) {
        if (strlen(o->describe) >= sizeof j->prompt)
            return mdm_fail(MDM_ERR_USAGE, "--describe: %zu bytes, at most %zu are taken", strlen(o->describe),
                            sizeof j->prompt - 1);
        snprintf(j->prompt, sizeof j->prompt, "%s", o->describe);
        return MDM_OK;
    }
    mdm_status status = mdm_json_load(&plan, o->plan, 0);
    if (!status)
        status = find_person(&person, plan, o->person, o->plan);
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
    const mdm_drawing_options *o = j->options;
    const mdm_drawing_model *b = j->backend;
    j->first = (mdm_drawing){
        .width = o->width ? o->width : b->side,
        .height = o->height ? o->height : b->side,
        .sampler = b->sampler,
        .steps = o->steps ? o->steps : b->steps,
        .guidance = o->guidance < 0 ? b->guidance : (float)o->guidance,
    };
    if (o->sampler)
        MDM_TRY(read_sampler(&j->first.sampler, o->sampler));
    if (!(o->second_pass >= 0 && o->second_pass <= 1))
        return mdm_fail(MDM_ERR_USAGE, "--second-pass %g: expected a strength from 0 to 1", o->second_pass);
    j->second = j->first;
    j->second.strength = o->second_pass > 0 ? o->second_pass : b->second_strength;
    j->second.steps = o->second_steps ? o->second_steps : b->second_steps;
    j->second.guidance = o->second_guidance < 0 ? b->second_guidance : (float)o->second_guidance;
    MDM_TRY(mdm_text_to_image_shape(j->shape, j->model, j->first.width, j->first.height));
    j->count = (size_t)j->shape[0] * (size_t)j->shape[1] * (size_t)j->shape[2];
    return MDM_OK;
}

/* The one tensor of --noise, of the latent's shape with or without a leading 1. */
static mdm_status read_noise(job *j)
{
    mdm_tensor_file *file = NULL;
    if (!j->options->noise)
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

static mdm_status ask(job *j)
{
    const char *negative = j->options->negative;
    size_t tokens = 0;
    MDM_TRY(mdm_text_to_image_ask(j->model, j->prompt, negative, &tokens));
    tell(j, "prompt: %s", j->prompt);
    if (tokens > (size_t)mdm_text_to_image_tokens(j->model))
        tell(j, "its end is not heard: %zu tokens, the text encoder reads %d", tokens,
             mdm_text_to_image_tokens(j->model));
    return j->refiner && j->second.strength > 0 ? mdm_text_to_image_ask(j->refiner, j->prompt, negative, NULL) : MDM_OK;
}

static mdm_status draw_latent(job *j, float *latent, uint64_t seed)
{
    const mdm_progress progress = {after_step, j};
    j->first.seed = j->second.seed = seed;
    j->first.progress = j->second.progress = &progress;
    MDM_TRY(mdm_text_to_image_draw(j->model, latent, &j->first));
    if (!(j->second.strength > 0))
        return MDM_OK;
    float *changed = NULL;
    MDM_TRY(mdm_alloc(&changed, j->count, sizeof *changed, "latent"));
    j->second.from = latent;
    mdm_status status = mdm_text_to_image_draw(j->refiner ? j->refiner : j->model, changed, &j->second);
    if (!status)
        memcpy(latent, changed, j->count * sizeof *latent);
    mdm_free(&changed);
    return status;
}

static mdm_status save_latents(const job *j, const float *latent)
{
    const mdm_array array = {
        .name = "latents",
        .rank = 4,
        .shape = {1, j->shape[0], j->shape[1], j->shape[2]},
        .data = latent,
        .size = j->count * sizeof *latent,
    };
    return j->options->save_latents ? mdm_safetensors_write(j->options->save_latents, &array, 1, NULL) : MDM_OK;
}

/* Draws number `number`; *usable says whether it is to be kept, picture (mdm_image_free) is set where one is wanted. */
static mdm_status draw_one(job *j, mdm_image *picture, bool *usable, float *latent, int number)
{
    const char *complaint = NULL;
    mdm_mesh mesh;
    MDM_TRY(draw_latent(j, latent, j->options->seed + (uint64_t)number));
    if (j->options->output || j->check)
        MDM_TRY(mdm_text_to_image_decode(j->model, picture, latent, j->first.width, j->first.height,
                                         &(mdm_progress){after_step, j}));
    if (j->check)
        MDM_TRY(mdm_portrait_check_run(&complaint, &mesh, j->check, picture, &j->wanted));
    *usable = complaint == NULL;
    if (complaint)
        tell(j, "seed %llu: %s", (unsigned long long)j->first.seed, complaint);
    return MDM_OK;
}

static mdm_status draw_until_usable(job *j, float *latent)
{
    const int most = j->check && !j->noise ? j->options->tries : 1; /* the same noise gives the same picture */
    for (int i = 0; i < most; i++) {
        mdm_image picture = {0};
        bool usable = false;
        mdm_status status = draw_one(j, &picture, &usable, latent, i);
        if (!status && usable)
            status = save_latents(j, latent);
        if (!status && usable && j->options->output)
            status = mdm_image_write_png(&picture, j->options->output);
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
    mdm_settings settings;
    if (j->options->tries < 0 || j->options->tries > 1000)
        return mdm_fail(MDM_ERR_USAGE, "--tries %d: expected 0 to 1000", j->options->tries);
    if (!j->options->tries)
        return MDM_OK;
    mdm_settings_defaults(&settings);
    snprintf(settings.models, sizeof settings.models, "%s", j->options->models);
    snprintf(settings.weights, sizeof settings.weights, "%s", j->options->weights);
    MDM_TRY(mdm_job_find_folders(models, weights, &settings));
    return mdm_portrait_check_new(&j->check, models, weights);
}

static mdm_status run(job *j)
{
    float *latent = NULL;
    if (!j->options->output && !j->options->save_latents)
        return mdm_fail(MDM_ERR_USAGE, "nothing to write: give -o PICTURE.png or --save-latents FILE");
    MDM_TRY(mdm_drawing_model_find(&j->backend, j->options->backend));
    MDM_TRY(open_models(j));
    MDM_TRY(make_drawings(j));
    MDM_TRY(make_prompt(j));
    MDM_TRY(read_noise(j));
    MDM_TRY(open_check(j));
    MDM_TRY(ask(j));
    MDM_TRY(mdm_alloc(&latent, j->count, sizeof *latent, "latent"));
    mdm_status status = draw_until_usable(j, latent);
    mdm_free(&latent);
    return status;
}

mdm_status mdm_draw_portrait(const mdm_drawing_options *options, void (*say)(void *user, const char *line),
                             void (*step)(void *user, double done, double total), void *user)
{
    job j = {.options = options, .say = say, .step = step, .user = user};
    mdm_status status = run(&j);
    mdm_free(&j.noise);
    mdm_portrait_check_free(&j.check);
    mdm_text_to_image_free(&j.model);
    mdm_text_to_image_free(&j.refiner);
    return status;
}

void mdm_drawing_list(void (*tell_one)(void *user, const mdm_drawing_info *info), void *user)
{
    int count;
    const mdm_drawing_model *table = mdm_drawing_models(&count);
    for (int i = 0; i < count; i++) {
        char *base = NULL, *unet = NULL;
        const bool present =
            !mdm_hub_snapshot(&base, table[i].base) && (!table[i].unet || !mdm_hub_snapshot(&unet, table[i].unet));
        const mdm_drawing_info info = {
            table[i].name, table[i].base, table[i].unet, table[i].licence, table[i].gigabytes, present,
        };
        tell_one(user, &info);
        mdm_free(&base);
        mdm_free(&unet);
    }
}

mdm_status mdm_models_convert(const char *to, const char *from, const char *precision)
{
    mdm_store store = MDM_STORE_F32;
    MDM_TRY(mdm_store_named(&store, precision));
    return mdm_convert_weights(to, from, store);
}
