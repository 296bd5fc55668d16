/* What diffusion's networks do between products, done in one pass: ./setup cuda compiles this file into ggml's CUDA backend, which asks
 * mdm_cuda_fuse at every node. A layer norm, its gain, shift and the rounding to f16 are one kernel, and so are a group norm with its SiLU, a bias with the
 * residual, a bias with GEGLU, and a product whose f32 result is only rounded to f16. ggml's im2col divides 64-bit numbers for every value; the one
 * here goes by tiles. GGML_CUDA_DISABLE_FUSION=1 leaves all of it to ggml. */
#include "common.cuh"
#include "ggml-impl.h"

#include <initializer_list>

/* ---- the graph ---- */

static bool is_view(const ggml_tensor * t) {
    return t->op == GGML_OP_NONE || t->op == GGML_OP_RESHAPE || t->op == GGML_OP_VIEW || t->op == GGML_OP_PERMUTE ||
           t->op == GGML_OP_TRANSPOSE;
}

/* The node that is computed next, where it is `op` and alone reads node i, itself or through views of it; else 0. `seen` is what it reads. */
static int follow(const ggml_cgraph * g, int i, ggml_op op, const ggml_tensor ** seen) {
    if (ggml_node_get_use_count(g, i) != 1 || (g->nodes[i]->flags & GGML_TENSOR_FLAG_OUTPUT)) {
        return 0;
    }
    *seen = g->nodes[i];
    for (int k = i + 1; k < g->n_nodes; k++) {
        const ggml_tensor * t = g->nodes[k];
        if (!is_view(t)) {
            return t->op == op && (t->flags & GGML_TENSOR_FLAG_COMPUTE) && (t->src[0] == *seen || t->src[1] == *seen) ? k : 0;
        }
        if (t->src[0] == *seen) {
            if (ggml_node_get_use_count(g, k) != 1 || (t->flags & GGML_TENSOR_FLAG_OUTPUT)) {
                return 0;
            }
            *seen = t;
        }
    }
    return 0;
}

static const ggml_tensor * other(const ggml_tensor * node, const ggml_tensor * one) {
    return node->src[0] == one ? node->src[1] : node->src[0];
}

static bool plain(const ggml_tensor * t) {
    return t->type == GGML_TYPE_F32 && ggml_is_contiguous(t);
}

/* A rounding to f16 of what node i makes, and nothing else of it; else 0. */
static int rounding(const ggml_cgraph * g, int i) {
    const ggml_tensor * seen;
    const int k = follow(g, i, GGML_OP_CPY, &seen);
    return k && g->nodes[k]->type == GGML_TYPE_F16 && ggml_is_contiguous(g->nodes[k]) && ggml_is_contiguous(seen) ? k : 0;
}

static bool apart(const ggml_tensor * a, const ggml_tensor * b) {
    const char * x = (const char *) a->data, * y = (const char *) b->data;
    return x + ggml_nbytes(a) <= y || y + ggml_nbytes(b) <= x;
}

/* Whether `out` may be written where `in` is still read: somewhere else, or value by value in its place. */
static bool safe(const ggml_tensor * out, const ggml_tensor * in) {
    return apart(out, in) || (out->data == in->data && out->type == in->type && ggml_is_contiguous(in) && ggml_is_contiguous(out) &&
                              ggml_nelements(out) == ggml_nelements(in));
}

/* Room for a node whose memory ggml planned for later, when its operands are no longer read: elsewhere, and then moved there. */
struct landing {
    ggml_backend_cuda_context & ctx;
    ggml_tensor * node;
    ggml_cuda_pool_alloc<char> elsewhere;
    void * data;

    landing(ggml_backend_cuda_context & ctx, ggml_tensor * node, std::initializer_list<const ggml_tensor *> read) :
        ctx(ctx), node(node), elsewhere(ctx.pool()), data(node->data) {
        for (const ggml_tensor * t : read) {
            if (!apart(node, t) && data == node->data) {
                data = elsewhere.alloc(ggml_nbytes(node));
            }
        }
    }

