/* Encoding FLAC with FFmpeg into a growing buffer. */
#include "media/flac.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>

#include "base/status.h"

typedef struct encoder {
    AVCodecContext *codec;
    AVFormatContext *format;
    AVFrame *frame;
    AVPacket *packet;
} encoder;

static mdm_status no_flac(const char *what)
{
    return mdm_fail(MDM_ERR_DEVICE, "FLAC: %s; is FFmpeg built with its FLAC encoder?", what);
}

static mdm_status open_encoder(encoder *e, int rate)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_FLAC);
    e->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    e->frame = av_frame_alloc();
    e->packet = av_packet_alloc();
    if (!e->codec || !e->frame || !e->packet)
        return no_flac("no encoder");
    e->codec->sample_fmt = AV_SAMPLE_FMT_S16;
    e->codec->sample_rate = rate;
    e->codec->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
    e->codec->flags |= AV_CODEC_FLAG_BITEXACT;
    if (avcodec_open2(e->codec, codec, NULL) < 0)
        return no_flac("the encoder does not open");
    if (avformat_alloc_output_context2(&e->format, NULL, "flac", NULL) < 0)
        return no_flac("no such container");
    e->format->flags |= AVFMT_FLAG_BITEXACT;
    AVStream *stream = avformat_new_stream(e->format, NULL);
    if (!stream || avcodec_parameters_from_context(stream->codecpar, e->codec) < 0 ||
        avio_open_dyn_buf(&e->format->pb) < 0 || avformat_write_header(e->format, NULL) < 0)
        return no_flac("the container does not open");
    return MDM_OK;
}

static mdm_status drain(encoder *e, const AVFrame *frame)
{
    if (avcodec_send_frame(e->codec, frame) < 0)
        return mdm_fail(MDM_ERR_INTERNAL, "FLAC: the encoder takes no more");
    for (;;) {
        const int got = avcodec_receive_packet(e->codec, e->packet);
        if (got == AVERROR(EAGAIN) || got == AVERROR_EOF)
            return MDM_OK;
        if (got < 0 || av_write_frame(e->format, e->packet) < 0)
            return mdm_fail(MDM_ERR_INTERNAL, "FLAC: encoding failed");
        av_packet_unref(e->packet);
    }
}

static mdm_status encode(encoder *e, const float *samples, size_t count)
{
    const size_t block = e->codec->frame_size > 0 ? (size_t)e->codec->frame_size : 4096;
    for (size_t at = 0; at < count; at += block) {
        const size_t n = count - at < block ? count - at : block;
        av_frame_unref(e->frame);
        e->frame->format = e->codec->sample_fmt;
        e->frame->sample_rate = e->codec->sample_rate;
        e->frame->nb_samples = (int)n;
        e->frame->pts = (int64_t)at;
        if (av_channel_layout_copy(&e->frame->ch_layout, &e->codec->ch_layout) < 0 ||
            av_frame_get_buffer(e->frame, 0) < 0)
            return mdm_fail(MDM_ERR_MEMORY, "FLAC: no memory for a block");
        int16_t *to = (int16_t *)(void *)e->frame->data[0];
        for (size_t i = 0; i < n; i++) {
            const float x = samples[at + i];
            to[i] = (int16_t)lrintf(32767.0f * (x > 1 ? 1 : x < -1 ? -1 : x));
        }
        MDM_TRY(drain(e, e->frame));
    }
    return drain(e, NULL);
}

mdm_status mdm_flac_encode(mdm_buffer *out, const float *samples, size_t count, int rate)
{
    encoder e = {0};
    mdm_status status = open_encoder(&e, rate);
    if (status == MDM_OK)
        status = encode(&e, samples, count);
    if (status == MDM_OK && av_write_trailer(e.format) < 0)
        status = mdm_fail(MDM_ERR_INTERNAL, "FLAC: the file could not be ended");
    if (e.format && e.format->pb) {
        uint8_t *bytes = NULL;
        const int size = avio_close_dyn_buf(e.format->pb, &bytes);
        if (status == MDM_OK)
            status = mdm_buffer_append(out, bytes, (size_t)size);
        if (bytes)
            mdm_wipe(bytes, (size_t)size);
        av_free(bytes);
    }
    avformat_free_context(e.format);
    avcodec_free_context(&e.codec);
    av_frame_free(&e.frame);
    av_packet_free(&e.packet);
    return status;
}
