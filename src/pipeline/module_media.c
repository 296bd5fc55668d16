/* BMF's built-in modules by our own readers and writers: c_ffmpeg_decoder, c_ffmpeg_filter and c_ffmpeg_encoder; and mmdm_hash, which
 * writes down what passes it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "media/filter_node.h"
#include "pipeline/module.h"

enum { VIDEO, AUDIO };

/* A turn of a part of a module, whose packets go elsewhere. */
typedef struct redirect {
    mdm_turn *turn;
    int output;
} redirect;

static mdm_status give_elsewhere(void *engine, int output, mdm_packet *packet)
{
    const redirect *r = engine;
    (void)output;
    return mdm_turn_give(r->turn, r->output, packet);
}

/* ---- c_ffmpeg_decoder ------------------------------------------------------------------------------------------------- */

typedef struct decoder {
    mdm_decode_node video;
    mdm_listen_node sound;
    mdm_packet *first; /* was read to learn when the clip begins */
    int64_t video_at, sound_at;
    bool video_done, sound_done;
    double seconds; /* of the last frame given */
} decoder;

static void close_decoder(void *state)
{
    decoder *d = state;
    mdm_packet_drop(&d->first);
    mdm_reader_free(&d->video.reader);
    mdm_frames_free(&d->video.frames);
    mdm_audio_free(&d->sound.audio);
    mdm_free(&d);
}

static mdm_status keep_first(void *engine, int output, mdm_packet *packet)
{
    (void)output;
    ((decoder *)engine)->first = packet;
    return MDM_OK;
}

/* The first frame read is the one from which the sound's times count. */
static mdm_status open_sound(decoder *d, mdm_module_start *start, const char *path, double from, double to)
{
    const mdm_video_info *info = mdm_reader_video(d->video.reader);
    const mdm_frame *first = mdm_packet_frame(d->first);
    const double origin = (double)first->pts * info->time_base[0] / info->time_base[1];
    MDM_TRY(mdm_audio_open(&d->sound.audio, path,
                           &(mdm_audio_options){.origin = origin, .from = 0, .to = to > 0 ? to - from : 0}));
    if (!d->sound.audio) {
        d->sound_done = true;
        return MDM_OK;
    }
    start->out[AUDIO] = (mdm_port){.kind = MDM_PORT_AUDIO, .audio = *mdm_audio_describe(d->sound.audio)};
    return MDM_OK;
}

static mdm_status begin_decoder(decoder *d, mdm_module_start *start)
{
    static const char *const known[] = {"input_path", "start_time", "end_time", "vframes", NULL}, *const moot[] = {
                                                                                                      "dec_params",
                                                                                                      "hwaccel",
                                                                                                      "copyts",
                                                                                                      "loglevel", NULL};
    const char *path;
    double from, to, most;
    MDM_TRY(mdm_module_options(start, start->option, known, moot));
    MDM_TRY(mdm_module_text(&path, start, start->option, "input_path", NULL));
    MDM_TRY(mdm_module_number(&from, start, start->option, "start_time", 0, 0, 1e7));
    MDM_TRY(mdm_module_number(&to, start, start->option, "end_time", 0, 0, 1e7));
    MDM_TRY(mdm_module_number(&most, start, start->option, "vframes", 0, 0, 1e9));
    MDM_TRY(mdm_reader_open(&d->video.reader, path, &(mdm_reader_options){.start = from, .end = to, .threads = 1}));
    MDM_TRY(mdm_frames_new(&d->video.frames));
    mdm_turn peek = {.give = keep_first, .engine = d};
    MDM_TRY(mdm_decode_turn(&d->video, &peek));
    if (!d->first)
        return mdm_fail(MDM_ERR_INPUT, "no frame between %g and %g seconds", from, to);
    d->video.most = (size_t)most;
    start->out[VIDEO] = (mdm_port){.kind = MDM_PORT_VIDEO, .video = *mdm_reader_video(d->video.reader)};
    d->sound_done = !(start->used >> AUDIO & 1);
    return d->sound_done ? MDM_OK : open_sound(d, start, path, from, to);
}

static mdm_status open_decoder(void **state, mdm_module_start *start)
{
    decoder *d;
    MDM_TRY(mdm_alloc(&d, 1, sizeof *d, "a decoder"));
    *state = d;
    return begin_decoder(d, start);
}

