/* MediaPipe's attention mesh: the crop, and putting the refined lips, eyes and irises into the mesh. */
#include "models/face_mesh.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/graph.h"

#define SIDE     192
#define ENLARGED 1.5f

/* Where the network's refined points go: indices of MediaPipe's mesh. An eye's first 16 are its contour. */
static const short lips[] = {
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0,  267, 269, 270, 409,
    78, 95,  88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
    76, 77,  90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,
    62, 96,  89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,
};
static const short left_eye[] = {
    33,  7,   163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25,
    110, 24,  23,  22,  26,  112, 243, 247, 30,  29,  27,  28,  56,  190, 226, 31,  228, 229,
    230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189, 35,  124, 46,  53,  52,  65,
    143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70,  63,  105, 66,  107, 55,  193,
};
static const short right_eye[] = {
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255,
    339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449,
    450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295,
    372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
};
static const short left_iris[] = {468, 469, 470, 471, 472};
static const short right_iris[] = {473, 474, 475, 476, 477};

#define LENGTH(list) (int)(sizeof(list) / sizeof *(list))

enum { MESH, FLAG, FIRST_REFINED, OUTPUTS = FIRST_REFINED + 5 };

static const struct {
    const char *name;
    int count;           /* floats */
    const short *points; /* of a refined part */
    const short *depth;  /* an iris: the contour whose mean z it gets */
} outputs[OUTPUTS] = {
    {"output_mesh_identity", 3 * MDM_MESH_VERTICES, NULL, NULL},
    {"conv_faceflag", 1, NULL, NULL},
    {"output_lips", 2 * LENGTH(lips), lips, NULL},
    {"output_left_eye", 2 * LENGTH(left_eye), left_eye, NULL},
    {"output_right_eye", 2 * LENGTH(right_eye), right_eye, NULL},
    {"output_left_iris", 2 * LENGTH(left_iris), left_iris, left_eye},
    {"output_right_iris", 2 * LENGTH(right_iris), right_iris, right_eye},
};

struct mdm_face_mesh {
    mdm_graph *graph;
    int output[OUTPUTS];
    float input[3 * SIDE * SIDE];
};

mdm_status mdm_face_mesh_new(mdm_face_mesh **out, const char *models, int threads)
{
    mdm_face_mesh *mesher = NULL;
    char *path = NULL;
    *out = NULL;
    MDM_TRY(mdm_join_path(&path, models, "face_landmark_with_attention.tflite"));
    mdm_status status = mdm_alloc(&mesher, 1, sizeof *mesher, "face mesh");
    if (status == MDM_OK)
        status = mdm_graph_load(&mesher->graph, path, &(mdm_graph_options){.threads = threads});
    for (int i = 0; i < OUTPUTS && status == MDM_OK; i++) {
        mesher->output[i] = mdm_graph_output_index(mesher->graph, outputs[i].name);
        if (mesher->output[i] < 0 ||
            mdm_graph_output_size(mesher->graph, mesher->output[i]) != (size_t)outputs[i].count)
            status = mdm_fail(MDM_ERR_INPUT, "%s: no output \"%s\" of %d values; get the file again", path,
                              outputs[i].name, outputs[i].count);
    }
    mdm_free(&path);
    if (status != MDM_OK)
        mdm_face_mesh_free(&mesher);
    *out = mesher;
    return status;
}

void mdm_face_mesh_free(mdm_face_mesh **mesher)
{
    if (!*mesher)
        return;
    mdm_graph_free(&(*mesher)->graph);
    mdm_free(mesher);
}

static void make_roi(mdm_face_roi *roi, const float box[4], const float *left, const float *right)
{
    roi->cx = box[0] + box[2] / 2;
    roi->cy = box[1] + box[3] / 2;
    roi->size = ENLARGED * fmaxf(box[2], box[3]);
    roi->angle = atan2f(right[1] - left[1], right[0] - left[0]);
}

void mdm_face_roi_from_detection(mdm_face_roi *roi, const mdm_face_detection *face)
{
    make_roi(roi, (const float[4]){face->x, face->y, face->width, face->height}, face->point[0], face->point[1]);
}

