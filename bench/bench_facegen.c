/* The face generator judged by networks that took no part in drawing: its pictures, in folders of AGE-GENDER-RACE-NUMBER.webp
 * (tools/sample_facegen.py writes them), beside real faces. Markdown to stdout.
 *   bench_facegen judge SHARED MODELS WEIGHTS THREADS FOLDER...
 *       of each folder: the portrait gate, the expression, whether the judges see what was asked for, whether two faces of one class are two
 *       people; of a folder called "moves": whether a face that was moved stays who it is
 *   bench_facegen nearest SHARED MODELS THREADS SECONDS FOLDER RECOGNISER...
 *       the nearest training face of every picture, beside the nearest training faces of real faces that were not trained on;
 *       SECONDS 0: of all training faces, else of as many as there is time for
 *   bench_facegen draw WEIGHTS THREADS SPREAD SMILE GLASSES EACH FOLDER
 *       draws EACH faces of 30-39 years of every race and gender into FOLDER, as the product does
 * SHARED has data/eval/fairface_val (+ .tsv) and data/packs/faces_aligned_144, what the generator was trained on. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/order.h"
#include "face/portrait_gate.h"
#include "faces.h"
#include "models/age_gender.h"
#include "models/attributes.h"
#include "models/crop.h"
#include "models/expression.h"
#include "models/face_align.h"
#include "models/facegen.h"
#include "nn/graph.h"

#define CELLS     (MDM_FACEGEN_RACES * MDM_FACEGEN_GENDERS)
#define REAL_CELL 40 /* photographs of 30-39 years of a cell, for the pairs */
#define DIFFERENT 0.69
#define PACKS     4
#define NEAREST   6

/* ---- what the networks say of a face ---- */

enum { ATTRIBUTES_B, FACE_API, FACERES, JUDGES };
static const char *const judge_names[JUDGES] = {"attributes-b", "face-api", "faceres"};

typedef struct verdict {
    const char *complaint; /* of the portrait gate; NULL: passes */
    mdm_portrait_measures measures;
    int expression; /* face-api's */
    struct {
        int age, gender, race; /* classes; -1: not told */
    } said[JUDGES];
} verdict;

typedef struct nets {
    const char *models, *weights;
    bench_faces *faces;
    verdict *verdict;
} nets;

typedef struct own_nets {
    mdm_attributes *attributes;
    mdm_age_gender *age_gender;
    mdm_expression *expression;
    mdm_graph *faceres;
    int age, gender, vector;
    float pixels[3 * 224 * 224];
} own_nets;

static void *open_nets(void *user)
{
    const nets *n = user;
    own_nets *own;
    char *path;
    bench_must(mdm_alloc(&own, 1, sizeof *own, "networks"), "networks");
    bench_must(mdm_attributes_new(&own->attributes, n->weights, MDM_ATTRIBUTES_B, 1), "attributes-b");
    bench_must(mdm_age_gender_new(&own->age_gender, n->models, 1), "age_gender");
    bench_must(mdm_expression_new(&own->expression, n->models, 1), "expression");
    bench_must(mdm_join_path(&path, n->models, "faceres.json"), "faceres");
    bench_must(mdm_graph_load(&own->faceres, path, &(mdm_graph_options){.threads = 1}), path);
    for (int i = 0; i < mdm_graph_output_count(own->faceres); i++) { /* 1024 numbers, 100 years, 1 gender */
        own->age = mdm_graph_output_size(own->faceres, i) == 100 ? i : own->age;
        own->gender = mdm_graph_output_size(own->faceres, i) == 1 ? i : own->gender;
        own->vector = mdm_graph_output_size(own->faceres, i) == 1024 ? i : own->vector;
    }
    mdm_free(&path);
    return own;
}

static int bin_of(double years)
{
    return years < 2.5 ? 0 : (int)fmin(8, floor(years / 10) + 1); /* 3-9 is bin 1, 10-19 bin 2 ... */
}

static int best(const float *probability, int count)
{
    int at = 0;
    for (int i = 1; i < count; i++)
        at = probability[i] > probability[at] ? i : at;
    return at;
}

