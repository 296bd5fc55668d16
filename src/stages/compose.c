/* The compose stage: reads the recording again, paints every frame and writes the masked clip and the record of what was
 * done. The painting is in compose_paint.c, the sound in compose_sound.c. */
#include "stages/compose.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "media/frame_nodes.h"
#include "stages/frame_stage.h"

static const char *const state_names[] = {"none", "covered", "replaced"};

static void close_compose(mdm_compose *compose)
{
    for (int i = 0; compose->state && i < compose->found.tracks.count; i++)
        mdm_free(&compose->state[i]);
    mdm_free(&compose->state);
    mdm_free(&compose->painted);
    json_decref(compose->view);
    mdm_compose_players_free(compose);
    mdm_found_free(&compose->found);
    mdm_clip_free(&compose->clip);
}

static mdm_status open_compose(mdm_compose *compose, const mdm_clip_work *work)
{
    memset(compose, 0, sizeof *compose);
    compose->work = work;
    MDM_TRY(mdm_clip_read(&compose->clip, work->folder));
    MDM_TRY(mdm_found_read(&compose->found, work->folder));
    const mdm_clip *clip = &compose->clip;
    if ((size_t)compose->found.frames != clip->frames)
        return mdm_fail(MDM_ERR_INPUT, "%s: tracks.json knows %d frames, clip.json %zu; run find again", work->folder,
                        compose->found.frames, clip->frames);
    const int count = compose->found.tracks.count;
    MDM_TRY(mdm_alloc(&compose->painted, (size_t)compose->found.region_count, sizeof *compose->painted, "regions"));
    MDM_TRY(mdm_alloc(&compose->state, (size_t)count, sizeof *compose->state, "face states"));
    for (int i = 0; i < count; i++)
        MDM_TRY(mdm_alloc(&compose->state[i], (size_t)compose->found.tracks.track[i].count, 1, "face states"));
    return MDM_OK;
}

static mdm_status write_record(const mdm_compose *compose, json_t *sound, const char *output, size_t frames)
{
    json_t *tracks = json_array(), *regions = json_array();
    for (int i = 0; i < compose->found.tracks.count; i++) {
        const mdm_track *track = &compose->found.tracks.track[i];
        json_t *states = json_array();
        for (int k = 0; k < track->count; k++)
            json_array_append_new(states, json_string(state_names[compose->state[i][k]]));
        json_array_append_new(tracks, json_pack("{s:i, s:i, s:i, s:o}", "id", track->id, "first", track->first, "last",
                                                track->first + track->count - 1, "state", states));
    }
    for (int i = 0; i < compose->found.region_count; i++)
        json_array_append_new(regions, json_pack("{s:i, s:s, s:I}", "region", i, "kind", compose->found.region[i].kind,
                                                 "covered", (json_int_t)compose->painted[i]));
    json_t *root = json_pack("{s:i, s:s, s:I, s:o, s:o, s:i, s:O?, s:O?}", "version", 1, "output", output, "frames",
                             (json_int_t)frames, "tracks", tracks, "regions", regions, "rectangles",
                             compose->work->settings->cover_count, "sound", sound, "portrait", compose->view);
    if (!root)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: compose.json cannot be made", compose->work->folder);
    char *path = NULL;
    mdm_status status = mdm_join_path(&path, compose->work->folder, "compose.json");
    if (status == MDM_OK)
        status = mdm_json_save(root, path);
    mdm_free(&path);
    json_decref(root);
    return status;
}

/* What the frames of a video pass through. */
typedef struct canvas {
    mdm_compose *compose;
    mdm_portrait_view view; /* --mode portrait; side is 0 otherwise */
    mdm_frames *recorded, *square;
    mdm_writer *debug; /* --draw; NULL otherwise */
    mdm_frame drawn;
} canvas;

static mdm_status paint(canvas *c, mdm_frame *frame)
{
    mdm_compose *compose = c->compose;
    if ((size_t)frame->number >= compose->clip.frames || frame->pts != compose->clip.pts[frame->number])
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: frame %lld is not the one that ingest saw; the recording has changed: run again "
                        "with --force",
                        compose->clip.source, (long long)frame->number);
    MDM_TRY(mdm_compose_paint(compose, frame));
    if (!c->debug)
        return MDM_OK;
    MDM_TRY(mdm_frame_share(&c->drawn, frame));
    MDM_TRY(mdm_compose_draw(compose, &c->drawn));
    return mdm_writer_video(c->debug, &c->drawn);
}

