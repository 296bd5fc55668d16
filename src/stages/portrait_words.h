/* The portrait backends that draw from words (models/drawing_models.h): a stand-in's plan becomes a caption, the caption a picture, and
 * the face in it is framed as the embedded generator frames its faces, so that all that follows is the same. */
#ifndef MDM_STAGES_PORTRAIT_WORDS_H
#define MDM_STAGES_PORTRAIT_WORDS_H

#include <jansson.h>

#include "base/log.h"
#include "media/image.h"
#include "models/drawing_models.h"
#include "models/face_detector.h"
#include "models/face_mesh.h"

#define MDM_PORTRAIT_SIDE 256 /* px, as the embedded generator's enlarged portraits */

typedef struct mdm_portrait_words mdm_portrait_words;

/* MDM_ERR_DEVICE says what to pull when the model is not in the hub's cache. Backend, detector and mesh network must outlive it. */
mdm_status mdm_portrait_words_new(mdm_portrait_words **out, const mdm_drawing_model *backend,
                                  mdm_face_detector *detector, mdm_face_mesh *mesher, int threads);
void mdm_portrait_words_free(mdm_portrait_words **words);

/* A picture of MDM_PORTRAIT_SIDE (mdm_image_free) of the plan's `standin`; the same seed and key, the same picture. Where there is not
 * exactly one face in what was drawn, it is the whole drawing, which the gate refuses. */
mdm_status mdm_portrait_words_draw(mdm_image *out, mdm_portrait_words *words, const json_t *standin, uint64_t seed,
                                   const char *key, const mdm_progress *progress);

/* The part of `picture` around the face of `mesh`, upright, eyes where the embedded generator has them. */
mdm_status mdm_portrait_frame(mdm_image *out, const mdm_image *picture, const mdm_mesh *mesh);

#endif
