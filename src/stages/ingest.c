/* The ingest stage: opens the recording, hashes it, reads it once to its end and writes down every frame's timestamp, so
 * that all later stages agree on what frame 17 is. */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "media/clip_file.h"
#include "stages/stage.h"

#define GREY_EVERY 0.5 /* seconds between the frames looked at for colour */
#define GREY_SHARE 0.9

static mdm_status add_pts(mdm_clip *clip, size_t *room, int64_t pts)
{
    if (clip->frames == *room) {
        *room = *room ? *room * 2 : 1024;
        MDM_TRY(mdm_realloc(&clip->pts, *room, sizeof *clip->pts, "timestamps"));
    }
    clip->pts[clip->frames++] = pts;
    return MDM_OK;
}

/* Every frame's timestamp, and whether the picture has colour. */
static mdm_status read_frames(mdm_clip *clip, mdm_reader *reader, mdm_frame *frame, const mdm_progress *progress)
{
    const mdm_video_info *info = mdm_reader_video(reader);
    size_t room = 0, looked = 0, grey = 0;
    double next_look = 0.0;
    const double expected = info->frames > 0 ? (double)info->frames : info->duration * info->fps;
    for (;;) {
        bool more;
        MDM_TRY(mdm_reader_next(&more, reader, frame));
        if (!more)
            break;
        MDM_TRY(add_pts(clip, &room, frame->pts));
        if (frame->time >= next_look) {
            grey += mdm_frame_is_grey(frame);
            looked++;
            next_look = frame->time + GREY_EVERY;
        }
        const double done = (double)clip->frames;
        if (!mdm_progress_update(progress, done, done > expected ? done : expected))
            return mdm_fail(MDM_ERR_CANCELLED, "%s: stopped", clip->source);
    }
    clip->grey = (double)grey >= GREY_SHARE * (double)looked;
    return MDM_OK;
}

static mdm_status read_video(mdm_clip *clip, const mdm_clip_work *work)
{
    mdm_reader *reader;
    mdm_frame frame = {0};
    const mdm_reader_options options = {.start = clip->start, .end = clip->end, .threads = work->threads, .scan = true};
    MDM_TRY(mdm_reader_open(&reader, clip->source, &options));
    const mdm_status status = read_frames(clip, reader, &frame, work->progress);
    const mdm_video_info *info = mdm_reader_video(reader); /* a still tells its orientation only once it is read */
    clip->still = info->still;
    clip->width = info->width;
    clip->height = info->height;
    clip->rotation = info->rotation;
    memcpy(clip->codec, info->codec, sizeof clip->codec);
    memcpy(clip->pixel_format, info->pixel_format, sizeof clip->pixel_format);
    memcpy(clip->time_base, info->time_base, sizeof clip->time_base);
    if (status == MDM_OK) {
        const double length = mdm_clip_time(clip, clip->frames - 1);
        clip->fps = clip->frames > 1 && length > 0.0 ? (double)(clip->frames - 1) / length : 0.0;
        memcpy(clip->damage, mdm_reader_damage(reader), sizeof clip->damage);
        if (clip->damage[0])
            mdm_log(MDM_LOG_WARN, "%s: damaged (%s); what could be decoded, %zu frames, is used", clip->source,
                    clip->damage, clip->frames);
    }
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    return status;
}

static mdm_status read_audio(mdm_clip *clip)
{
    mdm_audio *audio;
    MDM_TRY(mdm_clip_open_audio(&audio, clip, 0, 0));
    if (audio) {
        const mdm_audio_info *info = mdm_audio_describe(audio);
        clip->has_audio = true;
        memcpy(clip->audio_codec, info->codec, sizeof clip->audio_codec);
        clip->audio_rate = info->source_rate;
        clip->audio_channels = info->source_channels;
        clip->audio_start = info->start;
        clip->audio_duration =
            clip->end > 0.0 || clip->start > 0.0 ? mdm_clip_length(clip) - info->start : info->duration;
    }
    mdm_audio_free(&audio);
    return MDM_OK;
}

static mdm_status fill_clip(mdm_clip *clip, const mdm_clip_work *work)
{
    MDM_TRY(mdm_strdup(&clip->source, work->source));
    if (strlen(work->clip_id) >= sizeof clip->clip_id)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: clip id is too long", work->clip_id);
    memcpy(clip->clip_id, work->clip_id, strlen(work->clip_id) + 1);
    clip->start = work->settings->start;
    clip->end = work->settings->end;
    MDM_TRY(read_video(clip, work)); /* first: it has the clearest words for a bad file */
    MDM_TRY(read_audio(clip));
    MDM_TRY(mdm_file_size(&clip->bytes, work->source));
    return mdm_sha256_file(clip->sha256, work->source);
}

mdm_status mdm_stage_ingest(mdm_clip_work *work)
{
    mdm_clip clip = {0};
    mdm_status status = fill_clip(&clip, work);
    if (status == MDM_OK)
        status = mdm_clip_write(&clip, work->folder);
    mdm_clip_free(&clip);
    return status;
}
