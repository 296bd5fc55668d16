/* Clips in words: what mdm_caption_clips does (mmdm.h), with settings. */
#ifndef MDM_PIPELINE_CAPTION_H
#define MDM_PIPELINE_CAPTION_H

#include <stddef.h>

#include "base/settings.h"
#include "base/status.h"

/* `settings`: of MDM_FOR_CAPTIONS. */
mdm_status mdm_caption(const mdm_settings *settings, const char *const *clips, size_t count,
                       void (*tell)(void *user, const char *clip, const char *caption), void *user);

#endif
