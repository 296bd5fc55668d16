/* Captions of clips: from the options to words. The model is opened once. */
#include "pipeline/caption.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "models/caption_scrub.h"
#include "models/clip_frames.h"
#include "models/pllava.h"
#include "models/pllava_models.h"
#include "models/pllava_templates.h"
#include "nn/gpu.h"
#include "nn/tensor_file.h"
#include "pipeline/job.h"
#include "pipeline/progress.h"
#include "pipeline/worker.h"

enum { MOST_FRAMES = 64 };

/* One call of mdm_caption. */
typedef struct job {
    const mdm_settings *settings;
    const mdm_caption_settings *options; /* the settings' */
    mdm_pllava *pllava;
    mdm_name_lists *lists; /* NULL with --raw */
    char *before, *after;  /* the text around a clip */
    mdm_display *display;
    json_t *told; /* an entry a clip */
    void (*tell)(void *user, const char *clip, const char *caption);
    void *user;
} job;

/* What became of one clip. */
typedef struct result {
    int64_t frame[MOST_FRAMES];
    mdm_buffer text;
    char *caption;
    int32_t *ids;
    float *logits; /* before the first token written; kept for --save-features */
    int written, read, found;
    double seconds[4]; /* shown, seen, read, written */
} result;

static const char *const steps[4] = {"show", "see", "read", "write"};

static bool go_on(void *user, double done, double total)
{
    job *j = user;
    (void)done, (void)total;
    mdm_display_draw(j->display);
    return !mdm_pool_stop_asked();
}

/* ---- one clip ---- */

static mdm_status show(job *j, result *r, const char *clip)
{
    const mdm_reader_options part = {.start = j->settings->start, .end = j->settings->end, .threads = 1};
    const mdm_progress progress = {go_on, j};
    return mdm_pllava_show_recording(r->frame, j->pllava, clip, &part, j->options->letterbox, &progress);
}

static mdm_status see(job *j, result *r, const char *clip)
{
    (void)r, (void)clip;
    return mdm_pllava_look(j->pllava);
}

static mdm_status read_prompt(job *j, result *r, const char *clip)
{
    const mdm_progress progress = {go_on, j};
    (void)clip;
    MDM_TRY(mdm_pllava_ask(j->pllava, j->before, j->after, &progress));
    mdm_language_model *m = mdm_pllava_language(j->pllava);
    r->read = mdm_language_model_position(m);
    if (!*j->options->save_features)
        return MDM_OK;
    const size_t words = (size_t)mdm_language_model_vocabulary(m);
    const float *logits = mdm_language_model_logits(m);
    MDM_TRY(mdm_alloc(&r->logits, words, sizeof *r->logits, "logits"));
    if (logits)
        memcpy(r->logits, logits, words * sizeof *r->logits);
    return MDM_OK;
}

static mdm_status write_caption(job *j, result *r, const char *clip)
{
    const mdm_caption_settings *o = j->options;
    const mdm_progress progress = {go_on, j};
    const mdm_writing writing = {.most = o->tokens,
                                 .temperature = o->greedy ? 0 : o->temperature,
                                 .top_p = o->top_p,
                                 .seed = (uint32_t)j->settings->seed,
                                 .progress = &progress};
    (void)clip;
    MDM_TRY(mdm_alloc(&r->ids, (size_t)o->tokens, sizeof *r->ids, "tokens"));
    return mdm_language_model_write(&r->text, r->ids, &r->written, mdm_pllava_language(j->pllava), &writing);
}

/* Without the blanks around it; bytes that are no text become "?" (a token may be half a character). */
static mdm_status tidy(char **out, const char *text)
{
    text += strspn(text, " \n\t");
    size_t length = strlen(text);
    while (length && strchr(" \n\t", text[length - 1]))
        length--;
    MDM_TRY(mdm_format(out, "%.*s", (int)length, text));
    for (char *at = *out; *at;) {
        size_t n = 1;
        json_t *valid = NULL;
        for (; n <= 4 && strlen(at) >= n && !(valid = json_stringn(at, n)); n++)
            ;
        json_decref(valid);
        *at = valid ? *at : '?';
        at += valid ? n : 1;
    }
    return MDM_OK;
}

