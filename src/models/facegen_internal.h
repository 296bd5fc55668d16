/* What the files of the face generator share: its table of sizes, the statistics of its conditions, the built graph. */
#ifndef MDM_MODELS_FACEGEN_INTERNAL_H
#define MDM_MODELS_FACEGEN_INTERNAL_H

#include "models/facegen.h"
#include "nn/nn.h"

#define MDM_FACEGEN_CLASSES  4   /* age, gender, race, domain */
#define MDM_FACEGEN_TIME     256 /* features of the noise level: 128 cosines, 128 sines */
#define MDM_FACEGEN_FEATURES 8   /* of each value: v, sin and cos of v, 2v, 4v, and 1 */

/* The sizes of facegen.json's "arch". */
typedef struct mdm_facegen_sizes {
    int picture, patch;         /* side in pixels; pixels are taken in patches of this side */
    int c0, c1;                 /* channels at picture/patch and at half of that */
    int down0, down1, up0, up1; /* residual blocks */
    int blocks, heads, hidden;  /* of the transformer in the middle */
    int embedding, rank;        /* condition vector; inner width of a modulation */
} mdm_facegen_sizes;

struct mdm_facegen {
    mdm_facegen_sizes sizes;
    int class_count[MDM_FACEGEN_CLASSES];
    float mean[MDM_FACEGEN_VALUES], deviation[MDM_FACEGEN_VALUES];
    float race_median[MDM_FACEGEN_RACES][MDM_FACEGEN_VALUES];
    float *class_table[MDM_FACEGEN_CLASSES]; /* [count + 1][embedding]; the last row is "unknown" */
    float identity_scale;                    /* the network takes (identity - centre) / scale */
    float *identity_centre;                  /* [identity] */
    float *identity_cell;                    /* [race * genders + gender][identity]: means */
    float *identity_age;                     /* [ages][identity], added to them */
    float *identity_factor;                  /* [identity][identity], lower triangle: of the covariance */
    mdm_nn *nn;
};

/* Fills sizes and statistics from FOLDER/NAME.json; *weights (mdm_free) is the path of its weight file. */
mdm_status mdm_facegen_read_card(mdm_facegen *facegen, char **weights, const char *folder, const char *name);
/* Builds facegen->nn, class_table and the identity tables from the weights. Inputs "z" [1,3,S,S], "time" [1,256],
 * "classes" [1,E], "values" [1,144], "identity" [1,128]; output "f" [1,3,S,S]. */
mdm_status mdm_facegen_build(mdm_facegen *facegen, const char *weights, int threads);

#endif
