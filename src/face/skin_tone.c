/* Skin is known by its colour: as near to the face's own hue as the face's parts are to each other, up to three times as dark. */
#include "face/skin_tone.h"

#include <math.h>

#include "base/order.h"
#include "face/light.h"

#define SAMPLES 24
#define BESIDE  0.85f /* of the face's width, from its middle */
#define ABOVE   0.25f /* over the forehead's middle */
#define BELOW   0.80f /* under the chin */
#define BORDER  0.15f /* of the face's width, where the change fades */
#define STEEP                                                                                                          \
    1.3f /* photographs of dark and light skin are exposed alike: the generator's tones differ less than skins */
#define MOST 0.6f

/* Log colour of the generator's skin, mean of its races and genders. */
static const float usual[3] = {5.10f, 4.80f, 4.62f};

static const short skin_vertices[SAMPLES] = {50,  280, 205, 425, 187, 411, 101, 330, 118, 347, 36,  266,
                                             123, 352, 207, 427, 151, 9,   108, 337, 69,  299, 216, 436};

static float middle(float *values, int count)
{
    mdm_sort(values, (size_t)count);
    return values[count / 2];
}

void mdm_skin_tone(float out[3], const mdm_standin *standin)
{
    for (int k = 0; k < 3; k++) {
        float values[SAMPLES];
        for (int i = 0; i < SAMPLES; i++)
            values[i] = standin->colour[skin_vertices[i]][k];
        out[k] = mdm_clampf(STEEP * (middle(values, SAMPLES) - usual[k]), -MOST, MOST);
    }
}

void mdm_motion_retone(mdm_motion *motion, const float tone[3])
{
    for (int k = 0; k < 3; k++) {
        motion->look.tone[k] = tone[k];
        for (int i = 0; i < motion->count; i++)
            motion->light[i][0][k] += tone[k];
    }
}

void mdm_skin_around(int rect[4], const float (*points)[3], float width)
{
    const float x = (points[234][0] + points[454][0]) / 2, top = fminf(points[10][1], points[152][1]),
                bottom = fmaxf(points[10][1], points[152][1]);
    rect[0] = (int)floorf(x - BESIDE * width), rect[2] = (int)ceilf(2 * BESIDE * width);
    rect[1] = (int)floorf(top - ABOVE * width), rect[3] = (int)ceilf(bottom - top + (ABOVE + BELOW) * width);
}

static void log_pixel(float out[3], const uint8_t *p)
{
    for (int k = 0; k < 3; k++)
        out[k] = logf((float)p[k] + MDM_LOG_FLOOR);
}

/* What the face's skin is like here: log brightness and two differences of colours, and how far those spread. */
typedef struct skin {
    float bright, hue[2], spread[2];
} skin;

static void look_at_face(skin *out, const mdm_image *image, const float (*points)[3], float width)
{
    float samples[SAMPLES][3], colour[SAMPLES][3], bright[SAMPLES], hue[2][SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        for (int k = 0; k < 3; k++)
            samples[i][k] = points[skin_vertices[i]][k];
    mdm_vertex_colour(colour, image, (const float(*)[3])samples, SAMPLES, fmaxf(0.8f, 0.02f * width));
    for (int i = 0; i < SAMPLES; i++) {
        bright[i] = (colour[i][0] + colour[i][1] + colour[i][2]) / 3;
        hue[0][i] = colour[i][0] - colour[i][1], hue[1][i] = colour[i][1] - colour[i][2];
    }
    out->bright = middle(bright, SAMPLES);
    for (int k = 0; k < 2; k++) {
        out->hue[k] = middle(hue[k], SAMPLES);
        out->spread[k] = fmaxf(0.06f, 1.5f * mdm_robust_spread(hue[k], SAMPLES));
    }
}

mdm_status mdm_retone_skin(mdm_image *image, const int rect[4], const float (*points)[3], float width,
                           const float tone[3], float *weight)
{
    skin face;
    const float border = fmaxf(2, BORDER * width);
    int whole[4];
    look_at_face(&face, image, points, width);
    mdm_skin_around(whole, points, width);
    for (int y = 0; y < rect[3]; y++)
        for (int x = 0; x < rect[2]; x++) {
            float colour[3];
            log_pixel(colour, image->data + (size_t)(rect[1] + y) * image->stride + 3 * (size_t)(rect[0] + x));
            const float bright = (colour[0] + colour[1] + colour[2]) / 3 - face.bright;
            const float a = (colour[0] - colour[1] - face.hue[0]) / face.spread[0],
                        b = (colour[1] - colour[2] - face.hue[1]) / face.spread[1];
            const float inside =
                fminf(fminf((float)(rect[0] + x - whole[0]), (float)(whole[0] + whole[2] - 1 - rect[0] - x)),
                      fminf((float)(rect[1] + y - whole[1]), (float)(whole[1] + whole[3] - 1 - rect[1] - y)));
            weight[(size_t)y * (size_t)rect[2] + (size_t)x] =
                (1 - mdm_smoothstep(a * a + b * b, 2, 6)) * mdm_smoothstep(bright, -1.3f, -0.9f) *
                (1 - mdm_smoothstep(bright, 0.5f, 0.8f)) * mdm_smoothstep(inside, 0, border);
        }
    MDM_TRY(mdm_blur_float(weight, rect[2], rect[3], 1, fmaxf(0.7f, 0.02f * width)));
    for (int y = 0; y < rect[3]; y++)
        for (int x = 0; x < rect[2]; x++) {
            uint8_t *p = image->data + (size_t)(rect[1] + y) * image->stride + 3 * (size_t)(rect[0] + x);
            const float w = weight[(size_t)y * (size_t)rect[2] + (size_t)x];
            for (int k = 0; k < 3 && w > 0.01f; k++)
                p[k] = (uint8_t)(mdm_clampf(((float)p[k] + MDM_LOG_FLOOR) * expf(w * tone[k]) - MDM_LOG_FLOOR, 0, 255) +
                                 0.5f);
        }
    return MDM_OK;
}
