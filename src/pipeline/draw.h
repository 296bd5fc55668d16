/* Pictures from words: what mdm_draw_portrait does (mmdm.h), with settings. */
#ifndef MDM_PIPELINE_DRAW_H
#define MDM_PIPELINE_DRAW_H

#include "base/settings.h"
#include "base/status.h"

/* `settings`: of MDM_FOR_DRAWING. */
mdm_status mdm_draw(const mdm_settings *settings);

#endif
