/* libmmdm: recordings of people in, verified synthetic dataset out.
 *
 *     mdm_options *options; mdm_outcome outcome;
 *     mdm_options_new(&options);
 *     mdm_options_set(options, "keep", "age,gaze,head_pose");
 *     mdm_options_set(options, "output", "out");
 *     const char *inputs[] = {"drive.mp4"};
 *     if (mdm_run(&outcome, options, inputs, 1) != MDM_OK) fprintf(stderr, "%s\n", mdm_last_error());
 *     mdm_options_free(&options);
 *
 * Handles are opaque; whatever a function writes through its first parameter belongs to the caller, strings it returns
 * belong to the library. Not thread-safe: one job at a time in a process, and the thread that runs it has to stay alive
 * (workers die with it). Errors are per thread. */
#ifndef MMDM_H
#define MMDM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmdm_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MDM_VERSION "0.1.0"

const char *mdm_version(void);

/* What went wrong last in this thread, "" when nothing did; and the exit code a program should end with. */
const char *mdm_last_error(void);
int mdm_exit_code(mdm_status status);

/* ---- options: filled by name from one table --------------------------------------------------------------------------- */

typedef struct mdm_options mdm_options;

mdm_status mdm_options_new(mdm_options **out);           /* of jobs: defaults */
mdm_status mdm_options_new_drawing(mdm_options **out);   /* of mdm_draw_portrait: the same table, other rows of it */
mdm_status mdm_options_new_talking(mdm_options **out);   /* of mdm_animate_portrait */
mdm_status mdm_options_new_exporting(mdm_options **out); /* of mdm_export_run */
mdm_status mdm_options_new_captions(mdm_options **out);  /* of mdm_caption_clips */
mdm_status mdm_options_new_serving(mdm_options **out);   /* of the local page, `mmdm serve` */
void mdm_options_free(mdm_options **options);

/* Value as on the command line ("age,gaze", "true", "1:30"). MDM_ERR_USAGE names the nearest option or value. */
mdm_status mdm_options_set(mdm_options *options, const char *name, const char *value);

/* A YAML file of `name: value` lines. MDM_ERR_CONFIG names file and line. */
mdm_status mdm_options_load(mdm_options *options, const char *path);

/* A whole command line: --config, then --preset, then the others in order. Words that are not options go to
 * positional[0..*count), which has room for argc. */
mdm_status mdm_options_parse(mdm_options *options, const char **positional, int *count, int argc, char *const *argv);

/* Present value as text; valid until the next call with these options. */
mdm_status mdm_options_get(const char **out, mdm_options *options, const char *name);

/* The table itself, for help texts and forms. */
typedef struct mdm_option_info {
    const char *name; /* "keep" */
    char letter;      /* short form, or 0 */
    const char *
        kind; /* "flag", "whole", "number", "seconds", "choice", "text", "contexts", "rectangle", "persons", "preset" */
    const char *values;   /* "blur|mosaic|fill|keep", or NULL */
    const char *fallback; /* default, or NULL */
    const char *argument; /* "LIST", or NULL for flags */
    const char *section, *help;
    bool for_jobs, for_drawing, for_talking, for_exports, for_captions, for_serving; /* which options have it */
} mdm_option_info;
int mdm_option_count(void);
bool mdm_option_at(mdm_option_info *out, int index); /* false past the end */

/* Text for --help of these options, and docs/options.md. Caller frees with mdm_text_free. */
mdm_status mdm_options_help_text(char **out, const mdm_options *options);
mdm_status mdm_options_markdown_text(char **out);
void mdm_text_free(char **text);

/* ---- jobs ---------------------------------------------------------------------------------------------------------------- */

typedef struct mdm_outcome {
    size_t clips, delivered, quarantined, failed;
    int exit_code; /* 0 all delivered; 3 some quarantined or failed; else the first failure's */
} mdm_outcome;

/* Everything: from recordings to OUT/dataset. Finished work is not done again. Failures of single clips are in the
 * outcome; the status is about the job. */
mdm_status mdm_run(mdm_outcome *out, const mdm_options *options, const char *const *inputs, size_t count);

/* Up to the plan (OUT/private/plan.json), which may then be edited; and on from there. */
mdm_status mdm_analyze(mdm_outcome *out, const mdm_options *options, const char *const *inputs, size_t count);
mdm_status mdm_apply(mdm_outcome *out, const mdm_options *options);

/* For many machines over one folder (docs/scaling.md): first plan (recordings, or none to go on after an analysis that was shared),
 * then any number of mdm_apply with "shard" or "claim" set, at last merge. MDM_ERR_AGAIN of merge: clips are not done yet. */
mdm_status mdm_plan(mdm_outcome *out, const mdm_options *options, const char *const *inputs, size_t count);
mdm_status mdm_merge(mdm_outcome *out, const mdm_options *options);

/* The same a clip at a time, as told: `next` fills in the id of the next clip, and false ends it; `done` hears of each. */
mdm_status mdm_work(const mdm_options *options, bool (*next)(void *user, char id[24]),
                    void (*done)(void *user, const char *id, mdm_status status, const char *message), void *user);