    void settle() {
        if (data != node->data) {
            CUDA_CHECK(cudaMemcpyAsync(node->data, data, ggml_nbytes(node), cudaMemcpyDeviceToDevice, ctx.stream()));
        }
    }
};

/* ---- values ---- */

static __device__ void put4(float * at, float4 v) {
    *(float4 *) at = v;
}

static __device__ void put4(half * at, float4 v) {
    ((half2 *) at)[0] = __floats2half2_rn(v.x, v.y);
    ((half2 *) at)[1] = __floats2half2_rn(v.z, v.w);
}

static __device__ float4 get4(const float * at) {
    return *(const float4 *) at;
}

static __device__ float4 plus(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

static __device__ float silu(float x) {
    return x / (1.0f + expf(-x));
}

static __device__ float gelu(float x) {
    return 0.5f * x * (1.0f + erff(x * 0.70710678118654752440f));
}

/* ---- layer norm ---- */

/* A warp a row; width is a multiple of 4. */
template <typename T>
static __global__ void layer_norm(T * out, const float * x, const float * gain, const float * shift, int rows, int width, float epsilon) {
    const int row = blockIdx.x * blockDim.y + threadIdx.y, lane = threadIdx.x;
    if (row >= rows) {
        return;
    }
    x   += (int64_t) row * width;
    out += (int64_t) row * width;
    float sum = 0, squares = 0;
    for (int i = 4 * lane; i < width; i += 4 * WARP_SIZE) {
        const float4 v = get4(x + i);
        sum += v.x + v.y + v.z + v.w;
    }
    const float mean = warp_reduce_sum(sum) / width;
    for (int i = 4 * lane; i < width; i += 4 * WARP_SIZE) {
        const float4 v = get4(x + i);
        squares += (v.x - mean) * (v.x - mean) + (v.y - mean) * (v.y - mean) + (v.z - mean) * (v.z - mean) + (v.w - mean) * (v.w - mean);
    }
    const float scale = rsqrtf(warp_reduce_sum(squares) / width + epsilon);
    for (int i = 4 * lane; i < width; i += 4 * WARP_SIZE) {
        const float4 v = get4(x + i), g = get4(gain + i), s = get4(shift + i);
        put4(out + i, make_float4((v.x - mean) * scale * g.x + s.x, (v.y - mean) * scale * g.y + s.y, (v.z - mean) * scale * g.z + s.z,
                                  (v.w - mean) * scale * g.w + s.w));
    }
}

static int fuse_layer_norm(ggml_backend_cuda_context & ctx, const ggml_cgraph * g, int i) {
    const ggml_tensor * node = g->nodes[i], * x = node->src[0], * seen;
    const int m = follow(g, i, GGML_OP_MUL, &seen);
    if (!m) {
        return -1;
    }
    const ggml_tensor * gain = other(g->nodes[m], seen);
    const int a = follow(g, m, GGML_OP_ADD, &seen);
    if (!a) {
        return -1;
    }
    const ggml_tensor * shift = other(g->nodes[a], seen);
    const int width = (int) x->ne[0], rows = (int) ggml_nrows(x);
    if (!plain(x) || !plain(gain) || !plain(shift) || ggml_nelements(gain) != width || ggml_nelements(shift) != width || width % 4 ||
        ggml_nelements(g->nodes[a]) != ggml_nelements(x)) {
        return -1;
    }
    const int last = rounding(g, a) ? rounding(g, a) : a;
    ggml_tensor * out = g->nodes[last];
    if (last == a && !safe(out, x)) {
        return -1;
    }
    float epsilon;
    memcpy(&epsilon, node->op_params, sizeof epsilon);
    const dim3 threads(WARP_SIZE, 4), blocks((rows + 3) / 4);
    if (last == a) {
        layer_norm<<<blocks, threads, 0, ctx.stream()>>>((float *) out->data, (const float *) x->data, (const float *) gain->data,
                                                         (const float *) shift->data, rows, width, epsilon);
    } else {
        landing to(ctx, out, { x });
        layer_norm<<<blocks, threads, 0, ctx.stream()>>>((half *) to.data, (const float *) x->data, (const float *) gain->data,
                                                         (const float *) shift->data, rows, width, epsilon);
        to.settle();
    }
    CUDA_CHECK(cudaGetLastError());
    return last - i;
}

/* ---- group norm ---- */

/* Values of a group that one block looks at: 32 a thread. */
enum { GROUP_THREADS = 256, GROUP_PART = 32 * GROUP_THREADS };

/* Mean, sum of squared differences from it and count of each part: parts [groups][gridDim.x]. `size` is a multiple of 4. */
static __global__ void group_parts(float4 * parts, const float * x, int64_t size) {
    __shared__ float shared[32];
    const int64_t from = (int64_t) blockIdx.x * GROUP_PART;
    const int count = (int) min((int64_t) GROUP_PART, size - from);
    x += blockIdx.y * size + from;
    float4 v[8];
    float sum = 0, squares = 0;
#pragma unroll
    for (int k = 0; k < 8; k++) {
        const int at = 4 * (k * GROUP_THREADS + threadIdx.x);
        v[k] = at < count ? get4(x + at) : make_float4(0, 0, 0, 0);
        sum += v[k].x + v[k].y + v[k].z + v[k].w;
    }
    const float mean = block_reduce<block_reduce_method::SUM, GROUP_THREADS>(sum, shared) / count;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 8; k++) {
        if (4 * (k * GROUP_THREADS + (int) threadIdx.x) < count) {
            squares += (v[k].x - mean) * (v[k].x - mean) + (v[k].y - mean) * (v[k].y - mean) + (v[k].z - mean) * (v[k].z - mean) +
                       (v[k].w - mean) * (v[k].w - mean);
        }
    }
    squares = block_reduce<block_reduce_method::SUM, GROUP_THREADS>(squares, shared);
    if (threadIdx.x == 0) {
        parts[blockIdx.y * gridDim.x + blockIdx.x] = make_float4(mean, squares, (float) count, 0);
    }
}

