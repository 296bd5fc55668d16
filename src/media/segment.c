/* Where to cut a long recording (segment.h). The container's index answers at once for MP4 and MKV; without one the packets
 * are read through, undecoded. */
#include "media/segment.h"

#include "base/memory.h"
#include "media/source.h"

typedef struct cutter {
    double seconds, origin, unit; /* unit: seconds per timestamp; origin: time of the first frame */
    double next;                  /* the multiple that the next key frame has to reach */
    double *cuts;
    size_t count, room;
    double last; /* latest time seen, a key frame or not */
} cutter;

static mdm_status see(cutter *c, int64_t timestamp, bool key)
{
    const double time = (double)timestamp * c->unit - c->origin;
    if (time > c->last)
        c->last = time;
    if (!key || time < c->next - 1e-6)
        return MDM_OK;
    if (c->count == c->room) {
        c->room = c->room ? c->room * 2 : 64;
        MDM_TRY(mdm_realloc(&c->cuts, c->room, sizeof *c->cuts, "cuts"));
    }
    c->cuts[c->count++] = time;
    while (c->next <= time + 1e-6)
        c->next += c->seconds;
    return MDM_OK;
}

static mdm_status walk_index(cutter *c, AVStream *stream)
{
    const int entries = avformat_index_get_entries_count(stream);
    for (int i = 0; i < entries; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(stream, i);
        if (!(entry->flags & AVINDEX_DISCARD_FRAME))
            MDM_TRY(see(c, entry->timestamp, entry->flags & AVINDEX_KEYFRAME));
    }
    return MDM_OK;
}

static mdm_status walk_packets(cutter *c, const mdm_source *source)
{
    AVPacket *packet = av_packet_alloc();
    if (!packet)
        return mdm_fail(MDM_ERR_MEMORY, "%s: out of memory", source->path);
    mdm_status status = MDM_OK;
    if (source->audio >= 0)
        source->format->streams[source->audio]->discard = AVDISCARD_ALL;
    while (status == MDM_OK && av_read_frame(source->format, packet) >= 0) {
        const int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        if (packet->stream_index == source->video && time != AV_NOPTS_VALUE)
            status = see(c, time, packet->flags & AV_PKT_FLAG_KEY);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return status;
}

mdm_status mdm_segment_cuts(double **cuts, size_t *count, const char *path, double seconds)
{
    *cuts = NULL;
    *count = 0;
    if (!(seconds >= 1.0))
        return mdm_fail(MDM_ERR_USAGE, "segments of %g s: at least 1 s is expected", seconds);
    mdm_source source;
    MDM_TRY(mdm_source_open(&source, path, true));
    AVStream *stream = source.format->streams[source.video];
    const double unit = av_q2d(stream->time_base);
    cutter c = {.seconds = seconds, .next = seconds, .unit = unit};
    c.origin = stream->start_time != AV_NOPTS_VALUE ? (double)stream->start_time * unit : 0.0;
    mdm_status status = MDM_OK;
    if (!source.still && avformat_index_get_entries_count(stream) > 1)
        status = walk_index(&c, stream);
    const double length = stream->duration > 0 ? (double)stream->duration * unit : 0.0;
    if (!source.still && status == MDM_OK && c.count == 0 && !(length > 0.0 && length < seconds) && c.last < seconds)
        status = walk_packets(&c, &source);
    const double end = c.last > length ? c.last : length;
    if (c.count > 0 && end - c.cuts[c.count - 1] < seconds / 4.0)
        c.count--;
    mdm_source_close(&source);
    if (status != MDM_OK || c.count == 0)
        mdm_free(&c.cuts);
    *cuts = c.cuts;
    *count = status == MDM_OK ? c.count : 0;
    return status;
}
