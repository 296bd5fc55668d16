/* Inner loops of the CPU executor. */
#include "nn/kernel.h"

#include <math.h>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

/* One row's two sums; written out, since the twelve must stay in registers. */
#define ROW(r)                                                                                                         \
    w = _mm256_broadcast_ss(a + (r));                                                                                  \
    s##r##0 = _mm256_fmadd_ps(w, b0, s##r##0);                                                                         \
    s##r##1 = _mm256_fmadd_ps(w, b1, s##r##1)
#define START(r) __m256 s##r##0 = _mm256_set1_ps(bias && (r) < rows ? bias[r] : 0.0f), s##r##1 = s##r##0
#define STORE(r)                                                                                                       \
    if ((r) < rows) {                                                                                                  \
        float *to = columns == MDM_GEMM_COLUMNS ? c + (r)*row_stride : rest;                                           \
        _mm256_storeu_ps(to, s##r##0);                                                                                 \
        _mm256_storeu_ps(to + 8, s##r##1);                                                                             \
        for (int j = 0; to == rest && j < columns; j++)                                                                \
            c[(r)*row_stride + (size_t)j] = rest[j];                                                                   \
    }

void mdm_gemm_block(float *c, size_t row_stride, const float *a, const float *b, int k, const float *bias, int rows,
                    int columns)
{
    START(0);
    START(1);
    START(2);
    START(3);
    START(4);
    START(5);
    for (int i = 0; i < k; i++) {
        __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8), w;
        ROW(0);
        ROW(1);
        ROW(2);
        ROW(3);
        ROW(4);
        ROW(5);
        a += MDM_GEMM_ROWS;
        b += MDM_GEMM_COLUMNS;
    }
    float rest[MDM_GEMM_COLUMNS];
    STORE(0)
    STORE(1)
    STORE(2)
    STORE(3)
    STORE(4)
    STORE(5)
}

/* exp of numbers up to 0, relative error 2e-7: 2^n times the series of what is left, which is at most ln 2 / 2. */
static __m256 exp_eights(__m256 x)
{
    static const float series[] = {1 / 5040.0f, 1 / 720.0f, 1 / 120.0f, 1 / 24.0f, 1 / 6.0f, 1 / 2.0f, 1, 1};
    x = _mm256_max_ps(x, _mm256_set1_ps(-87));
    const __m256 n =
        _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    /* ln 2 in two parts, the first of so few bits that n times it is exact */
    x = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
    x = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), x);
    __m256 sum = _mm256_set1_ps(series[0]);
    for (int i = 1; i < 8; i++)
        sum = _mm256_fmadd_ps(sum, x, _mm256_set1_ps(series[i]));
    const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(sum, _mm256_castsi256_ps(power));
}

void mdm_exp_columns(float *s, float sum[MDM_GEMM_COLUMNS], int rows)
{
    for (int half = 0; half < MDM_GEMM_COLUMNS; half += 8) {
        float *from = s + half;
        __m256 most = _mm256_loadu_ps(from), total = _mm256_setzero_ps();
        for (int r = 1; r < rows; r++)
            most = _mm256_max_ps(most, _mm256_loadu_ps(from + r * MDM_GEMM_COLUMNS));
        for (int r = 0; r < rows; r++) {
            float *at = from + r * MDM_GEMM_COLUMNS;
            const __m256 value = exp_eights(_mm256_sub_ps(_mm256_loadu_ps(at), most));
            total = _mm256_add_ps(total, value);
            _mm256_storeu_ps(at, value);
        }
        _mm256_storeu_ps(sum + half, total);
    }
}

