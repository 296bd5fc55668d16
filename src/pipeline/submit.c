/* Texts for Slurm, Kubernetes and Ray. So many tasks are made that each has --task hours of work; in each, the longest clip comes
 * first. Nothing is started here: the text goes to sbatch, kubectl or Python. */
#define _GNU_SOURCE
#include "pipeline/submit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "pipeline/job.h"
#include "pipeline/manifest.h"

enum { MAX_TASKS = 10000 };

/* One job, as the texts need it. */
typedef struct order {
    const char *program, *out, *image;
    int tasks;
    double hours; /* of a task, at most */
    bool card;    /* large networks draw */
} order;

/* ---- the texts; NAME between at signs is replaced ---- */

static const char slurm_text[] =
    "#!/bin/sh\n"
    "# @tasks@ tasks of about @hours@ h each. Hand it to sbatch; what is finished is not "
    "done again, so it may be sent twice.\n"
    "# Afterwards, once:\n"
    "#   sbatch --dependency=afterok:JOB --wrap=\"'@program@' merge -o '@out@'\"\n"
    "#SBATCH --job-name=mmdm\n"
    "#SBATCH --array=0-@last@\n"
    "#SBATCH --cpus-per-task=2\n"
    "#SBATCH --mem=6G\n"
    "#SBATCH --time=@limit@\n"
    "#SBATCH --requeue\n"
    "#SBATCH --open-mode=append\n"
    "#SBATCH --signal=B:USR1@120\n"
    "@gres@"
    "task=\n"
    "trap '[ -z \"$task\" ] || kill -USR1 $task' USR1 TERM\n"
    "'@program@' apply -o '@out@' --shard auto --jobs 1 &\n"
    "task=$!\n"
    "wait $task; code=$?\n"
    "while kill -0 $task 2>/dev/null; do wait $task; code=$?; done\n"
    "# Stopped before the time was up, or by that signal before it listened: the same task goes on where it was.\n"
    "case $code in 75 | 138) scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\" ;; esac\n"
    "exit $code\n";

static const char k8s_text[] =
    "# @tasks@ pods of about @hours@ h each: kubectl apply -f this. Needs Kubernetes 1.33 or later.\n"
    "# The volume has to be one that all pods write to, with the recordings and OUT at the paths they were planned "
    "under.\n"
    "# Afterwards, once: @program@ merge -o @out@\n"
    "apiVersion: batch/v1\n"
    "kind: Job\n"
    "metadata:\n"
    "  name: mmdm\n"
    "spec:\n"
    "  completionMode: Indexed\n"
    "  completions: @tasks@\n"
    "  parallelism: @tasks@\n"
    "  backoffLimitPerIndex: 4\n"
    "  maxFailedIndexes: @tasks@\n"
    "  podReplacementPolicy: Failed\n"
    "  podFailurePolicy:\n"
    "    rules:\n"
    "    - action: Ignore # taken off its node\n"
    "      onPodConditions:\n"
    "      - type: DisruptionTarget\n"
    "        status: \"True\"\n"
    "    - action: Ignore # stopped: goes on elsewhere\n"
    "      onExitCodes:\n"
    "        containerName: mmdm\n"
    "        operator: In\n"
    "        values: [75]\n"
    "    - action: FailIndex # will not get better\n"
    "      onExitCodes:\n"
    "        containerName: mmdm\n"
    "        operator: In\n"
    "        values: [2, 65, 78]\n"
    "  template:\n"
    "    spec:\n"
    "      restartPolicy: Never\n"
    "      terminationGracePeriodSeconds: 60\n"
    "      containers:\n"
    "      - name: mmdm\n"
    "        image: @image@\n"
    "        command: [\"@program@\", \"apply\", \"-o\", \"@out@\", \"--shard\", \"auto\", \"--jobs\", \"1\"]\n"
    "        env:\n"
    "        - name: MMDM_SHARD_COUNT\n"
    "          value: \"@tasks@\"\n"
    "        resources:\n"
    "          requests:\n"
    "            cpu: \"2\"\n"
    "            memory: 6Gi\n"
    "@limits@"
    "        volumeMounts:\n"
    "        - name: data\n"
    "          mountPath: @mount@\n"
    "      volumes:\n"
    "      - name: data\n"
    "        persistentVolumeClaim:\n"
    "          claimName: mmdm\n";

