/* Bounds-checked reading of flatbuffers without a schema: tables, vectors, strings. Anything outside the buffer reads as
 * absent, so that a hostile file can only look empty. */
#ifndef MDM_NN_FLATBUFFER_H
#define MDM_NN_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mdm_fb {
    const unsigned char *data;
    size_t size;
} mdm_fb;

typedef struct mdm_fb_table {
    const mdm_fb *buffer;
    size_t at, vtable, vtable_size;
} mdm_fb_table;

typedef struct mdm_fb_vector {
    const mdm_fb *buffer;
    size_t at;      /* of element 0 */
    uint32_t count; /* all elements lie inside the buffer */
} mdm_fb_vector;

bool mdm_fb_root(mdm_fb_table *out, const mdm_fb *buffer);
bool mdm_fb_table_field(mdm_fb_table *out, const mdm_fb_table *table, int field);
/* Scalars: `fallback` when the field is absent. */
int64_t mdm_fb_int(const mdm_fb_table *table, int field, int bytes, int64_t fallback);
/* A vector of elements of `element` bytes; count 0 when absent or out of bounds. */
mdm_fb_vector mdm_fb_vector_field(const mdm_fb_table *table, int field, size_t element);
bool mdm_fb_vector_table(mdm_fb_table *out, const mdm_fb_vector *vector, uint32_t index); /* of a vector of tables */
int64_t mdm_fb_vector_int(const mdm_fb_vector *vector, uint32_t index, int bytes);
/* Copies a string field, cut to size - 1. */
void mdm_fb_string(char *out, size_t size, const mdm_fb_table *table, int field);

#endif
