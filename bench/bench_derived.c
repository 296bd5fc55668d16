/* The attacks of the audit over clips that were each made by a run of their own: is the person of any clip found again among all
 * of them? The clips' work folders (--keep-work), one a line on standard input, each with one person; the report of
 * dataset/attack.h on standard output. Vectors stay in memory.
 *   bench_derived MODELS WEIGHTS JOBS <FOLDERS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "dataset/attack.h"
#include "faces.h"
#include "pipeline/worker.h"
#include "stages/attack.h"

#define MOST 4096

typedef struct clip {
    char folder[MDM_MAX_PATH];
    const char *models, *weights;
    const mdm_settings *settings;
} clip;

typedef struct gathered {
    mdm_attack_sample *sample;
    size_t count;
} gathered;

static mdm_status embed(mdm_worker *worker, void *user)
{
    const clip *of = user;
    const mdm_embedding_sink sink = {mdm_worker_embedding, worker};
    const mdm_progress progress = mdm_worker_progress(worker);
    mdm_clip_work work = {.clip_id = of->folder,
                          .folder = of->folder,
                          .models = of->models,
                          .weights = of->weights,
                          .settings = of->settings,
                          .progress = &progress,
                          .embeddings = &sink,
                          .threads = 1};
    return mdm_stage_attack(&work);
}

/* values: recogniser, side, frame, vector (stages/attack.c). */
static mdm_status on_embedding(void *user, size_t task, int person, const float *values, int count, float weight)
{
    gathered *g = user;
    (void)weight;
    const mdm_recogniser_kind kind = (mdm_recogniser_kind)values[0];
    if (person != 0 || count != 3 + mdm_recogniser_size(kind))
        return MDM_OK;
    MDM_TRY(mdm_realloc(&g->sample, g->count + 1, sizeof *g->sample, "samples"));
    mdm_attack_sample *sample = &g->sample[g->count];
    *sample = (mdm_attack_sample){.kind = kind,
                                  .side = values[1] > 0.5f,
                                  .clip = (int)task,
                                  .person = (int)task,
                                  .frame = (int)values[2]};
    MDM_TRY(mdm_alloc(&sample->values, (size_t)count - 3, sizeof(float), "sample"));
    memcpy(sample->values, values + 3, ((size_t)count - 3) * sizeof(float));
    g->count++;
    return MDM_OK;
}

int main(int argc, char **argv)
{
    static clip clips[MOST];
    static mdm_task tasks[MOST];
    static const char *names[MOST];
    mdm_settings settings;
    gathered g = {0};
    json_t *report = NULL;
    size_t count = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: bench_derived MODELS WEIGHTS JOBS <FOLDERS\n");
        return 2;
    }
    mdm_settings_defaults(&settings);
    while (count < MOST && fgets(clips[count].folder, sizeof clips[count].folder, stdin)) {
        clip *c = &clips[count];
        c->folder[strcspn(c->folder, "\n")] = '\0';
        c->models = argv[1], c->weights = argv[2], c->settings = &settings;
        names[count] = c->folder;
        tasks[count] = (mdm_task){.name = c->folder, .work = embed, .user = c};
        count++;
    }
    const mdm_pool_limits limits = {atoi(argv[3]), settings.memory, 600};
    const mdm_pool_events events = {.embedding = on_embedding, .user = &g};
    bench_must(mdm_pool_run(tasks, count, &limits, &events), "pool");
    for (size_t i = 0; i < count; i++)
        if (tasks[i].status != MDM_OK)
            fprintf(stderr, "%s: left out: %s\n", tasks[i].name, tasks[i].message);
    const mdm_attack_setting setting = {names, count, false};
    bench_must(mdm_attack_report(&report, &setting, g.sample, g.count), "attacks");
    json_dumpf(report, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(report);
    for (size_t i = 0; i < g.count; i++) {
        mdm_wipe(g.sample[i].values, (size_t)mdm_recogniser_size(g.sample[i].kind) * sizeof(float));
        mdm_free(&g.sample[i].values);
    }
    mdm_free(&g.sample);
    return 0;
}
