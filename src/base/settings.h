/* The settings of a job, filled from the one options table (base/options_table.c) by command line, YAML and defaults. */
#ifndef MDM_BASE_SETTINGS_H
#define MDM_BASE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Contexts worth keeping, in the order of the design's vocabulary. */
typedef enum mdm_context {
    MDM_CONTEXT_AGE,
    MDM_CONTEXT_GENDER,
    MDM_CONTEXT_RACE,
    MDM_CONTEXT_EXPRESSION,
    MDM_CONTEXT_GAZE,
    MDM_CONTEXT_HEAD_POSE,
    MDM_CONTEXT_EYES,
    MDM_CONTEXT_MOUTH,
    MDM_CONTEXT_GLASSES,
    MDM_CONTEXT_SPEECH,
    MDM_CONTEXT_VOICE,
    MDM_CONTEXT_PROSODY,
    MDM_CONTEXT_SCENE,
    MDM_CONTEXT_COUNT
} mdm_context;

typedef enum mdm_treatment {
    MDM_REDRAW,
    MDM_KEEP,
    MDM_COARSEN,
    MDM_REMOVE
} mdm_treatment; /* per context; redraw is the default */

typedef enum mdm_cover {
    MDM_COVER_BLUR,
    MDM_COVER_MOSAIC,
    MDM_COVER_FILL,
    MDM_COVER_KEEP
} mdm_cover;                                                                            /* plates, screen text */
typedef enum mdm_words { MDM_WORDS_SILENCE, MDM_WORDS_TONE, MDM_WORDS_KEEP } mdm_words; /* spoken personal data */
typedef enum mdm_voice { MDM_VOICE_MASK, MDM_VOICE_KEEP, MDM_VOICE_REMOVE } mdm_voice;
typedef enum mdm_metadata { MDM_METADATA_STRIP, MDM_METADATA_KEEP_TIMING } mdm_metadata;
typedef enum mdm_identity { MDM_IDENTITY_PER_PERSON, MDM_IDENTITY_PER_CLIP } mdm_identity;
typedef enum mdm_mode { MDM_MODE_SCENE, MDM_MODE_PORTRAIT } mdm_mode;

#define MDM_MAX_PATH             1024
#define MDM_MAX_RECTANGLES       16
#define MDM_MAX_PERSONS_EXCLUDED 64

/* Which of the table's options settings are made of: those of jobs, of `mmdm portrait --backend`, of
 * `mmdm animate --backend`, of `mmdm export`, of `mmdm caption` or of `mmdm serve`. A row may be of all. */
typedef enum mdm_option_use {
    MDM_FOR_JOBS,
    MDM_FOR_DRAWING,
    MDM_FOR_TALKING,
    MDM_FOR_EXPORTS,
    MDM_FOR_CAPTIONS,
    MDM_FOR_SERVING,
    MDM_FOR_ALL
} mdm_option_use;

/* Pictures from words (pipeline/draw.c). "" and 0: not given, the backend's own is taken, unless said otherwise. */
typedef struct mdm_drawing_settings {
    char backend[24];
    char describe[1024], negative[1024]; /* texts word for word */
    char plan[MDM_MAX_PATH], person[32]; /* instead of a text; person: "" is the first who is replaced */
    bool no_negative;                    /* none at all, else `negative`, which may be the empty text */
    char model[MDM_MAX_PATH], unet[MDM_MAX_PATH], checkpoint[MDM_MAX_PATH], refiner[MDM_MAX_PATH];
    int width, height, steps, second_steps;
    double guidance, second_guidance; /* up to 1: none */
    double second_pass;               /* strength, 0..1 */
    char sampler[16], precision[8], device[8];
    bool karras;
    int count;                  /* pictures */
    char preview[MDM_MAX_PATH]; /* file of looks at the picture under way */
    int preview_every;          /* steps */
    int tries;                  /* pictures drawn until one can be used; 0: the first is taken, whatever it shows */
    int threads;                /* 0: one a core */
    char noise[MDM_MAX_PATH], save_latents[MDM_MAX_PATH];
} mdm_drawing_settings;

/* A talking portrait (pipeline/talk.c). "" and 0: not given, the authors' is taken, unless said otherwise. */
typedef struct mdm_talking_settings {
    char backend[16], mode[16]; /* mode "": pose where there are landmarks, else audio */
    char portrait[MDM_MAX_PATH], audio[MDM_MAX_PATH];
    char motion[MDM_MAX_PATH], landmarks[MDM_MAX_PATH], save_landmarks[MDM_MAX_PATH];
    char face[64]; /* "auto", "none" or a box */
    bool mouth, open_loop;
    char model[MDM_MAX_PATH];
    int size, frames, steps, window, overlap;
    double fps, guidance;
    char precision[8], device[8];
    int threads;
    char noise[MDM_MAX_PATH], save_latents[MDM_MAX_PATH];
} mdm_talking_settings;

