/* Frames: lazily filled RGB beside the decoded planes, and painting carried back (frame.h). */
#include "media/frame.h"

#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "media/frame_store.h"

enum { TILE = 64 }; /* even, so that a tile is whole chroma samples */

static void store_free(mdm_frame_store **store)
{
    if (!*store)
        return;
    av_frame_free(&(*store)->planes);
    mdm_free(&(*store)->tiles);
    mdm_free(&(*store)->scratch);
    mdm_image_free(&(*store)->grey);
    mdm_free(store);
}

void mdm_frame_free(mdm_frame *frame)
{
    if (!frame)
        return;
    mdm_image_free(&frame->rgb);
    store_free(&frame->store);
    memset(frame, 0, sizeof *frame);
}

/* New buffers for a frame of this size; nothing is valid in them. */
static mdm_status make_store(mdm_frame *frame, int width, int height)
{
    mdm_image_free(&frame->rgb);
    store_free(&frame->store);
    MDM_TRY(mdm_image_new(&frame->rgb, width, height, 3));
    MDM_TRY(mdm_alloc(&frame->store, 1, sizeof *frame->store, "a frame"));
    mdm_frame_store *store = frame->store;
    store->tile_columns = (width + TILE - 1) / TILE;
    store->tile_rows = (height + TILE - 1) / TILE;
    store->planes = av_frame_alloc();
    if (!store->planes)
        return mdm_fail(MDM_ERR_MEMORY, "out of memory for a frame");
    MDM_TRY(mdm_alloc(&store->tiles, (size_t)store->tile_columns * (size_t)store->tile_rows, 1, "a frame's tiles"));
    return mdm_alloc(&store->scratch, (size_t)width * 8 + 16, 1, "a frame's rows");
}

mdm_status mdm_frame_set(mdm_frame *frame, int width, int height, AVFrame *planes, const mdm_yuv_matrix *matrix)
{
    if (!frame->store || frame->rgb.width != width || frame->rgb.height != height) {
        const mdm_status status = make_store(frame, width, height);
        if (status != MDM_OK) {
            mdm_image_free(&frame->rgb);
            store_free(&frame->store);
            return status;
        }
    }
    mdm_frame_store *store = frame->store;
    memset(store->tiles, 0, (size_t)store->tile_columns * (size_t)store->tile_rows);
    mdm_image_free(&store->grey);
    av_frame_unref(store->planes);
    store->still = !planes;
    if (planes)
        av_frame_move_ref(store->planes, planes);
    if (matrix)
        store->matrix = *matrix;
    return MDM_OK;
}

static mdm_yuv_planes view_of(const AVFrame *frame)
{
    mdm_yuv_planes planes = {
        .width = frame->width, .height = frame->height, .sub = frame->format == AV_PIX_FMT_YUV420P};
    for (int i = 0; i < 3; i++) {
        planes.data[i] = frame->data[i];
        planes.stride[i] = (size_t)frame->linesize[i];
    }
    return planes;
}

typedef struct rectangle {
    int x0, y0, x1, y1;
} rectangle;

static rectangle clip(const mdm_frame *frame, int x, int y, int w, int h)
{
    rectangle r = {x, y, 0, 0};
    const long long right = w > 0 ? (long long)x + w : frame->rgb.width;
    const long long bottom = h > 0 ? (long long)y + h : frame->rgb.height;
    if (w <= 0)
        r.x0 = 0;
    if (h <= 0)
        r.y0 = 0;
    r.x0 = r.x0 < 0 ? 0 : r.x0;
    r.y0 = r.y0 < 0 ? 0 : r.y0;
    r.x1 = right > frame->rgb.width ? frame->rgb.width : right < 0 ? 0 : (int)right;
    r.y1 = bottom > frame->rgb.height ? frame->rgb.height : bottom < 0 ? 0 : (int)bottom;
    return r;
}

static bool is_empty(rectangle r)
{
    return r.x0 >= r.x1 || r.y0 >= r.y1;
}

mdm_status mdm_frame_rgb(mdm_frame *frame, int x, int y, int w, int h)
{
    mdm_frame_store *store = frame->store;
    if (!store)
        return mdm_fail(MDM_ERR_INTERNAL, "a frame was asked for pixels before it was read");
    const rectangle r = clip(frame, x, y, w, h);
    if (store->still || is_empty(r))
        return MDM_OK;
    const mdm_yuv_planes planes = view_of(store->planes);
    const int last_column = (r.x1 - 1) / TILE, last_row = (r.y1 - 1) / TILE;
    for (int row = r.y0 / TILE; row <= last_row; row++) {
        uint8_t *tiles = store->tiles + (size_t)row * (size_t)store->tile_columns;
        for (int column = r.x0 / TILE; column <= last_column; column++) {
            if (tiles[column])
                continue;
            int end = column; /* tiles side by side are converted as one run */
            while (end <= last_column && !tiles[end])
                tiles[end++] = 1;
            const int from = column * TILE, to = end * TILE < planes.width ? end * TILE : planes.width;
            const int bottom = (row + 1) * TILE < planes.height ? (row + 1) * TILE : planes.height;
            for (int line = row * TILE; line < bottom; line++)
                mdm_yuv_row_to_rgb(frame->rgb.data + (size_t)line * frame->rgb.stride + (size_t)from * 3, &planes,
                                   &store->matrix, from, line, to - from, store->scratch + (size_t)planes.width * 6);
            column = end - 1;
        }
    }
    return MDM_OK;
}