/* Whichever is behind. */
static mdm_status turn_decoder(void *state, mdm_turn *turn)
{
    decoder *d = state;
    mdm_status status = MDM_OK;
    const bool video = !d->video_done && (d->sound_done || d->video.count == 0 || d->video_at <= d->sound_at);
    redirect to = {turn, video ? VIDEO : AUDIO};
    mdm_turn part = {.give = give_elsewhere, .engine = &to};
    if (d->first) {
        d->video_at = d->first->time;
        mdm_packet *first = d->first;
        d->first = NULL;
        return mdm_turn_give(turn, VIDEO, first);
    }
    if (video) {
        status = mdm_decode_turn(&d->video, &part);
        d->video_at = d->video.at;
        d->video_done = part.done;
    } else {
        const mdm_audio_info *info = mdm_audio_describe(d->sound.audio);
        status = mdm_listen_turn(&d->sound, &part);
        d->sound_at = (int64_t)llrint((info->start + (double)d->sound.count / info->rate) * 1e6);
        d->sound_done = part.done;
    }
    turn->done = d->video_done && d->sound_done;
    return status;
}

const mdm_module mdm_module_decoder = {.name = "c_ffmpeg_decoder",
                                       .outputs = {"video", "audio"},
                                       .open = open_decoder,
                                       .turn = turn_decoder,
                                       .close = close_decoder};

/* ---- c_ffmpeg_filter -------------------------------------------------------------------------------------------------- */

/* Names that open files or devices: a graph of pictures does not read others on the side. */
static bool is_allowed(const char *name)
{
    static const char *const refused[] = {"movie",   "amovie", "subtitles", "ass", "lavfi",
                                          "sendcmd", "zmq",    "frei0r",    NULL};
    for (int i = 0; refused[i]; i++)
        if (strcmp(name, refused[i]) == 0)
            return false;
    return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static mdm_status add_filter(mdm_buffer *chain, const mdm_module_start *start, const json_t *filter)
{
    const char *name, *para;
    MDM_TRY(mdm_module_text(&name, start, filter, "name", NULL));
    MDM_TRY(mdm_module_text(&para, start, filter, "para", ""));
    if (!is_allowed(name) || strpbrk(para, "[];,"))
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: filter '%.60s=%.60s' is not supported here; one filter with its parameters "
                        "a node or an entry of 'filters'",
                        start->node, name, para);
    return mdm_buffer_printf(chain, "%s%s%s%s", chain->size ? "," : "", name, para[0] ? "=" : "", para);
}

static mdm_status chain_of(mdm_buffer *chain, const mdm_module_start *start)
{
    static const char *const known[] = {"name", "para", "filters", NULL};
    static const char *const single[] = {"name", "para", "inputs", "outputs", NULL};
    const json_t *filters = json_object_get(start->option, "filters");
    size_t i;
    json_t *filter;
    MDM_TRY(mdm_module_options(start, start->option, known, NULL));
    if (!filters)
        return add_filter(chain, start, start->option);
    if (!json_is_array(filters) || json_array_size(filters) == 0 || json_array_size(filters) > 64)
        return mdm_fail(MDM_ERR_INPUT, "%s: 'filters' is not a list of up to 64 filters", start->node);
    json_array_foreach(filters, i, filter)
    {
        if (json_array_size(json_object_get(filter, "inputs")) > 1 && i > 0)
            return mdm_fail(MDM_ERR_INPUT,
                            "%s: filter %zu joins several streams; only the first of a chain may. Make it a node",
                            start->node, i);
        MDM_TRY(mdm_module_options(start, filter, single, NULL));
        MDM_TRY(add_filter(chain, start, filter));
    }
    return MDM_OK;
}

static mdm_status open_filter(void **state, mdm_module_start *start)
{
    mdm_buffer chain = {0};
    mdm_video_info in[MDM_MODULE_PORTS];
    mdm_filter *filter = NULL;
    for (int i = 0; i < start->inputs; i++) {
        MDM_TRY(mdm_module_video_in(start, i));
        in[i] = start->in[i].video;
    }
    mdm_status status = chain_of(&chain, start);
    if (status == MDM_OK)
        status = mdm_filter_open(&filter, (const char *)chain.data, in, start->inputs);
    if (status == MDM_OK)
        start->out[0] = (mdm_port){.kind = MDM_PORT_VIDEO, .video = *mdm_filter_video(filter)};
    mdm_buffer_free(&chain);
    *state = filter;
    return status;
}

static void close_filter(void *state)
{
    mdm_filter *filter = state;
    mdm_filter_free(&filter);
}

const mdm_module mdm_module_filter = {.name = "c_ffmpeg_filter",
                                      .least_inputs = 1,
                                      .most_inputs = MDM_MODULE_PORTS,
                                      .outputs = {"video"},
                                      .order = MDM_IN_TIME,
                                      .open = open_filter,
                                      .turn = mdm_filter_turn,
                                      .close = close_filter};

/* ---- c_ffmpeg_encoder ------------------------------------------------------------------------------------------------- */

typedef struct encoder {
    mdm_writer *writer; /* NULL: null_output */
    mdm_filter *scale;  /* to the size that was asked for; NULL: it is that already */
    char *path;
    size_t frames;
} encoder;