static const char ray_text[] =
    "\"\"\"Ray Data over the clips of a planned job, the longest first: each actor holds one `mmdm worker`.\n"
    "Run it where the cluster's driver runs; OUT has to be at the same path on every node. Afterwards: mmdm merge -o "
    "OUT\"\"\"\n"
    "import json\n"
    "import subprocess\n"
    "import sys\n"
    "\n"
    "import ray\n"
    "\n"
    "PROGRAM, OUT, ACTORS = \"@program@\", \"@out@\", @tasks@\n"
    "\n"
    "\n"
    "class Worker:\n"
    "    def __init__(self):\n"
    "        self.worker = subprocess.Popen([PROGRAM, \"worker\", \"--stdio\", \"-o\", OUT], stdin=subprocess.PIPE,\n"
    "                                       stdout=subprocess.PIPE, text=True)\n"
    "\n"
    "    def __call__(self, batch):\n"
    "        said = []\n"
    "        for clip in batch[\"clip\"]:\n"
    "            self.worker.stdin.write(f\"{clip}\\n\")\n"
    "            self.worker.stdin.flush()\n"
    "            line = self.worker.stdout.readline()\n"
    "            if not line:\n"
    "                sys.exit(f\"the worker ended with {self.worker.wait()}\")  # Ray starts another actor\n"
    "            said.append(json.loads(line)[\"state\"])\n"
    "        return {\"clip\": batch[\"clip\"], \"state\": said}\n"
    "\n"
    "\n"
    "with open(f\"{OUT}/private/manifest.jsonl\") as manifest:\n"
    "    next(manifest)\n"
    "    clips = [clip for clip in map(json.loads, manifest) if \"id\" in clip]\n"
    "clips.sort(key=lambda clip: -clip[\"weight\"])\n"
    "ray.init(log_to_driver=False)\n"
    "rows = ray.data.from_items([{\"clip\": clip[\"id\"]} for clip in clips], override_num_blocks=max(1, len(clips)))\n"
    "done = rows.map_batches(Worker, batch_size=1, concurrency=(1, ACTORS), num_cpus=2@cards@).take_all()\n"
    "print(f\"{len(done)} clips, {sum(row['state'] == 'failed' for row in done)} failed\")\n";

static const struct {
    const char *name, *text;
} engines[] = {{"slurm", slurm_text}, {"k8s", k8s_text}, {"ray", ray_text}};

/* ---- filling in ---- */

static mdm_status put(mdm_buffer *out, const char *name, size_t length, const order *o)
{
#define IS(word) (length == sizeof(word) - 1 && memcmp(name, word, length) == 0)
    const double limit = ceil(o->hours * 1.5); /* a task that is slower than thought goes on after it, requeued */
    if (IS("program"))
        return mdm_buffer_printf(out, "%s", o->program);
    if (IS("out"))
        return mdm_buffer_printf(out, "%s", o->out);
    if (IS("image"))
        return mdm_buffer_printf(out, "%s", o->image);
    if (IS("mount"))
        return mdm_buffer_printf(out, "%.*s", (int)strcspn(o->out + 1, "/") + 1, o->out);
    if (IS("tasks"))
        return mdm_buffer_printf(out, "%d", o->tasks);
    if (IS("last"))
        return mdm_buffer_printf(out, "%d", o->tasks - 1);
    if (IS("hours"))
        return mdm_buffer_printf(out, "%.1f", o->hours);
    if (IS("limit"))
        return mdm_buffer_printf(out, "%d:00:00", limit > 1 ? (int)limit : 1);
    if (IS("gres"))
        return mdm_buffer_printf(out, "%s", o->card ? "#SBATCH --gres=gpu:1\n" : "");
    if (IS("limits"))
        return mdm_buffer_printf(out, "%s", o->card ? "          limits:\n            nvidia.com/gpu: 1\n" : "");
    if (IS("cards"))
        return mdm_buffer_printf(out, "%s", o->card ? ", num_gpus=1" : "");
    return mdm_buffer_printf(out, "@%.*s", (int)length, name); /* an at sign of the text itself */
#undef IS
}

