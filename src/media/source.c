/* Opening a recording: file access, probing, limits and the words for what is wrong (source.h). */
#define _FILE_OFFSET_BITS 64
#define _XOPEN_SOURCE     700
#include "media/source.h"

#include <errno.h>
#include <libavutil/display.h>
#include <libavutil/log.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"

enum { IO_BUFFER = 1 << 16 };

/* Demuxers that open other files, or that take almost any bytes for a recording. */
static const char *const refused_formats[] = {"hls", "concat", "dash", "sdp",    "rtsp",       "image2",
                                              "tty", "lavfi",  "imf",  "vobsub", "ffmetadata", NULL};

const char *mdm_av_text(char *buffer, int error)
{
    if (av_strerror(error, buffer, AV_ERROR_MAX_STRING_SIZE) < 0)
        snprintf(buffer, AV_ERROR_MAX_STRING_SIZE, "error %d", error);
    return buffer;
}

static int read_bytes(void *opaque, uint8_t *buffer, int size)
{
    mdm_source *source = opaque;
    const size_t got = fread(buffer, 1, (size_t)size, source->file);
    if (got == 0)
        return ferror(source->file) ? AVERROR(EIO) : AVERROR_EOF;
    return (int)got;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    mdm_source *source = opaque;
    if (whence & AVSEEK_SIZE)
        return source->size;
    clearerr(source->file);
    if (fseeko(source->file, (off_t)offset, whence & ~AVSEEK_FORCE) != 0)
        return AVERROR(errno);
    return (int64_t)ftello(source->file);
}

static int refuse_open(AVFormatContext *context, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    (void)context, (void)url, (void)flags, (void)options;
    *io = NULL;
    return AVERROR(EPERM); /* a recording has no business naming other files */
}

static mdm_status open_file(mdm_source *source, const char *path)
{
    struct stat info;
    source->file = fopen(path, "rb");
    if (!source->file || fstat(fileno(source->file), &info) != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: cannot be opened: %s; check the name and the permissions", path,
                        strerror(errno));
    if (!S_ISREG(info.st_mode))
        return mdm_fail(MDM_ERR_INPUT, "%s: not a regular file; give a recording or a folder of recordings", path);
    if (info.st_size == 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: the file is empty (0 bytes); copy the recording again", path);
    source->size = (int64_t)info.st_size;
    return mdm_strdup(&source->path, path);
}

/* Why the container could not be opened, from its first bytes. */
static mdm_status explain_unopened(mdm_source *source, int error)
{
    unsigned char start[12] = {0};
    rewind(source->file);
    const size_t got = fread(start, 1, sizeof start, source->file);
    char text[AV_ERROR_MAX_STRING_SIZE];
    if (got == sizeof start && memcmp(start + 4, "ftyp", 4) == 0)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: an MP4/MOV recording without its index (moov): it was cut off before it was "
                        "finished, or is damaged; copy it again from the camera or repair it",
                        source->path);
    if (error == AVERROR_INVALIDDATA || error == AVERROR_EOF)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: not a recording or picture that FFmpeg can read (%lld bytes), whatever its "
                        "name says; remove it or copy it again",
                        source->path, (long long)source->size);
    return mdm_fail(MDM_ERR_INPUT, "%s: cannot be read: %s; copy it again or convert it to MP4", source->path,
                    mdm_av_text(text, error));
}

static mdm_status check_size(const mdm_source *source, const AVCodecParameters *video)
{
    const int64_t pixels = (int64_t)video->width * video->height;
    const int64_t limit = source->still ? MDM_MAX_STILL_PIXELS : MDM_MAX_VIDEO_PIXELS;
    if (video->width > MDM_MAX_SIDE || video->height > MDM_MAX_SIDE || pixels > limit)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: %d x %d pixels would need about %.0f GB of memory; at most %.0f megapixels and "
                        "%d a side are taken. Scale it down first (3840 wide is plenty)",
                        source->path, video->width, video->height,
                        (double)pixels * (source->still ? 12 : 150) / 1e9 + 0.5, (double)limit / 1e6, MDM_MAX_SIDE);
    return MDM_OK;
}

static mdm_status check_sizes(const mdm_source *source)
{
    for (unsigned i = 0; i < source->format->nb_streams; i++)
        if (source->format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
            MDM_TRY(check_size(source, source->format->streams[i]->codecpar));
    return MDM_OK;
}

/* Reads what the header does not say. Decoders opened for that obey the pixel limit too. */
static mdm_status find_details(mdm_source *source)
{
    AVFormatContext *format = source->format;
    const unsigned count = format->nb_streams;
    AVDictionary **options = NULL;
    MDM_TRY(mdm_alloc(&options, count ? count : 1, sizeof *options, "stream options"));
    for (unsigned i = 0; i < count; i++) {
        av_dict_set_int(&options[i], "max_pixels", source->still ? MDM_MAX_STILL_PIXELS : MDM_MAX_VIDEO_PIXELS, 0);
        av_dict_set_int(&options[i], "threads", 1, 0);
    }
    const int error = avformat_find_stream_info(format, options);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&options[i]);
    mdm_free(&options);
    return error < 0 ? explain_unopened(source, error) : MDM_OK;
}

