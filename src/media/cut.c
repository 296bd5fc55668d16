/* Cut detection on a shrunk luma plane (cut.h): mean difference against what is usual in this shot, confirmed by the
 * histogram, which a shaking camera or a moving head leaves nearly alone. */
#include "media/cut.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 64, HEIGHT = 36, CELLS = WIDTH * HEIGHT, BINS = 32 };

#define SURE_DIFFERENCE 45.0f /* grey levels above the usual: a cut whatever the histogram says */
#define DIFFERENCE      14.0f
#define HISTOGRAM       0.30f /* share of the picture that changed its brightness class */

mdm_status mdm_cut_push(bool *cut, mdm_cut_detector *detector, mdm_frame *frame)
{
    mdm_image luma;
    unsigned char small[CELLS];
    mdm_image now = {WIDTH, HEIGHT, 1, WIDTH, small};
    int histogram[BINS] = {0};
    MDM_TRY(mdm_frame_luma(&luma, frame));
    mdm_image_resize(&now, &luma);
    long difference = 0, moved = 0;
    for (int i = 0; i < CELLS; i++) {
        difference += labs((long)small[i] - detector->before[i]);
        histogram[small[i] * BINS / 256]++;
    }
    for (int i = 0; i < BINS; i++)
        moved += labs((long)histogram[i] - detector->histogram[i]);
    const float mean = (float)difference / CELLS, share = (float)moved / (2.0f * CELLS);
    const float above = mean - 1.5f * detector->usual;
    *cut = detector->seen == 0 || above > SURE_DIFFERENCE || (above > DIFFERENCE && share > HISTOGRAM);
    if (*cut) {
        detector->usual = 0.0f;
        detector->seen = 0;
    } else {
        const float weight = detector->seen < 10 ? 1.0f / (float)detector->seen : 0.1f;
        detector->usual += weight * (mean - detector->usual);
    }
    detector->seen++;
    memcpy(detector->before, small, sizeof small);
    memcpy(detector->histogram, histogram, sizeof histogram);
    return MDM_OK;
}
