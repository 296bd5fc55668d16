/* Sound in pieces to Gemini, words back. Times come from us: each piece is cut out by our own ears and its place is known; within one, words
 * have the times that a model made for transcription gives them, or none that could be cut by. */
#include "stages/transcribe_gemini.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "media/flac.h"
#include "models/activity.h"
#include "models/speech.h"
#include "stages/gemini.h"
#include "stages/transcript.h"

enum {
    RATE = MDM_SPEECH_RATE,
    LONG_PIECE = 120 * RATE, /* to a model made for transcription */
    SHORT_PIECE = 15 * RATE, /* to others: a personal word there costs all of its piece */
    LEAST_PIECE = 4 * RATE,  /* not cut in two any more */
    HOP = RATE / 100,
    AROUND = 30 * HOP, /* sound sent before the first and after the last thing that is heard */
    MAX_WORDS = 1 << 22,
    MAX_STRETCHES = 1 << 20,
};

static const float SILENCE = 1e-3f;         /* as for Whisper: nothing is said in a piece quieter than -60 dB */
static const double DEDICATED_MARGIN = 0.3; /* s; the times are said to be experimental, and nothing is aligned here */

typedef struct found_word {
    size_t text; /* offset into pool */
    double start, end;
} found_word;

typedef struct stretches {
    mdm_stretch *at;
    size_t count;
} stretches;

typedef struct listener {
    const mdm_clip_work *work;
    mdm_gemini *gemini;
    bool dedicated;
    double heard, length; /* s, for the progress */
    double offset;        /* s of the piece's first sample */
    found_word *found;
    size_t count, room;
    mdm_buffer pool;
    stretches rough, unheard;
    char language[16];
} listener;

/* What waits for Google asks this whether to go on. */
static bool keep_on(void *user, double done, double total)
{
    const listener *l = user;
    (void)done, (void)total;
    return mdm_progress_update(l->work->progress, l->heard, l->length > l->heard ? l->length : l->heard);
}

static mdm_status add_stretch(stretches *list, double start, double end)
{
    if (list->count >= MAX_STRETCHES)
        return mdm_fail(MDM_ERR_MEMORY, "a recording of more than %d pieces", MAX_STRETCHES);
    MDM_TRY(mdm_realloc(&list->at, list->count + 1, sizeof *list->at, "pieces"));
    list->at[list->count++] = (mdm_stretch){start, end};
    return MDM_OK;
}

static mdm_status add_word(listener *l, const char *text, double start, double end)
{
    if (l->count >= MAX_WORDS)
        return mdm_fail(MDM_ERR_MEMORY, "more than %d words in one recording", MAX_WORDS);
    if (l->count == l->room) {
        const size_t room = l->room ? l->room * 2 : 256;
        MDM_TRY(mdm_realloc(&l->found, room, sizeof *l->found, "words"));
        l->room = room;
    }
    l->found[l->count++] = (found_word){l->pool.size, start, end};
    return mdm_buffer_append(&l->pool, text, strlen(text) + 1);
}

static mdm_status take_words(listener *l, const mdm_gemini_answer *answer, double start, double end)
{
    if (answer->language[0] && !l->language[0])
        memcpy(l->language, answer->language, sizeof l->language);
    for (size_t i = 0; i < answer->count; i++)
        MDM_TRY(add_word(l, (const char *)answer->pool.data + answer->words[i].text, start + answer->words[i].start,
                         start + answer->words[i].end));
    return answer->count && !answer->timed ? add_stretch(&l->rough, start, end) : MDM_OK;
}

/* Sends samples that begin at `start` seconds; in two halves where the answer would be too long. */
static mdm_status ask(listener *l, const float *samples, size_t count, double start)
{
    const double seconds = (double)count / RATE;
    mdm_gemini_answer answer = {0};
    mdm_buffer flac = {0};
    mdm_status status = mdm_flac_encode(&flac, samples, count, RATE);
    if (!status)
        status = mdm_gemini_listen(&answer, l->gemini, &flac, seconds);
    if (flac.data)
        mdm_wipe(flac.data, flac.size);
    mdm_buffer_free(&flac);
    const bool again = !status && answer.cut_short && count >= 2 * LEAST_PIECE;
    if (!status && !again && (answer.cut_short || answer.refused[0])) {
        mdm_log(MDM_LOG_WARN, "%s: nothing came back for %.1f s of sound at %.1f s (%s): all of it is cut",
                l->work->clip_id, seconds, start, answer.refused[0] ? answer.refused : "too much is said");
        status = add_stretch(&l->unheard, start, start + seconds);
    } else if (!status && !again) {
        status = take_words(l, &answer, start, start + seconds);
    }
    mdm_gemini_answer_free(&answer);
    if (!again)
        return status;
    const size_t half = mdm_quiet_moment(samples, count * 3 / 4, count / 2);
    MDM_TRY(ask(l, samples, half, start));
    return ask(l, samples + half, count - half, start + (double)half / RATE);
}

