/* A talking portrait: from the options to a video on disk. */
#include "pipeline/talk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "face/landmark_drawing.h"
#include "media/sound.h"
#include "media/writer.h"
#include "models/talking_models.h"
#include "nn/gpu.h"
#include "nn/tensor_file.h"
#include "pipeline/progress.h"
#include "pipeline/talk.h"
#include "pipeline/worker.h"

/* Shares of the time that a clip takes. */
#define DRAW_WEIGHT   1.0
#define DECODE_WEIGHT 0.2

/* One call of mdm_talk. */
typedef struct job {
    const mdm_settings *settings;
    const mdm_talking_settings *options;
    mdm_talking_mode mode;
    mdm_talking *talking;
    mdm_talk_inputs in;
    int frames, side; /* side: of pictures, px */
    mdm_image canvas; /* of landmarks */
    mdm_display *display;
    const char *stage;
    char *folder; /* where the run is kept; NULL: nowhere */
} job;

/* ---- what is seen meanwhile ---- */

static bool moved(void *user, double done, double total)
{
    job *j = user;
    mdm_display_moved(j->display, "video", j->stage, 0, total > 0 ? done / total : 1);
    mdm_display_draw(j->display);
    return !mdm_pool_stop_asked();
}

static void begin(job *j, const char *stage, double weight)
{
    j->stage = stage;
    mdm_display_add_total(j->display, weight);
    mdm_display_started(j->display, "video", stage, weight);
    mdm_display_draw(j->display);
}

static mdm_status end(job *j, double weight, mdm_status status)
{
    mdm_display_ended(j->display, "video", j->stage, weight, status ? "failed" : "done");
    return status;
}

/* ---- drawing ---- */

/* What the face locator sees of a frame, of `side` px. */
static mdm_status show(void *user, float *seen, int frame)
{
    job *j = user;
    if (!j->in.mask)
        return mdm_landmarks_show(seen, &j->canvas, (const float(*)[2])j->in.landmarks[frame], j->side,
                                  j->options->mouth);
    memcpy(seen, j->in.mask, (size_t)j->side * (size_t)j->side * sizeof *seen);
    return MDM_OK;
}

/* As many as there are of everything. */
static mdm_status count_frames(job *j)
{
    const mdm_talk_inputs *in = &j->in;
    j->frames = in->frames;
    if (*j->options->audio) {
        const int heard = mdm_talking_frames(j->talking, in->fps);
        j->frames = in->frames && in->frames < heard ? in->frames : heard;
    }
    if (j->options->frames && j->options->frames < j->frames)
        j->frames = j->options->frames;
    if (in->noise && in->noise_frames < j->frames)
        return mdm_fail(MDM_ERR_INPUT, "%s: noise for %d frames, the video has %d (--frames)", j->options->noise,
                        in->noise_frames, j->frames);
    return MDM_OK;
}

/* What else the run depends on: where the face is, and how it moves. */
static void name_inputs(char out[65], const job *j)
{
    const size_t area = (size_t)j->side * (size_t)j->side;
    unsigned char digest[32];
    mdm_sha256 hash;
    mdm_sha256_start(&hash);
    if (j->in.mask)
        mdm_sha256_add(&hash, j->in.mask, area * sizeof *j->in.mask);
    if (j->in.landmarks)
        mdm_sha256_add(&hash, j->in.landmarks, (size_t)j->in.frames * sizeof *j->in.landmarks);
    mdm_sha256_add(&hash, j->options->mouth ? "mouth" : "", j->options->mouth ? 5 : 0);
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(out, digest);
}

static mdm_status draw(job *j)
{
    char inputs[65];
    const mdm_progress progress = {moved, j};
    name_inputs(inputs, j);
    const mdm_talking_clip clip = {
        .frames = j->frames,
        .fps = j->in.fps,
        .show = show,
        .user = j,
        .steps = j->options->steps,
        .window = j->options->window,
        .overlap = j->options->overlap,
        .guidance = j->options->guidance > 0 ? (float)j->options->guidance : -1,
        .open = j->options->open_loop,
        .seed = j->settings->seed,
        .noise = j->in.noise,
        .folder = j->folder,
        .job = inputs,
        .progress = &progress,
    };
    begin(j, "draw", DRAW_WEIGHT);
    mdm_status status = end(j, DRAW_WEIGHT, mdm_talking_draw(j->talking, &clip));
    if (status == MDM_ERR_CANCELLED && j->folder)
        mdm_fail_context(status, "%s keeps what is done; the same command goes on", j->folder);
    return status;
}

/* ---- the video ---- */

static mdm_status write_frames(job *j, mdm_writer *writer, mdm_sound *sound, mdm_frame *frame)
{
    for (int i = 0; i < j->frames; i++) {
        mdm_image picture = {0};
        MDM_TRY(mdm_talking_decode(j->talking, &picture, i));
        mdm_status status = mdm_frame_of_picture(frame, &picture);
        mdm_image_free(&picture);
        frame->number = i;
        frame->pts = 1000 * (int64_t)i;
        frame->time = i / j->in.fps;
        if (!status)
            status = mdm_writer_video(writer, frame);
        if (!status && sound)
            status = mdm_sound_write(sound, writer, (i + 1) / j->in.fps);
        MDM_TRY(status);
        if (!moved(j, i + 1, j->frames))
            return mdm_fail(MDM_ERR_CANCELLED, "cancelled after frame %d of %d", i + 1, j->frames);
    }
    return mdm_writer_finish(writer);
}

