/* Twice through the recording: to count, and to look. */
#include "models/clip_frames.h"

#include <string.h>

#include "base/memory.h"
#include "models/video_frames.h"

#define MOST ((size_t)1 << 26) /* frames of a recording */

typedef struct times {
    int64_t *pts;
    size_t count, room;
} times;

static mdm_status note(times *t, int64_t pts)
{
    if (t->count == t->room) {
        if (t->room >= MOST)
            return mdm_fail(MDM_ERR_INPUT, "more than %zu frames; give --start and --end", (size_t)MOST);
        t->room = t->room ? 2 * t->room : 1024;
        MDM_TRY(mdm_realloc(&t->pts, t->room, sizeof *t->pts, "times of frames"));
    }
    t->pts[t->count++] = pts;
    return MDM_OK;
}

static mdm_status count_frames(times *t, const char *path, const mdm_reader_options *options,
                               const mdm_progress *progress)
{
    mdm_reader_options rough = *options;
    mdm_reader *reader = NULL;
    mdm_frame frame = {0};
    bool more = true;
    rough.scan = true;
    mdm_status status = mdm_reader_open(&reader, path, &rough);
    while (!status && more) {
        status = mdm_reader_next(&more, reader, &frame);
        if (!status && more)
            status = note(t, frame.pts);
        if (!status && !mdm_progress_update(progress, 0, 0))
            status = mdm_fail(MDM_ERR_CANCELLED, "%s: stopped", path);
    }
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    return !status && !t->count ? mdm_fail(MDM_ERR_INPUT, "%s: no frame between --start and --end", path) : status;
}

#define WORTH_SEEKING 90 /* frames; fewer are decoded on the way */

static mdm_status show_frames(mdm_pllava *p, const int64_t *numbers, int count, const times *t, mdm_reader *reader,
                              bool letterbox, const mdm_progress *progress)
{
    mdm_frame frame = {0};
    int64_t at = 0; /* the frame the reader gives next */
    bool more = true;
    mdm_status status = MDM_OK;
    for (int i = 0; i < count && !status; i++) {
        if (numbers[i] - at > WORTH_SEEKING) {
            status = mdm_reader_seek(reader, numbers[i], t->pts, t->count);
            at = numbers[i];
        }
        for (; !status && more && at <= numbers[i]; at++)
            status = mdm_reader_next(&more, reader, &frame);
        if (!status && !more)
            status = mdm_fail(MDM_ERR_INPUT, "ends before its frame %lld, which was there a moment ago",
                              (long long)numbers[i]);
        if (!status)
            status = mdm_frame_rgb(&frame, 0, 0, 0, 0);
        if (!status)
            status = mdm_pllava_show(p, i, &frame.rgb, letterbox);
        if (!status && !mdm_progress_update(progress, 0, 0))
            status = mdm_fail(MDM_ERR_CANCELLED, "stopped");
    }
    mdm_frame_free(&frame);
    return status;
}

mdm_status mdm_pllava_show_recording(int64_t *numbers, mdm_pllava *pllava, const char *path,
                                     const mdm_reader_options *options, bool letterbox, const mdm_progress *progress)
{
    const mdm_reader_options all = {.threads = 1};
    const int count = mdm_pllava_sizes_of(pllava)->projector.frames;
    times t = {0};
    mdm_reader *reader = NULL;
    options = options ? options : &all;
    mdm_status status = count_frames(&t, path, options, progress);
    if (!status) {
        mdm_sample_frames(numbers, count, 0, (int64_t)t.count - 1);
        status = mdm_reader_open(&reader, path, options);
    }
    if (!status) {
        status = show_frames(pllava, numbers, count, &t, reader, letterbox, progress);
        if (status)
            mdm_fail_context(status, "%s", path);
    }
    mdm_reader_free(&reader);
    mdm_free(&t.pts);
    return status;
}
