/* Opening a recording with FFmpeg, for src/media only: our own file access (no protocol, no second file is ever opened),
 * limits checked before anything is decoded, and messages that say what is wrong and what to do. */
#ifndef MDM_MEDIA_SOURCE_H
#define MDM_MEDIA_SOURCE_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

#define MDM_MAX_SIDE 16384
#define MDM_MAX_VIDEO_PIXELS                                                                                           \
    ((int64_t)20 << 20) /* 5K; a decoder and an encoder keep tens of frames: about 3 GB there */
#define MDM_MAX_STILL_PIXELS ((int64_t)80 << 20) /* one frame, 240 MB as RGB */

typedef struct mdm_source {
    AVFormatContext *format;
    AVIOContext *io;
    FILE *file;
    char *path;
    int64_t size;
    bool still; /* a picture file */
    int video;  /* stream index or -1 */
    int audio;  /* stream index or -1 */
} mdm_source;

/* Opens and probes. A recording without any stream that decodes is MDM_ERR_INPUT; without a video stream only when
 * `need_video`. */
mdm_status mdm_source_open(mdm_source *out, const char *path, bool need_video);
void mdm_source_close(mdm_source *source);

/* A decoder for one stream; `threads` is constant for a job. */
mdm_status mdm_source_decoder(AVCodecContext **out, const mdm_source *source, int stream, int threads);

/* FFmpeg's text for an error code, in a caller's buffer of at least AV_ERROR_MAX_STRING_SIZE. */
const char *mdm_av_text(char *buffer, int error);

/* The pts of the video's first frame as the container says it, AV_NOPTS_VALUE when it does not. */
int64_t mdm_source_video_start(const mdm_source *source);

#endif
