/* Reading the canonical face and deriving the renderer's tables. */
#include "face/canonical.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define MAX_FILE (1u << 20)

static float apart(const float *a, const float *b, int axes)
{
    float sum = 0;
    for (int i = 0; i < axes; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrtf(sum);
}

void mdm_ring_points(float ring[MDM_OVAL][3], const float (*shape)[3])
{
    float centre[3], offset[MDM_OVAL][3], highest = 1e-6f;
    for (int k = 0; k < 3; k++)
        centre[k] = (shape[168][k] + shape[6][k] + shape[197][k]) / 3;
    for (int i = 0; i < MDM_OVAL; i++) {
        for (int k = 0; k < 3; k++)
            offset[i][k] = shape[mdm_oval[i]][k] - centre[k];
        highest = fmaxf(highest, fabsf(offset[i][1]));
    }
    for (int i = 0; i < MDM_OVAL; i++) {
        float up = fminf(1, fmaxf(0, -offset[i][1] / highest)), grow = 0.10f + 0.16f * up;
        for (int k = 0; k < 3; k++)
            ring[i][k] = shape[mdm_oval[i]][k] + grow * offset[i][k];
        ring[i][2] += 1.2f * (1 - 0.5f * up);
    }
}

static mdm_status parse(mdm_canonical *out, char *text, const char *path)
{
    int vertices = 0, triangles = 0;
    for (char *line = text; line && *line;) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (line[0] == 'v' && line[1] == ' ' && vertices < MDM_MESH_VERTICES) {
            char *at = line + 2;
            for (int k = 0; k < 3; k++) {
                float value = strtof(at, &at);
                if (!(fabsf(value) < 100))
                    return mdm_fail(MDM_ERR_INPUT, "%s: vertex %d is not three numbers under 100 cm", path, vertices);
                out->vertex[vertices][k] = k ? -value : value; /* y up, z to the camera in the file */
            }
            vertices++;
        } else if (line[0] == 'f' && line[1] == ' ' && triangles < MDM_MESH_TRIANGLES) {
            char *at = line + 2;
            for (int k = 0; k < 3; k++) {
                long index = strtol(at, &at, 10);
                if (index < 1 || index > MDM_MESH_VERTICES)
                    return mdm_fail(MDM_ERR_INPUT, "%s: triangle %d has vertex %ld, expected 1..468", path, triangles,
                                    index);
                out->triangle[triangles][k] = (int)index - 1;
                at += strcspn(at, " ");
            }
            triangles++;
        }
        line = next;
    }
    if (vertices != MDM_MESH_VERTICES || triangles != MDM_MESH_TRIANGLES)
        return mdm_fail(MDM_ERR_INPUT, "%s: %d vertices and %d triangles, expected 468 and 898; get it again (./demo)",
                        path, vertices, triangles);
    return MDM_OK;
}

static bool is_inner_lip(int vertex)
{
    for (int i = 0; i < MDM_LIP_INNER; i++)
        if (mdm_lip_inner[i] == vertex)
            return true;
    return false;
}

/* Positive area in IMAGE for the front of every triangle. */
static void orient(int *t, const float (*v)[3])
{
    const float *a = v[t[0]], *b = v[t[1]], *c = v[t[2]];
    if ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]) < 0) {
        int swap = t[1];
        t[1] = t[2], t[2] = swap;
    }
}

static void add_ring(mdm_canonical *out)
{
    float ring[MDM_OVAL][3];
    mdm_ring_points(ring, (const float(*)[3])out->vertex);
    memcpy(out->vertex[MDM_MESH_VERTICES], ring, sizeof ring);
    int(*to)[3] = out->triangle + MDM_MESH_TRIANGLES;
    for (int i = 0; i < MDM_OVAL; i++) {
        int a = mdm_oval[i], b = mdm_oval[(i + 1) % MDM_OVAL], c = MDM_MESH_VERTICES + i,
            d = MDM_MESH_VERTICES + (i + 1) % MDM_OVAL;
        int pair[2][3] = {{a, c, b}, {b, c, d}};
        memcpy(to[2 * i], pair, sizeof pair);
    }
    for (int i = 0; i < MDM_RENDER_TRIANGLES; i++) {
        int *t = out->triangle[i];
        orient(t, (const float(*)[3])out->vertex);
        if (is_inner_lip(t[0]) && is_inner_lip(t[1]) && is_inner_lip(t[2]) && out->mouth_count < 64)
            memcpy(out->mouth[out->mouth_count++], t, sizeof out->mouth[0]);
    }
}