static void ask(void *user, void *own_, int at, const mdm_image *image, const mdm_mesh *mesh)
{
    const nets *n = user;
    own_nets *own = own_;
    const char *name = n->faces->face[at].name;
    verdict *v = &n->verdict[at];
    const float(*points)[3] = (const float(*)[3])mesh->point;
    mdm_attributes_result attributes;
    mdm_age_gender_result years;
    mdm_expression_result expression;
    float age[100], male, expected = 0;
    double m[6];
    bench_must(mdm_portrait_measure(&v->measures, image, points), name);
    v->complaint = mdm_portrait_complaint(&v->measures, false, 0);
    bench_must(mdm_expression_run(own->expression, &expression, image, points), name);
    v->expression = best(expression.prob, MDM_EXPRESSIONS);
    bench_must(mdm_attributes_run(own->attributes, image, mesh, &attributes), name);
    v->said[ATTRIBUTES_B].age = best(attributes.age_prob, MDM_ATTRIBUTES_AGES);
    v->said[ATTRIBUTES_B].gender = best(attributes.gender_prob, MDM_ATTRIBUTES_GENDERS);
    v->said[ATTRIBUTES_B].race = best(attributes.race_prob, MDM_ATTRIBUTES_RACES);
    bench_must(mdm_age_gender_run(own->age_gender, &years, image, points), name);
    v->said[FACE_API].age = bin_of((double)years.age);
    v->said[FACE_API].gender = years.gender_prob[1] > 0.5f;
    mdm_align_box(m, mesh, 224);
    bench_must(mdm_crop_sample(own->pixels, 224, 224, image, m, 1, (const float[3]){0}), name);
    bench_must(mdm_graph_set(own->faceres, 0, own->pixels, sizeof own->pixels / sizeof *own->pixels), name);
    bench_must(mdm_graph_run(own->faceres), name);
    bench_must(mdm_graph_get(own->faceres, own->age, age, 100), name);
    bench_must(mdm_graph_get(own->faceres, own->gender, &male, 1), name);
    float *vector = n->faces->vector[MDM_RECOGNISER_FACERES] + 1024 * (size_t)at;
    bench_must(mdm_graph_get(own->faceres, own->vector, vector, 1024), name);
    mdm_recogniser_mean(MDM_RECOGNISER_FACERES, vector, 1); /* of length 1 */
    for (int i = 0; i < 100; i++)
        expected += age[i] * (float)i;
    v->said[FACERES].age = bin_of((double)expected + 0.5);
    v->said[FACERES].gender = male > 0.5f;
    v->said[FACE_API].race = v->said[FACERES].race = -1;
}

/* With `verdicts` the networks are asked too; faceres then runs once for its vector, age and gender. */
static void judge(bench_faces *faces, nets *n, int threads, bool verdicts, bool aligned)
{
    const unsigned all = (1u << MDM_RECOGNISER_COUNT) - 1;
    bench_must(mdm_alloc(&n->verdict, (size_t)faces->count, sizeof *n->verdict, "verdicts"), "verdicts");
    if (verdicts)
        bench_must(
            mdm_alloc(&faces->vector[MDM_RECOGNISER_FACERES], 1024 * (size_t)faces->count, sizeof(float), "vectors"),
            "vectors");
    n->faces = faces;
    bench_look_at(faces, &(bench_look){.models = n->models,
                                       .kinds = verdicts ? all & ~(1u << MDM_RECOGNISER_FACERES) : all,
                                       .threads = threads,
                                       .aligned = aligned,
                                       .open = verdicts ? open_nets : NULL,
                                       .face = verdicts ? ask : NULL,
                                       .user = n});
}

/* ---- shares ---- */

typedef struct share {
    int hit, of;
} share;

static void count(share *s, bool hit)
{
    s->hit += hit;
    s->of++;
}

/* Wilson's lower bound, 95 %. */
static double lower(share s)
{
    if (!s.of)
        return 0;
    const double z = 1.96, n = s.of, p = s.hit / n;
    return (p + z * z / 2 / n - z * sqrt(p * (1 - p) / n + z * z / 4 / n / n)) / (1 + z * z / n);
}

