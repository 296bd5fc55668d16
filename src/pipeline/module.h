/* Modules: what a node of a graph file may be (graph_file.h). Each fills in one table; mmdm's own graphs, graph files of users and BMF
 * (src/bmf) run the same ones. */
#ifndef MDM_PIPELINE_MODULE_H
#define MDM_PIPELINE_MODULE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/flow.h"
#include "media/audio.h"
#include "media/frame_nodes.h"

#define MDM_MODULE_PORTS 8 /* inputs, and outputs, of a module */

typedef enum mdm_port_kind { MDM_PORT_NONE, MDM_PORT_VIDEO, MDM_PORT_AUDIO, MDM_PORT_JSON } mdm_port_kind;

/* What packets of a stream hold: mdm_frame, mdm_sound_block or json_t. Their time is in microseconds from the first frame. */
typedef struct mdm_port {
    mdm_port_kind kind;
    mdm_video_info video;
    mdm_audio_info audio;
} mdm_port;

/* What a module is opened with. */
typedef struct mdm_module_start {
    const char *node; /* "node 2 (c_ffmpeg_encoder)": begins every message */
    const char *entry, *path;
    const json_t *option; /* an object */
    const mdm_port *in;
    int inputs;
    unsigned used;                  /* bit per output that somebody reads */
    mdm_port out[MDM_MODULE_PORTS]; /* filled in by open */
} mdm_module_start;

typedef struct mdm_module {
    const char *name;
    int least_inputs, most_inputs;
    const char *outputs[3]; /* their names, NULL at the end */
    mdm_join_order order;
    mdm_status (*open)(void **state, mdm_module_start *start); /* what is in *state is closed, also where it fails */
    mdm_status (*turn)(void *state, mdm_turn *turn);
    void (*close)(void *state);
} mdm_module;

/* MDM_ERR_INPUT naming the nearest one. */
mdm_status mdm_module_find(const mdm_module **out, const char *name);

/* *state is for the module's turns, and its close; NULL where it could not be opened. */
mdm_status mdm_module_open(void **state, const mdm_module *module, mdm_module_start *start);

/* ---- for modules ------------------------------------------------------------------------------------------------------ */

/* Refuses options that are in neither list; warns of those in `moot`, which change nothing here. Lists end with NULL. */
mdm_status mdm_module_options(const mdm_module_start *start, const json_t *options, const char *const *known,
                              const char *const *moot);
mdm_status mdm_module_text(const char **out, const mdm_module_start *start, const json_t *options, const char *name,
                           const char *fallback); /* fallback NULL: it has to be there */
mdm_status mdm_module_number(double *out, const mdm_module_start *start, const json_t *options, const char *name,
                             double fallback, double least, double most);
mdm_status mdm_module_video_in(const mdm_module_start *start, int input); /* MDM_ERR_INPUT: it is not video */

/* A packet of JSON; takes the reference. */
mdm_status mdm_module_give_json(mdm_turn *turn, int output, json_t *value);

/* A frame that may be painted: the one in the packet where nobody else holds it, or a copy out of `frames`. */
mdm_status mdm_module_own_frame(mdm_packet **out, mdm_packet *in, mdm_frames *frames);

extern const mdm_module mdm_module_decoder, mdm_module_filter, mdm_module_encoder, mdm_module_hash; /* module_media.c */
extern const mdm_module mdm_module_find_faces, mdm_module_compose, mdm_module_stages[],
    mdm_module_job;                      /* module_stages.c */
extern const mdm_module mdm_module_node; /* module_node.c: a node of the user's */

#endif