static mdm_status finish_caption(job *j, result *r)
{
    char *tidied = NULL;
    MDM_TRY(mdm_buffer_append(&r->text, "", 0));
    MDM_TRY(tidy(&tidied, (const char *)r->text.data));
    if (j->options->raw) {
        r->caption = tidied;
        return MDM_OK;
    }
    mdm_status status = mdm_caption_scrub(&r->caption, &r->found, tidied, j->lists);
    mdm_free(&tidied);
    return status;
}

/* ---- what is handed over ---- */

static mdm_status save_features(const job *j, const result *r)
{
    const mdm_pllava_sizes *s = mdm_pllava_sizes_of(j->pllava);
    const mdm_pllava_seen seen = mdm_pllava_seen_of(j->pllava);
    const int64_t frames = s->projector.frames, side = s->vision.side,
                  patches = (int64_t)s->projector.grid * s->projector.grid, wide = s->vision.width,
                  tokens = mdm_pllava_tokens(&s->projector), width = s->language.width, words = s->language.vocabulary;
    mdm_array arrays[] = {
        {.name = "frames", .dtype = MDM_I64, .rank = 1, .shape = {frames}, .data = r->frame},
        {.name = "pixels", .rank = 4, .shape = {frames, 3, side, side}, .data = seen.pixels},
        {.name = "features", .rank = 3, .shape = {frames, patches, wide}, .data = seen.features},
        {.name = "tokens", .rank = 2, .shape = {tokens, width}, .data = seen.tokens},
        {.name = "logits", .rank = 1, .shape = {words}, .data = r->logits},
        {.name = "written", .dtype = MDM_I32, .rank = 1, .shape = {r->written}, .data = r->ids},
    };
    const size_t count = sizeof arrays / sizeof *arrays;
    for (size_t i = 0; i < count; i++) {
        arrays[i].size = mdm_dtype_size(arrays[i].dtype);
        for (int k = 0; k < arrays[i].rank; k++)
            arrays[i].size *= (size_t)arrays[i].shape[k];
    }
    const char *const meta[] = {"before", j->before, "after", j->after, NULL};
    return *j->options->save_features ? mdm_safetensors_write(j->options->save_features, arrays, count, meta) : MDM_OK;
}

static json_t *entry(const job *j, const result *r, const char *clip)
{
    json_t *frames = json_array(), *seconds = json_object();
    for (int i = 0; i < mdm_pllava_sizes_of(j->pllava)->projector.frames; i++)
        json_array_append_new(frames, json_integer(r->frame[i]));
    for (int i = 0; i < 4; i++)
        json_object_set_new(seconds, steps[i], mdm_json_rounded(r->seconds[i], 4));
    return json_pack("{s:s, s:s, s:o, s:i, s:i, s:i, s:o}", "clip", clip, "caption", r->caption, "frames", frames,
                     "read", r->read, "written", r->written, "taken_out", r->found, "seconds", seconds);
}

static mdm_status hand_over(job *j, const result *r, const char *clip)
{
    MDM_TRY(save_features(j, r));
    json_t *one = entry(j, r, clip);
    if (!one)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: its caption cannot be written as JSON", clip);
    json_t *event = json_copy(one);
    json_object_set_new(event, "event", json_string("caption"));
    mdm_event(event);
    json_array_append_new(j->told, one);
    if (j->tell)
        j->tell(j->user, clip, r->caption);
    return MDM_OK;
}

