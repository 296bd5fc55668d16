/* A face that was drawn for this very frame, in the stand-in's place: its colours under the scene's light, where the stand-in's own would be
 * drawn. Eyes, mouth and shading are the picture's. */
#include <math.h>

#include "base/memory.h"
#include "face/light.h"
#include "face/render_internal.h"

/* The picture as log colours, no finer than where it goes. */
static mdm_status read_picture(float **out, const mdm_image *picture, float shrink)
{
    const size_t width = (size_t)picture->width, height = (size_t)picture->height;
    const float sigma = shrink > 1.25f ? 0.45f * sqrtf(shrink * shrink - 1) : 0;
    MDM_TRY(mdm_alloc(out, width * height * 3, sizeof **out, "picture of a face"));
    for (size_t y = 0; y < height; y++)
        for (size_t i = 0; i < width * 3; i++)
            (*out)[y * width * 3 + i] = logf((float)picture->data[y * picture->stride + i] + MDM_LOG_FLOOR);
    mdm_status status = sigma > 0 ? mdm_blur_float(*out, picture->width, picture->height, 3, sigma) : MDM_OK;
    if (status)
        mdm_free(out);
    return status;
}

static void colour_pixels(mdm_renderer *r, const float *picture, const int bounds[4])
{
    const mdm_talking_window *window = &r->shown_window;
    const size_t width = (size_t)r->shown->width;
    const float right = (float)r->shown->width - 1.001f, bottom = (float)r->shown->height - 1.001f;
    for (int y = 0; y < r->canvas.height; y++)
        for (int x = 0; x < r->canvas.width; x++) {
            const size_t i = (size_t)y * (size_t)r->canvas.width + (size_t)x;
            float *out = r->face + 3 * i;
            if (!r->canvas.covered[i]) {
                out[0] = out[1] = out[2] = 0;
                continue;
            }
            const float u = mdm_clampf((float)(window->scale * (bounds[0] + x) + window->shift[0]), 0, right),
                        v = mdm_clampf((float)(window->scale * (bounds[1] + y) + window->shift[1]), 0, bottom);
            const int column = (int)u, row = (int)v;
            const float tx = u - (float)column, ty = v - (float)row, *a = r->canvas.value + i * AT_COUNT;
            const float *p = picture + ((size_t)row * width + (size_t)column) * 3, *q = p + 3 * width;
            for (int k = 0; k < 3; k++) {
                const float t = (p[k] * (1 - tx) + p[k + 3] * tx) * (1 - ty) + (q[k] * (1 - tx) + q[k + 3] * tx) * ty;
                const float own = a[AT_OWN + k], lit = own + (t - own) * a[AT_DETAIL] + a[AT_GAIN + k];
                out[k] = expf(mdm_clampf(lit, 0, 6.5f)) - MDM_LOG_FLOOR;
            }
        }
}

mdm_status mdm_show_picture(mdm_render_frame *f, const int bounds[4])
{
    mdm_renderer *r = f->r;
    float attribute[MDM_RENDER_VERTICES][AT_COUNT] = {{0}}, *picture = NULL;
    MDM_TRY(read_picture(&picture, r->shown, (float)r->shown_window.scale));
    for (int i = 0; i < MDM_RENDER_VERTICES; i++) {
        float *a = attribute[i];
        mdm_light_at(a + AT_GAIN, (const float(*)[3])r->motion->light[f->index], r->canonical->light[i]);
        for (int k = 0; k < 3; k++) {
            a[AT_GAIN + k] = mdm_clampf(a[AT_GAIN + k], -1.9f, 1.386f);
            a[AT_OWN + k] = r->standin->own_light[i][k];
        }
        a[AT_CORE] = i < MDM_MESH_VERTICES;
        a[AT_DETAIL] = r->motion->look.contrast;
    }
    mdm_raster(&r->canvas, (const float(*)[3])f->local, &attribute[0][0], (const int(*)[3])r->canonical->triangle,
               MDM_RENDER_TRIANGLES);
    colour_pixels(r, picture, bounds);
    mdm_free(&picture);
    return MDM_OK;
}