/* What an engine ("slurm", "k8s", "ray") needs to do mdm_apply on many machines, as text: a batch script, a manifest, a Python
 * script. Caller frees with mdm_text_free. */
mdm_status mdm_submit_text(char **out, const mdm_options *options, const char *engine);

/* Makes OUT/dataset again from clips already verified, while their work is still there (--keep-work). */
mdm_status mdm_pack_again(mdm_outcome *out, const mdm_options *options);

/* One stage on one work folder ("ingest", "find", ...). `source` is needed by ingest; NULL elsewhere. */
mdm_status mdm_stage_run_one(const char *stage, const mdm_options *options, const char *folder, const char *source);

/* ---- graphs ------------------------------------------------------------------------------------------------------------- */

/* Runs a graph file, BMF's JSON (docs/graphs.md); what comes out of it as JSON goes to `tell`, which may be NULL. Of the options only
 * trace and verbosity count. MDM_ERR_INPUT names the node that is wrong or not supported. */
mdm_status mdm_run_graph(const mdm_options *options, const char *path, void (*tell)(void *user, const char *json),
                         void *user);

/* The graph that a job of one recording runs, as a file for mdm_run_graph: its analysis, or with `rendering` what is made of its plan.
 * Caller frees with mdm_text_free. */
mdm_status mdm_graph_text(char **out, const mdm_options *options, const char *input, bool rendering);

/* ---- plans -------------------------------------------------------------------------------------------------------------- */

/* Checks a plan, edited or not. MDM_ERR_CONFIG names file, line and reason. */
mdm_status mdm_plan_verify(const char *path);

/* The same, and calls `say` with a line in plain words for every person. */
mdm_status mdm_plan_tell(const char *path, void (*say)(void *user, const char *line), void *user);

/* Measures a finished dataset again, without the recordings: `folder` is OUT or OUT/dataset. Calls `tell` with a line in plain
 * words for everything that was looked at; *faults counts what should not be. MDM_ERR_INPUT: there is no dataset. */
typedef void (*mdm_audit_fn)(void *user, bool fault, const char *line);
mdm_status mdm_audit(size_t *faults, const mdm_options *options, const char *folder, mdm_audit_fn tell, void *user);

/* Writes a finished dataset again in the formats of other tools (docs/exports.md), with options of mdm_options_new_exporting: `folder` is
 * OUT or OUT/dataset. Calls `tell` with a line in plain words for whatever a format cannot hold; *left_out counts those, and the
 * rest is written all the same. MDM_ERR_INPUT: there is no dataset, or it is damaged; MDM_ERR_WRITE: something else lies at --output. */
typedef void (*mdm_export_fn)(void *user, bool left_out, const char *line);
mdm_status mdm_export_run(size_t *left_out, const mdm_options *options, const char *folder, mdm_export_fn tell,
                          void *user);

/* The formats: name and what it is; false past the end. */
bool mdm_export_format_at(const char **name, const char **what, int index);

/* What a recording is as its container says, without decoding more than one frame. `picture`: also a JPEG of a frame in its middle,
 * at most 360 px high; may be NULL. MDM_ERR_INPUT: it is not a recording, and why. */
typedef struct mdm_recording_info {
    bool still;
    int width, height; /* upright */
    double seconds, fps;
} mdm_recording_info;
mdm_status mdm_look(mdm_recording_info *out, const char *path, const char *picture);

/* Whether a file looks like a recording by its name or its first bytes; `name` may be another than the path's. */
bool mdm_looks_like_recording(const char *path, const char *name);

/* The stages of `mmdm run` in order, with their share of the time. */
typedef struct mdm_stage_info {
    const char *name;
    double weight;
} mdm_stage_info;
bool mdm_stage_info_at(mdm_stage_info *out, int index); /* false past the end */

/* The presets of --preset: contexts as lists separated by commas. */
typedef struct mdm_preset_info {
    const char *name, *help, *keep, *coarsen;
} mdm_preset_info;
bool mdm_preset_at(mdm_preset_info *out, int index); /* false past the end */

/* The contexts of --keep and its like; coarse: --coarsen takes it. */
typedef struct mdm_context_info {
    const char *name;
    bool coarse;
    const char *const *values; /* of those that have a list ("male", ...), or NULL */
    int count;
} mdm_context_info;
bool mdm_context_at(mdm_context_info *out, int index); /* false past the end */

/* The motion of a clip's replaced faces, from its work folder, as JSON: {"tracks": [{"id", "first", "frames", "step", "curves": {"mouth":
 * {"limit", "values": [...]}, ...}}]}, a value every `step` frames, null where no face was seen. Caller frees with mdm_text_free. */
mdm_status mdm_motion_curves(char **out, const char *folder);

/* Changes drawn over it: {"tracks": [{"id", "curves": {"mouth": [[frame, value], ...], ...}}]}. Checked, then kept in the work folder, from
 * where compose takes them; the job's next run composes and verifies that clip again. MDM_ERR_CONFIG names what is wrong. */
