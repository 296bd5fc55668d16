/* What a finished media file says about itself beyond the picture: tags of the container and its streams, and the mark that it
 * is synthetic. */
#ifndef MDM_MEDIA_TAGS_H
#define MDM_MEDIA_TAGS_H

#include <stdbool.h>

#include "base/memory.h"

/* Appends "name=value, ..." of every tag that mmdm's own files do not carry; nothing when there is none. Values are cut. */
mdm_status mdm_foreign_tags(mdm_buffer *out, const char *path);

/* Does the file hold IPTC's digital source type for media made with a trained model? */
mdm_status mdm_has_synthetic_mark(bool *out, const char *path);

#endif
