/* Whether what was put in a face's place still looks like one: a detector that took no part in the making finds it or does not
 * (verify.h). */
#include <stdio.h>

#include "stages/verify.h"

#define SAME_PLACE 0.3f /* intersection over union of a face's box and what was detected */

bool mdm_verify_has_face(const mdm_face_detection *found, int count, const float box[4])
{
    for (int i = 0; i < count; i++) {
        const float there[4] = {found[i].x, found[i].y, found[i].width, found[i].height};
        if (mdm_box_iou(there, box) > SAME_PLACE)
            return true;
    }
    return false;
}

/* The box of a track whose face was replaced in this frame and is wide enough, or NULL. */
static const float *replaced_box(const mdm_verifier *v, int index, int number)
{
    mdm_track *track = &v->found.tracks.track[index];
    const mdm_track_frame *at = mdm_track_at(track, number);
    return at && at->box[2] >= MDM_MOTION_SMALLEST &&
                   v->track[index].reading[number - track->first].state == MDM_VERIFY_REPLACED
               ? at->box
               : NULL;
}

bool mdm_verify_any_replaced(const mdm_verifier *v, int number)
{
    for (int i = 0; i < v->found.tracks.count; i++)
        if (replaced_box(v, i, number))
            return true;
    return false;
}

void mdm_verify_detected(mdm_verifier *v, const mdm_face_detection *source, int sources,
                         const mdm_face_detection *result, int results, int number)
{
    for (int i = 0; i < v->found.tracks.count; i++) {
        const float *box = replaced_box(v, i, number);
        if (!box || !mdm_verify_has_face(source, sources, box))
            continue;
        v->track[i].detected[0]++;
        v->track[i].detected[1] += mdm_verify_has_face(result, results, box);
    }
}

json_t *mdm_verify_presence(const mdm_verifier *v, const int *track, int count, const char *person, json_t *reasons)
{
    int before = 0, after = 0;
    for (int i = 0; i < count; i++) {
        before += v->track[track[i]].detected[0];
        after += v->track[track[i]].detected[1];
    }
    if (2 * after < before) {
        char text[160];
        snprintf(text, sizeof text,
                 "CenterFace finds a face in %d of %d looks at which the recording shows one (at least half expected)",
                 after, before);
        json_array_append_new(reasons,
                              json_pack("{s:s, s:s, s:s}", "code", "faceless", "person", person, "text", text));
    }
    return before ? json_pack("{s:i, s:i, s:s}", "before", before, "after", after, "detector", "CenterFace")
                  : json_null();
}
