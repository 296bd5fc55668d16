/* The face generator: a compact conditional diffusion network of this project that draws aligned faces of people who do not
 * exist. Weights, data, licences and figures: models/facegen.md. Reference: tools/make_facegen_goldens.py names it. */
#ifndef MDM_MODELS_FACEGEN_H
#define MDM_MODELS_FACEGEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "media/image.h"

#define MDM_FACEGEN_AGES     9
#define MDM_FACEGEN_GENDERS  2
#define MDM_FACEGEN_RACES    7
#define MDM_FACEGEN_IDENTITY 128 /* numbers that say who it is: dlib's descriptor as models/dlib_face.h gives it */

/* FairFace's classes, in the order of the weights: "0-2" .. "70+"; "F", "M"; "Black" .. "White". */
extern const char *const mdm_facegen_age_names[MDM_FACEGEN_AGES];
extern const char *const mdm_facegen_gender_names[MDM_FACEGEN_GENDERS];
extern const char *const mdm_facegen_race_names[MDM_FACEGEN_RACES];

enum {
    MDM_FACEGEN_PHOTO, /* looks like a snapshot from the web: blurred, badly lit */
    MDM_FACEGEN_CLEAN, /* looks like an AI-made portrait: what is wanted */
};

/* The numbers a face can be asked for. Degrees; shares of the outer eye distance (mouth) or of the eye's width (eye, gaze);
 * log of the variance of the Laplacian; mean colour and contrast of the face oval, 0..255. The last six are measured as
 * face/portrait_gate.h measures smile (corner_lift), fringe and glasses; log luminances: teeth, of the open mouth less the
 * cheeks'; side_light, of the picture's left cheek less the right; beard, of the lower face less the cheeks'. */
typedef enum mdm_facegen_value {
    MDM_FACEGEN_YAW,
    MDM_FACEGEN_PITCH,
    MDM_FACEGEN_MOUTH_OPEN,
    MDM_FACEGEN_MOUTH_WIDTH,
    MDM_FACEGEN_EYE_OPEN,
    MDM_FACEGEN_GAZE_X,
    MDM_FACEGEN_GAZE_Y,
    MDM_FACEGEN_LOG_SHARP,
    MDM_FACEGEN_RED,
    MDM_FACEGEN_GREEN,
    MDM_FACEGEN_BLUE,
    MDM_FACEGEN_CONTRAST,
    MDM_FACEGEN_SMILE,
    MDM_FACEGEN_TEETH,
    MDM_FACEGEN_SIDE_LIGHT,
    MDM_FACEGEN_FRINGE,
    MDM_FACEGEN_GLASSES,
    MDM_FACEGEN_BEARD,
    MDM_FACEGEN_VALUES,
} mdm_facegen_value;

/* What the face should be like; a class of -1 and what is not known are left to chance. */
typedef struct mdm_facegen_conditions {
    int age, gender, race, domain;
    float value[MDM_FACEGEN_VALUES];
    bool known[MDM_FACEGEN_VALUES];
    float identity[MDM_FACEGEN_IDENTITY];
    bool identity_known;
} mdm_facegen_conditions;

typedef struct mdm_facegen mdm_facegen;

/* Reads FOLDER/NAME.json (sizes, statistics) and the safetensors it lists. One graph, about 280 MB; `threads` >= 1. */
mdm_status mdm_facegen_new(mdm_facegen **out, const char *folder, const char *name, int threads);
void mdm_facegen_free(mdm_facegen **facegen);

int mdm_facegen_size(const mdm_facegen *facegen); /* side of the picture, px */

/* Everything unknown; with the domain asked for, the negative side of guidance. */
mdm_facegen_conditions mdm_facegen_unknown(void);
/* A frontal clean portrait that can be driven: mouth shut and not smiling, light from both sides, forehead free, glasses as
 * asked, the rest the race's median; teeth, beard and identity are left to chance. With `random` each of sharpness, colour,
 * contrast, mouth width, eye opening and pitch is moved a little. Classes out of range become unknown. */
mdm_facegen_conditions mdm_facegen_neutral(const mdm_facegen *facegen, int age, int gender, int race, bool glasses,
                                           mdm_random *random);

/* From the neutral mouth (0) to a smile with closed lips (1). */
void mdm_facegen_smile(mdm_facegen_conditions *conditions, float smile);

/* Somebody of these classes who does not exist: their mean in the training data and normal noise of its covariance, times
 * `spread` (0: the mean itself). A class out of range stands for the mean over its rows. */
void mdm_facegen_draw_identity(const mdm_facegen *facegen, float identity[MDM_FACEGEN_IDENTITY], int age, int gender,
                               int race, float spread, mdm_random *random);

/* The bare network: F [3][S][S] from z [3][S][S] (already scaled) at time t in (0,1), t = 1 clean. For tests. */
mdm_status mdm_facegen_forward(mdm_facegen *facegen, float *f, const float *z, float t,
                               const mdm_facegen_conditions *conditions);

typedef struct mdm_facegen_sampler {
    int steps;       /* 2..100 */
    float guidance;  /* 1: none */
    float low, high; /* noise levels between which guidance acts */
    /* Above these noise levels (0: never) the picture under way is steered towards what a driven stand-in needs: light that is
     * the same from left and right, and a forehead of the cheeks' colour, free of hair. Above 0.5 and 0.6, 82 % of 336 draws
     * pass the portrait gate, above 1 and 1.5 77 %. */
    float even_light, bare_forehead;
} mdm_facegen_sampler;

/* What the product draws with. */
mdm_facegen_sampler mdm_facegen_sampler_default(void);

/* DPM-Solver++(2M) from `noise` [3][S][S], standard normal, to `picture` [3][S][S] in -1..1. `progress` is told of every
 * evaluation and may cancel (MDM_ERR_CANCELLED). */
mdm_status mdm_facegen_sample(mdm_facegen *facegen, float *picture, const float *noise,
                              const mdm_facegen_conditions *conditions, const mdm_facegen_sampler *sampler,
                              const mdm_progress *progress);

/* The same with noise from `random`, into a new 8-bit picture (mdm_image_free). */
mdm_status mdm_facegen_draw(mdm_facegen *facegen, mdm_image *out, const mdm_facegen_conditions *conditions,
                            const mdm_facegen_sampler *sampler, mdm_random *random, const mdm_progress *progress);

#endif
