/* Dates of birth (a date after "born", "birthday" ...) and coordinates. */
#include <string.h>

#include "models/personal_tokens.h"

static const char MONTHS[] = "january february march april may june july august september october november december "
                             "jan feb mar apr jun jul aug sep sept oct nov dec";
static const char SEASONLESS[] = "of the and in day";

static bool date_token(const mdm_token *token)
{
    return mdm_token_is_numeric(token) || token->number.kind == MDM_NUMBER_ORDINAL || mdm_word_in(MONTHS, token->lower);
}

void mdm_rule_birth(mdm_text *text)
{
    for (size_t i = 0; i < text->count; i++) {
        const mdm_token *cue = &text->tokens[i];
        bool birth = mdm_word_in("born birthday birthdate birthday's dob d.o.b d-o-b", cue->lower) ||
                     (mdm_word_in("birth", cue->lower) && i >= 2 && mdm_word_in("date day", text->tokens[i - 2].lower));
        if (!birth)
            continue;
        size_t at = i + 1, limit = i + 6; /* "born on a cold day in" is as far as a date may be */
        while (at < text->count && at < limit && !date_token(&text->tokens[at]) &&
               mdm_word_in("is was on in the a it's it that's, that's my his her your as date", text->tokens[at].lower))
            at++;
        if (at >= text->count || !date_token(&text->tokens[at]))
            continue;
        size_t last = at;
        for (size_t j = at; j < text->count && j < at + 14; j++) {
            const mdm_token *token = &text->tokens[j];
            if (date_token(token))
                last = j;
            else if (!mdm_word_in(SEASONLESS, token->lower))
                break;
            if (token->after == '!' || token->after == '?' ||
                (token->after == '.' && !date_token(mdm_token_at(text, j + 1))))
                break;
        }
        if (last == at && mdm_word_in("may march second one", text->tokens[at].lower) && !text->tokens[at].cap)
            continue; /* "born second", "born one ..." */
        if (at > 0 && mdm_word_in("the", text->tokens[at - 1].lower))
            at--;
        mdm_text_mark(text, at, last, MDM_PERSONAL_BIRTH);
    }
}

static bool compass(const mdm_token *token)
{
    return mdm_word_in("north south east west", token->lower) ||
           (token->cap && strlen(token->text) == 1 && strchr("NSEW", token->text[0]));
}

static bool degree_sign(const char *text)
{
    return strstr(text, "\xC2\xB0") != NULL;
}

static bool coordinate_token(const mdm_token *token)
{
    return mdm_token_is_numeric(token) || compass(token) || degree_sign(token->text) ||
           token->number.kind == MDM_NUMBER_POINT || token->number.kind == MDM_NUMBER_SIGN ||
           (token->number.kind == MDM_NUMBER_MIXED && strpbrk(token->text, "NSEWnsew") &&
            strpbrk(token->text, "0123456789")) ||
           mdm_word_in("and degree degrees minutes minute seconds latitude longitude by comma negative", token->lower);
}

/* Digits after the "point" at `at`. */
static int spoken_decimals(const mdm_text *text, size_t at)
{
    int count = 0;
    for (size_t i = at + 1; i < text->count && mdm_token_is_numeric(&text->tokens[i]); i++) {
        count += text->tokens[i].number.kind == MDM_NUMBER_WRITTEN ? (int)strlen(text->tokens[i].text)
                 : text->tokens[i].number.kind == MDM_NUMBER_DIGIT ? 1
                                                                   : 2;
        if (text->tokens[i].after)
            break;
    }
    return count;
}

static bool coordinate_cue(const mdm_text *text, size_t at)
{
    for (size_t back = 1; back <= 5 && back <= at; back++)
        if (mdm_word_in("coordinates coordinate gps latitude longitude position lat location",
                        text->tokens[at - back].lower))
            return true;
    return false;
}

void mdm_rule_coordinates(mdm_text *text)
{
    for (size_t i = 0; i < text->count;) {
        if (!coordinate_token(&text->tokens[i])) {
            i++;
            continue;
        }
        size_t first = i, end = i;
        int fine = 0, coarse = 0, directions = 0, degrees = 0;
        bool named = false;
        for (; end < text->count && coordinate_token(&text->tokens[end]); end++) {
            const mdm_token *token = &text->tokens[end];
            int decimals =
                token->number.kind == MDM_NUMBER_POINT ? spoken_decimals(text, end) : mdm_number_decimals(token->text);
            fine += decimals >= 3;
            coarse += decimals >= 1;
            directions += compass(token);
            named = named || mdm_word_in("latitude longitude", token->lower);
            degrees += degree_sign(token->text) || mdm_word_in("degrees", token->lower);
            if (token->after == '?' || token->after == '!' ||
                (token->after == '.' && !mdm_token_is_numeric(mdm_token_at(text, end + 1)))) {
                end++;
                break;
            }
        }
        size_t next = end;
        while (end > first && mdm_word_in("and by comma degrees", text->tokens[end - 1].lower) && !degrees)
            end--;
        while (first < end && mdm_word_in("and by comma", text->tokens[first].lower))
            first++;
        bool cue = named || coordinate_cue(text, first);
        if (end > first && (fine >= 2 || (fine >= 1 && (directions || cue)) || (coarse >= 2 && (directions || cue)) ||
                            (degrees >= 2 && directions) || (degrees >= 1 && directions && cue)))
            mdm_text_mark(text, first, end - 1, MDM_PERSONAL_COORDINATES);
        i = next;
    }
}
