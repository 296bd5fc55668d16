/* Fuzz target: tokenizers of language models; the input is a tokenizer.json, beside a tokenizer_config.json that names its tokens. */
#include "fuzz.h"

#include <gguf.h>
#include <string.h>

#include "models/language_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char config[] = "{\"bos_token\": \"<s>\", \"eos_token\": {\"content\": \"</s>\"}}";
    struct gguf_context *gguf = gguf_init_empty();
    fuzz_file(data, size, "tokenizer.json");
    fuzz_file((const uint8_t *)config, strlen(config), "tokenizer_config.json");
    (void)mdm_language_tokenizer_read(gguf, fuzz_folder(), 64);
    gguf_free(gguf);
    return 0;
}
