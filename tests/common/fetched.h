/* Files that the set-up fetches: where they are absent a test is skipped. Include after <cmocka.h>. */
#ifndef MDM_TESTS_FETCHED_H
#define MDM_TESTS_FETCHED_H

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

static inline const char *models(void)
{
    const char *folder = getenv("MMDM_MODELS");
    return folder && *folder ? folder : MMDM_SOURCE_DIR "/.deps/models";
}

static inline void need_file(const char *in, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", in, name);
    if (!mdm_file_exists(path)) {
        print_message("%s is absent: ./setup fetches it\n", path);
        skip();
    }
}

#endif
