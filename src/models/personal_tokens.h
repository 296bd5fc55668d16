/* Inside of personal_text: words cut into tokens with what the rules ask of them. */
#ifndef MDM_MODELS_PERSONAL_TOKENS_H
#define MDM_MODELS_PERSONAL_TOKENS_H

#include "models/number_words.h"
#include "models/personal_text.h"

enum { MDM_TOKEN_SIZE = 64 };

#define MDM_TOKEN_UNSURE 0.5f /* a recogniser gives a word less than this where it may be another (docs/speech.md) */

typedef struct mdm_token {
    char text[MDM_TOKEN_SIZE]; /* without outer punctuation and without "'s" */
    char lower[MDM_TOKEN_SIZE];
    size_t word;
    mdm_number number;
    unsigned flags;   /* MDM_NAME_* */
    bool cap;         /* starts with a capital */
    bool opens;       /* first of a sentence */
    bool possessive;  /* had "'s" */
    bool lead_point;  /* the word began with "." or "@" */
    char after;       /* ',' or '.' ('!' and '?' too) that ended the word, else 0 */
    float p;          /* the recogniser's probability of the word; 1 in written text */
    signed char mark; /* -1, or the mdm_personal_kind found */
} mdm_token;

typedef struct mdm_text {
    mdm_token *tokens;
    size_t count;
    bool cased; /* capitals mean something in this text */
} mdm_text;

mdm_status mdm_text_tokenize(mdm_text *out, const mdm_word *words, size_t word_count, const mdm_name_lists *lists);

/* Marks tokens [first, last] that are not marked yet. */
void mdm_text_mark(mdm_text *text, size_t first, size_t last, mdm_personal_kind kind);

/* True when `lower` is one of the space-separated words of `list`. */
bool mdm_word_in(const char *list, const char *lower);

/* The token at `at`, or an empty one outside the text. */
const mdm_token *mdm_token_at(const mdm_text *text, size_t at);

bool mdm_token_ends_sentence(const mdm_token *token);
bool mdm_token_is_numeric(const mdm_token *token); /* a digit, number word or written number; no letter, no ordinal */

/* The rules, in the order they are tried; each marks what it finds. */
void mdm_rule_web(mdm_text *text); /* e-mail and web addresses */
void mdm_rule_coordinates(mdm_text *text);
void mdm_rule_birth(mdm_text *text);
void mdm_rule_address(mdm_text *text);
void mdm_rule_codes(mdm_text *text); /* phones, plates, cards, accounts, documents */
void mdm_rule_names(mdm_text *text);
void mdm_rule_unsure(mdm_text *text); /* words a recogniser is unsure of */

/* Shapes of number plates; `code` in capitals and digits. `strict` leaves out shapes that ordinary codes share. */
bool mdm_plate_shape(const char *code, bool strict);

#endif
