/* A folder for a test program's files. Include after <cmocka.h>. */
#ifndef MDM_TESTS_SCRATCH_H
#define MDM_TESTS_SCRATCH_H

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

static char folder[64];

/* Fixtures of cmocka. */
static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mdm-test-%ld", (long)getpid());
    return mdm_remove_tree(folder, false) != MDM_OK || mdm_make_folder(folder, 0700) != MDM_OK;
}

static inline int remove_folder(void **state)
{
    (void)state;
    return mdm_remove_tree(folder, false) != MDM_OK;
}

/* FOLDER/name */
static inline void in_folder(char path[128], const char *name)
{
    snprintf(path, 128, "%s/%s", folder, name);
}

/* The same, until 64 others were asked for. */
static inline const char *scratch(const char *name)
{
    static char paths[64][512];
    static int next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* What FOLDER/name holds; caller frees. */
static inline char *text_of(const char *name)
{
    unsigned char *text;
    size_t size;
    if (mdm_file_read(&text, &size, scratch(name), 1 << 24) != MDM_OK)
        fail_msg("%s", mdm_error_message());
    return (char *)text;
}

#endif
