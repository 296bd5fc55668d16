/* The portrait stage: draws faces of the planned age, gender and race until one passes the gate, reads as
 * planned and is somebody else than the person and the job's other stand-ins. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/random.h"
#include "face/portrait_gate.h"
#include "face/single_face.h"
#include "face/track_file.h"
#include "models/attributes.h"
#include "models/face_detector.h"
#include "models/facegen.h"
#include "models/facegen_upsample.h"
#include "nn/gpu.h"
#include "stages/animate.h"
#include "stages/casting.h"
#include "stages/portrait_check.h"
#include "stages/portrait_words.h"
#include "stages/rehearsal.h"
#include "stages/stage.h"

/* Distances are over what the recogniser takes for one person: 1 parts two people. Room is the portrait's to the nearest other
 * face, worn the mean to the person once it is drawn into the recording, by the network that takes them for more alike. */
#define DRAWS       12    /* at most, for one stand-in */
#define DRAWS_FEW   5     /* after which WORN_FAIR is enough, */
#define DRAWS_MANY  9     /* after which WORN_LEAST is */
#define ROOM_LEAST  0.75f /* nearer is never taken */
#define ROOM_FAIR   1.0f  /* nearer is taken where nothing else is left */
#define WORN_ENOUGH 1.2f  /* no further draw is needed */
#define WORN_FAIR   1.05f
#define WORN_LEAST  0.97f
#define WORN_MORE   0.1f  /* for each stand-in before this one that was still recognised */
#define BROW_KNIT   0.3f  /* cm, under a neutral face's: a frown */
#define BROW_RAISED 0.75f /* over it: no face has that, the mesh lies wrong on a misshapen one */
#define SMILE_LEAST 0.5f  /* asked for; less of it is drawn, and brows relax: asked for none, many scowl */
#define CREASE      0.2f  /* between the brows, log luminance: a scowl */
#define PITCH_DRAWN 6.7f  /* degrees (mdm_pose_angles), where 0 is asked for: the chin comes out raised, */
#define PITCH_SHARE 0.42f /* and so much of what is asked for is drawn */
#define PITCH_LEAST (-14.0f)
#define REST_ALIKE  0.2f /* cm, between the corners of the person's resting mouth and the stand-in's */

#define IDENTITIES 64   /* drawn at most, for one draw */
#define FAR_ENOUGH 0.8f /* dlib; the first identity with so much room becomes a face, else the one with most */
#define SPREAD     1.4f /* of theirs: above 1, for the faces drawn differ less than the identities asked for */
#define SPREAD_FEW                                                                                                     \
    1.0f /* after DRAWS_FEW: who is rare among the training's faces is drawn badly when far from the usual */

_Static_assert(MDM_FACEGEN_IDENTITY == MDM_DLIB_FACE_SIZE, "an identity is a descriptor of dlib's");

typedef struct casting_job {
    mdm_clip_work *work;
    mdm_clip clip;
    mdm_found found;
    mdm_facegen *facegen;
    mdm_facegen_upsample *upsample;
    mdm_portrait_words *words; /* draws in place of both where another backend is asked for */
    mdm_face_detector *detector;
    mdm_face_mesh *mesher;
    mdm_attributes *attributes;
    mdm_casting *casting;
    mdm_rehearsal *rehearsal; /* of the person at hand */
    int tracks[MDM_CAST_MAX];
    const mdm_casting_face *source; /* the person's faces, the rehearsal's */
    int source_count;
    mdm_casting_face *others; /* [MDM_CASTING_FACES] stand-ins of the job so far */
    int other_count;
    const json_t *person;  /* at hand */
    float rest[MDM_RESTS]; /* the person's resting expression where that is kept, else a neutral one */
    float pitch;           /* how the person usually holds the head where that is kept, degrees; else 0 */
    int draw;
} casting_job;

/* One candidate that can be driven. */
typedef struct candidate {
    mdm_image picture;
    mdm_mesh mesh;
    mdm_portrait_measures measures;
    mdm_casting_face face;
    bool as_planned, rests; /* rests: with the expression that is wanted */
    float room;             /* to the person and the other stand-ins */
    float worn;             /* to the person, once it is drawn into the recording */
    int draw;
} candidate;

static const char *standin_text(const json_t *person, const char *key)
{
    return json_string_value(json_object_get(json_object_get(person, "standin"), key));
}