void mdm_mesh_enlarged(float (*points)[3], const mdm_mesh *mesh, float scale)
{
    for (int i = 0; i < MDM_MESH_POINTS; i++) {
        points[i][0] = (mesh->point[i][0] + 0.5f) * scale - 0.5f;
        points[i][1] = (mesh->point[i][1] + 0.5f) * scale - 0.5f;
        points[i][2] = mesh->point[i][2] * scale;
    }
}

void mdm_face_roi_from_mesh(mdm_face_roi *roi, const mdm_mesh *mesh)
{
    float low[2] = {mesh->point[0][0], mesh->point[0][1]}, high[2] = {low[0], low[1]};
    for (int i = 1; i < MDM_MESH_POINTS; i++)
        for (int k = 0; k < 2; k++) {
            low[k] = fminf(low[k], mesh->point[i][k]);
            high[k] = fmaxf(high[k], mesh->point[i][k]);
        }
    make_roi(roi, (const float[4]){low[0], low[1], high[0] - low[0], high[1] - low[1]}, mesh->point[33],
             mesh->point[263]);
}

/* Puts a refined part in, still in pixels of the crop. */
static void refine(mdm_mesh *mesh, int part, const float *values)
{
    float z = 0;
    if (outputs[part].depth) {
        for (int i = 0; i < 16; i++)
            z += mesh->point[outputs[part].depth[i]][2] / 16;
    }
    for (int i = 0; i < outputs[part].count / 2; i++) {
        float *point = mesh->point[outputs[part].points[i]];
        point[0] = values[2 * i];
        point[1] = values[2 * i + 1];
        if (outputs[part].depth)
            point[2] = z;
    }
}

mdm_status mdm_face_mesh_run(mdm_mesh *out, mdm_face_mesh *mesher, const mdm_image *image, const mdm_face_roi *roi)
{
    float values[3 * MDM_MESH_VERTICES];
    if (image->channels != 3 || !(roi->size > 0) || roi->size > 1e6f || !isfinite(roi->cx) || !isfinite(roi->cy) ||
        !isfinite(roi->angle))
        return mdm_fail(MDM_ERR_INTERNAL, "face mesh: a square of side %g in a picture of %d channels",
                        (double)roi->size, image->channels);
    /* position p of the crop (0..192) is centre + R (p - 96) * size / 192 of the picture, as MediaPipe maps both ways */
    double scale = (double)roi->size / SIDE, c = cos((double)roi->angle) * scale, s = sin((double)roi->angle) * scale;
    const double m[6] = {c, -s, (double)roi->cx - (c - s) * SIDE / 2, s, c, (double)roi->cy - (s + c) * SIDE / 2};
    mdm_image_sample(mesher->input, SIDE, SIDE, 1, image, m, 1 / 255.0f, (const float[3]){0, 0, 0});
    MDM_TRY(mdm_graph_set(mesher->graph, 0, mesher->input, 3 * SIDE * SIDE));
    MDM_TRY(mdm_graph_run(mesher->graph));
    memset(out, 0, sizeof *out);
    for (int part = 0; part < OUTPUTS; part++) {
        MDM_TRY(mdm_graph_get(mesher->graph, mesher->output[part], values, (size_t)outputs[part].count));
        if (part == MESH)
            memcpy(out->point, values, sizeof values);
        else if (part == FLAG)
            out->presence = 1 / (1 + expf(-values[0]));
        else
            refine(out, part, values);
    }
    for (int i = 0; i < MDM_MESH_POINTS; i++) {
        float *p = out->point[i];
        double x = (double)p[0], y = (double)p[1];
        p[0] = (float)(m[0] * x + m[1] * y + m[2]);
        p[1] = (float)(m[3] * x + m[4] * y + m[5]);
        p[2] = (float)((double)p[2] * scale);
    }
    return MDM_OK;
}

mdm_status mdm_face_mesh_settle(mdm_mesh *out, mdm_face_mesh *mesher, const mdm_image *image, const mdm_face_roi *roi,
                                int passes)
{
    mdm_face_roi crop = *roi;
    for (int pass = 0; pass < passes; pass++) {
        MDM_TRY(mdm_face_mesh_run(out, mesher, image, &crop));
        mdm_face_roi_from_mesh(&crop, out);
    }
    return MDM_OK;
}
