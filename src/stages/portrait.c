/* The portrait stage. Not built yet: it says so and writes an empty artefact, and faces are then covered. */
#include "base/file.h"
#include "base/memory.h"
#include "stages/stage.h"

mdm_status mdm_stage_portrait(mdm_clip_work *work)
{
    static const char empty[] = "{\"version\": 1, \"tracks\": [], \"persons\": []}\n";
    char *path;
    mdm_log(MDM_LOG_WARN, "portrait is not built yet");
    MDM_TRY(mdm_join_path(&path, work->folder, "portraits.json"));
    mdm_status status = mdm_file_write(path, empty, sizeof empty - 1);
    mdm_free(&path);
    return status;
}
