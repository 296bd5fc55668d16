/* One coarse vocabulary of operations in which every network is written once; ggml executes it on the CPU (nn_ggml.c and
 * the kernels beside it), large networks on an NVIDIA card where there is one (gpu.h). Another executor can take its place without touching a network.
 *
 *     mdm_nn_new(&nn, "face mesh", threads);
 *     mdm_node *x = mdm_nn_input(nn, "image", 4, (int64_t[]){1, 3, 192, 192});      // shapes are said in PyTorch's order
 *     x = mdm_nn_conv2d(nn, x, w, b, &(mdm_conv){.stride = {2, 2}, .pad = {0, 1, 0, 1}, .activation = MDM_RELU});
 *     mdm_nn_output(nn, x, "features");
 *     MDM_TRY(mdm_nn_build(nn));                                                      // reports the first mistake, if any
 *     mdm_nn_set(nn, "image", data, n); mdm_nn_run(nn); mdm_nn_get(nn, "features", out, n);
 *
 * While a graph is described, an operation that cannot be (wrong shapes, a missing tensor) records the first error and
 * returns NULL; NULL inputs give NULL, so only mdm_nn_build has to be checked. Nodes belong to the context. All data
 * is f32, row-major, last axis fastest; pictures are N,C,H,W with N = 1 unless said, sequences are N,L,C. */
#ifndef MDM_NN_NN_H
#define MDM_NN_NN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "nn/tensor_file.h"

typedef struct mdm_nn mdm_nn;
typedef struct ggml_tensor mdm_node;

/* `name` is for messages; `threads` >= 1 is a constant of the job. */
mdm_status mdm_nn_new(mdm_nn **out, const char *name, int threads);
/* For networks whose forward is in src/models/ and that are worth a GPU: they run on the one mdm_gpu_use (nn/gpu.h) chose, if it
 * did. There, convolutions have no groups and host operations are errors of mdm_nn_build. */
mdm_status mdm_nn_new_large(mdm_nn **out, const char *name, int threads);
void mdm_nn_free(mdm_nn **nn);

/* ---- leaves ---- */

mdm_node *mdm_nn_input(mdm_nn *nn, const char *name, int rank, const int64_t *shape);

/* How a weight is kept: F32, or F16/Q8_0/Q4_0 for matrices of mdm_nn_linear (rows a multiple of 32 for the last two). Kernels of
 * convolutions are kept F32, packed for the kernel; on a GPU F32 or F16. */
typedef enum mdm_store { MDM_STORE_F32, MDM_STORE_F16, MDM_STORE_Q8_0, MDM_STORE_Q4_0 } mdm_store;

/* "f32", "f16", "q8_0" or "q4_0"; MDM_ERR_USAGE says so of another. */
mdm_status mdm_store_named(mdm_store *out, const char *name);

/* Whether the network is computed by a GPU. */
bool mdm_nn_on_gpu(const mdm_nn *nn);

/* How a kernel is kept beside matrices of `store`: F16 on a GPU unless they are F32, F32 elsewhere. */
mdm_store mdm_nn_kernel_store(const mdm_nn *nn, mdm_store store);

/* The array `name` of `file` as f32 values; its shape must be `shape` (the error says both). */
mdm_node *mdm_nn_weight(mdm_nn *nn, const mdm_tensor_file *file, const char *name, mdm_store store, int rank,
                        const int64_t *shape);
/* The same of an array whose data stays where it is until mdm_nn_build (nn/weights.h): a large network then needs memory for itself,
 * not for a copy of its file as well. Extents of 1 at the end of either shape do not
 * count, so that the kernel of a 1x1 convolution is a matrix. */
mdm_node *mdm_nn_array(mdm_nn *nn, const mdm_array *array, mdm_store store, int rank, const int64_t *shape);
/* The same from floats in memory, which are copied. */
mdm_node *mdm_nn_constant(mdm_nn *nn, const char *name, const float *values, mdm_store store, int rank,
                          const int64_t *shape);

/* ---- layers ---- */

typedef enum mdm_activation {
    MDM_LINEAR,
    MDM_RELU,
    MDM_RELU6,
    MDM_PRELU,
    MDM_LEAKY_RELU,
    MDM_SILU,
    MDM_GELU,
    MDM_GELU_ERF,
    MDM_GELU_QUICK, /* x sigmoid(1.702 x) */
    MDM_HARDSWISH,
    MDM_HARDSIGMOID,
    MDM_SIGMOID,
    MDM_TANH,
    MDM_ABS,
    MDM_EXP,
    MDM_SQRT,
    MDM_ELU,
} mdm_activation;