static void choose_streams(mdm_source *source)
{
    AVFormatContext *format = source->format;
    source->video = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (source->video >= 0 && format->streams[source->video]->disposition & AV_DISPOSITION_ATTACHED_PIC)
        source->video = -1; /* an album cover */
    source->audio = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, source->video, NULL, 0);
    if (source->video < 0)
        source->video = -1;
    if (source->audio < 0)
        source->audio = -1;
    for (unsigned i = 0; i < format->nb_streams; i++)
        if ((int)i != source->video && (int)i != source->audio)
            format->streams[i]->discard = AVDISCARD_ALL;
}

static mdm_status open_format(mdm_source *source)
{
    unsigned char *buffer = av_malloc(IO_BUFFER);
    source->io = buffer ? avio_alloc_context(buffer, IO_BUFFER, 0, source, read_bytes, NULL, seek_bytes) : NULL;
    source->format = source->io ? avformat_alloc_context() : NULL;
    if (!source->format) {
        if (!source->io)
            av_free(buffer);
        return mdm_fail(MDM_ERR_MEMORY, "%s: out of memory opening it", source->path);
    }
    source->format->pb = source->io;
    source->format->io_open = refuse_open;
    source->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    int error =
        avformat_open_input(&source->format, NULL, NULL, NULL); /* no name: content decides, not the extension */
    if (error < 0)
        return explain_unopened(source, error);
    const char *name = source->format->iformat->name;
    for (int i = 0; refused_formats[i]; i++)
        if (strcmp(name, refused_formats[i]) == 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: a %s file, not a recording; remove it", source->path, name);
    const size_t length = strlen(name);
    source->still = length > 5 && strcmp(name + length - 5, "_pipe") == 0;
    return MDM_OK;
}

mdm_status mdm_source_open(mdm_source *out, const char *path, bool need_video)
{
    av_log_set_level(AV_LOG_QUIET); /* FFmpeg's own lines would break progress bars; errors come back as codes */
    memset(out, 0, sizeof *out);
    out->video = out->audio = -1;
    mdm_status status = open_file(out, path);
    if (status == MDM_OK)
        status = open_format(out);
    if (status == MDM_OK)
        status = check_sizes(out); /* what the header says, before anything is decoded */
    if (status == MDM_OK)
        status = find_details(out);
    if (status == MDM_OK)
        status = check_sizes(out);
    if (status == MDM_OK) {
        choose_streams(out);
        const AVCodecParameters *video = out->video >= 0 ? out->format->streams[out->video]->codecpar : NULL;
        if (out->video < 0 && out->audio < 0)
            status = mdm_fail(MDM_ERR_INPUT, "%s: holds neither video nor audio (%s); remove it", path,
                              out->format->iformat->name);
        else if (out->video < 0 && need_video)
            status = mdm_fail(MDM_ERR_INPUT,
                              "%s: audio only, no video stream; there is no face to replace in it: remove it "
                              "from the input",
                              path);
        else if (video && (video->width < 1 || video->height < 1))
            status = mdm_fail(MDM_ERR_INPUT,
                              "%s: the video stream (%s) says no size: damaged, or cut off before its first "
                              "frame; copy it again",
                              path, avcodec_get_name(video->codec_id));
    }
    if (status != MDM_OK)
        mdm_source_close(out);
    return status;
}

void mdm_source_close(mdm_source *source)
{
    avformat_close_input(&source->format);
    if (source->io) {
        av_freep(&source->io->buffer);
        avio_context_free(&source->io);
    }
    if (source->file)
        fclose(source->file);
    mdm_free(&source->path);
    memset(source, 0, sizeof *source);
    source->video = source->audio = -1;
}

mdm_status mdm_source_decoder(AVCodecContext **out, const mdm_source *source, int stream, int threads)
{
    const AVStream *s = source->format->streams[stream];
    const AVCodec *codec = avcodec_find_decoder(s->codecpar->codec_id);
    *out = NULL;
    if (!codec)
        return mdm_fail(MDM_ERR_INPUT, "%s: no decoder for codec %s; convert it to H.264", source->path,
                        avcodec_get_name(s->codecpar->codec_id));
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    if (!decoder || avcodec_parameters_to_context(decoder, s->codecpar) < 0) {
        avcodec_free_context(&decoder);
        return mdm_fail(MDM_ERR_MEMORY, "%s: out of memory opening its decoder", source->path);
    }
    decoder->pkt_timebase = s->time_base;
    decoder->thread_count = threads > 0 ? threads : 1;
    decoder->max_pixels = source->still ? MDM_MAX_STILL_PIXELS : MDM_MAX_VIDEO_PIXELS;
    const int error = avcodec_open2(decoder, codec, NULL);
    if (error < 0) {
        char text[AV_ERROR_MAX_STRING_SIZE];
        avcodec_free_context(&decoder);
        return mdm_fail(MDM_ERR_INPUT, "%s: the %s decoder refuses it: %s", source->path,
                        avcodec_get_name(s->codecpar->codec_id), mdm_av_text(text, error));
    }
    *out = decoder;
    return MDM_OK;
}

int64_t mdm_source_video_start(const mdm_source *source)
{
    return source->video >= 0 ? source->format->streams[source->video]->start_time : AV_NOPTS_VALUE;
}
