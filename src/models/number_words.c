/* The vocabulary of numbers and of spelling aloud, and how runs of it are read. */
#include "models/number_words.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct entry {
    const char *word;
    mdm_number_kind kind;
    int value;
} entry;

static const entry WORDS[] = {
    {"zero", MDM_NUMBER_DIGIT, 0},
    {"oh", MDM_NUMBER_DIGIT, 0},
    {"nought", MDM_NUMBER_DIGIT, 0},
    {"naught", MDM_NUMBER_DIGIT, 0},
    {"nil", MDM_NUMBER_DIGIT, 0},
    {"one", MDM_NUMBER_DIGIT, 1},
    {"two", MDM_NUMBER_DIGIT, 2},
    {"three", MDM_NUMBER_DIGIT, 3},
    {"four", MDM_NUMBER_DIGIT, 4},
    {"five", MDM_NUMBER_DIGIT, 5},
    {"six", MDM_NUMBER_DIGIT, 6},
    {"seven", MDM_NUMBER_DIGIT, 7},
    {"eight", MDM_NUMBER_DIGIT, 8},
    {"nine", MDM_NUMBER_DIGIT, 9},
    {"niner", MDM_NUMBER_DIGIT, 9},
    {"ten", MDM_NUMBER_TEEN, 10},
    {"eleven", MDM_NUMBER_TEEN, 11},
    {"twelve", MDM_NUMBER_TEEN, 12},
    {"thirteen", MDM_NUMBER_TEEN, 13},
    {"fourteen", MDM_NUMBER_TEEN, 14},
    {"fifteen", MDM_NUMBER_TEEN, 15},
    {"sixteen", MDM_NUMBER_TEEN, 16},
    {"seventeen", MDM_NUMBER_TEEN, 17},
    {"eighteen", MDM_NUMBER_TEEN, 18},
    {"nineteen", MDM_NUMBER_TEEN, 19},
    {"twenty", MDM_NUMBER_TENS, 20},
    {"thirty", MDM_NUMBER_TENS, 30},
    {"forty", MDM_NUMBER_TENS, 40},
    {"fourty", MDM_NUMBER_TENS, 40},
    {"fifty", MDM_NUMBER_TENS, 50},
    {"sixty", MDM_NUMBER_TENS, 60},
    {"seventy", MDM_NUMBER_TENS, 70},
    {"eighty", MDM_NUMBER_TENS, 80},
    {"ninety", MDM_NUMBER_TENS, 90},
    {"hundred", MDM_NUMBER_HUNDRED, 100},
    {"thousand", MDM_NUMBER_THOUSAND, 3},
    {"million", MDM_NUMBER_THOUSAND, 6},
    {"billion", MDM_NUMBER_THOUSAND, 9},
    {"double", MDM_NUMBER_REPEAT, 2},
    {"triple", MDM_NUMBER_REPEAT, 3},
    {"treble", MDM_NUMBER_REPEAT, 3},
    {"point", MDM_NUMBER_POINT, 0},
    {"plus", MDM_NUMBER_SIGN, 1},
    {"minus", MDM_NUMBER_SIGN, -1},
    {"first", MDM_NUMBER_ORDINAL, 1},
    {"second", MDM_NUMBER_ORDINAL, 2},
    {"third", MDM_NUMBER_ORDINAL, 3},
    {"fourth", MDM_NUMBER_ORDINAL, 4},
    {"fifth", MDM_NUMBER_ORDINAL, 5},
    {"sixth", MDM_NUMBER_ORDINAL, 6},
    {"seventh", MDM_NUMBER_ORDINAL, 7},
    {"eighth", MDM_NUMBER_ORDINAL, 8},
    {"ninth", MDM_NUMBER_ORDINAL, 9},
    {"tenth", MDM_NUMBER_ORDINAL, 10},
    {"eleventh", MDM_NUMBER_ORDINAL, 11},
    {"twelfth", MDM_NUMBER_ORDINAL, 12},
    {"thirteenth", MDM_NUMBER_ORDINAL, 13},
    {"fourteenth", MDM_NUMBER_ORDINAL, 14},
    {"fifteenth", MDM_NUMBER_ORDINAL, 15},
    {"sixteenth", MDM_NUMBER_ORDINAL, 16},
    {"seventeenth", MDM_NUMBER_ORDINAL, 17},
    {"eighteenth", MDM_NUMBER_ORDINAL, 18},
    {"nineteenth", MDM_NUMBER_ORDINAL, 19},
    {"twentieth", MDM_NUMBER_ORDINAL, 20},
    {"thirtieth", MDM_NUMBER_ORDINAL, 30},
    {"alpha", MDM_NUMBER_NATO, 'A'},
    {"alfa", MDM_NUMBER_NATO, 'A'},
    {"bravo", MDM_NUMBER_NATO, 'B'},
    {"charlie", MDM_NUMBER_NATO, 'C'},
    {"delta", MDM_NUMBER_NATO, 'D'},
    {"echo", MDM_NUMBER_NATO, 'E'},
    {"foxtrot", MDM_NUMBER_NATO, 'F'},
    {"golf", MDM_NUMBER_NATO, 'G'},
    {"hotel", MDM_NUMBER_NATO, 'H'},
    {"india", MDM_NUMBER_NATO, 'I'},
    {"juliet", MDM_NUMBER_NATO, 'J'},
    {"juliett", MDM_NUMBER_NATO, 'J'},
    {"kilo", MDM_NUMBER_NATO, 'K'},
    {"lima", MDM_NUMBER_NATO, 'L'},
    {"mike", MDM_NUMBER_NATO, 'M'},
    {"november", MDM_NUMBER_NATO, 'N'},
    {"oscar", MDM_NUMBER_NATO, 'O'},
    {"papa", MDM_NUMBER_NATO, 'P'},
    {"quebec", MDM_NUMBER_NATO, 'Q'},
    {"romeo", MDM_NUMBER_NATO, 'R'},
    {"sierra", MDM_NUMBER_NATO, 'S'},
    {"tango", MDM_NUMBER_NATO, 'T'},
    {"uniform", MDM_NUMBER_NATO, 'U'},
    {"victor", MDM_NUMBER_NATO, 'V'},
    {"whiskey", MDM_NUMBER_NATO, 'W'},
    {"whisky", MDM_NUMBER_NATO, 'W'},
    {"xray", MDM_NUMBER_NATO, 'X'},
    {"x-ray", MDM_NUMBER_NATO, 'X'},
    {"yankee", MDM_NUMBER_NATO, 'Y'},
    {"zulu", MDM_NUMBER_NATO, 'Z'},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}
