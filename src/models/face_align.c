/* Crops of a face from its mesh. */
#include "models/face_align.h"

#include <math.h>

/* ArcFace's places at 112 px: eyes, nose tip, mouth corners, in the image's order from left to right. */
static const double places[5][2] = {
    {38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}};
/* The mesh points whose mean is each of the five. */
static const short five[5][4] = {
    {33, 133, 159, 145}, {362, 263, 386, 374}, {1, 1, 4, 4}, {61, 61, 61, 61}, {291, 291, 291, 291}};

void mdm_align_arcface(double m[6], const mdm_mesh *mesh, int side)
{
    double p[5][2] = {{0}}, pm[2] = {0}, qm[2] = {0}, same = 0, cross = 0, norm = 0;
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 2; k++) {
            for (int n = 0; n < 4; n++)
                p[i][k] += (double)mesh->point[five[i][n]][k] / 4;
            pm[k] += p[i][k] / 5;
            qm[k] += places[i][k] * side / 112 / 5;
        }
    /* the similarity from crop q to picture p: p = pm + (a -b; b a) (q - qm) */
    for (int i = 0; i < 5; i++) {
        double px = p[i][0] - pm[0], py = p[i][1] - pm[1];
        double qx = places[i][0] * side / 112 - qm[0], qy = places[i][1] * side / 112 - qm[1];
        same += qx * px + qy * py;
        cross += qx * py - qy * px;
        norm += qx * qx + qy * qy;
    }
    /* least squares in the crop's pixels, where the networks' tolerance is: solve picture -> crop, then turn it round */
    double spread = 0;
    for (int i = 0; i < 5; i++)
        spread += (p[i][0] - pm[0]) * (p[i][0] - pm[0]) + (p[i][1] - pm[1]) * (p[i][1] - pm[1]);
    double length = same * same + cross * cross;
    double gain = length > 0 ? spread / length : 1 / fmax(norm, 1e-9);
    double a = same * gain, b = cross * gain;
    m[0] = a, m[1] = -b, m[2] = pm[0] - a * qm[0] + b * qm[1];
    m[3] = b, m[4] = a, m[5] = pm[1] - b * qm[0] - a * qm[1];
}

void mdm_align_box(double m[6], const mdm_mesh *mesh, int side)
{
    mdm_face_roi roi;
    mdm_face_roi_from_mesh(&roi, mesh); /* 1.5 times the box */
    double step = (double)roi.size * 1.3 / 1.5 / side, centre = (side - 1) / 2.0;
    double c = cos((double)roi.angle) * step, s = sin((double)roi.angle) * step;
    m[0] = c, m[1] = -s, m[2] = (double)roi.cx - (c - s) * centre;
    m[3] = s, m[4] = c, m[5] = (double)roi.cy - (s + c) * centre;
}
