/* What the three face-api networks share (npm @vladmandic/face-api, MIT): weights in TFJS shards with kernels as height, width,
 * in, out; RGB minus a mean, over 255; TensorFlow's SAME padding; aligned crops from the face mesh. */
#ifndef MDM_MODELS_FACEAPI_H
#define MDM_MODELS_FACEAPI_H

#include "base/status.h"
#include "media/image.h"
#include "nn/nn.h"

typedef struct mdm_faceapi {
    mdm_nn *nn;
    mdm_tensor_file *file;
    float *pixels; /* [3][size][size] */
    int size;
} mdm_faceapi;

/* Opens MODELS/NAME-weights_manifest.json and starts a graph; *x is its picture, input "image" [1,3,size,size]. */
mdm_status mdm_faceapi_open(mdm_faceapi *net, mdm_node **x, const char *models, const char *name, int size,
                            int threads);
/* Builds the graph and closes the weights. */
mdm_status mdm_faceapi_build(mdm_faceapi *net);
void mdm_faceapi_close(mdm_faceapi *net);

/* NAME/filters (or as `filters` says) and `bias`, folded with a scale and shift per channel where `scale` is not NULL:
 * (conv + bias) * scale + shift. SAME padding unless `valid`. */
mdm_node *mdm_faceapi_conv(mdm_faceapi *net, mdm_node *x, const char *filters, const char *bias, const char *scale,
                           const char *shift, int stride, bool valid, mdm_activation activation);
/* NAME/depthwise_filter, NAME/pointwise_filter, NAME/bias. */
mdm_node *mdm_faceapi_separable(mdm_faceapi *net, mdm_node *x, const char *name, int stride);
/* The fully connected layer of weights [in, out] and bias [out] (NULL: none) on x [1,in,1,1] -> [1,out]. */
mdm_node *mdm_faceapi_dense(mdm_faceapi *net, mdm_node *x, const char *weights, const char *bias);

/* Samples the crop `m` (output pixel centres to image pixel centres; averaging where it shrinks) and runs the graph. */
mdm_status mdm_faceapi_run(mdm_faceapi *net, const mdm_image *image, const double m[6]);

/* Crops from the 478 mesh points [478][3] in pixels of the image, upright along the eyes.
 * `descriptor`: dlib's chip as face-api cuts it: the centre of eyes and mouth at (0.5, 0.43), mouth to eyes 0.45 of the side.
 * `portrait`: the box of brows, jaw and cheeks with a tenth of margin, made square. */
void mdm_faceapi_descriptor_crop(double m[6], const float (*points)[3], int size);
void mdm_faceapi_portrait_crop(double m[6], const float (*points)[3], int size);

#endif
