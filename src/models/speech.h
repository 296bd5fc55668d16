/* Speech recognition: whisper.cpp behind a stream of 16 kHz samples, words with times out. */
#ifndef MDM_MODELS_SPEECH_H
#define MDM_MODELS_SPEECH_H

#include <stddef.h>

#include "base/status.h"
#include "models/personal_text.h"
#include "models/vad.h"

enum { MDM_SPEECH_RATE = 16000 };

typedef struct mdm_speech mdm_speech;

/* Loads a whisper.cpp model file of any size (models/whisper_models.h finds it), which is checked first. `threads` must be a constant of the job: the words may
 * depend on it in the last bit. MDM_ERR_DEVICE when the file is missing, MDM_ERR_INPUT when it is no model. */
mdm_status mdm_speech_open(mdm_speech **out, const char *model_path, int threads);
void mdm_speech_free(mdm_speech **speech);

/* The language spoken: a code ("de"), or "auto", the default, which finds it out in the first window that leaves no doubt (a model of
 * English only takes it for English). MDM_ERR_CONFIG: not a language, or not one of the model's. */
mdm_status mdm_speech_set_language(mdm_speech *speech, const char *language);
/* Its code as far as it is known, "und" (undetermined) before. */
const char *mdm_speech_language(const mdm_speech *speech);

/* Leaves out windows in which nobody speaks: where speech is nowhere even a fifth likely, so that what is faint is still listened to. Without a
 * detector only silence is left out. It stays the caller's. */
void mdm_speech_use_vad(mdm_speech *speech, mdm_vad *vad);

/* Starts a new recording; words found so far are forgotten. */
void mdm_speech_reset(mdm_speech *speech);

/* Feeds mono samples. A window is recognised whenever 30 s are full: cut at its quietest moment, silence left out.
 * Memory does not grow with the recording but for the words. */
mdm_status mdm_speech_feed(mdm_speech *speech, const float *samples, size_t count);

/* Recognises what is left. Words are in order; times are seconds from the first sample fed; they belong to `speech`
 * until the next reset or free. */
mdm_status mdm_speech_finish(mdm_speech *speech, const mdm_word **words, size_t *count);

/* Word error rate of `words` against a reference (substitutions, deletions and insertions per reference word), both
 * lower-cased, without punctuation, numbers spelled the same way. For tests and verify. */
mdm_status mdm_word_error_rate(double *out, const char *reference, const char *recognised);

#endif
