/* What verify measures on the sound: how far the voice moved, whether the words can still be recognised, whether personal
 * words are gone. */
#ifndef MDM_STAGES_VERIFY_SOUND_H
#define MDM_STAGES_VERIFY_SOUND_H

#include <jansson.h>

#include "media/clip_file.h"
#include "stages/stage.h"

typedef struct mdm_sound_evidence {
    double shift_ms;       /* of the result's sound against its picture, beyond the recording's own */
    json_t *voice, *words; /* owned; NULL where they do not apply */
} mdm_sound_evidence;

/* `compose`: compose.json; `media`: the result. */
mdm_status mdm_verify_sound(mdm_sound_evidence *out, const mdm_clip_work *work, const mdm_clip *clip,
                            const json_t *compose, const char *media);

#endif
