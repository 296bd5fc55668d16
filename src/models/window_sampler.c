/* Windows over a clip, step by step, and the record from which a stopped run goes on. */
#define _POSIX_C_SOURCE 200809L /* ftruncate */
#include "models/window_sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/velocity_sampler.h"
#include "nn/tensor_file.h"

/* ---- where windows lie ---- */

static bool is_one(const mdm_windows *w)
{
    return w->frames <= w->size;
}

/* Of an open clip: where the first window would begin if there were frames before the first one. */
static int open_start(const mdm_windows *w, int step)
{
    const int stride = w->size - w->overlap, offset = (int)((long long)w->shift * step % stride);
    return offset ? offset - stride : 0;
}

int mdm_windows_count(const mdm_windows *w, int step)
{
    const int stride = w->size - w->overlap;
    if (is_one(w))
        return 1;
    return w->open ? (w->frames - w->size - open_start(w, step) + stride - 1) / stride + 1
                   : (w->frames + stride - 1) / stride;
}

int mdm_window_frames(int frames[MDM_WINDOW_MAX], const mdm_windows *w, int step, int i)
{
    const int stride = w->size - w->overlap, count = is_one(w) ? w->frames : w->size;
    int start = w->open ? open_start(w, step) + i * stride : i * stride;
    if (w->open)
        start = start < 0 ? 0 : start > w->frames - count ? w->frames - count : start;
    const long long moved = w->open ? 0 : (long long)w->shift * step;
    for (int k = 0; k < count; k++)
        frames[k] = (int)((start + k + moved) % w->frames);
    return count;
}

static mdm_status check(const mdm_window_options *o)
{
    const mdm_windows *w = &o->windows;
    if (w->frames < 1 || w->frames > 1 << 24 || o->values < 1)
        return mdm_fail(MDM_ERR_INPUT, "a clip of %d frames of %zu values", w->frames, o->values);
    if (w->size < 1 || w->size > MDM_WINDOW_MAX || w->overlap < 0 || w->overlap >= w->size || w->shift < 0)
        return mdm_fail(MDM_ERR_USAGE, "windows of %d frames that share %d; expected 1 to %d, sharing fewer", w->size,
                        w->overlap, MDM_WINDOW_MAX);
    return MDM_OK;
}

/* ---- the run ---- */

/* Windows of a step begin one after the other, and the last one may end in the first one's frames: frames that have been seen and will be
 * seen again are no more than two windows'. */
#define PENDING_MAX (3 * MDM_WINDOW_MAX)

/* A frame that some windows of the step have seen, and what they predicted for it, added up. */
typedef struct pending {
    int frame, seen;
} pending;

struct mdm_window_sampler {
    mdm_windows windows;
    mdm_velocity_sampler velocity;
    size_t values;
    char *folder, *job;
    bool goes_on;
    int step, window; /* the next one to be run */

    float *latents;
    size_t mapped; /* bytes of the file that latents are in; 0: they are in memory */
    int *left;     /* [frames] windows of this step that are still to see the frame */

    pending pending[PENDING_MAX];
    int pending_count;
    float *sum; /* [PENDING_MAX][values] */
    int done[MDM_WINDOW_MAX], done_count;
    float *
        finished; /* [MDM_WINDOW_MAX][values] latents of frames `done` after their step, before they are put in place */
    float *in, *velocities; /* [MDM_WINDOW_MAX][values] */
};

static float *latent_of(const mdm_window_sampler *s, int frame)
{
    return s->latents + (size_t)frame * s->values;
}

static void count_left(mdm_window_sampler *s)
{
    int frames[MDM_WINDOW_MAX];
    memset(s->left, 0, (size_t)s->windows.frames * sizeof *s->left);
    for (int i = s->window; i < mdm_windows_count(&s->windows, s->step); i++) {
        const int count = mdm_window_frames(frames, &s->windows, s->step, i);
        for (int k = 0; k < count; k++)
            s->left[frames[k]]++;
    }
}

