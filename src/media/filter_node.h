/* A chain of libavfilter's filters as a node of a flow. */
#ifndef MDM_MEDIA_FILTER_NODE_H
#define MDM_MEDIA_FILTER_NODE_H

#include "media/frame_nodes.h"

typedef struct mdm_filter mdm_filter;

/* `chain` is FFmpeg's text of it, "scale=320:240,vflip", with one output; its inputs are pictures like `in`. MDM_ERR_INPUT says what
 * is wrong with it. Frames come out as 8-bit 4:2:0, 4:4:4 where the size is odd. */
mdm_status mdm_filter_open(mdm_filter **out, const char *chain, const mdm_video_info *in, int inputs);
void mdm_filter_free(mdm_filter **filter);

/* What comes out. */
const mdm_video_info *mdm_filter_video(const mdm_filter *filter);

/* For nodes with MDM_IN_TIME. */
mdm_status mdm_filter_turn(void *filter, mdm_turn *turn);

#endif
