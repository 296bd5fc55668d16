/* The tracker's loop. Order of work for a frame: follow what is known with the mesh network, look again near what was
 * just lost, and at every cut or half second let the detector look at the whole frame and at native-size tiles. A new
 * face is traced backwards through the history, so that it is covered from its first frame and not from its discovery. */
#include "face/tracker.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/face_detector.h"
#include "models/face_mesh.h"

#define MAX_LIVE      64  /* faces followed at once */
#define MAX_FOUND     256 /* candidates of one look */
#define HISTORY_BYTES (400u << 20)
#define MIN_SCORE     0.45f /* of the detector, to try the mesh */
#define SURE_SCORE    0.70f /* of the detector, to keep a face that the mesh does not confirm */
#define MIN_PRESENCE  0.5f  /* of the mesh's face flag */
#define SQUARE        192   /* the detector's own input */
#define WIDE_LONG     704   /* most pixels of its wide input: larger ones leave the cache and cost more a pixel */
#define WIDE_SHORT    384
#define SHARED        48    /* pixels neighbouring tiles have in common: a smaller face is whole in one of them */
#define SMALLEST_FACE 10.0f /* px: below it there is nothing to recognise */

typedef struct live_face {
    int track;     /* index in tracks */
    mdm_mesh mesh; /* last answer */
    int last_seen; /* frame of it */
    bool has_mesh; /* false: known by the detector only */
    float box[4];
} live_face;

#define LOOKERS   2  /* threads that look at tiles, a constant: results are merged in the tiles' order */
#define CELL      24 /* pixels of the detector's input a side of a signature's cell */
#define MAX_CELLS (WIDE_LONG / CELL + 1)
#define MAX_FACES 64 /* of a tile */

/* A tile of the last look: what it showed, so that nothing is looked at twice. */
typedef struct tile {
    float region[4];
    bool wide; /* for the detector with the wide input */
    int columns, rows;
    uint8_t signature[MAX_CELLS * MAX_CELLS]; /* [rows][columns] */
    int found;                                /* faces at the last look; -1: never looked at */
    int stale;                                /* looks it was skipped */
    bool skip;
    mdm_face_detection face[MAX_FACES];
    int count;
} tile;

struct mdm_tracker {
    char *models;
    mdm_face_detector *square[LOOKERS], *wide[LOOKERS]; /* wide: NULL where the picture is no larger than a square */
    int wide_size[2];
    tile *tiles;
    int tile_count, tile_capacity, tiles_width, tiles_height;
    mdm_face_mesh *mesher;
    mdm_tracks tracks;
    live_face live[MAX_LIVE];
    int live_count;
    mdm_image *history; /* ring: frame n at n % history_size */
    int history_size;
    int shot_first; /* first frame of the current shot */
    int look_every, look_next;
    int frames;
    int lost_limit; /* frames a lost face is searched for near where it was */
};

mdm_status mdm_tracker_new(mdm_tracker **out, const char *models, double fps)
{
    mdm_tracker *tracker = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&tracker, 1, sizeof *tracker, "tracker"));
    if (!(fps > 0.5))
        fps = 25;
    int half_second = (int)fmin(30, fmax(1, floor(fps * 0.48)));
    tracker->look_every = half_second;
    tracker->history_size = half_second + 1;
    tracker->lost_limit = half_second;
    mdm_status status =
        mdm_alloc(&tracker->history, (size_t)tracker->history_size, sizeof *tracker->history, "history");
    if (!status)
        status = mdm_strdup(&tracker->models, models);
    for (int i = 0; i < LOOKERS && !status; i++) /* small networks: threads cost more in waiting than they give */
        status = mdm_face_detector_new(&tracker->square[i], models, 1);
    if (!status)
        status = mdm_face_mesh_new(&tracker->mesher, models, 1);
    if (status)
        mdm_tracker_free(&tracker);
    *out = tracker;
    return status;
}

