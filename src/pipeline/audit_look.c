/* Looking at a dataset's clips: more faces than stand-ins, text that can be read, stand-ins that look otherwise than their row
 * says; and whether clips of one stand-in are alike and those of two are not. Stand-ins are nobody: their vectors are no
 * templates of a person, but are kept in memory only all the same. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "dataset/attack.h"
#include "media/reader.h"
#include "models/attributes.h"
#include "models/centerface.h"
#include "models/facegen.h"
#include "models/recogniser.h"
#include "models/text_detector.h"
#include "models/text_reader.h"
#include "pipeline/audit.h"

#define EVERY      1.0 /* seconds between looks at faces */
#define TEXT_EVERY 4   /* of these, one is looked at for text */
#define FACE_SCORE 0.5f
#define SMALLEST   24 /* px a face is wide */
#define MAX_FACES  64
#define MAX_QUADS  64
#define LONGEST    1280
#define READABLE   0.85f /* the reader's confidence */
#define LETTERS    4     /* letters and digits of a string that counts */
#define KIND       MDM_RECOGNISER_MOBILEFACENET
#define THREADS    2

/* A clip with one stand-in: its mean face. */
typedef struct seen {
    char standin[40];
    float mean[MDM_RECOGNISER_MAX];
} seen;

typedef struct mdm_audit_eyes {
    mdm_face_mesh *mesher;
    mdm_recogniser *net;
    mdm_attributes *attributes;
    mdm_text_detector *text_detector;
    mdm_text_reader *text_reader;
    seen *clip;
    size_t count;
} eyes;

/* What is gathered of one clip. */
typedef struct clip_look {
    int looks, most_faces, text_looks, readable;
    char example[64];
    int faces;
    float mean[MDM_RECOGNISER_MAX];
    double age[MDM_ATTRIBUTES_AGES], gender[MDM_ATTRIBUTES_GENDERS], race[MDM_ATTRIBUTES_RACES];
} clip_look;

static mdm_status open_eyes(mdm_auditor *audit)
{
    MDM_TRY(mdm_alloc(&audit->eyes, 1, sizeof *audit->eyes, "audit"));
    eyes *e = audit->eyes;
    MDM_TRY(mdm_face_mesh_new(&e->mesher, audit->models, 1));
    MDM_TRY(mdm_recogniser_new(&e->net, KIND, audit->models, 1));
    MDM_TRY(mdm_attributes_new(&e->attributes, audit->weights, MDM_ATTRIBUTES_B, 1));
    MDM_TRY(mdm_text_detector_new(&e->text_detector, audit->models, THREADS));
    return mdm_text_reader_new(&e->text_reader, audit->models, 1);
}

void mdm_audit_look_end(mdm_auditor *audit)
{
    eyes *e = audit->eyes;
    if (!e)
        return;
    mdm_face_mesh_free(&e->mesher);
    mdm_recogniser_free(&e->net);
    mdm_attributes_free(&e->attributes);
    mdm_text_detector_free(&e->text_detector);
    mdm_text_reader_free(&e->text_reader);
    if (e->clip)
        mdm_wipe(e->clip, e->count * sizeof *e->clip);
    mdm_free(&e->clip);
    mdm_free(&audit->eyes);
}

/* ---- one frame ------------------------------------------------------------------------------------------------------------- */

static mdm_status look_at_face(clip_look *look, const eyes *e, const mdm_image *image, const mdm_face_detection *face)
{
    mdm_face_roi roi;
    mdm_mesh mesh;
    float vector[MDM_RECOGNISER_MAX];
    mdm_attributes_result result;
    mdm_face_roi_from_detection(&roi, face);
    MDM_TRY(mdm_face_mesh_settle(&mesh, e->mesher, image, &roi, 2));
    if (mesh.presence < 0.5f)
        return MDM_OK;
    MDM_TRY(mdm_recogniser_embed(e->net, image, &mesh, vector));
    for (int i = 0; i < mdm_recogniser_size(KIND); i++)
        look->mean[i] += vector[i];
    MDM_TRY(mdm_attributes_run(e->attributes, image, &mesh, &result));
    for (int i = 0; i < MDM_ATTRIBUTES_AGES; i++)
        look->age[i] += (double)result.age_prob[i];
    for (int i = 0; i < MDM_ATTRIBUTES_GENDERS; i++)
        look->gender[i] += (double)result.gender_prob[i];
    for (int i = 0; i < MDM_ATTRIBUTES_RACES; i++)
        look->race[i] += (double)result.race_prob[i];
    look->faces++;
    return MDM_OK;
}