static mdm_portrait_wanted wanted_of(const json_t *person)
{
    return mdm_portrait_wanted_of(standin_text(person, "age"), standin_text(person, "gender"),
                                  standin_text(person, "race"),
                                  json_is_true(json_object_get(json_object_get(person, "standin"), "glasses")));
}

/* ---- the person ---- */

static mdm_status know_source(casting_job *job)
{
    size_t i;
    const json_t *number;
    int count = 0;
    mdm_rehearsal_free(&job->rehearsal);
    json_array_foreach(json_object_get(job->person, "tracks"), i, number)
    {
        const json_int_t track = json_integer_value(number);
        if (track >= 0 && track < job->found.tracks.count && count < MDM_CAST_MAX)
            job->tracks[count++] = (int)track;
    }
    MDM_TRY(mdm_rehearsal_new(&job->rehearsal, job->tracks, count, &job->clip, &job->found, job->work, job->casting,
                              job->mesher));
    job->source = mdm_rehearsal_person(job->rehearsal, &job->source_count);
    return MDM_OK;
}

/* Stand-ins before this one that were still recognised. */
static int attempts_before(const casting_job *job)
{
    return (int)json_integer_value(json_object_get(json_object_get(job->person, "standin"), "attempt"));
}

/* The expression that the person rests with; a neutral one where it is not kept. A grin is itself something to know a person
 * by: each stand-in that was recognised lets the next rest more like anybody. */
static void know_rest(casting_job *job)
{
    const float share = 1 - (float)attempts_before(job) / MDM_ATTEMPTS_REST;
    memcpy(job->rest, mdm_rest_neutral, sizeof job->rest);
    if (share > 0 && json_object_get(json_object_get(job->person, "keep"), "expression"))
        mdm_rehearsal_keep_rest(job->rest, job->rehearsal);
    for (int k = 0; k < MDM_RESTS; k++)
        job->rest[k] = mdm_rest_neutral[k] + share * (job->rest[k] - mdm_rest_neutral[k]);
}

/* A face seen from below goes on looking so when the warp turns it: it is drawn as the person's is usually seen. */
static mdm_status know_pitch(casting_job *job)
{
    job->pitch = 0;
    return json_object_get(json_object_get(job->person, "keep"), "head_pose")
               ? mdm_rehearsal_pitch(&job->pitch, job->rehearsal)
               : MDM_OK;
}

/* ---- candidates ---- */

/* Somebody as planned who is far enough from the person and the other stand-ins. The first such, not the farthest of many: the
 * less the choice depends on the person, the less the stand-in tells of them. */
static void choose_identity(mdm_facegen_conditions *conditions, const casting_job *job,
                            const mdm_portrait_wanted *wanted, mdm_random *random)
{
    float most = -1, identity[MDM_FACEGEN_IDENTITY];
    for (int i = 0; i < IDENTITIES && most < FAR_ENOUGH; i++) {
        mdm_facegen_draw_identity(job->facegen, identity, wanted->age, wanted->gender, wanted->race,
                                  job->draw < DRAWS_FEW ? SPREAD : SPREAD_FEW, random);
        float room = fminf(mdm_casting_nearest(identity, job->source, job->source_count),
                           mdm_casting_nearest(identity, job->others, job->other_count));
        if (room > most) {
            most = room;
            memcpy(conditions->identity, identity, sizeof identity);
        }
    }
    conditions->identity_known = true;
}

/* Whether the corners of its mouth lie about where the person's do and its brows are not lowered: pulled further, a smile becomes a
 * sneer, and a frown is drawn in the skin and stays when the brows are lifted. */
static bool rests_alike(const casting_job *job, const mdm_mesh *mesh)
{
    float rest[MDM_RESTS];
    mdm_rehearsal_rest_of(rest, job->rehearsal, mesh);
    const float brows = rest[MDM_REST_BROW_IN] - mdm_rest_neutral[MDM_REST_BROW_IN];
    return fabsf(rest[MDM_REST_LIFT] - job->rest[MDM_REST_LIFT]) < REST_ALIKE && brows > -BROW_KNIT &&
           brows < BROW_RAISED;
}