static void tell_share(share s)
{
    if (s.of)
        printf(" %.1f (%.1f) |", 100.0 * s.hit / s.of, 100 * lower(s));
    else
        printf(" |");
}

static int cell_of(const bench_face *f)
{
    return f->race < 0 || f->gender < 0 ? -1 : f->race * 2 + f->gender;
}

static void tell_gate(const bench_faces *faces, const verdict *verdict)
{
    static const char *const complaints[] = {"not frontal",       "tilted",  "face too small",
                                             "mouth open",        "smiling", "eyes narrow or shut",
                                             "lit from one side", "fringe",  "glasses"};
    share pass = {0}, says[sizeof complaints / sizeof *complaints] = {{0}};
    int lost = 0;
    for (int i = 0; i < faces->count; i++) {
        lost += !faces->face[i].meshed;
        count(&pass, faces->face[i].meshed && !verdict[i].complaint);
        for (size_t c = 0; c < sizeof complaints / sizeof *complaints; c++)
            count(&says[c],
                  faces->face[i].meshed && verdict[i].complaint && !strcmp(verdict[i].complaint, complaints[c]));
    }
    printf("gate: passes %.1f %% (%.1f); no mesh %d", 100.0 * pass.hit / pass.of, 100 * lower(pass), lost);
    for (size_t c = 0; c < sizeof complaints / sizeof *complaints; c++)
        printf("; %s %.1f", complaints[c], 100.0 * says[c].hit / says[c].of);
    printf("\n\n");
}

/* What the faces look like: face-api's expression, and what the portrait gate measures, on average. */
static void tell_looks(const bench_faces *faces, const verdict *verdict)
{
    int says[MDM_EXPRESSIONS] = {0}, n = 0;
    double lift = 0, eye = 0, gap = 0;
    for (int i = 0; i < faces->count; i++) {
        if (!faces->face[i].meshed)
            continue;
        n++;
        says[verdict[i].expression]++;
        lift += (double)verdict[i].measures.corner_lift;
        eye += (double)verdict[i].measures.eye_open;
        gap += (double)verdict[i].measures.lip_gap;
    }
    printf("looks:");
    for (int e = 0; e < MDM_EXPRESSIONS; e++)
        printf(" %s %.1f%s", mdm_expression_names[e], 100.0 * says[e] / n, e + 1 < MDM_EXPRESSIONS ? "," : " %;");
    printf(" mouth's corners %.3f below the lip line, eyes %.3f open, lips %.3f apart\n\n", lift / n, eye / n, gap / n);
}

/* Of the faces from `youngest` to `oldest`; `cell` -1: all. */
static void tell_agreement(const char *name, const bench_faces *faces, const verdict *verdict, int youngest, int oldest,
                           int cell)
{
    printf("| %s |", name);
    for (int j = 0; j < JUDGES; j++) {
        share age = {0}, near = {0}, gender = {0}, race = {0};
        for (int i = 0; i < faces->count; i++) {
            const bench_face *f = &faces->face[i];
            if (!f->meshed || f->age < youngest || f->age > oldest || (cell >= 0 && cell_of(f) != cell))
                continue;
            count(&age, verdict[i].said[j].age == f->age);
            count(&near, abs(verdict[i].said[j].age - f->age) <= 1);
            count(&gender, verdict[i].said[j].gender == f->gender);
            if (verdict[i].said[j].race >= 0)
                count(&race, verdict[i].said[j].race == f->race);
        }
        if (!j)
            printf(" %d |", age.of);
        tell_share(age);
        tell_share(near);
        tell_share(gender);
        if (!j)
            tell_share(race);
    }
    printf("\n");
}

