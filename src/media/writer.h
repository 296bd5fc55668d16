/* Writing a clip: H.264 and AAC in MP4 with the frames' own timestamps, no metadata but the mark that it is synthetic, and
 * the same bytes for the same input. The file appears under its name only when it is complete.
 *
 * Even sizes are 4:2:0 (High profile). 4:2:0 cannot say an odd size (its cropping counts in chroma samples of two pixels),
 * so odd sizes are written as 4:4:4: the size stays exact, every software decoder plays it, some hardware ones do not. */
#ifndef MDM_MEDIA_WRITER_H
#define MDM_MEDIA_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "media/frame.h"
#include "media/mark.h"
#include "media/reader.h"

typedef struct mdm_writer_options {
    int width, height;
    int time_base[2];   /* of the pts handed in; a fraction of a second */
    double fps;         /* mean, for the distance of key frames; 0 = 25 */
    int aspect[2];      /* sample aspect ratio; 0 = square */
    mdm_colour colour;  /* written as tags; the frames are already coded so */
    int threads;        /* of the encoder; 0 = 2. Part of what decides the bytes: a constant of the job */
    double quality;     /* x264's constant rate factor; 0 = 19. Lower is better and larger */
    int audio_rate;     /* 0: no audio */
    int audio_channels; /* 1 or 2 */
    double audio_start; /* seconds after the first frame at which the first sample sounds; may be negative */
    const char *mark;   /* what the comment says; NULL: the mark for replaced faces */
} mdm_writer_options;

#define MDM_SYNTHETIC_MARK MDM_MARK_BEGINS "faces replaced by mmdm"

typedef struct mdm_writer mdm_writer;

/* MDM_ERR_WRITE when the folder cannot be written. */
mdm_status mdm_writer_open(mdm_writer **out, const char *path, const mdm_writer_options *options);

/* One frame; frame->pts must grow from call to call. The first one becomes the clip's time zero (later when audio starts
 * before it, so that both keep their distance). The frame's planes are shared with the encoder until it is done with them;
 * painting it afterwards copies them. */
mdm_status mdm_writer_video(mdm_writer *writer, const mdm_frame *frame);

/* Interleaved f32 samples, `frames` of them a channel, following the ones before without a gap. Call it with about as much
 * audio as there is video, so that the file is interleaved well. */
mdm_status mdm_writer_audio(mdm_writer *writer, const float *samples, size_t frames);

/* Ends the streams, moves the index to the front, marks the file and puts it under its name. */
mdm_status mdm_writer_finish(mdm_writer *writer);

/* Without mdm_writer_finish before it, nothing is left on disk. */
void mdm_writer_free(mdm_writer **writer);

/* Writes a still as PNG with the same mark. */
mdm_status mdm_write_marked_png(const mdm_image *image, const char *path, const char *mark);

#endif