void mdm_taps_row(float *out, int count, const float *const *source, const float *weight, int taps, float bias)
{
    int i = 0;
    for (; i + 32 <= count; i += 32) {
        __m256 a = _mm256_set1_ps(bias), b = a, c = a, d = a;
        for (int t = 0; t < taps; t++) {
            __m256 w = _mm256_broadcast_ss(weight + t);
            const float *x = source[t] + i;
            a = _mm256_fmadd_ps(w, _mm256_loadu_ps(x), a);
            b = _mm256_fmadd_ps(w, _mm256_loadu_ps(x + 8), b);
            c = _mm256_fmadd_ps(w, _mm256_loadu_ps(x + 16), c);
            d = _mm256_fmadd_ps(w, _mm256_loadu_ps(x + 24), d);
        }
        _mm256_storeu_ps(out + i, a);
        _mm256_storeu_ps(out + i + 8, b);
        _mm256_storeu_ps(out + i + 16, c);
        _mm256_storeu_ps(out + i + 24, d);
    }
    for (; i + 8 <= count; i += 8) {
        __m256 a = _mm256_set1_ps(bias);
        for (int t = 0; t < taps; t++)
            a = _mm256_fmadd_ps(_mm256_broadcast_ss(weight + t), _mm256_loadu_ps(source[t] + i), a);
        _mm256_storeu_ps(out + i, a);
    }
    if (i < count) { /* the rest of a row, which is all of a small picture's */
        static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
        __m256i live = _mm256_loadu_si256((const __m256i *)(ones + 8 - (count - i)));
        __m256 a = _mm256_set1_ps(bias);
        for (int t = 0; t < taps; t++)
            a = _mm256_fmadd_ps(_mm256_broadcast_ss(weight + t), _mm256_maskload_ps(source[t] + i, live), a);
        _mm256_maskstore_ps(out + i, live, a);
    }
}

/* The cheap activations on eights; returns how many values are done. Written out, since the compiler will not: it has to
 * keep the order of operations that could trap. */
static int activate_eights(float *v, int count, mdm_activation activation, float p)
{
    const __m256 zero = _mm256_setzero_ps(), six = _mm256_set1_ps(6), three = _mm256_set1_ps(3),
                 slope = _mm256_set1_ps(p);
    const __m256 sixth = _mm256_set1_ps(1 / 6.0f);
    int i = 0;
    switch (activation) {
    case MDM_RELU:
        for (; i + 8 <= count; i += 8)
            _mm256_storeu_ps(v + i, _mm256_max_ps(_mm256_loadu_ps(v + i), zero));
        break;
    case MDM_RELU6:
        for (; i + 8 <= count; i += 8)
            _mm256_storeu_ps(v + i, _mm256_min_ps(_mm256_max_ps(_mm256_loadu_ps(v + i), zero), six));
        break;
    case MDM_PRELU:
    case MDM_LEAKY_RELU:
        for (; i + 8 <= count; i += 8) {
            __m256 x = _mm256_loadu_ps(v + i);
            _mm256_storeu_ps(v + i, _mm256_blendv_ps(x, _mm256_mul_ps(x, slope), x)); /* by the sign */
        }
        break;
    case MDM_HARDSWISH:
        for (; i + 8 <= count; i += 8) {
            __m256 x = _mm256_loadu_ps(v + i);
            __m256 gate = _mm256_min_ps(_mm256_max_ps(_mm256_add_ps(x, three), zero), six);
            _mm256_storeu_ps(v + i, _mm256_mul_ps(x, _mm256_mul_ps(gate, sixth)));
        }
        break;
    default:
        break;
    }
    return i;
}

#else

static int activate_eights(float *v, int count, mdm_activation activation, float p)
{
    (void)v, (void)count, (void)activation, (void)p;
    return 0;
}

void mdm_gemm_block(float *c, size_t row_stride, const float *a, const float *b, int k, const float *bias, int rows,
                    int columns)
{
    float sum[MDM_GEMM_ROWS][MDM_GEMM_COLUMNS];
    for (int r = 0; r < MDM_GEMM_ROWS; r++)
        for (int j = 0; j < MDM_GEMM_COLUMNS; j++)
            sum[r][j] = bias && r < rows ? bias[r] : 0.0f;
    for (int i = 0; i < k; i++, a += MDM_GEMM_ROWS, b += MDM_GEMM_COLUMNS)
        for (int r = 0; r < MDM_GEMM_ROWS; r++)
            for (int j = 0; j < MDM_GEMM_COLUMNS; j++)
                sum[r][j] += a[r] * b[j];
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < columns; j++)
            c[(size_t)r * row_stride + (size_t)j] = sum[r][j];
}

