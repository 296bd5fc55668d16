/* Postal addresses: a house number, a name and a street word; what surrounds it (flat, town, post code); and numbers
 * after "live at" and the like. A street without a number is left alone: it is where one drives, not where one lives. */
#include <string.h>

#include "models/personal_tokens.h"

static const char STREETS[] =
    "street road avenue lane close drive court way place terrace boulevard square crescent gardens "
    "grove hill park parkway row mews walk circle trail plaza alley view heights";
static const char SHORT_STREETS[] = "st rd ave av ln dr ct blvd pl sq ter pkwy hwy cres";
static const char UNITS[] = "apartment apt flat unit suite room floor";
static const char NOT_NAMES[] =
    "the of a an and or to in on at by for from with into onto down up along across way lane lanes mile miles meter "
    "meters "
    "metre metres kilometre kilometres kilometer kilometers km feet foot yards yard minute minutes hour hours second "
    "seconds "
    "day days week weeks month months year years people cars car trucks more other different percent degrees dollars "
    "pounds "
    "euros main next same long busy empty times is was are were that this these those we you they he she it";
static const char CALENDAR[] = "monday tuesday wednesday thursday friday saturday sunday january february march april "
                               "may june july august september "
                               "october november december am pm o'clock";

static bool ends_sentence(const mdm_token *token)
{
    return token->after == '.' || token->after == '!' || token->after == '?';
}

/* A part of a house number: digits, number words, "14B", or a letter after one. */
static bool house_token(const mdm_token *token)
{
    if (token->number.kind == MDM_NUMBER_WRITTEN)
        return !mdm_number_is_amount(token->text) && strspn(token->text, "0123456789-/") == strlen(token->text);
    if (token->number.kind == MDM_NUMBER_MIXED)
        return token->text[0] >= '0' && token->text[0] <= '9' && strlen(token->text) <= 6;
    return mdm_token_is_numeric(token) && token->number.kind != MDM_NUMBER_REPEAT;
}

/* First token of the number that ends before `end` (its last token is end - 1); `end` when there is none. */
static size_t house_number(const mdm_text *text, size_t end)
{
    size_t first = end;
    while (first > 0 && end - first < 7) {
        const mdm_token *token = &text->tokens[first - 1];
        bool joins = first < end && mdm_word_in("and", token->lower) && first >= 2 &&
                     (text->tokens[first - 2].number.kind == MDM_NUMBER_HUNDRED ||
                      text->tokens[first - 2].number.kind == MDM_NUMBER_THOUSAND);
        if (!house_token(token) && !joins)
            break;
        if (first < end && token->after)
            break; /* "in 1990, 12 Oak Street" */
        first--;
    }
    return first;
}

/* A word that can be part of a street's name. */
static bool street_name(const mdm_text *text, const mdm_token *token)
{
    if (token->number.kind == MDM_NUMBER_ORDINAL || mdm_word_in("north south east west", token->lower))
        return true;
    if (mdm_token_is_numeric(token) || mdm_word_in(CALENDAR, token->lower))
        return false;
    return text->cased ? token->cap && !mdm_word_in(NOT_NAMES, token->lower)
                       : token->lower[0] && !mdm_word_in(NOT_NAMES, token->lower);
}

static bool plain_name(const mdm_token *token)
{
    return token->lower[0] && !mdm_token_is_numeric(token) && !mdm_word_in(NOT_NAMES, token->lower) &&
           !mdm_word_in(CALENDAR, token->lower);
}

static bool street_word(const mdm_token *token)
{
    return mdm_word_in(STREETS, token->lower) || (token->cap && mdm_word_in(SHORT_STREETS, token->lower));
}

