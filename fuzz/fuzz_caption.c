/* Fuzz target: captions of people, read, printed and read again. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#include "models/person_caption.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_caption first, again;
    char printed[MDM_CAPTION_TEXT];
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (mdm_caption_parse(&first, text) == MDM_OK) {
        mdm_caption_print(printed, &first, MDM_CAPTION_GROUPS);
        if (strlen(printed) + 1 < sizeof printed) /* else its end is lost */
            (void)mdm_caption_parse(&again, printed);
    }
    free(text);
    return 0;
}
