/* Reading and writing clip.json (clip_file.h). */
#include "media/clip_file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "media/source.h"

#define MAX_FILE ((size_t)512 << 20) /* a day at 30 frames a second is 40 MB of timestamps */

void mdm_clip_free(mdm_clip *clip)
{
    if (!clip)
        return;
    mdm_free(&clip->source);
    mdm_free(&clip->pts);
    memset(clip, 0, sizeof *clip);
}

static mdm_status get_text(char *out, size_t room, const json_t *object, const char *key, const char *where)
{
    const char *text;
    MDM_TRY(mdm_json_string(&text, object, key, where));
    snprintf(out, room, "%s", text);
    return MDM_OK;
}

static mdm_status get_int(int *out, const json_t *object, const char *key, long long min, long long max,
                          const char *where)
{
    long long value;
    MDM_TRY(mdm_json_int(&value, object, key, min, max, where));
    *out = (int)value;
    return MDM_OK;
}

static mdm_status read_video(mdm_clip *clip, const json_t *video, const char *path)
{
    json_t *pts, *base;
    MDM_TRY(get_int(&clip->width, video, "width", 1, MDM_MAX_SIDE, path));
    MDM_TRY(get_int(&clip->height, video, "height", 1, MDM_MAX_SIDE, path));
    MDM_TRY(get_int(&clip->rotation, video, "rotation", 0, 270, path));
    MDM_TRY(get_text(clip->codec, sizeof clip->codec, video, "codec", path));
    MDM_TRY(get_text(clip->pixel_format, sizeof clip->pixel_format, video, "pixel_format", path));
    clip->grey = json_is_true(json_object_get(video, "grey"));
    MDM_TRY(mdm_json_number(&clip->fps, video, "fps", path));
    MDM_TRY(mdm_json_array(&base, video, "time_base", path));
    for (size_t i = 0; i < 2; i++) {
        const json_t *value = json_array_get(base, i);
        const json_int_t number = json_integer_value(value);
        if (number < 1 || number > INT_MAX)
            return mdm_fail(MDM_ERR_INPUT, "%s: time_base: expected two positive integers; run ingest again", path);
        clip->time_base[i] = (int)number;
    }
    MDM_TRY(mdm_json_array(&pts, video, "pts", path));
    clip->frames = json_array_size(pts);
    if (clip->frames < 1)
        return mdm_fail(MDM_ERR_INPUT, "%s: pts is empty; run ingest again", path);
    MDM_TRY(mdm_alloc(&clip->pts, clip->frames, sizeof *clip->pts, "timestamps"));
    for (size_t i = 0; i < clip->frames; i++) {
        const json_t *value = json_array_get(pts, i);
        clip->pts[i] = json_integer_value(value);
        if (!json_is_integer(value) || (i > 0 && clip->pts[i] <= clip->pts[i - 1]))
            return mdm_fail(MDM_ERR_INPUT, "%s: pts[%zu]: expected integers that rise; run ingest again", path, i);
    }
    return MDM_OK;
}

static mdm_status read_clip(mdm_clip *clip, const json_t *root, const char *path)
{
    json_t *source, *video;
    char kind[16];
    const char *name;
    double bytes;
    MDM_TRY(get_text(clip->clip_id, sizeof clip->clip_id, root, "clip_id", path));
    MDM_TRY(get_text(kind, sizeof kind, root, "kind", path));
    clip->still = strcmp(kind, "still") == 0;
    MDM_TRY(mdm_json_object(&source, root, "source", path));
    MDM_TRY(mdm_json_string(&name, source, "path", path));
    MDM_TRY(mdm_strdup(&clip->source, name));
    MDM_TRY(get_text(clip->sha256, sizeof clip->sha256, source, "sha256", path));
    MDM_TRY(mdm_json_number(&bytes, source, "bytes", path));
    clip->bytes = bytes > 0.0 ? (uint64_t)bytes : 0;
    MDM_TRY(mdm_json_number(&clip->start, source, "start", path));
    MDM_TRY(mdm_json_number(&clip->end, source, "end", path));
    MDM_TRY(get_text(clip->damage, sizeof clip->damage, source, "damage", path));
    MDM_TRY(mdm_json_object(&video, root, "video", path));
    MDM_TRY(read_video(clip, video, path));
    const json_t *audio = json_object_get(root, "audio");
    if (json_is_object(audio)) {
        clip->has_audio = true;
        MDM_TRY(get_text(clip->audio_codec, sizeof clip->audio_codec, audio, "codec", path));
        MDM_TRY(get_int(&clip->audio_rate, audio, "rate", 1, 1000000, path));
        MDM_TRY(get_int(&clip->audio_channels, audio, "channels", 1, 1024, path));
        MDM_TRY(mdm_json_number(&clip->audio_start, audio, "start", path));
        MDM_TRY(mdm_json_number(&clip->audio_duration, audio, "duration", path));
    }
    return MDM_OK;
}