/* x [N][C][plane] of groups of `size` values. */
template <bool ACTIVATE>
static __global__ void group_apply(float * out, const float * x, const float4 * parts, const float * gain, const float * shift, int64_t size,
                                   int plane, int groups, int per_group, float epsilon) {
    __shared__ float2 shared;
    const int64_t from = (int64_t) blockIdx.x * GROUP_PART;
    const int count = (int) min((int64_t) GROUP_PART, size - from);
    if (threadIdx.x < WARP_SIZE) {
        parts += blockIdx.y * gridDim.x;
        float sum = 0, squares = 0;
        for (int k = threadIdx.x; k < (int) gridDim.x; k += WARP_SIZE) {
            sum += parts[k].x * parts[k].z;
        }
        const float mean = warp_reduce_sum(sum) / size;
        for (int k = threadIdx.x; k < (int) gridDim.x; k += WARP_SIZE) {
            squares += parts[k].y + (parts[k].x - mean) * (parts[k].x - mean) * parts[k].z;
        }
        squares = warp_reduce_sum(squares);
        if (threadIdx.x == 0) {
            shared = make_float2(mean, rsqrtf(squares / size + epsilon));
        }
    }
    __syncthreads();
    const float2 norm = shared;
    const int64_t base = blockIdx.y * size + from;
    for (int at = 4 * threadIdx.x; at < count; at += 4 * GROUP_THREADS) {
        const int channel = blockIdx.y % groups * per_group + ((int) from + at) / plane;
        const float scale = norm.y * gain[channel], offset = shift[channel] - norm.x * scale;
        const float4 v = get4(x + base + at);
        float4 y = make_float4(v.x * scale + offset, v.y * scale + offset, v.z * scale + offset, v.w * scale + offset);
        if (ACTIVATE) {
            y = make_float4(silu(y.x), silu(y.y), silu(y.z), silu(y.w));
        }
        put4(out + base + at, y);
    }
}

