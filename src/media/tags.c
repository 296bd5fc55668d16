/* Tags by FFmpeg, the mark by its text (tags.h). */
#include "media/tags.h"

#include <libavformat/avformat.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "media/mark.h"

#define SAID 40 /* characters of a value that are repeated */

/* What the muxer writes by itself, and our own comment. */
static bool is_ours(const AVDictionaryEntry *tag)
{
    static const char *const names[] = {"major_brand", "minor_version", "compatible_brands", "vendor_id",
                                        "handler_name"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(tag->key, names[i]) == 0)
            return strcmp(tag->key, "handler_name") != 0 || strcmp(tag->value, "VideoHandler") == 0 ||
                   strcmp(tag->value, "SoundHandler") == 0;
    if (strcmp(tag->key, "language") == 0)
        return strcmp(tag->value, "und") == 0;
    return strcasecmp(tag->key, "comment") == 0 &&
           strncmp(tag->value, MDM_MARK_BEGINS, sizeof MDM_MARK_BEGINS - 1) == 0;
}

static mdm_status add_tags(mdm_buffer *out, const AVDictionary *tags)
{
    const AVDictionaryEntry *tag = NULL;
    while ((tag = av_dict_get(tags, "", tag, AV_DICT_IGNORE_SUFFIX)))
        if (!is_ours(tag) && strncmp(tag->key, "XML:com.adobe.xmp", 17) != 0)
            MDM_TRY(mdm_buffer_printf(out, "%s%.*s=%.*s", out->size ? ", " : "", SAID, tag->key, SAID, tag->value));
    return MDM_OK;
}

mdm_status mdm_foreign_tags(mdm_buffer *out, const char *path)
{
    AVFormatContext *format = NULL;
    char *url = NULL;
    MDM_TRY(mdm_format(&url, "file:%s", path));
    int error = avformat_open_input(&format, url, NULL, NULL);
    mdm_free(&url);
    if (error < 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: cannot be opened: %s", path, av_err2str(error));
    mdm_status status = add_tags(out, format->metadata);
    for (unsigned i = 0; i < format->nb_streams && !status; i++)
        status = add_tags(out, format->streams[i]->metadata);
    if (!status && format->nb_chapters)
        status = mdm_buffer_printf(out, "%s%u chapters", out->size ? ", " : "", format->nb_chapters);
    avformat_close_input(&format);
    return status;
}

mdm_status mdm_has_synthetic_mark(bool *out, const char *path)
{
    static const char mark[] = MDM_SOURCE_TYPE;
    mdm_mapping file;
    *out = false;
    MDM_TRY(mdm_map_file(&file, path));
    for (const unsigned char *p = file.data, *end = p + file.size;
         !*out && p && (size_t)(end - p) >= sizeof mark - 1;) {
        p = memchr(p, mark[0], (size_t)(end - p) - (sizeof mark - 2));
        if (!p)
            break;
        *out = memcmp(p, mark, sizeof mark - 1) == 0;
        p++;
    }
    mdm_unmap_file(&file);
    return MDM_OK;
}