/* The portrait clip's frame, which takes the painted one's place and time. */
static mdm_status square(mdm_packet **out, canvas *c, mdm_frame *frame)
{
    MDM_TRY(mdm_frames_take(out, c->square));
    mdm_frame *portrait = mdm_packet_frame(*out);
    const mdm_status status = mdm_portrait_view_frame(portrait, &c->view, c->compose, frame);
    portrait->number = frame->number;
    portrait->pts = frame->pts;
    portrait->duration = frame->duration;
    portrait->time = frame->time;
    if (status != MDM_OK)
        mdm_packet_drop(out);
    return status;
}

static mdm_status paint_turn(void *user, mdm_turn *turn)
{
    canvas *c = user;
    if (turn->last)
        return MDM_OK;
    mdm_packet *packet = turn->in[0], *out = NULL;
    mdm_frame *frame = mdm_packet_frame(packet);
    const double done = (double)frame->number + 1.0, total = (double)c->compose->clip.frames;
    MDM_TRY(paint(c, frame));
    if (c->view.side > 0)
        MDM_TRY(square(&out, c, frame));
    else
        out = mdm_packet_keep(packet);
    MDM_TRY(mdm_turn_give(turn, 0, out));
    if (!mdm_progress_update(c->compose->work->progress, done, done > total ? done : total))
        return mdm_fail(MDM_ERR_CANCELLED, "stopped at frame %lld", (long long)frame->number);
    return MDM_OK;
}

/* What the output looks like: as the source, or a square. */
static mdm_writer_options writer_options(const canvas *c, const mdm_video_info *info, const mdm_compose_sound *sound)
{
    const mdm_clip *clip = &c->compose->clip;
    mdm_writer_options options = {.width = info->width,
                                  .height = info->height,
                                  .time_base = {clip->time_base[0], clip->time_base[1]},
                                  .fps = clip->fps,
                                  .aspect = {info->aspect[0], info->aspect[1]},
                                  .colour = info->colour,
                                  .threads = c->compose->work->threads};
    if (c->view.side > 0) {
        options.width = options.height = c->view.side;
        options.aspect[0] = options.aspect[1] = 1;
        options.colour = (mdm_colour){.matrix = 1, .primaries = 1, .transfer = 1}; /* BT.709, as mdm_frame_blank */
    }
    if (sound->sound) {
        const mdm_audio_info *audio = mdm_audio_describe(sound->audio);
        options.audio_rate = audio->rate;
        options.audio_channels = audio->channels;
        options.audio_start = audio->start;
    }
    return options;
}

/* The debug video: the same frames as the source's, no sound. */
static mdm_status open_debug(canvas *c, const mdm_video_info *info)
{
    char *path;
    static const mdm_compose_sound silence;
    canvas plain = {.compose = c->compose};
    mdm_writer_options options = writer_options(&plain, info, &silence);
    options.mark = "debug: boxes drawn by mmdm; not protected";
    MDM_TRY(mdm_join_path(&path, c->compose->work->folder, "draw.mp4"));
    const mdm_status status = mdm_writer_open(&c->debug, path, &options);
    mdm_free(&path);
    return status;
}

static mdm_status run_flow(canvas *c, mdm_writer *writer, mdm_sound *sound, mdm_reader *reader, size_t *frames)
{
    const mdm_clip *clip = &c->compose->clip;
    const int queue = mdm_frames_queue(mdm_reader_video(reader));
    mdm_decode_node source = {.reader = reader, .frames = c->recorded};
    mdm_encode_node sink = {.writer = writer, .sound = sound};
    const mdm_flow_node line[] = {{.name = "decode", .work = mdm_decode_turn, .user = &source},
                                  {.name = "compose", .work = paint_turn, .user = c, .queue = queue},
                                  {.name = "encode", .work = mdm_encode_turn, .user = &sink, .queue = queue}};
    MDM_TRY(mdm_flow_line(line, 3));
    *frames = sink.frames;
    if (*frames != clip->frames)
        return mdm_fail(MDM_ERR_INPUT, "%s: %zu frames instead of the %zu that ingest saw; run again with --force",
                        clip->source, *frames, clip->frames);
    MDM_TRY(mdm_writer_finish(writer));
    return c->debug ? mdm_writer_finish(c->debug) : MDM_OK;
}