static mdm_status judge(candidate *c, casting_job *job, const mdm_portrait_wanted *wanted)
{
    mdm_attributes_result seen;
    MDM_TRY(mdm_attributes_run(job->attributes, &c->picture, &c->mesh, &seen));
    c->as_planned = !mdm_portrait_unlike(&seen, wanted) &&
                    !mdm_portrait_complaint(&c->measures, wanted->glasses, mdm_rest_smile(job->rest));
    c->rests = rests_alike(job, &c->mesh) && c->measures.knit < CREASE;
    MDM_TRY(mdm_casting_embed(&c->face, job->casting, &c->picture, &c->mesh));
    float person = mdm_casting_room(job->casting, &c->face, job->source, job->source_count);
    float others = mdm_casting_room(job->casting, &c->face, job->others, job->other_count);
    c->room = fminf(fminf(person, others), 3);
    return MDM_OK;
}

static bool report(void *user, double done, double total)
{
    const casting_job *job = user;
    return mdm_progress_update(job->work->progress, job->draw + done / total, DRAWS);
}

static mdm_status draw_embedded(mdm_image *out, casting_job *job, const mdm_portrait_wanted *wanted, float smile,
                                mdm_random *random, const mdm_progress *progress)
{
    mdm_facegen_conditions conditions =
        mdm_facegen_neutral(job->facegen, wanted->age, wanted->gender, wanted->race, wanted->glasses, random);
    mdm_facegen_smile(&conditions, smile);
    conditions.value[MDM_FACEGEN_PITCH] += mdm_clampf((job->pitch - PITCH_DRAWN) / PITCH_SHARE, PITCH_LEAST, 0);
    choose_identity(&conditions, job, wanted, random);
    const mdm_facegen_sampler sampler = mdm_facegen_sampler_default();
    return mdm_facegen_draw(job->facegen, out, &conditions, &sampler, random, progress);
}

/* As planned first, then at rest as the person is, then other people. */
static int rank(const candidate *c)
{
    return 4 * c->as_planned + 2 * c->rests + (c->room >= ROOM_FAIR);
}

/* Only where it may still be taken. */
static mdm_status try_on(candidate *c, casting_job *job, const candidate *best)
{
    if (c->room < ROOM_LEAST || (best->picture.data && rank(c) < rank(best)))
        return MDM_OK;
    MDM_TRY(mdm_rehearsal_try(&c->worn, job->rehearsal, &c->picture, &c->mesh));
    c->worn = isfinite(c->worn) ? c->worn : c->room; /* too small to be drawn in */
    return MDM_OK;
}

/* Draws number `draw` of a stand-in; *usable is false when the gate refuses it. `best`: of those before. */
static mdm_status draw_one(candidate *c, bool *usable, casting_job *job, int draw, const candidate *best)
{
    char key[160];
    mdm_random random;
    const mdm_progress progress = {report, job};
    const char *seed_key = standin_text(job->person, "seed_key");
    const mdm_portrait_wanted wanted = wanted_of(job->person);
    const float smile = fmaxf(mdm_rest_smile(job->rest), SMILE_LEAST);
    snprintf(key, sizeof key, "portrait/%.100s/%d", seed_key ? seed_key : "?", draw);
    mdm_random_seed(&random, job->work->settings->seed, key);
    memset(c, 0, sizeof *c);
    c->draw = job->draw = draw;
    MDM_TRY(job->words ? mdm_portrait_words_draw(&c->picture, job->words, json_object_get(job->person, "standin"),
                                                 job->work->settings->seed, key, &progress)
                       : draw_embedded(&c->picture, job, &wanted, smile, &random, &progress));
    MDM_TRY(mdm_single_face(usable, &c->mesh, job->detector, job->mesher, &c->picture));
    const char *complaint = "no single face";
    if (*usable) {
        MDM_TRY(mdm_portrait_measure(&c->measures, &c->picture, (const float(*)[3])c->mesh.point));
        complaint = mdm_portrait_complaint(&c->measures, wanted.glasses, smile);
        /* not every draw wears the glasses it was asked for: without is not as planned, but better than no stand-in */
        if (complaint && wanted.glasses)
            complaint = mdm_portrait_complaint(&c->measures, false, smile);
        *usable = complaint == NULL;
    }
    if (*usable)
        MDM_TRY(judge(c, job, &wanted));
    if (*usable)
        MDM_TRY(try_on(c, job, best));
    mdm_log(MDM_LOG_DEBUG, "%s, draw %d, smile %.2f: %s; as planned: %s, rests alike: %s; room %.2f, worn %.2f",
            seed_key ? seed_key : "?", draw, (double)smile, complaint ? complaint : "passes",
            c->as_planned ? "yes" : "no", c->rests ? "yes" : "no", (double)c->room, (double)c->worn);
    return MDM_OK;
}