static mdm_status caption_one(job *j, const char *clip, int number)
{
    static mdm_status (*const work[4])(job * j, result * r, const char *clip) = {show, see, read_prompt, write_caption};
    char name[24];
    result r = {0};
    mdm_status status = MDM_OK;
    snprintf(name, sizeof name, "clip %d", number);
    for (int i = 0; i < 4 && !status; i++) {
        const double begun = mdm_now();
        mdm_display_started(j->display, name, steps[i], 1);
        status = work[i](j, &r, clip);
        mdm_display_ended(j->display, name, steps[i], 1, status ? "failed" : "done");
        r.seconds[i] = mdm_now() - begun;
    }
    if (!status)
        status = finish_caption(j, &r);
    if (!status)
        status = hand_over(j, &r, clip);
    mdm_buffer_free(&r.text);
    mdm_free(&r.caption);
    mdm_free(&r.ids);
    mdm_free(&r.logits);
    return status;
}

/* ---- all of them ---- */

static int threads(const mdm_caption_settings *options)
{
    const long count = options->threads ? options->threads : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 64 ? 64 : (int)count;
}

static mdm_status open_model(job *j)
{
    const mdm_caption_settings *o = j->options;
    char *path = NULL;
    MDM_TRY(mdm_gpu_use(o->device));
    MDM_TRY(*o->model ? mdm_strdup(&path, o->model) : mdm_pllava_model_folder(&path));
    mdm_status status = mdm_pllava_open(&j->pllava, &(mdm_pllava_options){.path = path,
                                                                          .precision = o->precision,
                                                                          .lora_alpha = o->lora_alpha,
                                                                          .threads = threads(o),
                                                                          .text_room = o->tokens + MDM_PLLAVA_PROMPT});
    mdm_free(&path);
    return status;
}

static mdm_status make_prompt(job *j)
{
    const mdm_caption_settings *o = j->options;
    const mdm_pllava_template *t = NULL;
    MDM_TRY(mdm_pllava_template_find(&t, *o->template_name ? o->template_name : mdm_pllava_template_of(j->pllava)));
    return mdm_pllava_template_fill(&j->before, &j->after, t, *o->system ? o->system : NULL,
                                    *o->prompt ? o->prompt : NULL);
}

static mdm_status open_lists(job *j)
{
    char models[MDM_MAX_PATH], weights[MDM_MAX_PATH];
    if (j->options->raw)
        return MDM_OK;
    MDM_TRY(mdm_job_find_folders(models, weights, j->settings));
    return mdm_name_lists_load(&j->lists, models);
}

static mdm_status run(job *j, const char *const *clips, size_t count)
{
    if (!count)
        return mdm_fail(MDM_ERR_USAGE, "no clip to caption");
    if (*j->options->save_features && count > 1)
        return mdm_fail(MDM_ERR_USAGE, "--save-features is for one clip, %zu are given", count);
    MDM_TRY(open_lists(j));
    MDM_TRY(mdm_display_new(&j->display, 4 * (double)count, j->settings->verbosity < 0));
    MDM_TRY(open_model(j));
    MDM_TRY(make_prompt(j));
    j->told = json_array();
    for (size_t i = 0; i < count; i++)
        MDM_TRY(caption_one(j, clips[i], (int)i + 1));
    if (!*j->settings->output)
        return MDM_OK;
    json_t *root = json_pack("{s:i, s:O}", "version", 1, "captions", j->told);
    mdm_status status = mdm_json_save(root, j->settings->output);
    json_decref(root);
    return status;
}

mdm_status mdm_caption(const mdm_settings *settings, const char *const *clips, size_t count,
                       void (*tell)(void *user, const char *clip, const char *caption), void *user)
{
    job j = {.settings = settings, .options = &settings->caption, .tell = tell, .user = user};
    mdm_status status = run(&j, clips, count);
    mdm_display_free(&j.display);
    mdm_pllava_free(&j.pllava);
    mdm_name_lists_free(&j.lists);
    mdm_free(&j.before);
    mdm_free(&j.after);
    json_decref(j.told);
    return status;
}
