/* Decoding and resampling sound in blocks, kept on the video's clock (audio.h). */
#include "media/audio.h"

#include <libswresample/swresample.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "media/source.h"

#define GAP_SECONDS  0.02  /* a recorder's jitter is less; what is more is a hole, or sound that was there already */
#define LONGEST_HOLE 600.0 /* seconds of silence put in at once; more is a broken clock */

struct mdm_audio {
    mdm_source source;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
    struct SwrContext *resampler;
    AVChannelLayout in_layout; /* what the resampler was made for */
    int in_rate, in_format;
    mdm_audio_info info;
    mdm_audio_options options;
    bool ranged, draining, ended, flushed;
    bool started;
    int64_t position; /* samples produced so far; the next one sounds at base + position / rate */
    double base;      /* seconds after origin of sample 0 before trimming */
    float *queue;     /* interleaved samples decoded but not handed out */
    size_t queue_from, queue_size, queue_room; /* in samples a channel */
};

int mdm_aac_rate(int rate)
{
    static const int rates[] = {7350,  8000,  11025, 12000, 16000, 22050, 24000,
                                32000, 44100, 48000, 64000, 88200, 96000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        if (rates[i] >= rate)
            return rates[i];
    return 96000;
}

static mdm_status out_of_memory(const mdm_audio *audio)
{
    return mdm_fail(MDM_ERR_MEMORY, "%s: out of memory decoding its audio", audio->source.path);
}

/* Room for `extra` more samples behind those waiting. */
static mdm_status reserve(mdm_audio *audio, size_t extra)
{
    const size_t channels = (size_t)audio->info.channels;
    if (audio->queue_from > 0) {
        memmove(audio->queue, audio->queue + audio->queue_from * channels,
                audio->queue_size * channels * sizeof(float));
        audio->queue_from = 0;
    }
    if (audio->queue_size + extra <= audio->queue_room)
        return MDM_OK;
    const size_t room = audio->queue_size + extra + 4096;
    size_t values;
    if (!mdm_mul_size(&values, room, channels))
        return out_of_memory(audio);
    MDM_TRY(mdm_realloc(&audio->queue, values, sizeof(float), "audio"));
    audio->queue_room = room;
    return MDM_OK;
}

/* Takes `count` samples just written behind the queue, minus those outside the range asked for. */
static void accept(mdm_audio *audio, size_t count)
{
    const size_t channels = (size_t)audio->info.channels;
    const double rate = audio->info.rate;
    size_t skip = 0, keep = count;
    if (audio->ranged) {
        const double time = audio->base + (double)audio->position / rate;
        const double before = ceil((audio->options.from - time) * rate - 1e-6);
        const double until = ceil((audio->options.to - time) * rate - 1e-6);
        skip = before <= 0.0 ? 0 : before >= (double)count ? count : (size_t)before;
        const size_t end = until <= 0.0 ? 0 : until >= (double)count ? count : (size_t)until;
        keep = end > skip ? end - skip : 0;
        if (until <= (double)count)
            audio->ended = audio->flushed = true;
    }
    if (!audio->started && keep > 0) {
        audio->info.start = audio->base + ((double)audio->position + (double)skip) / rate;
        audio->started = true;
    }
    audio->position += (int64_t)count;
    if (skip > 0 && keep > 0) {
        float *at = audio->queue + (audio->queue_from + audio->queue_size) * channels;
        memmove(at, at + skip * channels, keep * channels * sizeof *at);
    }
    audio->queue_size += keep;
}

static mdm_status open_resampler(mdm_audio *audio, const AVFrame *frame)
{
    swr_free(&audio->resampler);
    AVChannelLayout out;
    av_channel_layout_default(&out, audio->info.channels);
    AVChannelLayout in = {0};
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC || frame->ch_layout.nb_channels < 1)
        av_channel_layout_default(&in, frame->ch_layout.nb_channels > 0 ? frame->ch_layout.nb_channels : 1);
    else
        av_channel_layout_copy(&in, &frame->ch_layout);
    int error = swr_alloc_set_opts2(&audio->resampler, &out, AV_SAMPLE_FMT_FLT, audio->info.rate, &in,
                                    (enum AVSampleFormat)frame->format, frame->sample_rate, 0, NULL);
    av_channel_layout_uninit(&in);
    if (error >= 0)
        error = swr_init(audio->resampler);
    if (error < 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: audio of %d Hz and %d channels cannot be converted; re-encode it as AAC",
                        audio->source.path, frame->sample_rate, frame->ch_layout.nb_channels);
    av_channel_layout_uninit(&audio->in_layout);
    av_channel_layout_copy(&audio->in_layout, &frame->ch_layout);
    audio->in_rate = frame->sample_rate;
    audio->in_format = frame->format;
    return MDM_OK;
}

