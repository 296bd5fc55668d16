/* What is behind an mdm_frame; for src/media only, so that FFmpeg's types do not leak into the other layers. */
#ifndef MDM_MEDIA_FRAME_STORE_H
#define MDM_MEDIA_FRAME_STORE_H

#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>

#include "media/frame.h"
#include "media/yuv.h"

struct mdm_frame_store {
    AVFrame *planes; /* upright 8-bit yuv420p or yuv444p; empty for a still, which lives in rgb alone */
    bool still;
    mdm_yuv_matrix matrix;
    uint8_t *tiles; /* one byte per 64 x 64 tile of rgb: 1 when it holds pixels */
    int tile_columns, tile_rows;
    mdm_image grey;   /* a still's luma, made on demand */
    uint8_t *scratch; /* rows of width * 3 bytes, for commit; two of them, then two of chroma */
};

/* Gives the frame its store, rgb of this size with no valid tile, and planes (moved; may be NULL for a still). */
mdm_status mdm_frame_set(mdm_frame *frame, int width, int height, AVFrame *planes, const mdm_yuv_matrix *matrix);

#endif