static mdm_status look_for_text(clip_look *look, const eyes *e, const mdm_image *image)
{
    mdm_text_quad quads[MAX_QUADS];
    int count = 0;
    look->text_looks++;
    MDM_TRY(mdm_text_detector_run(quads, MAX_QUADS, &count, e->text_detector, image, LONGEST));
    for (int q = 0; q < count; q++) {
        char reading[128] = "";
        float confidence = 0;
        int letters = 0;
        MDM_TRY(mdm_text_reader_run(reading, sizeof reading, &confidence, e->text_reader, image, &quads[q]));
        for (const char *p = reading; *p; p++)
            letters += isalnum((unsigned char)*p) != 0;
        if (letters < LETTERS || confidence < READABLE)
            continue;
        look->readable++;
        if (!look->example[0])
            snprintf(look->example, sizeof look->example, "%.60s", reading);
    }
    return MDM_OK;
}

static mdm_status look_at_frame(clip_look *look, const eyes *e, mdm_centerface *detector, const mdm_image *image)
{
    mdm_face_detection found[MAX_FACES];
    int count = 0, faces = 0, first = -1;
    MDM_TRY(mdm_centerface_run(found, MAX_FACES, &count, detector, image, FACE_SCORE));
    for (int i = 0; i < count; i++)
        if (found[i].width >= SMALLEST) {
            faces++;
            first = first < 0 ? i : first;
        }
    look->most_faces = faces > look->most_faces ? faces : look->most_faces;
    if (faces == 1)
        MDM_TRY(look_at_face(look, e, image, &found[first]));
    return look->looks++ % TEXT_EVERY ? MDM_OK : look_for_text(look, e, image);
}

/* ---- one clip -------------------------------------------------------------------------------------------------------------- */

static mdm_status watch(clip_look *look, const eyes *e, const char *models, const char *path)
{
    mdm_reader *reader;
    mdm_frame frame = {0};
    mdm_centerface *detector = NULL;
    bool more = true;
    MDM_TRY(mdm_reader_open(&reader, path, &(mdm_reader_options){.threads = THREADS}));
    double fps = mdm_reader_video(reader)->fps;
    int every = fps > 0 ? (int)fmax(1, round(fps * EVERY)) : 25;
    mdm_status status = MDM_OK;
    for (int n = 0; !status; n++) {
        status = mdm_reader_next(&more, reader, &frame);
        if (status || !more)
            break;
        if (n % every)
            continue;
        status = mdm_frame_rgb(&frame, 0, 0, 0, 0);
        if (!status && !detector)
            status = mdm_centerface_new(&detector, models, frame.rgb.width, frame.rgb.height, THREADS);
        if (!status)
            status = look_at_frame(look, e, detector, &frame.rgb);
    }
    mdm_centerface_free(&detector);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    return status;
}

/* Does the stand-in look as its row says? What a judge sees differs now and then: told, not a fault. */
static void compare_looks(mdm_auditor *audit, const clip_look *look, const json_t *row, const json_t *person)
{
    static const char *const genders[2] = {"female", "male"};
    const struct {
        const char *name, *seen;
    } looks[] = {{"age", mdm_facegen_age_names[mdm_largest(look->age, MDM_ATTRIBUTES_AGES)]},
                 {"gender", genders[mdm_largest(look->gender, 2)]},
                 {"race", mdm_facegen_race_names[mdm_largest(look->race, MDM_ATTRIBUTES_RACES)]}};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        const char *said = json_string_value(json_object_get(person, looks[i].name));
        if (said && strcmp(said, looks[i].seen) != 0)
            mdm_audit_say(audit, false, "%s: the row says %s %s, attributes-b sees %s",
                          json_string_value(json_object_get(row, "clip_id")), looks[i].name, said, looks[i].seen);
    }
}