static int fuse_group_norm(ggml_backend_cuda_context & ctx, const ggml_cgraph * g, int i) {
    const ggml_tensor * node = g->nodes[i], * x = node->src[0], * seen;
    const int m = follow(g, i, GGML_OP_MUL, &seen);
    if (!m) {
        return -1;
    }
    const ggml_tensor * gain = other(g->nodes[m], seen);
    const int a = follow(g, m, GGML_OP_ADD, &seen);
    if (!a) {
        return -1;
    }
    const ggml_tensor * shift = other(g->nodes[a], seen);
    const int s = follow(g, a, GGML_OP_UNARY, &seen);
    const bool active = s && ggml_get_unary_op(g->nodes[s]) == GGML_UNARY_OP_SILU && ggml_is_contiguous(seen);
    const int last = active ? s : a, groups = ggml_get_op_params_i32(node, 0);
    ggml_tensor * out = g->nodes[last];
    const int64_t plane = x->ne[0] * x->ne[1], channels = x->ne[2], size = channels / groups * plane, total = groups * x->ne[3];
    if (!plain(x) || !plain(gain) || !plain(shift) || gain->ne[2] != channels || ggml_nelements(gain) != channels ||
        ggml_nelements(shift) != channels || channels % groups || plane % 4 || size > INT_MAX || total > 65535 || !plain(out) ||
        ggml_nelements(out) != ggml_nelements(x) || !safe(out, x)) {
        return -1;
    }
    float epsilon;
    memcpy(&epsilon, (const char *) node->op_params + sizeof(int32_t), sizeof epsilon);
    const dim3 blocks((unsigned) ((size + GROUP_PART - 1) / GROUP_PART), (unsigned) total);
    ggml_cuda_pool_alloc<float4> parts(ctx.pool(), (size_t) blocks.x * blocks.y);
    group_parts<<<blocks, GROUP_THREADS, 0, ctx.stream()>>>(parts.get(), (const float *) x->data, size);
    const auto apply = active ? group_apply<true> : group_apply<false>;
    apply<<<blocks, GROUP_THREADS, 0, ctx.stream()>>>((float *) out->data, (const float *) x->data, parts.get(), (const float *) gain->data,
                                                      (const float *) shift->data, size, (int) plane, groups, (int) (channels / groups), epsilon);
    CUDA_CHECK(cudaGetLastError());
    return last - i;
}

/* ---- sums ---- */

/* Extents, and how far apart an operand's values are; 0: the same value all along. */
struct sum_shape {
    uint32_t n0, n1, n2; /* n0 in fours */
    int64_t  x1, x2, x3;
    int64_t  b0, b1, b2, b3;
};

/* out = x + b (+ more); x is contiguous along its first axis, out and `more` all through. */
static __global__ void sum(float * out, const float * x, const float * b, const float * more, sum_shape s, uint32_t fours) {
    const uint32_t at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= fours) {
        return;
    }
    const uint32_t i0 = at % s.n0, r1 = at / s.n0, i1 = r1 % s.n1, r2 = r1 / s.n1, i2 = r2 % s.n2, i3 = r2 / s.n2;
    float4 v = get4(x + 4 * i0 + i1 * s.x1 + i2 * s.x2 + i3 * s.x3);
    const float * from = b + i1 * s.b1 + i2 * s.b2 + i3 * s.b3;
    if (s.b0) {
        v = plus(v, get4(from + 4 * i0));
    } else {
        v = plus(v, make_float4(*from, *from, *from, *from));
    }
    if (more) {
        v = plus(v, get4(more + 4 * (int64_t) at));
    }
    put4(out + 4 * (int64_t) at, v);
}

