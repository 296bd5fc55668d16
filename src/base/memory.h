/* Checked allocation, checked size arithmetic and a capped growable buffer. */
#ifndef MDM_BASE_MEMORY_H
#define MDM_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* *out = a * b; false (and *out = 0) on overflow. */
bool mdm_mul_size(size_t *out, size_t a, size_t b);

/* *out = count * size zeroed bytes; MDM_ERR_MEMORY names `what`. count 0 gives a valid pointer. */
mdm_status mdm_alloc(void *out, size_t count, size_t size, const char *what);

/* Resizes the array *inout to `count` items of `size` bytes; old contents stay on failure. */
mdm_status mdm_realloc(void *inout, size_t count, size_t size, const char *what);

/* free() that nulls: mdm_free(&p). */
void mdm_free(void *pointer_to_pointer);

/* Overwrites memory in a way the compiler may not remove. For templates, keys, voices. */
void mdm_wipe(void *data, size_t size);

/* Copies a C string; NULL gives NULL. */
mdm_status mdm_strdup(char **out, const char *text);

/* printf into a fresh string. */
mdm_status mdm_format(char **out, const char *format, ...) MDM_PRINTF(2, 3);

/* A growable byte buffer with a maximum; always NUL-terminated after the data. */
typedef struct mdm_buffer {
    unsigned char *data;
    size_t size;
    size_t capacity;
    size_t max; /* appending past it is MDM_ERR_MEMORY; 0 means 64 MiB */
} mdm_buffer;

mdm_status mdm_buffer_append(mdm_buffer *buffer, const void *data, size_t size);
mdm_status mdm_buffer_printf(mdm_buffer *buffer, const char *format, ...) MDM_PRINTF(2, 3);
void mdm_buffer_free(mdm_buffer *buffer);

#endif
