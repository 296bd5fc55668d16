/* What a recording is: the public functions about one before any job. */
#include <math.h>

#include "base/file.h"
#include "media/image.h"
#include "media/reader.h"
#include "mmdm.h"

enum { HEIGHT = 360 };

static mdm_status write_picture(mdm_reader *reader, const char *path)
{
    mdm_frame frame = {0};
    mdm_image small = {0};
    bool more = false;
    mdm_status status = mdm_reader_next(&more, reader, &frame);
    if (status == MDM_OK && more)
        status = mdm_frame_rgb(&frame, 0, 0, 0, 0);
    if (status == MDM_OK && more) {
        const int height = frame.rgb.height < HEIGHT ? frame.rgb.height : HEIGHT;
        const int width = (int)((double)frame.rgb.width * height / frame.rgb.height + 0.5);
        status = mdm_image_new(&small, width > 0 ? width : 1, height, 3);
        if (status == MDM_OK) {
            mdm_image_resize(&small, &frame.rgb);
            status = mdm_image_write_jpeg(&small, path, 80);
        }
    }
    mdm_image_free(&small);
    mdm_frame_free(&frame);
    return status;
}

mdm_status mdm_look(mdm_recording_info *out, const char *path, const char *picture)
{
    mdm_reader *reader;
    mdm_reader_options options = {.threads = 1};
    *out = (mdm_recording_info){0};
    MDM_TRY(mdm_reader_open(&reader, path, &options));
    const mdm_video_info *video = mdm_reader_video(reader);
    *out = (mdm_recording_info){video->still, video->width, video->height, video->duration, video->fps};
    mdm_status status = MDM_OK;
    if (picture && !video->still && isfinite(video->duration) && video->duration > 0) {
        mdm_reader_free(&reader);
        options.start = out->seconds / 2;
        status = mdm_reader_open(&reader, path, &options);
    }
    if (status == MDM_OK && picture)
        status = write_picture(reader, picture);
    mdm_reader_free(&reader);
    return status;
}