static void add_normals(mdm_canonical *out)
{
    for (int i = 0; i < MDM_MESH_TRIANGLES; i++) {
        const int *t = out->triangle[i];
        const float *a = out->vertex[t[0]], *b = out->vertex[t[1]], *c = out->vertex[t[2]];
        float u[3], w[3];
        for (int k = 0; k < 3; k++)
            u[k] = b[k] - a[k], w[k] = c[k] - a[k];
        float n[3] = {u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2], u[0] * w[1] - u[1] * w[0]};
        for (int v = 0; v < 3; v++)
            for (int k = 0; k < 3; k++)
                out->normal[t[v]][k] += n[k];
    }
    float sign = out->normal[4][2] < 0 ? 1.0f : -1.0f; /* the nose tip looks at the camera */
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        float *n = out->normal[i], length = sqrtf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-9f;
        for (int k = 0; k < 3; k++)
            n[k] *= sign / length;
    }
}

/* Vertices within 0.75 cm of brows, eyes and lips are not bare skin. */
static void add_skin(mdm_canonical *out)
{
    int marked[128], count = 0;
    for (int i = 0; i < MDM_BROWS; i++)
        marked[count++] = mdm_brows[i];
    for (int i = 0; i < MDM_LIP_INNER; i++)
        marked[count++] = mdm_lip_inner[i], marked[count++] = mdm_lip_outer[i];
    for (int e = 0; e < 2; e++) {
        for (int i = 0; i < MDM_LID_ROW; i++)
            marked[count++] = mdm_eyes[e].up[i], marked[count++] = mdm_eyes[e].lo[i],
            marked[count++] = mdm_eyes[e].skin[i];
        marked[count++] = mdm_eyes[e].outer, marked[count++] = mdm_eyes[e].inner;
    }
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        out->skin[i] = 1;
        for (int k = 0; k < count; k++)
            if (apart(out->vertex[i], out->vertex[marked[k]], 3) < 0.75f)
                out->skin[i] = 0;
    }
}

static void derive(mdm_canonical *out)
{
    add_ring(out);
    add_normals(out);
    add_skin(out);
    mdm_rest_fields(out->rest, out->shade, (const float(*)[3])out->vertex, out->skin);
    for (int i = 0; i < MDM_MESH_VERTICES; i++) {
        float nearest = INFINITY;
        for (int k = 0; k < MDM_OVAL; k++)
            nearest = fminf(nearest, apart(out->vertex[i], out->vertex[mdm_oval[k]], 2));
        float w = fminf(1, fmaxf(0, 1 - nearest / 2.6f));
        out->border[i] = w * w * (3 - 2 * w);
    }
    for (int i = 0; i < MDM_RENDER_VERTICES; i++) {
        float x = out->vertex[i][0] / 8, y = out->vertex[i][1] / 9, best = INFINITY;
        float terms[MDM_LIGHT_TERMS] = {1, x, y, x * x, x * y, y * y};
        memcpy(out->light[i], terms, sizeof terms);
        out->smooth_weight[i] = i < MDM_MESH_VERTICES ? out->skin[i] : 0.2f;
        float turned[3] = {-out->vertex[i][0], out->vertex[i][1], out->vertex[i][2]};
        for (int k = 0; k < MDM_RENDER_VERTICES; k++) {
            float d = apart(turned, out->vertex[k], 3);
            if (d < best)
                best = d, out->mirror[i] = k;
        }
    }
}

mdm_status mdm_canonical_load(mdm_canonical *out, const char *models)
{
    char *path = NULL;
    unsigned char *data = NULL;
    size_t size;
    memset(out, 0, sizeof *out);
    MDM_TRY(mdm_join_path(&path, models, "canonical-face-model.obj"));
    mdm_status status = mdm_file_exists(path) ? mdm_file_read(&data, &size, path, MAX_FILE)
                                              : mdm_fail(MDM_ERR_DEVICE, "%s: not there; run ./demo to fetch it", path);
    if (!status)
        status = parse(out, (char *)data, path);
    if (!status)
        derive(out);
    mdm_free(&data);
    mdm_free(&path);
    return status;
}
