/* Plates and on-screen text through a clip: sampled a few times a second, linked between samples, interpolated. */
#ifndef MDM_STAGES_FIND_TEXT_H
#define MDM_STAGES_FIND_TEXT_H

#include <stdbool.h>

#include "base/status.h"
#include "face/track_file.h"
#include "media/image.h"

typedef struct mdm_text_finder mdm_text_finder;

mdm_status mdm_text_finder_new(mdm_text_finder **out, const char *models, double fps, int threads);
/* True when frame `number` is one the finder is to be shown: every half second, and at cuts. Asked of every frame, in order; another
 * thread may show it earlier ones meanwhile. */
bool mdm_text_finder_wants(mdm_text_finder *finder, int number, bool cut);
mdm_status mdm_text_finder_push(mdm_text_finder *finder, const mdm_image *image, int number, bool cut);
/* The regions over `frames` frames; they belong to the caller. */
mdm_status mdm_text_finder_finish(mdm_region **regions, int *count, mdm_text_finder *finder, int frames);
/* Takes out regions that follow a face and in which no more than two signs were read: beards, brows and wrinkles. */
void mdm_text_off_faces(mdm_found *found);
void mdm_text_finder_free(mdm_text_finder **finder);

#endif
