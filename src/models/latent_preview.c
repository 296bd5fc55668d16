/* Latents as small pictures. */
#include "models/latent_preview.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* Latent pixels: a side of a patch, and what is left out of it because its neighbours show there. */
enum { PATCH = 8, EDGE = 2 };

/* latent [channels][2 PATCH][channels PATCH]: a column of patches a channel, 1 above -1 */
static void fill_chart(float *latent, int channels)
{
    const size_t width = (size_t)channels * PATCH, area = 2 * PATCH * width;
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < 2 * PATCH; y++)
            for (int x = 0; x < PATCH; x++)
                latent[(size_t)c * area + (size_t)y * width + (size_t)(c * PATCH + x)] = y < PATCH ? 1 : -1;
}

/* The mean colour of a patch of picture [3][2 PATCH factor][columns PATCH factor], without its edge. */
static void patch_colour(double colour[3], const float *picture, int columns, int factor, int row, int column)
{
    const size_t side = (size_t)PATCH * (size_t)factor, edge = (size_t)EDGE * (size_t)factor,
                 width = side * (size_t)columns, area = 2 * side * width;
    for (size_t k = 0; k < 3; k++) {
        double sum = 0;
        for (size_t y = edge; y < side - edge; y++)
            for (size_t x = edge; x < side - edge; x++)
                sum += (double)picture[k * area + ((size_t)row * side + y) * width + (size_t)column * side + x];
        colour[k] = sum / (double)((side - 2 * edge) * (side - 2 * edge));
    }
}

static void read_chart(mdm_latent_preview *out, const float *picture, int factor)
{
    double total[3] = {0};
    for (int c = 0; c < out->channels; c++) {
        double above[3], below[3];
        patch_colour(above, picture, out->channels, factor, 0, c);
        patch_colour(below, picture, out->channels, factor, 1, c);
        for (int k = 0; k < 3; k++) {
            out->slope[c][k] = (float)((above[k] - below[k]) / 2);
            total[k] += (above[k] + below[k]) / (2 * out->channels);
        }
    }
    for (int k = 0; k < 3; k++)
        out->base[k] = (float)total[k];
}

mdm_status mdm_latent_preview_read(mdm_latent_preview *out, const mdm_vae_sizes *sizes, mdm_weights *weights,
                                   int threads)
{
    const int channels = sizes->latent, height = 2 * PATCH, width = channels * PATCH;
    mdm_vae *vae = NULL;
    float *latent = NULL, *picture = NULL;
    memset(out, 0, sizeof *out);
    if (channels < 1 || channels > MDM_PREVIEW_CHANNELS)
        return mdm_fail(MDM_ERR_INPUT, "previews of latents with %d channels, expected 1 to %d", channels,
                        MDM_PREVIEW_CHANNELS);
    out->channels = channels;
    MDM_TRY(mdm_vae_new(&vae, sizes, weights, MDM_VAE_DECODER, MDM_STORE_F32, height, width, 1, threads));
    const size_t factor = (size_t)mdm_vae_factor(vae), area = (size_t)height * (size_t)width;
    mdm_status status = mdm_alloc(&latent, (size_t)channels * area, sizeof *latent, "chart");
    if (!status)
        status = mdm_alloc(&picture, 3 * area * factor * factor, sizeof *picture, "chart");
    if (!status) {
        fill_chart(latent, channels);
        status = mdm_vae_decode(vae, picture, latent, height, width, NULL);
    }
    if (!status)
        read_chart(out, picture, (int)factor);
    mdm_free(&latent);
    mdm_free(&picture);
    mdm_vae_free(&vae);
    return status;
}

mdm_status mdm_latent_preview_draw(mdm_image *out, const mdm_latent_preview *preview, const float *latent, int height,
                                   int width)
{
    const size_t area = (size_t)height * (size_t)width;
    MDM_TRY(mdm_image_new(out, width, height, 3));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int k = 0; k < 3; k++) {
                float value = preview->base[k];
                for (int c = 0; c < preview->channels; c++)
                    value += preview->slope[c][k] * latent[(size_t)c * area + (size_t)y * (size_t)width + (size_t)x];
                out->data[(size_t)y * out->stride + (size_t)(3 * x + k)] =
                    (uint8_t)lrintf(fminf(fmaxf(value / 2 + 0.5f, 0), 1) * 255);
            }
    return MDM_OK;
}
