/* The model is shown the whole clip once, then what is around each person. */
#include "stages/describe_words.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/caption_scrub.h"
#include "models/person_form.h"
#include "models/pllava.h"
#include "models/pllava_files.h"
#include "models/pllava_models.h"
#include "models/pllava_templates.h"
#include "models/video_frames.h"
#include "nn/gpu.h"
#include "stages/visit.h"

enum { MOST_FRAMES = 64, CAPTION_TOKENS = 400 };
#define PRECISION "q8_0" /* of a folder's language model: 7B then takes 7.2 GB */
#define AROUND    3.5f   /* sides of a face that are shown of a person, each way */
#define BELOW     0.9f   /* sides of a face that the middle of them lies under its own */

typedef struct teller {
    const mdm_clip_work *work;
    const mdm_clip *clip;
    mdm_pllava *pllava;
    mdm_name_lists *lists;
    const mdm_pllava_template *layout;
    const mdm_track *track; /* who is looked at; NULL: the whole clip */
    int64_t frame[MOST_FRAMES];
    int frames;
} teller;

bool mdm_describe_words_wanted(const mdm_settings *settings)
{
    return !strcmp(settings->describe, "pllava");
}

static mdm_status model_path(char **out, const mdm_settings *settings)
{
    const char *given = settings->caption.model;
    if (!*given)
        return mdm_pllava_model_folder(out);
    if (!mdm_pllava_is_folder(given) && !mdm_file_exists(given))
        return mdm_fail(MDM_ERR_DEVICE, "%s is not there: --describe-model is a folder with a config.json or NAME.gguf",
                        given);
    return mdm_strdup(out, given);
}

mdm_status mdm_describe_words_ready(const mdm_settings *settings)
{
    char *path = NULL;
    if (!mdm_describe_words_wanted(settings))
        return MDM_OK;
    const mdm_status status = model_path(&path, settings);
    mdm_free(&path);
    return status;
}

static mdm_status open_model(teller *t)
{
    char *path = NULL;
    MDM_TRY(mdm_name_lists_load(&t->lists, t->work->models));
    MDM_TRY(model_path(&path, t->work->settings));
    mdm_status status = mdm_gpu_use("auto");
    if (!status)
        status = mdm_pllava_open(&t->pllava, &(mdm_pllava_options){.path = path,
                                                                   .precision = PRECISION,
                                                                   .lora_alpha = MDM_PLLAVA_LORA_ALPHA,
                                                                   .threads = t->work->threads});
    mdm_free(&path);
    if (!status)
        status = mdm_pllava_template_find(&t->layout, mdm_pllava_template_of(t->pllava));
    if (!status)
        t->frames = mdm_pllava_sizes_of(t->pllava)->projector.frames;
    return status;
}

/* ---- looking ---- */

/* What lies around a face, inside the picture: its pixels are the picture's. */
static mdm_image around(const mdm_image *picture, const float box[4])
{
    const float side = AROUND * fmaxf(box[2], box[3]), x = box[0] + box[2] / 2,
                y = box[1] + box[3] / 2 + BELOW * box[3];
    const int left = (int)fminf(fmaxf(x - side / 2, 0), (float)picture->width - 2),
              top = (int)fminf(fmaxf(y - side / 2, 0), (float)picture->height - 2),
              right = (int)fminf(fmaxf(x + side / 2, (float)left + 2), (float)picture->width),
              bottom = (int)fminf(fmaxf(y + side / 2, (float)top + 2), (float)picture->height);
    mdm_image out = *picture;
    out.width = right - left;
    out.height = bottom - top;
    out.data += (size_t)top * picture->stride + 3 * (size_t)left;
    return out;
}

static mdm_status show(void *user, mdm_frame *frame, int number)
{
    teller *t = user;
    const mdm_image view = t->track ? around(&frame->rgb, t->track->frame[number - t->track->first].box) : frame->rgb;
    for (int i = 0; i < t->frames; i++)
        if (t->frame[i] == number)
            MDM_TRY(mdm_pllava_show(t->pllava, i, &view, true));
    return MDM_OK;
}

/* Shows frames first..last, of `track` where it is not NULL. */
static mdm_status look(teller *t, const mdm_track *track, int64_t first, int64_t last)
{
    unsigned char *wanted = NULL;
    t->track = track;
    mdm_sample_frames(t->frame, t->frames, first, last);
    MDM_TRY(mdm_alloc(&wanted, t->clip->frames, 1, "frames to look at"));
    for (int i = 0; i < t->frames; i++)
        wanted[t->frame[i]] = 1;
    mdm_status status = mdm_visit_frames(t->clip, wanted, t->work, show, t);
    mdm_free(&wanted);
    return status ? status : mdm_pllava_look(t->pllava);
}