static mdm_status fill(mdm_buffer *out, const char *text, const order *o)
{
    for (const char *at = text; *at;) {
        const size_t plain = strcspn(at, "@");
        MDM_TRY(mdm_buffer_append(out, at, plain));
        at += plain;
        if (!*at)
            break;
        const size_t length = strspn(++at, "abcdefghijklmnopqrstuvwxyz");
        MDM_TRY(put(out, at, length, o));
        at += length + (at[length] == '@');
    }
    return MDM_OK;
}

/* Paths go between quotes of three languages: what would end one is refused rather than escaped three ways. */
static mdm_status check_word(const char *word, const char *what)
{
    for (const char *at = word; *at; at++)
        if ((unsigned char)*at < ' ' || strchr("'\"\\$`@", *at))
            return mdm_fail(MDM_ERR_USAGE, "%s is %s: give it without quotes, backslashes, $, ` and @", what, word);
    return MDM_OK;
}

static mdm_status count_tasks(order *o, const mdm_settings *settings, const char *manifest_path)
{
    mdm_manifest *manifest;
    double *weights, total = 0;
    size_t count;
    MDM_TRY(mdm_manifest_open(&manifest, manifest_path));
    const bool seconds = mdm_manifest_in_seconds(manifest);
    mdm_manifest_close(&manifest);
    if (!seconds)
        return mdm_fail(MDM_ERR_USAGE, "%s: the recordings are not analysed yet: `mmdm plan -o %s` first",
                        manifest_path, settings->output);
    MDM_TRY(mdm_manifest_weights(&weights, &count, manifest_path));
    for (size_t i = 0; i < count; i++)
        total += weights[i];
    mdm_free(&weights);
    const double work = total * settings->pace, wanted = ceil(work / settings->task);
    o->tasks = (int)fmax(1, fmin(fmin(wanted, (double)count), MAX_TASKS));
    o->hours = work / o->tasks / 3600;
    return MDM_OK;
}

mdm_status mdm_submit(mdm_buffer *out, const mdm_settings *settings, const char *engine)
{
    const char *names[sizeof engines / sizeof engines[0]];
    const size_t engine_count = sizeof engines / sizeof engines[0];
    size_t e = 0;
    for (size_t i = 0; i < engine_count; i++)
        names[i] = engines[i].name;
    while (e < engine_count && strcmp(engines[e].name, engine) != 0)
        e++;
    if (e == engine_count) {
        const char *near = mdm_nearest_name(engine, names, (int)engine_count);
        return mdm_fail(MDM_ERR_USAGE, "unknown engine '%s': expected slurm, k8s or ray%s%s%s", engine,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (!(settings->pace > 0) || !(settings->task >= 60))
        return mdm_fail(MDM_ERR_USAGE, "--pace %g --task %g: expected a pace over 0 and a task of a minute or more",
                        settings->pace, settings->task);
    mdm_job job = {.settings = *settings};
    json_t *file = NULL;
    char *program = realpath("/proc/self/exe", NULL), *folder = realpath(settings->output, NULL);
    order o = {.program = program ? program : "mmdm", .out = folder, .image = settings->image};
    mdm_status status =
        folder ? MDM_OK
               : mdm_fail(MDM_ERR_USAGE, "%s: nothing planned there yet: `mmdm plan INPUT... -o OUT` first",
                          settings->output[0] ? settings->output : "--output FOLDER is needed (-o FOLDER)");
    if (status == MDM_OK)
        status = mdm_layout_new(&job.layout, folder);
    if (status == MDM_OK)
        status = mdm_job_load(&job, &file);
    if (status == MDM_OK)
        status = count_tasks(&o, settings, job.layout.manifest);
    if (status == MDM_OK)
        status = check_word(o.program, "the program's path");
    if (status == MDM_OK)
        status = check_word(o.out, "--output");
    if (status == MDM_OK)
        status = check_word(o.image, "--image");
    o.card = (*job.settings.portrait && strcmp(job.settings.portrait, "embedded") != 0) ||
             (*job.settings.animate && strcmp(job.settings.animate, "embedded") != 0);
    if (status == MDM_OK)
        status = fill(out, engines[e].text, &o);
    json_decref(file);
    mdm_layout_free(&job.layout);
    free(program);
    free(folder);
    return status;
}
