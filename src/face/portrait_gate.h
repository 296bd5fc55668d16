/* Which portraits can be driven: frontal, mouth shut, evenly lit, a bare forehead, glasses only where they belong. Smiling,
 * turned or side-lit stand-ins turn monstrous once they move, and a fringe becomes a scar. */
#ifndef MDM_FACE_PORTRAIT_GATE_H
#define MDM_FACE_PORTRAIT_GATE_H

#include <stdbool.h>

#include "base/status.h"
#include "media/image.h"

typedef struct mdm_portrait_measures {
    float yaw, pitch; /* degrees; from the mesh's own depth, scaled to agree with a fit of the canonical mesh */
    float roll;
    float face_width;  /* px, from cheek to cheek */
    float lip_gap;     /* mean gap over the width of the inner mouth */
    float eye_open;    /* height over width of the narrower eye */
    float corner_lift; /* how far the corners lie below the lip line, over the mouth's width; negative when smiling */
    float light;       /* root mean square left-right difference of blurred log luminance on skin */
    float fringe;      /* share of the forehead that is not of the cheeks' colour, 0..1 */
    float knit;        /* how dark the creases between the brows are, log luminance under the skin beside them */
    float glasses;     /* above 0: glasses or sunglasses; below MDM_PORTRAIT_NO_GLASSES: surely none */
    float shade;       /* log luminance under the eyes less the cheeks': sunglasses are dark */
} mdm_portrait_measures;

#define MDM_PORTRAIT_NO_GLASSES (-1.2f)

/* `points`: the 478 mesh points in pixels of the RGB image. */
mdm_status mdm_portrait_measure(mdm_portrait_measures *out, const mdm_image *image, const float (*points)[3]);

/* The first thing that speaks against a portrait, NULL when it can be used: "not frontal", "fringe", ... Limits: a table in
 * portrait_gate.c. With `glasses` the stand-in has to wear clear glasses, without it none. `smile` 0..1: how far it was asked to. */
const char *mdm_portrait_complaint(const mdm_portrait_measures *measures, bool glasses, float smile);

/* The parts of mdm_portrait_measure that look at colours, on `log` = ln(blurred picture + 8), [height][width][3]. */
float mdm_portrait_fringe(const float *log, int width, int height, const float (*points)[3]);
float mdm_portrait_knit(const float *log, int width, int height, const float (*points)[3]);
void mdm_portrait_glasses(float *score, float *shade, const float *log, int width, int height,
                          const float (*points)[3]);

#endif
