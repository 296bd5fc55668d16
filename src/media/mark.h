/* The mark that says a file is synthetic: an XMP packet with IPTC's digital source type, for MP4 and PNG. */
#ifndef MDM_MEDIA_MARK_H
#define MDM_MEDIA_MARK_H

#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

/* IPTC's source type (https://cv.iptc.org/newscodes/digitalsourcetype/) of media in which a trained model drew a part. */
#define MDM_SOURCE_TYPE "digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

/* How a mark's text begins. */
#define MDM_MARK_BEGINS "synthetic: "

/* Appends a top-level `uuid` box with the packet (ISO 14496-12; the id is Adobe's for XMP). */
mdm_status mdm_mark_mp4_box(mdm_buffer *out, const char *mark);

/* Inserts iTXt (the packet) and tEXt (Comment) behind the header chunk of a PNG in memory; *png may move. */
mdm_status mdm_mark_png(mdm_buffer *out, const unsigned char *png, size_t size, const char *mark);

#endif
