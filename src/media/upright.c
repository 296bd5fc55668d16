/* Colour, size and orientation of decoded pictures (upright.h). */
#include "media/upright.h"

#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "media/frame_store.h"

/* The eight ways a picture can lie: first swap rows and columns, then flip. */
typedef struct turn {
    bool transpose, flip_x, flip_y;
} turn;

struct mdm_upright {
    turn turn;
    int width, height; /* upright */
    bool still;
    bool full_range;
    int sws_colours;           /* SWS_CS_* of the source's matrix */
    enum AVPixelFormat planes; /* what frames are kept in */
    mdm_yuv_matrix matrix;
    struct SwsContext *scaler;
    mdm_video_info *info;
};

/* Luma weights by matrix number. Unspecified is read as BT.601, as FFmpeg and OpenCV do, so that figures compare. */
static const struct {
    int matrix, sws;
    double kr, kb;
} matrices[] = {
    {AVCOL_SPC_BT709, SWS_CS_ITU709, 0.2126, 0.0722},      {AVCOL_SPC_FCC, SWS_CS_FCC, 0.30, 0.11},
    {AVCOL_SPC_SMPTE240M, SWS_CS_SMPTE240M, 0.212, 0.087}, {AVCOL_SPC_BT2020_NCL, SWS_CS_BT2020, 0.2627, 0.0593},
    {AVCOL_SPC_BT2020_CL, SWS_CS_BT2020, 0.2627, 0.0593},  {AVCOL_SPC_UNSPECIFIED, SWS_CS_ITU601, 0.299, 0.114},
};

int mdm_upright_weights(double *kr, double *kb, int matrix)
{
    *kr = 0.299, *kb = 0.114;
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        if (matrices[i].matrix == matrix) {
            *kr = matrices[i].kr, *kb = matrices[i].kb;
            return matrices[i].sws;
        }
    return SWS_CS_ITU601;
}

static turn turn_from_matrix(const int32_t m[9])
{
    turn t = {false, false, false};
    /* (x', y') = (a x + c y, b x + d y) with a, b, c, d = m[0], m[1], m[3], m[4] in 16.16 */
    t.transpose = llabs((long long)m[0]) < llabs((long long)m[1]);
    t.flip_x = t.transpose ? m[3] < 0 : m[0] < 0;
    t.flip_y = t.transpose ? m[1] < 0 : m[4] < 0;
    return t;
}

static turn turn_from_exif(int orientation)
{
    static const turn turns[9] = {{0, 0, 0}, {0, 0, 0}, {0, 1, 0}, {0, 1, 1}, {0, 0, 1},
                                  {1, 0, 0}, {1, 1, 0}, {1, 1, 1}, {1, 0, 1}};
    return turns[orientation >= 1 && orientation <= 8 ? orientation : 0];
}

/* Clockwise degrees, and whether a left-right flip follows. */
static void describe_turn(mdm_video_info *info, turn t)
{
    info->mirrored = t.transpose ? t.flip_x == t.flip_y : t.flip_x != t.flip_y;
    if (!t.transpose)
        info->rotation = t.flip_y ? 180 : 0;
    else
        info->rotation = t.flip_y != t.flip_x ? (t.flip_x ? 90 : 270) : (t.flip_x ? 270 : 90);
    if (info->mirrored && t.transpose)
        info->rotation = t.flip_y ? 270 : 90;
}

static void set_turn(mdm_upright *upright, turn t, int coded_width, int coded_height)
{
    upright->turn = t;
    upright->width = t.transpose ? coded_height : coded_width;
    upright->height = t.transpose ? coded_width : coded_height;
    upright->info->width = upright->width;
    upright->info->height = upright->height;
    describe_turn(upright->info, t);
    upright->planes = upright->width % 2 || upright->height % 2 ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
}

/* Range, when the stream does not say: pictures of the "J" formats, grey and RGB ones use all 256 levels. */
static bool is_full_range(const AVCodecParameters *codec)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)codec->format);
    switch (codec->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
        return true;
    default:
        break;
    }
    if (codec->color_range != AVCOL_RANGE_UNSPECIFIED)
        return codec->color_range == AVCOL_RANGE_JPEG;
    const bool video_codec = codec->codec_id == AV_CODEC_ID_H264 || codec->codec_id == AV_CODEC_ID_HEVC ||
                             codec->codec_id == AV_CODEC_ID_AV1;
    return desc && desc->nb_components <= 2 && !video_codec;
}