/* Letters and digits of a post code: one to three tokens after `at`; returns how many. Spelled ones run on. */
static size_t post_code(const mdm_text *text, size_t at)
{
    const char *words[10];
    size_t count = 0;
    for (; count < 10 && at + count < text->count; count++) {
        const mdm_token *token = &text->tokens[at + count];
        bool code = mdm_token_is_numeric(token) || token->number.kind == MDM_NUMBER_LETTER ||
                    token->number.kind == MDM_NUMBER_MIXED || token->number.kind == MDM_NUMBER_NATO;
        if (!code)
            break;
        words[count] = token->text;
        if (ends_sentence(token)) {
            count++;
            break;
        }
    }
    mdm_code code;
    mdm_number_spell(&code, words, count);
    size_t length = strlen(code.text);
    return length >= 3 && length <= 10 && code.digits >= 1 ? count : 0;
}

static bool post_word(const mdm_text *text, size_t at)
{
    const char *word = mdm_token_at(text, at)->lower; /* "post-codesp": the code's letters run into the word */
    if (strncmp(word, "postco", 6) == 0 || strncmp(word, "post-co", 7) == 0)
        return true;
    return mdm_word_in("postcode postal zip zipcode post", mdm_token_at(text, at)->lower) &&
           (!mdm_word_in("post", mdm_token_at(text, at)->lower) ||
            mdm_word_in("code", mdm_token_at(text, at + 1)->lower));
}

/* Widens an address to the right from its last token: flat, town, state, post code. */
static size_t extend_right(const mdm_text *text, size_t last)
{
    for (int group = 0; group < 6; group++) {
        if (ends_sentence(&text->tokens[last]) || last + 1 >= text->count)
            return last;
        size_t next = last + 1;
        const mdm_token *token = &text->tokens[next];
        if (mdm_word_in(UNITS, token->lower) && next + 1 < text->count &&
            (house_token(&text->tokens[next + 1]) || text->tokens[next + 1].number.kind == MDM_NUMBER_LETTER)) {
            last = next + 1;
            if (!text->tokens[last].after && mdm_token_at(text, last + 1)->number.kind == MDM_NUMBER_LETTER)
                last++; /* "flat three B" */
            continue;
        }
        if (post_word(text, next)) {
            /* the code, however it was heard: short words and digits, up to the end of the sentence ("1 2 Me" for "1 2 A B") */
            last = next;
            while (!ends_sentence(&text->tokens[last]) && last + 1 < text->count && last < next + 9 &&
                   (strlen(text->tokens[last + 1].lower) <= 2 || mdm_token_is_numeric(&text->tokens[last + 1]) ||
                    text->tokens[last + 1].number.kind == MDM_NUMBER_MIXED ||
                    mdm_word_in("code number", text->tokens[last + 1].lower)))
                last++;
            continue;
        }
        size_t code = 0;
        bool code_like = token->number.kind == MDM_NUMBER_MIXED ||
                         (token->number.kind == MDM_NUMBER_WRITTEN && strspn(token->text, "0123456789") == 5);
        if (code_like)
            code = post_code(text, next);
        if (code) {
            last = next + code - 1;
            continue;
        }
        if (!text->cased)
            return last;
        size_t end = next; /* a town: up to three capitalised words */
        while (end < text->count && end < next + 3 && text->tokens[end].cap &&
               !mdm_word_in(NOT_NAMES, text->tokens[end].lower) && !mdm_word_in(CALENDAR, text->tokens[end].lower) &&
               strcmp(text->tokens[end].text, "I") != 0 && text->tokens[end].number.kind != MDM_NUMBER_MIXED) {
            end++;
            if (text->tokens[end - 1].after)
                break;
        }
        if (end == next)
            return last;
        last = end - 1;
    }
    return last;
}

/* "Flat 2," before the number. */
static size_t extend_left(const mdm_text *text, size_t first)
{
    if (first >= 2 && mdm_word_in(UNITS, text->tokens[first - 2].lower) && house_token(&text->tokens[first - 1]))
        return first - 2;
    if (first >= 1 && mdm_word_in("number no", text->tokens[first - 1].lower))
        return first - 1;
    return first;
}

static bool dwelling_before(const mdm_text *text, size_t at)
{
    for (size_t back = 1; back <= 8 && back <= at && !ends_sentence(&text->tokens[at - back]); back++)
        if (mdm_word_in("live lives lived living stay stays staying moved move address deliver delivered drop leave "
                        "come take send "
                        "bring parcel ship works house home calling",
                        text->tokens[at - back].lower))
            return true;
    return at > 0 && mdm_word_in("at", text->tokens[at - 1].lower);
}