void mdm_tracker_free(mdm_tracker **tracker)
{
    mdm_tracker *t = *tracker;
    if (!t)
        return;
    for (int i = 0; t->history && i < t->history_size; i++)
        mdm_image_free(&t->history[i]);
    mdm_free(&t->history);
    for (int i = 0; i < LOOKERS; i++) {
        mdm_face_detector_free(&t->square[i]);
        mdm_face_detector_free(&t->wide[i]);
    }
    mdm_free(&t->models);
    mdm_free(&t->tiles);
    mdm_face_mesh_free(&t->mesher);
    mdm_tracks_free(&t->tracks);
    mdm_free(tracker);
}

static const mdm_image *past_frame(const mdm_tracker *t, int number)
{
    if (number < t->shot_first || number <= t->frames - 1 - t->history_size || number < 0)
        return NULL;
    const mdm_image *image = &t->history[number % t->history_size];
    return image->data ? image : NULL;
}

/* The mesh on `image` where `from` was, accepted only if it stayed on the same face: the flag, a similar size and place. */
static mdm_status follow(bool *ok, mdm_mesh *out, mdm_tracker *t, const mdm_image *image, const mdm_mesh *from)
{
    mdm_face_roi roi;
    mdm_face_roi_from_mesh(&roi, from);
    MDM_TRY(mdm_face_mesh_run(out, t->mesher, image, &roi));
    float before[4], after[4];
    mdm_mesh_box(before, from);
    mdm_mesh_box(after, out);
    float ratio = after[2] * after[3] / fmaxf(before[2] * before[3], 1);
    *ok = out->presence > MIN_PRESENCE && ratio > 0.45f && ratio < 2.2f && mdm_box_iou(before, after) > 0.2f &&
          after[2] > SMALLEST_FACE * 0.7f;
    return MDM_OK;
}

static mdm_status from_detection(bool *ok, mdm_mesh *out, mdm_tracker *t, const mdm_image *image,
                                 const mdm_face_detection *face)
{
    mdm_face_roi roi;
    mdm_face_roi_from_detection(&roi, face);
    MDM_TRY(mdm_face_mesh_run(out, t->mesher, image, &roi));
    float box[4], found[4] = {face->x, face->y, face->width, face->height};
    mdm_mesh_box(box, out);
    *ok = out->presence > MIN_PRESENCE && mdm_box_overlap(box, found) > 0.5f;
    if (!*ok)
        return MDM_OK;
    /* a second pass from its own points settles the crop, as it would on the next frame */
    mdm_mesh again;
    bool settled;
    MDM_TRY(follow(&settled, &again, t, image, out));
    if (settled)
        *out = again;
    return MDM_OK;
}

/* Traces a face that was just found back through the history, until the mesh loses it or another track is there. */
static mdm_status trace_back(mdm_tracker *t, int track_index, int number, const mdm_mesh *start)
{
    mdm_mesh at = *start, next;
    for (int n = number - 1;; n--) {
        const mdm_image *image = past_frame(t, n);
        if (!image)
            return MDM_OK;
        bool ok;
        MDM_TRY(follow(&ok, &next, t, image, &at));
        if (!ok)
            return MDM_OK;
        float box[4];
        mdm_mesh_box(box, &next);
        mdm_track *own = &t->tracks.track[track_index];
        const mdm_track_frame *known = mdm_track_at(own, n);
        if (known && known->state == MDM_TRACK_SEEN)
            return MDM_OK;
        for (int i = 0; i < t->tracks.count; i++) {
            const mdm_track_frame *other = i == track_index ? NULL : mdm_track_at(&t->tracks.track[i], n);
            if (other && other->state == MDM_TRACK_SEEN && other->has_mesh && mdm_box_iou(other->box, box) > 0.4f)
                return MDM_OK;
        }
        MDM_TRY(mdm_track_set_mesh(own, n, &next));
        at = next;
    }
}

