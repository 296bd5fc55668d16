/* MediaPipe's selfie segmentation: a square of the picture in, one value a cell out. */
#include "models/person_matte.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "nn/graph.h"

#define SIDE MDM_MATTE_SIDE

struct mdm_person_matte {
    mdm_graph *graph;
    float rgb[3 * SIDE * SIDE], person[SIDE * SIDE];
};

mdm_status mdm_person_matte_new(mdm_person_matte **out, const char *models, int threads)
{
    mdm_person_matte *matte = NULL;
    char *path = NULL;
    *out = NULL;
    MDM_TRY(mdm_join_path(&path, models, "selfie_segmentation.tflite"));
    mdm_status status = mdm_alloc(&matte, 1, sizeof *matte, "person matte");
    if (status == MDM_OK)
        status = mdm_graph_load(&matte->graph, path, &(mdm_graph_options){.threads = threads});
    if (status == MDM_OK && mdm_graph_output_size(matte->graph, 0) != (size_t)SIDE * SIDE)
        status = mdm_fail(MDM_ERR_INPUT, "%s: its output is not %d x %d; get the file again", path, SIDE, SIDE);
    mdm_free(&path);
    if (status != MDM_OK)
        mdm_person_matte_free(&matte);
    *out = matte;
    return status;
}

void mdm_person_matte_free(mdm_person_matte **matte)
{
    if (!*matte)
        return;
    mdm_graph_free(&(*matte)->graph);
    mdm_free(matte);
}

mdm_status mdm_person_matte_run(const float **person, const float **rgb, mdm_person_matte *matte,
                                const mdm_image *image, const float square[3])
{
    if (image->channels != 3 || !(square[2] > 0) || square[2] > 1e6f || !isfinite(square[0]) || !isfinite(square[1]))
        return mdm_fail(MDM_ERR_INTERNAL, "person matte: a square of side %g in a picture of %d channels",
                        (double)square[2], image->channels);
    const double step = (double)square[2] / SIDE, from = step / 2 - 0.5;
    const double m[6] = {step, 0, (double)square[0] + from, 0, step, (double)square[1] + from};
    mdm_image_sample(matte->rgb, SIDE, SIDE, 1, image, m, 1 / 255.0f, (const float[3]){0, 0, 0});
    MDM_TRY(mdm_graph_set(matte->graph, 0, matte->rgb, 3 * SIDE * SIDE));
    MDM_TRY(mdm_graph_run(matte->graph));
    MDM_TRY(mdm_graph_get(matte->graph, 0, matte->person, SIDE * SIDE));
    *person = matte->person;
    *rgb = matte->rgb;
    return MDM_OK;
}