static void head_agreement(const char *of)
{
    printf("| %s | n | b: age | b: +-1 | b: gender | b: race |", of);
    for (int j = 1; j < JUDGES; j++)
        printf(" %s: age | +-1 | gender |", judge_names[j]);
    printf("\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
}

static void tell_cells(const bench_faces *faces, const verdict *verdict, int youngest)
{
    char name[64];
    for (int c = 0; c < CELLS; c++) {
        snprintf(name, sizeof name, "%s %s", mdm_facegen_race_names[c / 2], mdm_facegen_gender_names[c % 2]);
        tell_agreement(name, faces, verdict, youngest, 8, c);
    }
    printf("\n");
}

/* ---- pairs of one race and gender ---- */

typedef struct distances {
    float *d;
    int count;
} distances;

static float between(int kind, const bench_faces *a, int i, const bench_faces *b, int j)
{
    const int size = mdm_recogniser_size((mdm_recogniser_kind)kind);
    const float *u = a->vector[kind] + (size_t)i * (size_t)size, *v = b->vector[kind] + (size_t)j * (size_t)size;
    return mdm_recogniser_distance((mdm_recogniser_kind)kind, u, v);
}

static bool pair_of(const bench_face *a, const bench_face *b, bool same_age)
{
    return a->meshed && b->meshed && cell_of(a) >= 0 && cell_of(a) == cell_of(b) && (!same_age || a->age == b->age);
}

/* All pairs of one cell, sorted. */
static distances pairs_of(const bench_faces *faces, int kind, bool same_age)
{
    distances out = {0};
    for (int turn = 0; turn < 2; turn++) {
        int n = 0;
        for (int i = 0; i < faces->count; i++)
            for (int j = i + 1; j < faces->count; j++)
                if (pair_of(&faces->face[i], &faces->face[j], same_age)) {
                    if (turn)
                        out.d[n] = between(kind, faces, i, faces, j);
                    n++;
                }
        if (!turn)
            bench_must(mdm_alloc(&out.d, (size_t)n, sizeof *out.d, "pairs"), "pairs");
        out.count = n;
    }
    mdm_sort(out.d, (size_t)out.count);
    return out;
}

static float quantile(distances d, double q)
{
    return d.count ? d.d[(int)(q * (d.count - 1))] : NAN;
}

static double share_above(distances d, float limit)
{
    int n = 0;
    for (int i = 0; i < d.count; i++)
        n += d.d[i] >= limit;
    return d.count ? (double)n / d.count : 0;
}

static float limit_of[2][MDM_RECOGNISER_COUNT]; /* against training photographs, against the validation set */

static void tell_pairs(const char *name, const bench_faces *faces, bool same_age)
{
    printf("| %s |", name);
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++) {
        distances d = pairs_of(faces, k, same_age);
        if (!k)
            printf(" %d |", d.count);
        printf(" %.1f / %.1f (%.3f) |", 100 * share_above(d, limit_of[0][k]), 100 * share_above(d, limit_of[1][k]),
               (double)quantile(d, 0.5));
        mdm_free(&d.d);
    }
    printf("\n");
}

static void head_pairs(void)
{
    printf("\nPairs of one race and gender: %% that are different people, the limits being where %.0f %% of the pairs "
           "of training "
           "photographs / of fairface_val's are (and the median distance). dlib is the identity condition of the "
           "training, so "
           "it is not independent.\n\n| | pairs |",
           100 * DIFFERENT);
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        printf(" %s, limits %.3f / %.3f |", mdm_recogniser_name((mdm_recogniser_kind)k), (double)limit_of[0][k],
               (double)limit_of[1][k]);
    printf("\n|---|---|---|---|---|---|\n");
}

/* ---- moved faces ---- */

