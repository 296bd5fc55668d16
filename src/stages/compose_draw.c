/* The debug picture of --draw: each face's box, number and state and the outlines of plates and text over the masked frame.
 * It is written beside the other work files and never shared. */
#include <math.h>
#include <string.h>

#include "stages/compose.h"

/* Digits of 3 x 5 pixels, a row in three bits, top row first. */
static const unsigned short digits[10] = {075557, 026227, 071747, 071717, 055711,
                                          074717, 074757, 071122, 075757, 075717};

static void dot(mdm_image *image, int x, int y, int size, const uint8_t colour[3])
{
    for (int v = y; v < y + size; v++)
        for (int u = x; u < x + size; u++)
            if (u >= 0 && v >= 0 && u < image->width && v < image->height)
                memcpy(image->data + (size_t)v * image->stride + (size_t)u * 3, colour, 3);
}

static void line(mdm_image *image, const float from[2], const float to[2], int size, const uint8_t colour[3])
{
    const float length = fmaxf(fabsf(to[0] - from[0]), fabsf(to[1] - from[1]));
    if (!(length < 40000.0f))
        return;
    const int steps = (int)length + 1;
    for (int i = 0; i <= steps; i++) {
        const float t = (float)i / (float)steps;
        dot(image, (int)(from[0] + t * (to[0] - from[0])), (int)(from[1] + t * (to[1] - from[1])), size, colour);
    }
}

static void outline(mdm_image *image, const float corner[4][2], int size, const uint8_t colour[3])
{
    for (int i = 0; i < 4; i++)
        line(image, corner[i], corner[(i + 1) & 3], size, colour);
}

static void number(mdm_image *image, int x, int y, int value, int size, const uint8_t colour[3])
{
    int places = 1;
    while (places < 1000000 && value / places >= 10)
        places *= 10;
    for (; places > 0; places /= 10, x += 4 * size)
        for (int bit = 0; bit < 15; bit++)
            if (digits[value / places % 10] >> (14 - bit) & 1)
                dot(image, x + bit % 3 * size, y + bit / 3 * size, size, colour);
}

mdm_status mdm_compose_draw(mdm_compose *compose, mdm_frame *frame)
{
    static const uint8_t colours[][3] = {{160, 160, 160}, {255, 200, 0}, {0, 220, 60}},
                         region_colour[3] = {255, 60, 200};
    MDM_TRY(mdm_frame_rgb(frame, 0, 0, 0, 0));
    const int size = frame->rgb.height >= 700 ? 2 : 1;
    for (int i = 0; i < compose->found.tracks.count; i++) {
        mdm_track *track = &compose->found.tracks.track[i];
        const mdm_track_frame *at = mdm_track_at(track, (int)frame->number);
        if (!at || at->state == MDM_TRACK_LOST)
            continue;
        const uint8_t *colour = colours[compose->state[i][frame->number - track->first]];
        const float x0 = at->box[0], y0 = at->box[1], x1 = x0 + at->box[2], y1 = y0 + at->box[3];
        const float corner[4][2] = {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}};
        outline(&frame->rgb, corner, size, colour);
        number(&frame->rgb, (int)x0, (int)y0 - 7 * size, track->id, size, colour);
        for (int k = 0; at->has_mesh && k < MDM_MESH_POINTS; k += 4) {
            const float *p = track->point[frame->number - track->first][k];
            dot(&frame->rgb, (int)p[0], (int)p[1], 1, colour);
        }
    }
    for (int i = 0; i < compose->found.region_count; i++)
        for (int k = 0; k < compose->found.region[i].count; k++)
            if (compose->found.region[i].quad[k].frame == (int)frame->number)
                outline(&frame->rgb, compose->found.region[i].quad[k].corner, size, region_colour);
    return mdm_frame_commit_rgb(frame, 0, 0, 0, 0);
}
