/* A picture is looked at as a whole, and at its native size and halves of that in tiles, shared by two threads. A tile that
 * shows what it showed when nothing was found is passed over. What a wide tile is not sure of is looked at again. */
#include "face/face_search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "face/track.h"

#define MIN_SCORE    0.45f /* of a face that is found */
#define WIDE_SCORE   0.20f /* in a wide tile, to look again */
#define SURE_SCORE   0.70f /* in a wide tile, not to */
#define AGAIN_SCORE  0.55f /* when looked at again: faces get .65 or more */
#define SURROUNDINGS 7     /* times its size: what a face is looked at again in */
#define SQUARE       192   /* the detector's own input */
#define WIDE_LONG    704   /* most pixels of its wide input: larger ones leave the cache and cost more a pixel */
#define WIDE_SHORT   384
#define SHARED       48 /* pixels neighbouring tiles have in common: a smaller face is whole in one of them */
#define CELL         24 /* pixels of the detector's input a side of a signature's cell */
#define MAX_CELLS    (WIDE_LONG / CELL + 1)
#define MAX_FACES    64   /* of a tile */
#define FROM_AFAR    2.0f /* times the picture's size: where a face that fills the picture is small enough to be found */
#define FILLS        0.4f /* of the picture's shorter side: what is looked for from afar is at least as wide */

/* A tile of the last look: what it showed, so that nothing is looked at twice. */
typedef struct tile {
    float region[4];
    bool wide;      /* for the detector with the wide input */
    float smallest; /* px: narrower faces are left to the other tiles */
    int columns, rows;
    uint8_t signature[MAX_CELLS * MAX_CELLS]; /* [rows][columns] */
    int found;                                /* faces at the last look; -1: never looked at */
    int stale;                                /* looks it was skipped */
    bool skip;
    mdm_face_detection face[MAX_FACES];
    int count;
} tile;

struct mdm_face_search {
    char *models;
    mdm_face_detector *square[MDM_SHARERS],
        *wide[MDM_SHARERS]; /* wide: NULL where the picture is no larger than a square */
    int wide_size[2];
    tile *tiles;
    int tile_count, tile_capacity, tiles_width, tiles_height;
};

mdm_status mdm_face_search_new(mdm_face_search **out, const char *models)
{
    mdm_face_search *search = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&search, 1, sizeof *search, "face search"));
    mdm_status status = mdm_strdup(&search->models, models);
    for (int i = 0; i < MDM_SHARERS && !status; i++) /* small networks: threads cost more in waiting than they give */
        status = mdm_face_detector_new(&search->square[i], models, 1);
    if (status)
        mdm_face_search_free(&search);
    *out = search;
    return status;
}

void mdm_face_search_free(mdm_face_search **search)
{
    mdm_face_search *s = *search;
    if (!s)
        return;
    for (int i = 0; i < MDM_SHARERS; i++) {
        mdm_face_detector_free(&s->square[i]);
        mdm_face_detector_free(&s->wide[i]);
    }
    mdm_free(&s->models);
    mdm_free(&s->tiles);
    mdm_free(search);
}

/* Adds what was found to a list; what repeats a stronger one is left out. */
static void merge(mdm_face_detection *found, int *count, const mdm_face_detection *fresh, int fresh_count)
{
    for (int i = 0; i < fresh_count; i++) {
        float box[4] = {fresh[i].x, fresh[i].y, fresh[i].width, fresh[i].height};
        bool repeated = fresh[i].width < MDM_SMALLEST_FACE;
        for (int k = 0; k < *count && !repeated; k++) {
            float other[4] = {found[k].x, found[k].y, found[k].width, found[k].height};
            if (mdm_box_iou(box, other) > 0.3f || mdm_box_overlap(box, other) > 0.7f) {
                if (fresh[i].score > found[k].score)
                    found[k] = fresh[i];
                repeated = true;
            }
        }
        if (!repeated && *count < MDM_FACE_SEARCH_MAX)
            found[(*count)++] = fresh[i];
    }
}

mdm_status mdm_face_search_near(mdm_face_detection *found, int *count, mdm_face_search *search, const mdm_image *image,
                                const float region[4])
{
    mdm_face_detection fresh[MAX_FACES];
    int fresh_count = 0;
    *count = 0;
    MDM_TRY(mdm_face_detector_run(fresh, MAX_FACES, &fresh_count, search->square[0], image, region, MIN_SCORE));
    merge(found, count, fresh, fresh_count);
    return MDM_OK;
}

static mdm_status add_tile(mdm_face_search *t, float x, float y, float width, float height, bool wide)
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
static mdm_status add_level(mdm_face_search *t, const mdm_image *image, int scale, const int size[2], bool wide)
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
static mdm_status choose_wide(mdm_face_search *t, const mdm_image *image)
{
    const int extent[2] = {image->width, image->height}, along = image->width < image->height;
    for (int i = 0; i < 2; i++) {
        int count = tiles_along(extent[i], i == along ? WIDE_LONG : WIDE_SHORT);
        t->wide_size[i] = ((extent[i] + (count - 1) * SHARED + count - 1) / count + 31) / 32 * 32;
    }
    for (int i = 0; i < MDM_SHARERS; i++) {
        mdm_face_detector_free(&t->wide[i]);
        MDM_TRY(mdm_face_detector_new_wide(&t->wide[i], t->models, t->wide_size[0], t->wide_size[1], 1));
    }
    return MDM_OK;
}

