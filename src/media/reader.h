/* Reading the frames of a clip: any container and codec FFmpeg decodes, frames upright with the source's exact timestamps.
 *
 *     mdm_reader *reader; mdm_frame frame = {0}; bool more;
 *     MDM_TRY(mdm_reader_open(&reader, path, NULL));
 *     while ((status = mdm_reader_next(&more, reader, &frame)) == MDM_OK && more) { ... mdm_frame_rgb(&frame, 0, 0, 0, 0); ... }
 *     mdm_frame_free(&frame); mdm_reader_free(&reader);
 */
#ifndef MDM_MEDIA_READER_H
#define MDM_MEDIA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "media/frame.h"

/* How the colours of a clip are coded; numbers are those of ISO/IEC 23091-2 (FFmpeg's AVCOL_*). */
typedef struct mdm_colour {
    int matrix, primaries, transfer;
    bool full_range;
} mdm_colour;

typedef struct mdm_video_info {
    int width, height; /* upright */
    int rotation;      /* degrees clockwise the source asks for: 0, 90, 180, 270; already applied to the frames */
    bool mirrored;     /* the source asks for a left-right flip as well (after the rotation); already applied */
    bool still;        /* a picture: one frame */
    char container[32], codec[32], pixel_format[32];
    int time_base[2]; /* seconds per unit of pts, as a fraction */
    double fps;       /* mean as the container says; 0 unknown */
    int64_t frames;   /* as the container says; 0 unknown. Only reading to the end counts them */
    double duration;  /* seconds as the container says; 0 unknown */
    int aspect[2];    /* sample aspect ratio of the upright frame; 1, 1 when square or unknown */
    mdm_colour colour;
} mdm_video_info;

typedef struct mdm_reader_options {
    double start, end; /* seconds from the recording's first video frame, end exclusive; 0, 0 is all of it */
    int threads;       /* of the decoder; 0 = 1. A constant of the job */
    bool scan;         /* only timestamps and rough pixels matter: skips the deblocking filter */
} mdm_reader_options;

typedef struct mdm_reader mdm_reader;

/* Fails with MDM_ERR_INPUT, naming the file, the fault and the remedy: absent, empty, no video stream, no index, too large. */
mdm_status mdm_reader_open(mdm_reader **out, const char *path, const mdm_reader_options *options);
void mdm_reader_free(mdm_reader **reader);

const mdm_video_info *mdm_reader_video(const mdm_reader *reader);

/* The next frame into `frame` (buffers are reused). *more is false at the end, and frame is then as it was. A recording
 * without a single frame that decodes is MDM_ERR_INPUT at the first call. */
mdm_status mdm_reader_next(bool *more, mdm_reader *reader, mdm_frame *frame);

/* Makes the next frame read frame `number` of the clip whose timestamps are pts[0..count), as ingest wrote them. */
mdm_status mdm_reader_seek(mdm_reader *reader, int64_t number, const int64_t *pts, size_t count);

/* What was wrong with the recording, so far as it has been read ("" when nothing was): damaged packets, repaired
 * timestamps, an early end. Belongs to the reader. */
const char *mdm_reader_damage(mdm_reader *reader);

#endif
