/* clip.json: what ingest learned about a recording (docs/formats.md), as a struct for the stages after it. */
#ifndef MDM_MEDIA_CLIP_FILE_H
#define MDM_MEDIA_CLIP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "media/audio.h"
#include "media/reader.h"

typedef struct mdm_clip {
    char clip_id[64];
    char *source; /* path of the recording; private */
    char sha256[65];
    uint64_t bytes;
    bool still;
    double start, end; /* the part of the recording that is this clip, seconds from its first frame; 0, 0 = all */
    int width, height; /* upright */
    int rotation;      /* degrees clockwise, already applied by the reader */
    char codec[32], pixel_format[32];
    bool grey; /* infra-red or black and white */
    int time_base[2];
    int64_t *pts; /* [frames], rising */
    size_t frames;
    double fps; /* mean over the clip; 0 for a single frame */
    bool has_audio;
    char audio_codec[32];
    int audio_rate, audio_channels;     /* as recorded */
    double audio_start, audio_duration; /* seconds; start relative to the clip's first frame */
    char damage[256];                   /* what was wrong with the recording, "" when nothing was */
} mdm_clip;

/* `folder` is the clip's work folder. Numbers are checked: a bad file is MDM_ERR_INPUT and says what to do. */
mdm_status mdm_clip_read(mdm_clip *out, const char *folder);
mdm_status mdm_clip_write(const mdm_clip *clip, const char *folder);
void mdm_clip_free(mdm_clip *clip);

/* Seconds from the clip's first frame to frame `number`, and the clip's whole length (its last frame included). */
double mdm_clip_time(const mdm_clip *clip, size_t number);
double mdm_clip_length(const mdm_clip *clip);

/* Opens the clip's frames / sound again, the very part that ingest saw. `rate` and `channels` as in mdm_audio_options. */
mdm_status mdm_clip_open_video(mdm_reader **out, const mdm_clip *clip, int threads);
mdm_status mdm_clip_open_audio(mdm_audio **out, const mdm_clip *clip, int rate, int channels);

#endif