static void tell_moves(const bench_faces *faces)
{
    static const char *const moves[] = {"all",      "yaw -20",        "yaw +20", "mouth .15",
                                        "mouth .3", "eyes half shut", "gaze",    "smile"};
    printf("\nMoved pictures that stay who they are: %% by the usual limit / by that of one false accept in 1,000 "
           "(median distance)\n\n| "
           "| n |");
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        printf(" %s %.2f / %.3f |", mdm_recogniser_name((mdm_recogniser_kind)k),
               (double)mdm_recogniser_same((mdm_recogniser_kind)k),
               (double)mdm_recogniser_at((mdm_recogniser_kind)k, MDM_FAR_1E3));
    printf("\n|---|---|---|---|---|---|\n");
    for (int w = 0; w < 8; w++) {
        printf("| %s |", moves[w]);
        for (int k = 0; k < MDM_RECOGNISER_COUNT; k++) {
            distances d = {0};
            bench_must(mdm_alloc(&d.d, (size_t)faces->count, sizeof *d.d, "moves"), "moves");
            for (int i = 0; i < faces->count; i++)
                for (int j = 0; j < faces->count; j++) {
                    const bench_face *a = &faces->face[i], *b = &faces->face[j];
                    if (a->meshed && b->meshed && a->number % 10 == 0 && b->number % 10 > 0 &&
                        a->number / 10 == b->number / 10 && (!w || b->number % 10 == w))
                        d.d[d.count++] = between(k, faces, i, faces, j);
                }
            mdm_sort(d.d, (size_t)d.count);
            if (!k)
                printf(" %d |", d.count);
            printf(" %.1f / %.1f (%.3f) |", 100 - 100 * share_above(d, mdm_recogniser_same((mdm_recogniser_kind)k)),
                   100 - 100 * share_above(d, mdm_recogniser_at((mdm_recogniser_kind)k, MDM_FAR_1E3)),
                   (double)quantile(d, 0.5));
            mdm_free(&d.d);
        }
        printf("\n");
    }
}

/* ---- the two programs ---- */

static void add_packs(bench_faces *faces, const char *shared)
{
    for (int i = 0; i < PACKS; i++) {
        char *path;
        bench_must(mdm_format(&path, "%s/data/packs/faces_aligned_144/faces-%d", shared, i), shared);
        bench_add_pack(faces, path);
        mdm_free(&path);
    }
}

static void add_validation(bench_faces *faces, const char *shared)
{
    char *path;
    bench_must(mdm_format(&path, "%s/data/eval/fairface_val", shared), shared);
    bench_add_folder(faces, path);
    mdm_free(&path);
}

/* Keeps the first REAL_CELL faces of 30-39 years of each race and gender. */
static void thin(bench_faces *faces, bool clean)
{
    int had[CELLS] = {0}, kept = 0;
    for (int i = 0; i < faces->count; i++) {
        const bench_face f = faces->face[i];
        const int cell = cell_of(&f);
        if (f.clean == clean && f.age == 4 && cell >= 0 && had[cell]++ < REAL_CELL)
            faces->face[kept++] = f;
    }
    faces->count = kept;
}

static void tell_cost(const char *name, const bench_faces *faces)
{
    fprintf(stderr, "%s: %d faces; ms a face: mesh %.1f", name, faces->count,
            1e3 * faces->seconds[MDM_RECOGNISER_COUNT] / faces->count);
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        if (faces->vector[k])
            fprintf(stderr, ", %s %.1f", mdm_recogniser_name((mdm_recogniser_kind)k),
                    1e3 * faces->seconds[k] / faces->count);
    fprintf(stderr, "\n");
}

