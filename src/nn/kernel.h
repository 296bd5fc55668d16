/* The inner loops of the CPU executor: a block of a matrix product, scaled addition, activations. AVX2 where the compiler
 * has it, plain C elsewhere. */
#ifndef MDM_NN_KERNEL_H
#define MDM_NN_KERNEL_H

#include <stddef.h>

#include "nn/nn.h"

#define MDM_GEMM_ROWS    6
#define MDM_GEMM_COLUMNS 16

/* c[r][j] = bias[r] + sum_k a[k][r] b[k][j] for r < rows <= 6, j < columns <= 16. a: k x 6, b: k x 16, packed. */
void mdm_gemm_block(float *c, size_t row_stride, const float *a, const float *b, int k, const float *bias, int rows,
                    int columns);

/* s [rows][MDM_GEMM_COLUMNS] becomes exp(s - the largest of its column); sum: what each column then adds up to. */
void mdm_exp_columns(float *s, float sum[MDM_GEMM_COLUMNS], int rows);

/* out[i] = bias + sum_t weight[t] * source[t][i]: one row of a depthwise convolution, its taps laid side by side. */
void mdm_taps_row(float *out, int count, const float *const *source, const float *weight, int taps, float bias);

/* In place; `parameter` is the slope of PReLU or leaky ReLU. */
void mdm_activate_row(float *values, int count, mdm_activation activation, float parameter);

#endif