static void close_encoder(void *state)
{
    encoder *e = state;
    mdm_writer_free(&e->writer);
    mdm_filter_free(&e->scale);
    mdm_free(&e->path);
    mdm_free(&e);
}

static mdm_status video_params(mdm_writer_options *out, encoder *e, const mdm_module_start *start,
                               mdm_video_info *video)
{
    static const char *const known[] = {"codec", "width", "height", "crf", "pix_fmt", NULL},
                             *const moot[] = {"preset",      "tune",        "profile",   "level", "threads",
                                              "bit_rate",    "max_fr",      "vsync",     "bf",    "g",
                                              "x264-params", "color_range", "time_base", NULL};
    const json_t *params = json_object_get(start->option, "video_params");
    const char *codec, *format;
    double width, height;
    MDM_TRY(mdm_module_options(start, params, known, moot));
    MDM_TRY(mdm_module_text(&codec, start, params, "codec", "h264"));
    MDM_TRY(mdm_module_text(&format, start, params, "pix_fmt", "yuv420p"));
    MDM_TRY(mdm_module_number(&width, start, params, "width", video->width, 2, 16384));
    MDM_TRY(mdm_module_number(&height, start, params, "height", video->height, 2, 16384));
    MDM_TRY(mdm_module_number(&out->quality, start, params, "crf", 0, 0, 51));
    if ((strcmp(codec, "h264") != 0 && strcmp(codec, "libx264") != 0) || strcmp(format, "yuv420p") != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: codec '%.30s' of '%.30s', only h264 of yuv420p is written", start->node,
                        codec, format);
    if ((int)width != video->width || (int)height != video->height) {
        char chain[64];
        snprintf(chain, sizeof chain, "scale=%d:%d", (int)width, (int)height);
        MDM_TRY(mdm_filter_open(&e->scale, chain, video, 1));
        *video = *mdm_filter_video(e->scale);
    }
    out->width = video->width;
    out->height = video->height;
    memcpy(out->time_base, video->time_base, sizeof out->time_base);
    memcpy(out->aspect, video->aspect, sizeof out->aspect);
    out->fps = video->fps;
    out->colour = video->colour;
    return MDM_OK;
}

static mdm_status audio_params(mdm_writer_options *out, const mdm_module_start *start)
{
    static const char *const known[] = {"codec", "sample_rate", "channels", NULL}, *const moot[] = {"bit_rate", NULL};
    const json_t *params = json_object_get(start->option, "audio_params");
    const mdm_audio_info *audio = &start->in[AUDIO].audio;
    const char *codec;
    double rate, channels;
    if (start->in[AUDIO].kind != MDM_PORT_AUDIO)
        return mdm_fail(MDM_ERR_INPUT, "%s: input %d is not sound", start->node, AUDIO);
    MDM_TRY(mdm_module_options(start, params, known, moot));
    MDM_TRY(mdm_module_text(&codec, start, params, "codec", "aac"));
    MDM_TRY(mdm_module_number(&rate, start, params, "sample_rate", audio->rate, 1, 1e6));
    MDM_TRY(mdm_module_number(&channels, start, params, "channels", audio->channels, 1, 64));
    if (strcmp(codec, "aac") != 0 || (int)rate != audio->rate || (int)channels != audio->channels)
        return mdm_fail(MDM_ERR_INPUT, "%s: sound as '%.30s', %d Hz, %d channels; aac, %d Hz, %d channels is written",
                        start->node, codec, (int)rate, (int)channels, audio->rate, audio->channels);
    out->audio_rate = audio->rate;
    out->audio_channels = audio->channels;
    out->audio_start = audio->start;
    return MDM_OK;
}

