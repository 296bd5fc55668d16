/* Making a track's talking face, and reading it again. */
#include "stages/talking_face.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "face/portrait_crop.h"
#include "face/pose.h"
#include "media/writer.h"
#include "models/talking_models.h"
#include "models/voice_tokens.h"
#include "nn/gpu.h"

#define QUALITY 10.0 /* x264's constant rate factor: the face is encoded once more with the scene */

bool mdm_talking_wanted(mdm_talking_mode *mode, const mdm_settings *settings)
{
    *mode = strcmp(settings->animate, "echomimic-acc") ? MDM_TALKING_POSE : MDM_TALKING_POSE_ACC;
    return !strncmp(settings->animate, mdm_echomimic.name, strlen(mdm_echomimic.name));
}

static mdm_status open_model(mdm_talking **out, const mdm_settings *settings, int threads)
{
    char *folder = NULL;
    mdm_talking_mode mode;
    mdm_talking_wanted(&mode, settings);
    MDM_TRY(mdm_talking_model_folder(&folder, &mdm_echomimic));
    mdm_status status = mdm_talking_open(out, &(mdm_talking_options){folder, mode, MDM_STORE_F16, threads});
    mdm_free(&folder);
    return status;
}

mdm_status mdm_talking_ready(const mdm_settings *settings)
{
    mdm_talking *talking = NULL;
    mdm_talking_mode mode;
    if (!mdm_talking_wanted(&mode, settings))
        return MDM_OK;
    MDM_TRY(open_model(&talking, settings, 1));
    mdm_talking_free(&talking);
    return MDM_OK;
}

static mdm_status path_of(char **out, const char *folder, int track, const char *ending)
{
    return mdm_format(out, "%s/face-%d.%s", folder, track, ending);
}

/* Where the head is in the portrait when it is shown `side` px large. */
static void portrait_pose(mdm_pose *out, const mdm_image *portrait, const mdm_mesh *mesh, int side,
                          const mdm_canonical *canonical)
{
    const double scale = (double)side / portrait->width;
    mdm_pose_fit(out, mesh->point, canonical);
    out->scale *= scale;
    for (int k = 0; k < 2; k++)
        out->shift[k] = (out->shift[k] + 0.5) * scale - 0.5;
}

/* ---- making ---- */

typedef struct maker {
    const mdm_clip_work *work;
    const mdm_clip *clip;
    const mdm_motion *motion;
    mdm_talking *talking;
    int side;                                   /* of pictures, px */
    float (*landmarks)[MDM_LANDMARK_POINTS][2]; /* [motion->count] */
    double *times;                              /* [motion->count] in the voice */
    float *samples;
    size_t sample_count;
    bool mouth; /* the lips are drawn: nothing is heard that could move them */
    mdm_image canvas;
    char job[65];
} maker;

static mdm_status show(void *user, float *seen, int frame)
{
    maker *m = user;
    return mdm_landmarks_show(seen, &m->canvas, (const float(*)[2])m->landmarks[frame], m->side, m->mouth);
}

/* The clip's sound; nothing is heard where there is none, or where the mouth's movement is not the person's: the lips would say it. */
static mdm_status read_sound(maker *m, const mdm_motion_policy *policy)
{
    mdm_audio *audio = NULL;
    double start = 0;
    mdm_status status = MDM_OK;
    if (m->clip->has_audio && policy->mouth == MDM_KEEP)
        status = mdm_clip_open_audio(&audio, m->clip, MDM_VOICE_RATE, 1);
    if (!status && audio) {
        start = mdm_audio_describe(audio)->start;
        status = mdm_audio_read_all(&m->samples, &m->sample_count, audio, (size_t)1 << 31);
    }
    mdm_audio_free(&audio);
    m->mouth = m->sample_count < MDM_VOICE_RATE / 10;
    if (!status && m->mouth) {
        mdm_free(&m->samples);
        m->sample_count = (size_t)(mdm_clip_length(m->clip) * MDM_VOICE_RATE) + MDM_VOICE_RATE;
        status = mdm_alloc(&m->samples, m->sample_count, sizeof *m->samples, "silence");
    }
    for (int i = 0; i < m->motion->count && !status; i++)
        m->times[i] = mdm_clip_time(m->clip, (size_t)(m->motion->first + i)) - start;
    return status;
}

static mdm_status move(maker *m, const mdm_talking_standin *standin, const mdm_canonical *canonical)
{
    mdm_pose pose;
    portrait_pose(&pose, standin->portrait, standin->mesh, m->side, canonical);
    return mdm_motion_landmarks(&m->landmarks, m->motion, &pose, standin->shape, canonical);
}

