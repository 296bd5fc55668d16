/* The table of a ZIP file in memory whose members are stored as they are (no compression), as PyTorch's checkpoints are. */
#ifndef MDM_NN_ZIP_H
#define MDM_NN_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct mdm_zip_member {
    char *name;
    const unsigned char *data; /* inside the file */
    size_t size;
} mdm_zip_member;

typedef struct mdm_zip {
    mdm_zip_member *member; /* sorted by name */
    size_t count;
} mdm_zip;

bool mdm_is_zip(const unsigned char *data, size_t size);
/* Reads the central directory, of 64-bit files too. Members that are compressed or encrypted, lie outside of the file or overlap
 * another, and names that occur twice are MDM_ERR_INPUT. Caller: mdm_zip_free, also after an error. */
mdm_status mdm_zip_read(mdm_zip *out, const unsigned char *data, size_t size, const char *path);
void mdm_zip_free(mdm_zip *zip);

/* Sorts the members by name; MDM_ERR_INPUT as above when two overlap or have one name. For tables that were made otherwise. */
mdm_status mdm_zip_sort(mdm_zip *zip, const char *path);

/* NULL when there is none of that name. */
const mdm_zip_member *mdm_zip_find(const mdm_zip *zip, const char *name);

#endif