/* Runs the resampler; `frame` NULL takes out what is still inside it. */
static mdm_status resample(mdm_audio *audio, const AVFrame *frame)
{
    const int in_count = frame ? frame->nb_samples : 0;
    const int room = swr_get_out_samples(audio->resampler, in_count);
    if (room <= 0)
        return MDM_OK;
    MDM_TRY(reserve(audio, (size_t)room));
    uint8_t *to = (uint8_t *)(audio->queue + (audio->queue_from + audio->queue_size) * (size_t)audio->info.channels);
    const int got =
        swr_convert(audio->resampler, &to, room, frame ? (const uint8_t **)frame->extended_data : NULL, in_count);
    if (got < 0)
        return out_of_memory(audio);
    accept(audio, (size_t)got);
    return MDM_OK;
}

/* Silence where the recording has none. */
static mdm_status put_silence(mdm_audio *audio, size_t count)
{
    while (count > 0 && !audio->ended) {
        const size_t part = count < 65536 ? count : 65536, channels = (size_t)audio->info.channels;
        MDM_TRY(reserve(audio, part));
        memset(audio->queue + (audio->queue_from + audio->queue_size) * channels, 0, part * channels * sizeof(float));
        accept(audio, part);
        count -= part;
    }
    return MDM_OK;
}

/* Puts a decoded frame at its time. */
static mdm_status take_frame(mdm_audio *audio)
{
    AVFrame *frame = audio->frame;
    const AVRational tb = audio->source.format->streams[audio->source.audio]->time_base;
    const int64_t pts = frame->best_effort_timestamp;
    const double rate = audio->info.rate;
    if (frame->nb_samples < 1 || frame->sample_rate < 1)
        return MDM_OK;
    if (audio->position == 0 && !audio->resampler) {
        audio->base = pts == AV_NOPTS_VALUE ? 0.0 : (double)pts * av_q2d(tb) - audio->options.origin;
    } else if (pts != AV_NOPTS_VALUE) {
        const double now =
            audio->base + (double)audio->position / rate + (double)swr_get_delay(audio->resampler, 1000000) / 1e6;
        const double ahead = (double)pts * av_q2d(tb) - audio->options.origin - now;
        if (ahead > GAP_SECONDS && ahead < LONGEST_HOLE)
            MDM_TRY(put_silence(audio, (size_t)llrint(ahead * rate)));
        else if (ahead < -(double)frame->nb_samples / frame->sample_rate && ahead > -LONGEST_HOLE)
            return MDM_OK; /* this sound was there already */
    }
    if (audio->ended)
        return MDM_OK;
    if (!audio->resampler || audio->in_rate != frame->sample_rate || audio->in_format != frame->format ||
        av_channel_layout_compare(&audio->in_layout, &frame->ch_layout) != 0)
        MDM_TRY(open_resampler(audio, frame));
    return resample(audio, frame);
}

/* Decodes until something waits in the queue or nothing is left. */
static mdm_status fill(mdm_audio *audio)
{
    while (audio->queue_size == 0 && !(audio->ended && audio->flushed)) {
        if (audio->ended) {
            audio->flushed = true;
            if (audio->resampler)
                MDM_TRY(resample(audio, NULL));
            continue;
        }
        int error = avcodec_receive_frame(audio->decoder, audio->frame);
        if (error >= 0) {
            const mdm_status status = take_frame(audio);
            av_frame_unref(audio->frame);
            MDM_TRY(status);
            continue;
        }
        if (error == AVERROR(ENOMEM))
            return out_of_memory(audio);
        if (error == AVERROR_EOF || audio->draining) {
            audio->ended = true;
            continue;
        }
        error = av_read_frame(audio->source.format, audio->packet);
        if (error < 0) {
            audio->draining = true;
            avcodec_send_packet(audio->decoder, NULL);
            continue;
        }
        if (audio->packet->stream_index == audio->source.audio)
            avcodec_send_packet(audio->decoder, audio->packet); /* damaged packets: the gap becomes silence */
        av_packet_unref(audio->packet);
    }
    return MDM_OK;
}

