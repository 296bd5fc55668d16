/* Encoding and muxing (writer.h). Every flag that makes FFmpeg or x264 leave its name, settings or the time in the file is
 * turned off: a shared clip must say nothing about its source or the machine. */
#include "media/writer.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "media/frame_store.h"
#include "media/source.h"

enum { RECENT = 64 /* frames inside the encoder at a time are fewer */, DEFAULT_THREADS = 2 };
#define DEFAULT_QUALITY 19.0
#define KEY_SECONDS     1.0 /* between key frames: loaders seek often */

struct mdm_writer {
    char *path, *temporary, *url, *mark;
    AVFormatContext *format;
    AVCodecContext *video, *audio;
    AVStream *video_stream, *audio_stream;
    AVBSFContext *filter;
    AVPacket *packet;
    AVFrame *picture, *sound;
    int64_t first, last, last_key; /* pts of frames; first is AV_NOPTS_VALUE before any */
    double lead;                   /* seconds that audio starts before the first frame */
    int64_t audio_next;            /* pts of the next sample, in samples */
    int audio_filled;              /* samples waiting in `sound` */
    struct {
        int64_t pts, duration;
    } recent[RECENT];
    size_t recent_count;
    bool header, finished;
};

static mdm_status write_failed(const mdm_writer *writer, const char *what, int error)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    return mdm_fail(error == AVERROR(ENOMEM) ? MDM_ERR_MEMORY : MDM_ERR_WRITE,
                    "%s: %s: %s; check free space and permissions", writer->path, what, mdm_av_text(text, error));
}

static mdm_status open_video(mdm_writer *writer, const mdm_writer_options *options)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (!codec)
        return mdm_fail(MDM_ERR_DEVICE, "this FFmpeg has no libx264; install one that has (Debian: libavcodec59)");
    AVCodecContext *video = writer->video = avcodec_alloc_context3(codec);
    if (!video)
        return mdm_fail(MDM_ERR_MEMORY, "%s: out of memory opening the encoder", writer->path);
    const double fps = options->fps > 0.0 && options->fps < 1000.0 ? options->fps : 25.0;
    const int gop = (int)lrint(fps * KEY_SECONDS);
    video->width = options->width;
    video->height = options->height;
    video->pix_fmt = options->width % 2 || options->height % 2 ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
    video->time_base = (AVRational){options->time_base[0], options->time_base[1]};
    video->framerate = av_d2q(fps, 100000);
    video->gop_size = gop < 1 ? 1 : gop > 250 ? 250 : gop;
    video->thread_count = options->threads > 0 ? options->threads : DEFAULT_THREADS;
    video->color_range = options->colour.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    video->colorspace = (enum AVColorSpace)options->colour.matrix;
    video->color_primaries = (enum AVColorPrimaries)options->colour.primaries;
    video->color_trc = (enum AVColorTransferCharacteristic)options->colour.transfer;
    if (options->aspect[0] > 0 && options->aspect[1] > 0)
        video->sample_aspect_ratio = (AVRational){options->aspect[0], options->aspect[1]};
    video->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_CLOSED_GOP;
    av_opt_set(video->priv_data, "preset", "veryfast", 0);
    av_opt_set_double(video->priv_data, "crf", options->quality > 0.0 ? options->quality : DEFAULT_QUALITY, 0);
    av_opt_set(video->priv_data, "forced-idr", "1", 0);
    /* with AVX-512 this x264 (0.164) reads memory that nobody wrote there: the same frames gave other bytes */
    av_opt_set(video->priv_data, "mbtree", "0", 0);
    const int error = avcodec_open2(video, codec, NULL);
    if (error < 0)
        return write_failed(writer, "the H.264 encoder cannot be opened", error);
    return MDM_OK;
}

static mdm_status open_audio(mdm_writer *writer, const mdm_writer_options *options)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (!codec)
        return mdm_fail(MDM_ERR_DEVICE, "this FFmpeg has no AAC encoder");
    AVCodecContext *audio = writer->audio = avcodec_alloc_context3(codec);
    writer->sound = av_frame_alloc();
    if (!audio || !writer->sound)
        return mdm_fail(MDM_ERR_MEMORY, "%s: out of memory opening the encoder", writer->path);
    audio->sample_rate = options->audio_rate;
    audio->sample_fmt = AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&audio->ch_layout, options->audio_channels);
    audio->bit_rate = (options->audio_rate >= 32000 ? 80000 : 48000) * (int64_t)options->audio_channels;
    audio->time_base = (AVRational){1, options->audio_rate};
    audio->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    audio->thread_count = 1;
    int error = avcodec_open2(audio, codec, NULL);
    if (error < 0)
        return write_failed(writer, "the AAC encoder cannot be opened", error);
    writer->sound->format = audio->sample_fmt;
    writer->sound->nb_samples = audio->frame_size;
    writer->sound->sample_rate = audio->sample_rate;
    error = av_channel_layout_copy(&writer->sound->ch_layout, &audio->ch_layout);
    if (error >= 0)
        error = av_frame_get_buffer(writer->sound, 0);
    return error < 0 ? write_failed(writer, "no memory for audio", error) : MDM_OK;
}

