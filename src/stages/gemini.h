/* Google's Gemini as a listener: the REST interface of generateContent and the Files API, for the transcribe backend `gemini`. Sound leaves the
 * machine here and nowhere else. */
#ifndef MDM_STAGES_GEMINI_H
#define MDM_STAGES_GEMINI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/memory.h"

typedef struct mdm_gemini mdm_gemini;

typedef struct mdm_gemini_settings {
    const char *model;    /* "gemini-3.5-transcribe"; one without "transcribe" in its name is asked in words */
    const char *language; /* code, or "auto" */
    const char *ledger;   /* file that names the uploads which are not deleted yet */
    const mdm_progress *progress;
} mdm_gemini_settings;

/* The key is taken from GEMINI_API_KEY; MMDM_GEMINI_BASE replaces Google's address (https, or http to this machine), MMDM_GEMINI_TIMEOUT the
 * 300 s that one answer may take. MDM_ERR_CONFIG when one of them is not there or not possible. */
mdm_status mdm_gemini_open(mdm_gemini **out, const mdm_gemini_settings *settings);
void mdm_gemini_free(mdm_gemini **gemini);

const char *mdm_gemini_host(const mdm_gemini *gemini); /* where the sound goes */
bool mdm_gemini_is_dedicated(const char *model);       /* a model made for transcription */

/* A word; times are seconds from the piece's first sample. */
typedef struct mdm_gemini_word {
    size_t text; /* offset into the answer's pool */
    double start, end;
} mdm_gemini_word;

/* What came back for one piece. */
typedef struct mdm_gemini_answer {
    mdm_gemini_word *words;
    size_t count, room;
    mdm_buffer pool; /* the words' texts, NUL-terminated */
    char language[16];
    bool timed;       /* every word has its own time, and they can be true */
    bool cut_short;   /* the answer ended too early: ask for less at once */
    char refused[32]; /* Google's reason for no answer ("SPII", "SAFETY"), or "" */
} mdm_gemini_answer;

/* Sends one piece of sound (FLAC, of `seconds`) and reads the answer; what was uploaded for it is deleted again. MDM_ERR_AGAIN: the quota is
 * used up or Google does not answer; MDM_ERR_CONFIG: the key, the region or the model; MDM_ERR_CANCELLED. */
mdm_status mdm_gemini_listen(mdm_gemini_answer *out, mdm_gemini *gemini, const mdm_buffer *flac, double seconds);
void mdm_gemini_answer_free(mdm_gemini_answer *answer);

/* Reads the text of an answer, as mdm_gemini_listen does. MDM_ERR_INPUT when it is none. */
mdm_status mdm_gemini_read(mdm_gemini_answer *out, const char *text, size_t size, bool dedicated, double seconds);

/* Deletes the uploads that `ledger` names, which a process left that was stopped; no such file is fine. The file goes when all are gone. */
mdm_status mdm_gemini_sweep(const char *ledger);

#endif
