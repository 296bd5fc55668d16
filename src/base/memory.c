/* Checked allocation, checked size arithmetic and the capped growable buffer. */
#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_DEFAULT_MAX ((size_t)64 << 20)

bool mdm_mul_size(size_t *out, size_t a, size_t b)
{
    if (b != 0 && a > SIZE_MAX / b) {
        *out = 0;
        return false;
    }
    *out = a * b;
    return true;
}

/* Objects over PTRDIFF_MAX make pointer differences undefined, so they are refused. */
static bool item_bytes(size_t *bytes, size_t count, size_t size)
{
    return mdm_mul_size(bytes, count, size) && *bytes <= PTRDIFF_MAX;
}

mdm_status mdm_alloc(void *out, size_t count, size_t size, const char *what)
{
    size_t bytes;
    void *fresh = NULL;
    if (item_bytes(&bytes, count, size))
        fresh = calloc(1, bytes ? bytes : 1);
    memcpy(out, &fresh, sizeof fresh);
    if (!fresh)
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for %zu items of %zu bytes", what, count, size);
    return MDM_OK;
}

mdm_status mdm_realloc(void *inout, size_t count, size_t size, const char *what)
{
    void *old, *fresh = NULL;
    size_t bytes;
    memcpy(&old, inout, sizeof old);
    if (item_bytes(&bytes, count, size))
        fresh = realloc(old, bytes ? bytes : 1);
    if (!fresh)
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for %zu items of %zu bytes", what, count, size);
    memcpy(inout, &fresh, sizeof fresh);
    return MDM_OK;
}

void mdm_free(void *pointer_to_pointer)
{
    void *pointer;
    memcpy(&pointer, pointer_to_pointer, sizeof pointer);
    free(pointer);
    pointer = NULL;
    memcpy(pointer_to_pointer, &pointer, sizeof pointer);
}

void mdm_wipe(void *data, size_t size)
{
    volatile unsigned char *bytes = data;
    while (size--)
        *bytes++ = 0;
}

mdm_status mdm_strdup(char **out, const char *text)
{
    *out = NULL;
    if (!text)
        return MDM_OK;
    size_t size = strlen(text) + 1;
    MDM_TRY(mdm_alloc(out, size, 1, "text"));
    memcpy(*out, text, size);
    return MDM_OK;
}

mdm_status mdm_format(char **out, const char *format, ...)
{
    va_list args;
    *out = NULL;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return mdm_fail(MDM_ERR_INTERNAL, "text could not be formatted: %s", format);
    MDM_TRY(mdm_alloc(out, (size_t)length + 1, 1, "text"));
    va_start(args, format);
    vsnprintf(*out, (size_t)length + 1, format, args);
    va_end(args);
    return MDM_OK;
}

/* Makes room for `more` bytes and the NUL. */
static mdm_status buffer_reserve(mdm_buffer *buffer, size_t more)
{
    size_t max = buffer->max ? buffer->max : BUFFER_DEFAULT_MAX;
    if (more > max || buffer->size > max - more)
        return mdm_fail(MDM_ERR_MEMORY, "a buffer would grow past its limit of %zu bytes", max);
    size_t need = buffer->size + more + 1;
    if (need <= buffer->capacity)
        return MDM_OK;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < need)
        capacity += capacity / 2;
    MDM_TRY(mdm_realloc(&buffer->data, capacity, 1, "buffer"));
    buffer->capacity = capacity;
    return MDM_OK;
}

mdm_status mdm_buffer_append(mdm_buffer *buffer, const void *data, size_t size)
{
    MDM_TRY(buffer_reserve(buffer, size));
    if (size)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
    return MDM_OK;
}

mdm_status mdm_buffer_printf(mdm_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return mdm_fail(MDM_ERR_INTERNAL, "text could not be formatted: %s", format);
    MDM_TRY(buffer_reserve(buffer, (size_t)length));
    va_start(args, format);
    vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, args);
    va_end(args);
    buffer->size += (size_t)length;
    return MDM_OK;
}

void mdm_buffer_free(mdm_buffer *buffer)
{
    if (!buffer)
        return;
    mdm_free(&buffer->data);
    buffer->size = buffer->capacity = 0;
}