void mdm_exp_columns(float *s, float sum[MDM_GEMM_COLUMNS], int rows)
{
    for (int j = 0; j < MDM_GEMM_COLUMNS; j++) {
        float most = s[j];
        for (int r = 1; r < rows; r++)
            most = fmaxf(most, s[r * MDM_GEMM_COLUMNS + j]);
        sum[j] = 0;
        for (int r = 0; r < rows; r++) {
            float *at = &s[r * MDM_GEMM_COLUMNS + j];
            *at = expf(*at - most);
            sum[j] += *at;
        }
    }
}

void mdm_taps_row(float *out, int count, const float *const *source, const float *weight, int taps, float bias)
{
    for (int i = 0; i < count; i++)
        out[i] = bias;
    for (int t = 0; t < taps; t++)
        for (int i = 0; i < count; i++)
            out[i] += weight[t] * source[t][i];
}

#endif

static float clip(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

void mdm_activate_row(float *v, int count, mdm_activation activation, float p)
{
    int done = activate_eights(v, count, activation, p);
    v += done;
    count -= done;
    switch (activation) {
    case MDM_LINEAR:
        break;
    case MDM_RELU:
        for (int i = 0; i < count; i++)
            v[i] = v[i] > 0 ? v[i] : 0;
        break;
    case MDM_RELU6:
        for (int i = 0; i < count; i++)
            v[i] = clip(v[i], 0, 6);
        break;
    case MDM_PRELU:
    case MDM_LEAKY_RELU:
        for (int i = 0; i < count; i++)
            v[i] = v[i] > 0 ? v[i] : p * v[i];
        break;
    case MDM_SILU:
        for (int i = 0; i < count; i++)
            v[i] = v[i] / (1 + expf(-v[i]));
        break;
    case MDM_GELU:
        for (int i = 0; i < count; i++)
            v[i] = 0.5f * v[i] * (1 + tanhf(0.79788456f * (v[i] + 0.044715f * v[i] * v[i] * v[i])));
        break;
    case MDM_GELU_ERF:
        for (int i = 0; i < count; i++)
            v[i] = 0.5f * v[i] * (1 + erff(v[i] * 0.70710678f));
        break;
    case MDM_HARDSWISH:
        for (int i = 0; i < count; i++)
            v[i] = v[i] * clip(v[i] + 3, 0, 6) * (1 / 6.0f);
        break;
    case MDM_HARDSIGMOID: /* PyTorch's and Paddle's default in PP-OCR's export differ: slope 1/6 here, others by importer */
        for (int i = 0; i < count; i++)
            v[i] = clip(v[i] * (1 / 6.0f) + 0.5f, 0, 1);
        break;
    case MDM_GELU_QUICK:
        for (int i = 0; i < count; i++)
            v[i] = v[i] / (1 + expf(-1.702f * v[i]));
        break;
    case MDM_SIGMOID:
        for (int i = 0; i < count; i++)
            v[i] = 1 / (1 + expf(-v[i]));
        break;
    case MDM_TANH:
        for (int i = 0; i < count; i++)
            v[i] = tanhf(v[i]);
        break;
    case MDM_ABS:
        for (int i = 0; i < count; i++)
            v[i] = fabsf(v[i]);
        break;
    case MDM_EXP:
        for (int i = 0; i < count; i++)
            v[i] = expf(v[i]);
        break;
    case MDM_SQRT:
        for (int i = 0; i < count; i++)
            v[i] = sqrtf(v[i]);
        break;
    case MDM_ELU:
        for (int i = 0; i < count; i++)
            v[i] = v[i] > 0 ? v[i] : expm1f(v[i]);
        break;
    }
}
