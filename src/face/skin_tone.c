/* Tone of the stand-in's skin, and the recording's skin changed by it (skin_tone.h). */
#include "face/skin_tone.h"

#include <math.h>

#include "base/order.h"
#include "face/light.h"
#include "face/skin_mask.h"

#define SQUARE 3.2f /* of the face's width */
#define LOWER  0.5f /* the square's middle under the face's */
/* Photographs of dark and light skin are exposed alike, so that the generator's tones differ less in brightness than skins, and as
 * much in colour. */
#define STEEP 1.8f
#define MOST  0.75f
#define EVEN                                                                                                           \
    0.45f /* of a difference in colour to the face (red ears, a pale neck) that a large change of tone takes away */
#define LARGE 0.4f

/* Log colour of the generator's skin, mean of its races and genders. */
static const float usual[3] = {5.10f, 4.80f, 4.62f};

static float middle(float *values, int count)
{
    mdm_sort(values, (size_t)count);
    return values[count / 2];
}

void mdm_skin_tone(float out[3], const mdm_standin *standin)
{
    float bright = 0;
    for (int k = 0; k < 3; k++) {
        float values[MDM_SKIN_SAMPLES];
        for (int i = 0; i < MDM_SKIN_SAMPLES; i++)
            values[i] = standin->colour[mdm_skin_vertices[i]][k];
        out[k] = middle(values, MDM_SKIN_SAMPLES) - usual[k];
        bright += out[k] / 3;
    }
    for (int k = 0; k < 3; k++)
        out[k] = mdm_clampf(out[k] + (STEEP - 1) * bright, -MOST, MOST);
}

void mdm_skin_tone_fit(float tone[3], const mdm_motion *motion, const mdm_standin *standin)
{
    const float bright = (tone[0] + tone[1] + tone[2]) / 3;
    float warm = 0;
    for (int i = 0; i < motion->count; i++)
        warm += (motion->light[i][0][0] - motion->light[i][0][2]) / (float)motion->count;
    for (int i = 0; i < MDM_SKIN_SAMPLES; i++)
        warm +=
            (standin->colour[mdm_skin_vertices[i]][0] - standin->colour[mdm_skin_vertices[i]][2]) / MDM_SKIN_SAMPLES;
    const float share = mdm_clampf(2 * warm / (usual[0] - usual[2]), 0, 1);
    for (int k = 0; k < 3; k++)
        tone[k] = bright + share * (tone[k] - bright);
}

void mdm_motion_retone(mdm_motion *motion, const float tone[3])
{
    for (int k = 0; k < 3; k++) {
        motion->look.tone[k] = tone[k];
        for (int i = 0; i < motion->count; i++)
            motion->light[i][0][k] += tone[k];
    }
}

void mdm_skin_around(float square[3], const float (*points)[3], float width)
{
    square[2] = SQUARE * width;
    square[0] = (points[234][0] + points[454][0]) / 2 - square[2] / 2;
    square[1] = (points[10][1] + points[152][1]) / 2 + LOWER * width - square[2] / 2;
}

static void log_pixel(float out[3], const uint8_t *p)
{
    for (int k = 0; k < 3; k++)
        out[k] = logf((float)p[k] + MDM_LOG_FLOOR);
}

/* Log colour of the person's face. */
static void look_at_face(float out[3], const mdm_image *image, const float (*points)[3], float width)
{
    float samples[MDM_SKIN_SAMPLES][3], colour[MDM_SKIN_SAMPLES][3], values[MDM_SKIN_SAMPLES];
    for (int i = 0; i < MDM_SKIN_SAMPLES; i++)
        for (int k = 0; k < 3; k++)
            samples[i][k] = points[mdm_skin_vertices[i]][k];
    mdm_vertex_colour(colour, image, (const float(*)[3])samples, MDM_SKIN_SAMPLES, fmaxf(0.8f, 0.02f * width));
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < MDM_SKIN_SAMPLES; i++)
            values[i] = colour[i][k];
        out[k] = middle(values, MDM_SKIN_SAMPLES);
    }
}

static float mask_at(const float *mask, float x, float y)
{
    enum { SIDE = MDM_MATTE_SIDE };
    x = mdm_clampf(x, 0, SIDE - 1.001f), y = mdm_clampf(y, 0, SIDE - 1.001f);
    const int u = (int)x, v = (int)y;
    const float tx = x - (float)u, ty = y - (float)v, *p = mask + v * SIDE + u, *q = p + SIDE;
    return (p[0] * (1 - tx) + p[1] * tx) * (1 - ty) + (q[0] * (1 - tx) + q[1] * tx) * ty;
}

void mdm_retone_skin(mdm_image *image, const int rect[4], const float square[3], const float *mask,
                     const float (*points)[3], float width, const float tone[3])
{
    float face[3];
    look_at_face(face, image, points, width);
    const float size = fmaxf(fabsf(tone[0]), fmaxf(fabsf(tone[1]), fabsf(tone[2]))),
                even = EVEN * mdm_clampf(size / LARGE, 0, 1), step = square[2] / MDM_MATTE_SIDE;
    const float face_bright = (face[0] + face[1] + face[2]) / 3;
    for (int y = rect[1]; y < rect[1] + rect[3]; y++)
        for (int x = rect[0]; x < rect[0] + rect[2]; x++) {
            const float u = ((float)x + 0.5f - square[0]) / step - 0.5f,
                        v = ((float)y + 0.5f - square[1]) / step - 0.5f;
            if (u < -1 || v < -1 || u > MDM_MATTE_SIDE || v > MDM_MATTE_SIDE)
                continue;
            const float w = mask_at(mask, u, v);
            if (w <= 0.01f)
                continue;
            uint8_t *p = image->data + (size_t)y * image->stride + 3 * (size_t)x;
            float colour[3];
            log_pixel(colour, p);
            const float bright = (colour[0] + colour[1] + colour[2]) / 3;
            for (int k = 0; k < 3; k++) {
                const float other = (colour[k] - bright) - (face[k] - face_bright);
                const float value = expf(colour[k] + w * (tone[k] - even * other)) - MDM_LOG_FLOOR;
                p[k] = (uint8_t)(mdm_clampf(value, 0, 255) + 0.5f);
            }
        }
}
