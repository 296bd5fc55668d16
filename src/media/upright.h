/* From whatever a decoder gives to an mdm_frame: upright, 8-bit, 4:2:0 (4:4:4 for odd sizes), same matrix and range. For
 * src/media only. */
#ifndef MDM_MEDIA_UPRIGHT_H
#define MDM_MEDIA_UPRIGHT_H

#include <libavformat/avformat.h>

#include "media/frame.h"
#include "media/reader.h"

typedef struct mdm_upright mdm_upright;

/* Reads size, rotation, aspect and colour of the stream into `info`. */
mdm_status mdm_upright_new(mdm_upright **out, mdm_video_info *info, const AVStream *stream);
void mdm_upright_free(mdm_upright **upright);

/* Luma weights of red and blue by number of the matrix; -> FFmpeg's SWS_CS_* of it. */
int mdm_upright_weights(double *kr, double *kb, int matrix);

/* Moves the picture of `decoded` into `frame`, converting and turning only where that is needed. A picture whose size
 * changes in mid-clip is scaled to the clip's. */
mdm_status mdm_upright_frame(mdm_frame *frame, mdm_upright *upright, AVFrame *decoded);

#endif