static mdm_status open_stream(mdm_audio *audio)
{
    const mdm_source *source = &audio->source;
    const AVStream *stream = source->format->streams[source->audio];
    const AVCodecParameters *codec = stream->codecpar;
    mdm_audio_info *info = &audio->info;
    MDM_TRY(mdm_source_decoder(&audio->decoder, source, source->audio, 1));
    audio->packet = av_packet_alloc();
    audio->frame = av_frame_alloc();
    if (!audio->packet || !audio->frame)
        return out_of_memory(audio);
    if (source->video >= 0)
        source->format->streams[source->video]->discard = AVDISCARD_ALL;
    snprintf(info->codec, sizeof info->codec, "%s", avcodec_get_name(codec->codec_id));
    info->source_rate = codec->sample_rate;
    info->source_channels = codec->ch_layout.nb_channels;
    info->rate = audio->options.rate > 0 ? audio->options.rate : mdm_aac_rate(codec->sample_rate);
    info->channels = audio->options.channels > 0 ? audio->options.channels : codec->ch_layout.nb_channels;
    info->channels = info->channels < 1 ? 1 : info->channels > 2 ? 2 : info->channels;
    info->duration = stream->duration > 0 ? (double)stream->duration * av_q2d(stream->time_base) : 0.0;
    if (audio->ranged && audio->options.from > 0.5) {
        const double time = audio->options.origin + audio->options.from - 0.5; /* decoders need a run-up */
        const int64_t target = (int64_t)(time / av_q2d(stream->time_base));
        if (avformat_seek_file(source->format, source->audio, INT64_MIN, target, target, 0) < 0)
            av_seek_frame(source->format, source->audio, INT64_MIN / 2, AVSEEK_FLAG_BACKWARD);
    }
    return fill(audio);
}

mdm_status mdm_audio_open(mdm_audio **out, const char *path, const mdm_audio_options *options)
{
    mdm_audio *audio;
    *out = NULL;
    MDM_TRY(mdm_alloc(&audio, 1, sizeof *audio, "audio"));
    mdm_status status = mdm_source_open(&audio->source, path, false);
    if (status != MDM_OK) {
        mdm_free(&audio);
        return status;
    }
    if (options)
        audio->options = *options;
    audio->ranged = audio->options.from != 0.0 || audio->options.to != 0.0;
    if (audio->ranged && !(audio->options.to > 0.0))
        audio->options.to = INFINITY;
    if (audio->source.audio >= 0)
        status = open_stream(audio);
    if (status != MDM_OK || audio->source.audio < 0 || audio->queue_size == 0)
        mdm_audio_free(&audio); /* no audio, or not a sample of it can be decoded */
    *out = audio;
    return status;
}

void mdm_audio_free(mdm_audio **audio)
{
    if (!audio || !*audio)
        return;
    swr_free(&(*audio)->resampler);
    av_channel_layout_uninit(&(*audio)->in_layout);
    av_frame_free(&(*audio)->frame);
    av_packet_free(&(*audio)->packet);
    avcodec_free_context(&(*audio)->decoder);
    mdm_source_close(&(*audio)->source);
    if ((*audio)->queue)
        mdm_wipe((*audio)->queue, (*audio)->queue_room * (size_t)(*audio)->info.channels * sizeof(float)); /* a voice */
    mdm_free(&(*audio)->queue);
    mdm_free(audio);
}

const mdm_audio_info *mdm_audio_describe(const mdm_audio *audio)
{
    return &audio->info;
}

mdm_status mdm_audio_read(size_t *got, mdm_audio *audio, float *samples, size_t room)
{
    const size_t channels = (size_t)audio->info.channels;
    *got = 0;
    while (*got < room) {
        MDM_TRY(fill(audio));
        if (audio->queue_size == 0)
            break;
        const size_t part = audio->queue_size < room - *got ? audio->queue_size : room - *got;
        memcpy(samples + *got * channels, audio->queue + audio->queue_from * channels,
               part * channels * sizeof *samples);
        audio->queue_from += part;
        audio->queue_size -= part;
        *got += part;
    }
    return MDM_OK;
}

mdm_status mdm_audio_read_all(float **samples, size_t *count, mdm_audio *audio, size_t max)
{
    enum { BLOCK = 65536 };
    const size_t channels = (size_t)audio->info.channels;
    size_t room = 0;
    *samples = NULL;
    *count = 0;
    for (;;) {
        if (room - *count < BLOCK) {
            size_t values;
            room = room ? room * 2 : (size_t)BLOCK * 4;
            mdm_status status =
                *count + BLOCK > max
                    ? mdm_fail(MDM_ERR_MEMORY, "%s: audio of more than %zu samples at once; use --segment",
                               audio->source.path, max)
                    : MDM_OK;
            if (status == MDM_OK && !mdm_mul_size(&values, room, channels))
                status = out_of_memory(audio);
            if (status == MDM_OK)
                status = mdm_realloc(samples, values, sizeof **samples, "audio");
            if (status != MDM_OK) {
                mdm_free(samples);
                return status;
            }
        }
        size_t got;
        const mdm_status status = mdm_audio_read(&got, audio, *samples + *count * channels, BLOCK);
        if (status != MDM_OK) {
            mdm_free(samples);
            return status;
        }
        if (got == 0)
            return MDM_OK;
        *count += got;
    }
}
