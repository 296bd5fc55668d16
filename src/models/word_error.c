/* Word error rate: how many words of a reference were recognised wrongly (declared in speech.h). */
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "models/speech.h"

enum { MAX_SCORED = 20000, WORD_SIZE = 24 };

typedef struct word_list {
    char (*words)[WORD_SIZE];
    size_t count;
} word_list;

static const char *const ONES[] = {"zero",     "one",     "two",     "three",     "four",     "five",    "six",
                                   "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
                                   "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
static const char *const TENS[] = {"",      "",      "twenty",  "thirty", "forty",
                                   "fifty", "sixty", "seventy", "eighty", "ninety"};
static const char *const SAME[][2] = {{"mr", "mister"},       {"mrs", "missus"}, {"dr", "doctor"}, {"st", "street"},
                                      {"licence", "license"}, {"okay", "ok"},    {"oh", "zero"}};

static void put(word_list *list, const char *text)
{
    if (list->count >= MAX_SCORED || !*text)
        return;
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++)
        if (strcmp(text, SAME[i][0]) == 0)
            text = SAME[i][1];
    char *slot = list->words[list->count++];
    size_t length = strlen(text);
    length = length < WORD_SIZE ? length : WORD_SIZE - 1;
    memcpy(slot, text, length);
    slot[length] = '\0';
}

/* "10" is "ten", "42" is "forty two"; longer numbers are read digit by digit. */
static void put_number(word_list *list, const char *digits, size_t length)
{
    if (length == 2 && digits[0] == '1') {
        put(list, ONES[10 + digits[1] - '0']);
    } else if (length == 2 && digits[0] > '1') {
        put(list, TENS[digits[0] - '0']);
        if (digits[1] != '0')
            put(list, ONES[digits[1] - '0']);
    } else {
        for (size_t i = 0; i < length; i++)
            put(list, ONES[digits[i] - '0']);
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80 || c == '\'';
}

static mdm_status split(word_list *list, const char *text)
{
    MDM_TRY(mdm_alloc(&list->words, MAX_SCORED, sizeof *list->words, "scored words"));
    while (*text) {
        size_t length = 0;
        if (is_digit(*text)) {
            while (is_digit(text[length]))
                length++;
            put_number(list, text, length);
        } else if (is_letter(*text)) {
            char word[64];
            size_t kept = 0;
            for (; is_letter(text[length]); length++)
                if (text[length] != '\'' && kept + 1 < sizeof word)
                    word[kept++] =
                        text[length] >= 'A' && text[length] <= 'Z' ? (char)(text[length] + 32) : text[length];
            word[kept] = '\0';
            put(list, word);
        } else {
            length = 1;
        }
        text += length;
    }
    return MDM_OK;
}

static mdm_status distance(double *out, const word_list *reference, const word_list *heard)
{
    uint32_t *row = NULL;
    MDM_TRY(mdm_alloc(&row, heard->count + 1, sizeof *row, "edit distances"));
    for (size_t j = 0; j <= heard->count; j++)
        row[j] = (uint32_t)j;
    for (size_t i = 1; i <= reference->count; i++) {
        uint32_t diagonal = row[0];
        row[0] = (uint32_t)i;
        for (size_t j = 1; j <= heard->count; j++) {
            uint32_t best = diagonal + (strcmp(reference->words[i - 1], heard->words[j - 1]) != 0);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    *out = reference->count ? (double)row[heard->count] / (double)reference->count : heard->count ? 1 : 0;
    mdm_free(&row);
    return MDM_OK;
}

mdm_status mdm_word_error_rate(double *out, const char *reference, const char *recognised)
{
    word_list a = {0}, b = {0};
    mdm_status status = split(&a, reference);
    if (status == MDM_OK)
        status = split(&b, recognised);
    if (status == MDM_OK)
        status = distance(out, &a, &b);
    mdm_free(&a.words);
    mdm_free(&b.words);
    return status;
}
