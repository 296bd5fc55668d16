/* transcript.json from what a backend of the transcribe stage heard (docs/formats.md). */
#ifndef MDM_STAGES_TRANSCRIPT_H
#define MDM_STAGES_TRANSCRIPT_H

#include <stddef.h>

#include "base/status.h"
#include "models/name_lists.h"
#include "models/personal_text.h"

/* Seconds from the sound's first sample. */
typedef struct mdm_stretch {
    double start, end;
} mdm_stretch;

/* What was heard; nothing in it is owned. All zeros but the language: nothing was said. */
typedef struct mdm_heard {
    const mdm_word *words; /* times from the sound's first sample */
    size_t count;
    const char *language; /* "en" */
    const mdm_stretch
        *rough; /* utterances whose words have no times of their own: a personal word in one costs all of it */
    size_t rough_count;
    const mdm_stretch *unheard; /* something is said there that nobody wrote down: cut like personal words */
    size_t unheard_count;
    double margin;       /* s cut more around personal words than for our own recogniser */
    const char *sent_to; /* host that the sound was sent to, NULL: it stayed here */
    const char *model;   /* of that host */
} mdm_heard;

/* Finds personal data in what was heard and writes the file. `shift` turns times into seconds from the first video frame. */
mdm_status mdm_transcript_write(const char *path, const mdm_heard *heard, const mdm_name_lists *lists, double shift);

#endif