/* Where the same face ended within the last half second of this shot, the track goes on instead of a new one. */
static int track_to_resume(const mdm_tracker *t, int number, const float box[4])
{
    int best = -1;
    float best_iou = 0.15f;
    for (int i = 0; i < t->tracks.count; i++) {
        const mdm_track *track = &t->tracks.track[i];
        int last = track->first + track->count - 1;
        if (last < t->shot_first || last < number - 3 * t->look_every || last >= number)
            continue;
        bool live = false;
        for (int k = 0; k < t->live_count; k++)
            live |= t->live[k].track == i && t->live[k].last_seen == number;
        const mdm_track_frame *frame = &track->frame[track->count - 1];
        float iou = mdm_box_iou(frame->box, box), size = box[2] / fmaxf(frame->box[2], 1);
        if (!live && iou > best_iou && size > 0.5f && size < 2.0f)
            best = i, best_iou = iou;
    }
    return best;
}

static void drop_live(mdm_tracker *t, int index)
{
    t->live[index] = t->live[--t->live_count];
}

static mdm_status start_face(mdm_tracker *t, int number, const mdm_face_detection *found, const mdm_mesh *mesh)
{
    if (t->live_count == MAX_LIVE)
        return mdm_fail(MDM_ERR_INPUT, "frame %d: more than %d faces at once; --cover the crowd or crop the clip",
                        number, MAX_LIVE);
    float box[4] = {found->x, found->y, found->width, found->height};
    if (mesh)
        mdm_mesh_box(box, mesh);
    int index = track_to_resume(t, number, box);
    for (int i = t->live_count - 1; i >= 0; i--) /* the one being searched for has been found */
        if (t->live[i].track == index)
            drop_live(t, i);
    mdm_track *track;
    if (index < 0) {
        MDM_TRY(mdm_tracks_add(&track, &t->tracks, number));
        index = track->id;
    }
    track = &t->tracks.track[index];
    live_face *live = &t->live[t->live_count++];
    memset(live, 0, sizeof *live);
    live->track = index;
    live->last_seen = number;
    live->has_mesh = mesh != NULL;
    memcpy(live->box, box, sizeof box);
    if (!mesh)
        return mdm_track_set_box(track, number, box, found->score, MDM_TRACK_SEEN);
    live->mesh = *mesh;
    MDM_TRY(mdm_track_set_mesh(track, number, mesh));
    return trace_back(t, index, number, mesh);
}

/* Adds what was found to a list; what repeats a stronger one is left out. */
static void merge(mdm_face_detection *found, int *count, const mdm_face_detection *fresh, int fresh_count)
{
    for (int i = 0; i < fresh_count; i++) {
        float box[4] = {fresh[i].x, fresh[i].y, fresh[i].width, fresh[i].height};
        bool repeated = fresh[i].width < SMALLEST_FACE;
        for (int k = 0; k < *count && !repeated; k++) {
            float other[4] = {found[k].x, found[k].y, found[k].width, found[k].height};
            if (mdm_box_iou(box, other) > 0.3f || mdm_box_overlap(box, other) > 0.7f) {
                if (fresh[i].score > found[k].score)
                    found[k] = fresh[i];
                repeated = true;
            }
        }
        if (!repeated && *count < MAX_FOUND)
            found[(*count)++] = fresh[i];
    }
}

/* Detector on a rectangle. */
static mdm_status look(mdm_face_detection *found, int *count, mdm_tracker *t, const mdm_image *image,
                       const float region[4])
{
    mdm_face_detection fresh[64];
    int fresh_count = 0;
    MDM_TRY(mdm_face_detector_run(fresh, 64, &fresh_count, t->square[0], image, region, MIN_SCORE));
    merge(found, count, fresh, fresh_count);
    return MDM_OK;
}

static mdm_status add_tile(mdm_tracker *t, float x, float y, float width, float height, bool wide)
{
    if (t->tile_count == t->tile_capacity) {
        int capacity = t->tile_capacity ? 2 * t->tile_capacity : 16;
        MDM_TRY(mdm_realloc(&t->tiles, (size_t)capacity, sizeof *t->tiles, "tiles"));
        t->tile_capacity = capacity;
    }
    tile *new = &t->tiles[t->tile_count++];
    memset(new, 0, sizeof *new);
    new->region[0] = x, new->region[1] = y, new->region[2] = width, new->region[3] = height;
    new->wide = wide;
    new->found = -1;
    float scale =
        wide ? fmaxf(width / (float)t->wide_size[0], height / (float)t->wide_size[1]) : fmaxf(width, height) / SQUARE;
    new->columns = (int)fminf(MAX_CELLS, ceilf(width / scale / CELL));
    new->rows = (int)fminf(MAX_CELLS, ceilf(height / scale / CELL));
    return MDM_OK;
}