/* y = x W^T + b. x [.., in], weight [out, in], bias [out] or NULL -> [.., out]. */
mdm_node *mdm_nn_linear(mdm_nn *nn, mdm_node *x, mdm_node *weight, mdm_node *bias);

typedef struct mdm_conv {
    int stride[2];             /* down, across; 0 counts as 1 */
    int pad[4];                /* top, left, bottom, right; TF's SAME pads more at the bottom and right */
    int dilation[2];           /* 0 counts as 1 */
    int groups;                /* 0 or 1: dense; = channels: depthwise; others: grouped */
    mdm_activation activation; /* applied after the bias */
    mdm_node *slope;           /* of MDM_PRELU: [C_out] */
    float alpha;               /* of MDM_LEAKY_RELU */
} mdm_conv;

/* x [1,C,H,W] (or N > 1), weight [C_out, C/groups, kh, kw] (a weight or constant leaf), bias [C_out] or NULL. */
mdm_node *mdm_nn_conv2d(mdm_nn *nn, mdm_node *x, mdm_node *weight, mdm_node *bias, const mdm_conv *conv);
/* weight [C_in, C_out, k, k], stride = k, no padding: every output pixel has one source. */
mdm_node *mdm_nn_conv2d_transposed(mdm_nn *nn, mdm_node *x, mdm_node *weight, mdm_node *bias, int stride);

mdm_node *mdm_nn_activate(mdm_nn *nn, mdm_node *x, mdm_activation activation);
/* For importers: where x is made by a convolution or a sum and read by nothing but this activation, does it there, in the
 * same pass, and returns true; x then holds the activated values. slope: of MDM_PRELU, [C]. */
bool mdm_nn_fuse(mdm_nn *nn, mdm_node *x, mdm_activation activation, mdm_node *slope);
mdm_node *mdm_nn_prelu(mdm_nn *nn, mdm_node *x, mdm_node *slope /* [C], or x's own C,H,W */);

/* Over the last axis; gain and shift [C] or NULL. */
mdm_node *mdm_nn_layer_norm(mdm_nn *nn, mdm_node *x, mdm_node *gain, mdm_node *shift, float epsilon);
mdm_node *mdm_nn_rms_norm(mdm_nn *nn, mdm_node *x, mdm_node *gain, float epsilon);
/* Over the channels of x [N,C,H,W] at each pixel; gain [C] or NULL. */
mdm_node *mdm_nn_rms_norm_channels(mdm_nn *nn, mdm_node *x, mdm_node *gain, float epsilon);
/* x [N,C,H,W]; gain and shift [C]. */
mdm_node *mdm_nn_group_norm(mdm_nn *nn, mdm_node *x, int groups, mdm_node *gain, mdm_node *shift, float epsilon);

/* softmax(q k^T * scale) v for q [B,Lq,heads*d], k, v [B,Lk,heads*d]; scale 0 means 1/sqrt(d). Heads whose width ggml has
 * no fast kernel for are padded. -> [B,Lq,heads*d] */
mdm_node *mdm_nn_attention(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale);
/* The same where no position sees those after it. */
mdm_node *mdm_nn_attention_causal(mdm_nn *nn, mdm_node *q, mdm_node *k, mdm_node *v, int heads, float scale);
/* x [.., 2C] -> a * act(b) with x = (a, b) for GEGLU (GELU of the second half), silu(a) * b for SwiGLU. */
mdm_node *mdm_nn_geglu(mdm_nn *nn, mdm_node *x);
mdm_node *mdm_nn_swiglu(mdm_nn *nn, mdm_node *x);
mdm_node *mdm_nn_softmax(mdm_nn *nn, mdm_node *x); /* last axis */

/* ---- pictures ---- */

typedef enum mdm_pool_kind { MDM_POOL_MAX, MDM_POOL_AVERAGE } mdm_pool_kind;
/* pad: top, left, bottom, right. Padding never wins a maximum; `count_pad`: averages count it (ONNX's option), else only
 * the real pixels. */
mdm_node *mdm_nn_pool(mdm_nn *nn, mdm_node *x, mdm_pool_kind kind, const int kernel[2], const int stride[2],
                      const int pad[4], bool count_pad);
