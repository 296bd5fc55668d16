/* The table of short words, and names word by word. */
#include "models/short_names.h"

#include <string.h>

static const char *const words[][2] = {
    {"transformer_blocks", "tb"},
    {"temporal_transformer", "tt"},
    {"attention_blocks", "ab"},
    {"motion_modules", "mm"},
};

/* Replaces words [from] by words [1 - from]. */
static bool replace(char *out, size_t size, const char *name, int from)
{
    size_t used = 0;
    for (const char *at = name;;) {
        const size_t length = strcspn(at, ".");
        const char *word = at;
        size_t n = length;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strlen(words[i][from]) == length && !strncmp(words[i][from], at, length)) {
                word = words[i][1 - from];
                n = strlen(word);
            }
        if (n + 1 > size - used) /* with the dot, or the end */
            return false;
        memcpy(out + used, word, n);
        used += n;
        at += length;
        out[used++] = *at;
        if (!*at++)
            return true;
    }
}

bool mdm_name_shorten(char *out, size_t size, const char *name)
{
    return replace(out, size, name, 0);
}

bool mdm_name_lengthen(char *out, size_t size, const char *name)
{
    return replace(out, size, name, 1);
}
