/* Words to tokens: outer punctuation off, hyphenated codes apart ("5-5-0-1"), sentence and capital flags. */
#include "models/personal_tokens.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

bool mdm_word_in(const char *list, const char *lower)
{
    size_t length = strlen(lower);
    if (length == 0)
        return false;
    for (const char *at = strstr(list, lower); at; at = strstr(at + 1, lower))
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

const mdm_token *mdm_token_at(const mdm_text *text, size_t at)
{
    static const mdm_token none = {.mark = -1, .after = '.'};
    return at < text->count ? &text->tokens[at] : &none;
}

void mdm_text_mark(mdm_text *text, size_t first, size_t last, mdm_personal_kind kind)
{
    for (size_t i = first; i <= last && i < text->count; i++)
        if (text->tokens[i].mark < 0)
            text->tokens[i].mark = (signed char)kind;
}

bool mdm_token_ends_sentence(const mdm_token *token)
{
    return token->after == '.' || token->after == '!' || token->after == '?';
}

bool mdm_token_is_numeric(const mdm_token *token)
{
    switch (token->number.kind) {
    case MDM_NUMBER_DIGIT:
    case MDM_NUMBER_TEEN:
    case MDM_NUMBER_TENS:
    case MDM_NUMBER_COMPOUND:
    case MDM_NUMBER_HUNDRED:
    case MDM_NUMBER_THOUSAND:
    case MDM_NUMBER_REPEAT:
    case MDM_NUMBER_WRITTEN:
        return true;
    default:
        return false;
    }
}

/* Bytes that make up words: letters, digits, any UTF-8 (accents, the degree sign). */
static bool inner(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80;
}

static bool starts_capital(const char *text)
{
    unsigned char c = (unsigned char)text[0];
    if (c >= 'A' && c <= 'Z')
        return true;
    return c == 0xC3 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] <= 0x9E; /* A-grave to Thorn */
}

/* Fills text, lower, number, flags and cap from `length` bytes. */
static void fill(mdm_token *token, const char *from, size_t length, const mdm_name_lists *lists)
{
    if (length >= 2 && (strncasecmp(from + length - 2, "'s", 2) == 0)) {
        token->possessive = true;
        length -= 2;
    }
    if (length >= MDM_TOKEN_SIZE)
        length = MDM_TOKEN_SIZE - 1;
    memcpy(token->text, from, length);
    token->text[length] = '\0';
    for (size_t i = 0; i <= length; i++)
        token->lower[i] = token->text[i] >= 'A' && token->text[i] <= 'Z' ? (char)(token->text[i] + 32) : token->text[i];
    token->number = mdm_number_word(token->text);
    token->cap = starts_capital(token->text);
    token->mark = -1;
    token->flags = mdm_name_flags(lists, token->lower);
    /* "Al-Sayed", "Jean-Luc": a hyphenated name is known by its parts */
    const char *dash = strchr(token->lower, '-');
    if (!token->flags && dash && dash > token->lower) {
        char part[MDM_TOKEN_SIZE];
        size_t head = (size_t)(dash - token->lower);
        memcpy(part, token->lower, head);
        part[head] = '\0';
        token->flags = mdm_name_flags(lists, part) | mdm_name_flags(lists, dash + 1);
    }
}

/* True when every piece between hyphens or slashes is a digit, number word, letter or short code: a spelled code. */
static bool splits(const char *from, size_t length)
{
    size_t pieces = 0, spelled = 0, digits = 0;
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && from[end] != '-')
            end++;
        char piece[16];
        if (end == at || end - at >= sizeof piece)
            return false;
        memcpy(piece, from + at, end - at);
        piece[end - at] = '\0';
        mdm_number number = mdm_number_word(piece);
        if (number.kind == MDM_NUMBER_NONE || number.kind == MDM_NUMBER_ORDINAL)
            return false;
        digits += number.kind == MDM_NUMBER_WRITTEN;
        spelled +=
            number.kind == MDM_NUMBER_LETTER || number.kind == MDM_NUMBER_MIXED || number.kind == MDM_NUMBER_DIGIT;
        pieces++;
        at = end + 1;
    }
    /* Two or three groups of digits alone stay together: a phone number, a date, a range. */
    return pieces >= 2 && (spelled > 0 || digits > 3);
}

static size_t tokenize_word(mdm_token *out, const mdm_word *from, size_t index, const mdm_name_lists *lists)
{
    const char *word = from->text;
    size_t length = strlen(word), start = 0, end = length;
    while (start < end && !inner((unsigned char)word[start]) &&
           !(word[start] == '+' ||
             (word[start] == '-' && start + 1 < end && word[start + 1] >= '0' && word[start + 1] <= '9')))
        start++;
    while (end > start && !inner((unsigned char)word[end - 1]))
        end--;
    char after = 0;
    for (size_t i = end; i < length; i++)
        if (strchr(".!?", word[i]))
            after = word[i] == '.' && after ? after : word[i];
        else if (!after && strchr(",;:", word[i]))
            after = ',';
    mdm_token base = {.word = index, .p = from->p, .lead_point = start > 0 && strchr(".@", word[start - 1])};
    size_t count = 0;
    if (start < end && splits(word + start, end - start)) {
        for (size_t at = start; at < end;) {
            size_t stop = at;
            while (stop < end && word[stop] != '-')
                stop++;
            out[count] = base;
            fill(&out[count++], word + at, stop - at, lists);
            at = stop + 1;
        }
        /* A tens word and its digit ("twenty-one") are one number and never come here: compounds are not spelled. */
    } else {
        out[count] = base;
        fill(&out[count++], word + start, end - start, lists);
    }
    out[count - 1].after = after;
    return count;
}

mdm_status mdm_text_tokenize(mdm_text *out, const mdm_word *words, size_t word_count, const mdm_name_lists *lists)
{
    *out = (mdm_text){0};
    size_t room = 0;
    for (size_t i = 0; i < word_count; i++) {
        room++;
        for (const char *c = words[i].text; *c; c++)
            room += *c == '-';
    }
    MDM_TRY(mdm_alloc(&out->tokens, room, sizeof *out->tokens, "tokens"));
    bool opens = true;
    for (size_t i = 0; i < word_count; i++) {
        size_t made = tokenize_word(out->tokens + out->count, &words[i], i, lists);
        out->tokens[out->count].opens = opens;
        out->count += made;
        mdm_token *last = &out->tokens[out->count - 1];
        /* "Mr." and an initial end no sentence. */
        if (last->after == '.' && mdm_word_in("mr mrs ms dr prof st sgt capt lt rev jr sr no", last->lower))
            last->after = 0;
        opens = mdm_token_ends_sentence(last);
        for (const char *c = words[i].text; *c; c++)
            out->cased = out->cased || (*c >= 'A' && *c <= 'Z');
    }
    return MDM_OK;
}