mdm_node *mdm_nn_global_mean(mdm_nn *nn, mdm_node *x); /* [N,C,H,W] -> [N,C,1,1] */
typedef enum mdm_resize { MDM_NEAREST, MDM_BILINEAR, MDM_BILINEAR_ALIGN_CORNERS, MDM_BILINEAR_ASYMMETRIC } mdm_resize;
/* BILINEAR: half-pixel centres; ASYMMETRIC: TF 1's default (source = out * scale). */
mdm_node *mdm_nn_resize(mdm_nn *nn, mdm_node *x, int height, int width, mdm_resize how);
mdm_node *mdm_nn_pixel_shuffle(mdm_nn *nn, mdm_node *x, int factor); /* PyTorch's channel order */
mdm_node *mdm_nn_pixel_unshuffle(mdm_nn *nn, mdm_node *x, int factor);

/* ---- shapes ---- */

int64_t mdm_nn_dim(const mdm_node *x, int from_last); /* extent of the axis: 0 = last */
mdm_node *mdm_nn_reshape(mdm_nn *nn, mdm_node *x, int rank, const int64_t *shape);
/* Axes in PyTorch's order over 4 axes (leading ones are 1): out axis i is in axis order[i]. The result is contiguous. */
mdm_node *mdm_nn_permute(mdm_nn *nn, mdm_node *x, const int order[4]);
mdm_node *mdm_nn_concat(mdm_nn *nn, mdm_node *a, mdm_node *b, int from_last);
/* x `times` times in a row along an axis. */
mdm_node *mdm_nn_repeat(mdm_nn *nn, mdm_node *x, int from_last, int64_t times);
/* Elements [from, to) of one axis; contiguous. */
mdm_node *mdm_nn_slice(mdm_nn *nn, mdm_node *x, int from_last, int64_t from, int64_t to);
/* Zeros around, per axis of the last four: before[i], after[i] with i = 0 the last axis. */
mdm_node *mdm_nn_pad(mdm_nn *nn, mdm_node *x, const int before[4], const int after[4]);
mdm_node *mdm_nn_mean(mdm_nn *nn, mdm_node *x, int from_last); /* keeps the axis with extent 1 */

/* ---- arithmetic; the smaller operand is repeated where its extents are 1 ---- */

mdm_node *mdm_nn_add(mdm_nn *nn, mdm_node *a, mdm_node *b);
mdm_node *mdm_nn_sub(mdm_nn *nn, mdm_node *a, mdm_node *b);
mdm_node *mdm_nn_mul(mdm_nn *nn, mdm_node *a, mdm_node *b);
mdm_node *mdm_nn_div(mdm_nn *nn, mdm_node *a, mdm_node *b);
mdm_node *mdm_nn_scale(mdm_nn *nn, mdm_node *x, float factor, float offset); /* factor * x + offset */
mdm_node *mdm_nn_clamp(mdm_nn *nn, mdm_node *x, float low, float high);
mdm_node *mdm_nn_matmul(mdm_nn *nn, mdm_node *a, mdm_node *b); /* [B,M,K] x [B,K,N] -> [B,M,N] */
mdm_node *mdm_nn_embedding(mdm_nn *nn, mdm_node *table /* [V,C] */, const int32_t *ids,
                           int count); /* -> [count,C], ids fixed */

/* A host function inside the graph, for the odd operation no vocabulary should have to know. `arguments` are contiguous;
 * run() fills `out` (floats, `shape`) from them; `user` must outlive the context. */
typedef struct mdm_host_operation {
    void (*run)(float *out, const float *const *arguments, void *user);
    void *user;
} mdm_host_operation;
mdm_node *mdm_nn_host(mdm_nn *nn, const mdm_host_operation *operation, mdm_node *const *arguments, int count, int rank,
                      const int64_t *shape);

/* ---- building and running ---- */

void mdm_nn_output(mdm_nn *nn, mdm_node *x, const char *name);
/* Allocates everything once. Returns the first error recorded while describing. */
mdm_status mdm_nn_build(mdm_nn *nn);
/* `count` must be the leaf's or output's number of elements. */
mdm_status mdm_nn_set(mdm_nn *nn, const char *input, const float *values, size_t count);
mdm_status mdm_nn_run(mdm_nn *nn);
mdm_status mdm_nn_get(mdm_nn *nn, const char *output, float *values, size_t count);
size_t mdm_nn_count(const mdm_nn *nn, const char *leaf_or_output); /* 0 when there is none */
/* Shape of an output in PyTorch's order, always four numbers. false when there is none of that name. */
bool mdm_nn_shape(const mdm_nn *nn, const char *output, int64_t shape[4]);

/* Records an error of the caller's own (an importer's); the first one wins. Returns NULL. */
mdm_node *mdm_nn_fail(mdm_nn *nn, mdm_status status, const char *format, ...) MDM_PRINTF(3, 4);

#endif