mdm_status mdm_upright_new(mdm_upright **out, mdm_video_info *info, const AVStream *stream)
{
    const AVCodecParameters *codec = stream->codecpar;
    mdm_upright *upright = NULL;
    MDM_TRY(mdm_alloc(&upright, 1, sizeof *upright, "a picture converter"));
    upright->info = info;
    upright->still = info->still;
    const int32_t *display =
        (const int32_t *)(const void *)av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    set_turn(upright, display ? turn_from_matrix(display) : (turn){false, false, false}, codec->width, codec->height);

    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)codec->format);
    const bool rgb = desc && desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
    int matrix = codec->color_space;
    if (rgb) /* our choice then, and the output says it */
        matrix = info->height >= 720 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    double kr, kb;
    upright->sws_colours = mdm_upright_weights(&kr, &kb, matrix);
    upright->full_range = !rgb && is_full_range(codec);
    mdm_yuv_matrix_set(&upright->matrix, kr, kb, upright->full_range);
    info->colour = (mdm_colour){matrix, codec->color_primaries, codec->color_trc, upright->full_range};
    AVRational aspect = stream->sample_aspect_ratio.num > 0 ? stream->sample_aspect_ratio : codec->sample_aspect_ratio;
    if (aspect.num <= 0 || aspect.den <= 0)
        aspect = (AVRational){1, 1};
    info->aspect[0] = upright->turn.transpose ? aspect.den : aspect.num;
    info->aspect[1] = upright->turn.transpose ? aspect.num : aspect.den;
    *out = upright;
    return MDM_OK;
}

void mdm_upright_free(mdm_upright **upright)
{
    if (!*upright)
        return;
    sws_freeContext((*upright)->scaler);
    mdm_free(upright);
}

/* Turns one plane of `size` bytes a pixel. The output's rows are written in order; reads go by columns when transposing,
 * in strips of 16 so that they stay in cache. */
static void turn_plane(uint8_t *out, size_t out_stride, int out_width, int out_height, const uint8_t *in,
                       size_t in_stride, turn t, int size)
{
    for (int x0 = 0; x0 < out_width; x0 += 16) {
        const int x1 = x0 + 16 < out_width ? x0 + 16 : out_width;
        for (int y = 0; y < out_height; y++) {
            const int v = t.flip_y ? out_height - 1 - y : y;
            uint8_t *to = out + (size_t)y * out_stride + (size_t)(x0 * size);
            for (int x = x0; x < x1; x++, to += size) {
                const int u = t.flip_x ? out_width - 1 - x : x;
                const uint8_t *from = t.transpose ? in + (size_t)u * in_stride + (size_t)(v * size)
                                                  : in + (size_t)v * in_stride + (size_t)(u * size);
                for (int c = 0; c < size; c++)
                    to[c] = from[c];
            }
        }
    }
}

static bool is_turned(turn t)
{
    return t.transpose || t.flip_x || t.flip_y;
}

static mdm_status convert(mdm_upright *upright, const AVFrame *in, uint8_t *const data[4], const int stride[4],
                          int width, int height, enum AVPixelFormat format)
{
    int flags = SWS_BICUBIC | SWS_ACCURATE_RND;
    if (format == AV_PIX_FMT_RGB24)
        flags |= SWS_FULL_CHR_H_INT;
    upright->scaler = sws_getCachedContext(upright->scaler, in->width, in->height, (enum AVPixelFormat)in->format,
                                           width, height, format, flags, NULL, NULL, NULL);
    if (!upright->scaler)
        return mdm_fail(MDM_ERR_INPUT, "pixel format %s cannot be converted; convert the recording to H.264 first",
                        av_get_pix_fmt_name((enum AVPixelFormat)in->format));
    const int *colours = sws_getCoefficients(upright->sws_colours);
    sws_setColorspaceDetails(upright->scaler, colours, upright->full_range, colours, upright->full_range, 0, 1 << 16,
                             1 << 16);
    if (sws_scale(upright->scaler, (const uint8_t *const *)in->data, in->linesize, 0, in->height, data, stride) < 0)
        return mdm_fail(MDM_ERR_INPUT, "a frame of %d x %d cannot be converted", in->width, in->height);
    return MDM_OK;
}

