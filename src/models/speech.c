/* whisper.cpp fed window by window. A word's times come from where the decoder's attention looked (DTW over its
 * alignment heads), then snap to the sound: whisper's own time tokens are too coarse to cut words by. */
#include "models/speech.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <whisper.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "models/activity.h"
#include "models/whisper_file.h"

enum {
    WINDOW = 30 * MDM_SPEECH_RATE,
    SEARCH = 12 * MDM_SPEECH_RATE, /* the cut is looked for in this last part of a full window */
    HOP = MDM_SPEECH_RATE / 100,
    MIN_WINDOW = MDM_SPEECH_RATE * 11 / 10, /* whisper gives nothing for less than a second: pad */
    MAX_WORDS = 1 << 22,
};

static const float SILENCE = 1e-3f; /* root mean square, -60 dB: nothing was said in a window quieter than this */

typedef struct word {
    size_t text; /* offset into pool */
    double start, end;
    float p;
} word;

struct mdm_speech {
    struct whisper_context *context;
    mdm_vad *vad; /* not owned; NULL: none */
    int threads;
    bool english;  /* a model of English only */
    int language;  /* whisper's number of the one that is heard; -1: not known yet */
    bool told;     /* the language was given */
    float *window; /* WINDOW samples */
    size_t filled;
    double offset; /* seconds of the window's first sample */
    word *found;
    size_t count, room;
    mdm_buffer pool;
    mdm_word *words; /* handed out by finish */
};

static void hush(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        mdm_log(MDM_LOG_DEBUG, "whisper: %s", text);
}

/* The heads whose attention says when a token was heard: whisper.cpp has them for each published size. Other models (Distil-Whisper) are
 * aligned by all heads of their upper layers. Large v1 and v2 are of the same sizes; the heads are v2's. */
