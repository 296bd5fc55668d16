/* coco: frames as JPEG in images/<part>/, annotations/person_keypoints_<part>.json with boxes, 68 key points, tracks and videos. Ids count from 1.
 * Every exporting.stride-th frame is written. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "dataset/export.h"
#include "media/image.h"
#include "media/reader.h"

#define QUALITY 95

/* The lines between points: jaw, brows, nose, eyes, lips of iBUG 300-W; `closed` returns to the first. */
static const struct {
    int first, last;
    bool closed;
} strokes[] = {{0, 16, false}, {17, 21, false}, {22, 26, false}, {27, 30, false}, {31, 35, false},
               {36, 41, true}, {42, 47, true},  {48, 59, true},  {60, 67, true}};

typedef struct coco {
    mdm_export *e;
    mdm_out images, annotations; /* the lists, each in a file of its own until they are joined */
    long long image, annotation, video;
    json_t *videos, *tracks;
    int tracks_so_far; /* of the clips before */
} coco;

static json_t *category(void)
{
    json_t *names = json_array(), *skeleton = json_array();
    for (int i = 0; i < MDM_LABEL_POINTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "point_%02d", i);
        json_array_append_new(names, json_string(name));
    }
    for (size_t s = 0; s < sizeof strokes / sizeof *strokes; s++) {
        for (int i = strokes[s].first; i < strokes[s].last; i++)
            json_array_append_new(skeleton, json_pack("[i, i]", i + 1, i + 2));
        if (strokes[s].closed)
            json_array_append_new(skeleton, json_pack("[i, i]", strokes[s].last + 1, strokes[s].first + 1));
    }
    return json_pack("{s:i, s:s, s:s, s:o, s:o}", "id", 1, "name", "face", "supercategory", "person", "keypoints",
                     names, "skeleton", skeleton);
}

/* ---- one frame ------------------------------------------------------------------------------------------------------------------- */

static void add_numbers(json_t *to, const char *name, const float *value, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, mdm_json_rounded((double)value[i], 4));
    json_object_set_new(to, name, list);
}

static json_t *annotation(coco *c, const mdm_face_label *l)
{
    json_t *points = json_array(), *attributes;
    const int track = c->tracks_so_far + l->track + 1;
    for (int i = 0; i < MDM_LABEL_POINTS; i++) {
        json_array_append_new(points, mdm_json_rounded((double)l->points[i][0], 2));
        json_array_append_new(points, mdm_json_rounded((double)l->points[i][1], 2));
        json_array_append_new(points, json_integer(2));
    }
    attributes = json_pack("{s:i, s:s, s:o, s:o}", "track_id", track, "person", l->person, "mouth",
                           mdm_json_rounded((double)l->mouth, 4), "expression",
                           l->expression[0] ? json_string(l->expression) : json_null());
    add_numbers(attributes, "head_pose", l->head, 3);
    add_numbers(attributes, "gaze", l->gaze, 2);
    add_numbers(attributes, "eyes", l->eyes, 2);
    return json_pack("{s:I, s:I, s:i, s:[o, o, o, o], s:o, s:i, s:[], s:o, s:i, s:i, s:o}", "id", ++c->annotation,
                     "image_id", c->image, "category_id", 1, "bbox", mdm_json_rounded((double)l->box[0], 2),
                     mdm_json_rounded((double)l->box[1], 2), mdm_json_rounded((double)l->box[2], 2),
                     mdm_json_rounded((double)l->box[3], 2), "area",
                     mdm_json_rounded((double)l->box[2] * (double)l->box[3], 2), "iscrowd", 0, "segmentation",
                     "keypoints", points, "num_keypoints", MDM_LABEL_POINTS, "track_id", track, "attributes",
                     attributes);
}

static mdm_status item(mdm_out *out, long long number, json_t *value)
{
    mdm_status status = number > 1 ? mdm_out_write(out, ",\n", 2) : MDM_OK;
    if (status == MDM_OK)
        return mdm_out_json(out, value);
    json_decref(value);
    return status;
}

static mdm_status write_frame(coco *c, const mdm_export_clip *clip, const mdm_image *picture, int frame,
                              const mdm_face_labels *labels, size_t *next)
{
    char name[96], *path;
    snprintf(name, sizeof name, "%s_%06d.jpg", clip->id, frame);
    MDM_TRY(mdm_export_path(&path, c->e, "images/%s/%s", mdm_part_names[clip->part], name));
    mdm_status status = mdm_image_write_jpeg(picture, path, QUALITY);
    mdm_free(&path);
    MDM_TRY(status);
    c->image++;
    MDM_TRY(item(&c->images, c->image,
                 json_pack("{s:I, s:s, s:i, s:i, s:I, s:i}", "id", c->image, "file_name", name, "width", picture->width,
                           "height", picture->height, "video_id", c->video, "frame_index", frame)));
    while (*next < labels->count && labels->item[*next].frame < frame)
        ++*next;
    for (; *next < labels->count && labels->item[*next].frame == frame; ++*next)
        if (labels->item[*next].seen) {
            json_t *value = annotation(c, &labels->item[*next]);
            MDM_TRY(item(&c->annotations, c->annotation, value));
        }
    return MDM_OK;
}

/* ---- one clip ---------------------------------------------------------------------------------------------------------------------- */

