/* Pictures in memory (8-bit RGB or grey, and float planes) and the few operations the faces need. */
#ifndef MDM_MEDIA_IMAGE_H
#define MDM_MEDIA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Interleaved 8-bit picture: `channels` is 1 (grey) or 3 (R,G,B). Row y starts at data + y * stride. */
typedef struct mdm_image {
    int width, height, channels;
    size_t stride; /* bytes */
    uint8_t *data; /* owned unless made by mdm_image_view */
} mdm_image;

mdm_status mdm_image_new(mdm_image *out, int width, int height, int channels); /* zeroed, 1..16384 px a side */
void mdm_image_free(mdm_image *image);                                         /* also clears the fields */
mdm_status mdm_image_copy(mdm_image *out, const mdm_image *image);

/* Samples `image` (bilinear, edge-replicated) into a float picture of out_width x out_height, channels-last
 * interleaved R,G,B (or grey): value = pixel * scale + offset[c]. `m` maps OUTPUT pixel centres to SOURCE pixel
 * centres: sx = m[0]*x + m[1]*y + m[2]; sy = m[3]*x + m[4]*y + m[5]. `planar` != 0 writes channel planes (C,H,W). */
void mdm_image_sample(float *out, int out_width, int out_height, int planar, const mdm_image *image, const double m[6],
                      float scale, const float offset[3]);

/* The same into an 8-bit picture already allocated. Pixels outside are replicated, or `outside` (0..255) if >= 0. */
void mdm_image_warp(mdm_image *out, const mdm_image *image, const double m[6], int outside);

/* Area-averaging shrink / bilinear enlarge to the size of `out` (allocated). */
void mdm_image_resize(mdm_image *out, const mdm_image *image);

/* Separable Gaussian of a float picture (height x width x channels, interleaved), sigma in pixels, edge-replicated. */
mdm_status mdm_blur_float(float *data, int width, int height, int channels, float sigma);

/* PNG and JPEG on disk. Reading checks size limits before decoding; writing is atomic. */
mdm_status mdm_image_read(mdm_image *out, const char *path, int channels);
mdm_status mdm_image_write_png(const mdm_image *image, const char *path);
mdm_status mdm_image_write_jpeg(const mdm_image *image, const char *path, int quality);

#endif