static int judge_folders(char **argument, int folders)
{
    const char *shared = argument[0];
    const int threads = (int)strtol(argument[3], NULL, 10);
    bench_faces photos = {0}, made = {0}, real = {0};
    nets n = {.models = argument[1], .weights = argument[2]}, real_nets = n;
    add_packs(&photos, shared);
    thin(&photos, false);
    add_packs(&made, shared);
    thin(&made, true);
    add_validation(&real, shared);
    judge(&real, &real_nets, threads, true, false);
    tell_cost("fairface_val", &real);
    judge(&photos, &n, threads, false, true);
    judge(&made, &n, threads, false, true);
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++) {
        distances a = pairs_of(&photos, k, true), b = pairs_of(&real, k, false);
        limit_of[0][k] = quantile(a, 1 - DIFFERENT);
        limit_of[1][k] = quantile(b, 1 - DIFFERENT);
        mdm_free(&a.d);
        mdm_free(&b.d);
    }
    printf("Agreement: %% (lower bound of 95 %%). attributes-b verifies; -a, which helps to choose stand-ins, is not "
           "asked here. "
           "faces without a mesh are left out. Real: labels of people, fairface_val.\n\n");
    tell_looks(&real, real_nets.verdict);
    head_agreement("real faces");
    tell_agreement("all ages", &real, real_nets.verdict, 0, 8, -1);
    tell_agreement("10 years and more", &real, real_nets.verdict, 2, 8, -1);
    tell_agreement("30-39", &real, real_nets.verdict, 4, 4, -1);
    tell_cells(&real, real_nets.verdict, 2);
    head_pairs();
    tell_pairs("training photographs, 30-39", &photos, true);
    tell_pairs("AI-made training faces, 30-39", &made, true);
    tell_pairs("fairface_val, any ages", &real, false);
    tell_pairs("fairface_val, one age bin", &real, true);
    for (int i = 0; i < folders; i++) {
        const char *name = strrchr(argument[4 + i], '/');
        name = name ? name + 1 : argument[4 + i];
        bench_faces faces = {0};
        bench_add_folder(&faces, argument[4 + i]);
        judge(&faces, &n, threads, true, true);
        tell_cost(name, &faces);
        printf("\n## %s: %d pictures\n\n", name, faces.count);
        tell_gate(&faces, n.verdict);
        tell_looks(&faces, n.verdict);
        head_agreement(name);
        tell_agreement("all", &faces, n.verdict, 0, 8, -1);
        tell_agreement("30-39", &faces, n.verdict, 4, 4, -1);
        tell_cells(&faces, n.verdict, 0);
        if (!strcmp(name, "moves")) {
            tell_moves(&faces);
        } else {
            head_pairs();
            tell_pairs(name, &faces, true);
        }
        fflush(stdout);
        mdm_free(&n.verdict);
        bench_faces_free(&faces);
    }
    bench_faces_free(&photos);
    bench_faces_free(&made);
    bench_faces_free(&real);
    return 0;
}

typedef struct near {
    float distance;
    int of, to;
} near;

static int nearest_first(const void *a, const void *b)
{
    float x = ((const near *)a)->distance, y = ((const near *)b)->distance;
    return (x > y) - (x < y);
}

/* The nearest training face of each face, nearest of all first. */
static near *nearest_of(int *count_out, const bench_faces *faces, const bench_faces *training, int kind)
{
    near *out;
    int n = 0;
    bench_must(mdm_alloc(&out, (size_t)faces->count, sizeof *out, "faces"), "faces");
    for (int i = 0; i < faces->count; i++) {
        if (!faces->face[i].meshed)
            continue;
        out[n] = (near){INFINITY, i, -1};
        for (int j = 0; j < training->count; j++) {
            const float d = training->face[j].meshed ? between(kind, faces, i, training, j) : INFINITY;
            if (d < out[n].distance)
                out[n].distance = d, out[n].to = j;
        }
        n++;
    }
    qsort(out, (size_t)n, sizeof *out, nearest_first);
    *count_out = n;
    return out;
}

static void tell_nearest_by(mdm_recogniser_kind kind, const bench_faces *training, const bench_faces *real,
                            const bench_faces *faces)
{
    float bar = 0;
    for (int side = 0; side < 2; side++) {
        int n, above = 0;
        const bench_faces *of = side ? faces : real;
        near *list = nearest_of(&n, of, training, kind);
        bar = side ? bar : list[n / 100].distance;
        for (int i = 0; i < n; i++)
            above += list[i].distance >= bar;
        printf("| %s, %s | %d | %.3f | %.3f | %.3f | %.3f | %.2f %% |\n", mdm_recogniser_name(kind),
               side ? "samples" : "fairface_val", n, (double)list[0].distance, (double)list[n / 100].distance,
               (double)list[n / 20].distance, (double)list[n / 2].distance, 100.0 * above / n);
        for (int i = 0; i < NEAREST && i < n; i++)
            fprintf(stderr, "%s\t%s\t%.4f\t%s\t%s\n", side ? "sample" : "real", mdm_recogniser_name(kind),
                    (double)list[i].distance, of->face[list[i].of].name, training->face[list[i].to].name);
        mdm_free(&list);
    }
    fflush(stdout);
}

/* AI-made faces first, which were trained on most often, and the others as if drawn (their files' sizes shuffled), so that a
 * part of them stands for all. */
