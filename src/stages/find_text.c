/* Text is looked for at samples half a second apart, a second while it stands still. A quad belongs to the region whose last
 * quad it overlaps, or whose reading it repeats nearby; between two samples corners move in a straight line, and at both ends
 * a region reaches to the neighbouring sample, since nobody saw when it came or went. */
#include "stages/find_text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "models/personal_text.h"
#include "models/text_detector.h"
#include "models/text_reader.h"

#define LONGEST_SIDE 1024 /* px the detector sees at most: burnt-in text of 1080p is still 10 px high */
#define TILE         1088 /* px: a larger picture is looked at a second time in tiles of its own size, for plates far away */
#define OVERLAP      128
#define RESTFUL      2 /* times longer between samples where text stands still */
#define MISSED       6 /* samples in a row that may not see a text that is still there: shake, glare, a bad crop */
#define SAME_PLACE                                                                                                     \
    0.8f /* overlap of a quad with a region's last one; where that was read for SURE it is not read anew */
#define SURE             0.9f
#define READ_AGAIN       4 /* samples later, all the same: the words in a place may change */
#define MAX_QUADS        256
#define MAX_REGIONS      2048
#define MIN_READING      0.50f /* confidence of a reading that counts as text */
#define ON_A_FACE        0.7f  /* of its frames: a region that follows a face */
#define FEWEST_ON_A_FACE 3     /* signs at its best reading, or it is a beard or a brow */
#define GROW             0.22f /* of the text's height, on every side: ascenders, outlines, compression halos */

typedef struct open_region {
    mdm_region region;
    int capacity;
    float best; /* confidence of `region.reading` */
    int sample; /* index of the last sample that saw it */
    int read;   /* and of the last in which it was read */
    int shot;
} open_region;

struct mdm_text_finder {
    mdm_text_detector *detector, *tile_detector; /* a detector is made anew when the size of its pictures changes */
    mdm_text_reader *reader;
    open_region *open;
    int count, capacity;
    int every, next; /* candidates are so far apart; the next one's number, for mdm_text_finder_wants alone */
    int sample, shot, last_number;
    bool restless; /* the last sample saw something move or appear */
};

mdm_status mdm_text_finder_new(mdm_text_finder **out, const char *models, double fps, int threads)
{
    mdm_text_finder *finder = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&finder, 1, sizeof *finder, "text finder"));
    finder->every = (int)fmin(30, fmax(1, floor((fps > 0.5 ? fps : 25) * 0.48)));
    mdm_status status = mdm_text_detector_new(&finder->detector, models, threads);
    if (!status)
        status = mdm_text_detector_new(&finder->tile_detector, models, threads);
    if (!status)
        status = mdm_text_reader_new(&finder->reader, models, threads);
    if (status)
        mdm_text_finder_free(&finder);
    *out = finder;
    return status;
}

void mdm_text_finder_free(mdm_text_finder **finder)
{
    mdm_text_finder *f = *finder;
    if (!f)
        return;
    for (int i = 0; i < f->count; i++)
        mdm_free(&f->open[i].region.quad);
    mdm_free(&f->open);
    mdm_text_detector_free(&f->detector);
    mdm_text_detector_free(&f->tile_detector);
    mdm_text_reader_free(&f->reader);
    mdm_free(finder);
}

bool mdm_text_finder_wants(mdm_text_finder *finder, int number, bool cut)
{
    const bool wanted = cut || number >= finder->next;
    if (wanted)
        finder->next = number + finder->every;
    return wanted;
}

static void quad_box(float box[4], const float corner[4][2])
{
    float x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    for (int i = 0; i < 4; i++) {
        x0 = fminf(x0, corner[i][0]), x1 = fmaxf(x1, corner[i][0]);
        y0 = fminf(y0, corner[i][1]), y1 = fmaxf(y1, corner[i][1]);
    }
    box[0] = x0, box[1] = y0, box[2] = x1 - x0, box[3] = y1 - y0;
}

