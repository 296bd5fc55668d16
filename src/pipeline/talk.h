/* Talking portraits: what mdm_animate_portrait does (mmdm.h), with settings. */
#ifndef MDM_PIPELINE_TALK_H
#define MDM_PIPELINE_TALK_H

#include "base/settings.h"
#include "media/image.h"
#include "models/talking_portrait.h"

/* `settings`: of MDM_FOR_TALKING. */
mdm_status mdm_talk(const mdm_settings *settings);

/* What the networks are given, read from the files that the settings name. */
typedef struct mdm_talk_inputs {
    mdm_image portrait;         /* square, as it is seen */
    float *mask;                /* [side][side]: where the face is; NULL in the pose modes */
    float (*landmarks)[478][2]; /* [frames] px of the portrait; NULL in the audio modes */
    float *samples;             /* of the sound, 16 kHz */
    size_t sample_count;
    double fps;
    int frames;   /* of landmarks; 0 in the audio modes: as many as the sound has */
    float *noise; /* [noise_frames][4][side / 8][side / 8], or NULL */
    int noise_frames;
} mdm_talk_inputs;

/* `side`: of pictures, px. */
mdm_status mdm_talk_read(mdm_talk_inputs *out, const mdm_settings *settings, const mdm_talking_recipe *recipe,
                         int side);
void mdm_talk_forget_sound(mdm_talk_inputs *inputs); /* once it has been listened to */
void mdm_talk_inputs_free(mdm_talk_inputs *inputs);

#endif