static mdm_status begin_encoder(encoder *e, mdm_module_start *start)
{
    static const char *const known[] = {"output_path", "video_params", "audio_params", "null_output", "format", NULL},
                             *const moot[] = {"mux_params", "vsync", "loglevel", "adjust_pts", NULL};
    mdm_video_info video = start->in[VIDEO].video;
    mdm_writer_options options = {.mark = "not protected: written by a graph"};
    const char *path, *format;
    MDM_TRY(mdm_module_options(start, start->option, known, moot));
    MDM_TRY(mdm_module_video_in(start, VIDEO));
    MDM_TRY(mdm_module_text(&format, start, start->option, "format", "mp4"));
    if (strcmp(format, "mp4") != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: format '%.30s', only mp4 is written", start->node, format);
    MDM_TRY(video_params(&options, e, start, &video));
    if (start->inputs > AUDIO && start->in[AUDIO].kind != MDM_PORT_NONE)
        MDM_TRY(audio_params(&options, start));
    start->out[0] = (mdm_port){.kind = MDM_PORT_JSON};
    const json_t *nothing = json_object_get(start->option, "null_output");
    if (json_is_true(nothing) || json_integer_value(nothing) == 1)
        return MDM_OK;
    MDM_TRY(mdm_module_text(&path, start, start->option, "output_path", NULL));
    MDM_TRY(mdm_strdup(&e->path, path));
    return mdm_writer_open(&e->writer, path, &options);
}

static mdm_status open_encoder(void **state, mdm_module_start *start)
{
    encoder *e;
    MDM_TRY(mdm_alloc(&e, 1, sizeof *e, "an encoder"));
    *state = e;
    return begin_encoder(e, start);
}

static mdm_status write_frame(void *engine, int output, mdm_packet *packet)
{
    encoder *e = engine;
    (void)output;
    e->frames++;
    const mdm_status status = e->writer ? mdm_writer_video(e->writer, mdm_packet_frame(packet)) : MDM_OK;
    mdm_packet_drop(&packet);
    return status;
}

static mdm_status turn_encoder(void *state, mdm_turn *turn)
{
    encoder *e = state;
    mdm_turn scaling = {.in = turn->in, .inputs = 1, .last = turn->last, .give = write_frame, .engine = e};
    const mdm_sound_block *sound = turn->inputs > AUDIO && turn->in[AUDIO] ? turn->in[AUDIO]->data : NULL;
    if (e->scale && (turn->in[VIDEO] || turn->last))
        MDM_TRY(mdm_filter_turn(e->scale, &scaling));
    else if (turn->in[VIDEO])
        MDM_TRY(write_frame(e, 0, mdm_packet_keep(turn->in[VIDEO])));
    if (sound && e->writer)
        MDM_TRY(mdm_writer_audio(e->writer, sound->samples, sound->count));
    if (!turn->last)
        return MDM_OK;
    if (e->writer)
        MDM_TRY(mdm_writer_finish(e->writer));
    return mdm_module_give_json(turn, 0,
                                json_pack("{s:I, s:s?}", "frames", (json_int_t)e->frames, "output_path", e->path));
}

const mdm_module mdm_module_encoder = {.name = "c_ffmpeg_encoder",
                                       .least_inputs = 1,
                                       .most_inputs = 2,
                                       .outputs = {"done"},
                                       .order = MDM_IN_TIME,
                                       .open = open_encoder,
                                       .turn = turn_encoder,
                                       .close = close_encoder};

/* ---- mmdm_hash -------------------------------------------------------------------------------------------------------- */

typedef struct hasher {
    char *path;
    mdm_port port;
    mdm_buffer text;
} hasher;

static void close_hash(void *state)
{
    hasher *h = state;
    mdm_buffer_free(&h->text);
    mdm_free(&h->path);
    mdm_free(&h);
}

static mdm_status open_hash(void **state, mdm_module_start *start)
{
    static const char *const known[] = {"path", NULL};
    const char *path;
    hasher *h;
    MDM_TRY(mdm_module_options(start, start->option, known, NULL));
    MDM_TRY(mdm_module_text(&path, start, start->option, "path", NULL));
    MDM_TRY(mdm_alloc(&h, 1, sizeof *h, "hashes"));
    h->port = start->out[0] = start->in[0];
    h->text.max = (size_t)1 << 30;
    *state = h;
    return mdm_strdup(&h->path, path);
}

static mdm_status turn_hash(void *state, mdm_turn *turn)
{
    hasher *h = state;
    char hash[65];
    if (turn->last)
        return mdm_file_write(h->path, h->text.data ? h->text.data : (unsigned char *)"", h->text.size);
    mdm_packet *packet = turn->in[0];
    if (h->port.kind == MDM_PORT_VIDEO) {
        const mdm_frame *frame = mdm_packet_frame(packet);
        MDM_TRY(mdm_frame_hash(hash, frame));
        MDM_TRY(mdm_buffer_printf(&h->text, "%lld %lld %d/%d %dx%d %s\n", (long long)frame->number,
                                  (long long)frame->pts, h->port.video.time_base[0], h->port.video.time_base[1],
                                  frame->rgb.width, frame->rgb.height, hash));
    } else if (h->port.kind == MDM_PORT_AUDIO) {
        const mdm_sound_block *block = packet->data;
        mdm_sha256_hex(hash, block->samples, block->count * (size_t)h->port.audio.channels * sizeof(float));
        MDM_TRY(mdm_buffer_printf(&h->text, "%lld %zu %s\n", (long long)packet->time, block->count, hash));
    }
    return mdm_turn_give(turn, 0, mdm_packet_keep(packet));
}

const mdm_module mdm_module_hash = {.name = "mmdm_hash",
                                    .least_inputs = 1,
                                    .most_inputs = 1,
                                    .outputs = {"same"},
                                    .open = open_hash,
                                    .turn = turn_hash,
                                    .close = close_hash};