/* Sends what is heard of a piece, without the silence around it. */
static mdm_status piece(listener *l, const float *samples, size_t count)
{
    const size_t frames = count / HOP;
    bool *sounds = NULL;
    if (!frames || mdm_loudness(samples, count) < SILENCE)
        return MDM_OK;
    MDM_TRY(mdm_alloc(&sounds, frames, sizeof *sounds, "sounding frames"));
    mdm_status status = mdm_find_sound(sounds, samples, frames);
    size_t first = 0, last = frames;
    while (first < frames && !sounds[first])
        first++;
    while (last > first && !sounds[last - 1])
        last--;
    mdm_free(&sounds);
    if (status || first == last)
        return status;
    const size_t from = first * HOP > AROUND ? first * HOP - AROUND : 0;
    const size_t to = last * HOP + AROUND < count ? last * HOP + AROUND : count;
    return ask(l, samples + from, to - from, l->offset + (double)from / RATE);
}

/* Reads the sound and hands it on piece by piece, cut at quiet moments. */
static mdm_status listen(listener *l, mdm_audio *audio)
{
    const size_t room = l->dedicated ? LONG_PIECE : SHORT_PIECE;
    float *samples = NULL;
    size_t filled = 0, got = 1;
    MDM_TRY(mdm_alloc(&samples, room, sizeof *samples, "sound"));
    mdm_status status = MDM_OK;
    while (!status && got) {
        status = mdm_audio_read(&got, audio, samples + filled, room - filled);
        filled += status ? 0 : got;
        if (status || (got && filled < room))
            continue;
        const size_t cut = got ? mdm_quiet_moment(samples, filled, room * 2 / 3) : filled;
        status = piece(l, samples, cut);
        memmove(samples, samples + cut, (filled - cut) * sizeof *samples);
        filled -= cut;
        l->offset += (double)cut / RATE;
        l->heard = l->offset;
        if (!status && !keep_on(l, 0, 0))
            status = mdm_fail(MDM_ERR_CANCELLED, "transcription stopped");
    }
    mdm_wipe(samples, room * sizeof *samples);
    mdm_free(&samples);
    return status;
}

static mdm_status write_heard(const listener *l, const char *path, const mdm_name_lists *lists, double shift)
{
    const mdm_settings *settings = l->work->settings;
    const bool told = strcmp(settings->language, "auto") != 0;
    mdm_word *words = NULL;
    MDM_TRY(mdm_alloc(&words, l->count, sizeof *words, "words"));
    for (size_t i = 0; i < l->count; i++)
        words[i] = (mdm_word){(const char *)l->pool.data + l->found[i].text, l->found[i].start, l->found[i].end, 1};
    const mdm_heard heard = {
        .words = words,
        .count = l->count,
        .language = l->language[0] ? l->language
                    : told         ? settings->language
                                   : "und",
        .rough = l->rough.at,
        .rough_count = l->rough.count,
        .unheard = l->unheard.at,
        .unheard_count = l->unheard.count,
        .margin = DEDICATED_MARGIN,
        .sent_to = mdm_gemini_host(l->gemini),
        .model = settings->gemini_model,
    };
    mdm_status status = mdm_transcript_write(path, &heard, lists, shift);
    mdm_free(&words);
    return status;
}

mdm_status mdm_transcribe_gemini(const mdm_clip_work *work, mdm_audio *audio, double length, const char *path,
                                 const mdm_name_lists *lists)
{
    listener l = {.work = work, .length = length, .dedicated = mdm_gemini_is_dedicated(work->settings->gemini_model)};
    const mdm_progress progress = {keep_on, &l};
    char *ledger = NULL;
    l.pool.max = (size_t)256 << 20;
    if (strcmp(work->settings->send_audio, "yes") != 0)
        return mdm_fail(MDM_ERR_USAGE, "nobody said that the sound may go to Google (--send-audio-to-google yes)");
    MDM_TRY(mdm_join_path(&ledger, work->folder, MDM_GEMINI_LEDGER));
    mdm_status status = mdm_gemini_open(&l.gemini, &(mdm_gemini_settings){.model = work->settings->gemini_model,
                                                                          .language = work->settings->language,
                                                                          .ledger = ledger,
                                                                          .progress = &progress});
    if (!status)
        status = mdm_gemini_sweep(ledger); /* of a run that was stopped */
    if (!status)
        mdm_log(MDM_LOG_INFO, "%s: its sound goes to %s (%s)", work->clip_id, mdm_gemini_host(l.gemini),
                work->settings->gemini_model);
    if (!status)
        status = listen(&l, audio);
    if (!status)
        status = write_heard(&l, path, lists, mdm_audio_describe(audio)->start);
    if (l.pool.data)
        mdm_wipe(l.pool.data, l.pool.size);
    mdm_buffer_free(&l.pool);
    mdm_free(&l.found);
    mdm_free(&l.rough.at);
    mdm_free(&l.unheard.at);
    mdm_gemini_free(&l.gemini);
    mdm_free(&ledger);
    return status;
}
