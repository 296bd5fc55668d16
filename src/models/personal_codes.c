/* Runs of digits and letters: what they are is said by a word before them ("plate", "passport", "call me at"), by their
 * shape (a card's check digit, an IBAN, a plate) or, for long runs of single digits, taken to be a phone number. */
#include <string.h>

#include "models/personal_tokens.h"

enum { RUN_MAX = 40 };

typedef struct cue {
    mdm_personal_kind kind;
    int weak; /* "number": used when no better word is near */
    int min_chars, min_digits;
    const char *words;
} cue;

static const cue CUES[] = {
    {MDM_PERSONAL_PLATE, 0, 4, 1, "plate plates registration reg numberplate tag tags"},
    {MDM_PERSONAL_CARD, 0, 4, 4, "card cards visa mastercard amex debit credit"},
    {MDM_PERSONAL_ACCOUNT, 0, 4, 4, "iban account sort routing bic"},
    {MDM_PERSONAL_ID, 0, 4, 2,
     "ssn social security passport licence license insurance medicare policy employee member membership customer "
     "patient tax id "
     "mrn badge student nhs permit vin driver's booking"},
    {MDM_PERSONAL_ADDRESS, 0, 3, 1, "zip zipcode postcode postal post"},
    {MDM_PERSONAL_PHONE, 0, 5, 5,
     "phone telephone mobile cell cellphone landline call ring dial text texting fax reach whatsapp contact sms "
     "phone's"},
    {MDM_PERSONAL_PHONE, 1, 5, 5, "number line numbers"},
    {MDM_PERSONAL_ADDRESS, 1, 5, 5, "code"},
};

static const char CONNECTORS[] =
    "is was it its it's the no my that's are reads read reading on at to with of back please just ending ends end in "
    "under me us "
    "him her them your his their a an code that says ask for number's which be may will would can you i or and last "
    "first digits "
    "four six new old code uk us texas one plus expires has got got hold with's yeah yes uh um so dash spelled";

static bool ends_hard(const mdm_token *token)
{
    return token->after == '?' || token->after == '!';
}

static bool code_token(const mdm_token *token)
{
    switch (token->number.kind) {
    case MDM_NUMBER_NONE:
    case MDM_NUMBER_POINT:
    case MDM_NUMBER_ORDINAL:
        return false;
    case MDM_NUMBER_SIGN:
        return strcmp(token->lower, "plus") == 0;
    case MDM_NUMBER_WRITTEN:
        return !mdm_number_is_amount(token->text);
    case MDM_NUMBER_MIXED:
        /* Words in capitals that are no codes. */
        return !mdm_word_in(
            "tv ok gps usa us uk eu am pm id ssn dob iban pin sim nasa bbc cnn nbc fbi cia suv gmbh ceo diy "
            "dvd usb faq the and not my",
            token->lower);
    default:
        return true;
    }
}

static bool pause_word(const mdm_token *token)
{
    return mdm_word_in("dash hyphen slash space then uh um", token->lower);
}

/* "M1 for BT", "1-2-3 to 5": digits a recogniser took for words. Believed only when a telling word stands before. */
static bool homophone(const mdm_token *token)
{
    return mdm_word_in("for to too", token->lower) && !token->after;
}

/* "a" and "I" are letters only among other letters and digits. */
static bool small_word(const mdm_token *token)
{
    return token->number.kind == MDM_NUMBER_LETTER && strchr("ai", token->lower[0]);
}

/* True for a capital A or I that closes a run of spelled letters ("K O W A L S K I.") rather than opening what follows. */
static bool ends_spelling(const mdm_text *text, size_t first, size_t at)
{
    return at > first && text->tokens[at].cap && text->tokens[at - 1].number.kind == MDM_NUMBER_LETTER &&
           text->tokens[at - 1].cap && !text->tokens[at - 1].after && (text->tokens[at].after || at + 1 == text->count);
}