/* How many tiles of `size` it takes along `length`. */
static int tiles_along(int length, int size)
{
    return length <= size ? 1 : (length - SHARED + size - SHARED - 1) / (size - SHARED);
}

/* The picture at 1 / `scale` of its size in tiles of one kind. */
static mdm_status add_level(mdm_tracker *t, const mdm_image *image, int scale, const int size[2], bool wide)
{
    const int extent[2] = {image->width, image->height};
    int count[2];
    float side[2], step[2];
    for (int i = 0; i < 2; i++) {
        count[i] = tiles_along((extent[i] + scale - 1) / scale, size[i]);
        side[i] = (float)(size[i] * scale);
        step[i] = count[i] > 1 ? ((float)extent[i] - side[i]) / (float)(count[i] - 1) : 0;
    }
    for (int r = 0; r < count[1]; r++)
        for (int c = 0; c < count[0]; c++)
            MDM_TRY(add_tile(t, step[0] * (float)c, step[1] * (float)r, side[0], side[1], wide));
    return MDM_OK;
}

/* The wide input that covers the picture at its native size with the least waste. */
static mdm_status choose_wide(mdm_tracker *t, const mdm_image *image)
{
    const int extent[2] = {image->width, image->height}, along = image->width < image->height;
    for (int i = 0; i < 2; i++) {
        int count = tiles_along(extent[i], i == along ? WIDE_LONG : WIDE_SHORT);
        t->wide_size[i] = ((extent[i] + (count - 1) * SHARED + count - 1) / count + 31) / 32 * 32;
    }
    for (int i = 0; i < LOOKERS; i++) {
        mdm_face_detector_free(&t->wide[i]);
        MDM_TRY(mdm_face_detector_new_wide(&t->wide[i], t->models, t->wide_size[0], t->wide_size[1], 1));
    }
    return MDM_OK;
}

/* The whole picture, then at its native size and at half of that, a quarter .. for what is too near, in wide tiles or in
 * squares, whichever is less to compute. */
static mdm_status lay_tiles(mdm_tracker *t, const mdm_image *image)
{
    const int longest = image->width > image->height ? image->width : image->height, square[2] = {SQUARE, SQUARE};
    if (t->tiles_width == image->width && t->tiles_height == image->height)
        return MDM_OK;
    t->tile_count = 0;
    MDM_TRY(add_tile(t, 0, 0, (float)image->width, (float)image->height, false));
    /* a level that the whole picture in one square is within a quarter of says nothing new */
    for (int scale = 1; 5 * SQUARE * scale < 4 * longest; scale *= 2) {
        if (scale == 1)
            MDM_TRY(choose_wide(t, image));
        int width = (image->width + scale - 1) / scale, height = (image->height + scale - 1) / scale;
        int squares = tiles_along(width, SQUARE) * tiles_along(height, SQUARE);
        int wides = tiles_along(width, t->wide_size[0]) * tiles_along(height, t->wide_size[1]);
        bool wide = wides * t->wide_size[0] * t->wide_size[1] < squares * SQUARE * SQUARE;
        MDM_TRY(add_level(t, image, scale, wide ? t->wide_size : square, wide));
    }
    t->tiles_width = image->width, t->tiles_height = image->height;
    return MDM_OK;
}