mdm_status mdm_motion_edit(const char *folder, const char *json);

/* Wipes OUT/private/work, which --keep-work left. The dataset stays; what is made after this starts from the recordings again. */
mdm_status mdm_wipe_work(const mdm_options *options);

/* What verify measured, from the evidence in a clip's work folder: calls `say` with a line in plain words at a time. */
mdm_status mdm_evidence_tell(const char *folder, void (*say)(void *user, const char *line), void *user);

/* Asks a running job to stop at the next chance on SIGINT and SIGTERM. For programs that want that. */
void mdm_catch_signals(void);

/* ---- what is installed ---------------------------------------------------------------------------------------------------- */

/* One line of `mmdm doctor`: a thing, whether it is there, and the command that would bring it. */
typedef struct mdm_finding {
    const char *part; /* "stage transcribe", "library FFmpeg" */
    bool ready;
    const char *detail; /* what was found, or what is missing */
    const char *remedy; /* "" when ready */
} mdm_finding;
typedef void (*mdm_finding_fn)(void *user, const mdm_finding *finding);

/* Calls `tell` for every finding; *ready is false when `mmdm run` could not work. */
mdm_status mdm_doctor(bool *ready, const mdm_options *options, mdm_finding_fn tell, void *user);

/* Downloadable models of the catalogue. */
typedef struct mdm_model_info {
    const char *name, *file, *licence, *sha256, *needed_by;
    uint64_t bytes;
    bool present; /* a file of this name is in the models folder; mdm_models_verify looks inside */
} mdm_model_info;
typedef void (*mdm_model_fn)(void *user, const mdm_model_info *model, const char *problem);

mdm_status mdm_models_list(const mdm_options *options, mdm_model_fn tell, void *user);
mdm_status mdm_models_verify(const mdm_options *options, mdm_model_fn tell, void *user);
/* Fetches what is missing from the base address in MMDM_MODEL_BASE; without it, says which script gets them. */
mdm_status mdm_models_pull(const mdm_options *options, mdm_model_fn tell, void *user);

/* ---- a portrait from words ------------------------------------------------------------------------------------------------- */

/* One picture by a text-to-picture model of the user's (`mmdm models list` names them), with options of mdm_options_new_drawing.
 * MDM_ERR_DEVICE: the model is not there (the message says what to get); MDM_ERR_AGAIN: no try could be used;
 * MDM_ERR_CANCELLED: a signal came (mdm_catch_signals), and nothing is half written. */
mdm_status mdm_draw_portrait(const mdm_options *options);

/* The models of the user's that mdm_draw_portrait, mdm_animate_portrait and the transcribe stage know: calls `tell` for each. */
typedef struct mdm_drawing_info {
    const char *name, *what; /* what: "portrait", "animate", "transcribe" or "caption", the commands they are for */
    const char *base, *unet, *licence; /* repositories; unet may be NULL */
    double gigabytes;
    bool present; /* in the hub's cache */
} mdm_drawing_info;
void mdm_drawing_list(void (*tell)(void *user, const mdm_drawing_info *info), void *user);

/* Downloads one of them from the Hugging Face Hub (HF_ENDPOINT, HF_TOKEN, HF_HOME as its own tools have them) into its cache; what
 * was begun before is gone on with. `tell` is told of bytes. MDM_ERR_AGAIN: the network failed, call again later. */
mdm_status mdm_drawing_pull(const char *name, void (*tell)(void *user, double done, double total), void *user);

/* ---- a talking portrait -------------------------------------------------------------------------------------------------- */

/* A video of a portrait that talks, by EchoMimic's networks of the user's, with options of mdm_options_new_talking. Statuses as of
 * mdm_draw_portrait; a run that was cancelled, or died, is gone on with by the next one of the same options. */
mdm_status mdm_animate_portrait(const mdm_options *options);

/* ---- clips in words ------------------------------------------------------------------------------------------------------- */

/* What happens in each of `count` clips, by a video model of the user's (docs/captions.md), with options of mdm_options_new_captions.
 * Calls `tell` with each clip's caption when it is written; the text belongs to the library. Statuses as of mdm_draw_portrait. */
mdm_status mdm_caption_clips(const mdm_options *options, const char *const *clips, size_t count,
                             void (*tell)(void *user, const char *clip, const char *caption), void *user);

/* Makes a GGUF file of a file of weights (or the index.json of one that is split); precision: "f32", "f16", "q8_0" or "q4_0". Where `to` ends
 * in .bin, a whisper.cpp file of a Whisper's weights (a folder or a file), for which there are also "q5_1", "q5_0" and "q4_1".
 * Of a PLLaVA checkpoint folder, TO.gguf and TO.vision.gguf; it may also be "q4_K" then. */
mdm_status mdm_models_convert(const char *to, const char *from, const char *precision);

#ifdef __cplusplus
}
#endif

#endif
