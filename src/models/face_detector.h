/* MediaPipe's full-range face detector (face_detection_full_range.tflite, Apache-2.0): faces of a rectangle of a picture,
 * each with six points. */
#ifndef MDM_MODELS_FACE_DETECTOR_H
#define MDM_MODELS_FACE_DETECTOR_H

#include "base/status.h"
#include "media/image.h"

#define MDM_FACE_POINTS                                                                                                \
    6 /* eye at the image's left, eye at its right, nose tip, mouth, ear at the left, ear at the right */

/* Pixels of the whole picture, pixel centres at integers. */
typedef struct mdm_face_detection {
    float x, y, width, height;
    float score; /* 0..1 */
    float point[MDM_FACE_POINTS][2];
} mdm_face_detection;

typedef struct mdm_face_detector mdm_face_detector;

/* `models`: the folder of fetched models. MDM_ERR_DEVICE when the file is not there. */
mdm_status mdm_face_detector_new(mdm_face_detector **out, const char *models, int threads);
/* The same network on an input of `width` x `height` pixels, multiples of 32 up to 2048, instead of its own 192 x 192: one
 * look at a large piece of a picture costs less than the overlapping squares it takes to cover it. */
mdm_status mdm_face_detector_new_wide(mdm_face_detector **out, const char *models, int width, int height, int threads);
void mdm_face_detector_free(mdm_face_detector **detector);

/* Looks in `region` (x, y, width, height in pixels; it may reach over the border, where it is black), brought to the size
 * of the input, with black bars where their shapes differ; a face should be about 20 to 190 pixels of the input. Anchors with a score of `min_score` or more are
 * merged where they overlap (weighted by score, as MediaPipe does); at most `max` faces, best first, in *count.
 * Source: MediaPipe's graph face_detection_full_range. */
mdm_status mdm_face_detector_run(mdm_face_detection *found, int max, int *count, mdm_face_detector *detector,
                                 const mdm_image *image, const float region[4], float min_score);

#endif