/* x264 tells its version and settings in an SEI of the first frame; nothing else in SEI is needed to decode. */
static int open_filter(mdm_writer *writer)
{
    const AVBitStreamFilter *filter = av_bsf_get_by_name("filter_units");
    if (!filter)
        return AVERROR_BSF_NOT_FOUND;
    int error = av_bsf_alloc(filter, &writer->filter);
    if (error < 0)
        return error;
    error = avcodec_parameters_from_context(writer->filter->par_in, writer->video);
    writer->filter->time_base_in = writer->video->time_base;
    if (error >= 0)
        error = av_opt_set(writer->filter->priv_data, "remove_types", "6", 0);
    return error < 0 ? error : av_bsf_init(writer->filter);
}

static mdm_status open_muxer(mdm_writer *writer)
{
    int error = avformat_alloc_output_context2(&writer->format, NULL, "mp4", writer->url);
    if (error < 0)
        return write_failed(writer, "the MP4 writer cannot be opened", error);
    AVFormatContext *format = writer->format;
    format->flags |= AVFMT_FLAG_BITEXACT;
    writer->video_stream = avformat_new_stream(format, NULL);
    writer->audio_stream = writer->audio ? avformat_new_stream(format, NULL) : NULL;
    if (!writer->video_stream || (writer->audio && !writer->audio_stream))
        return mdm_fail(MDM_ERR_MEMORY, "%s: out of memory opening it", writer->path);
    error = open_filter(writer);
    if (error >= 0)
        error = avcodec_parameters_copy(writer->video_stream->codecpar, writer->filter->par_out);
    writer->video_stream->time_base = writer->video->time_base;
    writer->video_stream->avg_frame_rate = writer->video->framerate;
    writer->video_stream->sample_aspect_ratio = writer->video->sample_aspect_ratio;
    if (error >= 0 && writer->audio) {
        error = avcodec_parameters_from_context(writer->audio_stream->codecpar, writer->audio);
        writer->audio_stream->time_base = writer->audio->time_base;
    }
    if (error >= 0)
        error = av_dict_set(&format->metadata, "comment", writer->mark, 0);
    if (error < 0)
        return write_failed(writer, "its streams cannot be set up", error);
    error = avio_open(&format->pb, writer->url, AVIO_FLAG_WRITE);
    if (error < 0)
        return write_failed(writer, "cannot be created", error);
    AVDictionary *options = NULL;
    av_dict_set(&options, "movflags", "+faststart", 0);
    error = avformat_write_header(format, &options);
    av_dict_free(&options);
    if (error < 0)
        return write_failed(writer, "its header cannot be written", error);
    writer->header = true;
    return MDM_OK;
}

mdm_status mdm_writer_open(mdm_writer **out, const char *path, const mdm_writer_options *options)
{
    *out = NULL;
    if (options->width < 1 || options->height < 1 || options->width > MDM_MAX_SIDE || options->height > MDM_MAX_SIDE ||
        options->time_base[0] < 1 || options->time_base[1] < 1)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: size %d x %d or time base %d/%d cannot be written", path, options->width,
                        options->height, options->time_base[0], options->time_base[1]);
    if (options->audio_rate && (options->audio_channels < 1 || options->audio_channels > 2))
        return mdm_fail(MDM_ERR_INTERNAL, "%s: %d audio channels, expected 1 or 2", path, options->audio_channels);
    av_log_set_level(AV_LOG_QUIET);
    mdm_writer *writer;
    MDM_TRY(mdm_alloc(&writer, 1, sizeof *writer, "a writer"));
    writer->first = writer->last = AV_NOPTS_VALUE;
    mdm_status status = mdm_strdup(&writer->path, path);
    if (status == MDM_OK)
        status = mdm_strdup(&writer->mark, options->mark ? options->mark : MDM_SYNTHETIC_MARK);
    if (status == MDM_OK)
        status = mdm_temp_name(&writer->temporary, path);
    if (status == MDM_OK)
        status = mdm_format(&writer->url, "file:%s", writer->temporary);
    if (status == MDM_OK) {
        writer->packet = av_packet_alloc();
        writer->picture = av_frame_alloc();
        if (!writer->packet || !writer->picture)
            status = mdm_fail(MDM_ERR_MEMORY, "%s: out of memory opening it", path);
    }
    if (status == MDM_OK)
        status = open_video(writer, options);
    if (status == MDM_OK && options->audio_rate)
        status = open_audio(writer, options);
    if (status == MDM_OK)
        status = open_muxer(writer);
    if (status == MDM_OK && options->audio_rate) {
        writer->lead = options->audio_start < 0.0 ? -options->audio_start : 0.0;
        writer->audio_next = options->audio_start > 0.0 ? llrint(options->audio_start * options->audio_rate) : 0;
    }
    if (status != MDM_OK)
        mdm_writer_free(&writer);
    *out = writer;
    return status;
}

