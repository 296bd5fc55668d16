/* Painting one frame of a clip: stand-ins or covers over faces, covers over plates, text and rectangles (compose.h). */
#include "face/cover.h"
#include "stages/compose.h"

#define PLATE_MARGIN 0.15f /* of the shorter side: detectors hug the characters */
#define TEXT_MARGIN  0.25f

/* Covers a shape of the frame and carries the paint into the planes. */
static mdm_status cover(mdm_frame *frame, const mdm_shape *shape, mdm_cover kind)
{
    int r[4];
    mdm_shape_bounds(r, shape, frame->rgb.width, frame->rgb.height);
    if (r[2] < 1)
        return MDM_OK;
    MDM_TRY(mdm_frame_rgb(frame, r[0], r[1], r[2], r[3]));
    MDM_TRY(mdm_cover_region(&frame->rgb, shape, kind));
    return mdm_frame_commit_rgb(frame, r[0], r[1], r[2], r[3]);
}

static mdm_status paint_faces(mdm_compose *compose, mdm_frame *frame)
{
    for (int i = 0; i < compose->found.tracks.count; i++) {
        mdm_track *track = &compose->found.tracks.track[i];
        const mdm_track_frame *at = mdm_track_at(track, (int)frame->number);
        if (!at || at->state == MDM_TRACK_LOST)
            continue;
        bool drawn;
        MDM_TRY(mdm_compose_player_draw(&drawn, compose, i, frame));
        if (!drawn) {
            const mdm_shape shape = mdm_shape_face(at->box);
            MDM_TRY(cover(frame, &shape, MDM_COVER_BLUR));
        }
        compose->state[i][frame->number - track->first] = drawn ? MDM_FACE_REPLACED : MDM_FACE_COVERED;
    }
    return MDM_OK;
}

static mdm_status paint_regions(mdm_compose *compose, mdm_frame *frame)
{
    const mdm_settings *settings = compose->work->settings;
    for (int i = 0; i < compose->found.region_count; i++) {
        const mdm_region *region = &compose->found.region[i];
        const bool plate = region->kind[0] == 'p';
        const mdm_cover kind = plate ? settings->plates : settings->text;
        if (kind == MDM_COVER_KEEP || region->count < 1)
            continue;
        const int first = region->quad[0].frame, index = (int)frame->number - first;
        const struct mdm_region_quad *quad = NULL;
        if (index >= 0 && index < region->count && region->quad[index].frame == (int)frame->number)
            quad = &region->quad[index]; /* the usual case: a quad for every frame */
        for (int k = 0; !quad && k < region->count; k++)
            if (region->quad[k].frame == (int)frame->number)
                quad = &region->quad[k];
        if (!quad)
            continue;
        const mdm_shape shape = mdm_shape_quad(quad->corner, plate ? PLATE_MARGIN : TEXT_MARGIN);
        MDM_TRY(cover(frame, &shape, kind));
        compose->painted[i]++;
    }
    return MDM_OK;
}

mdm_status mdm_compose_paint(mdm_compose *compose, mdm_frame *frame)
{
    const mdm_settings *settings = compose->work->settings;
    MDM_TRY(paint_faces(compose, frame));
    MDM_TRY(paint_regions(compose, frame));
    for (int i = 0; i < settings->cover_count; i++) {
        const int *r = settings->cover[i];
        const mdm_shape shape = mdm_shape_rectangle(r[0], r[1], r[2], r[3]);
        MDM_TRY(cover(frame, &shape, MDM_COVER_BLUR));
    }
    return MDM_OK;
}