static enum whisper_alignment_heads_preset alignment_heads(const mdm_whisper_sizes *s)
{
    static const struct {
        int audio_layers, text_layers;
        enum whisper_alignment_heads_preset english, multilingual, v3;
    } known[] = {
        {4, 4, WHISPER_AHEADS_TINY_EN, WHISPER_AHEADS_TINY, WHISPER_AHEADS_N_TOP_MOST},
        {6, 6, WHISPER_AHEADS_BASE_EN, WHISPER_AHEADS_BASE, WHISPER_AHEADS_N_TOP_MOST},
        {12, 12, WHISPER_AHEADS_SMALL_EN, WHISPER_AHEADS_SMALL, WHISPER_AHEADS_N_TOP_MOST},
        {24, 24, WHISPER_AHEADS_MEDIUM_EN, WHISPER_AHEADS_MEDIUM, WHISPER_AHEADS_N_TOP_MOST},
        {32, 32, WHISPER_AHEADS_N_TOP_MOST, WHISPER_AHEADS_LARGE_V2, WHISPER_AHEADS_LARGE_V3},
        {32, 4, WHISPER_AHEADS_N_TOP_MOST, WHISPER_AHEADS_N_TOP_MOST, WHISPER_AHEADS_LARGE_V3_TURBO},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (s->n_audio_layer == known[i].audio_layers && s->n_text_layer == known[i].text_layers)
            return s->n_vocab == MDM_WHISPER_ENGLISH       ? known[i].english
                   : s->n_vocab == MDM_WHISPER_ENGLISH + 1 ? known[i].multilingual
                                                           : known[i].v3;
    return WHISPER_AHEADS_N_TOP_MOST;
}

mdm_status mdm_speech_open(mdm_speech **out, const char *model_path, int threads)
{
    mdm_whisper_sizes sizes;
    *out = NULL;
    if (!mdm_file_exists(model_path))
        return mdm_fail(MDM_ERR_DEVICE, "%s: no speech model; run ./setup, or use --transcribe none", model_path);
    MDM_TRY(mdm_whisper_file_check(&sizes, model_path));
    mdm_speech *speech = NULL;
    MDM_TRY(mdm_alloc(&speech, 1, sizeof *speech, "speech recogniser"));
    mdm_status status = mdm_alloc(&speech->window, WINDOW, sizeof *speech->window, "speech window");
    if (status != MDM_OK) {
        mdm_free(&speech);
        return status;
    }
    whisper_log_set(hush, NULL);
    struct whisper_context_params params = whisper_context_default_params();
    params.use_gpu = false;
    params.flash_attn = false; /* the alignment needs the attention itself */
    params.dtw_token_timestamps = true;
    params.dtw_aheads_preset = alignment_heads(&sizes);
    params.dtw_n_top = sizes.n_text_layer > 1 ? 2 : 1; /* where there is no list of heads */
    params.dtw_mem_size = sizes.n_audio_layer > 6 ? 512u << 20 : 128u << 20;
    speech->context = whisper_init_from_file_with_params(model_path, params);
    speech->threads = threads > 0 ? threads : 1;
    speech->english = sizes.n_vocab == MDM_WHISPER_ENGLISH;
    speech->language = speech->english ? whisper_lang_id("en") : -1;
    speech->pool.max = (size_t)256 << 20;
    if (!speech->context) {
        mdm_speech_free(&speech);
        return mdm_fail(MDM_ERR_DEVICE, "%s: not a whisper.cpp model; delete it and run again", model_path);
    }
    *out = speech;
    return MDM_OK;
}

void mdm_speech_free(mdm_speech **speech)
{
    if (!*speech)
        return;
    whisper_free((*speech)->context);
    if ((*speech)->window)
        mdm_wipe((*speech)->window, WINDOW * sizeof(float));
    mdm_free(&(*speech)->window);
    mdm_free(&(*speech)->found);
    mdm_free(&(*speech)->words);
    mdm_buffer_free(&(*speech)->pool);
    mdm_free(speech);
}

void mdm_speech_reset(mdm_speech *speech)
{
    speech->filled = 0;
    speech->offset = 0;
    speech->count = 0;
    speech->pool.size = 0;
    if (!speech->told && !speech->english)
        speech->language = -1;
    mdm_free(&speech->words);
}

void mdm_speech_use_vad(mdm_speech *speech, mdm_vad *vad)
{
    speech->vad = vad;
}

mdm_status mdm_speech_set_language(mdm_speech *speech, const char *language)
{
    const int id = whisper_lang_id(language);
    speech->told = strcmp(language, "auto") != 0;
    if (!speech->told) {
        speech->language = speech->english ? whisper_lang_id("en") : -1;
        return MDM_OK;
    }
    if (id < 0)
        return mdm_fail(MDM_ERR_CONFIG, "no language \"%s\": expected auto, or a code such as en, de, fr, ja",
                        language);
    if (speech->english && id != whisper_lang_id("en"))
        return mdm_fail(MDM_ERR_CONFIG,
                        "language %s with a speech model of English only; take one whose name does not end in .en",
                        language);
    speech->language = id;
    return MDM_OK;
}

const char *mdm_speech_language(const mdm_speech *speech)
{
    return speech->language < 0 ? "und" : whisper_lang_str(speech->language);
}

static mdm_status append_word(mdm_speech *speech, double start, double end, float p)
{
    if (speech->count >= MAX_WORDS)
        return mdm_fail(MDM_ERR_MEMORY, "more than %d words in one recording", MAX_WORDS);
    if (speech->count == speech->room) {
        size_t room = speech->room ? speech->room * 2 : 256;
        MDM_TRY(mdm_realloc(&speech->found, room, sizeof *speech->found, "words"));
        speech->room = room;
    }
    speech->found[speech->count++] = (word){speech->pool.size, start, end, p};
    return MDM_OK;
}

/* True for a token that is heard: punctuation is not, and DTW gives it the pause after the word. */
static bool is_heard(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80 || (*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') ||
            (*text >= 'a' && *text <= 'z'))
            return true;
    return false;
}

static bool has_digit(const char *text)
{
    return strpbrk(text, "0123456789") != NULL;
}

/* Tokens of one window joined to words: a token that starts with a space opens one. `end` is when the attention left the
 * word's last heard token, seconds in the window. */
static mdm_status take_tokens(mdm_speech *speech)
{
    struct whisper_context *context = speech->context;
    const whisper_token end_of_text = whisper_token_eot(context);
    bool open = false, heard = false;
    int segments = whisper_full_n_segments(context);
    for (int s = 0; s < segments; s++) {
        int tokens = whisper_full_n_tokens(context, s);
        for (int t = 0; t < tokens; t++) {
            whisper_token_data data = whisper_full_get_token_data(context, s, t);
            const char *text = whisper_full_get_token_text(context, s, t);
            if (data.id >= end_of_text || !text || !*text)
                continue;
            double time = data.t_dtw >= 0 ? (double)data.t_dtw / 100.0 : -1;
            bool space = text[0] == ' ';
            if (space || !open) {
                if (open)
                    MDM_TRY(mdm_buffer_append(&speech->pool, "", 1));
                MDM_TRY(append_word(speech, 0, time, data.p));
                open = true;
                heard = false;
            }
            MDM_TRY(mdm_buffer_append(&speech->pool, text + space, strlen(text) - space));
            word *current = &speech->found[speech->count - 1];
            if (is_heard(text) || !heard) {
                current->end = time > current->end ? time : current->end;
                current->p = data.p < current->p ? data.p : current->p;
                heard = heard || is_heard(text);
            }
        }
    }
    return open ? mdm_buffer_append(&speech->pool, "", 1) : MDM_OK;
}

/* A pause of at least 120 ms (no closure of a stop, no weak fricative) that touches [from, to] (frames): where it starts and ends; the first one, or the last. */
static bool find_pause(size_t *start, size_t *end, const bool *sounds, size_t frames, size_t from, size_t to,
                       bool latest)
{
    bool found = false;
    for (size_t f = from; f < to && f < frames; f++) {
        if (sounds[f])
            continue;
        size_t first = f, last = f;
        while (first > 0 && !sounds[first - 1])
            first--;
        while (last + 1 < frames && !sounds[last + 1])
            last++;
        if (last - first + 1 >= 12) {
            *start = first;
            *end = last + 1;
            found = true;
            if (!latest)
                return true;
        }
        f = last;
    }
    return found;
}

/* Turns the attention's times to the words' own: it leaves a word about 80 ms after its sound (measured on synthetic
 * speech with known times, docs/speech.md), and a pause near such a moment is where one word ends and the next begins. */
static mdm_status settle_times(mdm_speech *speech, size_t first, size_t samples)
{
    const double lag = 0.08, length = (double)samples / MDM_SPEECH_RATE;
    size_t frames = samples / HOP, pause_start, pause_end;
    bool *sounds = NULL;
    MDM_TRY(mdm_alloc(&sounds, frames + 1, sizeof *sounds, "sounding frames"));
    mdm_status status = mdm_find_sound(sounds, speech->window, frames);
    size_t onset = 0;
    while (onset < frames && !sounds[onset])
        onset++;
    double time = onset < frames ? (double)onset / 100 : 0;
    for (size_t i = first; i < speech->count; i++) {
        word *here = &speech->found[i];
        bool last = i + 1 == speech->count;
        double end = here->end < 0 ? time + 0.2 : here->end - lag; /* no alignment: a guess that keeps the order */
        end = end > time + 0.04 ? end : time + 0.04;
        end = end < length ? end : length;
        here->start = time < length ? time : length;
        double from = end - 0.14 > here->start + 0.04 ? end - 0.14 : here->start + 0.04;
        double to = end + (last ? 0.4 : 0.16);
        /* "1984" is one token of several spoken words, which the attention leaves early: up to the last pause
         * before the next word is over */
        bool digits = has_digit((const char *)speech->pool.data + here->text);
        if (digits && last)
            to = length;
        else if (digits && speech->found[i + 1].end - lag - 0.1 > to)
            to = speech->found[i + 1].end - lag - 0.1;
        time = end;
        if (find_pause(&pause_start, &pause_end, sounds, frames, (size_t)(from * 100), (size_t)(to * 100), digits)) {
            double quiet = (double)pause_start / 100;
            end = quiet > here->start + 0.04 ? quiet : end;
            time = (double)pause_end / 100 > end ? (double)pause_end / 100 : end;
        } else if (last) {
            end = end + 0.2 < length ? end + 0.2 : length;
        }
        here->end = end > here->start ? end : here->start;
    }
    mdm_free(&sounds);
    return status;
}

/* Whether somebody may speak in the window of `count` samples, the last block filled up. */
static mdm_status may_speak(bool *out, mdm_speech *speech, size_t count)
{
    const float least = 0.2f;
    const float *likelihood;
    size_t blocks;
    *out = !speech->vad;
    if (*out)
        return MDM_OK;
    MDM_TRY(mdm_vad_likelihood(&likelihood, &blocks, speech->vad, speech->window, count));
    for (size_t i = 0; i < blocks; i++)
        *out = *out || likelihood[i] >= least;
    return MDM_OK;
}

/* Finds out the language from the window, which is enough where it is likelier than all others together; until such a window comes, each
 * is looked at by itself. */
static mdm_status find_language(int *out, mdm_speech *speech, size_t samples)
{
    const float sure = 0.5f;
    float *likelihood = NULL;
    *out = speech->language;
    if (speech->language >= 0)
        return MDM_OK;
    MDM_TRY(mdm_alloc(&likelihood, (size_t)whisper_lang_max_id() + 1, sizeof *likelihood, "languages"));
    *out = whisper_pcm_to_mel(speech->context, speech->window, (int)samples, speech->threads) != 0
               ? -1
               : whisper_lang_auto_detect(speech->context, 0, speech->threads, likelihood);
    if (*out >= 0 && likelihood[*out] >= sure)
        speech->language = *out;
    mdm_free(&likelihood);
    return *out >= 0 ? MDM_OK
                     : mdm_fail(MDM_ERR_INTERNAL, "whisper could not tell the language of a window at %.1f s",
                                speech->offset);
}

static mdm_status recognise(mdm_speech *speech, size_t count)
{
    int language;
    size_t padded = count < MIN_WINDOW ? MIN_WINDOW : count;
    if (count == 0 || mdm_loudness(speech->window, count) < SILENCE)
        return MDM_OK;
    memset(speech->window + count, 0, (padded - count) * sizeof(float));
    bool spoken;
    MDM_TRY(may_speak(&spoken, speech, padded));
    if (!spoken)
        return MDM_OK;
    MDM_TRY(find_language(&language, speech, padded));
    struct whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
    params.n_threads = speech->threads;
    params.no_context = true;    /* a window must not depend on the one before, or errors run on */
    params.no_timestamps = true; /* one pass a window: no seeking inside it, and the alignment sees all of it */
    params.single_segment = true;
    params.token_timestamps = false;
    params.print_progress = params.print_realtime = params.print_timestamps = params.print_special = false;
    params.language = whisper_lang_str(language);
    params.translate = false;
    params.suppress_nst = true;
    size_t first = speech->count;
    if (whisper_full(speech->context, params, speech->window, (int)padded) != 0)
        return mdm_fail(MDM_ERR_INTERNAL, "whisper could not process a window at %.1f s", speech->offset);
    MDM_TRY(take_tokens(speech));
    MDM_TRY(settle_times(speech, first, count));
    for (size_t i = first; i < speech->count; i++) {
        speech->found[i].start += speech->offset;
        speech->found[i].end += speech->offset;
    }
    return MDM_OK;
}

mdm_status mdm_speech_feed(mdm_speech *speech, const float *samples, size_t count)
{
    while (count > 0) {
        size_t take = WINDOW - speech->filled < count ? WINDOW - speech->filled : count;
        memcpy(speech->window + speech->filled, samples, take * sizeof *samples);
        speech->filled += take;
        samples += take;
        count -= take;
        if (speech->filled == WINDOW) {
            size_t cut = mdm_quiet_moment(speech->window, WINDOW, SEARCH);
            MDM_TRY(recognise(speech, cut));
            memmove(speech->window, speech->window + cut, (WINDOW - cut) * sizeof(float));
            speech->filled = WINDOW - cut;
            speech->offset += (double)cut / MDM_SPEECH_RATE;
        }
    }
    return MDM_OK;
}

mdm_status mdm_speech_finish(mdm_speech *speech, const mdm_word **words, size_t *count)
{
    MDM_TRY(recognise(speech, speech->filled));
    speech->filled = 0;
    mdm_free(&speech->words);
    MDM_TRY(mdm_alloc(&speech->words, speech->count, sizeof *speech->words, "words"));
    for (size_t i = 0; i < speech->count; i++)
        speech->words[i] = (mdm_word){(const char *)speech->pool.data + speech->found[i].text, speech->found[i].start,
                                      speech->found[i].end, speech->found[i].p};
    *words = speech->words;
    *count = speech->count;
    return MDM_OK;
}
