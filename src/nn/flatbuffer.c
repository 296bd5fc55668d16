/* Bounds-checked flatbuffer reading. */
#include "nn/flatbuffer.h"

#include <string.h>

static bool number(int64_t *out, const mdm_fb *b, size_t at, int bytes, bool is_signed)
{
    if (at > b->size || (size_t)bytes > b->size - at)
        return false;
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | b->data[at + (size_t)i];
    if (is_signed && bytes < 8 && (value >> (bytes * 8 - 1)) & 1)
        value |= ~(uint64_t)0 << (bytes * 8);
    *out = (int64_t)value;
    return true;
}

static bool open_table(mdm_fb_table *out, const mdm_fb *b, size_t at)
{
    int64_t back, size;
    if (!number(&back, b, at, 4, true) || back > (int64_t)at || (int64_t)at - back >= (int64_t)b->size)
        return false;
    size_t vtable = (size_t)((int64_t)at - back);
    if (!number(&size, b, vtable, 2, false) || size < 4 || (size_t)size > b->size - vtable)
        return false;
    *out = (mdm_fb_table){b, at, vtable, (size_t)size};
    return true;
}

bool mdm_fb_root(mdm_fb_table *out, const mdm_fb *buffer)
{
    int64_t at;
    return number(&at, buffer, 0, 4, false) && open_table(out, buffer, (size_t)at);
}

/* Position of a field, 0 when absent. */
static size_t field_at(const mdm_fb_table *t, int field)
{
    size_t slot = 4 + 2 * (size_t)field;
    int64_t offset;
    if (slot + 2 > t->vtable_size || !number(&offset, t->buffer, t->vtable + slot, 2, false) || offset == 0 ||
        (size_t)offset > t->buffer->size - t->at)
        return 0;
    return t->at + (size_t)offset;
}

/* Where a field that is an offset points, 0 when absent. */
static size_t target_of(const mdm_fb_table *t, int field)
{
    size_t at = field_at(t, field);
    int64_t offset;
    if (!at || !number(&offset, t->buffer, at, 4, false) || (size_t)offset >= t->buffer->size - at)
        return 0;
    return at + (size_t)offset;
}

bool mdm_fb_table_field(mdm_fb_table *out, const mdm_fb_table *table, int field)
{
    size_t at = target_of(table, field);
    return at && open_table(out, table->buffer, at);
}

int64_t mdm_fb_int(const mdm_fb_table *table, int field, int bytes, int64_t fallback)
{
    size_t at = field_at(table, field);
    int64_t value;
    return at && number(&value, table->buffer, at, bytes, true) ? value : fallback;
}

mdm_fb_vector mdm_fb_vector_field(const mdm_fb_table *table, int field, size_t element)
{
    mdm_fb_vector out = {table->buffer, 0, 0};
    size_t at = target_of(table, field);
    int64_t count;
    if (at && number(&count, table->buffer, at, 4, false) &&
        (uint64_t)count <= (table->buffer->size - at - 4) / element) {
        out.at = at + 4;
        out.count = (uint32_t)count;
    }
    return out;
}

bool mdm_fb_vector_table(mdm_fb_table *out, const mdm_fb_vector *vector, uint32_t index)
{
    int64_t offset;
    if (index >= vector->count)
        return false;
    size_t at = vector->at + 4 * (size_t)index;
    if (!number(&offset, vector->buffer, at, 4, false) || (size_t)offset >= vector->buffer->size - at)
        return false;
    return open_table(out, vector->buffer, at + (size_t)offset);
}

int64_t mdm_fb_vector_int(const mdm_fb_vector *vector, uint32_t index, int bytes)
{
    int64_t value = 0;
    if (index < vector->count)
        number(&value, vector->buffer, vector->at + (size_t)index * (size_t)bytes, bytes, true);
    return value;
}

void mdm_fb_string(char *out, size_t size, const mdm_fb_table *table, int field)
{
    mdm_fb_vector v = mdm_fb_vector_field(table, field, 1);
    size_t count = v.count < size - 1 ? v.count : size - 1;
    if (count)
        memcpy(out, v.buffer->data + v.at, count);
    out[count] = 0;
}