static int find_pending(mdm_window_sampler *s, int frame)
{
    for (int i = 0; i < s->pending_count; i++)
        if (s->pending[i].frame == frame)
            return i;
    if (s->pending_count == PENDING_MAX)
        return -1;
    memset(s->sum + (size_t)s->pending_count * s->values, 0, s->values * sizeof *s->sum);
    s->pending[s->pending_count] = (pending){.frame = frame};
    return s->pending_count++;
}

/* Takes a frame that all its windows have seen over the step. */
static void finish(mdm_window_sampler *s, int at)
{
    float *sum = s->sum + (size_t)at * s->values, *out = s->finished + (size_t)s->done_count * s->values;
    const float seen = (float)s->pending[at].seen;
    for (size_t k = 0; k < s->values; k++)
        sum[k] /= seen;
    memcpy(out, latent_of(s, s->pending[at].frame), s->values * sizeof *out);
    mdm_velocity_step(&s->velocity, s->step, out, sum, s->values);
    s->done[s->done_count++] = s->pending[at].frame;
    s->pending[at] = s->pending[--s->pending_count];
    memmove(sum, s->sum + (size_t)s->pending_count * s->values, s->values * sizeof *sum);
}

static mdm_status run_window(mdm_window_sampler *s, mdm_predict_window predict, void *user)
{
    int frames[MDM_WINDOW_MAX];
    const int count = mdm_window_frames(frames, &s->windows, s->step, s->window);
    for (int k = 0; k < count; k++)
        memcpy(s->in + (size_t)k * s->values, latent_of(s, frames[k]), s->values * sizeof *s->in);
    MDM_TRY(predict(user, s->velocities, s->in, mdm_velocity_time(&s->velocity, s->step), frames, count));
    s->done_count = 0;
    for (int k = 0; k < count; k++) {
        const int at = find_pending(s, frames[k]);
        if (at < 0)
            return mdm_fail(MDM_ERR_INTERNAL, "more than %d frames between windows", PENDING_MAX);
        for (size_t i = 0; i < s->values; i++)
            s->sum[(size_t)at * s->values + i] += s->velocities[(size_t)k * s->values + i];
        s->pending[at].seen++;
        if (--s->left[frames[k]] == 0)
            finish(s, at);
    }
    return MDM_OK;
}

static void put_in_place(mdm_window_sampler *s)
{
    for (int i = 0; i < s->done_count; i++)
        memcpy(latent_of(s, s->done[i]), s->finished + (size_t)i * s->values, s->values * sizeof *s->finished);
}

static void next_window(mdm_window_sampler *s)
{
    if (++s->window < mdm_windows_count(&s->windows, s->step))
        return;
    s->window = 0;
    s->step++;
}

/* ---- the record: which window is next, what is pending, and what the last window finished. Putting the latter in place once more does
 * no harm, so that it does not matter when the run was stopped. ---- */

static mdm_status keep(const mdm_window_sampler *s)
{
    int32_t numbers[2 + 2 * PENDING_MAX + MDM_WINDOW_MAX] = {s->step, s->window};
    char *path = NULL;
    int n = 2;
    if (!s->folder)
        return MDM_OK;
    for (int i = 0; i < s->pending_count; i++) {
        numbers[n++] = s->pending[i].frame;
        numbers[n++] = s->pending[i].seen;
    }
    for (int i = 0; i < s->done_count; i++)
        numbers[n++] = s->done[i];
    const int64_t values = (int64_t)s->values;
    const mdm_array arrays[] = {
        {.name = "numbers", .dtype = MDM_I32, .rank = 1, .shape = {n}, .data = numbers, .size = (size_t)n * 4},
        {.name = "pending",
         .rank = 2,
         .shape = {s->pending_count, values},
         .data = s->sum,
         .size = (size_t)s->pending_count * s->values * 4},
        {.name = "finished",
         .rank = 2,
         .shape = {s->done_count, values},
         .data = s->finished,
         .size = (size_t)s->done_count * s->values * 4},
    };
    if (s->mapped && msync(s->latents, s->mapped, MS_SYNC))
        return mdm_fail(MDM_ERR_WRITE, "%s: latents cannot be written: %s", s->folder, strerror(errno));
    MDM_TRY(mdm_join_path(&path, s->folder, "run.safetensors"));
    mdm_status status = mdm_safetensors_write(path, arrays, 3, (const char *const[]){"job", s->job, NULL});
    mdm_free(&path);
    return status;
}

