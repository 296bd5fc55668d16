/* Random weights of a network, drawn as tools/product_random.py draws them, so that goldens need not store any. Include after
 * <cmocka.h>. */
#ifndef MDM_TESTS_RANDOM_WEIGHTS_H
#define MDM_TESTS_RANDOM_WEIGHTS_H

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "nn/tensor_file.h"

/* Names and shapes of a network's weights, from the JSON `file`, which must be there. */
static inline json_t *weight_shapes(const char *file)
{
    json_t *shapes = json_load_file(file, 0, NULL);
    assert_non_null(shapes);
    return shapes;
}

static inline size_t random_shape(mdm_array *array, const json_t *shape)
{
    size_t count = 1;
    array->rank = (int)json_array_size(shape);
    for (int i = 0; i < array->rank; i++) {
        array->shape[i] = json_integer_value(json_array_get(shape, (size_t)i));
        count *= (size_t)array->shape[i];
    }
    return count;
}

/* The values of one weight: gains about 1, shifts about 0, else 1 / sqrt(inputs). */
static inline void random_values(float *values, size_t count, const mdm_array *array, uint64_t seed)
{
    mdm_random random;
    const size_t length = strlen(array->name);
    const bool vector = array->rank == 1, gain = length >= 6 && !strcmp(array->name + length - 6, "weight");
    const float scale = vector ? 0.1f : (float)(1 / sqrt((double)count / (double)array->shape[0]));
    mdm_random_seed(&random, seed, array->name);
    for (size_t i = 0; i < count; i++)
        values[i] = mdm_random_normal(&random) * scale + (vector && gain ? 1.0f : 0.0f);
}

/* Writes a safetensors file of weights for `shapes`, an object of names and shapes. */
static inline void random_weights(const char *path, const json_t *shapes, uint64_t seed)
{
    mdm_array *arrays = NULL;
    size_t n = 0;
    const char *name;
    json_t *shape;
    assert_int_equal(mdm_alloc(&arrays, json_object_size(shapes), sizeof *arrays, "weights"), MDM_OK);
    json_object_foreach((json_t *)(uintptr_t)shapes, name, shape)
    {
        float *values = NULL;
        mdm_array *array = &arrays[n++];
        *array = (mdm_array){.name = name, .dtype = MDM_F32, .scale = 1};
        const size_t count = random_shape(array, shape);
        assert_int_equal(mdm_alloc(&values, count, sizeof *values, name), MDM_OK);
        random_values(values, count, array, seed);
        array->data = values;
        array->size = count * sizeof *values;
    }
    if (mdm_safetensors_write(path, arrays, n, NULL))
        fail_msg("%s", mdm_error_message());
    for (size_t i = 0; i < n; i++) {
        void *data = (void *)(uintptr_t)arrays[i].data;
        mdm_free(&data);
    }
    mdm_free(&arrays);
}

/* Standard normal numbers; free with mdm_free. */
static inline float *random_normals(uint64_t seed, const char *key, size_t count)
{
    mdm_random random;
    float *values = NULL;
    assert_int_equal(mdm_alloc(&values, count, sizeof *values, key), MDM_OK);
    mdm_random_seed(&random, seed, key);
    for (size_t i = 0; i < count; i++)
        values[i] = mdm_random_normal(&random);
    return values;
}

/* |a - b| / |b| */
static inline double relative_error(const float *a, const float *b, size_t count)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

#endif
