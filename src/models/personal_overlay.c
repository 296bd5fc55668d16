/* Short texts burnt into a picture or printed on a plate, as OCR reads them. */
#include <ctype.h>
#include <string.h>

#include "models/personal_tokens.h"

enum { MOST = 95 };

/* Capitals and digits only; returns their number. */
static size_t squeeze(char out[MOST + 1], const char *reading)
{
    size_t length = 0;
    for (; *reading && length < MOST; reading++) {
        unsigned char c = (unsigned char)*reading;
        if (isalnum(c) && c < 0x80)
            out[length++] = (char)toupper(c);
    }
    out[length] = '\0';
    return length;
}

/* Digits of the reading, with the letters OCR takes for digits turned back. */
static char as_digit(char c)
{
    static const char FROM[] = "OoQDIl|SsBZz", TO[] = "000011155822";
    const char *at = c ? strchr(FROM, c) : NULL;
    return at ? TO[at - FROM] : c;
}

static bool digit_like(char c)
{
    c = as_digit(c);
    return c >= '0' && c <= '9';
}

/* Matches digits ('9'), any separator ('/') and literals of `form` at `text`; a separator may be missing or doubled. */
static bool form_at(const char *text, const char *form)
{
    for (; *form; form++) {
        if (*form == '9') {
            if (!digit_like(*text))
                return false;
            text++;
        } else if (*form == '/') {
            if (!strchr("/-.: ", *text) || !*text)
                return false;
            text++;
        } else if (*form == ':') {
            if (!strchr(":;.", *text) || !*text)
                return false;
            text++;
            if (*text == ' ')
                text++;
        }
    }
    return true;
}

static bool has_form(const char *text, const char *form)
{
    for (size_t i = 0; text[i]; i++)
        if ((i == 0 || !digit_like(text[i - 1])) && form_at(text + i, form))
            return true;
    return false;
}

static bool has_word(const char *reading, const char *const *words)
{
    char lower[MOST + 1];
    size_t length = 0;
    for (; reading[length] && length < MOST; length++)
        lower[length] = (char)tolower((unsigned char)reading[length]);
    lower[length] = '\0';
    for (; *words; words++)
        if (strstr(lower, *words))
            return true;
    return false;
}

static bool is_coordinates(const char *reading)
{
    int fine = 0, degrees = 0, compass = 0, digits = 0;
    for (const char *c = reading; *c; c++) {
        digits += isdigit((unsigned char)*c) != 0;
        if (*c == '.' && c > reading && digit_like(c[-1])) {
            int decimals = 0;
            while (digit_like(c[1 + decimals]))
                decimals++;
            fine += decimals >= 3;
        }
        degrees += (unsigned char)*c == 0xC2 && (unsigned char)c[1] == 0xB0;
        bool alone = (c == reading || !isalpha((unsigned char)c[-1])) && !isalpha((unsigned char)c[1]);
        compass += alone && *c && strchr("NSEW", *c) != NULL;
    }
    static const char *const WORDS[] = {"lat", "lon", "gps", NULL};
    return fine >= 2 || (fine >= 1 && compass) || (degrees >= 1 && compass && digits >= 3) ||
           (digits >= 4 && fine >= 1 && has_word(reading, WORDS));
}

bool mdm_personal_text_plate(const char *reading)
{
    char code[MOST + 1];
    if (squeeze(code, reading) > 10)
        return false;
    if (mdm_plate_shape(code, false))
        return true;
    /* German and other plates: a place, letters, digits, with a gap or a dash after the place */
    size_t place = strcspn(reading, "- ");
    size_t letters = strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), length = strlen(code);
    size_t digits = strspn(code + letters, "0123456789");
    if (reading[place] && place <= 3 && letters >= 2 && letters <= 5 && digits >= 2 && digits <= 4 &&
        letters + digits >= length - 1)
        return true;
    /* the usual confusions, tried one at a time: O/0, I/1, S/5, B/8, Z/2 */
    static const char PAIRS[][2] = {{'O', '0'}, {'0', 'O'}, {'I', '1'}, {'1', 'I'}, {'S', '5'},
                                    {'5', 'S'}, {'B', '8'}, {'8', 'B'}, {'Z', '2'}, {'2', 'Z'}};
    for (size_t i = 0; i < length; i++)
        for (size_t k = 0; k < sizeof PAIRS / sizeof *PAIRS; k++)
            if (code[i] == PAIRS[k][0]) {
                code[i] = PAIRS[k][1];
                bool fits = mdm_plate_shape(code, true);
                code[i] = PAIRS[k][0];
                /* all-letter and all-digit readings are words and numbers, not plates misread */
                if (fits && letters > 0 && strpbrk(code, "0123456789"))
                    return true;
            }
    return false;
}

mdm_overlay_kind mdm_personal_text_overlay(const char *reading)
{
    static const char *const SPEED_UNITS[] = {"km/h", "kmh", "kmn", "km/n", "mph", "kph", "knots", NULL};
    static const char *const MONTHS[] = {"jan ", "feb ", "mar ", "apr ", "may ", "jun ", "jul ",
                                         "aug ", "sep ", "oct ", "nov ", "dec ", NULL};
    if (is_coordinates(reading))
        return MDM_OVERLAY_COORDINATES;
    if (has_form(reading, "99:99:99") || has_form(reading, "99:99"))
        return MDM_OVERLAY_TIME;
    if (has_form(reading, "9999/99/99") || has_form(reading, "99/99/9999") || has_form(reading, "99/99/99") ||
        (has_word(reading, MONTHS) && strpbrk(reading, "0123456789")))
        return MDM_OVERLAY_DATE;
    if (has_word(reading, SPEED_UNITS) && strpbrk(reading, "0123456789"))
        return MDM_OVERLAY_SPEED;
    return mdm_personal_text_plate(reading) ? MDM_OVERLAY_PLATE : MDM_OVERLAY_NONE;
}