/* Whether `file` is the record of this run, and if so takes it. */
static bool take_record(mdm_window_sampler *s, const mdm_tensor_file *file)
{
    const char *job = mdm_tensor_file_meta(file, "job");
    const mdm_array *numbers = mdm_tensor_file_find(file, "numbers"), *sums = mdm_tensor_file_find(file, "pending"),
                    *finished = mdm_tensor_file_find(file, "finished");
    int32_t n[2 + 2 * PENDING_MAX + MDM_WINDOW_MAX];
    if (!job || strcmp(job, s->job) != 0 || !numbers || !sums || !finished || numbers->dtype != MDM_I32 ||
        sums->dtype != MDM_F32 || finished->dtype != MDM_F32 || sums->rank != 2 || finished->rank != 2 ||
        numbers->size > sizeof n)
        return false;
    const int64_t waiting = sums->shape[0], done = finished->shape[0];
    if (waiting > PENDING_MAX || done > MDM_WINDOW_MAX || numbers->size != (size_t)(2 + 2 * waiting + done) * 4 ||
        sums->size != (size_t)waiting * s->values * 4 || finished->size != (size_t)done * s->values * 4)
        return false;
    memcpy(n, numbers->data, numbers->size);
    if (n[0] < 0 || n[0] > s->velocity.steps || n[1] < 0 || n[1] >= mdm_windows_count(&s->windows, n[0]))
        return false;
    s->step = n[0];
    s->window = n[1];
    s->pending_count = (int)waiting;
    s->done_count = (int)done;
    for (int i = 0; i < s->pending_count; i++)
        s->pending[i] = (pending){n[2 + 2 * i], n[3 + 2 * i]};
    memcpy(s->done, n + 2 + 2 * waiting, (size_t)done * sizeof *n);
    for (int i = 0; i < s->pending_count + s->done_count; i++) {
        const int frame = i < s->pending_count ? s->pending[i].frame : s->done[i - s->pending_count];
        if (frame < 0 || frame >= s->windows.frames || (i < s->pending_count && s->pending[i].seen < 1))
            return false;
    }
    memcpy(s->sum, sums->data, sums->size);
    memcpy(s->finished, finished->data, finished->size);
    return true;
}

static mdm_status map_latents(mdm_window_sampler *s, const char *path, size_t bytes)
{
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, (off_t)bytes)) {
        const int error = errno;
        if (file >= 0)
            close(file);
        return mdm_fail(MDM_ERR_WRITE, "%s: no room for the latents: %s", path, strerror(error));
    }
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    const int error = errno;
    close(file);
    if (at == MAP_FAILED)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot be mapped: %s", path, strerror(error));
    s->latents = at;
    s->mapped = bytes;
    return MDM_OK;
}

/* Latents in the folder, and whether there is a record to go on from. */
static mdm_status open_folder(mdm_window_sampler *s, size_t bytes)
{
    char *record = NULL, *path = NULL;
    mdm_tensor_file *file = NULL;
    uint64_t size = 0;
    MDM_TRY(mdm_make_folder(s->folder, 0700));
    mdm_status status = mdm_join_path(&path, s->folder, "latents.f32");
    if (!status)
        status = mdm_join_path(&record, s->folder, "run.safetensors");
    const bool there =
        !status && mdm_file_exists(path) && mdm_file_exists(record) && !mdm_file_size(&size, path) && size == bytes;
    if (!status)
        status = map_latents(s, path, bytes);
    if (!status && there && mdm_tensor_file_open(&file, record) == MDM_OK)
        s->goes_on = take_record(s, file);
    mdm_tensor_file_free(&file);
    if (!status && !s->goes_on) {
        s->step = s->window = s->pending_count = s->done_count = 0;
        if (mdm_file_exists(record) && remove(record)) /* the latents are about to become something else */
            status = mdm_fail(MDM_ERR_WRITE, "%s: cannot be removed: %s", record, strerror(errno));
    }
    mdm_free(&record);
    mdm_free(&path);
    return status;
}