/* Mean green of the cells, every third pixel. */
static void sign(uint8_t *signature, const mdm_image *image, const tile *tile, int *contrast)
{
    const float *region = tile->region, across = region[2] / (float)tile->columns, down = region[3] / (float)tile->rows;
    int low = 255, high = 0;
    for (int cy = 0; cy < tile->rows; cy++)
        for (int cx = 0; cx < tile->columns; cx++) {
            int x0 = (int)(region[0] + across * (float)cx), x1 = (int)(region[0] + across * (float)(cx + 1));
            int y0 = (int)(region[1] + down * (float)cy), y1 = (int)(region[1] + down * (float)(cy + 1));
            unsigned sum = 0, n = 0;
            for (int y = y0; y < y1 && y < image->height; y += 3)
                for (int x = x0; x < x1 && x < image->width; x += 3) {
                    int g = image->data[(size_t)y * image->stride + 3 * (size_t)x + 1];
                    sum += (unsigned)g, n++;
                    low = g < low ? g : low, high = g > high ? g : high;
                }
            *signature++ = n ? (uint8_t)(sum / n) : 0;
        }
    *contrast = high - low;
}

/* Nothing to look for: flat, or as it was when nothing was found, for at most three looks. */
static void consider(tile *tile, const mdm_image *image)
{
    uint8_t now[sizeof tile->signature] = {0};
    int contrast, most = 0;
    sign(now, image, tile, &contrast);
    for (int i = 0; i < tile->columns * tile->rows; i++) {
        int d = now[i] > tile->signature[i] ? now[i] - tile->signature[i] : tile->signature[i] - now[i];
        most = d > most ? d : most;
    }
    tile->skip = contrast < 24 || (tile->found == 0 && most <= 5 && tile->stale < 3);
    tile->stale = tile->skip ? tile->stale + 1 : 0;
    tile->count = 0;
    if (!tile->skip)
        memcpy(tile->signature, now, sizeof now);
}

typedef struct looker {
    mdm_tracker *tracker;
    const mdm_image *image;
    atomic_int *next; /* of the tiles that nobody has taken */
    int index;
    mdm_status status;
    char message[256];
} looker;

static void *look_at_share(void *user)
{
    looker *l = user;
    mdm_tracker *t = l->tracker;
    for (int i; !l->status && (i = atomic_fetch_add(l->next, 1)) < t->tile_count;) {
        tile *tile = &t->tiles[i];
        if (tile->skip)
            continue;
        l->status = mdm_face_detector_run(tile->face, MAX_FACES, &tile->count,
                                          tile->wide ? t->wide[l->index] : t->square[l->index], l->image, tile->region,
                                          MIN_SCORE);
        tile->found = tile->count;
    }
    if (l->status)
        snprintf(l->message, sizeof l->message, "%s", mdm_error_message());
    return NULL;
}

static mdm_status look_everywhere(mdm_face_detection *found, int *count, mdm_tracker *t, const mdm_image *image)
{
    looker lookers[LOOKERS];
    pthread_t thread[LOOKERS];
    bool started[LOOKERS] = {false};
    atomic_int next = 0;
    MDM_TRY(lay_tiles(t, image));
    for (int i = 0; i < t->tile_count; i++)
        consider(&t->tiles[i], image);
    t->tiles[0].skip = false;
    for (int i = 0; i < LOOKERS; i++) {
        lookers[i] = (looker){.tracker = t, .image = image, .next = &next, .index = i};
        started[i] = i > 0 && pthread_create(&thread[i], NULL, look_at_share, &lookers[i]) == 0;
    }
    for (int i = 0; i < LOOKERS; i++)
        if (!started[i])
            look_at_share(&lookers[i]);
    for (int i = 0; i < LOOKERS; i++)
        if (started[i])
            pthread_join(thread[i], NULL);
    for (int i = 0; i < LOOKERS; i++)
        if (lookers[i].status)
            return mdm_fail(lookers[i].status, "%s", lookers[i].message);
    for (int i = 0; i < t->tile_count; i++)
        merge(found, count, t->tiles[i].face, t->tiles[i].count);
    return MDM_OK;
}

/* True when a live face that was seen on this frame is the one that was found. */
static bool already_live(mdm_tracker *t, int number, const mdm_face_detection *face)
{
    float box[4] = {face->x, face->y, face->width, face->height};
    for (int i = 0; i < t->live_count; i++) {
        live_face *live = &t->live[i];
        if (live->last_seen == number &&
            (mdm_box_iou(live->box, box) > 0.25f || mdm_box_overlap(live->box, box) > 0.6f)) {
            return true;
        }
    }
    return false;
}

