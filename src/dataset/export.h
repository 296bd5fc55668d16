/* Exports: a finished dataset written again in the formats of other tools. All that is read is the dataset's own folder, so that
 * nothing comes out that was not made to be shared. One file a format, export_<format>.c, behind mdm_export_format. */
#ifndef MDM_DATASET_EXPORT_H
#define MDM_DATASET_EXPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/settings.h"
#include "dataset/labels.h"
#include "dataset/split.h"

typedef struct mdm_export_clip {
    char id[64], file[72]; /* "clip-0001", "clip-0001.mp4" */
    char *media;           /* path in the dataset */
    char *labels;          /* path of its labels, or NULL */
    json_t *row;           /* of metadata.jsonl */
    int part, packed_part; /* mdm_part: in the export, and in the dataset */
    bool still;
    int frames, width, height;
    double fps;
} mdm_export_clip;

typedef void (*mdm_export_tell)(void *user, bool left_out, const char *line);

typedef struct mdm_export {
    const mdm_settings *settings;
    const char *dataset; /* folder that is read */
    char *folder;        /* that this format fills; empty at first */
    const char *format;
    mdm_export_clip *clips; /* [count], sorted by id */
    size_t count;
    char title[160], licence[80]; /* as the dataset's card says */
    size_t left_out;
    mdm_export_tell tell;
    void *user;
} mdm_export;

typedef struct mdm_export_format {
    const char *name, *what;
    mdm_status (*write)(mdm_export *e);
} mdm_export_format;

const mdm_export_format *mdm_export_formats(size_t *count);

/* Writes `dataset` (a folder with metadata.jsonl files in its parts) in every format of settings->exporting.formats: into `folder` itself
 * when it is one, else each into a folder of its name there. Built beside it and put in place at once; an earlier export is
 * replaced, anything else that lies there is refused. `tell` is called with a line in plain words for whatever a format cannot
 * hold; *left_out counts those. The same dataset and settings give the same bytes. */
mdm_status mdm_export_dataset(size_t *left_out, const mdm_settings *settings, const char *dataset, const char *folder,
                              mdm_export_tell tell, void *user);

/* Removes an earlier export, and leaves anything else that lies there. */
mdm_status mdm_export_remove(const char *folder);

/* ---- for the formats ---------------------------------------------------------------------------------------------------- */

/* export_read.c: clips, title and licence of a dataset; and their end. */
mdm_status mdm_export_read(mdm_export *e);
void mdm_export_free(mdm_export *e);
/* Labels of a clip, none where the dataset has none. */
mdm_status mdm_export_labels(mdm_face_labels *out, const mdm_export_clip *clip);

/* Says that something is not in the export, and counts it. */
void mdm_export_leave_out(mdm_export *e, const char *format, ...) MDM_PRINTF(2, 3);

/* "FOLDER/a/b", whose folders are made. Caller frees. */
mdm_status mdm_export_path(char **out, const mdm_export *e, const char *format, ...) MDM_PRINTF(3, 4);
/* The clip's media into "FOLDER/<part>/<file>". */
mdm_status mdm_export_media(const mdm_export *e, const mdm_export_clip *clip);
bool mdm_export_has_part(const mdm_export *e, int part);
mdm_status mdm_export_text(const mdm_export *e, const char *name, const char *text);
mdm_status mdm_export_json(const mdm_export *e, const char *name, const json_t *value);

/* A track of labels: items that belong to `track`, as indices. `next` finds the track after, -1 at the end: start with -1. */
int mdm_export_next_track(const mdm_face_labels *labels, int track);
const char *mdm_export_person(const mdm_face_labels *labels, int track);

mdm_status mdm_export_hf(mdm_export *e);
mdm_status mdm_export_parquet(mdm_export *e);
mdm_status mdm_export_webdataset(mdm_export *e);
mdm_status mdm_export_croissant(mdm_export *e);
mdm_status mdm_export_coco(mdm_export *e);
mdm_status mdm_export_cvat(mdm_export *e);
mdm_status mdm_export_labelstudio(mdm_export *e);
mdm_status mdm_export_openlabel(mdm_export *e);
mdm_status mdm_export_csv(mdm_export *e);

#endif
