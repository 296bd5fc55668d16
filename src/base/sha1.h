/* SHA-1, for one purpose: git names files by it, and a download is compared with its name. Not for anything secret. */
#ifndef MDM_BASE_SHA1_H
#define MDM_BASE_SHA1_H

#include "base/status.h"

/* Lower-case hexadecimal name that git gives to a file of this content: SHA-1 of "blob SIZE\0" and the content. */
mdm_status mdm_git_name_of_file(char out[41], const char *path);

#endif
