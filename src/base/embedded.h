/* Files that are part of the program (cmake/embed.cmake writes them down as C). */
#ifndef MDM_BASE_EMBEDDED_H
#define MDM_BASE_EMBEDDED_H

#include <stddef.h>

typedef struct mdm_embedded {
    const char *name; /* without folders; NULL ends a list */
    const unsigned char *data;
    size_t size;
} mdm_embedded;

extern const mdm_embedded mdm_preset_files[]; /* presets/ */
extern const mdm_embedded mdm_web_files[];    /* web/ */

#endif
