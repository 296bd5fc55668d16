/* Choosing the frames of a track that recognisers and attribute networks read best. */
#include "face/best_frames.h"

#include <math.h>

enum { NOSE = 1, CHEEK_LEFT = 234, CHEEK_RIGHT = 454, BROW = 9, CHIN = 152 };

float mdm_mesh_turn(const float (*p)[3])
{
    float ux = p[CHEEK_RIGHT][0] - p[CHEEK_LEFT][0], uy = p[CHEEK_RIGHT][1] - p[CHEEK_LEFT][1];
    float vx = p[CHIN][0] - p[BROW][0], vy = p[CHIN][1] - p[BROW][1];
    float uu = ux * ux + uy * uy, vv = vx * vx + vy * vy;
    if (uu < 1 || vv < 1)
        return 1;
    float across = ((p[NOSE][0] - p[CHEEK_LEFT][0]) * ux + (p[NOSE][1] - p[CHEEK_LEFT][1]) * uy) / uu;
    float down = ((p[NOSE][0] - p[BROW][0]) * vx + (p[NOSE][1] - p[BROW][1]) * vy) / vv;
    return fminf(1, 2 * fabsf(across - 0.5f) + fabsf(down - 0.45f));
}

int mdm_best_frames(int *frames, int max, const mdm_track *track, float smallest)
{
    int count = 0;
    for (int part = 0; part < max; part++) {
        int from = (int)((long long)track->count * part / max), to = (int)((long long)track->count * (part + 1) / max);
        int best = -1;
        float best_worth = 0;
        for (int i = from; i < to; i++) {
            const mdm_track_frame *frame = &track->frame[i];
            if (!frame->has_mesh || frame->box[2] < smallest)
                continue;
            float worth =
                fminf(frame->box[2], 160) * (1.05f - mdm_mesh_turn((const float(*)[3])track->point[i])) * frame->score;
            if (worth > best_worth)
                best_worth = worth, best = i;
        }
        if (best >= 0)
            frames[count++] = track->first + best;
    }
    return count;
}

bool mdm_looks_has(mdm_looks *looks, const mdm_track *track, float smallest, int number)
{
    if (!looks->chosen)
        looks->count = mdm_best_frames(looks->frame, MDM_LOOKS, track, smallest);
    looks->chosen = true;
    for (int i = 0; i < looks->count; i++)
        if (looks->frame[i] == number)
            return true;
    return false;
}