/* Moves the corners outwards along the quad's own axes by GROW of its short side. */
static void grow(float out[4][2], const float corner[4][2])
{
    float u[2] = {corner[1][0] - corner[0][0], corner[1][1] - corner[0][1]};
    float v[2] = {corner[3][0] - corner[0][0], corner[3][1] - corner[0][1]};
    float lu = fmaxf(hypotf(u[0], u[1]), 1), lv = fmaxf(hypotf(v[0], v[1]), 1), by = GROW * fminf(lu, lv) + 1;
    for (int i = 0; i < 4; i++) {
        float su = i == 1 || i == 2 ? 1.0f : -1.0f, sv = i >= 2 ? 1.0f : -1.0f;
        for (int k = 0; k < 2; k++)
            out[i][k] = corner[i][k] + by * (su * u[k] / lu + sv * v[k] / lv);
    }
}

static int signs_of(const char *reading)
{
    int signs = 0;
    for (const char *p = reading; *p; p++)
        signs += isalnum((unsigned char)*p) || (*p & 0x80);
    return signs;
}

static bool worth_covering(const char *reading, float confidence)
{
    return signs_of(reading) >= 2 && confidence >= MIN_READING;
}

static mdm_status add_quad(open_region *open, int number, const float corner[4][2])
{
    mdm_region *region = &open->region;
    if (region->count == open->capacity) {
        int capacity = open->capacity ? open->capacity * 2 : 16;
        MDM_TRY(mdm_realloc(&region->quad, (size_t)capacity, sizeof *region->quad, "text region"));
        open->capacity = capacity;
    }
    region->quad[region->count].frame = number;
    memcpy(region->quad[region->count].corner, corner, sizeof region->quad[0].corner);
    region->count++;
    return MDM_OK;
}

/* The region that a quad continues; *best: how sure that is, the overlap alone where nothing was read. */
static open_region *find_open(float *best, mdm_text_finder *f, const float corner[4][2], const char *reading)
{
    float box[4];
    quad_box(box, corner);
    *best = 0;
    open_region *found = NULL;
    for (int i = 0; i < f->count; i++) {
        open_region *open = &f->open[i];
        if (open->shot != f->shot || open->sample < f->sample - MISSED || open->sample == f->sample)
            continue;
        float other[4];
        const struct mdm_region_quad *last = &open->region.quad[open->region.count - 1];
        quad_box(other, last->corner);
        float likeness = mdm_box_iou(box, other);
        float away = hypotf(box[0] - other[0], box[1] - other[1]);
        if (reading[0] && !strcmp(reading, open->region.reading) && away < 4 * fmaxf(box[2], other[2]))
            likeness += 0.5f;
        if (likeness > 0.2f && likeness > *best)
            *best = likeness, found = open;
    }
    return found;
}

static mdm_status open_new(open_region **out, mdm_text_finder *f)
{
    if (f->count == f->capacity) {
        int capacity = f->capacity ? f->capacity * 2 : 16;
        if (f->count >= MAX_REGIONS)
            return mdm_fail(MDM_ERR_MEMORY, "more than %d pieces of text in one clip; cut it with --segment",
                            MAX_REGIONS);
        MDM_TRY(mdm_realloc(&f->open, (size_t)capacity, sizeof *f->open, "text regions"));
        f->capacity = capacity;
    }
    *out = &f->open[f->count++];
    memset(*out, 0, sizeof **out);
    return MDM_OK;
}

static bool holds(const mdm_text_quad *quads, int count, const mdm_text_quad *quad)
{
    float inner[4], outer[4];
    quad_box(inner, quad->corner);
    float x = inner[0] + inner[2] / 2, y = inner[1] + inner[3] / 2;
    for (int i = 0; i < count; i++) {
        quad_box(outer, quads[i].corner);
        if (x > outer[0] && x < outer[0] + outer[2] && y > outer[1] && y < outer[1] + outer[3])
            return true;
    }
    return false;
}

