/* Reading frames: seeking, decoding, timestamps and damage (reader.h). Turning what the decoder gives into upright 8-bit
 * planes is in upright.c. */
#include "media/reader.h"

#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "media/frame_store.h"
#include "media/source.h"
#include "media/upright.h"

enum { BIG_PICTURE = 1920 * 1088 };

struct mdm_reader {
    mdm_source source;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *decoded;
    mdm_upright *upright;
    mdm_video_info info;
    int64_t first;       /* pts of the clip's first frame; AV_NOPTS_VALUE until known */
    int64_t from, until; /* frames with from <= pts < until are delivered */
    int64_t last;        /* pts of the frame before, AV_NOPTS_VALUE at the start and after a seek */
    int64_t step;        /* a frame's usual duration, for frames without a timestamp */
    int64_t number;      /* of the next frame delivered */
    bool draining, ended;
    bool pending; /* `decoded` holds a frame that has not been looked at */
    int64_t bad_packets, bad_frames, repaired;
    bool cut_short;
    char damage[256];
};

static void fill_info(mdm_reader *reader)
{
    const mdm_source *source = &reader->source;
    const AVStream *stream = source->format->streams[source->video];
    const AVCodecParameters *codec = stream->codecpar;
    mdm_video_info *info = &reader->info;
    info->still = source->still;
    snprintf(info->container, sizeof info->container, "%s", source->format->iformat->name);
    snprintf(info->codec, sizeof info->codec, "%s", avcodec_get_name(codec->codec_id));
    const char *pixels = codec->format >= 0 ? av_get_pix_fmt_name((enum AVPixelFormat)codec->format) : NULL;
    snprintf(info->pixel_format, sizeof info->pixel_format, "%s", pixels ? pixels : "unknown");
    info->time_base[0] = stream->time_base.num;
    info->time_base[1] = stream->time_base.den;
    const AVRational rate = stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : stream->r_frame_rate;
    info->fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0.0;
    info->frames = stream->nb_frames > 0 ? stream->nb_frames : 0;
    info->duration = stream->duration > 0           ? (double)stream->duration * av_q2d(stream->time_base)
                     : source->format->duration > 0 ? (double)source->format->duration / AV_TIME_BASE
                                                    : 0.0;
    const int64_t step = rate.num > 0 ? av_rescale_q(1, av_inv_q(rate), stream->time_base) : 1;
    reader->step = step > 0 ? step : 1;
}

static int64_t seconds_to_pts(const mdm_reader *reader, double seconds)
{
    const AVStream *stream = reader->source.format->streams[reader->source.video];
    const double value = ceil(seconds / av_q2d(stream->time_base) - 1e-6);
    return value > 9e17 ? (int64_t)9e17 : value < -9e17 ? -(int64_t)9e17 : (int64_t)value;
}

/* Puts the demuxer at a key frame not after `pts`, `back` seconds further back. */
static void seek_before(mdm_reader *reader, int64_t pts, double back)
{
    AVFormatContext *format = reader->source.format;
    const int64_t target = back > 0.0 ? pts - seconds_to_pts(reader, back) : pts;
    if (avformat_seek_file(format, reader->source.video, INT64_MIN, target, target, 0) < 0 &&
        av_seek_frame(format, reader->source.video, INT64_MIN / 2, AVSEEK_FLAG_BACKWARD) < 0)
        avformat_seek_file(format, -1, INT64_MIN, 0, INT64_MAX, AVSEEK_FLAG_BYTE);
    avcodec_flush_buffers(reader->decoder);
    reader->draining = reader->ended = reader->pending = false;
    reader->last = AV_NOPTS_VALUE;
}

void mdm_reader_free(mdm_reader **reader)
{
    if (!reader || !*reader)
        return;
    mdm_upright_free(&(*reader)->upright);
    av_frame_free(&(*reader)->decoded);
    av_packet_free(&(*reader)->packet);
    avcodec_free_context(&(*reader)->decoder);
    mdm_source_close(&(*reader)->source);
    mdm_free(reader);
}

const mdm_video_info *mdm_reader_video(const mdm_reader *reader)
{
    return &reader->info;
}

