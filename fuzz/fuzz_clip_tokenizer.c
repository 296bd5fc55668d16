/* Fuzz target: CLIP's tokenizer. The input is vocab.json, merges.txt and a text, with a byte 0 between them; where the first is
 * empty, the vocabulary of the 256 bytes is taken, so that merges and text are reached. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#include "nn/clip_tokenizer.h"

static const uint8_t *byte_vocabulary(size_t *size)
{
    static char *text;
    if (!text) { /* printable bytes stand for themselves, the others for the characters from U+0100 on */
        json_t *all = json_pack("{s:i, s:i, s:i}", "<|startoftext|>", 600, "<|endoftext|>", 601, "ab", 602);
        for (int b = 0, shift = 0; b < 256; b++) {
            int plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174, c = plain ? b : 256 + shift++;
            char key[8] = {(char)c, 0};
            if (c >= 128) {
                key[0] = (char)(0xc0 | c >> 6);
                key[1] = (char)(0x80 | (c & 63));
            }
            json_object_set_new(all, key, json_integer(b));
            memcpy(key + strlen(key), "</w>", 5);
            json_object_set_new(all, key, json_integer(256 + b));
        }
        text = json_dumps(all, JSON_COMPACT);
        json_decref(all);
    }
    *size = strlen(text);
    return (const uint8_t *)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *merges = memchr(data, 0, size);
    const uint8_t *text = merges ? memchr(merges + 1, 0, size - (size_t)(merges + 1 - data)) : NULL;
    if (!text)
        return 0;
    size_t vocabulary_size = (size_t)(merges - data);
    const uint8_t *vocabulary = vocabulary_size ? data : byte_vocabulary(&vocabulary_size);
    (void)fuzz_file(vocabulary, vocabulary_size, "vocab.json");
    (void)fuzz_file(merges + 1, (size_t)(text - merges - 1), "merges.txt");
    mdm_clip_tokenizer *t = NULL;
    if (mdm_clip_tokenizer_load(&t, fuzz_folder()) != MDM_OK)
        return 0;
    size_t length = size - (size_t)(text + 1 - data);
    char *words = malloc(length + 1);
    int32_t ids[77];
    if (words) {
        memcpy(words, text + 1, length);
        words[length] = '\0';
        (void)mdm_clip_tokenizer_encode(t, ids, 77, NULL, words);
    }
    free(words);
    mdm_clip_tokenizer_free(&t);
    return 0;
}