static mdm_status new_planes(AVFrame **out, int width, int height, enum AVPixelFormat format)
{
    AVFrame *frame = av_frame_alloc();
    if (frame) {
        frame->width = width;
        frame->height = height;
        frame->format = format;
    }
    if (!frame || av_frame_get_buffer(frame, 0) < 0) {
        av_frame_free(&frame);
        return mdm_fail(MDM_ERR_MEMORY, "out of memory for a frame of %d x %d", width, height);
    }
    *out = frame;
    return MDM_OK;
}

/* A picture file: RGB directly, no detour over chroma that would soften it. */
static mdm_status still_frame(mdm_frame *frame, mdm_upright *upright, AVFrame *decoded)
{
    const AVFrameSideData *side = av_frame_get_side_data(decoded, AV_FRAME_DATA_DISPLAYMATRIX);
    const AVDictionaryEntry *exif = av_dict_get(decoded->metadata, "Orientation", NULL, 0);
    turn t = upright->turn;
    if (side && side->size >= 9 * sizeof(int32_t))
        t = turn_from_matrix((const int32_t *)(const void *)side->data);
    else if (exif)
        t = turn_from_exif((int)strtol(exif->value, NULL, 10));
    set_turn(upright, t, decoded->width, decoded->height);
    MDM_TRY(mdm_frame_set(frame, upright->width, upright->height, NULL, NULL));
    if (!is_turned(t))
        return convert(upright, decoded, (uint8_t *[4]){frame->rgb.data}, (int[4]){(int)frame->rgb.stride},
                       decoded->width, decoded->height, AV_PIX_FMT_RGB24);
    mdm_image flat;
    MDM_TRY(mdm_image_new(&flat, decoded->width, decoded->height, 3));
    const mdm_status status = convert(upright, decoded, (uint8_t *[4]){flat.data}, (int[4]){(int)flat.stride},
                                      decoded->width, decoded->height, AV_PIX_FMT_RGB24);
    if (status == MDM_OK)
        turn_plane(frame->rgb.data, frame->rgb.stride, upright->width, upright->height, flat.data, flat.stride, t, 3);
    mdm_image_free(&flat);
    return status;
}

static bool same_layout(int format, enum AVPixelFormat wanted)
{
    return format == (int)wanted || (wanted == AV_PIX_FMT_YUV420P && format == AV_PIX_FMT_YUVJ420P) ||
           (wanted == AV_PIX_FMT_YUV444P && format == AV_PIX_FMT_YUVJ444P);
}

mdm_status mdm_upright_frame(mdm_frame *frame, mdm_upright *upright, AVFrame *decoded)
{
    if (upright->still)
        return still_frame(frame, upright, decoded);
    const turn t = upright->turn;
    const int width = t.transpose ? upright->height : upright->width,
              height = t.transpose ? upright->width : upright->height;
    AVFrame *planes = NULL;
    mdm_status status = MDM_OK;
    if (!same_layout(decoded->format, upright->planes) || decoded->width != width || decoded->height != height) {
        status = new_planes(&planes, width, height, upright->planes);
        if (status == MDM_OK)
            status = convert(upright, decoded, planes->data, planes->linesize, width, height, upright->planes);
    } else {
        planes = av_frame_alloc();
        if (!planes)
            return mdm_fail(MDM_ERR_MEMORY, "out of memory for a frame");
        av_frame_move_ref(planes, decoded);
    }
    if (status == MDM_OK && is_turned(t)) {
        AVFrame *turned = NULL;
        status = new_planes(&turned, upright->width, upright->height, upright->planes);
        const int sub = upright->planes == AV_PIX_FMT_YUV420P;
        for (int i = 0; status == MDM_OK && i < 3; i++)
            turn_plane(turned->data[i], (size_t)turned->linesize[i], i ? upright->width >> sub : upright->width,
                       i ? upright->height >> sub : upright->height, planes->data[i], (size_t)planes->linesize[i], t,
                       1);
        av_frame_free(&planes);
        planes = turned;
    }
    if (status == MDM_OK) {
        planes->format = upright->planes;
        while (planes->nb_side_data > 0) /* GPS, captions, film grain ... : nothing rides along */
            av_frame_remove_side_data(planes, planes->side_data[0]->type);
        av_dict_free(&planes->metadata);
        status = mdm_frame_set(frame, upright->width, upright->height, planes, &upright->matrix);
    }
    av_frame_free(&planes);
    return status;
}