/* In floats, along an axis of x. */
static int64_t step_of(const ggml_tensor * b, const ggml_tensor * x, int axis) {
    return b->ne[axis] == 1 && x->ne[axis] != 1 ? 0 : (int64_t) (b->nb[axis] / sizeof(float));
}

static bool repeats(const ggml_tensor * b, const ggml_tensor * x) {
    for (int i = 0; i < 4; i++) {
        if (b->ne[i] != x->ne[i] && b->ne[i] != 1) {
            return false;
        }
    }
    return true;
}

static bool aligned(const ggml_tensor * t) {
    return (uintptr_t) t->data % 16 == 0 && t->nb[1] % 16 == 0 && t->nb[2] % 16 == 0 && t->nb[3] % 16 == 0;
}

static int fuse_sum(ggml_backend_cuda_context & ctx, const ggml_cgraph * g, int i) {
    const ggml_tensor * node = g->nodes[i], * x = node->src[0], * b = node->src[1], * seen;
    if (x->type != GGML_TYPE_F32 || !plain(node) || !plain(b) || x->nb[0] != sizeof(float) || x->ne[0] % 4 || !repeats(b, x) || !aligned(x) ||
        (b->ne[0] != 1 && !aligned(b)) || ggml_nelements(x) / 4 > UINT32_MAX / 2) {
        return -1;
    }
    const int a = follow(g, i, GGML_OP_ADD, &seen);
    const ggml_tensor * more = a ? other(g->nodes[a], seen) : NULL;
    const bool both = more && plain(more) && plain(seen) && plain(g->nodes[a]) && ggml_nelements(more) == ggml_nelements(x) && aligned(more) &&
                      ggml_are_same_shape(more, seen) && safe(g->nodes[a], x) && safe(g->nodes[a], more) && apart(g->nodes[a], b);
    const int last = both ? a : i;
    ggml_tensor * out = g->nodes[last];
    if (!safe(out, x) || !apart(out, b)) {
        return -1;
    }
    const int64_t f = sizeof(float);
    const sum_shape s = { (uint32_t) (x->ne[0] / 4),
                          (uint32_t) x->ne[1],
                          (uint32_t) x->ne[2],
                          (int64_t) x->nb[1] / f,
                          (int64_t) x->nb[2] / f,
                          (int64_t) x->nb[3] / f,
                          b->ne[0] == 1 ? 0 : 1,
                          step_of(b, x, 1),
                          step_of(b, x, 2),
                          step_of(b, x, 3) };
    const uint32_t fours = (uint32_t) (ggml_nelements(x) / 4);
    sum<<<(fours + 255) / 256, 256, 0, ctx.stream()>>>((float *) out->data, (const float *) x->data, (const float *) b->data,
                                                       both ? (const float *) more->data : NULL, s, fours);
    CUDA_CHECK(cudaGetLastError());
    return last - i;
}

/* ---- GEGLU ---- */

/* out [rows][width] of x [rows][2 width] */
template <typename T>
static __global__ void geglu(T * out, const float * x, const float * bias, uint32_t fours, uint32_t width4) {
    const uint32_t at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= fours) {
        return;
    }
    const uint32_t i = at % width4, row = at / width4, width = 4 * width4;
    x += (int64_t) row * 2 * width;
    const float4 a = plus(get4(x + 4 * i), get4(bias + 4 * i)), b = plus(get4(x + width + 4 * i), get4(bias + width + 4 * i));
    put4(out + 4 * (int64_t) at, make_float4(a.x * gelu(b.x), a.y * gelu(b.y), a.z * gelu(b.z), a.w * gelu(b.w)));
}