/* End of the run of code tokens that starts at `first`. */
static size_t run_end(const mdm_text *text, size_t first, bool homophones)
{
    size_t end = first;
    while (end < text->count && end - first < RUN_MAX) {
        const mdm_token *token = &text->tokens[end];
        if (token->mark >= 0)
            break;
        bool cardinal_and = mdm_word_in("and", token->lower) && end > first &&
                            (text->tokens[end - 1].number.kind == MDM_NUMBER_HUNDRED ||
                             text->tokens[end - 1].number.kind == MDM_NUMBER_THOUSAND);
        bool pause = end > first &&
                     (pause_word(token) || (homophones && homophone(token) && !text->tokens[end - 1].after)) &&
                     code_token(mdm_token_at(text, end + 1));
        if (!code_token(token) && !cardinal_and && !pause)
            break;
        end++;
        if (ends_hard(token) || (token->after == '.' && !code_token(mdm_token_at(text, end))))
            break;
        if (token->after == '.' && mdm_token_at(text, end)->number.kind == MDM_NUMBER_LETTER &&
            small_word(mdm_token_at(text, end)))
            break; /* "... nine. I will" */
    }
    while (end > first && (mdm_word_in("and", text->tokens[end - 1].lower) ||
                           (small_word(&text->tokens[end - 1]) && !ends_spelling(text, first, end - 1))))
        end--;
    return end;
}

static bool shape_is(const char *code, const char *shape)
{
    for (; *code && *shape; code++, shape++)
        if ((*shape == '9') != (*code >= '0' && *code <= '9'))
            return false;
    return !*code && !*shape;
}

bool mdm_plate_shape(const char *code, bool strict)
{
    static const char *const STRICT[] = {"AA99AAA", "AA999AA", "AAA9999", "AAA999",   "9AAA999",   "999AAA",
                                         "9999AAA", "A999AAA", "A99AAA",  "A999AA99", "A999AA999", "AAA999A",
                                         "AAA99A",  "99AAA9",  "99AA99",  "AA9999AA", "AAA9A99"};
    static const char *const LOOSE[] = {"AA9999",   "AA99999",    "AA999",   "A9999",  "99A9999",
                                        "AAA99",    "AA999A",     "9A9999",  "AA99A",  "A9999AA",
                                        "AAAA9999", "AA99AA9999", "99AAA99", "A99999", "AAAA999"};
    for (size_t i = 0; i < sizeof STRICT / sizeof *STRICT; i++)
        if (shape_is(code, STRICT[i]))
            return true;
    for (size_t i = 0; !strict && i < sizeof LOOSE / sizeof *LOOSE; i++)
        if (shape_is(code, LOOSE[i]))
            return true;
    return false;
}

/* "cardend in 4421": recognisers run "card ends" together. */
static bool runs_into_card(const char *lower)
{
    return strncmp(lower, "cardend", 7) == 0 || strncmp(lower, "cardin", 6) == 0;
}

/* A word that may be letters misheard: short, and nothing that stands between a plate and its letters. */
static bool odd_word(const mdm_token *token)
{
    return token->mark < 0 && strlen(token->lower) <= 5 && !token->after && token->number.kind == MDM_NUMBER_NONE &&
           !mdm_word_in(CONNECTORS, token->lower) && !mdm_word_in(CUES[0].words, token->lower);
}

/* The nearest telling word before `first`; NULL for none. Connectors, names and one sentence end may lie between. */
static const cue *cue_before(const mdm_text *text, size_t first, size_t *distance)
{
    const cue *weak = NULL;
    int sentence_ends = 0, odd = 0;
    for (size_t back = 1; back <= 9 && back <= first; back++) {
        const mdm_token *token = &text->tokens[first - back];
        if (token->after == '.' || ends_hard(token))
            if (++sentence_ends > 1)
                break;
        const cue *found = NULL;
        for (size_t i = 0; i < sizeof CUES / sizeof *CUES && !found; i++)
            if (mdm_word_in(CUES[i].words, token->lower) ||
                (CUES[i].kind == MDM_PERSONAL_CARD && runs_into_card(token->lower)))
                found = &CUES[i];
        if (found && odd && found->kind != MDM_PERSONAL_PLATE)
            break;
        if (found && !found->weak) {
            *distance = back;
            return found;
        }
        if (found) {
            if (!weak)
                *distance = back;
            weak = found;
        } else if (!mdm_word_in(CONNECTORS, token->lower) && !(token->flags & MDM_NAME_FIRST) && token->mark < 0) {
            if (back > 1 || !odd_word(token))
                break;
            odd++;
        }
    }
    return weak;
}

static bool iban(const char *code)
{
    size_t length = strlen(code);
    return length >= 15 && length <= 34 && code[0] >= 'A' && code[1] >= 'A' && code[2] <= '9' && code[3] <= '9';
}