static mdm_status write_frames(coco *c, const mdm_export_clip *clip, mdm_reader *reader, const mdm_face_labels *labels)
{
    mdm_frame frame = {0};
    bool more = true;
    size_t next = 0;
    int number = 0;
    mdm_status status = MDM_OK;
    const int stride = c->e->settings->exporting.stride;
    for (; status == MDM_OK; number++) {
        status = mdm_reader_next(&more, reader, &frame);
        if (status != MDM_OK || !more)
            break;
        if (number % stride != 0)
            continue;
        status = mdm_frame_rgb(&frame, 0, 0, 0, 0);
        if (status == MDM_OK)
            status = write_frame(c, clip, &frame.rgb, number, labels, &next);
    }
    mdm_frame_free(&frame);
    if (status == MDM_OK && number != clip->frames)
        status = mdm_fail(MDM_ERR_INPUT, "%s: %d frames, its row says %d", clip->media, number, clip->frames);
    return status;
}

static mdm_status write_clip(coco *c, const mdm_export_clip *clip)
{
    mdm_face_labels labels;
    mdm_reader *reader = NULL;
    int last = -1;
    MDM_TRY(mdm_export_labels(&labels, clip));
    c->video++;
    json_array_append_new(c->videos, json_pack("{s:I, s:s, s:s, s:i, s:i, s:i, s:f}", "id", c->video, "name", clip->id,
                                               "file_name", clip->file, "width", clip->width, "height", clip->height,
                                               "length", clip->frames, "fps", clip->fps));
    mdm_status status = mdm_reader_open(&reader, clip->media, NULL);
    if (status == MDM_OK)
        status = write_frames(c, clip, reader, &labels);
    for (int t = mdm_export_next_track(&labels, -1); t >= 0; t = mdm_export_next_track(&labels, t)) {
        json_array_append_new(c->tracks,
                              json_pack("{s:i, s:i, s:I, s:s}", "id", c->tracks_so_far + t + 1, "category_id", 1,
                                        "video_id", c->video, "person", mdm_export_person(&labels, t)));
        last = t;
    }
    c->tracks_so_far += last + 1;
    mdm_reader_free(&reader);
    mdm_labels_free(&labels);
    return status;
}

/* ---- one part ------------------------------------------------------------------------------------------------------------------------ */

static mdm_status open_list(mdm_out *out, const coco *c, const char *name)
{
    char *path;
    MDM_TRY(mdm_export_path(&path, c->e, "annotations/%s", name));
    mdm_status status = mdm_out_open(out, path);
    mdm_free(&path);
    return status;
}

static mdm_status join(coco *c, int part, const char *images, const char *annotations)
{
    mdm_out out = {0};
    char name[48];
    snprintf(name, sizeof name, "person_keypoints_%s.json", mdm_part_names[part]);
    mdm_status status = open_list(&out, c, name);
    if (status == MDM_OK)
        status = mdm_out_printf(&out, "{\"info\":");
    if (status == MDM_OK)
        status = mdm_out_json(&out, json_pack("{s:s, s:s, s:s}", "description", c->e->title, "version", "1",
                                              "contributor", "synthetic, made with mmdm"));
    if (status == MDM_OK)
        status = mdm_out_printf(&out, ",\n\"licenses\":");
    if (status == MDM_OK)
        status = mdm_out_json(&out, json_pack("[{s:i, s:s, s:s}]", "id", 1, "name", c->e->licence, "url", ""));
    const struct {
        const char *name;
        json_t *value;
    } lists[] = {{"categories", json_pack("[o]", category())}, {"videos", c->videos}, {"tracks", c->tracks}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (status == MDM_OK)
            status = mdm_out_printf(&out, ",\n\"%s\":", lists[i].name);
        if (status == MDM_OK)
            status = mdm_out_json(&out, json_incref(lists[i].value));
        json_decref(lists[i].value);
    }
    if (status == MDM_OK)
        status = mdm_out_printf(&out, ",\n\"images\":[");
    if (status == MDM_OK)
        status = mdm_out_file(&out, images);
    if (status == MDM_OK)
        status = mdm_out_printf(&out, "],\n\"annotations\":[");
    if (status == MDM_OK)
        status = mdm_out_file(&out, annotations);
    if (status == MDM_OK)
        status = mdm_out_printf(&out, "]}\n");
    return mdm_out_close(&out, status);
}

static mdm_status write_part(mdm_export *e, int part)
{
    coco c = {.e = e, .videos = json_array(), .tracks = json_array()};
    char *images = NULL, *annotations = NULL;
    mdm_status status = open_list(&c.images, &c, "images.part");
    if (status == MDM_OK)
        status = open_list(&c.annotations, &c, "annotations.part");
    for (size_t i = 0; i < e->count && status == MDM_OK; i++)
        if (e->clips[i].part == part)
            status = write_clip(&c, &e->clips[i]);
    if (status == MDM_OK)
        status = mdm_strdup(&images, c.images.path);
    if (status == MDM_OK)
        status = mdm_strdup(&annotations, c.annotations.path);
    status = mdm_out_close(&c.images, status);
    status = mdm_out_close(&c.annotations, status);
    if (status == MDM_OK) {
        status = join(&c, part, images, annotations);
    } else {
        json_decref(c.videos);
        json_decref(c.tracks);
    }
    if (images && annotations)
        remove(images), remove(annotations);
    mdm_free(&images);
    mdm_free(&annotations);
    return status;
}

mdm_status mdm_export_coco(mdm_export *e)
{
    for (int p = 0; p < MDM_PARTS; p++)
        if (mdm_export_has_part(e, p))
            MDM_TRY(write_part(e, p));
    return MDM_OK;
}