/* With the sound as it was recorded, as far as there are pictures. */
static mdm_status write_video(job *j)
{
    mdm_audio *audio = NULL;
    mdm_sound *sound = NULL;
    mdm_writer *writer = NULL;
    mdm_frame frame = {0};
    mdm_writer_options options = {
        .width = j->side,
        .height = j->side,
        .time_base = {1, (int)lrint(1000 * j->in.fps)},
        .fps = j->in.fps,
        .aspect = {1, 1},
        .colour = {.matrix = 1, .primaries = 1, .transfer = 1}, /* BT.709, as mdm_frame_blank */
        .threads = 2,
        .mark = MDM_MARK_BEGINS "a talking portrait by mmdm",
    };
    mdm_status status =
        *j->options->audio ? mdm_audio_open(&audio, j->options->audio, &(mdm_audio_options){.channels = 0}) : MDM_OK;
    if (!status && audio) {
        const mdm_audio_info *info = mdm_audio_describe(audio);
        options.audio_rate = info->rate;
        options.audio_channels = info->channels;
        status = mdm_sound_new(&sound, audio, NULL, 0);
    }
    if (!status)
        status = mdm_writer_open(&writer, j->settings->output, &options);
    begin(j, "decode", DECODE_WEIGHT);
    if (!status)
        status = write_frames(j, writer, sound, &frame);
    end(j, DECODE_WEIGHT, status);
    mdm_frame_free(&frame);
    mdm_writer_free(&writer);
    mdm_sound_free(&sound);
    mdm_audio_free(&audio);
    return status;
}

static mdm_status save_latents(const job *j)
{
    const int64_t side = j->side / mdm_talking_factor(j->talking);
    const mdm_array array = {
        .name = "latents",
        .rank = 4,
        .shape = {j->frames, 4, side, side},
        .data = mdm_talking_latents(j->talking),
        .size = (size_t)(j->frames * 4 * side * side) * sizeof(float),
    };
    return mdm_safetensors_write(j->options->save_latents, &array, 1, NULL);
}

/* ---- all of it ---- */

static int threads(const mdm_talking_settings *options)
{
    long count = options->threads ? options->threads : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 64 ? 64 : (int)count;
}

static mdm_status choose_mode(job *j)
{
    const mdm_talking_settings *o = j->options;
    const char *name = *o->mode ? o->mode : *o->motion || *o->landmarks ? "pose" : "audio";
    return mdm_talking_mode_named(&j->mode, name);
}

static mdm_status open_model(job *j)
{
    char *folder = NULL;
    mdm_store store = MDM_STORE_F32;
    MDM_TRY(mdm_store_named(&store, j->options->precision));
    MDM_TRY(mdm_gpu_use(j->options->device));
    MDM_TRY(*j->options->model ? mdm_strdup(&folder, j->options->model)
                               : mdm_talking_model_folder(&folder, &mdm_echomimic));
    mdm_status status =
        mdm_talking_open(&j->talking, &(mdm_talking_options){folder, j->mode, store, threads(j->options)});
    if (!status) {
        j->side = j->options->size ? j->options->size : mdm_talking_side(j->talking);
        status = mdm_talking_check_side(j->talking, j->side);
    }
    mdm_free(&folder);
    return status;
}

static mdm_status run(job *j)
{
    const char *output = j->settings->output;
    if (!*output && !*j->options->save_latents)
        return mdm_fail(MDM_ERR_USAGE, "nothing to write: give -o VIDEO.mp4 or --save-latents FILE");
    MDM_TRY(choose_mode(j));
    MDM_TRY(open_model(j));
    MDM_TRY(mdm_talk_read(&j->in, j->settings, &mdm_talking_recipes[j->mode], j->side));
    if (*output)
        MDM_TRY(mdm_format(&j->folder, "%s.run", output));
    MDM_TRY(mdm_talking_listen(j->talking, j->in.samples, j->in.sample_count));
    mdm_talk_forget_sound(&j->in);
    MDM_TRY(count_frames(j));
    MDM_TRY(mdm_talking_look(j->talking, &j->in.portrait));
    MDM_TRY(mdm_display_new(&j->display, 0, j->settings->verbosity < 0));
    mdm_log(MDM_LOG_INFO, "%d frames at %g a second, %d x %d px, mode %s", j->frames, j->in.fps, j->side, j->side,
            mdm_talking_recipes[j->mode].name);
    MDM_TRY(draw(j));
    if (*j->options->save_latents)
        MDM_TRY(save_latents(j));
    if (!*output)
        return MDM_OK;
    MDM_TRY(write_video(j));
    mdm_event(json_pack("{s:s, s:s, s:i}", "event", "video", "file", output, "frames", j->frames));
    mdm_talking_free(&j->talking); /* its latents are in the folder */
    return mdm_remove_tree(j->folder, false);
}

mdm_status mdm_talk(const mdm_settings *settings)
{
    job j = {.settings = settings, .options = &settings->talking};
    mdm_status status = run(&j);
    mdm_display_free(&j.display);
    mdm_image_free(&j.canvas);
    mdm_talk_inputs_free(&j.in);
    mdm_talking_free(&j.talking);
    mdm_free(&j.folder);
    return status;
}