static int64_t recent_duration(const mdm_writer *writer, int64_t pts)
{
    for (size_t i = 0; i < RECENT && i < writer->recent_count; i++)
        if (writer->recent[i].pts == pts)
            return writer->recent[i].duration;
    return 0;
}

/* Hands a finished packet, in the encoder's time base, to the muxer. */
static int mux(mdm_writer *writer, AVStream *stream, AVRational time_base, double lead)
{
    AVPacket *packet = writer->packet;
    if (stream == writer->video_stream && packet->pts != AV_NOPTS_VALUE)
        packet->duration = recent_duration(writer, packet->pts);
    av_packet_rescale_ts(packet, time_base, stream->time_base);
    const int64_t shift = llrint(lead / av_q2d(stream->time_base));
    packet->pts += shift;
    packet->dts += shift;
    packet->stream_index = stream->index;
    return av_interleaved_write_frame(writer->format, packet);
}

static int drain_video(mdm_writer *writer)
{
    for (;;) {
        int error = avcodec_receive_packet(writer->video, writer->packet);
        if (error == AVERROR(EAGAIN))
            return 0;
        if (error < 0 && error != AVERROR_EOF)
            return error;
        const bool end = error == AVERROR_EOF;
        error = av_bsf_send_packet(writer->filter, end ? NULL : writer->packet);
        while (error >= 0) {
            error = av_bsf_receive_packet(writer->filter, writer->packet);
            if (error >= 0)
                error = mux(writer, writer->video_stream, writer->video->time_base, writer->lead);
        }
        if (error != AVERROR(EAGAIN) && error != AVERROR_EOF)
            return error;
        if (end)
            return 0;
    }
}

static int drain_audio(mdm_writer *writer)
{
    for (;;) {
        int error = avcodec_receive_packet(writer->audio, writer->packet);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            return 0;
        if (error >= 0)
            error = mux(writer, writer->audio_stream, writer->audio->time_base, 0.0);
        if (error < 0)
            return error;
    }
}

mdm_status mdm_writer_video(mdm_writer *writer, const mdm_frame *frame)
{
    const mdm_frame_store *store = frame->store;
    if (!store || store->still || store->planes->width != writer->video->width ||
        store->planes->height != writer->video->height || store->planes->format != (int)writer->video->pix_fmt)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: frame %lld is not of the size and kind the clip was opened with",
                        writer->path, (long long)frame->number);
    if (writer->first == AV_NOPTS_VALUE)
        writer->first = writer->last_key = frame->pts;
    else if (frame->pts <= writer->last)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: frame %lld does not come after the one before it", writer->path,
                        (long long)frame->number);
    AVFrame *picture = writer->picture;
    int error = av_frame_ref(picture, store->planes);
    if (error < 0)
        return write_failed(writer, "a frame cannot be handed to the encoder", error);
    picture->pts = frame->pts - writer->first;
    const double since_key = (double)(frame->pts - writer->last_key) * av_q2d(writer->video->time_base);
    picture->pict_type = AV_PICTURE_TYPE_NONE;
    if (frame->pts == writer->first || since_key >= KEY_SECONDS) { /* counted in seconds: the frame rate may vary */
        picture->pict_type = AV_PICTURE_TYPE_I;
        writer->last_key = frame->pts;
    }
    picture->key_frame = 0;
    picture->color_range = writer->video->color_range;
    const size_t slot = writer->recent_count++ % RECENT;
    writer->recent[slot].pts = picture->pts;
    writer->recent[slot].duration = frame->duration > 0              ? frame->duration
                                    : writer->last != AV_NOPTS_VALUE ? frame->pts - writer->last
                                                                     : 0;
    writer->last = frame->pts;
    error = avcodec_send_frame(writer->video, picture);
    av_frame_unref(picture);
    if (error >= 0)
        error = drain_video(writer);
    return error < 0 ? write_failed(writer, "writing video failed", error) : MDM_OK;
}

