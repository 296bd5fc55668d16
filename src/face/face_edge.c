/* Looking at the picture's edges in a mirror. */
#include "face/face_edge.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define STRIP      0.5f /* of the picture's height: what is mirrored, a face is rarely wider */
#define OFF_CENTRE 0.3f /* of its width: further from the edge it is no face that the edge cuts */
#define NARROWEST  24.0f
#define PRESENCE   0.5f

/* The strip of `width` pixels at an edge with its mirror image outside of it. */
static mdm_status mirror(mdm_image *out, const mdm_image *image, int width, bool right)
{
    MDM_TRY(mdm_image_new(out, 2 * width, image->height, 3));
    const int edge = right ? image->width - 1 : 0, inwards = right ? -1 : 1;
    for (int y = 0; y < image->height; y++) {
        const uint8_t *in = image->data + (size_t)y * image->stride;
        uint8_t *row = out->data + (size_t)y * out->stride;
        for (int x = 0; x < width; x++) {
            const uint8_t *from = in + 3 * (size_t)(edge + inwards * x);
            memcpy(row + 3 * (size_t)(width + x), from, 3);
            memcpy(row + 3 * (size_t)(width - 1 - x), from, 3);
        }
    }
    return MDM_OK;
}

static mdm_status confirm(bool *ok, mdm_face_mesh *mesher, const mdm_image *image, const mdm_face_detection *face)
{
    mdm_face_roi roi;
    mdm_mesh mesh;
    mdm_face_roi_from_detection(&roi, face);
    MDM_TRY(mdm_face_mesh_settle(&mesh, mesher, image, &roi, 2));
    *ok = mesh.presence > PRESENCE;
    return MDM_OK;
}

/* From the mirror, where the edge is in the middle and the picture right of it, to the picture. */
static void to_picture(mdm_face_detection *face, const mdm_image *image, int width, bool right)
{
    const float from_edge = face->x - (float)width;
    face->x = right ? (float)image->width - from_edge - face->width : from_edge;
}

static mdm_status look(mdm_face_detection *found, int *count, mdm_face_search *search, mdm_face_mesh *mesher,
                       const mdm_image *image, bool right)
{
    mdm_image strip = {0};
    mdm_face_detection seen[MDM_FACE_SEARCH_MAX];
    int total = 0;
    const int half = (int)(STRIP * (float)image->height), width = half < image->width ? half : image->width;
    if (width < 1)
        return MDM_OK;
    mdm_status status = mirror(&strip, image, width, right);
    const float all[4] = {0, 0, (float)strip.width, (float)strip.height};
    if (!status)
        status = mdm_face_search_near(seen, &total, search, &strip, all);
    for (int i = 0; i < total && !status && *count < MDM_FACE_SEARCH_MAX; i++) {
        const float off = seen[i].x + seen[i].width / 2 - (float)width;
        bool ok = false;
        if (fabsf(off) > OFF_CENTRE * seen[i].width || seen[i].width < NARROWEST)
            continue;
        status = confirm(&ok, mesher, &strip, &seen[i]);
        if (status || !ok)
            continue;
        found[*count] = seen[i];
        to_picture(&found[(*count)++], image, width, right);
    }
    mdm_image_free(&strip);
    return status;
}

mdm_status mdm_face_edge_search(mdm_face_detection *found, int *count, mdm_face_search *search, mdm_face_mesh *mesher,
                                const mdm_image *image)
{
    MDM_TRY(look(found, count, search, mesher, image, false));
    return look(found, count, search, mesher, image, true);
}