static mdm_status compose_video(mdm_compose *compose, const mdm_compose_sound *sound, mdm_reader *reader,
                                const char *path, size_t *frames)
{
    const mdm_settings *settings = compose->work->settings;
    const mdm_video_info *info = mdm_reader_video(reader);
    mdm_writer *writer = NULL;
    canvas c = {.compose = compose};
    mdm_status status = mdm_frames_new(&c.recorded);
    if (status == MDM_OK)
        status = mdm_frames_new(&c.square);
    if (status == MDM_OK && settings->mode == MDM_MODE_PORTRAIT)
        status = mdm_portrait_view_new(&c.view, compose);
    if (status == MDM_OK) {
        const mdm_writer_options options = writer_options(&c, info, sound);
        status = mdm_writer_open(&writer, path, &options);
    }
    if (status == MDM_OK && settings->draw)
        status = open_debug(&c, info);
    if (status == MDM_OK)
        status = run_flow(&c, writer, sound->sound, reader, frames);
    if (status == MDM_OK)
        compose->view = mdm_portrait_view_record(&c.view, compose);
    mdm_portrait_view_free(&c.view);
    mdm_writer_free(&c.debug);
    mdm_frame_free(&c.drawn);
    mdm_writer_free(&writer);
    mdm_frames_free(&c.square);
    mdm_frames_free(&c.recorded);
    return status;
}

static mdm_status still_picture(canvas *c, mdm_frame *frame, const char *path)
{
    mdm_compose *compose = c->compose;
    MDM_TRY(mdm_compose_paint(compose, frame));
    if (compose->work->settings->mode != MDM_MODE_PORTRAIT)
        return mdm_write_marked_png(&frame->rgb, path, NULL);
    MDM_TRY(mdm_portrait_view_new(&c->view, compose));
    MDM_TRY(mdm_portrait_view_frame(&c->drawn, &c->view, compose, frame));
    compose->view = mdm_portrait_view_record(&c->view, compose);
    return mdm_write_marked_png(&c->drawn.rgb, path, NULL);
}

static mdm_status compose_still(mdm_compose *compose, mdm_reader *reader, const char *path)
{
    canvas c = {.compose = compose};
    mdm_frame frame = {0};
    bool more;
    mdm_status status = mdm_reader_next(&more, reader, &frame);
    if (status == MDM_OK)
        status = still_picture(&c, &frame, path);
    mdm_portrait_view_free(&c.view);
    mdm_frame_free(&c.drawn);
    mdm_frame_free(&frame);
    return status;
}

static mdm_status compose_clip(mdm_compose *compose, const mdm_clip_work *work)
{
    const char *output = compose->clip.still ? "masked.png" : "masked.mp4";
    mdm_compose_sound sound = {0};
    mdm_reader *reader = NULL;
    char *path = NULL;
    size_t frames = 1;
    mdm_status status = mdm_join_path(&path, work->folder, output);
    if (status == MDM_OK)
        status = mdm_compose_players_open(compose);
    if (status == MDM_OK)
        status = mdm_clip_open_video(&reader, &compose->clip, work->threads);
    if (status == MDM_OK && compose->clip.still)
        status = compose_still(compose, reader, path);
    else if (status == MDM_OK) {
        status = mdm_compose_sound_open(&sound, compose);
        if (status == MDM_OK)
            status = compose_video(compose, &sound, reader, path, &frames);
    }
    if (status == MDM_OK)
        status = write_record(compose, sound.record, output, frames);
    mdm_compose_sound_free(&sound);
    mdm_reader_free(&reader);
    mdm_free(&path);
    return status;
}

mdm_status mdm_stage_compose(mdm_clip_work *work)
{
    mdm_compose compose;
    mdm_status status = open_compose(&compose, work);
    if (status == MDM_OK)
        status = compose_clip(&compose, work);
    close_compose(&compose);
    return status;
}

/* ---- frames that come from a graph ------------------------------------------------------------------------------------- */

typedef struct painter {
    mdm_compose compose;
    size_t frames;
} painter;

static void close_painter(void **state)
{
    painter *p = *state;
    if (p)
        close_compose(&p->compose);
    mdm_free(state);
}

static mdm_status open_painter(void **state, mdm_clip_work *work)
{
    painter *p;
    MDM_TRY(mdm_alloc(&p, 1, sizeof *p, "compose"));
    *state = p;
    MDM_TRY(open_compose(&p->compose, work));
    if (p->compose.clip.still || work->settings->mode != MDM_MODE_SCENE)
        return mdm_fail(MDM_ERR_INPUT, "%s: a graph composes videos in mode scene; use `mmdm compose`", work->folder);
    return mdm_compose_players_open(&p->compose);
}

static mdm_status paint_frame(void *state, mdm_frame *frame)
{
    painter *p = state;
    canvas c = {.compose = &p->compose};
    p->frames++;
    return paint(&c, frame);
}

static mdm_status finish_painter(void *state)
{
    painter *p = state;
    if (p->frames != p->compose.clip.frames)
        return mdm_fail(MDM_ERR_INPUT, "%s: %zu frames instead of the %zu that ingest saw", p->compose.clip.source,
                        p->frames, p->compose.clip.frames);
    return write_record(&p->compose, NULL, "masked.mp4", p->frames);
}

const mdm_frame_stage mdm_frames_compose = {open_painter, paint_frame, finish_painter, close_painter};