/* Feeds the decoder one packet of the video stream, or tells it that there are no more. */
static void feed(mdm_reader *reader)
{
    for (;;) {
        const int error = av_read_frame(reader->source.format, reader->packet);
        if (error < 0) {
            reader->cut_short |= error != AVERROR_EOF;
            reader->draining = true;
            avcodec_send_packet(reader->decoder, NULL);
            return;
        }
        if (reader->packet->stream_index == reader->source.video)
            break;
        av_packet_unref(reader->packet);
    }
    if (reader->packet->flags & AV_PKT_FLAG_CORRUPT)
        reader->bad_packets++;
    const int error = avcodec_send_packet(reader->decoder, reader->packet);
    if (error < 0 && error != AVERROR(EAGAIN) && error != AVERROR_EOF)
        reader->bad_packets++; /* what can be decoded is; the rest is reported */
    av_packet_unref(reader->packet);
}

/* The next decoded frame, whatever its time; *more false at the end. */
static mdm_status decode(mdm_reader *reader, bool *more)
{
    *more = false;
    if (reader->ended)
        return MDM_OK;
    for (;;) {
        av_frame_unref(reader->decoded);
        const int error = avcodec_receive_frame(reader->decoder, reader->decoded);
        if (error == AVERROR(EAGAIN) && !reader->draining) {
            feed(reader);
            continue;
        }
        if (error == AVERROR(ENOMEM))
            return mdm_fail(MDM_ERR_MEMORY, "%s: out of memory decoding frame %lld", reader->source.path,
                            (long long)reader->number);
        if (error == AVERROR_EOF || error == AVERROR(EAGAIN)) {
            reader->ended = true;
            return MDM_OK;
        }
        if (error < 0) {
            reader->bad_packets++;
            continue;
        }
        break;
    }
    AVFrame *frame = reader->decoded;
    if (frame->decode_error_flags || frame->flags & AV_FRAME_FLAG_CORRUPT)
        reader->bad_frames++;
    int64_t pts = frame->best_effort_timestamp;
    if (pts == AV_NOPTS_VALUE)
        pts = reader->last == AV_NOPTS_VALUE ? 0 : reader->last + reader->step;
    if (reader->last != AV_NOPTS_VALUE && pts <= reader->last) { /* a muxer needs times that grow */
        pts = reader->last + 1;
        reader->repaired++;
    }
    frame->pts = reader->last = pts;
    *more = true;
    return MDM_OK;
}

/* Goes where decoding reaches the frame at `pts`. Open groups of pictures, pictures out of order and containers without an
 * index land after it now and then: further back then. */
static mdm_status seek_to(mdm_reader *reader, int64_t pts)
{
    static const double back[] = {0.0, 2.0, 10.0, 1e9};
    const int64_t repaired = reader->repaired;
    for (size_t i = 0; i < sizeof back / sizeof *back; i++) {
        bool more;
        seek_before(reader, pts, back[i]);
        MDM_TRY(decode(reader, &more));
        reader->pending = more;
        reader->repaired = repaired;
        if (more && reader->decoded->pts <= pts)
            break;
    }
    return MDM_OK;
}

