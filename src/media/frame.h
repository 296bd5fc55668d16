/* One frame of a clip: the decoded planes, and beside them an RGB picture that is only filled where somebody looks and
 * only written back where somebody painted, so that everything else goes to the encoder exactly as it was decoded. */
#ifndef MDM_MEDIA_FRAME_H
#define MDM_MEDIA_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "media/image.h"

typedef struct mdm_frame_store mdm_frame_store; /* planes and buffers; internal to src/media */

/* Start from `mdm_frame frame = {0};`, hand it to mdm_reader_next again and again, end with mdm_frame_free. */
typedef struct mdm_frame {
    int64_t number;   /* counts the clip's frames from 0 */
    int64_t pts;      /* in the clip's time base, as the source has it */
    int64_t duration; /* in the same unit; 0 when the source does not say */
    double time;      /* seconds from the clip's first frame */
    bool cut;         /* a shot begins here; only where a cut detector was asked (media/cut.h) */
    mdm_image rgb;    /* upright, full size; holds pixels only where mdm_frame_rgb was asked for them */
    mdm_frame_store *store;
} mdm_frame;

/* Fills frame->rgb inside a rectangle (clipped to the frame; w or h of 0 means the whole frame). Pixels already filled are
 * kept, painted ones too. Cost is proportional to the area: about 1 ms a megapixel. */
mdm_status mdm_frame_rgb(mdm_frame *frame, int x, int y, int w, int h);

/* Carries what was painted into frame->rgb inside a rectangle back into the planes that will be encoded. Pixels that still
 * equal their decoded colour are left exactly alone; a 2x2 chroma sample changes when one of its pixels did. Without it,
 * painting has no effect on the output. */
mdm_status mdm_frame_commit_rgb(mdm_frame *frame, int x, int y, int w, int h);

/* The luma plane as a grey picture that shares its memory (do not free, do not write): the cheap way to look at a frame.
 * For a still the green channel's place is taken by a luma made from RGB on the first call. */
mdm_status mdm_frame_luma(mdm_image *view, mdm_frame *frame);

/* True when the chroma says black and white: at most 0.5 % of the samples more than 6 from neutral. */
bool mdm_frame_is_grey(mdm_frame *frame);

/* A frame of its own (for a portrait clip or a debug picture): black, every pixel of rgb valid. Even sizes are 4:2:0, odd
 * sizes 4:4:4, bt709 limited. */
mdm_status mdm_frame_blank(mdm_frame *frame, int width, int height);

/* Such a frame that shows `picture`, RGB. */
mdm_status mdm_frame_of_picture(mdm_frame *frame, const mdm_image *picture);

/* Makes `out` a second frame with the same picture: the planes are shared until one of the two is painted. */
mdm_status mdm_frame_share(mdm_frame *out, const mdm_frame *frame);

/* Makes the planes this frame's own and forgets the RGB made of them: for who writes to them directly. */
mdm_status mdm_frame_writable(mdm_frame *frame);

/* The planes as pictures that share its memory; write to them only after mdm_frame_writable. Not for stills. */
void mdm_frame_planes(mdm_image planes[3], const mdm_frame *frame);

/* SHA-256, in hexadecimal, of the planes' pixels, row by row, without what pads them. */
mdm_status mdm_frame_hash(char out[65], const mdm_frame *frame);

void mdm_frame_free(mdm_frame *frame);

#endif