mdm_status mdm_clip_read(mdm_clip *out, const char *folder)
{
    char *path;
    json_t *root = NULL;
    memset(out, 0, sizeof *out);
    MDM_TRY(mdm_join_path(&path, folder, "clip.json"));
    mdm_status status = mdm_json_load(&root, path, MAX_FILE);
    if (status == MDM_OK)
        status = read_clip(out, root, path);
    if (status != MDM_OK)
        mdm_clip_free(out);
    json_decref(root);
    mdm_free(&path);
    return status;
}

mdm_status mdm_clip_write(const mdm_clip *clip, const char *folder)
{
    json_t *pts = json_array();
    for (size_t i = 0; i < clip->frames; i++)
        json_array_append_new(pts, json_integer(clip->pts[i]));
    json_t *audio = json_null();
    if (clip->has_audio)
        audio = json_pack("{s:s, s:i, s:i, s:f, s:f}", "codec", clip->audio_codec, "rate", clip->audio_rate, "channels",
                          clip->audio_channels, "start", clip->audio_start, "duration", clip->audio_duration);
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:{s:s, s:s, s:I, s:f, s:f, s:s}, s:{s:i, s:i, s:i, s:s, s:s, s:b, s:I, s:[i, i], s:o, s:f, "
        "s:[]}, s:o}",
        "version", 1, "clip_id", clip->clip_id, "kind", clip->still ? "still" : "video", "source", "path", clip->source,
        "sha256", clip->sha256, "bytes", (json_int_t)clip->bytes, "start", clip->start, "end", clip->end, "damage",
        clip->damage, "video", "width", clip->width, "height", clip->height, "rotation", clip->rotation, "codec",
        clip->codec, "pixel_format", clip->pixel_format, "grey", (int)clip->grey, "frames", (json_int_t)clip->frames,
        "time_base", clip->time_base[0], clip->time_base[1], "pts", pts, "fps", clip->fps, "cuts", "audio", audio);
    if (!root) /* jansson takes UTF-8 only */
        return mdm_fail(MDM_ERR_INPUT, "%s: clip.json cannot be made: the recording's name is not UTF-8; rename it",
                        clip->source);
    char *path = NULL;
    mdm_status status = mdm_join_path(&path, folder, "clip.json");
    if (status == MDM_OK)
        status = mdm_json_save(root, path);
    json_decref(root);
    mdm_free(&path);
    return status;
}

double mdm_clip_time(const mdm_clip *clip, size_t number)
{
    return (double)(clip->pts[number] - clip->pts[0]) * clip->time_base[0] / clip->time_base[1];
}

double mdm_clip_length(const mdm_clip *clip)
{
    const double last = mdm_clip_time(clip, clip->frames - 1);
    return last + (clip->frames > 1 ? last / (double)(clip->frames - 1) : clip->fps > 0.0 ? 1.0 / clip->fps : 0.04);
}

mdm_status mdm_clip_open_video(mdm_reader **out, const mdm_clip *clip, int threads)
{
    return mdm_reader_open(out, clip->source,
                           &(mdm_reader_options){.start = clip->start, .end = clip->end, .threads = threads});
}

mdm_status mdm_clip_open_audio(mdm_audio **out, const mdm_clip *clip, int rate, int channels)
{
    mdm_audio_options options = {.rate = rate, .channels = channels};
    options.origin = (double)clip->pts[0] * clip->time_base[0] / clip->time_base[1];
    if (clip->start > 0.0 || clip->end > 0.0) { /* a part: its sound is cut to its frames */
        options.from = 0.0;
        options.to = mdm_clip_length(clip);
    }
    return mdm_audio_open(out, clip->source, &options);
}