static void by_street(mdm_text *text, size_t at)
{
    size_t name = at;
    while (name > 0 && at - name < 4 &&
           (street_name(text, &text->tokens[name - 1]) || plain_name(&text->tokens[name - 1])) &&
           !ends_sentence(&text->tokens[name - 1]) && !(text->tokens[name - 1].after && at - name > 0))
        name--;
    /* "forty second street": the ordinal may have swallowed part of the number; any number before it will do */
    size_t number = house_number(text, name);
    if (number == name && name < at && text->tokens[name].number.kind == MDM_NUMBER_ORDINAL)
        number = house_number(text, name + 1);
    if (name == at && at > 0 && mdm_word_in("the", text->tokens[at - 1].lower) && text->tokens[at].cap)
        number = house_number(text, name = at - 1);
    if (number == name || (name == at && !mdm_word_in("the", text->tokens[at - 1].lower)))
        return;
    bool capitals =
        text->tokens[at].cap || text->tokens[at - 1].cap || text->tokens[at - 1].number.kind == MDM_NUMBER_ORDINAL;
    if (text->cased && !capitals && !dwelling_before(text, number))
        return;
    mdm_text_mark(text, extend_left(text, number), extend_right(text, at), MDM_PERSONAL_ADDRESS);
}

/* "at eighty one Kingsway", "is number six, The Crescent": a number and a capitalised name after a word of place. */
static void by_cue(mdm_text *text, size_t at)
{
    size_t start = at + 1;
    if (mdm_word_in("number no", mdm_token_at(text, start)->lower))
        start++;
    size_t end = start;
    while (end < text->count && end < start + 7 &&
           (house_token(&text->tokens[end]) || (end > start && mdm_word_in("and", text->tokens[end].lower)))) {
        end++;
        if (text->tokens[end - 1].after)
            break;
    }
    if (end == start || end >= text->count || ends_sentence(&text->tokens[end - 1]))
        return;
    bool numbered = start > at + 1;
    if (text->tokens[end - 1].after && !numbered)
        return;
    const mdm_token *name = &text->tokens[end];
    bool the = numbered && mdm_word_in("the", name->lower);
    if (!name->cap || (!the && !street_name(text, name)) || !strcmp(name->text, "I"))
        return;
    mdm_text_mark(text, extend_left(text, start), extend_right(text, the ? end : end), MDM_PERSONAL_ADDRESS);
}

/* "to Daniel Okafor, 42 maples treat, Springfield": a recogniser that missed the street word. A number, up to three words,
 * a comma and a capital, after a word of delivery or dwelling. */
static void by_town(mdm_text *text, size_t at)
{
    size_t end = at;
    while (end < text->count && end < at + 7 && house_token(&text->tokens[end]) &&
           !(end > at && text->tokens[end - 1].after))
        end++;
    size_t name = end;
    while (name < text->count && name < end + 5 && plain_name(&text->tokens[name])) {
        name++;
        if (text->tokens[name - 1].after)
            break;
    }
    if (end == at || name == end || text->tokens[name - 1].after != ',' || !mdm_token_at(text, name)->cap)
        return;
    if (dwelling_before(text, at))
        mdm_text_mark(text, extend_left(text, at), extend_right(text, name - 1), MDM_PERSONAL_ADDRESS);
}

void mdm_rule_address(mdm_text *text)
{
    for (size_t i = 0; i < text->count; i++) {
        const mdm_token *token = &text->tokens[i];
        if (token->mark >= 0)
            continue;
        if (i > 0 && street_word(token))
            by_street(text, i);
        if (token->mark < 0 && text->cased && mdm_word_in("at address is to from near outside", token->lower))
            by_cue(text, i);
        if (token->mark < 0 && text->cased && house_token(token) && !(i > 0 && house_token(&text->tokens[i - 1])))
            by_town(text, i);
    }
}