static int fuse_geglu(ggml_backend_cuda_context & ctx, const ggml_cgraph * g, int i) {
    const ggml_tensor * node = g->nodes[i], * x = node->src[0], * bias = node->src[1], * seen;
    const int k = follow(g, i, GGML_OP_GLU, &seen);
    if (!k || ggml_get_glu_op(g->nodes[k]) != GGML_GLU_OP_GEGLU_ERF || g->nodes[k]->src[1] || !ggml_get_op_params_i32(g->nodes[k], 1)) {
        return -1;
    }
    const int last = rounding(g, k) ? rounding(g, k) : k;
    ggml_tensor * out = g->nodes[last];
    const int64_t width = g->nodes[k]->ne[0];
    if (!plain(x) || !plain(bias) || !plain(seen) || seen->ne[0] != x->ne[0] || ggml_nelements(bias) != x->ne[0] || width % 4 ||
        ggml_nelements(out) / 4 > UINT32_MAX / 2) {
        return -1;
    }
    const uint32_t fours = (uint32_t) (ggml_nelements(out) / 4), width4 = (uint32_t) (width / 4);
    landing to(ctx, out, { x, bias });
    const dim3 blocks((fours + 255) / 256);
    if (out->type == GGML_TYPE_F16) {
        geglu<<<blocks, 256, 0, ctx.stream()>>>((half *) to.data, (const float *) x->data, (const float *) bias->data, fours, width4);
    } else {
        geglu<<<blocks, 256, 0, ctx.stream()>>>((float *) to.data, (const float *) x->data, (const float *) bias->data, fours, width4);
    }
    CUDA_CHECK(cudaGetLastError());
    to.settle();
    return last - i;
}

/* ---- products ---- */

static int fuse_product(ggml_backend_cuda_context & ctx, const ggml_cgraph * g, int i) {
    const ggml_tensor * node = g->nodes[i], * w = node->src[0], * x = node->src[1];
    const int k = rounding(g, i);
    if (!k || w->type != GGML_TYPE_F16 || x->type != GGML_TYPE_F16 || !ggml_is_contiguous(w) || !ggml_is_contiguous(x) ||
        w->ne[2] * w->ne[3] * x->ne[2] * x->ne[3] != 1) {
        return -1;
    }
    landing to(ctx, g->nodes[k], { w, x });
    const float one = 1, zero = 0;
    CUBLAS_CHECK(cublasGemmEx(ctx.cublas_handle(), CUBLAS_OP_T, CUBLAS_OP_N, (int) w->ne[1], (int) x->ne[1], (int) w->ne[0], &one, w->data,
                              CUDA_R_16F, (int) w->ne[0], x->data, CUDA_R_16F, (int) x->ne[0], &zero, to.data, CUDA_R_16F, (int) w->ne[1],
                              CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT_TENSOR_OP));
    to.settle();
    return k - i;
}

/* ---- im2col ---- */

/* Output pixels in a row and channels that one block unfolds. */
enum { TILE_PIXELS = 32, TILE_CHANNELS = 32 };

struct unfold_shape {
    int channels, height, width, out_height, out_width, stride, pad;
    int64_t per_channel, per_picture; /* floats of x */
};

/* out [pictures][out_height][out_width][channels][K][K] of x */
template <int K, typename T>
static __global__ void unfold(T * out, const float * x, unfold_shape s) {
    extern __shared__ float tile[]; /* [TILE_CHANNELS][K][span] */
    const int span = (TILE_PIXELS - 1) * s.stride + K, left = blockIdx.x * TILE_PIXELS, channel = blockIdx.z * TILE_CHANNELS;
    const int picture = blockIdx.y / s.out_height, row = blockIdx.y % s.out_height;
    const int channels = min((int) TILE_CHANNELS, s.channels - channel), pixels = min((int) TILE_PIXELS, s.out_width - left);
    x += picture * s.per_picture + channel * s.per_channel;
    for (int i = threadIdx.x; i < channels * K * span; i += blockDim.x) {
        const int ix = i % span, ky = i / span % K, c = i / span / K;
        const int from = left * s.stride + ix - s.pad, y = row * s.stride + ky - s.pad;
        tile[i] = from >= 0 && from < s.width && y >= 0 && y < s.height ? x[c * s.per_channel + y * s.width + from] : 0;
    }
    __syncthreads();
    const int each = channels * K * K;
    out += ((int64_t) blockIdx.y * s.out_width + left) * s.channels * K * K + channel * K * K;
    for (int i = threadIdx.x; i < pixels * each; i += blockDim.x) {
        const int at = i % each, pixel = i / each, c = at / (K * K), ky = at / K % K, kx = at % K;
        out[(int64_t) pixel * s.channels * K * K + at] = (T) tile[(c * K + ky) * span + pixel * s.stride + kx];
    }
}

