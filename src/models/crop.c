/* Sampling with as many samples a pixel as the map shrinks by. */
#include "models/crop.h"

#include <math.h>

#include "base/memory.h"

#define MAX_FINE 6

mdm_status mdm_crop_sample(float *planes, int width, int height, const mdm_image *image, const double m[6], float scale,
                           const float offset[3])
{
    const double step = fmax(hypot(m[0], m[3]), hypot(m[1], m[4]));
    if (image->channels != 3 || width < 1 || height < 1 || width > 8192 || height > 8192 || !isfinite(step) ||
        !isfinite(m[2]) || !isfinite(m[5]))
        return mdm_fail(MDM_ERR_INTERNAL, "crop of %d x %d: a picture of %d channels or a place out of range", width,
                        height, image->channels);
    const int fine = step > MAX_FINE ? MAX_FINE : step > 1.5 ? (int)ceil(step) : 1;
    if (fine == 1) {
        mdm_image_sample(planes, width, height, 1, image, m, scale, offset);
        return MDM_OK;
    }
    const size_t wide = (size_t)width * (size_t)fine, high = (size_t)height * (size_t)fine;
    const float share = 1.0f / (float)(fine * fine);
    const double shift = 0.5 / fine - 0.5; /* fine pixel i lies at (i + 0.5) / fine - 0.5 */
    const double f[6] = {m[0] / fine, m[1] / fine, m[2] + (m[0] + m[1]) * shift,
                         m[3] / fine, m[4] / fine, m[5] + (m[3] + m[4]) * shift};
    const float part[3] = {offset[0] * share, offset[1] * share, offset[2] * share};
    float *large = NULL;
    MDM_TRY(mdm_alloc(&large, 3 * wide * high, sizeof *large, "crop"));
    mdm_image_sample(large, (int)wide, (int)high, 1, image, f, scale * share, part);
    for (size_t row = 0; row < 3 * (size_t)height; row++)
        for (size_t x = 0; x < (size_t)width; x++) {
            float sum = 0;
            for (size_t v = 0; v < (size_t)fine; v++)
                for (size_t u = 0; u < (size_t)fine; u++)
                    sum += large[(row * (size_t)fine + v) * wide + x * (size_t)fine + u];
            planes[row * (size_t)width + x] = sum;
        }
    mdm_free(&large);
    return MDM_OK;
}
