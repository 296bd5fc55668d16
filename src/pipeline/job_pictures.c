/* Small pictures for the reports: a few frames of the result (shared) and the same frames of the source (private). */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "media/clip_file.h"
#include "media/image.h"
#include "pipeline/job.h"

enum { PICTURES = 3, HEIGHT = 240 };

static mdm_status shrink_and_write(const mdm_image *picture, const char *folder, int number)
{
    char name[32], *path = NULL;
    mdm_image small = {0};
    int height = picture->height < HEIGHT ? picture->height : HEIGHT;
    int width = (int)((double)picture->width * height / picture->height + 0.5);
    MDM_TRY(mdm_image_new(&small, width > 0 ? width : 1, height, 3));
    mdm_image_resize(&small, picture);
    snprintf(name, sizeof name, "%d.jpg", number);
    mdm_status status = mdm_join_path(&path, folder, name);
    if (status == MDM_OK)
        status = mdm_image_write_jpeg(&small, path, 80);
    mdm_image_free(&small);
    mdm_free(&path);
    return status;
}

/* Writes the frame shown `time` seconds after `start` of the recording. */
static mdm_status picture_at(const char *media, double time, const char *folder, int number)
{
    mdm_reader *reader;
    mdm_frame frame = {0};
    bool more = false;
    const mdm_reader_options options = {.start = time, .threads = 1};
    MDM_TRY(mdm_reader_open(&reader, media, &options));
    mdm_status status = mdm_reader_next(&more, reader, &frame);
    if (status == MDM_OK && more)
        status = mdm_frame_rgb(&frame, 0, 0, 0, 0);
    if (status == MDM_OK && more)
        status = shrink_and_write(&frame.rgb, folder, number);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    return status;
}

static mdm_status pictures_of(const mdm_job_clip *job_clip, const char *media, double offset, const mdm_clip *clip,
                              const char *name)
{
    char *folder;
    MDM_TRY(mdm_join_path(&folder, job_clip->folder, name));
    mdm_status status = mdm_make_folder(folder, 0700);
    int count = clip->still || clip->frames < 2 ? 1 : PICTURES;
    for (int i = 0; i < count && status == MDM_OK; i++) {
        size_t frame = clip->frames * (size_t)(i + 1) / (size_t)(count + 1);
        status = picture_at(media, count == 1 ? offset : offset + mdm_clip_time(clip, frame), folder, i + 1);
    }
    mdm_free(&folder);
    return status;
}

static mdm_status make_pictures(mdm_worker *worker, void *user)
{
    const mdm_job_clip *job_clip = user;
    mdm_clip clip = {0};
    char *media = NULL;
    (void)worker;
    MDM_TRY(mdm_clip_read(&clip, job_clip->folder));
    mdm_status status = mdm_join_path(&media, job_clip->folder, clip.still ? "masked.png" : "masked.mp4");
    if (status == MDM_OK)
        status = pictures_of(job_clip, media, 0, &clip, "after");
    if (status == MDM_OK)
        status = pictures_of(job_clip, clip.source, clip.start, &clip, "before");
    mdm_free(&media);
    mdm_clip_free(&clip);
    return status;
}

mdm_status mdm_job_pictures(mdm_job *job)
{
    mdm_task *tasks;
    size_t count = 0;
    MDM_TRY(mdm_alloc(&tasks, job->clip_count, sizeof *tasks, "pictures"));
    for (size_t i = 0; i < job->clip_count; i++)
        if (job->clips[i].status == MDM_OK)
            tasks[count++] =
                (mdm_task){.name = job->clips[i].input->clip_id, .work = make_pictures, .user = &job->clips[i]};
    const mdm_pool_events events = {0};
    const mdm_pool_limits limits = {job->settings.jobs, job->settings.memory, 600};
    mdm_status status = mdm_pool_run(tasks, count, &limits, &events);
    for (size_t i = 0; i < count && status == MDM_OK; i++) /* a report without pictures is still a report */
        if (tasks[i].status != MDM_OK)
            mdm_log(MDM_LOG_WARN, "%s: no pictures for the report: %s", tasks[i].name, tasks[i].message);
    mdm_free(&tasks);
    return status;
}