/* ---- the object ---- */

static mdm_status make(mdm_window_sampler *s, const mdm_window_options *o)
{
    const size_t frames = (size_t)o->windows.frames;
    size_t count, bytes;
    if (!mdm_mul_size(&count, frames, o->values) || !mdm_mul_size(&bytes, count, sizeof(float)))
        return mdm_fail(MDM_ERR_MEMORY, "%zu latents of %zu values", frames, o->values);
    MDM_TRY(mdm_velocity_sampler_init(&s->velocity, o->steps));
    MDM_TRY(mdm_alloc(&s->left, frames, sizeof *s->left, "windows"));
    MDM_TRY(mdm_alloc(&s->sum, PENDING_MAX * o->values, sizeof *s->sum, "velocities"));
    MDM_TRY(mdm_alloc(&s->finished, MDM_WINDOW_MAX * o->values, sizeof *s->finished, "latents"));
    MDM_TRY(mdm_alloc(&s->in, MDM_WINDOW_MAX * o->values, sizeof *s->in, "latents"));
    MDM_TRY(mdm_alloc(&s->velocities, MDM_WINDOW_MAX * o->values, sizeof *s->velocities, "velocities"));
    if (!o->folder)
        return mdm_alloc(&s->latents, count, sizeof *s->latents, "latents");
    MDM_TRY(mdm_strdup(&s->folder, o->folder));
    MDM_TRY(mdm_strdup(&s->job, o->job ? o->job : ""));
    return open_folder(s, bytes);
}

mdm_status mdm_window_sampler_new(mdm_window_sampler **out, const mdm_window_options *options)
{
    mdm_window_sampler *s = NULL;
    *out = NULL;
    MDM_TRY(check(options));
    MDM_TRY(mdm_alloc(&s, 1, sizeof *s, "window sampler"));
    s->windows = options->windows;
    s->values = options->values;
    mdm_status status = make(s, options);
    if (status)
        mdm_window_sampler_free(&s);
    *out = s;
    return status;
}

void mdm_window_sampler_free(mdm_window_sampler **sampler)
{
    mdm_window_sampler *s = *sampler;
    if (!s)
        return;
    if (s->mapped)
        munmap(s->latents, s->mapped);
    else
        mdm_free(&s->latents);
    mdm_free(&s->left);
    mdm_free(&s->sum);
    mdm_free(&s->finished);
    mdm_free(&s->in);
    mdm_free(&s->velocities);
    mdm_free(&s->folder);
    mdm_free(&s->job);
    mdm_free(sampler);
}

float *mdm_window_sampler_latents(mdm_window_sampler *sampler)
{
    return sampler->latents;
}

bool mdm_window_sampler_goes_on(const mdm_window_sampler *sampler)
{
    return sampler->goes_on;
}

static double windows_before(const mdm_window_sampler *s, int step)
{
    double count = 0;
    for (int i = 0; i < step; i++)
        count += mdm_windows_count(&s->windows, i);
    return count;
}

mdm_status mdm_window_sampler_run(mdm_window_sampler *s, mdm_predict_window predict, void *user,
                                  const mdm_progress *progress)
{
    const double total = windows_before(s, s->velocity.steps);
    double run = windows_before(s, s->step) + s->window;
    put_in_place(s);
    s->done_count = 0;
    MDM_TRY(keep(s));
    while (s->step < s->velocity.steps) {
        count_left(s);
        const int step = s->step;
        while (s->step == step) {
            MDM_TRY(run_window(s, predict, user));
            next_window(s);
            MDM_TRY(keep(s));
            put_in_place(s);
            if (!mdm_progress_update(progress, ++run, total))
                return mdm_fail(MDM_ERR_CANCELLED, "cancelled after window %.0f of %.0f", run, total);
        }
    }
    return keep(s);
}
