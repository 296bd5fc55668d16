/* A flexbuffer ends with its root: value, packed type (type << 2 | log2 width), width. A map is a vector of values preceded
 * by its size and the place of its sorted keys, followed by the packed types. Offsets point backwards. */
#include "nn/flexbuffer.h"

#include <stdint.h>
#include <string.h>

enum {
    FLEX_INT = 1,
    FLEX_UINT = 2,
    FLEX_FLOAT = 3,
    FLEX_MAP = 9,
    FLEX_VECTOR_INT = 11,
    FLEX_VECTOR_UINT = 12,
    FLEX_VECTOR_FLOAT = 13
};

typedef struct flex {
    const unsigned char *data;
    size_t size;
} flex;

static bool read_uint(uint64_t *out, const flex *f, size_t at, size_t width)
{
    if ((width != 1 && width != 2 && width != 4 && width != 8) || at > f->size || width > f->size - at)
        return false;
    *out = 0;
    for (size_t i = width; i-- > 0;)
        *out = *out << 8 | f->data[at + i];
    return true;
}

static bool read_number(double *out, const flex *f, size_t at, size_t width, int type)
{
    uint64_t bits;
    if (!read_uint(&bits, f, at, width))
        return false;
    if (type == FLEX_FLOAT && width == 4) {
        uint32_t low = (uint32_t)bits;
        float value;
        memcpy(&value, &low, sizeof value);
        *out = (double)value;
    } else if (type == FLEX_FLOAT && width == 8) {
        memcpy(out, &bits, sizeof *out);
    } else if (type == FLEX_INT) {
        int shift = 64 - (int)width * 8;
        *out = (double)((int64_t)(bits << shift) >> shift);
    } else if (type == FLEX_UINT) {
        *out = (double)bits;
    } else {
        return false;
    }
    return true;
}

/* Follows the offset stored at `at`. */
static bool target(size_t *out, const flex *f, size_t at, size_t width)
{
    uint64_t back;
    if (!read_uint(&back, f, at, width) || back > at)
        return false;
    *out = at - (size_t)back;
    return true;
}

/* The value under `key`: where it lies, its width there, its packed type. */
static bool find(size_t *at, size_t *width, int *packed, const flex *f, const char *key)
{
    size_t map, keys;
    uint64_t count, key_width, root_width;
    if (f->size < 3 || !read_uint(&root_width, f, f->size - 1, 1) || f->size < 2 + root_width ||
        f->data[f->size - 2] >> 2 != FLEX_MAP || !target(&map, f, f->size - 2 - (size_t)root_width, (size_t)root_width))
        return false;
    size_t w = (size_t)1 << (f->data[f->size - 2] & 3);
    if (map < 3 * w || !read_uint(&count, f, map - w, w) || !target(&keys, f, map - 3 * w, w) ||
        !read_uint(&key_width, f, map - 2 * w, w) || count > f->size)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        size_t name;
        if (key_width > 8 || !target(&name, f, keys + (size_t)(i * key_width), (size_t)key_width))
            return false;
        size_t room = f->size - name, length = strlen(key);
        size_t types = map + (size_t)count * w;
        if (room <= length || memcmp(f->data + name, key, length + 1))
            continue;
        if (types + i >= f->size)
            return false;
        *at = map + (size_t)i * w;
        *width = w;
        *packed = f->data[types + i];
        return true;
    }
    return false;
}

bool mdm_flex_number(double *out, const unsigned char *data, size_t size, const char *key)
{
    flex f = {data, size};
    size_t at, width;
    int packed;
    return find(&at, &width, &packed, &f, key) && read_number(out, &f, at, width, packed >> 2);
}

int mdm_flex_numbers(double *out, int max, const unsigned char *data, size_t size, const char *key)
{
    flex f = {data, size};
    size_t at, width, vector;
    int packed;
    uint64_t count;
    if (!find(&at, &width, &packed, &f, key) || packed >> 2 < FLEX_VECTOR_INT || packed >> 2 > FLEX_VECTOR_FLOAT)
        return 0;
    size_t element = (size_t)1 << (packed & 3);
    if (!target(&vector, &f, at, width) || vector < element || !read_uint(&count, &f, vector - element, element))
        return 0;
    int n = count < (uint64_t)max ? (int)count : max;
    for (int i = 0; i < n; i++)
        if (!read_number(&out[i], &f, vector + (size_t)i * element, element,
                         (packed >> 2) - FLEX_VECTOR_INT + FLEX_INT))
            return 0;
    return n;
}
