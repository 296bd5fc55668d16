/* The presets: presets/NAME.yaml, which are part of the program. Their first line says what they are for. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/embedded.h"
#include "base/options.h"

enum { MOST = 32, LONGEST = 400 };

/* What a file says, kept for as long as the program runs. */
typedef struct preset_text {
    char name[24], help[LONGEST], keep[LONGEST], coarsen[LONGEST];
} preset_text;

static preset_text texts[MOST];
static mdm_preset presets[MOST];
static int preset_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The rest of the line that begins with `start`, without what is around it. */
static void take_line(char out[LONGEST], const mdm_embedded *file, const char *start)
{
    const char *at = (const char *)file->data, *end = at + file->size;
    const size_t length = strlen(start);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const size_t size = (size_t)((stop ? stop : end) - at);
        if (size >= length && memcmp(at, start, length) == 0) {
            at += length;
            snprintf(out, LONGEST, "%.*s", (int)(size - length), at + strspn(at, " "));
            out[strcspn(out, "\n")] = '\0';
            return;
        }
        at += size + 1;
    }
}

static void read_all(void)
{
    for (const mdm_embedded *file = mdm_preset_files; file->name && preset_count < MOST; file++) {
        preset_text *text = &texts[preset_count];
        snprintf(text->name, sizeof text->name, "%.*s", (int)strcspn(file->name, "."), file->name);
        take_line(text->help, file, "#");
        take_line(text->keep, file, "keep:");
        take_line(text->coarsen, file, "coarsen:");
        presets[preset_count++] = (mdm_preset){text->name, text->help, text->keep, text->coarsen};
    }
}

const mdm_preset *mdm_presets(int *count)
{
    pthread_once(&once, read_all);
    *count = preset_count;
    return presets;
}
