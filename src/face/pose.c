/* Fitting a similarity by quaternions; Jacobi's method finds the eigenvector. */
#include "face/pose.h"

#include <math.h>
#include <string.h>

#define DEGREES 57.29577951308232

/* Unit eigenvector of the largest eigenvalue of a symmetric 4x4 matrix. */
static void largest_eigenvector(double out[4], double a[4][4])
{
    double v[4][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    for (int sweep = 0; sweep < 30; sweep++) {
        double off = 0, all = 0;
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++)
                all += a[i][j] * a[i][j], off += i == j ? 0 : a[i][j] * a[i][j];
        if (off <= 1e-26 * all)
            break;
        for (int p = 0; p < 3; p++)
            for (int q = p + 1; q < 4; q++) {
                if (a[p][q] == 0)
                    continue;
                double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
                double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1),
                       s = t * c;
                for (int k = 0; k < 4; k++) {
                    double x = a[k][p], y = a[k][q];
                    a[k][p] = c * x - s * y, a[k][q] = s * x + c * y;
                }
                for (int k = 0; k < 4; k++) {
                    double x = a[p][k], y = a[q][k];
                    a[p][k] = c * x - s * y, a[q][k] = s * x + c * y;
                    x = v[k][p], y = v[k][q];
                    v[k][p] = c * x - s * y, v[k][q] = s * x + c * y;
                }
            }
    }
    int best = 0;
    for (int i = 1; i < 4; i++)
        if (a[i][i] > a[best][best])
            best = i;
    for (int k = 0; k < 4; k++)
        out[k] = v[k][best];
}

/* Rotation R that maximises trace(R^T m), m = sum of b a^T (b ~ R a). */
static void best_rotation(double r[9], const double m[3][3])
{
    /* Horn's matrix for S[i][k] = sum a_i b_k, i.e. the transpose of m */
    double xx = m[0][0], xy = m[1][0], xz = m[2][0], yx = m[0][1], yy = m[1][1], yz = m[2][1], zx = m[0][2],
           zy = m[1][2], zz = m[2][2];
    double n[4][4] = {{xx + yy + zz, yz - zy, zx - xz, xy - yx},
                      {yz - zy, xx - yy - zz, xy + yx, zx + xz},
                      {zx - xz, xy + yx, yy - xx - zz, yz + zy},
                      {xy - yx, zx + xz, yz + zy, zz - xx - yy}};
    double q[4];
    largest_eigenvector(q, n);
    double w = q[0], x = q[1], y = q[2], z = q[3];
    double out[9] = {w * w + x * x - y * y - z * z, 2 * (x * y - w * z),           2 * (x * z + w * y),
                     2 * (x * y + w * z),           w * w - x * x + y * y - z * z, 2 * (y * z - w * x),
                     2 * (x * z - w * y),           2 * (y * z + w * x),           w * w - x * x - y * y + z * z};
    memcpy(r, out, sizeof out);
}

void mdm_rotation_nearest(double rotation[9])
{
    double m[3][3];
    memcpy(m, rotation, sizeof m);
    best_rotation(rotation, (const double(*)[3])m);
}

void mdm_pose_fit(mdm_pose *out, const float (*points)[3], const mdm_canonical *canonical)
{
    double ca[3] = {0}, cb[3] = {0}, m[3][3] = {{0}}, size = 0, along = 0;
    for (int i = 0; i < MDM_RIGID; i++)
        for (int k = 0; k < 3; k++) {
            ca[k] += (double)canonical->vertex[mdm_rigid[i]][k] / MDM_RIGID;
            cb[k] += (double)points[mdm_rigid[i]][k] / MDM_RIGID;
        }
    for (int i = 0; i < MDM_RIGID; i++)
        for (int r = 0; r < 3; r++) {
            double a0 = (double)canonical->vertex[mdm_rigid[i]][r] - ca[r];
            size += a0 * a0;
            for (int c = 0; c < 3; c++)
                m[r][c] +=
                    ((double)points[mdm_rigid[i]][r] - cb[r]) * ((double)canonical->vertex[mdm_rigid[i]][c] - ca[c]);
        }
    best_rotation(out->rotation, (const double(*)[3])m);
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++)
            along += out->rotation[3 * r + c] * m[r][c];
    out->scale = size > 0 ? along / size : 1;
    if (!(out->scale > 1e-6))
        out->scale = 1e-6;
    for (int r = 0; r < 3; r++) {
        double turned = 0;
        for (int c = 0; c < 3; c++)
            turned += out->rotation[3 * r + c] * ca[c];
        out->shift[r] = cb[r] - out->scale * turned;
    }
}

void mdm_to_head(float (*out)[3], const float (*points)[3], int count, const mdm_pose *pose)
{
    const double *r = pose->rotation;
    for (int i = 0; i < count; i++) {
        double d[3];
        for (int k = 0; k < 3; k++)
            d[k] = ((double)points[i][k] - pose->shift[k]) / pose->scale;
        for (int k = 0; k < 3; k++)
            out[i][k] = (float)(d[0] * r[k] + d[1] * r[3 + k] + d[2] * r[6 + k]);
    }
}

void mdm_to_image(float (*out)[3], const float (*points)[3], int count, const mdm_pose *pose)
{
    const double *r = pose->rotation;
    for (int i = 0; i < count; i++) {
        double x = (double)points[i][0], y = (double)points[i][1], z = (double)points[i][2];
        for (int k = 0; k < 3; k++)
            out[i][k] = (float)(pose->scale * (r[3 * k] * x + r[3 * k + 1] * y + r[3 * k + 2] * z) + pose->shift[k]);
    }
}

void mdm_pose_angles(double angles[3], const mdm_pose *pose)
{
    const double *r = pose->rotation;
    double fx = -r[2], fy = -r[5], fz = -r[8]; /* where the face looks: HEAD -z */
    angles[0] = DEGREES * atan2(fx, -fz);
    angles[1] = DEGREES * atan2(fy, hypot(fx, fz));
    angles[2] = DEGREES * atan2(r[3], r[0]);
}

float mdm_pose_turned(const mdm_pose *pose)
{
    double angles[3];
    mdm_pose_angles(angles, pose);
    return fminf(1, fmaxf(0, ((float)fabs(angles[0]) - 15) / 20));
}

float mdm_pose_towards(const mdm_pose *pose, const float normal[3])
{
    const double *r = pose->rotation + 6;
    return -(float)(r[0] * (double)normal[0] + r[1] * (double)normal[1] + r[2] * (double)normal[2]);
}