mdm_status mdm_reader_open(mdm_reader **out, const char *path, const mdm_reader_options *options)
{
    static const mdm_reader_options defaults;
    options = options ? options : &defaults;
    mdm_reader *reader = NULL;
    *out = NULL;
    if (options->start < 0.0 || options->end < 0.0 || (options->end > 0.0 && options->end <= options->start))
        return mdm_fail(MDM_ERR_USAGE, "%s: start %g s and end %g s: expected 0 <= start < end", path, options->start,
                        options->end);
    MDM_TRY(mdm_alloc(&reader, 1, sizeof *reader, "a reader"));
    mdm_status status = mdm_source_open(&reader->source, path, true);
    if (status != MDM_OK) {
        mdm_free(&reader);
        return status;
    }
    const AVStream *stream = reader->source.format->streams[reader->source.video];
    /* One thread keeps concealment of damaged frames repeatable and leaves the other core to the encoder. */
    const bool big = (int64_t)stream->codecpar->width * stream->codecpar->height > BIG_PICTURE;
    status = mdm_source_decoder(&reader->decoder, &reader->source, reader->source.video, big ? options->threads : 1);
    reader->packet = av_packet_alloc();
    reader->decoded = av_frame_alloc();
    if (status == MDM_OK && (!reader->packet || !reader->decoded))
        status = mdm_fail(MDM_ERR_MEMORY, "%s: out of memory opening it", path);
    if (status == MDM_OK) {
        if (reader->source.audio >= 0)
            reader->source.format->streams[reader->source.audio]->discard = AVDISCARD_ALL;
        if (options->scan)
            reader->decoder->skip_loop_filter = AVDISCARD_ALL;
        fill_info(reader);
        status = mdm_upright_new(&reader->upright, &reader->info, stream);
    }
    if (status != MDM_OK) {
        mdm_reader_free(&reader);
        return status;
    }
    reader->first = reader->last = AV_NOPTS_VALUE;
    reader->from = INT64_MIN;
    reader->until = INT64_MAX;
    if (options->start > 0.0 || options->end > 0.0) {
        const int64_t start = mdm_source_video_start(&reader->source);
        const int64_t origin = start == AV_NOPTS_VALUE ? 0 : start;
        if (options->end > 0.0)
            reader->until = origin + seconds_to_pts(reader, options->end);
        if (options->start > 0.0) {
            reader->from = origin + seconds_to_pts(reader, options->start);
            status = seek_to(reader, reader->from);
        }
    }
    if (status != MDM_OK)
        mdm_reader_free(&reader);
    *out = reader;
    return status;
}

mdm_status mdm_reader_next(bool *more, mdm_reader *reader, mdm_frame *frame)
{
    do {
        *more = reader->pending;
        reader->pending = false;
        if (!*more)
            MDM_TRY(decode(reader, more));
        if (*more && reader->decoded->pts >= reader->until) {
            *more = false;
            reader->ended = true;
        }
    } while (*more && reader->decoded->pts < reader->from);
    if (!*more) {
        if (reader->number == 0)
            return mdm_fail(MDM_ERR_INPUT,
                            reader->from > INT64_MIN || reader->until < INT64_MAX
                                ? "%s: no frame lies between the start and end asked for; the recording is shorter"
                                : "%s: not one video frame can be decoded; the recording is damaged: copy it again",
                            reader->source.path);
        return MDM_OK;
    }
    const AVFrame *decoded = reader->decoded;
    const int64_t pts = decoded->pts, duration = decoded->pkt_duration;
    MDM_TRY(mdm_upright_frame(frame, reader->upright, reader->decoded));
    if (reader->first == AV_NOPTS_VALUE)
        reader->first = pts;
    frame->pts = pts;
    frame->duration = duration > 0 ? duration : 0;
    frame->number = reader->number++;
    frame->time = (double)(pts - reader->first) * reader->info.time_base[0] / reader->info.time_base[1];
    return MDM_OK;
}

mdm_status mdm_reader_seek(mdm_reader *reader, int64_t number, const int64_t *pts, size_t count)
{
    if (number < 0 || (uint64_t)number >= count)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: frame %lld of %zu was asked for", reader->source.path, (long long)number,
                        count);
    MDM_TRY(seek_to(reader, pts[number]));
    reader->first = pts[0];
    reader->from = pts[number];
    reader->number = number;
    return MDM_OK;
}

const char *mdm_reader_damage(mdm_reader *reader)
{
    char *to = reader->damage;
    const size_t room = sizeof reader->damage;
    const bool whole = reader->ended && reader->until == INT64_MAX && reader->from == INT64_MIN;
    const int64_t missing = whole ? reader->info.frames - reader->number : 0;
    const struct {
        int64_t count;
        const char *words;
    } notes[] = {
        {reader->bad_packets, "%lld damaged packets"},
        {reader->bad_frames, "%lld damaged frames"},
        {reader->repaired, "%lld timestamps that did not grow"},
        {reader->cut_short, "%lld early end of the file"},
        {missing > 2 ? missing : 0, "%lld frames fewer than the header says"}, /* one or two: an edit list hides them */
    };
    *to = '\0';
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        if (notes[i].count <= 0)
            continue;
        const size_t used = strlen(reader->damage);
        if (used)
            snprintf(to + used, room - used, ", ");
        const size_t at = strlen(reader->damage);
        snprintf(to + at, room - at, notes[i].words, (long long)notes[i].count);
    }
    return reader->damage;
}
