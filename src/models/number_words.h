/* Numbers and spelling as people say or write them: "double five oh one" and "5501" are the same code. */
#ifndef MDM_MODELS_NUMBER_WORDS_H
#define MDM_MODELS_NUMBER_WORDS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum mdm_number_kind {
    MDM_NUMBER_NONE,
    MDM_NUMBER_DIGIT,    /* "seven", "oh": value 0..9 */
    MDM_NUMBER_TEEN,     /* "ten".."nineteen" */
    MDM_NUMBER_TENS,     /* "twenty".."ninety" */
    MDM_NUMBER_COMPOUND, /* "twenty-one" */
    MDM_NUMBER_HUNDRED,
    MDM_NUMBER_THOUSAND, /* "thousand", "million", "billion": value says which */
    MDM_NUMBER_REPEAT,   /* "double", "triple": value 2, 3 */
    MDM_NUMBER_POINT,    /* "point" */
    MDM_NUMBER_SIGN,     /* "plus", "minus" */
    MDM_NUMBER_ORDINAL,  /* "third", "3rd" */
    MDM_NUMBER_LETTER,   /* one letter */
    MDM_NUMBER_NATO,     /* "foxtrot": value is its letter */
    MDM_NUMBER_WRITTEN,  /* digits with separators: "555-0142", "(415)", "51.5074" */
    MDM_NUMBER_MIXED,    /* letters and digits, or a short word in capitals: "AB12", "CDE" */
} mdm_number_kind;

typedef struct mdm_number {
    mdm_number_kind kind;
    int value;
} mdm_number;

/* What one word is, by its text without outer punctuation. Letters of any case; "" is NONE. */
mdm_number mdm_number_word(const char *text);

/* How many digits follow the only point of a written number; 0 for anything else ("51.5074" is 4, "2.5.1" is 0). */
int mdm_number_decimals(const char *text);

/* True for a written amount that is no code: a percentage, money, a time ("17:45") or thousands ("1,250"). */
bool mdm_number_is_amount(const char *text);

/* The characters a run of words spells, and how they were said. */
typedef struct mdm_code {
    char text[96]; /* capitals and digits, NUL-terminated; cut at 95 */
    int digits, letters;
    int singles;    /* characters said or written one by one (not "hundred", "thousand", "twenty") */
    bool large;     /* a "thousand" or more was said: a quantity */
    bool countdown; /* most of the numbers step by one, up or down: someone is counting */
} mdm_code;

/* Spells `count` words (each as for mdm_number_word; other words are skipped). */
void mdm_number_spell(mdm_code *out, const char *const *words, size_t count);

/* True when the digits pass the Luhn check of payment cards and are 13 to 19 long. */
bool mdm_number_luhn(const char *digits);

#endif
