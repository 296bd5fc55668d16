/* The files of a talking portrait: picture, sound, motion or landmarks, noise. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "face/motion_file.h"
#include "face/portrait_crop.h"
#include "face/pose.h"
#include "face/single_face.h"
#include "face/standin.h"
#include "face/standin_landmarks.h"
#include "media/audio.h"
#include "models/echomimic.h"
#include "models/voice_tokens.h"
#include "nn/tensor_file.h"
#include "pipeline/job.h"
#include "pipeline/talk.h"

#define MAX_SECONDS (24 * 3600)
#define MAX_FRAMES  (1 << 22)
#define USUAL_FPS   24.0

/* What is needed to look for faces, opened where somebody looks. */
typedef struct eyes {
    mdm_face_detector *detector;
    mdm_face_mesh *mesher;
    char models[MDM_MAX_PATH];
} eyes;

static mdm_status open_eyes(eyes *e, const mdm_settings *settings)
{
    char weights[MDM_MAX_PATH];
    if (e->detector)
        return MDM_OK;
    MDM_TRY(mdm_job_find_folders(e->models, weights, settings));
    MDM_TRY(mdm_face_detector_new(&e->detector, e->models, 1));
    return mdm_face_mesh_new(&e->mesher, e->models, 1);
}

/* ---- the portrait ---- */

/* "X0,Y0,X1,Y1" */
static mdm_status read_box(double box[4], const char *text)
{
    const char *at = text;
    for (int i = 0; i < 4; i++) {
        char *end = NULL;
        box[i] = strtod(at, &end);
        if (end == at || !isfinite(box[i]) || *end != (i < 3 ? ',' : '\0'))
            return mdm_fail(MDM_ERR_USAGE, "--face %s: expected auto, none or a box X0,Y0,X1,Y1 in pixels", text);
        at = end + 1;
    }
    if (box[2] <= box[0] || box[3] <= box[1])
        return mdm_fail(MDM_ERR_USAGE, "--face %s: X1 and Y1 must be larger than X0 and Y0", text);
    return MDM_OK;
}

/* The largest face that is surely one; *found is false when there is none. */
static mdm_status find_box(double box[4], bool *found, eyes *e, const mdm_settings *settings, const mdm_image *picture)
{
    mdm_face_detection faces[16];
    int count = 0;
    float largest = 0;
    const float region[4] = {0, 0, (float)picture->width, (float)picture->height};
    MDM_TRY(open_eyes(e, settings));
    MDM_TRY(mdm_face_detector_run(faces, 16, &count, e->detector, picture, region, 0.5f));
    for (int i = 0; i < count; i++) {
        const mdm_face_detection *f = &faces[i];
        if (f->width * f->height <= largest)
            continue;
        largest = f->width * f->height;
        box[0] = (double)f->x, box[1] = (double)f->y;
        box[2] = (double)(f->x + f->width), box[3] = (double)(f->y + f->height);
    }
    *found = largest > 0;
    return MDM_OK;
}

static mdm_status choose_crop(mdm_portrait_crop *out, eyes *e, const mdm_settings *settings, const mdm_image *picture)
{
    const char *face = settings->talking.face;
    double box[4];
    bool found = false;
    if (!strcmp(face, "auto"))
        MDM_TRY(find_box(box, &found, e, settings, picture));
    else if (strcmp(face, "none") != 0) {
        MDM_TRY(read_box(box, face));
        found = true;
    }
    if (found)
        mdm_portrait_crop_find(out, box, picture->width, picture->height);
    else
        mdm_portrait_crop_all(out, picture->width, picture->height);
    if (!strcmp(face, "auto") && !found)
        mdm_log(MDM_LOG_WARN, "%s: no face is seen in it; all of it is taken (--face says where it is)",
                settings->talking.portrait);
    return MDM_OK;
}

static mdm_status read_portrait(mdm_talk_inputs *in, eyes *e, const mdm_settings *settings, bool posed, int side)
{
    mdm_image picture = {0};
    mdm_portrait_crop crop;
    MDM_TRY(mdm_image_read(&picture, settings->talking.portrait, 3));
    mdm_status status = choose_crop(&crop, e, settings, &picture);
    if (!status)
        status = mdm_portrait_crop_picture(&in->portrait, &crop, &picture, side);
    if (!status && !posed)
        status = mdm_alloc(&in->mask, (size_t)side * (size_t)side, sizeof *in->mask, "mask");
    if (!status && !posed)
        status = mdm_portrait_crop_mask(in->mask, &crop, picture.width, picture.height, side);
    mdm_image_free(&picture);
    return status;
}

/* ---- landmarks ---- */

