/* The transcribe backend `gemini`, which sends the sound away (gemini.h). */
#ifndef MDM_STAGES_TRANSCRIBE_GEMINI_H
#define MDM_STAGES_TRANSCRIBE_GEMINI_H

#include "media/audio.h"
#include "models/name_lists.h"
#include "stages/stage.h"

/* The file in a clip's work folder that names uploads which are not deleted yet. */
#define MDM_GEMINI_LEDGER "gemini-uploads.txt"

/* Writes the transcript at `path`. `length` of the sound in seconds, for the progress. */
mdm_status mdm_transcribe_gemini(const mdm_clip_work *work, mdm_audio *audio, double length, const char *path,
                                 const mdm_name_lists *lists);

#endif
