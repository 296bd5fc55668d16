/* Labels that people already have of a recording (OpenLABEL and VCD as the Driver Monitoring Dataset has them, COCO, Label Studio),
 * carried over to the result. Boxes of faces are not: what verify measured on the result takes their place. */
#ifndef MDM_DATASET_CARRIED_H
#define MDM_DATASET_CARRIED_H

#include <jansson.h>

#include "dataset/labels.h"

/* The recording the labels are of. `stem`: its file's name without the ending, for formats that hold several. */
typedef struct mdm_carried_clip {
    const char *stem;
    int frames, width, height;
} mdm_carried_clip;

/* Appends the file's labels to `items`, in one form: {"label", "kind": "track", "boxes": [[frame, x, y, w, h], ...]} and {"label", "kind":
 * "action", "frame_intervals": [[first, last], ...]}. Names of objects, free texts and attributes are left behind: they may be
 * about persons. MDM_ERR_INPUT names the file and what is wrong. */
mdm_status mdm_carried_read(json_t *items, const char *path, const mdm_carried_clip *clip);

/* Is a file or video of this name of the recording? Its name begins with the stem, and goes on with no letter or digit of another. */
bool mdm_carried_names(const char *name, const char *stem);

/* What goes into the dataset (*out) and, for the owner only, what changed (*changes). Tracks of faces become those of `faces` that
 * overlap them, frame by frame; what no measured face overlaps is left out. Other tracks and actions stay as they are; tracks only
 * where the picture around the faces is the recording's (`scene`), and not where they lie in a face. Caller json_decref's both. */
mdm_status mdm_carried_remeasure(json_t **out, json_t **changes, const json_t *items, const mdm_face_labels *faces,
                                 bool scene);

#endif
