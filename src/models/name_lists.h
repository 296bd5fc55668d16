/* Lists of first names, surnames, proper names and common words, loaded from the models folder. */
#ifndef MDM_MODELS_NAME_LISTS_H
#define MDM_MODELS_NAME_LISTS_H

#include "base/status.h"

enum {
    MDM_NAME_FIRST = 1,  /* a given name */
    MDM_NAME_KNOWN = 2,  /* a given or family name common enough to be one wherever it stands */
    MDM_NAME_PROPER = 4, /* any proper name, places and brands included */
    MDM_NAME_COMMON = 8, /* an everyday word in small letters ("mark", "grace") */
};

typedef struct mdm_name_lists mdm_name_lists;

/* Reads first-names-female.txt, first-names-male.txt, well-known-names.json, proper-names.txt and common-words.txt.
 * MDM_ERR_DEVICE names the file that is missing and the command that fetches it. */
mdm_status mdm_name_lists_load(mdm_name_lists **out, const char *models_folder);
void mdm_name_lists_free(mdm_name_lists **lists);

/* MDM_NAME_* flags of a word in small letters; 0 when it is in no list or `lists` is NULL. */
unsigned mdm_name_flags(const mdm_name_lists *lists, const char *lower);

#endif