/* Then the farthest from the person where it will be seen. */
static bool better(const candidate *a, const candidate *b)
{
    if (!b->picture.data)
        return true;
    return rank(a) != rank(b) ? rank(a) > rank(b) : a->worn > b->worn;
}

static bool enough(const candidate *best, const casting_job *job, int draws)
{
    const float worn = draws < DRAWS_FEW ? WORN_ENOUGH : draws < DRAWS_MANY ? WORN_FAIR : WORN_LEAST;
    return best->picture.data && best->as_planned && best->rests && best->room >= ROOM_FAIR &&
           best->worn >= worn + WORN_MORE * (float)attempts_before(job);
}

static mdm_status draw_best(candidate *best, casting_job *job)
{
    memset(best, 0, sizeof *best);
    for (int draw = 0; draw < DRAWS && !enough(best, job, draw); draw++) {
        candidate c;
        bool usable = false;
        mdm_status status = draw_one(&c, &usable, job, draw, best);
        if (!status && usable && c.room >= ROOM_LEAST && better(&c, best)) {
            mdm_image_free(&best->picture);
            *best = c;
        } else {
            mdm_image_free(&c.picture);
        }
        MDM_TRY(status);
    }
    return MDM_OK;
}

/* The chosen one at twice the size, its mesh fitted there anew, around where it was: a detector often misses a face that fills so
 * large a picture. Where the mesh does not take to it, it stays as it was drawn. */
static mdm_status enlarge(candidate *best, casting_job *job)
{
    mdm_image large = {0};
    mdm_mesh mesh = {0};
    mdm_face_roi roi;
    MDM_TRY(mdm_facegen_upsample_run(&large, job->upsample, &best->picture));
    mdm_mesh_enlarged(mesh.point, &best->mesh, (float)large.width / (float)best->picture.width);
    mdm_face_roi_from_mesh(&roi, &mesh);
    mdm_status status = mdm_face_mesh_settle(&mesh, job->mesher, &large, &roi, 2);
    if (!status && mesh.presence > 0.5f) {
        mdm_image_free(&best->picture);
        best->picture = large;
        best->mesh = mesh;
    } else {
        mdm_image_free(&large);
    }
    return status;
}

/* ---- files ---- */

static json_t *record_of(const candidate *c, const casting_job *job)
{
    float person[MDM_CASTING_NETS], others[MDM_CASTING_NETS];
    json_t *mesh = json_array();
    mdm_casting_distances(person, job->casting, &c->face, job->source, job->source_count);
    mdm_casting_distances(others, job->casting, &c->face, job->others, job->other_count);
    for (int i = 0; i < MDM_MESH_POINTS; i++)
        json_array_append_new(mesh, json_pack("[f,f,f]", (double)c->mesh.point[i][0], (double)c->mesh.point[i][1],
                                              (double)c->mesh.point[i][2]));
    json_t *distance = json_object();
    static const char *const names[MDM_CASTING_NETS] = {"dlib", "faceres"};
    for (int i = 0; i < MDM_CASTING_NETS; i++)
        json_object_set_new(distance, names[i],
                            json_pack("{s:o, s:o}", "person",
                                      isfinite(person[i]) ? json_real((double)person[i]) : json_null(), "others",
                                      isfinite(others[i]) ? json_real((double)others[i]) : json_null()));
    return json_pack("{s:s, s:s, s:i, s:b, s:f, s:o, s:{s:f, s:f, s:f, s:f, s:f, s:f, s:f}, s:o}", "id",
                     json_string_value(json_object_get(job->person, "id")), "seed_key",
                     standin_text(job->person, "seed_key"), "draw", c->draw, "as_planned", c->as_planned, "worn",
                     (double)c->worn, "distance", distance, "gate", "yaw", (double)c->measures.yaw, "pitch",
                     (double)c->measures.pitch, "lip_gap", (double)c->measures.lip_gap, "eye_open",
                     (double)c->measures.eye_open, "light", (double)c->measures.light, "fringe",
                     (double)c->measures.fringe, "glasses", (double)c->measures.glasses, "mesh", mesh);
}

