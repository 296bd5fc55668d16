/* Status codes: names, exit codes and the per-thread message of the last failure. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 2048

static _Thread_local char message[MESSAGE_SIZE];

static const struct {
    int exit_code;
    const char *name;
} table[] = {
    [MDM_OK] = {0, "ok"},
    [MDM_ERR_USAGE] = {2, "usage"},
    [MDM_ERR_INPUT] = {65, "input"},
    [MDM_ERR_DEVICE] = {69, "device"},
    [MDM_ERR_INTERNAL] = {70, "internal"},
    [MDM_ERR_MEMORY] = {70, "memory"},
    [MDM_ERR_WRITE] = {73, "write"},
    [MDM_ERR_AGAIN] = {75, "again"},
    [MDM_ERR_CONFIG] = {78, "config"},
    [MDM_ERR_CANCELLED] = {75, "cancelled"},
};

static const int table_size = (int)(sizeof table / sizeof table[0]);

mdm_status mdm_fail(mdm_status status, const char *format, ...)
{
    /* Formatted aside first: an argument may be the old message itself. */
    char fresh[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    memcpy(message, fresh, sizeof message);
    return status;
}

mdm_status mdm_fail_context(mdm_status status, const char *format, ...)
{
    char prefix[MESSAGE_SIZE / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    char old[MESSAGE_SIZE];
    memcpy(old, message, sizeof old);
    size_t used = (size_t)snprintf(message, sizeof message, "%s: ", prefix);
    size_t room = sizeof message - 1 - used;
    size_t length = strlen(old);
    if (length > room)
        length = room;
    memcpy(message + used, old, length);
    message[used + length] = '\0';
    return status;
}

const char *mdm_error_message(void)
{
    return message;
}

int mdm_exit_code(mdm_status status)
{
    return (int)status >= 0 && (int)status < table_size ? table[status].exit_code : 70;
}

const char *mdm_status_name(mdm_status status)
{
    return (int)status >= 0 && (int)status < table_size ? table[status].name : "unknown";
}