static mdm_status take_in(mdm_tracker *t, const mdm_image *image, int number, const mdm_face_detection *found,
                          int count)
{
    for (int i = 0; i < count; i++) {
        if (already_live(t, number, &found[i]))
            continue;
        bool ok;
        mdm_mesh mesh;
        MDM_TRY(from_detection(&ok, &mesh, t, image, &found[i]));
        if (ok) {
            mdm_face_detection settled = found[i];
            float box[4];
            mdm_mesh_box(box, &mesh);
            settled.x = box[0], settled.y = box[1], settled.width = box[2], settled.height = box[3];
            if (!already_live(t, number, &settled))
                MDM_TRY(start_face(t, number, &found[i], &mesh));
        } else if (found[i].score >= SURE_SCORE) {
            MDM_TRY(start_face(t, number, &found[i], NULL));
        }
    }
    return MDM_OK;
}

/* Follows every live face into this frame; what is lost is looked for near where it was, up to the limit. */
static mdm_status follow_all(mdm_tracker *t, const mdm_image *image, int number)
{
    for (int i = t->live_count - 1; i >= 0; i--) {
        live_face *live = &t->live[i];
        bool ok = false;
        mdm_mesh mesh;
        if (live->has_mesh)
            MDM_TRY(follow(&ok, &mesh, t, image, &live->mesh));
        if (!ok) { /* look around the last place, at twice its size */
            float side = fmaxf(64, 2.2f * fmaxf(live->box[2], live->box[3]));
            float region[4] = {live->box[0] + live->box[2] / 2 - side / 2, live->box[1] + live->box[3] / 2 - side / 2,
                               side, side};
            mdm_face_detection found[MAX_FOUND];
            int count = 0;
            MDM_TRY(look(found, &count, t, image, region));
            int best = -1;
            for (int k = 0; k < count; k++) {
                float box[4] = {found[k].x, found[k].y, found[k].width, found[k].height};
                if ((best < 0 || found[k].score > found[best].score) && mdm_box_iou(box, live->box) > 0.1f &&
                    !already_live(t, number, &found[k]))
                    best = k;
            }
            if (best >= 0) {
                MDM_TRY(from_detection(&ok, &mesh, t, image, &found[best]));
                if (!ok &&
                    found[best].score >= SURE_SCORE) { /* a face the mesh cannot read: turned away, hidden, tiny */
                    float box[4] = {found[best].x, found[best].y, found[best].width, found[best].height};
                    MDM_TRY(mdm_track_set_box(&t->tracks.track[live->track], number, box, found[best].score,
                                              MDM_TRACK_SEEN));
                    memcpy(live->box, box, sizeof box);
                    live->last_seen = number;
                    live->has_mesh = false;
                    continue;
                }
            }
        }
        if (ok) {
            bool came_back = live->last_seen < number - 1 || !live->has_mesh;
            MDM_TRY(mdm_track_set_mesh(&t->tracks.track[live->track], number, &mesh));
            live->mesh = mesh;
            mdm_mesh_box(live->box, &mesh);
            live->last_seen = number;
            live->has_mesh = true;
            if (came_back) /* the gap is searched again from its far end */
                MDM_TRY(trace_back(t, live->track, number, &mesh));
        } else if (number - live->last_seen > t->lost_limit) {
            drop_live(t, i);
        }
    }
    return MDM_OK;
}

/* Two live faces that came to lie on one another: the one found later goes. */
static void drop_doubles(mdm_tracker *t, int number)
{
    for (int i = 0; i < t->live_count; i++)
        for (int k = t->live_count - 1; k > i; k--) {
            live_face *a = &t->live[i], *b = &t->live[k];
            if (a->last_seen != number || b->last_seen != number || mdm_box_iou(a->box, b->box) < 0.55f)
                continue;
            int younger = t->tracks.track[a->track].first > t->tracks.track[b->track].first ? i : k;
            mdm_track *track = &t->tracks.track[t->live[younger].track];
            if (track->count > 1 && track->first + track->count - 1 == number)
                track->count--;
            drop_live(t, younger);
            k = t->live_count;
        }
}

