/* The parsers of what clients send: JSON of bounded depth, ranges, numbers, names. */
#include <stdio.h>
#include <string.h>

#include <utf8proc.h>

#include "server/web.h"

/* Whether brackets lie at most `depth` deep; jansson's own bound is far beyond what its callers need. */
static bool is_shallow(const char *text, size_t size, int depth)
{
    int level = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++level > depth)
                return false;
        } else if (c == ']' || c == '}') {
            level--;
        }
    }
    return true;
}

mdm_status web_parse_json(json_t **out, const char *text, size_t size, int depth)
{
    json_error_t error;
    *out = NULL;
    if (!is_shallow(text, size, depth))
        return mdm_fail(MDM_ERR_INPUT, "JSON nested deeper than %d", depth);
    *out = json_loadb(text ? text : "", size, JSON_REJECT_DUPLICATES, &error);
    return *out ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "not valid JSON: line %d: %s", error.line, error.text);
}

bool web_parse_number(uint64_t *out, const char *text, uint64_t max)
{
    uint64_t number = 0;
    *out = 0;
    if (!*text || strlen(text) > 19)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (uint64_t)(*text - '0');
    }
    if (number > max)
        return false;
    *out = number;
    return true;
}

bool web_parse_range(uint64_t *first, uint64_t *last, const char *text, uint64_t size)
{
    char from[24], to[24];
    *first = *last = 0;
    if (strncmp(text, "bytes=", 6) != 0 || !size)
        return false;
    text += 6;
    const char *dash = strchr(text, '-');
    if (!dash || (size_t)(dash - text) >= sizeof from || strlen(dash + 1) >= sizeof to)
        return false;
    snprintf(from, sizeof from, "%.*s", (int)(dash - text), text);
    snprintf(to, sizeof to, "%s", dash + 1);
    uint64_t a = 0, b = size - 1;
    if (!*from) { /* the last so many bytes */
        if (!web_parse_number(&b, to, INT64_MAX) || !b)
            return false;
        *first = b < size ? size - b : 0;
        *last = size - 1;
        return true;
    }
    if (!web_parse_number(&a, from, INT64_MAX) || (*to && !web_parse_number(&b, to, INT64_MAX)) || a > b || a >= size)
        return false;
    *first = a;
    *last = b < size ? b : size - 1;
    return true;
}

bool web_is_name(const char *text)
{
    const size_t size = strlen(text);
    if (!size || size > 255 || !strcmp(text, ".") || !strcmp(text, ".."))
        return false;
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t letter;
        const utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &letter);
        if (n <= 0 || letter < 32 || letter == 127 || letter == '/' || letter == '\\')
            return false;
        at += (size_t)n;
    }
    return true;
}
