/* Include after <cmocka.h>. */
#ifndef MDM_TESTS_OK_H
#define MDM_TESTS_OK_H

#include "base/status.h"

/* Fails the test with the library's own words. */
static inline void ok(mdm_status status)
{
    if (status)
        fail_msg("%s: %s", mdm_status_name(status), mdm_error_message());
}

#endif
