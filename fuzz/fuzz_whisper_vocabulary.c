/* Fuzz target: Whisper's vocabularies, in each form they come in. */
#include "fuzz.h"

#include "models/whisper_vocabulary.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"vocabulary.txt", "vocabulary.json", "vocab.json", "gpt2.tiktoken"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mdm_buffer out = {0};
        char path[512];
        snprintf(path, sizeof path, "%s", fuzz_file(data, size, names[i]));
        (void)mdm_whisper_vocabulary(&out, fuzz_folder(), 3);
        mdm_buffer_free(&out);
        remove(path); /* the next one is looked for after it */
    }
    return 0;
}