/* Exports of a dataset (dataset/export.h). */
typedef struct mdm_exporting_settings {
    char formats[128]; /* names, comma separated */
    char split[32];    /* "80,10,10"; "": the dataset's own parts */
    int stride;        /* of the frames that become pictures */
    char creator[128], url[256], published[16];
} mdm_exporting_settings;

/* Captions of clips (pipeline/caption.c). "": the model's own. */
typedef struct mdm_caption_settings {
    char model[MDM_MAX_PATH]; /* also of `mmdm run --describe pllava` */
    char template_name[24], system[2048], prompt[2048];
    char save_features[MDM_MAX_PATH];
    char precision[8], device[8];
    bool greedy, letterbox, raw;
    int tokens, threads; /* threads 0: one a core */
    double temperature, top_p, lora_alpha;
} mdm_caption_settings;

/* The local page (src/server). */
typedef struct mdm_serving_settings {
    char roots[4096], hosts[1024]; /* folders, separated by ':'; names, by ',' */
    char listen[64];               /* "": this machine's own addresses */
    char tls_cert[MDM_MAX_PATH], tls_key[MDM_MAX_PATH];
    bool insecure;
    int port, quota, largest; /* quota and largest in GiB */
} mdm_serving_settings;

typedef struct mdm_settings {
    mdm_option_use use; /* not MDM_FOR_ALL */
    mdm_treatment context[MDM_CONTEXT_COUNT];
    mdm_cover plates, text;
    mdm_words words;
    mdm_voice voice;
    mdm_metadata metadata;
    mdm_identity identity;
    mdm_mode mode;
    int cover_count;
    int cover[MDM_MAX_RECTANGLES][4]; /* --cover x,y,w,h in pixels of the upright frame */
    int exclude_count;
    char exclude[MDM_MAX_PERSONS_EXCLUDED][32]; /* --exclude-person: covered, not replaced */
    double start, end, segment;                 /* seconds; 0 = whole / no segmenting */
    uint64_t seed;
    int jobs; /* worker processes; 0 = one per two cores */
    bool draw, json, force, dry_run, keep_work;
    char transcribe[16];                  /* backend: "whisper", "gemini", "none" */
    char whisper_model[MDM_MAX_PATH];     /* name or path */
    char language[16];                    /* spoken; "auto", or a code */
    char vad[8];                          /* what finds speech for Whisper: "none", "silero" */
    char gemini_model[64], send_audio[4]; /* "yes": the sound may go to Google */
    char animate[16], portrait[24], describe[16];
    char device[8];  /* of large networks */
    char shard[32];  /* "1/4": this process's part of the job; "auto" */
    bool claim;      /* takes clips that no other process has */
    double pace;     /* seconds of work that a second of recording is thought to be, for cutting a job into tasks */
    double task;     /* seconds of work in one of them */
    char image[256]; /* of containers */
    bool print, stdio;
    double lease;             /* seconds after which a process that gives no sign of life loses its claims */
    int attempts;             /* stand-ins drawn for a person whose result is recognised, before the face is covered */
    int memory;               /* MiB a worker may use; 0 = no limit */
    int verbosity;            /* -1 quiet, 0, 1 verbose */
    char print_graph[16];     /* "analysis" or "rendering": is only printed; "": is run */
    char trace[MDM_MAX_PATH]; /* file of what ran when; "": none */
    char preset[24];          /* name of the preset that was applied, "" for none */
    char output[MDM_MAX_PATH], config[MDM_MAX_PATH], models[MDM_MAX_PATH], weights[MDM_MAX_PATH];
    char licence[64];          /* of the dataset, an identifier the Hugging Face card knows, or "other" */
    char title[128];           /* of the dataset */
    char labels[MDM_MAX_PATH]; /* folder of labels people already have, "" for none */
    mdm_drawing_settings drawing;
    mdm_talking_settings talking;
    mdm_exporting_settings exporting;
    mdm_caption_settings caption;
    mdm_serving_settings serving;
} mdm_settings;

const char *mdm_context_name(mdm_context context); /* "head_pose" */
bool mdm_context_is_coarse(mdm_context context);   /* it has rough groups, for --coarsen */

/* "80,10,10": percent of training, validation and test; "80,20" has no validation. MDM_ERR_USAGE: not whole numbers that add up
 * to 100. */
mdm_status mdm_split_shares(int out[3], const char *text);

/* Why a context that is not kept stays as recorded all the same (the scene in scene mode ...), in words for cards and
 * reports; NULL when it does not. */
const char *mdm_context_residual(const mdm_settings *settings, mdm_context context);

#endif
