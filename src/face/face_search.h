/* Where faces are in a picture, of any size from 10 pixels on: the detector on the whole of it and on tiles. */
#ifndef MDM_FACE_FACE_SEARCH_H
#define MDM_FACE_FACE_SEARCH_H

#include "models/face_detector.h"

#define MDM_FACE_SEARCH_MAX 256   /* faces of one look */
#define MDM_SMALLEST_FACE   10.0f /* px: below it there is nothing to recognise */

typedef struct mdm_face_search mdm_face_search;

/* `models`: the folder of fetched models. MDM_ERR_DEVICE when the detector's file is not there. */
mdm_status mdm_face_search_new(mdm_face_search **out, const char *models);
void mdm_face_search_free(mdm_face_search **search);

/* The faces of a picture, at most MDM_FACE_SEARCH_MAX. Pictures of one recording in order: what did not change since the
 * last one is not always looked at again. */
mdm_status mdm_face_search_everywhere(mdm_face_detection *found, int *count, mdm_face_search *search,
                                      const mdm_image *image);

/* The faces in `region` (x, y, width, height), which is brought to the size of the detector's input. */
mdm_status mdm_face_search_near(mdm_face_detection *found, int *count, mdm_face_search *search, const mdm_image *image,
                                const float region[4]);

#endif