/* The job's stand-in of this person from an earlier clip, when the plan still means the same one. */
static mdm_status reuse(bool *found, json_t **record, const casting_job *job, const char *id, const char *to)
{
    char *json_path = NULL, *png = NULL;
    *found = false;
    if (!job->work->standins)
        return MDM_OK;
    mdm_status status = mdm_format(&json_path, "%s/%s.json", job->work->standins, id);
    if (!status)
        status = mdm_format(&png, "%s/%s.png", job->work->standins, id);
    if (!status && mdm_file_exists(json_path) && mdm_file_exists(png)) {
        json_t *old = NULL;
        const char *key = standin_text(job->person, "seed_key");
        if (!mdm_json_load(&old, json_path, 0)) {
            const char *old_key = json_string_value(json_object_get(old, "seed_key"));
            *found = key && old_key && !strcmp(key, old_key);
        }
        if (*found) {
            status = mdm_copy_file(png, to);
            *record = json_incref(old);
        }
        json_decref(old);
    }
    mdm_free(&json_path);
    mdm_free(&png);
    return status;
}

static mdm_status keep_for_job(const casting_job *job, const char *id, const json_t *record, const char *png)
{
    char *to = NULL;
    if (!job->work->standins)
        return MDM_OK;
    mdm_status status = mdm_format(&to, "%s/%s.png", job->work->standins, id);
    if (!status)
        status = mdm_copy_file(png, to);
    mdm_free(&to);
    if (!status)
        status = mdm_format(&to, "%s/%s.json", job->work->standins, id);
    if (!status)
        status = mdm_json_save(record, to);
    mdm_free(&to);
    return status;
}

/* Embeddings of the job's stand-ins other than this person's. Only persons that sort before: the choice must not depend on
 * which clip came first. */
static mdm_status know_others(casting_job *job, const char *id)
{
    char **names = NULL;
    size_t count = 0;
    job->other_count = 0;
    if (!job->work->standins)
        return MDM_OK;
    MDM_TRY(mdm_list_folder(&names, &count, job->work->standins));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && !status && job->other_count < MDM_CASTING_FACES; i++) {
        size_t length = strlen(names[i]);
        char *path = NULL;
        mdm_image image = {0};
        mdm_mesh mesh;
        bool ok = false;
        if (length < 5 || strcmp(names[i] + length - 4, ".png") || strncmp(names[i], id, strlen(id)) >= 0)
            continue;
        status = mdm_join_path(&path, job->work->standins, names[i]);
        if (!status)
            status = mdm_image_read(&image, path, 3);
        if (!status)
            status = mdm_single_face(&ok, &mesh, job->detector, job->mesher, &image);
        if (!status && ok)
            status = mdm_casting_embed(&job->others[job->other_count++], job->casting, &image, &mesh);
        mdm_image_free(&image);
        mdm_free(&path);
    }
    mdm_names_free(&names, count);
    return status;
}

static mdm_status open_generator(casting_job *job)
{
    const mdm_drawing_model *backend;
    const char *name = job->work->settings->portrait; /* "": as by default */
    if (*name && strcmp(name, "embedded") != 0) {
        MDM_TRY(mdm_drawing_model_find(&backend, name));
        MDM_TRY(mdm_gpu_use(job->work->settings->device));
        return mdm_portrait_words_new(&job->words, backend, job->detector, job->mesher, job->work->threads);
    }
    MDM_TRY(mdm_facegen_new(&job->facegen, job->work->weights, "facegen", job->work->threads));
    return mdm_facegen_upsample_new(&job->upsample, job->work->weights, "facegen-upsample", job->work->threads);
}

static mdm_status open_networks(casting_job *job)
{
    if (job->others)
        return MDM_OK;
    MDM_TRY(mdm_face_detector_new(&job->detector, job->work->models, 1));
    MDM_TRY(mdm_face_mesh_new(&job->mesher, job->work->models, 1));
    MDM_TRY(mdm_attributes_new(&job->attributes, job->work->weights, MDM_ATTRIBUTES_A, 1));
    MDM_TRY(mdm_casting_new(&job->casting, job->work->models));
    MDM_TRY(open_generator(job));
    return mdm_alloc(&job->others, MDM_CASTING_FACES, sizeof *job->others, "casting");
}