/* What a run is without a word that tells. */
static int kind_by_shape(const mdm_code *code, const mdm_text *text, size_t first, size_t end)
{
    size_t length = strlen(code->text);
    if (code->countdown || code->large)
        return -1;
    if (iban(code->text))
        return MDM_PERSONAL_ACCOUNT;
    if (code->letters == 0 && mdm_number_luhn(code->text) && code->singles >= 12)
        return MDM_PERSONAL_CARD;
    const char *written = text->tokens[first].text;
    if (end == first + 1 && length == 9 && written[3] == '-' && written[6] == '-')
        return MDM_PERSONAL_ID;
    if (code->letters == 0 && code->digits >= 7 && code->singles >= 4)
        return MDM_PERSONAL_PHONE;
    if (code->letters >= 2 && code->digits >= 1 && mdm_plate_shape(code->text, true))
        return MDM_PERSONAL_PLATE;
    if (code->letters == 0 && code->digits >= 4 && code->digits == (int)(end - first) && code->singles == code->digits)
        return MDM_PERSONAL_ID; /* four digits or more said one by one: nobody says amounts so */
    if (code->letters >= 1 && code->digits >= 3 && length >= 7 && code->singles >= 7)
        return MDM_PERSONAL_ID;
    return -1;
}

/* Letters said one by one after "spelled", or five of them anywhere: a name. */
static bool spelled_name(const mdm_text *text, size_t first, size_t end, const mdm_code *code)
{
    if (code->digits > 0)
        return false;
    size_t letters = 0;
    for (size_t i = first; i < end; i++)
        letters += text->tokens[i].number.kind == MDM_NUMBER_LETTER;
    bool cue = false;
    for (size_t back = 1; back <= 4 && back <= first; back++)
        cue = cue || mdm_word_in("spelled spelt spell spelling spells name surname", text->tokens[first - back].lower);
    /* a recogniser may write the letters together: "VANDENBERG" */
    return letters >= 5 || (cue && (letters >= 3 || code->letters >= 3));
}

static int kind_of_run(const mdm_text *text, size_t first, size_t end, bool by_cue_only)
{
    const char *words[RUN_MAX];
    size_t count = end - first;
    for (size_t i = 0; i < count; i++)
        words[i] = text->tokens[first + i].text;
    mdm_code code;
    mdm_number_spell(&code, words, count);
    size_t length = strlen(code.text), distance = 0;
    if (spelled_name(text, first, end, &code))
        return MDM_PERSONAL_NAME;
    const cue *found = cue_before(text, first, &distance);
    if (found && (int)length >= found->min_chars && code.digits >= found->min_digits &&
        !(code.countdown && found->weak && distance > 2)) {
        /* "the number of cars doubled since two thousand and ten": quantities need more than "number" */
        bool quantity = code.large || (code.singles < 2 && code.digits < 6);
        if (!quantity || (!found->weak && distance <= 3 && found->kind != MDM_PERSONAL_PHONE && !code.large))
            return (int)found->kind;
    }
    /* "ends in 4421", also misheard ("M's in 441"); a year is none */
    if (first >= 2 && mdm_word_in("in", text->tokens[first - 1].lower) && code.digits >= 3 && code.letters == 0 &&
        !code.large && !(code.digits == 4 && (strncmp(code.text, "19", 2) == 0 || strncmp(code.text, "20", 2) == 0)) &&
        (mdm_word_in("ends end ended ending ands", text->tokens[first - 2].lower) ||
         text->tokens[first - 2].possessive))
        return MDM_PERSONAL_CARD;
    return by_cue_only ? -1 : kind_by_shape(&code, text, first, end);
}

void mdm_rule_codes(mdm_text *text)
{
    for (size_t first = 0; first < text->count;) {
        const mdm_token *token = &text->tokens[first];
        if (token->mark >= 0 || !code_token(token) ||
            (small_word(token) && !code_token(mdm_token_at(text, first + 1)))) {
            first++;
            continue;
        }
        size_t end = run_end(text, first, true);
        if (end <= first) {
            first++;
            continue;
        }
        int kind = kind_of_run(text, first, end, true);
        if (kind < 0) {
            end = run_end(text, first, false);
            kind = end > first ? kind_of_run(text, first, end, false) : -1;
            end = end > first ? end : first + 1;
        }
        /* "the last four digits ..., a 9 9 2": a leading small word is not part of the code */
        if (kind < 0 && (small_word(token) || token->number.kind == MDM_NUMBER_MIXED) && end > first + 1) {
            size_t rest = first + 1;
            kind = kind_of_run(text, rest, end, false);
            if (kind >= 0)
                first = rest;
        }
        if (kind == MDM_PERSONAL_PLATE && first > 0 && odd_word(&text->tokens[first - 1]))
            first--; /* "plate is Gala M472": letters heard as a word */
        if (kind >= 0)
            mdm_text_mark(text, first, end - 1, (mdm_personal_kind)kind);
        first = end;
    }
}