mdm_status mdm_tracker_push(mdm_tracker *tracker, const mdm_image *image, int number, bool cut)
{
    mdm_tracker *t = tracker;
    if (number != t->frames)
        return mdm_fail(MDM_ERR_INTERNAL, "tracker: frame %d, expected %d", number, t->frames);
    if (number == 0) { /* the history has a byte limit: large pictures get a shorter one */
        size_t bytes = (size_t)image->width * (size_t)image->height * 3;
        while (t->history_size > 2 && bytes * (size_t)t->history_size > HISTORY_BYTES)
            t->history_size--;
        if (t->look_every > t->history_size - 1)
            t->look_every = t->history_size - 1;
    }
    if (cut || number == 0) {
        t->live_count = 0;
        t->shot_first = number;
        t->look_next = number;
    }
    mdm_image *slot = &t->history[number % t->history_size];
    mdm_image_free(slot);
    MDM_TRY(mdm_image_copy(slot, image));
    t->frames = number + 1;
    MDM_TRY(follow_all(t, image, number));
    drop_doubles(t, number);
    if (number < t->look_next)
        return MDM_OK;
    t->look_next = number + t->look_every;
    mdm_face_detection found[MAX_FOUND];
    int count = 0;
    MDM_TRY(look_everywhere(found, &count, t, image));
    return take_in(t, image, number, found, count);
}

/* A face that only the detector ever saw, and only on one frame, is more likely a pattern than a person. */
static bool believable(const mdm_track *track)
{
    int seen = 0, meshes = 0;
    float best = 0;
    for (int i = 0; i < track->count; i++) {
        seen += track->frame[i].state == MDM_TRACK_SEEN;
        meshes += track->frame[i].has_mesh;
        best = fmaxf(best, track->frame[i].score);
    }
    return meshes >= 1 || (seen >= 2 && best >= SURE_SCORE);
}

/* An ear or a pattern inside a face: most of its frames lie within a track that is much larger there. */
static bool inside_another(mdm_tracker *t, const mdm_track *track)
{
    for (int i = 0; i < t->tracks.count; i++) {
        mdm_track *other = &t->tracks.track[i];
        int inside = 0, seen = 0;
        for (int k = 0; k < track->count && other != track; k++) {
            const mdm_track_frame *at = mdm_track_at(other, track->first + k);
            if (track->frame[k].state != MDM_TRACK_SEEN)
                continue;
            seen++;
            if (!at || at->state == MDM_TRACK_LOST || at->box[2] < 2 * track->frame[k].box[2])
                continue;
            /* the mesh ends before the ears of a turned head */
            float head[4] = {at->box[0] - 0.3f * at->box[2], at->box[1], 1.6f * at->box[2], at->box[3]};
            inside += mdm_box_overlap(head, track->frame[k].box) > 0.6f;
        }
        if (seen && inside > 0.7 * seen)
            return true;
    }
    return false;
}

mdm_status mdm_tracker_finish(mdm_tracks *tracks, mdm_tracker *tracker)
{
    int kept = 0;
    for (int i = 0; i < tracker->tracks.count; i++) {
        mdm_track *track = &tracker->tracks.track[i];
        if (track->count > 0 && (believable(track) || tracker->frames == 1) && !inside_another(tracker, track)) {
            mdm_track moved = *track;
            *track = tracker->tracks.track[kept];
            tracker->tracks.track[kept] = moved;
            tracker->tracks.track[kept].id = kept;
            kept++;
        }
    }
    for (int i = kept; i < tracker->tracks.count; i++) {
        mdm_free(&tracker->tracks.track[i].frame);
        mdm_free(&tracker->tracks.track[i].point);
    }
    tracker->tracks.count = kept;
    *tracks = tracker->tracks;
    memset(&tracker->tracks, 0, sizeof tracker->tracks);
    return MDM_OK;
}
