/* Whole jobs with stand-in stages, in a folder of the test program's. Include after <cmocka.h>. */
#ifndef MDM_TESTS_JOBS_H
#define MDM_TESTS_JOBS_H

#include "base/options.h"
#include "common/scratch.h"
#include "pipeline/doubles.h"
#include "pipeline/job.h"

static inline void record(const char *name, const char *text)
{
    assert_int_equal(mdm_make_folder(scratch("in"), 0700), MDM_OK);
    assert_int_equal(mdm_file_write(scratch(name), text, strlen(text)), MDM_OK);
}

static inline mdm_settings settings_for(const char *out)
{
    mdm_settings settings;
    mdm_settings_defaults(&settings);
    snprintf(settings.output, sizeof settings.output, "%s", scratch(out));
    settings.jobs = 2;
    settings.verbosity = -1;
    settings.lease = 2;
    settings.context[MDM_CONTEXT_SPEECH] = MDM_KEEP;
    return settings;
}

/* The recordings in in/ go with every goal that collects them. */
static inline mdm_status run(mdm_job_result *result, const mdm_settings *settings, mdm_job_goal goal)
{
    const char *inputs[] = {scratch("in")};
    return mdm_job_run(result, settings, inputs, goal == MDM_GOAL_APPLY || goal == MDM_GOAL_MERGE ? 0 : 1, goal);
}

#endif
