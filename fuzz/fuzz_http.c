/* Fuzz target: what a browser sends to the local page: JSON bodies, ranges, numbers, names, addresses. */
#include "fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "server/web.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), id[WEB_IDS][WEB_SECRET];
    uint64_t first, last;
    json_t *value;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (web_parse_json(&value, text, size, 64) == MDM_OK) {
        mdm_options *options;
        char **words = NULL;
        if (json_is_object(value) && web_options(&options, value) == MDM_OK) {
            if (web_words(&words, value, "OUT", NULL, 0) == MDM_OK)
                web_words_free(&words);
            mdm_options_free(&options);
        }
        json_decref(value);
    }
    if (web_parse_range(&first, &last, text, 1000) && (first > last || last >= 1000))
        abort();
    if (web_parse_number(&first, text, 1000) && first > 1000)
        abort();
    if (web_is_name(text) && strchr(text, '/'))
        abort();
    (void)web_match(id, "/api/jobs/*/clips/*/media/*", text);
    free(text);
    return 0;
}
