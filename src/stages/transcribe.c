/* The transcribe stage: words with times, and which of them are personal. */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "media/clip_file.h"
#include "models/speech.h"
#include "models/whisper_models.h"
#include "stages/stage.h"
#include "stages/transcribe_gemini.h"
#include "stages/transcript.h"

static mdm_status listen(mdm_speech *speech, mdm_audio *audio, const mdm_clip_work *work, double length)
{
    enum { BLOCK = MDM_SPEECH_RATE };
    float *samples = NULL;
    MDM_TRY(mdm_alloc(&samples, BLOCK, sizeof *samples, "audio block"));
    mdm_status status = MDM_OK;
    double heard = 0;
    for (;;) {
        size_t got = 0;
        status = mdm_audio_read(&got, audio, samples, BLOCK);
        if (status != MDM_OK || got == 0)
            break;
        status = mdm_speech_feed(speech, samples, got);
        heard += (double)got / MDM_SPEECH_RATE;
        if (status == MDM_OK && !mdm_progress_update(work->progress, heard, length > heard ? length : heard))
            status = mdm_fail(MDM_ERR_CANCELLED, "transcription stopped");
        if (status != MDM_OK)
            break;
    }
    mdm_wipe(samples, BLOCK * sizeof *samples);
    mdm_free(&samples);
    return status;
}

/* tiny.en's threads mostly wait for each other, and clips run side by side. */
static int thread_count(const mdm_clip_work *work)
{
    return strcmp(work->settings->whisper_model, MDM_WHISPER_DEFAULT) == 0 ? 1 : work->threads;
}

static mdm_status open_vad(mdm_vad **out, const mdm_clip_work *work)
{
    char *path = NULL;
    *out = NULL;
    if (strcmp(work->settings->vad, "none") == 0)
        return MDM_OK;
    mdm_status status = mdm_join_path(&path, work->models, "silero_vad_16k_op15.onnx");
    if (status == MDM_OK)
        status = mdm_vad_open(out, path);
    mdm_free(&path);
    return status;
}

static mdm_status transcribe_whisper(const mdm_clip_work *work, mdm_audio *audio, double length, const char *path,
                                     const mdm_name_lists *lists)
{
    char *model = NULL;
    mdm_speech *speech = NULL;
    mdm_vad *vad = NULL;
    mdm_heard heard = {0};
    mdm_status status = mdm_whisper_model_file(&model, work->models, work->settings->whisper_model);
    if (status == MDM_OK)
        status = mdm_speech_open(&speech, model, thread_count(work));
    if (status == MDM_OK)
        status = mdm_speech_set_language(speech, work->settings->language);
    if (status == MDM_OK)
        status = open_vad(&vad, work);
    if (status == MDM_OK) {
        mdm_speech_use_vad(speech, vad);
        status = listen(speech, audio, work, length);
    }
    if (status == MDM_OK)
        status = mdm_speech_finish(speech, &heard.words, &heard.count);
    if (status == MDM_OK) {
        heard.language = mdm_speech_language(speech);
        status = mdm_transcript_write(path, &heard, lists, mdm_audio_describe(audio)->start);
    }
    mdm_speech_free(&speech);
    mdm_vad_free(&vad);
    mdm_free(&model);
    return status;
}

mdm_status mdm_stage_transcribe(mdm_clip_work *work)
{
    mdm_clip clip = {0};
    mdm_audio *audio = NULL;
    mdm_name_lists *lists = NULL;
    mdm_status (*const backend)(const mdm_clip_work *, mdm_audio *, double, const char *, const mdm_name_lists *) =
        strcmp(work->settings->transcribe, "gemini") ? transcribe_whisper : mdm_transcribe_gemini;
    char *path = NULL;
    const bool off = strcmp(work->settings->transcribe, "none") == 0;
    MDM_TRY(mdm_clip_read(&clip, work->folder));
    mdm_status status = mdm_join_path(&path, work->folder, "transcript.json");
    if (status == MDM_OK && !off && clip.has_audio)
        status = mdm_clip_open_audio(&audio, &clip, MDM_SPEECH_RATE, 1);
    if (status == MDM_OK && audio)
        status = mdm_name_lists_load(&lists, work->models);
    if (status == MDM_OK)
        status = audio ? backend(work, audio, clip.audio_duration, path, lists)
                       : mdm_transcript_write(path, &(mdm_heard){.language = "en"}, NULL, 0);
    mdm_name_lists_free(&lists);
    mdm_audio_free(&audio);
    mdm_free(&path);
    mdm_clip_free(&clip);
    return status;
}