static mdm_status ask(mdm_buffer *out, teller *t, const char *question, const mdm_writing *writing)
{
    char *before = NULL, *after = NULL;
    MDM_TRY(mdm_pllava_template_fill(&before, &after, t->layout, NULL, question));
    mdm_status status = mdm_pllava_ask(t->pllava, before, after, writing->progress);
    if (!status)
        status = mdm_language_model_write(out, NULL, NULL, mdm_pllava_language(t->pllava), writing);
    if (!status)
        status = mdm_buffer_append(out, "", 0);
    mdm_free(&before);
    mdm_free(&after);
    return status;
}

/* ---- telling ---- */

static mdm_status tell_scene(json_t *scene, teller *t)
{
    mdm_buffer text = {0};
    char *scrubbed = NULL;
    int found = 0;
    const mdm_writing writing = {.most = CAPTION_TOKENS, .progress = t->work->progress};
    MDM_TRY(look(t, NULL, 0, (int64_t)t->clip->frames - 1));
    mdm_status status = ask(&text, t, NULL, &writing);
    if (!status)
        status = mdm_caption_scrub(&scrubbed, &found, (const char *)text.data, t->lists);
    json_t *dense = scrubbed ? json_string(scrubbed) : NULL;
    json_object_set_new(scene, "dense", dense ? dense : json_string("")); /* a model can write bytes that are no text */
    json_object_set_new(scene, "taken_out", json_integer(found));
    mdm_buffer_free(&text);
    mdm_free(&scrubbed);
    return status;
}

/* What the networks say of a context, as in a plan. */
static const char *networks_say(const json_t *track, const char *context)
{
    const json_t *described = json_object_get(track, context),
                 *value = json_object_get(described, !strcmp(context, "age") ? "bin" : "value");
    return json_is_boolean(value) ? (json_is_true(value) ? "yes" : "no") : json_string_value(value);
}

static json_t *disagreements(const json_t *track, const mdm_caption *form)
{
    static const char *const contexts[] = {"age", "gender", "race", "glasses"};
    json_t *out = json_array();
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
        const char *value = networks_say(track, contexts[i]), *said = mdm_form_contradicts(form, contexts[i], value);
        if (said)
            json_array_append_new(
                out, json_pack("{s:s, s:s, s:s}", "context", contexts[i], "networks", value, "form", said));
    }
    return out;
}

static mdm_status fill_form(mdm_caption *form, teller *t, const mdm_track *track)
{
    mdm_buffer question = {0}, grammar = {0}, answer = {0};
    mdm_status status = look(t, track, track->first, track->first + track->count - 1);
    if (!status)
        status = mdm_form_question(&question);
    if (!status)
        status = mdm_form_grammar(&grammar);
    if (!status)
        status =
            ask(&answer, t, (const char *)question.data,
                &(mdm_writing){
                    .most = MDM_FORM_TOKENS, .grammar = (const char *)grammar.data, .progress = t->work->progress});
    if (!status)
        status = mdm_form_read(form, (const char *)answer.data);
    mdm_buffer_free(&question);
    mdm_buffer_free(&grammar);
    mdm_buffer_free(&answer);
    return status;
}

static mdm_status tell_track(json_t *entry, teller *t, const mdm_track *track)
{
    mdm_caption form;
    char words[MDM_CAPTION_TEXT];
    if (json_integer_value(json_object_get(entry, "looks")) == 0)
        return MDM_OK; /* not seen well enough by the networks either */
    MDM_TRY(fill_form(&form, t, track));
    mdm_caption_print(words, &form, MDM_CAPTION_GROUPS);
    json_object_set_new(entry, "form", mdm_form_fields(&form));
    json_object_set_new(entry, "words", json_string(words));
    json_object_set_new(entry, "disagreements", disagreements(entry, &form));
    return MDM_OK;
}

static mdm_status tell_all(json_t *context, teller *t, const mdm_found *found)
{
    json_t *tracks = json_object_get(context, "tracks");
    MDM_TRY(open_model(t));
    MDM_TRY(tell_scene(json_object_get(context, "scene"), t));
    for (int i = 0; i < found->tracks.count; i++)
        MDM_TRY(tell_track(json_array_get(tracks, (size_t)i), t, &found->tracks.track[i]));
    json_array_append_new(json_object_get(context, "networks"), json_string("PLLaVA"));
    return MDM_OK;
}

mdm_status mdm_describe_words(json_t *context, const mdm_clip_work *work, const mdm_clip *clip, const mdm_found *found)
{
    teller t = {.work = work, .clip = clip};
    const mdm_status status = tell_all(context, &t, found);
    mdm_pllava_free(&t.pllava);
    mdm_name_lists_free(&t.lists);
    return status;
}