/* Everything that the video depends on, but for the weights in their folder. */
static void name_job(maker *m, const mdm_image *portrait)
{
    const mdm_settings *settings = m->work->settings;
    const size_t count = (size_t)m->motion->count;
    unsigned char digest[32];
    mdm_sha256 hash;
    mdm_sha256_start(&hash);
    mdm_sha256_add(&hash, settings->animate, strlen(settings->animate));
    mdm_sha256_add(&hash, &settings->seed, sizeof settings->seed);
    mdm_sha256_add(&hash, &m->side, sizeof m->side);
    mdm_sha256_add(&hash, m->landmarks, count * sizeof *m->landmarks);
    mdm_sha256_add(&hash, m->times, count * sizeof *m->times);
    mdm_sha256_add(&hash, m->samples, m->sample_count * sizeof *m->samples);
    for (int y = 0; y < portrait->height; y++)
        mdm_sha256_add(&hash, portrait->data + (size_t)y * portrait->stride, 3 * (size_t)portrait->width);
    mdm_sha256_end(&hash, digest);
    mdm_sha256_text(m->job, digest);
}

/* Whether FOLDER/face-<track>.mp4 is of this job already: FOLDER/face-<track>.txt says of which it is. */
static bool is_made(const maker *m)
{
    char *video = NULL, *note = NULL;
    unsigned char *text = NULL;
    size_t size = 0;
    const bool made = !path_of(&video, m->work->folder, m->motion->track, "mp4") && mdm_file_exists(video) &&
                      !path_of(&note, m->work->folder, m->motion->track, "txt") && mdm_file_exists(note) &&
                      !mdm_file_read(&text, &size, note, 256) && !strcmp((char *)text, m->job);
    mdm_free(&text);
    mdm_free(&note);
    mdm_free(&video);
    return made;
}

static mdm_status note_made(const maker *m)
{
    char *note = NULL;
    MDM_TRY(path_of(&note, m->work->folder, m->motion->track, "txt"));
    mdm_status status = mdm_file_write(note, m->job, strlen(m->job));
    mdm_free(&note);
    return status;
}

static mdm_status look(const maker *m, const mdm_image *portrait)
{
    mdm_portrait_crop crop;
    mdm_image square = {0};
    mdm_portrait_crop_all(&crop, portrait->width, portrait->height); /* it is framed already */
    MDM_TRY(mdm_portrait_crop_picture(&square, &crop, portrait, m->side));
    mdm_status status = mdm_talking_look(m->talking, &square);
    mdm_image_free(&square);
    return status;
}

static mdm_status write_frames(const maker *m, mdm_writer *writer, mdm_frame *frame)
{
    for (int i = 0; i < m->motion->count; i++) {
        mdm_image picture = {0};
        MDM_TRY(mdm_talking_decode(m->talking, &picture, i));
        mdm_status status = mdm_frame_of_picture(frame, &picture);
        mdm_image_free(&picture);
        frame->number = frame->pts = i;
        if (!status)
            status = mdm_writer_video(writer, frame);
        MDM_TRY(status);
        if (!mdm_progress_update(m->work->progress, 0.9 + 0.1 * (i + 1) / m->motion->count, 1))
            return mdm_fail(MDM_ERR_CANCELLED, "cancelled after picture %d of %d", i + 1, m->motion->count);
    }
    return mdm_writer_finish(writer);
}

static mdm_status write_video(const maker *m)
{
    const mdm_writer_options options = {
        .width = m->side,
        .height = m->side,
        .time_base = {1, 25}, /* frames are counted, not timed */
        .aspect = {1, 1},
        .colour = {.matrix = 1, .primaries = 1, .transfer = 1},
        .threads = m->work->threads,
        .quality = QUALITY,
    };
    char *path = NULL;
    mdm_writer *writer = NULL;
    mdm_frame frame = {0};
    MDM_TRY(path_of(&path, m->work->folder, m->motion->track, "mp4"));
    mdm_status status = mdm_writer_open(&writer, path, &options);
    if (!status)
        status = write_frames(m, writer, &frame);
    mdm_frame_free(&frame);
    mdm_writer_free(&writer);
    mdm_free(&path);
    return status;
}

static bool drawn(void *user, double done, double total)
{
    const maker *m = user;
    return mdm_progress_update(m->work->progress, 0.9 * done / total, 1);
}

static mdm_status draw(maker *m)
{
    char *kept = NULL;
    const mdm_progress progress = {drawn, m};
    MDM_TRY(path_of(&kept, m->work->folder, m->motion->track, "run"));
    const mdm_talking_clip clip = {
        .frames = m->motion->count,
        .times = m->times,
        .show = show,
        .user = m,
        .overlap = -1,
        .guidance = -1,
        .open = true, /* a recording is no loop */
        .seed = m->work->settings->seed,
        .folder = kept,
        .job = m->job,
        .progress = &progress,
    };
    mdm_status status = mdm_talking_draw(m->talking, &clip);
    if (!status)
        status = write_video(m);
    if (!status) {
        mdm_talking_free(&m->talking);
        status = mdm_remove_tree(kept, true);
    }
    mdm_free(&kept);
    return status;
}

