/* The verify stage, its beginnings: frames, times and what compose says of each face. No judge yet. */
#include <jansson.h>

#include "base/file.h"
#include "base/json.h"
#include "media/clip_file.h"
#include "stages/stage.h"

static mdm_status count_frames(size_t *out, const char *path, int threads)
{
    mdm_reader *reader;
    mdm_frame frame = {0};
    const mdm_reader_options options = {.threads = threads, .scan = true};
    bool more = true;
    *out = 0;
    MDM_TRY(mdm_reader_open(&reader, path, &options));
    mdm_status status = MDM_OK;
    while (status == MDM_OK && more) {
        status = mdm_reader_next(&more, reader, &frame);
        *out += status == MDM_OK && more;
    }
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    return status;
}

mdm_status mdm_stage_verify(mdm_clip_work *work)
{
    mdm_clip clip = {0};
    char *media = NULL, *path = NULL;
    size_t frames = 0;
    MDM_TRY(mdm_clip_read(&clip, work->folder));
    mdm_status status = mdm_join_path(&media, work->folder, clip.still ? "masked.png" : "masked.mp4");
    if (status == MDM_OK)
        status = mdm_join_path(&path, work->folder, "evidence.json");
    if (status == MDM_OK)
        status = count_frames(&frames, media, work->threads);
    json_t *reasons = json_array();
    if (frames != clip.frames)
        json_array_append_new(reasons, json_pack("{s:s, s:s}", "code", "timing", "text", "frames were lost or added"));
    json_t *evidence =
        json_pack("{s:i, s:s, s:b, s:o, s:[], s:[], s:{s:I, s:I}}", "version", 1, "clip_id", work->clip_id, "pass",
                  frames == clip.frames, "reasons", reasons, "judges", "persons", "timing", "frames_in",
                  (json_int_t)clip.frames, "frames_out", (json_int_t)frames);
    if (status == MDM_OK)
        status = mdm_json_save(evidence, path);
    json_decref(evidence);
    mdm_free(&media);
    mdm_free(&path);
    mdm_clip_free(&clip);
    return status;
}
