/* Quoted text first, then personal data word by word. */
#include "models/caption_scrub.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "models/personal_text.h"

#define MAX_BYTES ((size_t)1 << 20)

/* Marks that open and close a quotation; the plain ones open at a word's begin and close at its end. */
static const struct {
    const char *open, *close;
    bool plain;
} marks[] = {{"\"", "\"", false},
             {"\xe2\x80\x9c", "\xe2\x80\x9d", false}, /* curly, double */
             {"\xe2\x80\x98", "\xe2\x80\x99", true},  /* curly, single: also an apostrophe */
             {"\xc2\xab", "\xc2\xbb", false},         /* guillemets */
             {"'", "'", true}};

static bool word_ends(char c)
{
    return !isalnum((unsigned char)c);
}

/* The end of a quotation that opens with mark `m` at text[at]; 0: none does. */
static size_t quotation(const char *text, size_t at, size_t m)
{
    const size_t open = strlen(marks[m].open), close = strlen(marks[m].close);
    if (strncmp(text + at, marks[m].open, open) != 0 || (marks[m].plain && at > 0 && !word_ends(text[at - 1])))
        return 0;
    for (const char *end = text + at + open; (end = strstr(end, marks[m].close)) != NULL; end += close)
        if (end > text + at + open && (!marks[m].plain || word_ends(end[close])))
            return (size_t)(end - text) + close;
    return 0;
}

static mdm_status cover_quotations(mdm_buffer *out, int *found, const char *text)
{
    for (size_t at = 0; text[at];) {
        size_t end = 0;
        for (size_t m = 0; m < sizeof marks / sizeof *marks && !end; m++)
            end = quotation(text, at, m);
        const bool space = isspace((unsigned char)text[at]);
        *found += end != 0;
        MDM_TRY(end ? mdm_buffer_append(out, "[TEXT]", 6) : mdm_buffer_append(out, space ? " " : text + at, 1));
        at = end ? end : at + 1;
    }
    return MDM_OK;
}

/* Splits at spaces, in place. */
static mdm_status split(mdm_word **words, size_t *count, char *text)
{
    *count = 0;
    MDM_TRY(mdm_alloc(words, strlen(text) / 2 + 2, sizeof **words, "words"));
    for (char *at = text; *(at += strspn(at, " "));) {
        char *end = at + strcspn(at, " ");
        (*words)[(*count)++] = (mdm_word){.text = at, .p = 1};
        if (!*end)
            break;
        *end = '\0';
        at = end + 1;
    }
    return MDM_OK;
}

mdm_status mdm_caption_scrub(char **out, int *found, const char *text, const mdm_name_lists *lists)
{
    mdm_buffer covered = {0};
    mdm_word *words = NULL;
    mdm_personal_span *spans = NULL;
    size_t count = 0, span_count = 0;
    int quoted = 0;
    *out = NULL;
    if (strlen(text) > MAX_BYTES)
        return mdm_fail(MDM_ERR_INPUT, "a caption of %zu bytes", strlen(text));
    mdm_status status = cover_quotations(&covered, &quoted, text);
    if (!status)
        status = mdm_buffer_append(&covered, "", 0);
    if (!status)
        status = split(&words, &count, (char *)covered.data);
    if (!status)
        status = mdm_personal_find(&spans, &span_count, words, count, lists);
    if (!status)
        status = mdm_personal_redact(out, words, count, spans, span_count);
    if (found)
        *found = quoted + (int)span_count;
    mdm_free(&spans);
    mdm_free(&words);
    mdm_buffer_free(&covered);
    return status;
}