/* The whole picture, near and from afar, then at its native size and at half of that, a quarter .. for what is too near, in wide tiles or in
 * squares, whichever is less to compute. */
static mdm_status lay_tiles(mdm_face_search *t, const mdm_image *image)
{
    const int longest = image->width > image->height ? image->width : image->height, square[2] = {SQUARE, SQUARE};
    if (t->tiles_width == image->width && t->tiles_height == image->height)
        return MDM_OK;
    t->tile_count = 0;
    const float width = (float)image->width, height = (float)image->height;
    MDM_TRY(add_tile(t, 0, 0, width, height, false));
    MDM_TRY(add_tile(t, width * (1 - FROM_AFAR) / 2, height * (1 - FROM_AFAR) / 2, width * FROM_AFAR,
                     height * FROM_AFAR, false));
    t->tiles[1].smallest = FILLS * fminf(width, height);
    /* a level that the whole picture in one square is within a quarter of says nothing new */
    for (int scale = 1; 5 * SQUARE * scale < 4 * longest; scale *= 2) {
        if (scale == 1)
            MDM_TRY(choose_wide(t, image));
        int across = (image->width + scale - 1) / scale, down = (image->height + scale - 1) / scale;
        int squares = tiles_along(across, SQUARE) * tiles_along(down, SQUARE);
        int wides = tiles_along(across, t->wide_size[0]) * tiles_along(down, t->wide_size[1]);
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
            int x0 = (int)fmaxf(0, region[0] + across * (float)cx), x1 = (int)(region[0] + across * (float)(cx + 1));
            int y0 = (int)fmaxf(0, region[1] + down * (float)cy), y1 = (int)(region[1] + down * (float)(cy + 1));
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

/* A wide tile takes some wheels and foliage for faces, and the mesh agrees. Once more in a square, where they have another
 * size and place: faces score there as high as in the tile or higher, the others next to nothing. */
static mdm_status keep_confirmed(tile *tile, mdm_face_detector *square, const mdm_image *image)
{
    int kept = 0;
    for (int i = 0; i < tile->count; i++) {
        const mdm_face_detection *face = &tile->face[i];
        const float box[4] = {face->x, face->y, face->width, face->height};
        const float side = SURROUNDINGS * fmaxf(box[2], box[3]);
        mdm_face_detection again[MDM_FACE_SEARCH_MAX];
        int count = 0;
        bool confirmed = face->score >= SURE_SCORE;
        if (!confirmed)
            MDM_TRY(mdm_face_detector_run(
                again, MDM_FACE_SEARCH_MAX, &count, square, image,
                (const float[]){box[0] + (box[2] - side) / 2, box[1] + (box[3] - side) / 2, side, side}, AGAIN_SCORE));
        for (int k = 0; k < count && !confirmed; k++)
            confirmed =
                mdm_box_iou(box, (const float[]){again[k].x, again[k].y, again[k].width, again[k].height}) > 0.2f;
        if (confirmed)
            tile->face[kept++] = tile->face[i];
    }
    tile->count = kept;
    return MDM_OK;
}

static void drop_narrow(tile *tile)
{
    int kept = 0;
    for (int i = 0; i < tile->count; i++)
        if (tile->face[i].width >= tile->smallest)
            tile->face[kept++] = tile->face[i];
    tile->count = kept;
}

typedef struct looker {
    mdm_face_search *search;
    const mdm_image *image;
} looker;

static mdm_status look_at_tile(void *user, int item, int sharer)
{
    const looker *l = user;
    mdm_face_search *t = l->search;
    tile *tile = &t->tiles[item];
    if (tile->skip)
        return MDM_OK;
    MDM_TRY(mdm_face_detector_run(tile->face, MAX_FACES, &tile->count, tile->wide ? t->wide[sharer] : t->square[sharer],
                                  l->image, tile->region, tile->wide ? WIDE_SCORE : MIN_SCORE));
    if (tile->wide)
        MDM_TRY(keep_confirmed(tile, t->square[sharer], l->image));
    drop_narrow(tile);
    tile->found = tile->count;
    return MDM_OK;
}

mdm_status mdm_face_search_everywhere(mdm_face_detection *found, int *count, mdm_face_search *search,
                                      const mdm_image *image)
{
    mdm_face_search *t = search;
    *count = 0;
    MDM_TRY(lay_tiles(t, image));
    for (int i = 0; i < t->tile_count; i++)
        consider(&t->tiles[i], image);
    t->tiles[0].skip = false;
    MDM_TRY(mdm_share(t->tile_count, look_at_tile, &(looker){search, image}));
    for (int i = 0; i < t->tile_count; i++)
        merge(found, count, t->tiles[i].face, t->tiles[i].count);
    return MDM_OK;
}