static int by_order(const void *a, const void *b)
{
    const bench_face *f = a, *g = b;
    const unsigned x = (unsigned)f->size * 2654435761u, y = (unsigned)g->size * 2654435761u;
    return f->clean != g->clean ? g->clean - f->clean : (x > y) - (x < y);
}

static int nearest(char **argument, int kinds)
{
    bench_faces set[3] = {0}; /* training, real, samples */
    bench_look look = {
        .models = argument[1], .threads = (int)strtol(argument[2], NULL, 10), .keep_meshes = true, .aligned = true};
    add_packs(&set[0], argument[0]);
    add_validation(&set[1], argument[0]);
    bench_add_folder(&set[2], argument[4]);
    qsort(set[0].face, (size_t)set[0].count, sizeof *set[0].face, by_order);
    printf("| of | n | nearest | 1 %% | 5 %% | 50 %% | share as far as the real ones' 1 %% "
           "|\n|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < kinds; i++)
        for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
            if (!strcmp(argument[5 + i], mdm_recogniser_name((mdm_recogniser_kind)k))) {
                look.kinds = 1u << k;
                for (int s = 2; s >= 0; s--) {
                    look.aligned = s != 1;
                    look.seconds = s ? 0 : strtod(argument[3], NULL);
                    bench_look_at(&set[s], &look);
                    tell_cost(((const char *[]){"training", "fairface_val", "samples"})[s], &set[s]);
                }
                tell_nearest_by((mdm_recogniser_kind)k, &set[0], &set[1], &set[2]);
            }
    for (int s = 0; s < 3; s++) {
        int lost = 0;
        for (int i = 0; i < set[s].count; i++)
            lost += !set[s].face[i].meshed;
        printf("%s%d of %d", s ? ", " : "\nWithout a mesh, of training, real and drawn faces: ", lost, set[s].count);
        bench_faces_free(&set[s]);
    }
    printf("\n");
    return 0;
}

/* ---- the product's own pictures ---- */

static int draw(char **argument)
{
    const float spread = strtof(argument[2], NULL), smile = strtof(argument[3], NULL);
    const bool glasses = strtol(argument[4], NULL, 10);
    const int each = (int)strtol(argument[5], NULL, 10);
    const mdm_facegen_sampler sampler = mdm_facegen_sampler_default();
    mdm_facegen *facegen;
    bench_must(mdm_facegen_new(&facegen, argument[0], "facegen", (int)strtol(argument[1], NULL, 10)), argument[0]);
    bench_must(mdm_make_folder(argument[6], 0777), argument[6]);
    for (int i = 0; i < each * CELLS; i++) {
        const int race = i % CELLS / 2, gender = i % 2;
        mdm_random random;
        mdm_image picture;
        char *path;
        mdm_random_seed(&random, (uint64_t)i, "bench_facegen");
        mdm_facegen_conditions c = mdm_facegen_neutral(facegen, 4, gender, race, glasses, &random);
        mdm_facegen_smile(&c, smile);
        mdm_facegen_draw_identity(facegen, c.identity, 4, gender, race, spread, &random);
        c.identity_known = true;
        bench_must(mdm_facegen_draw(facegen, &picture, &c, &sampler, &random, NULL), "draw");
        bench_must(mdm_format(&path, "%s/4-%d-%d-%d.png", argument[6], gender, race, i), argument[6]);
        bench_must(mdm_image_write_png(&picture, path), path);
        mdm_image_free(&picture);
        mdm_free(&path);
    }
    mdm_facegen_free(&facegen);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 9 && !strcmp(argv[1], "draw"))
        return draw(argv + 2);
    if (argc >= 7 && !strcmp(argv[1], "judge"))
        return judge_folders(argv + 2, argc - 6);
    if (argc >= 8 && !strcmp(argv[1], "nearest"))
        return nearest(argv + 2, argc - 7);
    fprintf(stderr, "usage: bench_facegen judge SHARED MODELS WEIGHTS THREADS FOLDER...\n"
                    "       bench_facegen nearest SHARED MODELS THREADS SECONDS FOLDER RECOGNISER...\n"
                    "       bench_facegen draw WEIGHTS THREADS SPREAD SMILE GLASSES EACH FOLDER\n");
    return 2;
}
