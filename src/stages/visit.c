/* Visiting chosen frames: reads on through short gaps, seeks over long ones. */
#include "stages/visit.h"

#include "base/memory.h"

#define WORTH_SEEKING 90 /* frames; a seek decodes from the key frame before, seldom more than 250 frames back */

mdm_status mdm_visit_frames(const mdm_clip *clip, const unsigned char *wanted, const mdm_clip_work *work,
                            mdm_visit visit, void *user)
{
    mdm_reader *reader;
    mdm_frame frame = {0};
    mdm_status status = MDM_OK;
    size_t total = clip->frames, at = 0;
    MDM_TRY(mdm_clip_open_video(&reader, clip, work->threads));
    for (size_t n = 0; n < total && !status; n++) {
        bool more = true;
        if (!wanted[n])
            continue;
        if (n - at > WORTH_SEEKING) {
            status = mdm_reader_seek(reader, (int64_t)n, clip->pts, clip->frames);
            at = n;
        }
        while (!status && more && at <= n) {
            status = mdm_reader_next(&more, reader, &frame);
            at++;
        }
        if (!status && !more)
            status = mdm_fail(MDM_ERR_INPUT, "%s: ends before frame %zu; the recording has changed, run again",
                              clip->source, n);
        if (!status)
            status = mdm_frame_rgb(&frame, 0, 0, 0, 0);
        if (!status)
            status = visit(user, &frame, (int)n);
        if (!status && !mdm_progress_update(work->progress, (double)n + 1, (double)total))
            status = mdm_fail(MDM_ERR_CANCELLED, "%s: stopped", clip->source);
    }
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    return status;
}