mdm_status mdm_frame_commit_rgb(mdm_frame *frame, int x, int y, int w, int h)
{
    mdm_frame_store *store = frame->store;
    if (!store)
        return mdm_fail(MDM_ERR_INTERNAL, "a frame was painted before it was read");
    rectangle r = clip(frame, x, y, w, h);
    if (store->still || is_empty(r))
        return MDM_OK;
    if (av_frame_make_writable(store->planes) < 0) /* the decoder may still refer to them */
        return mdm_fail(MDM_ERR_MEMORY, "out of memory for a frame of %d x %d", frame->rgb.width, frame->rgb.height);
    const mdm_yuv_planes planes = view_of(store->planes);
    const int step = 1 << planes.sub;
    r.x0 &= ~(step - 1);
    r.y0 &= ~(step - 1);
    uint8_t *was[2] = {store->scratch, store->scratch + (size_t)planes.width * 3};
    uint8_t *chroma = store->scratch + (size_t)planes.width * 6;
    for (int line = r.y0; line < r.y1; line += step) {
        const uint8_t *tiles = store->tiles + (size_t)(line / TILE) * (size_t)store->tile_columns;
        const int rows = line + step <= planes.height ? step : 1;
        for (int from = r.x0; from < r.x1;) {
            int to = (from / TILE + 1) * TILE;
            const bool valid = tiles[from / TILE];
            while (to < r.x1 && (bool)tiles[to / TILE] == valid)
                to += TILE;
            /* Up to the whole chroma sample at the right edge: its other pixel is valid too, as tiles are even. */
            const int limit = (r.x1 + step - 1) & ~(step - 1);
            to = to < limit ? to : limit;
            to = to < planes.width ? to : planes.width;
            if (valid) {
                const uint8_t *now[2] = {NULL, NULL};
                for (int i = 0; i < rows; i++) {
                    now[i] = frame->rgb.data + (size_t)(line + i) * frame->rgb.stride + (size_t)from * 3;
                    mdm_yuv_row_to_rgb(was[i], &planes, &store->matrix, from, line + i, to - from, chroma);
                }
                const uint8_t *const before[2] = {was[0], was[1]};
                mdm_yuv_update_rows(&planes, &store->matrix, from, line, to - from, now, before);
            }
            from = to;
        }
    }
    return MDM_OK;
}

mdm_status mdm_frame_luma(mdm_image *view, mdm_frame *frame)
{
    mdm_frame_store *store = frame->store;
    if (!store)
        return mdm_fail(MDM_ERR_INTERNAL, "a frame was asked for its luma before it was read");
    if (!store->still) {
        *view = (mdm_image){frame->rgb.width, frame->rgb.height, 1, (size_t)store->planes->linesize[0],
                            store->planes->data[0]};
        return MDM_OK;
    }
    if (!store->grey.data) {
        MDM_TRY(mdm_image_new(&store->grey, frame->rgb.width, frame->rgb.height, 1));
        for (int y = 0; y < frame->rgb.height; y++) {
            const uint8_t *from = frame->rgb.data + (size_t)y * frame->rgb.stride;
            uint8_t *to = store->grey.data + (size_t)y * store->grey.stride;
            for (int x = 0; x < frame->rgb.width; x++)
                to[x] = (uint8_t)((77 * from[3 * x] + 150 * from[3 * x + 1] + 29 * from[3 * x + 2] + 128) >> 8);
        }
    }
    *view = store->grey;
    return MDM_OK;
}

bool mdm_frame_is_grey(mdm_frame *frame)
{
    mdm_frame_store *store = frame->store;
    if (!store)
        return false;
    size_t coloured = 0, total = 0;
    if (store->still) {
        for (int y = 0; y < frame->rgb.height; y += 2)
            for (int x = 0; x < frame->rgb.width; x += 2) {
                const uint8_t *p = frame->rgb.data + (size_t)y * frame->rgb.stride + (size_t)x * 3;
                coloured += abs(p[0] - p[1]) > 12 || abs(p[2] - p[1]) > 12;
                total++;
            }
    } else {
        const mdm_yuv_planes planes = view_of(store->planes);
        const int width = (planes.width + planes.sub) >> planes.sub,
                  height = (planes.height + planes.sub) >> planes.sub;
        for (int y = 0; y < height; y += 2) {
            const uint8_t *u = planes.data[1] + (size_t)y * planes.stride[1],
                          *v = planes.data[2] + (size_t)y * planes.stride[2];
            for (int x = 0; x < width; x++)
                coloured += abs(u[x] - 128) > 6 || abs(v[x] - 128) > 6;
            total += (size_t)width;
        }
    }
    return coloured * 200 <= total;
}

