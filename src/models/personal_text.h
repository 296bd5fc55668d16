/* Finds personal data in words, spoken or written: names, phone numbers, addresses, e-mail, plates, documents, cards,
 * accounts, dates of birth, coordinates and web addresses. Rules of our own plus lists of names. */
#ifndef MDM_MODELS_PERSONAL_TEXT_H
#define MDM_MODELS_PERSONAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "models/name_lists.h"

typedef enum mdm_personal_kind {
    MDM_PERSONAL_NAME,
    MDM_PERSONAL_PHONE,
    MDM_PERSONAL_ADDRESS,
    MDM_PERSONAL_EMAIL,
    MDM_PERSONAL_URL,
    MDM_PERSONAL_PLATE,
    MDM_PERSONAL_CARD,    /* payment card, also its last digits */
    MDM_PERSONAL_ACCOUNT, /* bank account, IBAN, sort code */
    MDM_PERSONAL_ID,      /* passport, licence, social security, member numbers */
    MDM_PERSONAL_BIRTH,   /* date of birth */
    MDM_PERSONAL_COORDINATES,
    MDM_PERSONAL_KINDS
} mdm_personal_kind;

const char *mdm_personal_kind_name(mdm_personal_kind kind); /* "phone" */

/* One recognised word. `text` may carry punctuation ("five,"); times in seconds. */
typedef struct mdm_word {
    const char *text;
    double start, end;
    float p; /* the recogniser's probability; 1 for clean text */
} mdm_word;

/* Words [first, last] hold one piece of personal data. */
typedef struct mdm_personal_span {
    mdm_personal_kind kind;
    size_t first, last;
    double start, end; /* of the first and the last word */
} mdm_personal_span;

/* Finds spans in reading order, none overlapping. `lists` may be NULL: then names are found by introductions and titles
 * alone. Text without capitals is read more cautiously. At most 2^24 words. Caller frees *spans with mdm_free. */
mdm_status mdm_personal_find(mdm_personal_span **spans, size_t *span_count, const mdm_word *words, size_t word_count,
                             const mdm_name_lists *lists);

/* Seconds to cut before a span's start and after its end: a recogniser's word times are good to about 0.1 s, and where a
 * number begins, which it writes as one word, they are late (docs/speech.md). */
void mdm_personal_margins(double *early, double *late, const mdm_personal_span *span, const mdm_word *words);

/* The words joined by spaces, each span replaced by its placeholder ("my number is [PHONE]."). Caller frees *out. */
mdm_status mdm_personal_redact(char **out, const mdm_word *words, size_t word_count, const mdm_personal_span *spans,
                               size_t span_count);

/* What a short burnt-in or printed text reads as. */
typedef enum mdm_overlay_kind {
    MDM_OVERLAY_NONE,
    MDM_OVERLAY_PLATE,
    MDM_OVERLAY_DATE,
    MDM_OVERLAY_TIME, /* also a date and a time together */
    MDM_OVERLAY_SPEED,
    MDM_OVERLAY_COORDINATES,
} mdm_overlay_kind;

/* Classifies one OCR reading, tolerant of its usual confusions (O for 0, I for 1, missing spaces). */
mdm_overlay_kind mdm_personal_text_overlay(const char *reading);

/* True when the reading has the shape of a number plate (letters and digits in a known order, 4 to 9 characters). */
bool mdm_personal_text_plate(const char *reading);

#endif