template <typename T>
static void run_unfold(ggml_backend_cuda_context & ctx, ggml_tensor * out, const ggml_tensor * x, int side, const unfold_shape & s) {
    const dim3 blocks((s.out_width + TILE_PIXELS - 1) / TILE_PIXELS, (unsigned) (s.out_height * x->ne[3]),
                      (s.channels + TILE_CHANNELS - 1) / TILE_CHANNELS);
    const size_t room = sizeof(float) * TILE_CHANNELS * side * ((TILE_PIXELS - 1) * s.stride + side);
    const auto kernel = side == 1 ? unfold<1, T> : unfold<3, T>;
    kernel<<<blocks, 256, room, ctx.stream()>>>((T *) out->data, (const float *) x->data, s);
    CUDA_CHECK(cudaGetLastError());
}

/* Kernels of one or three pixels in two dimensions, all sides padded alike. */
static int fuse_im2col(ggml_backend_cuda_context & ctx, const ggml_cgraph * g, int i) {
    ggml_tensor * out = g->nodes[i];
    const ggml_tensor * w = out->src[0], * x = out->src[1];
    const int32_t * p = (const int32_t *) out->op_params; /* strides, paddings, dilations, two dimensions */
    const int side = (int) w->ne[0];
    if (!p[6] || !plain(x) || w->ne[1] != side || (side != 1 && side != 3) || p[0] != p[1] || p[0] < 1 || p[0] > 2 || p[2] != p[3] ||
        p[4] != 1 || p[5] != 1 || out->ne[2] * x->ne[3] > 65535 || x->ne[2] > 65535 * TILE_CHANNELS) {
        return -1;
    }
    const unfold_shape s = { (int) x->ne[2],   (int) x->ne[1], (int) x->ne[0], (int) out->ne[2],       (int) out->ne[1],
                             (int) p[0], (int) p[2],     x->ne[0] * x->ne[1], x->ne[0] * x->ne[1] * x->ne[2] };
    if (out->type == GGML_TYPE_F16) {
        run_unfold<half>(ctx, out, x, side, s);
    } else {
        run_unfold<float>(ctx, out, x, side, s);
    }
    return 0;
}

/* ---- the door ---- */

/* Computes node i and some after it. Returns how many nodes after node i are done with, -1 where nothing was done; the functions
 * above return the same. */
int mdm_cuda_fuse(ggml_backend_cuda_context & ctx, const ggml_cgraph * g, int i) {
    static const char * off = getenv("GGML_CUDA_DISABLE_FUSION");
    if (off && atoi(off)) {
        return -1;
    }
    switch (g->nodes[i]->op) {
        case GGML_OP_NORM:
            return fuse_layer_norm(ctx, g, i);
        case GGML_OP_GROUP_NORM:
            return fuse_group_norm(ctx, g, i);
        case GGML_OP_MUL_MAT:
            return fuse_product(ctx, g, i);
        case GGML_OP_IM2COL:
            return fuse_im2col(ctx, g, i);
        case GGML_OP_ADD: {
            const int gate = fuse_geglu(ctx, g, i);
            return gate >= 0 ? gate : fuse_sum(ctx, g, i);
        }
        default:
            return -1;
    }
}