/* Adds what is seen in tiles at the picture's own scale and was too small in the whole of it. */
static mdm_status look_in_tiles(mdm_text_quad *quads, int *count, mdm_text_finder *f, const mdm_image *image)
{
    if (image->width <= LONGEST_SIDE * 5 / 4 && image->height <= LONGEST_SIDE * 5 / 4)
        return MDM_OK;
    const int width = image->width < TILE ? image->width : TILE, height = image->height < TILE ? image->height : TILE;
    const int columns = width < TILE ? 1 : (image->width - OVERLAP + TILE - OVERLAP - 1) / (TILE - OVERLAP);
    const int rows = height < TILE ? 1 : (image->height - OVERLAP + TILE - OVERLAP - 1) / (TILE - OVERLAP);
    for (int t = 0; t < columns * rows; t++) {
        int x = columns > 1 ? (t % columns) * (image->width - width) / (columns - 1) : 0;
        int y = rows > 1 ? (t / columns) * (image->height - height) / (rows - 1) : 0;
        mdm_image tile = {width, height, image->channels, image->stride,
                          image->data + (size_t)y * image->stride + (size_t)x * (size_t)image->channels};
        mdm_text_quad seen[MAX_QUADS];
        int found = 0;
        MDM_TRY(mdm_text_detector_run(seen, MAX_QUADS, &found, f->tile_detector, &tile, TILE));
        for (int i = 0; i < found && *count < MAX_QUADS; i++) {
            for (int k = 0; k < 4; k++)
                seen[i].corner[k][0] += (float)x, seen[i].corner[k][1] += (float)y;
            if (!holds(quads, *count, &seen[i]))
                quads[(*count)++] = seen[i];
        }
    }
    return MDM_OK;
}

/* One sample: `image` is frame `number`. */
static mdm_status read_sample(mdm_text_finder *f, const mdm_image *image, int number)
{
    mdm_text_quad quads[MAX_QUADS];
    int count = 0;
    MDM_TRY(mdm_text_detector_run(quads, MAX_QUADS, &count, f->detector, image, LONGEST_SIDE));
    MDM_TRY(look_in_tiles(quads, &count, f, image));
    for (int i = 0; i < count; i++) {
        char reading[128] = "";
        float confidence = 0, likeness, corner[4][2];
        grow(corner, quads[i].corner);
        open_region *open = find_open(&likeness, f, corner, "");
        if (!open || likeness < SAME_PLACE || open->best < SURE || f->sample - open->read >= READ_AGAIN) {
            MDM_TRY(mdm_text_reader_run(reading, sizeof reading, &confidence, f->reader, image, &quads[i]));
            open = find_open(&likeness, f, corner, reading);
            if (open)
                open->read = f->sample;
        }
        if (!open && !worth_covering(reading, confidence))
            continue;
        if (!open) {
            MDM_TRY(open_new(&open, f));
            open->shot = f->shot;
            open->read = f->sample;
            f->restless = true;
            snprintf(open->region.kind, sizeof open->region.kind, "text");
        } else if (open->region.count) { /* moved by more than a fifth of its height? then look again soon */
            const float(*last)[2] = (const float(*)[2])open->region.quad[open->region.count - 1].corner;
            float moved = hypotf(last[0][0] - corner[0][0], last[0][1] - corner[0][1]);
            f->restless |= moved > 0.2f * fmaxf(hypotf(corner[3][0] - corner[0][0], corner[3][1] - corner[0][1]), 1);
        }
        open->sample = f->sample;
        if (confidence > open->best && reading[0]) {
            open->best = confidence;
            snprintf(open->region.reading, sizeof open->region.reading, "%s", reading);
            snprintf(open->region.kind, sizeof open->region.kind, "%s",
                     mdm_personal_text_plate(reading) ? "plate" : "text");
        }
        MDM_TRY(add_quad(open, number, corner));
    }
    return MDM_OK;
}

