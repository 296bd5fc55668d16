/* Filters: frames are handed to libavfilter by reference and what it made is taken at once (filter_node.h). */
#include "media/filter_node.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/opt.h>
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "media/frame_store.h"
#include "media/source.h"

enum { MOST_INPUTS = 8 };

struct mdm_filter {
    AVFilterGraph *graph;
    AVFilterContext *in[MOST_INPUTS], *out;
    int inputs;
    mdm_video_info from, video; /* what goes in first, what comes out */
    mdm_yuv_matrix matrix;
    mdm_frames *frames;
    AVFrame *picture;
    int64_t number, first; /* of the frames that came out */
};

static mdm_status failed(const char *chain, const char *what, int error)
{
    char reason[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(error, reason, sizeof reason);
    return mdm_fail(MDM_ERR_INPUT, "filter '%.200s': %s: %s", chain, what, reason);
}

static int add_input(mdm_filter *f, int i, const mdm_video_info *in, int format)
{
    char name[16], text[256];
    snprintf(name, sizeof name, "in%d", i);
    snprintf(text, sizeof text, "video_size=%dx%d:pix_fmt=%d:time_base=%d/%d:pixel_aspect=%d/%d:frame_rate=%d/1000",
             in->width, in->height, format, in->time_base[0], in->time_base[1], in->aspect[0], in->aspect[1],
             (int)lrint(in->fps * 1000));
    return avfilter_graph_create_filter(&f->in[i], avfilter_get_by_name("buffer"), name, text, NULL, f->graph);
}

/* Puts the chain between buffers; its inputs and output have no labels. */
static int parse(mdm_filter *f, const char *chain, const mdm_video_info *in, int inputs, int format, int out_format)
{
    const enum AVPixelFormat formats[] = {(enum AVPixelFormat)out_format, AV_PIX_FMT_NONE};
    AVFilterInOut *open_in = NULL, *open_out = NULL;
    f->graph = avfilter_graph_alloc();
    if (!f->graph)
        return AVERROR(ENOMEM);
    f->graph->nb_threads = 1;
    int error = avfilter_graph_create_filter(&f->out, avfilter_get_by_name("buffersink"), "out", NULL, NULL, f->graph);
    if (error >= 0)
        error = av_opt_set_int_list(f->out, "pix_fmts", formats, AV_PIX_FMT_NONE, AV_OPT_SEARCH_CHILDREN);
    if (error >= 0)
        error = avfilter_graph_parse2(f->graph, chain, &open_in, &open_out);
    int i = 0;
    for (AVFilterInOut *at = open_in; at && error >= 0; at = at->next, i++) {
        error = i < inputs ? add_input(f, i, &in[i], format) : AVERROR(EINVAL);
        if (error >= 0)
            error = avfilter_link(f->in[i], 0, at->filter_ctx, (unsigned)at->pad_idx);
    }
    if (error >= 0 && (i != inputs || !open_out || open_out->next))
        error = AVERROR(EINVAL);
    if (error >= 0)
        error = avfilter_link(open_out->filter_ctx, (unsigned)open_out->pad_idx, f->out, 0);
    avfilter_inout_free(&open_in);
    avfilter_inout_free(&open_out);
    return error < 0 ? error : avfilter_graph_config(f->graph, NULL);
}

static void fill_info(mdm_filter *f)
{
    const AVRational base = av_buffersink_get_time_base(f->out), rate = av_buffersink_get_frame_rate(f->out),
                     aspect = av_buffersink_get_sample_aspect_ratio(f->out);
    f->video = f->from;
    f->video.width = av_buffersink_get_w(f->out);
    f->video.height = av_buffersink_get_h(f->out);
    f->video.time_base[0] = base.num;
    f->video.time_base[1] = base.den;
    f->video.fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : f->from.fps;
    f->video.aspect[0] = aspect.num > 0 ? aspect.num : 1;
    f->video.aspect[1] = aspect.num > 0 ? aspect.den : 1;
}

mdm_status mdm_filter_open(mdm_filter **out, const char *chain, const mdm_video_info *in, int inputs)
{
    mdm_filter *f;
    *out = NULL;
    if (inputs < 1 || inputs > MOST_INPUTS)
        return mdm_fail(MDM_ERR_INPUT, "filter '%.200s': %d inputs, expected 1 to %d", chain, inputs, MOST_INPUTS);
    MDM_TRY(mdm_alloc(&f, 1, sizeof *f, "a filter"));
    f->inputs = inputs;
    f->from = in[0];
    f->first = AV_NOPTS_VALUE;
    f->picture = av_frame_alloc();
    mdm_status status = f->picture ? mdm_frames_new(&f->frames) : mdm_fail(MDM_ERR_MEMORY, "no memory for a filter");
    const bool odd = in[0].width % 2 || in[0].height % 2;
    int error = 0;
    if (status == MDM_OK) {
        error = parse(f, chain, in, inputs, odd ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P);
        if (error >= 0 && (av_buffersink_get_w(f->out) % 2 || av_buffersink_get_h(f->out) % 2)) {
            avfilter_graph_free(&f->graph);
            error = parse(f, chain, in, inputs, odd ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV444P);
        }
        if (error < 0)
            status = failed(chain, "it cannot be built", error);
    }
    if (status == MDM_OK) {
        fill_info(f);
        if (f->video.width > MDM_MAX_SIDE || f->video.height > MDM_MAX_SIDE)
            status = mdm_fail(MDM_ERR_INPUT, "filter '%.200s': makes pictures of %d x %d, at most %d are taken", chain,
                              f->video.width, f->video.height, MDM_MAX_SIDE);
    }
    if (status != MDM_OK)
        mdm_filter_free(&f);
    *out = f;
    return status;
}

void mdm_filter_free(mdm_filter **filter)
{
    mdm_filter *f = *filter;
    if (!f)
        return;
    avfilter_graph_free(&f->graph);
    av_frame_free(&f->picture);
    mdm_frames_free(&f->frames);
    mdm_free(filter);
}

const mdm_video_info *mdm_filter_video(const mdm_filter *filter)
{
    return &filter->video;
}

static mdm_status give_frame(mdm_filter *f, mdm_turn *turn)
{
    mdm_packet *packet;
    AVFrame *picture = f->picture;
    const int64_t pts = picture->pts;
    const double base = (double)f->video.time_base[0] / f->video.time_base[1];
    if (f->first == AV_NOPTS_VALUE)
        f->first = pts;
    MDM_TRY(mdm_frames_take(&packet, f->frames));
    mdm_frame *frame = mdm_packet_frame(packet);
    const int64_t duration = picture->pkt_duration;
    const mdm_status status = mdm_frame_set(frame, picture->width, picture->height, picture, &f->matrix);
    if (status != MDM_OK) {
        mdm_packet_drop(&packet);
        return status;
    }
    frame->number = f->number++;
    frame->pts = pts;
    frame->duration = duration > 0 ? duration : 0;
    frame->time = (double)(pts - f->first) * base;
    packet->time = mdm_frame_micros(frame);
    return mdm_turn_give(turn, 0, packet);
}

static int push(mdm_filter *f, int input, const mdm_frame *frame)
{
    AVFrame *copy = av_frame_clone(frame->store->planes);
    if (!copy)
        return AVERROR(ENOMEM);
    copy->pts = frame->pts;
    copy->pkt_duration = frame->duration;
    copy->sample_aspect_ratio = (AVRational){f->from.aspect[0], f->from.aspect[1]};
    f->matrix = frame->store->matrix;
    const int error = av_buffersrc_add_frame(f->in[input], copy);
    av_frame_free(&copy);
    return error;
}

mdm_status mdm_filter_turn(void *filter, mdm_turn *turn)
{
    mdm_filter *f = filter;
    int error = 0;
    for (int i = 0; i < f->inputs && error >= 0; i++)
        if (turn->in[i])
            error = push(f, i, mdm_packet_frame(turn->in[i]));
        else if (turn->last)
            error = av_buffersrc_add_frame(f->in[i], NULL);
    while (error >= 0 && (error = av_buffersink_get_frame(f->out, f->picture)) >= 0) {
        const mdm_status status = give_frame(f, turn);
        av_frame_unref(f->picture);
        MDM_TRY(status);
    }
    if (error == AVERROR_EOF)
        turn->done = true;
    return error >= 0 || error == AVERROR(EAGAIN) || error == AVERROR_EOF ? MDM_OK
                                                                          : failed("", "a frame was refused", error);
}