/* Nobody is drawn for a face that no mesh was ever fitted to: it cannot be replaced. */
static bool can_be_played(const casting_job *job)
{
    size_t i;
    const json_t *number;
    json_array_foreach(json_object_get(job->person, "tracks"), i, number)
    {
        const json_int_t id = json_integer_value(number);
        const mdm_track *track = id >= 0 && id < job->found.tracks.count ? &job->found.tracks.track[id] : NULL;
        for (int k = 0; track && k < track->count; k++)
            if (track->frame[k].has_mesh)
                return true;
    }
    return false;
}

static json_t *failed(const casting_job *job, const char *id, const char *why)
{
    return json_pack("{s:s, s:s, s:s}", "id", id, "seed_key", standin_text(job->person, "seed_key"), "failed", why);
}

static mdm_status cast_person(casting_job *job, json_t *records)
{
    const char *id = json_string_value(json_object_get(job->person, "id"));
    char *png = NULL;
    json_t *record = NULL;
    bool found = false;
    if (!id || strchr(id, '/') || !standin_text(job->person, "seed_key"))
        return mdm_fail(MDM_ERR_CONFIG, "%s/plan.json: a person without id or seed_key; run `mmdm plan` again",
                        job->work->folder);
    MDM_TRY(mdm_format(&png, "%s/portraits/%s.png", job->work->folder, id));
    mdm_status status = reuse(&found, &record, job, id, png);
    if (!status && !found && !can_be_played(job)) {
        record = failed(job, id, "no frame shows the face to the mesh network");
    } else if (!status && !found) {
        candidate best = {0};
        status = open_networks(job);
        if (!status)
            status = know_source(job);
        if (!status)
            status = know_pitch(job);
        if (!status)
            know_rest(job);
        if (!status)
            status = know_others(job, id);
        if (!status)
            status = draw_best(&best, job);
        if (!status && best.picture.data && job->upsample)
            status = enlarge(&best, job);
        if (!status && best.picture.data) {
            record = record_of(&best, job);
            status = mdm_image_write_png(&best.picture, png);
            if (!status)
                status = keep_for_job(job, id, record, png);
        } else if (!status) {
            mdm_log(MDM_LOG_WARN,
                    "%s: none of %d draws can stand in for %s; the face is covered (another --seed may help)",
                    job->work->clip_id, DRAWS, id);
            record = failed(job, id, "no draw passed the gate with enough distance");
        }
        mdm_image_free(&best.picture);
    }
    if (!status && record)
        json_array_append(records, record);
    json_decref(record);
    mdm_free(&png);
    return status;
}

static mdm_status cast_all(casting_job *job)
{
    char *path = NULL;
    json_t *plan = NULL, *persons = NULL, *person, *records = json_array();
    mdm_status status = mdm_format(&path, "%s/portraits", job->work->folder);
    if (!status)
        status = mdm_make_folder(path, 0700);
    mdm_free(&path);
    if (!status)
        status = mdm_join_path(&path, job->work->folder, "plan.json");
    if (!status)
        status = mdm_json_load(&plan, path, 0);
    if (!status)
        status = mdm_json_array(&persons, plan, "persons", path);
    mdm_free(&path);
    size_t i;
    json_array_foreach(persons, i, person)
    {
        const char *action = json_string_value(json_object_get(person, "action"));
        job->person = person;
        if (!status && action && !strcmp(action, "replace"))
            status = cast_person(job, records);
    }
    json_t *root = json_pack("{s:i, s:o}", "version", 1, "persons", records);
    if (!status)
        status = mdm_join_path(&path, job->work->folder, "portraits.json");
    if (!status)
        status = mdm_json_save(root, path);
    json_decref(root);
    json_decref(plan);
    mdm_free(&path);
    return status;
}

mdm_status mdm_stage_portrait(mdm_clip_work *work)
{
    casting_job job = {.work = work};
    mdm_status status = mdm_clip_read(&job.clip, work->folder);
    if (!status)
        status = mdm_found_read(&job.found, work->folder);
    if (!status)
        status = cast_all(&job);
    mdm_rehearsal_free(&job.rehearsal);
    mdm_free(&job.others);
    mdm_casting_free(&job.casting);
    mdm_attributes_free(&job.attributes);
    mdm_face_mesh_free(&job.mesher);
    mdm_face_detector_free(&job.detector);
    mdm_portrait_words_free(&job.words);
    mdm_facegen_upsample_free(&job.upsample);
    mdm_facegen_free(&job.facegen);
    mdm_found_free(&job.found);
    mdm_clip_free(&job.clip);
    return status;
}
