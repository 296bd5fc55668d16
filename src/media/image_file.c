/* PNG and JPEG files to and from mdm_image. The kind is told by the first bytes, never by the name; sizes are checked
 * before a pixel is decoded; files are written whole and atomically. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* wants size_t and FILE declared before it */

#include "base/file.h"
#include "base/memory.h"
#include "media/image.h"
#include "media/mark.h"
#include "media/writer.h"

#define MAX_FILE_BYTES ((size_t)512 << 20)
#define MAX_SIDE       16384
#define MAX_PIXELS     ((size_t)80 << 20) /* 8K and then some: 240 MB decoded */

static mdm_status check_size(const char *path, unsigned long width, unsigned long height)
{
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: picture of %lu x %lu pixels; at most %d a side and %zu in all are read. "
                        "Scale it down first",
                        path, width, height, MAX_SIDE, (size_t)MAX_PIXELS);
    return MDM_OK;
}

static mdm_status read_png(mdm_image *out, const char *path, const unsigned char *data, size_t size, int channels)
{
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_memory(&png, data, size))
        return mdm_fail(MDM_ERR_INPUT, "%s: not a PNG that can be read: %s", path, png.message);
    mdm_status status = check_size(path, png.width, png.height);
    if (status == MDM_OK)
        status = mdm_image_new(out, (int)png.width, (int)png.height, channels);
    if (status == MDM_OK) {
        const png_color black = {0, 0, 0}; /* what lies under transparent pixels */
        png.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
        if (!png_image_finish_read(&png, &black, out->data, (png_int_32)out->stride, NULL)) {
            status = mdm_fail(MDM_ERR_INPUT, "%s: PNG is damaged: %s", path, png.message);
            mdm_image_free(out);
        }
    }
    png_image_free(&png);
    return status;
}

/* libjpeg reports through longjmp; the message is kept for the status. */
typedef struct jpeg_failure {
    struct jpeg_error_mgr manager;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
} jpeg_failure;

static void jpeg_fail(j_common_ptr info)
{
    jpeg_failure *failure = (jpeg_failure *)info->err;
    info->err->format_message(info, failure->message);
    longjmp(failure->jump, 1);
}

static void jpeg_silent(j_common_ptr info, int level)
{
    (void)level;
    info->err->num_warnings++;
}

static mdm_status read_jpeg(mdm_image *out, const char *path, const unsigned char *data, size_t size, int channels)
{
    struct jpeg_decompress_struct jpeg;
    jpeg_failure failure;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = jpeg_fail;
    failure.manager.emit_message = jpeg_silent;
    if (setjmp(failure.jump)) {
        jpeg_destroy_decompress(&jpeg);
        mdm_image_free(out);
        return mdm_fail(MDM_ERR_INPUT, "%s: JPEG is damaged: %s", path, failure.message);
    }
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, data, (unsigned long)size);
    jpeg_read_header(&jpeg, TRUE);
    mdm_status status = check_size(path, jpeg.image_width, jpeg.image_height);
    if (status == MDM_OK)
        status = mdm_image_new(out, (int)jpeg.image_width, (int)jpeg.image_height, channels);
    if (status != MDM_OK) {
        jpeg_destroy_decompress(&jpeg);
        return status;
    }
    jpeg.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = out->data + (size_t)jpeg.output_scanline * out->stride;
        jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
    jpeg_destroy_decompress(&jpeg);
    return MDM_OK;
}

mdm_status mdm_image_read(mdm_image *out, const char *path, int channels)
{
    static const unsigned char png_start[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    memset(out, 0, sizeof *out);
    unsigned char *data = NULL;
    size_t size = 0;
    MDM_TRY(mdm_file_read(&data, &size, path, MAX_FILE_BYTES));
    mdm_status status;
    if (size >= sizeof png_start && memcmp(data, png_start, sizeof png_start) == 0)
        status = read_png(out, path, data, size, channels);
    else if (size >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff)
        status = read_jpeg(out, path, data, size, channels);
    else
        status =
            mdm_fail(MDM_ERR_INPUT, "%s: neither PNG nor JPEG (first bytes tell); convert it to one of them", path);
    mdm_free(&data);
    return status;
}

/* A PNG in memory; caller frees. */
static mdm_status encode_png(unsigned char **data, size_t *size, const mdm_image *image, const char *path)
{
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    png.width = (png_uint_32)image->width;
    png.height = (png_uint_32)image->height;
    png.format = image->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    png_alloc_size_t room = PNG_IMAGE_PNG_SIZE_MAX(png); /* libpng's worst case: saves a first dry compression */
    MDM_TRY(mdm_alloc(data, room, 1, "a PNG"));
    mdm_status status = MDM_OK;
    if (!png_image_write_to_memory(&png, *data, &room, 0, image->data, (png_int_32)image->stride, NULL)) {
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot encode PNG: %s", path, png.message);
        mdm_free(data);
    }
    png_image_free(&png);
    *size = room;
    return status;
}

mdm_status mdm_image_write_png(const mdm_image *image, const char *path)
{
    unsigned char *data = NULL;
    size_t size = 0;
    MDM_TRY(encode_png(&data, &size, image, path));
    const mdm_status status = mdm_file_write(path, data, size);
    mdm_free(&data);
    return status;
}

mdm_status mdm_write_marked_png(const mdm_image *image, const char *path, const char *mark)
{
    unsigned char *data = NULL;
    size_t size = 0;
    MDM_TRY(encode_png(&data, &size, image, path));
    mdm_buffer marked = {.max = size + 65536};
    mdm_status status = mdm_mark_png(&marked, data, size, mark ? mark : MDM_SYNTHETIC_MARK);
    if (status == MDM_OK)
        status = mdm_file_write(path, marked.data, marked.size);
    mdm_buffer_free(&marked);
    mdm_free(&data);
    return status;
}

mdm_status mdm_image_write_jpeg(const mdm_image *image, const char *path, int quality)
{
    struct jpeg_compress_struct jpeg;
    jpeg_failure failure;
    unsigned char *buffer = NULL;
    unsigned long size = 0;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = jpeg_fail;
    failure.manager.emit_message = jpeg_silent;
    if (setjmp(failure.jump)) {
        /* Only running out of memory comes here, and only libjpeg knows its buffer then: that one is not freed. */
        jpeg_destroy_compress(&jpeg);
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot encode JPEG: %s", path, failure.message);
    }
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &buffer, &size);
    jpeg.image_width = (JDIMENSION)image->width;
    jpeg.image_height = (JDIMENSION)image->height;
    jpeg.input_components = image->channels;
    jpeg.in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, quality, TRUE);
    if (quality >= 90 && image->channels == 3) { /* small faces lose colour edges at 4:2:0 */
        jpeg.comp_info[0].h_samp_factor = 1;
        jpeg.comp_info[0].v_samp_factor = 1;
    }
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = image->data + (size_t)jpeg.next_scanline * image->stride;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    mdm_status status = mdm_file_write(path, buffer, size);
    free(buffer);
    return status;
}