static bool is_letter(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z');
}

static const entry *look_up(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strlen(WORDS[i].word) == length && strncasecmp(WORDS[i].word, text, length) == 0)
            return &WORDS[i];
    return NULL;
}

static mdm_number compound(const char *text)
{
    const char *dash = strchr(text, '-');
    if (dash) {
        const entry *tens = look_up(text, (size_t)(dash - text)), *rest = look_up(dash + 1, strlen(dash + 1));
        if (tens && rest && tens->kind == MDM_NUMBER_TENS) {
            if (rest->kind == MDM_NUMBER_DIGIT && rest->value)
                return (mdm_number){MDM_NUMBER_COMPOUND, tens->value + rest->value};
            if (rest->kind == MDM_NUMBER_ORDINAL && rest->value < 10)
                return (mdm_number){MDM_NUMBER_ORDINAL, tens->value + rest->value};
        }
    }
    return (mdm_number){MDM_NUMBER_NONE, 0};
}

mdm_number mdm_number_word(const char *text)
{
    size_t length = strlen(text);
    const entry *known = look_up(text, length);
    if (known)
        return (mdm_number){known->kind, known->value};
    int digits = 0, letters = 0, capitals = 0, others = 0;
    for (const char *c = text; *c; c++) {
        digits += is_digit(*c);
        letters += is_letter(*c);
        capitals += is_upper(*c);
        others += !is_digit(*c) && !is_letter(*c);
    }
    if (length == 1 && letters)
        return (mdm_number){MDM_NUMBER_LETTER, text[0] & ~0x20};
    if (digits && !letters)
        return (mdm_number){MDM_NUMBER_WRITTEN, 0};
    if (digits && letters == 2 && !others && is_digit(text[0]) && length <= 4) {
        const char *end = text + length - 2;
        if (!strcasecmp(end, "st") || !strcasecmp(end, "nd") || !strcasecmp(end, "rd") || !strcasecmp(end, "th"))
            return (mdm_number){MDM_NUMBER_ORDINAL, 0};
    }
    if (digits && letters &&
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/.") == length)
        return (mdm_number){MDM_NUMBER_MIXED, 0};
    if (!digits && capitals == letters && letters >= 2 && letters <= 6 &&
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-.") == length)
        return (mdm_number){MDM_NUMBER_MIXED, 0};
    return compound(text);
}

int mdm_number_decimals(const char *text)
{
    const char *point = strchr(text, '.');
    if (!point || strchr(point + 1, '.'))
        return 0;
    int count = 0;
    while (is_digit(point[1 + count]))
        count++;
    return count;
}

bool mdm_number_is_amount(const char *text)
{
    if (strpbrk(text, "%$:") || strstr(text, "\xC2\xA3") || strstr(text, "\xE2\x82\xAC"))
        return true;
    size_t digits = 0;
    for (const char *c = text; *c; c++)
        digits += is_digit(*c);
    if (digits > 12)
        return false; /* "4111,111,111,111,111": a card as a recogniser writes it */
    for (const char *comma = strchr(text, ','); comma; comma = strchr(comma + 1, ','))
        if (comma > text && is_digit(comma[-1]) && strspn(comma + 1, "0123456789") == 3)
            return true;
    return false;
}

typedef struct speller {
    mdm_code *out;
    size_t length;
    int last, steps, direction, longest, numbers; /* numbers one apart in a row */
} speller;

static void put(speller *s, char c)
{
    if (s->length + 1 < sizeof s->out->text)
        s->out->text[s->length++] = c;
    s->out->digits += is_digit(c);
    s->out->letters += is_letter(c);
}

static void put_number(speller *s, long value)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", value);
    for (const char *c = text; *c; c++)
        put(s, *c);
    /* "ten, nine, eight ..." is a count, not a code */
    int step = (int)value - s->last;
    if ((step == 1 || step == -1) && (s->steps == 0 || step == s->direction)) {
        s->direction = step;
        s->steps++;
    } else {
        s->steps = 0;
    }
    s->longest = s->steps > s->longest ? s->steps : s->longest;
    s->numbers++;
    s->last = (int)value;
}

static bool below_hundred(long *value, size_t *used, const char *const *words, size_t count)
{
    if (count == 0)
        return false;
    mdm_number first = mdm_number_word(words[0]);
    *used = 1;
    *value = first.value;
    if (first.kind == MDM_NUMBER_TENS && count > 1) {
        mdm_number second = mdm_number_word(words[1]);
        if (second.kind == MDM_NUMBER_DIGIT && second.value > 0 && strcasecmp(words[1], "oh") != 0) {
            *value += second.value;
            *used = 2;
        }
    }
    return first.kind == MDM_NUMBER_DIGIT || first.kind == MDM_NUMBER_TEEN || first.kind == MDM_NUMBER_TENS ||
           first.kind == MDM_NUMBER_COMPOUND;
}

/* "two hundred and ten", "two thousand one": the value of a cardinal that holds a "hundred" or "thousand". */
static bool cardinal(long *value, size_t *used, bool *large, const char *const *words, size_t count)
{
    long total = 0, part = 0;
    size_t at = 0;
    bool scaled = false;
    while (at < count) {
        long small;
        size_t step;
        mdm_number word = mdm_number_word(words[at]);
        if (word.kind == MDM_NUMBER_HUNDRED && part > 0 && part < 100) {
            part *= 100;
            at++;
            scaled = true;
        } else if (word.kind == MDM_NUMBER_THOUSAND && part > 0) {
            long factor = word.value == 3 ? 1000 : word.value == 6 ? 1000000 : 1000000000;
            total = part < 1000000 && factor < 1000000000 ? total + part * factor : total;
            part = 0;
            at++;
            scaled = true;
            *large = true;
        } else if (strcasecmp(words[at], "and") == 0 && scaled) {
            at++;
        } else if ((part == 0 || (scaled && part % 100 == 0)) && below_hundred(&small, &step, words + at, count - at)) {
            if (at > 0 && !scaled)
                break;
            part += small;
            at += step;
        } else {
            break;
        }
    }
    *value = total + part;
    *used = at;
    return scaled;
}

static size_t spell_one(speller *s, const char *const *words, size_t count)
{
    mdm_number word = mdm_number_word(words[0]);
    long value;
    size_t used = 1;
    switch (word.kind) {
    case MDM_NUMBER_DIGIT:
    case MDM_NUMBER_TEEN:
    case MDM_NUMBER_TENS:
    case MDM_NUMBER_COMPOUND:
        if (!cardinal(&value, &used, &s->out->large, words, count)) {
            below_hundred(&value, &used, words, count);
            s->out->singles += word.kind == MDM_NUMBER_DIGIT;
        }
        put_number(s, value);
        return used;
    case MDM_NUMBER_ORDINAL:
        put_number(s, word.value);
        return 1;
    case MDM_NUMBER_REPEAT:
        if (count > 1) {
            mdm_number next = mdm_number_word(words[1]);
            bool digit = next.kind == MDM_NUMBER_DIGIT;
            if (digit || next.kind == MDM_NUMBER_LETTER || next.kind == MDM_NUMBER_NATO) {
                for (int i = 0; i < word.value; i++)
                    put(s, (char)(digit ? '0' + next.value : next.value));
                s->out->singles += word.value;
                return 2;
            }
        }
        return 1;
    case MDM_NUMBER_LETTER:
    case MDM_NUMBER_NATO:
        put(s, (char)word.value);
        s->out->singles++;
        return 1;
    case MDM_NUMBER_WRITTEN: {
        bool amount = mdm_number_is_amount(words[0]);
        const char *text = words[0];
        if (strspn(text, "0123456789") == strlen(text) && strlen(text) < 4) { /* a plain short number can count */
            int digits = 0;
            sscanf(text, "%d", &digits);
            if (text[0] != '0' || !text[1]) {
                put_number(s, digits);
                s->out->singles += (int)strlen(text);
                return 1;
            }
        }
        for (; *text; text++)
            if (is_digit(*text)) {
                put(s, *text);
                s->out->singles += !amount;
            }
        return 1;
    }
    case MDM_NUMBER_MIXED:
        for (const char *c = words[0]; *c; c++)
            if (is_digit(*c) || is_letter(*c)) {
                put(s, is_digit(*c) ? *c : (char)(*c & ~0x20));
                s->out->singles++;
            }
        return 1;
    default:
        return 1;
    }
}

void mdm_number_spell(mdm_code *out, const char *const *words, size_t count)
{
    memset(out, 0, sizeof *out);
    speller s = {.out = out, .last = -100};
    for (size_t at = 0; at < count;)
        at += spell_one(&s, words + at, count - at);
    out->text[s.length] = '\0';
    out->countdown = s.longest >= 3 && s.longest + 1 >= 0.7 * s.numbers;
}

bool mdm_number_luhn(const char *digits)
{
    size_t length = strlen(digits);
    if (length < 13 || length > 19 || strspn(digits, "0123456789") != length)
        return false;
    int sum = 0;
    for (size_t i = 0; i < length; i++) {
        int digit = digits[length - 1 - i] - '0';
        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}