mdm_status mdm_text_finder_push(mdm_text_finder *f, const mdm_image *image, int number, bool cut)
{
    const int wait = (f->restless ? 1 : RESTFUL) * f->every;
    if (f->sample > 0 && !cut && number < f->last_number + wait)
        return MDM_OK;
    f->last_number = number;
    f->sample++;
    f->shot += cut;
    f->restless = cut;
    return read_sample(f, image, number);
}

/* A region sampled at some frames becomes one quad for every frame, reaching `reach` frames past both ends. */
static mdm_status spread(mdm_region *out, const mdm_region *in, int reach, int frames)
{
    int first = in->quad[0].frame - reach, last = in->quad[in->count - 1].frame + reach;
    first = first < 0 ? 0 : first;
    last = last >= frames ? frames - 1 : last;
    *out = *in;
    out->quad = NULL;
    out->count = last - first + 1;
    MDM_TRY(mdm_alloc(&out->quad, (size_t)out->count, sizeof *out->quad, "text region"));
    int k = 0;
    for (int n = first; n <= last; n++) {
        while (k + 1 < in->count && in->quad[k + 1].frame <= n)
            k++;
        const struct mdm_region_quad *a = &in->quad[k], *b = k + 1 < in->count ? &in->quad[k + 1] : a;
        float t = b->frame > a->frame && n > a->frame ? (float)(n - a->frame) / (float)(b->frame - a->frame) : 0;
        struct mdm_region_quad *quad = &out->quad[n - first];
        quad->frame = n;
        for (int c = 0; c < 4; c++)
            for (int x = 0; x < 2; x++)
                quad->corner[c][x] = a->corner[c][x] + t * (b->corner[c][x] - a->corner[c][x]);
    }
    return MDM_OK;
}

mdm_status mdm_text_finder_finish(mdm_region **regions, int *count, mdm_text_finder *finder, int frames)
{
    mdm_region *out = NULL;
    *regions = NULL;
    *count = 0;
    MDM_TRY(mdm_alloc(&out, (size_t)finder->count, sizeof *out, "text regions"));
    mdm_status status = MDM_OK;
    int n = 0;
    for (; n < finder->count && !status; n++)
        status = spread(&out[n], &finder->open[n].region, RESTFUL * finder->every, frames);
    if (status) {
        for (int i = 0; i < n; i++)
            mdm_free(&out[i].quad);
        mdm_free(&out);
        return status;
    }
    *regions = out;
    *count = n;
    return MDM_OK;
}

/* Of the frames of a region in which a face is known: the share in which its middle lies in one. */
static bool follows_a_face(const mdm_region *region, mdm_tracks *tracks)
{
    int faces = 0, inside = 0;
    for (int i = 0; i < region->count; i++) {
        float box[4];
        bool any = false, in = false;
        quad_box(box, region->quad[i].corner);
        const float x = box[0] + box[2] / 2, y = box[1] + box[3] / 2;
        for (int t = 0; t < tracks->count; t++) {
            const mdm_track_frame *at = mdm_track_at(&tracks->track[t], region->quad[i].frame);
            if (!at || at->state == MDM_TRACK_LOST)
                continue;
            const float *face = at->box;
            any = true;
            in |= x > face[0] && x < face[0] + face[2] && y > face[1] && y < face[1] + face[3];
        }
        faces += any, inside += in;
    }
    return faces > 0 && (float)inside >= ON_A_FACE * (float)faces;
}

void mdm_text_off_faces(mdm_found *found)
{
    int kept = 0;
    for (int i = 0; i < found->region_count; i++) {
        mdm_region *region = &found->region[i];
        if (signs_of(region->reading) < FEWEST_ON_A_FACE && follows_a_face(region, &found->tracks))
            mdm_free(&region->quad);
        else
            found->region[kept++] = *region;
    }
    found->region_count = kept;
}