static mdm_status remember(eyes *e, const clip_look *look, const char *standin)
{
    MDM_TRY(mdm_realloc(&e->clip, e->count + 1, sizeof *e->clip, "audit"));
    seen *s = &e->clip[e->count++];
    memset(s, 0, sizeof *s);
    snprintf(s->standin, sizeof s->standin, "%.39s", standin);
    memcpy(s->mean, look->mean, sizeof s->mean);
    mdm_recogniser_mean(KIND, s->mean, look->faces);
    return MDM_OK;
}

mdm_status mdm_audit_look(mdm_auditor *audit, const char *path, const json_t *row)
{
    const char *id = json_string_value(json_object_get(row, "clip_id"));
    const json_t *persons = json_object_get(row, "persons"), *only = json_array_get(persons, 0);
    const char *treatment = json_string_value(json_object_get(json_object_get(audit->report, "channels"), "text"));
    clip_look *look = NULL;
    if (!audit->eyes)
        MDM_TRY(open_eyes(audit));
    MDM_TRY(mdm_alloc(&look, 1, sizeof *look, "audit"));
    mdm_status status = watch(look, audit->eyes, audit->models, path);
    if (!status && look->most_faces > (int)json_array_size(persons))
        mdm_audit_say(
            audit, true,
            "%s: CenterFace finds %d faces at a time, the row names %zu persons: somebody may have been missed", id,
            look->most_faces, json_array_size(persons));
    if (!status && look->readable && (!treatment || strcmp(treatment, "keep") != 0))
        mdm_audit_say(audit, true, "%s: %d strings can be read in %d frames, such as \"%s\"", id, look->readable,
                      look->text_looks, look->example);
    const char *action = json_string_value(json_object_get(only, "action")),
               *standin = json_string_value(json_object_get(only, "standin"));
    bool replaced = json_array_size(persons) == 1 && action && standin && strcmp(action, "replaced") == 0;
    if (!status && replaced && look->faces) {
        compare_looks(audit, look, row, only);
        status = remember(audit->eyes, look, standin);
    }
    mdm_wipe(look, sizeof *look);
    mdm_free(&look);
    return status;
}

/* ---- all clips ------------------------------------------------------------------------------------------------------------- */

mdm_status mdm_audit_look_together(mdm_auditor *audit)
{
    const eyes *e = audit->eyes;
    const char *identity = json_string_value(json_object_get(json_object_get(audit->report, "attacks"), "identity"));
    const float limit = mdm_recogniser_match(KIND);
    long long same = 0, linked = 0, other = 0, alike = 0;
    double low, high;
    for (size_t a = 0; e && a < e->count; a++)
        for (size_t b = a + 1; b < e->count; b++) {
            bool one = strcmp(e->clip[a].standin, e->clip[b].standin) == 0,
                 near = mdm_recogniser_distance(KIND, e->clip[a].mean, e->clip[b].mean) < limit;
            same += one, linked += one && near;
            other += !one, alike += !one && near;
        }
    mdm_audit_say(audit, false,
                  "%zu clips looked at: faces once a second, text every %d seconds; sound is not listened to",
                  audit->clips, (int)(EVERY * TEXT_EVERY));
    if (same) {
        mdm_wilson(&low, &high, linked, same);
        mdm_audit_say(
            audit, false, "%lld of %lld pairs of clips of one person are alike (MobileFaceNet, %.0f to %.0f %%)%s",
            linked, same, 100 * low, 100 * high,
            identity && strcmp(identity, "per-clip") == 0 ? "; with a stand-in for every clip they should not be"
                                                          : ", as one stand-in a person means");
    }
    if (other) {
        mdm_wilson(&low, &high, alike, other);
        mdm_audit_say(audit, false, "%lld of %lld pairs of clips of two persons are alike (%.0f to %.0f %%)", alike,
                      other, 100 * low, 100 * high);
    }
    return MDM_OK;
}
