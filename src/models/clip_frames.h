/* Shows a video model the frames of a recording that it wants. */
#ifndef MDM_MODELS_CLIP_FRAMES_H
#define MDM_MODELS_CLIP_FRAMES_H

#include "base/log.h"
#include "media/reader.h"
#include "models/pllava.h"

/* Opens `path` (with start and end of `options`; NULL: all of it), counts its frames and shows the model as many as it looks at, spread over
 * them; a still is all of them. numbers [sizes.projector.frames] get which. Then mdm_pllava_look. */
mdm_status mdm_pllava_show_recording(int64_t *numbers, mdm_pllava *pllava, const char *path,
                                     const mdm_reader_options *options, bool letterbox, const mdm_progress *progress);

#endif
