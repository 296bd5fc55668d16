/* CTranslate2's model.bin: a version, the model's kind, arrays one after the other, and second names for some of them.
 * Integers are little-endian; a string is a 16-bit length that counts its NUL, and the bytes. */
#include <string.h>

#include "base/memory.h"
#include "nn/tensor_file_internal.h"

enum { MAX_NAME = 256, MAX_VERSION = 32 };

typedef struct cursor {
    const unsigned char *data;
    size_t size, at;
    bool bad;
} cursor;

static uint32_t read_number(cursor *c, size_t bytes)
{
    uint32_t value = 0;
    if (c->bad || bytes > c->size - c->at) {
        c->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        value |= (uint32_t)c->data[c->at + i] << (8 * i);
    c->at += bytes;
    return value;
}

/* A string that ends with its NUL and holds no other. */
static void read_string(char out[MAX_NAME], cursor *c)
{
    size_t length = read_number(c, 2);
    out[0] = '\0';
    if (c->bad || length == 0 || length > MAX_NAME || length > c->size - c->at || c->data[c->at + length - 1] != 0 ||
        memchr(c->data + c->at, 0, length - 1)) {
        c->bad = true;
        return;
    }
    memcpy(out, c->data + c->at, length);
    c->at += length;
}

bool mdm_is_ct2(const unsigned char *data, size_t size)
{
    cursor c = {data, size, 0, false};
    char kind[MAX_NAME];
    uint32_t version = read_number(&c, 4);
    if (version == 0 || version > MAX_VERSION)
        return false;
    read_string(kind, &c);
    size_t length = strlen(kind);
    return !c.bad && length > 4 && strcmp(kind + length - 4, "Spec") == 0;
}

static mdm_status read_array(mdm_tensor_file *file, cursor *c, const char *path)
{
    static const mdm_dtype TYPES[] = {MDM_F32, MDM_I8, MDM_I16, MDM_I32, MDM_F16, MDM_BF16};
    char name[MAX_NAME];
    read_string(name, c);
    mdm_array array = {.name = name, .scale = 1, .rank = (int)read_number(c, 1)};
    if (c->bad || array.rank > MDM_MAX_RANK)
        return mdm_fail(MDM_ERR_INPUT, "%s: damaged at byte %zu; get the file again", path, c->at);
    for (int axis = 0; axis < array.rank; axis++)
        array.shape[axis] = read_number(c, 4);
    uint32_t type = read_number(c, 1);
    size_t bytes = read_number(c, 4);
    if (c->bad || type >= sizeof TYPES / sizeof *TYPES || bytes > c->size - c->at)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is of an unknown type or cut off; get the file again", path, name);
    array.dtype = TYPES[type];
    MDM_TRY(mdm_tensor_file_add(file, &array, c->data, c->size, c->at, bytes, path));
    c->at += bytes;
    return MDM_OK;
}

static mdm_status read_alias(mdm_tensor_file *file, cursor *c, const char *path)
{
    char alias[MAX_NAME], name[MAX_NAME];
    read_string(alias, c);
    read_string(name, c);
    if (c->bad)
        return mdm_fail(MDM_ERR_INPUT, "%s: damaged at byte %zu; get the file again", path, c->at);
    for (size_t i = 0; i < file->count; i++) {
        mdm_array array = file->array[i];
        if (strcmp(array.name, name) != 0)
            continue;
        array.name = alias;
        return mdm_tensor_file_add(file, &array, c->data, c->size,
                                   (size_t)((const unsigned char *)array.data - c->data), array.size, path);
    }
    return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" stands for \"%s\", which is not there", path, alias, name);
}

mdm_status mdm_read_ct2(mdm_tensor_file *file, const char *path)
{
    cursor c = {file->map.data, file->map.size, 0, false};
    char kind[MAX_NAME];
    uint32_t version = read_number(&c, 4);
    read_string(kind, &c);
    uint32_t revision = read_number(&c, 4), arrays = read_number(&c, 4);
    if (c.bad || version > MAX_VERSION)
        return mdm_fail(MDM_ERR_INPUT, "%s: not a CTranslate2 model", path);
    (void)revision;
    for (uint32_t i = 0; i < arrays; i++)
        MDM_TRY(read_array(file, &c, path));
    uint32_t aliases = c.at < c.size ? read_number(&c, 4) : 0;
    for (uint32_t i = 0; i < aliases; i++)
        MDM_TRY(read_alias(file, &c, path));
    if (c.bad)
        return mdm_fail(MDM_ERR_INPUT, "%s: cut off after its arrays; get the file again", path);
    return mdm_tensor_file_add_meta(file, "kind", kind);
}
