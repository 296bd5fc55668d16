/* Fuzz target: what Gemini answers, of both kinds of models. */
#include "fuzz.h"

#include "stages/gemini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdm_gemini_answer answer = {0};
    for (int dedicated = 0; dedicated < 2; dedicated++)
        (void)mdm_gemini_read(&answer, (const char *)data, size, dedicated != 0, 12.0);
    mdm_gemini_answer_free(&answer);
    return 0;
}