static void forget_sound(maker *m)
{
    if (m->samples)
        mdm_wipe(m->samples, m->sample_count * sizeof *m->samples);
    mdm_free(&m->samples);
}

static mdm_status make(maker *m, const mdm_image *portrait)
{
    MDM_TRY(mdm_talking_listen(m->talking, m->samples, m->sample_count));
    forget_sound(m);
    MDM_TRY(look(m, portrait));
    MDM_TRY(draw(m));
    return note_made(m);
}

mdm_status mdm_talking_face_make(const mdm_clip_work *work, const mdm_clip *clip, const mdm_motion *motion,
                                 const mdm_motion_policy *policy, const mdm_talking_standin *standin,
                                 const mdm_canonical *canonical)
{
    maker m = {.work = work, .clip = clip, .motion = motion};
    MDM_TRY(mdm_gpu_use(work->settings->device));
    MDM_TRY(open_model(&m.talking, work->settings, work->threads));
    m.side = mdm_talking_side(m.talking);
    mdm_status status = mdm_alloc(&m.times, (size_t)motion->count, sizeof *m.times, "times");
    if (!status)
        status = read_sound(&m, policy);
    if (!status)
        status = move(&m, standin, canonical);
    if (!status) {
        name_job(&m, standin->portrait);
        status = is_made(&m) ? MDM_OK : make(&m, standin->portrait);
    }
    mdm_image_free(&m.canvas);
    forget_sound(&m);
    mdm_free(&m.landmarks);
    mdm_free(&m.times);
    mdm_talking_free(&m.talking);
    return status;
}

/* ---- reading ---- */

struct mdm_talking_face {
    mdm_reader *reader;
    mdm_frame frame;
    int next, count;             /* of frames */
    mdm_talking_window *windows; /* [count] */
    char *path;
};

static mdm_status open_face(mdm_talking_face *f, const char *folder, const mdm_motion *motion,
                            const mdm_image *portrait, const mdm_mesh *mesh, const mdm_canonical *canonical)
{
    mdm_pose pose;
    f->count = motion->count;
    MDM_TRY(path_of(&f->path, folder, motion->track, "mp4"));
    if (!mdm_file_exists(f->path))
        return mdm_fail(MDM_ERR_INPUT, "%s is missing; run `mmdm animate` again", f->path);
    MDM_TRY(mdm_reader_open(&f->reader, f->path, NULL));
    const mdm_video_info *info = mdm_reader_video(f->reader);
    if (info->width != info->height)
        return mdm_fail(MDM_ERR_INPUT, "%s: %d x %d px, expected a square", f->path, info->width, info->height);
    MDM_TRY(mdm_alloc(&f->windows, (size_t)motion->count, sizeof *f->windows, "windows"));
    portrait_pose(&pose, portrait, mesh, info->width, canonical);
    return mdm_talking_windows(f->windows, motion, &pose);
}

mdm_status mdm_talking_face_open(mdm_talking_face **out, const char *folder, const mdm_motion *motion,
                                 const mdm_image *portrait, const mdm_mesh *mesh, const mdm_canonical *canonical)
{
    mdm_talking_face *f = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&f, 1, sizeof *f, "talking face"));
    mdm_status status = open_face(f, folder, motion, portrait, mesh, canonical);
    if (status)
        mdm_talking_face_free(&f);
    *out = f;
    return status;
}

void mdm_talking_face_free(mdm_talking_face **face)
{
    mdm_talking_face *f = *face;
    if (!f)
        return;
    mdm_frame_free(&f->frame);
    mdm_reader_free(&f->reader);
    mdm_free(&f->windows);
    mdm_free(&f->path);
    mdm_free(face);
}

mdm_status mdm_talking_face_at(const mdm_image **picture, mdm_talking_window *window, mdm_talking_face *face, int index)
{
    if (index < face->next - 1 || index >= face->count)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: frame %d after frame %d of %d", face->path, index, face->next - 1,
                        face->count);
    while (face->next <= index) {
        bool more = false;
        MDM_TRY(mdm_reader_next(&more, face->reader, &face->frame));
        if (!more)
            return mdm_fail(MDM_ERR_INPUT, "%s: %d frames, the motion has %d; run `mmdm animate` again", face->path,
                            face->next, face->count);
        face->next++;
    }
    MDM_TRY(mdm_frame_rgb(&face->frame, 0, 0, 0, 0));
    *picture = &face->frame.rgb;
    *window = face->windows[index];
    return MDM_OK;
}
