/* Colour of a face at its vertices, and the low-order light that takes one face's colours to another's. Log colours:
 * log(value + 8), R,G,B. */
#ifndef MDM_FACE_LIGHT_H
#define MDM_FACE_LIGHT_H

#include <stdbool.h>

#include "face/canonical.h"
#include "media/image.h"

#define MDM_LOG_FLOOR 8.0f

/* Mean colour around each of `count` points (IMAGE px), over about `sigma` pixels; log. */
void mdm_vertex_colour(float (*out)[3], const mdm_image *image, const float (*points)[3], int count, float sigma);

/* Robust ridge fit, over the 468 vertices, of y = basis * coefficients with weights >= 0 (at least ten must be positive;
 * false otherwise). The constant term is not penalised. */
bool mdm_light_fit(float coefficients[MDM_LIGHT_TERMS][3], const float (*y)[3], const float *weight,
                   const mdm_canonical *canonical);

void mdm_light_at(float out[3], const float (*coefficients)[3], const float *terms);

/* 1.48 times the median absolute deviation of `count` values (scrambles them). */
float mdm_robust_spread(float *values, int count);

#endif
