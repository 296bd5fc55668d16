/* Packing: verified clips become a Hugging Face VideoFolder with a card, checksums and an audit. Nothing about a source
 * goes in: no name, hash, path, landmark or plan, and nothing of a clip in quarantine but its id and why. */
#ifndef MDM_DATASET_PACK_H
#define MDM_DATASET_PACK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/settings.h"
#include "base/status.h"
#include "dataset/split.h"

/* A clip to deliver or, when `passed` is false, to mention only. All borrowed. */
typedef struct mdm_pack_clip {
    const char *clip_id;
    const char *media;           /* masked.mp4 or masked.png; NULL when not passed */
    const char *labels;          /* labels.jsonl, or NULL */
    const json_t *carried;       /* items of mdm_carried_remeasure, or NULL */
    const json_t *clip;          /* clip.json */
    const json_t *plan;          /* the clip's plan.json */
    const json_t *evidence;      /* evidence.json; NULL when it never came so far */
    const json_t *transcript;    /* transcript.json, or NULL */
    const char *const *pictures; /* JPEG files cut from the result, or NULL */
    size_t picture_count;
    bool passed;
    const char *failure; /* short code when it failed before verify: "input", "internal" ... */
} mdm_pack_clip;

typedef struct mdm_pack_info {
    const mdm_settings *settings;
    const json_t *policy, *channels; /* of the plan */
    const json_t *redrawn;           /* per redrawn context how often it agrees with the source, or NULL (private) */
    const json_t *attacks;           /* of mdm_attack_report, or NULL when they were not made */
    const json_t *models;            /* files of models/catalog.json, or NULL */
    const char *version;             /* of mmdm */
} mdm_pack_info;

/* What is in a packed dataset, for its card. */
typedef struct mdm_pack_content {
    bool has[MDM_PARTS]; /* clips in a part */
    bool stills;         /* pictures beside videos */
    char language[16];   /* of what is said in the first clip with words, "" unknown */
} mdm_pack_content;

/* Fills `folder` (made by the caller, empty). The same input gives the same bytes. */
mdm_status mdm_pack(const char *folder, const mdm_pack_info *info, const mdm_pack_clip *clips, size_t count);

/* ---- parts, for pack.c and tests -------------------------------------------------------------------------------------- */

/* Figures of one clip that may be shared (docs/evidence-format.md says which). Caller json_decref's. */
mdm_status mdm_pack_shared_evidence(json_t **out, const mdm_pack_clip *clip);

/* One line of metadata.jsonl. `file_name` is relative to it. */
mdm_status mdm_pack_row(json_t **out, const mdm_pack_clip *clip, const char *file_name);

/* The `configs:` of a card's head: the parts that have clips. */
mdm_status mdm_card_configs(mdm_buffer *out, const bool has[MDM_PARTS]);

/* README.md, the dataset card. */
mdm_status mdm_pack_card(const char *path, const mdm_pack_info *info, size_t delivered, size_t left_out,
                         const mdm_pack_content *content);

/* provenance/CLIP.json under `folder`: the clip is synthetic (IPTC's source type, as a C2PA action), and its hash. */
mdm_status mdm_pack_sidecar(const char *folder, const mdm_pack_info *info, const mdm_pack_clip *clip);
/* audit/models.cdx.json: the models that make and judge, with licences and hashes, as a CycloneDX 1.6 bill of materials. */
mdm_status mdm_pack_models(const char *path, const mdm_pack_info *info);

/* The figures of the whole dataset, as audit/report.json. Caller json_decref's. */
mdm_status mdm_report_json(json_t **out, const mdm_pack_info *info, const mdm_pack_clip *clips, size_t count);

/* The same as one self-contained page. Pictures are those of `clips`: of the result only. */
mdm_status mdm_report_html(mdm_buffer *out, const json_t *report, const mdm_pack_clip *clips, size_t count);

/* Its part about the attacks on the whole dataset. */
mdm_status mdm_report_attacks(mdm_buffer *out, const json_t *report);

/* Everything under `folder` is for everybody to read; mdm_file_write makes private files. */
mdm_status mdm_open_permissions(const char *folder);

/* SHA256SUMS over all files under `folder`, sorted. */
mdm_status mdm_pack_checksums(const char *folder);

#endif