/* Of every frame of a motion, for the face that is seen in the portrait. */
static mdm_status retarget(mdm_talk_inputs *in, eyes *e, const mdm_settings *settings, const mdm_motion *motion)
{
    mdm_mesh mesh;
    mdm_pose pose;
    bool found = false;
    mdm_canonical *canonical = NULL;
    mdm_standin *standin = NULL;
    MDM_TRY(open_eyes(e, settings));
    MDM_TRY(mdm_single_face(&found, &mesh, e->detector, e->mesher, &in->portrait));
    if (!found)
        return mdm_fail(MDM_ERR_INPUT, "%s: not exactly one face in it, which --motion needs; --landmarks does not",
                        settings->talking.portrait);
    mdm_status status = mdm_alloc(&canonical, 1, sizeof *canonical, "canonical face");
    if (!status)
        status = mdm_alloc(&standin, 1, sizeof *standin, "stand-in");
    if (!status)
        status = mdm_canonical_load(canonical, e->models);
    if (!status)
        status = mdm_standin_make(standin, &in->portrait, &mesh, canonical);
    if (!status) {
        mdm_pose_fit(&pose, (const float(*)[3])mesh.point, canonical);
        status = mdm_motion_landmarks(&in->landmarks, motion, &pose, (const float(*)[3])standin->shape, canonical);
    }
    in->frames = motion->count;
    in->fps = motion->fps;
    if (standin)
        mdm_standin_free(standin);
    mdm_free(&standin);
    mdm_free(&canonical);
    return status;
}

/* --motion: the folder of motion.json and motion.safetensors, or the latter. */
static mdm_status read_motion(mdm_talk_inputs *in, eyes *e, const mdm_settings *settings)
{
    const char *path = settings->talking.motion, *name = "motion.safetensors", *slash = strrchr(path, '/');
    char folder[MDM_MAX_PATH];
    mdm_motions motions = {0};
    snprintf(folder, sizeof folder, "%s", path);
    if (!strcmp(slash ? slash + 1 : path, name))
        snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    MDM_TRY(mdm_motions_read(&motions, folder));
    mdm_status status = motions.count > 0 ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "%s: no motion in it", path);
    int longest = 0;
    for (int i = 1; i < motions.count; i++)
        if (motions.motion[i].count > motions.motion[longest].count)
            longest = i;
    if (!status) {
        mdm_motion_without_loop(&motions.motion[longest]);
        status = retarget(in, e, settings, &motions.motion[longest]);
    }
    mdm_motions_free(&motions);
    return status;
}

static mdm_status read_landmarks(mdm_talk_inputs *in, const char *path)
{
    mdm_tensor_file *file = NULL;
    float *values = NULL;
    MDM_TRY(mdm_tensor_file_open(&file, path));
    const mdm_array *a = mdm_tensor_file_find(file, "landmarks");
    const char *fps = mdm_tensor_file_meta(file, "fps");
    mdm_status status = MDM_OK;
    if (!a || a->rank != 3 || a->shape[0] < 1 || a->shape[0] > MAX_FRAMES || a->shape[1] != MDM_LANDMARK_POINTS ||
        a->shape[2] < 2 || a->shape[2] > 3)
        status = mdm_fail(MDM_ERR_INPUT, "%s: expected a tensor \"landmarks\" of frames x %d x 2", path,
                          MDM_LANDMARK_POINTS);
    const size_t count = status ? 0 : mdm_array_count(a), width = status ? 2 : (size_t)a->shape[2];
    if (!status)
        status = mdm_alloc(&values, count, sizeof *values, "landmarks");
    if (!status)
        status = mdm_array_to_f32(values, count, a);
    if (!status)
        status = mdm_alloc(&in->landmarks, (size_t)a->shape[0], sizeof *in->landmarks, "landmarks");
    for (size_t i = 0; i < count / width && !status; i++)
        for (size_t k = 0; k < 2; k++)
            in->landmarks[i / MDM_LANDMARK_POINTS][i % MDM_LANDMARK_POINTS][k] = values[i * width + k];
    in->frames = status ? 0 : (int)a->shape[0];
    in->fps = fps ? strtod(fps, NULL) : 0;
    mdm_free(&values);
    mdm_tensor_file_free(&file);
    return status;
}

static mdm_status save_landmarks(const mdm_talk_inputs *in, const char *path)
{
    char fps[32];
    const mdm_array array = {
        .name = "landmarks",
        .rank = 3,
        .shape = {in->frames, MDM_LANDMARK_POINTS, 2},
        .data = in->landmarks,
        .size = (size_t)in->frames * sizeof *in->landmarks,
    };
    snprintf(fps, sizeof fps, "%.9g", in->fps);
    return mdm_safetensors_write(path, &array, 1, (const char *const[]){"fps", fps, NULL});
}

static mdm_status read_pose(mdm_talk_inputs *in, eyes *e, const mdm_settings *settings)
{
    const mdm_talking_settings *t = &settings->talking;
    if (!*t->motion == !*t->landmarks)
        return mdm_fail(MDM_ERR_USAGE, "a pose mode draws the face's landmarks: give either --motion or --landmarks");
    MDM_TRY(*t->motion ? read_motion(in, e, settings) : read_landmarks(in, t->landmarks));
    return *t->save_landmarks ? save_landmarks(in, t->save_landmarks) : MDM_OK;
}