/* Sends what waits in `sound`: a whole AAC frame, or the shorter last one. */
static int send_sound(mdm_writer *writer)
{
    AVFrame *sound = writer->sound;
    sound->nb_samples = writer->audio_filled;
    sound->pts = writer->audio_next;
    writer->audio_next += writer->audio_filled;
    writer->audio_filled = 0;
    int error = avcodec_send_frame(writer->audio, sound);
    if (error >= 0)
        error = drain_audio(writer);
    sound->nb_samples = writer->audio->frame_size;
    if (error >= 0)
        error = av_frame_make_writable(sound);
    return error;
}

mdm_status mdm_writer_audio(mdm_writer *writer, const float *samples, size_t frames)
{
    if (!writer->audio)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: audio for a clip opened without any", writer->path);
    const int channels = writer->audio->ch_layout.nb_channels;
    int error = av_frame_make_writable(writer->sound);
    for (size_t i = 0; error >= 0 && i < frames; i++) {
        for (int c = 0; c < channels; c++) {
            const float value = samples[i * (size_t)channels + (size_t)c];
            ((float *)(void *)writer->sound->data[c])[writer->audio_filled] = isfinite(value) ? value : 0.0f;
        }
        if (++writer->audio_filled == writer->audio->frame_size)
            error = send_sound(writer);
    }
    return error < 0 ? write_failed(writer, "writing audio failed", error) : MDM_OK;
}

static mdm_status append_mark(mdm_writer *writer)
{
    mdm_buffer box = {0};
    mdm_status status = mdm_mark_mp4_box(&box, writer->mark);
    FILE *file = status == MDM_OK ? fopen(writer->temporary, "ab") : NULL;
    if (status == MDM_OK && !file)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be marked: %s", writer->path, strerror(errno));
    if (file) {
        const bool written = fwrite(box.data, 1, box.size, file) == box.size;
        if (fclose(file) != 0 || !written)
            status =
                mdm_fail(MDM_ERR_WRITE, "%s: cannot be marked: %s; check free space", writer->path, strerror(errno));
    }
    mdm_buffer_free(&box);
    return status;
}

mdm_status mdm_writer_finish(mdm_writer *writer)
{
    if (writer->first == AV_NOPTS_VALUE)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: a clip without frames", writer->path);
    int error = avcodec_send_frame(writer->video, NULL);
    if (error >= 0)
        error = drain_video(writer);
    if (error >= 0 && writer->audio) {
        if (writer->audio_filled > 0)
            error = send_sound(writer);
        if (error >= 0)
            error = avcodec_send_frame(writer->audio, NULL);
        if (error >= 0)
            error = drain_audio(writer);
    }
    if (error >= 0) {
        writer->header = false;
        error = av_write_trailer(writer->format);
    }
    if (error >= 0) {
        avio_flush(writer->format->pb);
        error = writer->format->pb->error;
    }
    const int closed = avio_closep(&writer->format->pb);
    if (error >= 0)
        error = closed;
    if (error < 0)
        return write_failed(writer, "finishing it failed", error);
    MDM_TRY(append_mark(writer));
    MDM_TRY(mdm_temp_commit(writer->temporary, writer->path));
    writer->finished = true;
    return MDM_OK;
}

void mdm_writer_free(mdm_writer **writer)
{
    if (!writer || !*writer)
        return;
    mdm_writer *w = *writer;
    if (w->format) {
        avio_closep(&w->format->pb);
        avformat_free_context(w->format);
    }
    av_bsf_free(&w->filter);
    avcodec_free_context(&w->video);
    avcodec_free_context(&w->audio);
    av_packet_free(&w->packet);
    av_frame_free(&w->picture);
    av_frame_free(&w->sound);
    if (!w->finished)
        mdm_temp_discard(w->temporary);
    mdm_free(&w->temporary);
    mdm_free(&w->url);
    mdm_free(&w->mark);
    mdm_free(&w->path);
    mdm_free(writer);
}
