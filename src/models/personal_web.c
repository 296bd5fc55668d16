/* E-mail and web addresses, written ("a.b@c.org") or spoken ("a dot b at c dot org"), and any mixture a recogniser
 * makes of them ("a.b at c.org"). */
#include <string.h>

#include "models/personal_tokens.h"

static const char TLDS[] =
    "com org net edu gov io de fr uk us eu info biz co ca au nl it es ch at se no fi dk pl br in jp "
    "me tv app dev ai example";
static const char JOINERS[] = "dot underscore dash hyphen period plus score";

static bool ends_in_tld(const char *lower)
{
    const char *point = strrchr(lower, '.');
    return point && point > lower && mdm_word_in(TLDS, point + 1) && point[-1] != '.';
}

/* Token ends of a domain that starts at `at`: "example dot co dot uk", "example.com", "rose garden dot net".
 * Returns how many tokens, 0 for none. */
static size_t domain(const mdm_text *text, size_t at, size_t most_before_dot)
{
    size_t i = at, before = 0;
    for (; i < text->count && before <= most_before_dot; i++, before++) {
        const mdm_token *token = &text->tokens[i];
        if (ends_in_tld(token->lower)) {
            i++;
            break;
        }
        const mdm_token *next = mdm_token_at(text, i + 1), *last = mdm_token_at(text, i + 2);
        bool dot_word = mdm_word_in("dot point", next->lower) && mdm_word_in(TLDS, last->lower);
        bool dot_glued = next->lead_point && mdm_word_in(TLDS, next->lower); /* "example .com" */
        bool chain =
            mdm_word_in("dot dash hyphen", next->lower) && i + 3 < text->count; /* "mail dot example dot org" */
        if (dot_word) {
            i += 3;
            break;
        }
        if (dot_glued) {
            i += 2;
            break;
        }
        if (chain && before == 0) {
            i++;
            before = (size_t)-1; /* a joined part starts the count again */
            continue;
        }
        if (token->after == '.' || token->after == '!' || token->after == '?')
            return 0;
    }
    if (i == at || i > text->count)
        return 0;
    const mdm_token *end = &text->tokens[i - 1];
    if (!ends_in_tld(end->lower) && !mdm_word_in(TLDS, end->lower))
        return 0;
    while (i + 1 < text->count && mdm_word_in("dot", text->tokens[i].lower) &&
           mdm_word_in(TLDS, text->tokens[i + 1].lower))
        i += 2; /* "dot co dot uk" */
    while (i < text->count && text->tokens[i].lead_point && mdm_word_in(TLDS, text->tokens[i].lower))
        i++; /* "co .uk" */
    return i - at;
}

static bool spelled(const mdm_token *token)
{
    return token->number.kind == MDM_NUMBER_LETTER || mdm_token_is_numeric(token);
}

/* First token of the part before "at": one word, everything joined to it by "dot" and the like, and letters spelled. */
static size_t local_part(const mdm_text *text, size_t end)
{
    size_t first = end;
    while (first > 0) {
        const mdm_token *here = &text->tokens[first], *before = &text->tokens[first - 1];
        if (before->after == '!' || before->after == '?')
            break;
        if (here->lead_point || mdm_word_in(JOINERS, before->lower) || mdm_word_in(JOINERS, here->lower) ||
            (spelled(here) && spelled(before)) || (strlen(before->text) == 1 && before->lower[0] != 'a'))
            first--;
        else
            break;
    }
    return first;
}

static bool has_at_sign(const char *text)
{
    const char *at = strchr(text, '@');
    return at && at > text && at[1];
}

/* "my e-mail is ...": a recogniser may mangle what follows past all rules, so everything up to the domain's end goes; or,
 * when there is none, up to the end of the phrase. */