/* ---- sound and noise ---- */

static mdm_status read_sound(mdm_talk_inputs *in, const mdm_settings *settings)
{
    const char *path = settings->talking.audio;
    mdm_audio *audio = NULL;
    if (!*path) { /* nothing is heard, as long as there are landmarks */
        in->sample_count = (size_t)(((double)in->frames / in->fps + 1) * MDM_VOICE_RATE);
        return mdm_alloc(&in->samples, in->sample_count, sizeof *in->samples, "silence");
    }
    MDM_TRY(mdm_audio_open(&audio, path, &(mdm_audio_options){.rate = MDM_VOICE_RATE, .channels = 1}));
    if (!audio)
        return mdm_fail(MDM_ERR_INPUT, "%s: there is no sound in it", path);
    mdm_status status =
        mdm_audio_read_all(&in->samples, &in->sample_count, audio, (size_t)MDM_VOICE_RATE * MAX_SECONDS);
    mdm_audio_free(&audio);
    return status;
}

/* side: of latents */
static mdm_status read_noise(mdm_talk_inputs *in, const mdm_talking_settings *t, int side)
{
    mdm_tensor_file *file = NULL;
    if (!*t->noise)
        return MDM_OK;
    MDM_TRY(mdm_tensor_file_open(&file, t->noise));
    const mdm_array *a = mdm_tensor_file_at(file, 0);
    const bool good = mdm_tensor_file_count(file) == 1 && a->rank == 4 && a->shape[0] >= 1 &&
                      a->shape[0] <= MAX_FRAMES && a->shape[1] == 4 && a->shape[2] == side && a->shape[3] == side;
    mdm_status status =
        good ? MDM_OK
             : mdm_fail(MDM_ERR_INPUT, "%s: expected one tensor of frames x 4 x %d x %d", t->noise, side, side);
    const size_t count = good ? mdm_array_count(a) : 0;
    if (!status)
        status = mdm_alloc(&in->noise, count, sizeof *in->noise, "noise");
    if (!status)
        status = mdm_array_to_f32(in->noise, count, a);
    in->noise_frames = good ? (int)a->shape[0] : 0;
    mdm_tensor_file_free(&file);
    return status;
}

/* ---- all of them ---- */

static mdm_status read_all(mdm_talk_inputs *in, eyes *e, const mdm_settings *settings, bool posed, int side)
{
    const mdm_talking_settings *t = &settings->talking;
    if (!*t->portrait)
        return mdm_fail(MDM_ERR_USAGE, "whose face is to talk? Give --portrait PICTURE");
    if (!posed && !*t->audio)
        return mdm_fail(MDM_ERR_USAGE, "what is it to say? Give --audio FILE");
    if (!posed && (*t->motion || *t->landmarks))
        return mdm_fail(MDM_ERR_USAGE, "--mode %s does not look at landmarks; pose and pose-acc do", t->mode);
    MDM_TRY(read_portrait(in, e, settings, posed, side));
    if (posed)
        MDM_TRY(read_pose(in, e, settings));
    if (t->fps > 0 && t->fps < 1)
        return mdm_fail(MDM_ERR_USAGE, "--fps %g: expected 1 to 1000, or 0 for that of the landmarks", t->fps);
    if (t->fps > 0)
        in->fps = t->fps;
    if (!(in->fps >= 1 && in->fps <= 1000))
        in->fps = USUAL_FPS;
    MDM_TRY(read_sound(in, settings));
    return read_noise(in, t, side / MDM_ECHOMIMIC_LOCATOR_DOWN);
}

mdm_status mdm_talk_read(mdm_talk_inputs *out, const mdm_settings *settings, const mdm_talking_recipe *recipe, int side)
{
    eyes e = {0};
    memset(out, 0, sizeof *out);
    mdm_status status = read_all(out, &e, settings, recipe->posed, side);
    mdm_face_detector_free(&e.detector);
    mdm_face_mesh_free(&e.mesher);
    if (status)
        mdm_talk_inputs_free(out);
    return status;
}

void mdm_talk_forget_sound(mdm_talk_inputs *inputs)
{
    if (inputs->samples)
        mdm_wipe(inputs->samples, inputs->sample_count * sizeof *inputs->samples);
    mdm_free(&inputs->samples);
    inputs->sample_count = 0;
}

void mdm_talk_inputs_free(mdm_talk_inputs *inputs)
{
    mdm_image_free(&inputs->portrait);
    mdm_free(&inputs->mask);
    mdm_free(&inputs->landmarks);
    mdm_talk_forget_sound(inputs);
    mdm_free(&inputs->noise);
}
