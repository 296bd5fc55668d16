/* What the files of the ggml executor share: the context behind mdm_nn. Not for other layers. */
#ifndef MDM_NN_NN_INTERNAL_H
#define MDM_NN_NN_INTERNAL_H

#include <ggml.h>

#include "nn/nn.h"

#define MDM_NN_MAX_NODES 16384
#define MDM_NN_NAME      64 /* GGML_MAX_NAME: longer names are cut by ggml */

/* A weight, constant or input. Weights keep their values here until build, for packing and upload: those of a file that stays open
 * (mdm_nn_array) only while they are looked at. */
typedef struct mdm_leaf {
    char name[MDM_NN_NAME];
    mdm_node *node;
    float *host;     /* NULL for inputs, for what lies in `array`, and after build */
    mdm_array array; /* where the values are; without data: in `host` only */
    size_t count;
    bool input, needed;
} mdm_leaf;

typedef struct mdm_named {
    char name[MDM_NN_NAME];
    mdm_node *node;
} mdm_named;

/* An operation that can apply an activation to what it makes, in the same pass. */
typedef struct mdm_fusable {
    mdm_node *node;
    mdm_activation *activation; /* inside the operation's call; MDM_LINEAR so far */
    float **slope;
} mdm_fusable;

/* What was rounded to f16 lately: several layers read the same. */
typedef struct mdm_rounded {
    mdm_node *from, *to;
} mdm_rounded;

struct mdm_nn {
    char name[MDM_NN_NAME];
    int threads;
    bool gpu; /* `backend` is the card's */
    struct ggml_context *leaves, *nodes;
    struct ggml_backend *backend;
    struct ggml_backend_buffer *weights;
    struct ggml_gallocr *allocator;
    struct ggml_cgraph *graph;
    mdm_leaf *leaf;
    size_t leaf_count, leaf_capacity;
    mdm_named output[32];
    int output_count;
    void **owned; /* memory of kernels, freed with the context */
    size_t owned_count, owned_capacity;
    mdm_fusable *fusable;
    size_t fusable_count, fusable_capacity;
    mdm_rounded rounded[4];
    int rounded_count;
    float **scratch; /* one a thread, grown to the largest need at build */
    size_t scratch_floats;
    mdm_status status;
    char message[512];
    bool built;
};

/* The card that mdm_gpu_use chose, or NULL. */
struct ggml_backend_device *mdm_gpu_device(void);
/* nn_gpu.c: these layers on the card. Operands are contiguous; attention of a width that has no kernel there gives NULL. */
mdm_node *mdm_gpu_conv2d(mdm_nn *nn, mdm_node *x, mdm_node *weight, mdm_node *bias, const mdm_conv *conv);
/* x [.., in] as rows of f16. */
mdm_node *mdm_gpu_rounded_rows(mdm_nn *nn, mdm_node *x);
mdm_node *mdm_gpu_attention(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale);

/* nn_attention.c: on the CPU, over so many positions that it is worth it; NULL otherwise. Operands are contiguous. */
mdm_node *mdm_nn_attention_tiled(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale);

/* The leaf whose node this is, NULL if it is a result. */
mdm_leaf *mdm_nn_leaf_of(mdm_nn *nn, const mdm_node *node);
/* The values of a weight or constant before build; NULL for an input or NULL, and where an error is recorded. */
const float *mdm_nn_leaf_values(mdm_nn *nn, mdm_leaf *leaf);
/* They are not needed for now: frees them if they can be had again. */
void mdm_nn_leaf_release(mdm_leaf *leaf);
/* Zeroed memory that lives as long as the context; NULL and an error recorded when there is none. */
void *mdm_nn_own(mdm_nn *nn, size_t count, size_t size);
/* Says that `node` can take an activation later (mdm_nn_fuse). */
mdm_node *mdm_nn_can_fuse(mdm_nn *nn, mdm_node *node, mdm_activation *activation, float **slope);
/* A copy of a weight's `count` values (or its one value, repeated) that lives with the context. */
float *mdm_nn_copy_vector(mdm_nn *nn, mdm_node *node, int count, const char *what);
/* A contiguous node with the same values. */
mdm_node *mdm_nn_contiguous(mdm_nn *nn, mdm_node *x);

typedef void (*mdm_custom_run)(struct ggml_tensor *dst, int ith, int nth, void *user);
/* A custom operation with result extents ne (ggml's order); `serial` runs it on one thread. */
mdm_node *mdm_nn_custom(mdm_nn *nn, const int64_t ne[4], mdm_node *const *arguments, int count, mdm_custom_run run,
                        void *user, bool serial);

#endif