mdm_status mdm_frame_share(mdm_frame *out, const mdm_frame *frame)
{
    const mdm_frame_store *store = frame->store;
    if (!store || store->still)
        return mdm_fail(MDM_ERR_INTERNAL, "a frame without planes cannot be shared");
    AVFrame *planes = av_frame_clone(store->planes);
    if (!planes)
        return mdm_fail(MDM_ERR_MEMORY, "out of memory for a frame");
    const mdm_status status = mdm_frame_set(out, frame->rgb.width, frame->rgb.height, planes, &store->matrix);
    av_frame_free(&planes);
    out->number = frame->number;
    out->pts = frame->pts;
    out->duration = frame->duration;
    out->time = frame->time;
    return status;
}

mdm_status mdm_frame_writable(mdm_frame *frame)
{
    mdm_frame_store *store = frame->store;
    if (!store || store->still)
        return mdm_fail(MDM_ERR_INTERNAL, "a frame without planes cannot be written to");
    memset(store->tiles, 0, (size_t)store->tile_columns * (size_t)store->tile_rows);
    return av_frame_make_writable(store->planes) < 0 ? mdm_fail(MDM_ERR_MEMORY, "out of memory for a frame") : MDM_OK;
}

void mdm_frame_planes(mdm_image planes[3], const mdm_frame *frame)
{
    const mdm_yuv_planes all = view_of(frame->store->planes);
    for (int i = 0; i < 3; i++) {
        const int sub = i ? all.sub : 0;
        planes[i] = (mdm_image){(all.width + sub) >> sub, (all.height + sub) >> sub, 1, all.stride[i], all.data[i]};
    }
}

mdm_status mdm_frame_hash(char out[65], const mdm_frame *frame)
{
    const mdm_frame_store *store = frame->store;
    unsigned char digest[32];
    mdm_sha256 hash;
    if (!store || store->still)
        return mdm_fail(MDM_ERR_INTERNAL, "a frame without planes cannot be hashed");
    mdm_image planes[3];
    mdm_frame_planes(planes, frame);
    mdm_sha256_start(&hash);
    for (int i = 0; i < 3; i++)
        for (int y = 0; y < planes[i].height; y++)
            mdm_sha256_add(&hash, planes[i].data + (size_t)y * planes[i].stride, (size_t)planes[i].width);
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(out, digest);
    return MDM_OK;
}

mdm_status mdm_frame_blank(mdm_frame *frame, int width, int height)
{
    mdm_yuv_matrix matrix;
    mdm_yuv_matrix_set(&matrix, 0.2126, 0.0722, false);
    AVFrame *planes = av_frame_alloc();
    if (!planes)
        return mdm_fail(MDM_ERR_MEMORY, "out of memory for a frame");
    planes->width = width;
    planes->height = height;
    planes->format = width % 2 || height % 2 ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
    planes->colorspace = AVCOL_SPC_BT709;
    planes->color_range = AVCOL_RANGE_MPEG;
    mdm_status status = MDM_OK;
    if (width < 1 || height < 1 || av_frame_get_buffer(planes, 0) < 0)
        status = mdm_fail(MDM_ERR_MEMORY, "no memory for a frame of %d x %d", width, height);
    if (status == MDM_OK) {
        const int sub = planes->format == AV_PIX_FMT_YUV420P;
        for (int i = 0; i < 3; i++)
            memset(planes->data[i], i ? 128 : 16,
                   (size_t)planes->linesize[i] * (size_t)(i ? (height + sub) >> sub : height));
        status = mdm_frame_set(frame, width, height, planes, &matrix);
    }
    av_frame_free(&planes);
    if (status == MDM_OK)
        status = mdm_frame_rgb(frame, 0, 0, 0, 0);
    return status;
}

mdm_status mdm_frame_of_picture(mdm_frame *frame, const mdm_image *picture)
{
    if (picture->channels != 3)
        return mdm_fail(MDM_ERR_INTERNAL, "a frame of a picture of %d channels, expected 3", picture->channels);
    MDM_TRY(mdm_frame_blank(frame, picture->width, picture->height));
    for (int y = 0; y < picture->height; y++)
        memcpy(frame->rgb.data + (size_t)y * frame->rgb.stride, picture->data + (size_t)y * picture->stride,
               3 * (size_t)picture->width);
    return mdm_frame_commit_rgb(frame, 0, 0, 0, 0);
}
