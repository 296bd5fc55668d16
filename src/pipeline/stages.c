/* The table of stages. */
#include "pipeline/stages.h"

#include <string.h>

#include "base/options.h"

#define BIT(stage) (1u << (stage))

static const mdm_stage_entry table[MDM_STAGE_COUNT] = {
    [MDM_STAGE_INGEST] = {{"ingest", "clip.json", mdm_stage_ingest}, NULL, 0, false, MDM_STALE_INGEST, 1},
    [MDM_STAGE_FIND] = {{"find", "tracks.json", mdm_stage_find}, NULL, BIT(MDM_STAGE_INGEST), false, MDM_STALE_FIND, 6},
    [MDM_STAGE_DESCRIBE] = {{"describe", "context.json", mdm_stage_describe},
                            NULL,
                            BIT(MDM_STAGE_INGEST) | BIT(MDM_STAGE_FIND),
                            false,
                            MDM_STALE_DESCRIBE,
                            2},
    [MDM_STAGE_TRANSCRIBE] = {{"transcribe", "transcript.json", mdm_stage_transcribe},
                              NULL,
                              BIT(MDM_STAGE_INGEST),
                              false,
                              MDM_STALE_TRANSCRIBE,
                              3},
    [MDM_STAGE_PORTRAIT] = {{"portrait", "portraits.json", mdm_stage_portrait},
                            NULL,
                            BIT(MDM_STAGE_FIND) | BIT(MDM_STAGE_DESCRIBE),
                            true,
                            MDM_STALE_PORTRAIT,
                            8},
    [MDM_STAGE_ANIMATE] = {{"animate", "motion.json", mdm_stage_animate},
                           NULL,
                           BIT(MDM_STAGE_FIND) | BIT(MDM_STAGE_PORTRAIT),
                           true,
                           MDM_STALE_ANIMATE,
                           2},
    [MDM_STAGE_COMPOSE] = {{"compose", "masked.mp4", mdm_stage_compose},
                           "masked.png",
                           BIT(MDM_STAGE_FIND) | BIT(MDM_STAGE_TRANSCRIBE) | BIT(MDM_STAGE_PORTRAIT) |
                               BIT(MDM_STAGE_ANIMATE),
                           true,
                           MDM_STALE_COMPOSE,
                           5},
    [MDM_STAGE_VERIFY] = {{"verify", "evidence.json", mdm_stage_verify},
                          NULL,
                          BIT(MDM_STAGE_FIND) | BIT(MDM_STAGE_DESCRIBE) | BIT(MDM_STAGE_TRANSCRIBE) |
                              BIT(MDM_STAGE_COMPOSE),
                          true,
                          MDM_STALE_VERIFY,
                          6},
};

const mdm_stage_entry *mdm_stage_at(mdm_stage_id id)
{
    return &table[id];
}

mdm_status mdm_stage_find_name(mdm_stage_id *out, const char *name)
{
    const char *names[MDM_STAGE_COUNT];
    for (int s = 0; s < MDM_STAGE_COUNT; s++) {
        names[s] = table[s].stage.name;
        if (strcmp(names[s], name) == 0) {
            *out = (mdm_stage_id)s;
            return MDM_OK;
        }
    }
    *out = MDM_STAGE_INGEST;
    const char *near = mdm_nearest_name(name, names, MDM_STAGE_COUNT);
    return mdm_fail(MDM_ERR_USAGE, "unknown stage '%s'%s%s%s", name, near ? ": did you mean '" : "", near ? near : "",
                    near ? "'?" : "");
}