static void by_cue(mdm_text *text, size_t at)
{
    size_t i = at + 1;
    if (mdm_word_in("mail", text->tokens[at].lower) && !(at > 0 && mdm_word_in("e", text->tokens[at - 1].lower)))
        return;
    if (mdm_word_in("address", mdm_token_at(text, i)->lower))
        i++;
    if (!mdm_word_in("is was it's", mdm_token_at(text, i)->lower) || text->tokens[at].after == '?')
        return;
    size_t first = ++i, last = 0, phrase = 0;
    for (; i < text->count && i < first + 14; i++) {
        const mdm_token *token = &text->tokens[i];
        bool hard = token->after == '.' || token->after == '!' || token->after == '?';
        if (ends_in_tld(token->lower) ||
            (i > first && mdm_word_in("dot point", text->tokens[i - 1].lower) && mdm_word_in(TLDS, token->lower))) {
            last = i;
            if (!mdm_word_in("dot", mdm_token_at(text, i + 1)->lower))
                break;
        }
        if (!phrase && (hard || token->after || mdm_word_in("and", mdm_token_at(text, i + 1)->lower)))
            phrase = i;
        if (hard)
            break;
    }
    if (last)
        mdm_text_mark(text, first, last, MDM_PERSONAL_EMAIL);
    else if (phrase >= first && phrase < first + 8 && phrase > first) /* one word alone ("is full") is no address */
        mdm_text_mark(text, first, phrase, MDM_PERSONAL_EMAIL);
}

void mdm_rule_web(mdm_text *text)
{
    for (size_t i = 0; i < text->count; i++) {
        mdm_token *token = &text->tokens[i];
        size_t length;
        if (mdm_word_in("email e-mail mail", token->lower))
            by_cue(text, i);
        if (token->mark >= 0)
            continue;
        if (has_at_sign(token->text)) {
            size_t last = i;
            if (!strchr(strchr(token->text, '@'), '.') && (length = domain(text, i, 1)) > 0)
                last = i + length - 1;
            mdm_text_mark(text, local_part(text, i), last, MDM_PERSONAL_EMAIL);
        } else if (i > 0 && mdm_word_in("at", token->lower) && !strchr(mdm_token_at(text, i + 1)->text, '@') &&
                   (length = domain(text, i + 1, 2)) > 0) {
            mdm_text_mark(text, local_part(text, i - 1), i + length, MDM_PERSONAL_EMAIL);
        } else if (i > 0 && token->lead_point && ends_in_tld(token->lower) && strchr(token->lower, '.')) {
            mdm_text_mark(text, local_part(text, i - 1), i, MDM_PERSONAL_EMAIL); /* "sara nguyen @example.com" */
        } else if (strstr(token->lower, "://") || strncmp(token->lower, "www.", 4) == 0) {
            mdm_text_mark(text, i, i, MDM_PERSONAL_URL);
        } else if (mdm_word_in("http https", token->lower)) { /* spoken: whatever follows, to the end of the phrase */
            size_t last = i;
            while (last + 1 < text->count && last < i + 10 && !text->tokens[last].after)
                last++;
            mdm_text_mark(text, i, last, MDM_PERSONAL_URL);
        } else if (mdm_word_in("www w double-u", token->lower)) {
            size_t start = i, at = i;
            while (mdm_word_in("w www double-u", mdm_token_at(text, at)->lower))
                at++;
            if (mdm_word_in("dot", mdm_token_at(text, at)->lower))
                at++;
            if ((at - start >= 3 || !strcmp(token->lower, "www")) && (length = domain(text, at, 2)) > 0)
                mdm_text_mark(text, start, at + length - 1, MDM_PERSONAL_URL);
        } else if (ends_in_tld(token->lower) && strspn(token->lower, "0123456789.") < strlen(token->lower) &&
                   strlen(token->lower) > 5) {
            mdm_text_mark(text, i, i, MDM_PERSONAL_URL);
        } else if (mdm_word_in("dot", token->lower) && i > 0 && i + 1 < text->count &&
                   mdm_word_in("com org net edu", text->tokens[i + 1].lower) && text->tokens[i - 1].mark < 0) {
            size_t first = i - 1;
            while (first > 1 && mdm_word_in(JOINERS, text->tokens[first - 1].lower))
                first -= 2;
            mdm_text_mark(text, first, i + 1, MDM_PERSONAL_URL);
        }
    }
}
