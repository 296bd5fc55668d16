/* The face generator from its files to one forward: the card, the conditions and their features. */
#include "models/facegen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "models/facegen_internal.h"

/* Asked for; corners of the mouth are lifted less than that without the width. */
#define SMILE_FULL  (-0.18f)
#define SMILE_WIDTH 0.09f

const char *const mdm_facegen_age_names[MDM_FACEGEN_AGES] = {"0-2",   "3-9",   "10-19", "20-29", "30-39",
                                                             "40-49", "50-59", "60-69", "70+"};
const char *const mdm_facegen_gender_names[MDM_FACEGEN_GENDERS] = {"F", "M"};
const char *const mdm_facegen_race_names[MDM_FACEGEN_RACES] = {
    "Black", "East Asian", "Indian", "Latino_Hispanic", "Middle Eastern", "Southeast Asian", "White"};

static const int class_counts[MDM_FACEGEN_CLASSES] = {MDM_FACEGEN_AGES, MDM_FACEGEN_GENDERS, MDM_FACEGEN_RACES, 2};

static mdm_status read_numbers(float *out, const json_t *object, const char *key, const char *where)
{
    json_t *list = NULL;
    MDM_TRY(mdm_json_array(&list, object, key, where));
    if (json_array_size(list) != MDM_FACEGEN_VALUES)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s has %zu numbers, expected %d", where, key, json_array_size(list),
                        MDM_FACEGEN_VALUES);
    for (int i = 0; i < MDM_FACEGEN_VALUES; i++)
        out[i] = (float)json_number_value(json_array_get(list, (size_t)i));
    return MDM_OK;
}

static mdm_status read_sizes(mdm_facegen_sizes *s, const json_t *arch, const char *where)
{
    const struct {
        const char *key;
        int *value;
        long long min, max;
    } table[] = {
        {"img", &s->picture, 16, 512}, {"patch", &s->patch, 1, 16},   {"c0", &s->c0, 4, 2048},
        {"c1", &s->c1, 8, 4096},       {"n0d", &s->down0, 1, 16},     {"n0u", &s->up0, 1, 16},
        {"n1d", &s->down1, 1, 16},     {"n1u", &s->up1, 1, 16},       {"ntf", &s->blocks, 1, 64},
        {"heads", &s->heads, 1, 64},   {"hid", &s->hidden, 1, 16384}, {"emb", &s->embedding, 1, 4096},
        {"rank", &s->rank, 1, 4096},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        long long value = 0;
        MDM_TRY(mdm_json_int(&value, arch, table[i].key, table[i].min, table[i].max, where));
        *table[i].value = (int)value;
    }
    if (s->picture % (2 * s->patch) || s->c1 % (4 * s->heads))
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: a picture of %d px in patches of %d and %d channels in %d heads do not divide", where,
                        s->picture, s->patch, s->c1, s->heads);
    return MDM_OK;
}

static mdm_status parse_card(mdm_facegen *facegen, char **weights, const json_t *card, const char *folder,
                             const char *where)
{
    json_t *arch = NULL, *stats = NULL, *files = NULL;
    MDM_TRY(mdm_json_object(&arch, card, "arch", where));
    MDM_TRY(mdm_json_object(&stats, card, "stats", where));
    MDM_TRY(mdm_json_array(&files, card, "files", where));
    MDM_TRY(read_sizes(&facegen->sizes, arch, where));
    MDM_TRY(read_numbers(facegen->mean, stats, "mean", where));
    MDM_TRY(read_numbers(facegen->deviation, stats, "std", where));
    for (int i = 0; i < MDM_FACEGEN_VALUES; i++)
        if (!(facegen->deviation[i] > 0))
            return mdm_fail(MDM_ERR_INPUT, "%s: deviation %d is not above 0", where, i);
    double scale = json_number_value(json_object_get(stats, "identity_scale"));
    if (!(scale > 0))
        return mdm_fail(MDM_ERR_INPUT, "%s: \"identity_scale\" must be a number above 0", where);
    facegen->identity_scale = (float)scale;
    for (int i = 0; i < MDM_FACEGEN_RACES; i++) {
        char key[16];
        snprintf(key, sizeof key, "race%d", i);
        MDM_TRY(read_numbers(facegen->race_median[i], stats, key, where));
    }
    const char *file = json_string_value(json_array_get(files, 0));
    if (json_array_size(files) != 1 || !file || strchr(file, '/'))
        return mdm_fail(MDM_ERR_INPUT, "%s: \"files\" must name one file beside it", where);
    memcpy(facegen->class_count, class_counts, sizeof class_counts);
    return mdm_join_path(weights, folder, file);
}

mdm_status mdm_facegen_read_card(mdm_facegen *facegen, char **weights, const char *folder, const char *name)
{
    char *path = NULL;
    json_t *card = NULL;
    MDM_TRY(mdm_format(&path, "%s/%s.json", folder, name));
    mdm_status status = mdm_json_load(&card, path, 1 << 20);
    if (!status)
        status = parse_card(facegen, weights, card, folder, path);
    json_decref(card);
    mdm_free(&path);
    return status;
}

mdm_status mdm_facegen_new(mdm_facegen **out, const char *folder, const char *name, int threads)
{
    mdm_facegen *facegen = NULL;
    char *weights = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&facegen, 1, sizeof *facegen, "face generator"));
    mdm_status status = mdm_facegen_read_card(facegen, &weights, folder, name);
    if (!status)
        status = mdm_facegen_build(facegen, weights, threads);
    mdm_free(&weights);
    if (status)
        mdm_facegen_free(&facegen);
    *out = facegen;
    return status;
}

void mdm_facegen_free(mdm_facegen **facegen)
{
    if (!*facegen)
        return;
    mdm_nn_free(&(*facegen)->nn);
    for (int i = 0; i < MDM_FACEGEN_CLASSES; i++)
        mdm_free(&(*facegen)->class_table[i]);
    mdm_free(&(*facegen)->identity_centre);
    mdm_free(&(*facegen)->identity_cell);
    mdm_free(&(*facegen)->identity_age);
    mdm_free(&(*facegen)->identity_factor);
    mdm_free(facegen);
}

int mdm_facegen_size(const mdm_facegen *facegen)
{
    return facegen->sizes.picture;
}

mdm_facegen_conditions mdm_facegen_unknown(void)
{
    return (mdm_facegen_conditions){.age = -1, .gender = -1, .race = -1, .domain = -1};
}

/* A normal number, at most two deviations out. */
static float near_zero(mdm_random *random, float deviation)
{
    float value = mdm_random_normal(random);
    return deviation * (value < -2 ? -2 : value > 2 ? 2 : value);
}

mdm_facegen_conditions mdm_facegen_neutral(const mdm_facegen *facegen, int age, int gender, int race, bool glasses,
                                           mdm_random *random)
{
    mdm_facegen_conditions out = mdm_facegen_unknown();
    const int median = race >= 0 && race < MDM_FACEGEN_RACES ? race : MDM_FACEGEN_RACES - 1;
    out.age = age >= 0 && age < MDM_FACEGEN_AGES ? age : -1;
    out.gender = gender >= 0 && gender < MDM_FACEGEN_GENDERS ? gender : -1;
    out.race = race == median ? race : -1;
    out.domain = MDM_FACEGEN_CLEAN;
    memcpy(out.value, facegen->race_median[median], sizeof out.value);
    for (int i = 0; i < MDM_FACEGEN_VALUES; i++)
        out.known[i] = true;
    if (out.race < 0) /* no race, no skin colour either */
        for (int i = MDM_FACEGEN_RED; i <= MDM_FACEGEN_BLUE; i++)
            out.known[i] = false;
    out.value[MDM_FACEGEN_YAW] = out.value[MDM_FACEGEN_PITCH] = out.value[MDM_FACEGEN_GAZE_X] = 0;
    /* Less than is meant, for more is drawn than is asked for: who somebody is tells of the mouth too. AI-made eyes stare. */
    out.value[MDM_FACEGEN_MOUTH_OPEN] = -0.06f;
    out.value[MDM_FACEGEN_FRINGE] = -0.1f;
    out.value[MDM_FACEGEN_EYE_OPEN] -= 0.04f;
    out.value[MDM_FACEGEN_SMILE] = fmaxf(out.value[MDM_FACEGEN_SMILE], 0); /* corners below the lip line, if anything */
    out.value[MDM_FACEGEN_SIDE_LIGHT] = 0;
    out.value[MDM_FACEGEN_GLASSES] = glasses ? 2.5f : -6; /* well beyond where the portrait gate decides */
    out.known[MDM_FACEGEN_TEETH] = out.known[MDM_FACEGEN_BEARD] = false;
    if (random) {
        out.value[MDM_FACEGEN_LOG_SHARP] += near_zero(random, 0.35f);
        float light = near_zero(random, 0.13f);
        for (int i = MDM_FACEGEN_RED; i <= MDM_FACEGEN_BLUE; i++)
            out.value[i] *= expf(light + near_zero(random, 0.035f));
        out.value[MDM_FACEGEN_CONTRAST] *= expf(near_zero(random, 0.18f));
        out.value[MDM_FACEGEN_MOUTH_WIDTH] += near_zero(random, 0.04f);
        out.value[MDM_FACEGEN_EYE_OPEN] += near_zero(random, 0.03f);
        out.value[MDM_FACEGEN_PITCH] = near_zero(random, 2);
    }
    return out;
}

void mdm_facegen_smile(mdm_facegen_conditions *conditions, float smile)
{
    const float share = smile * smile; /* a little asked for is drawn as more */
    conditions->value[MDM_FACEGEN_SMILE] += share * (SMILE_FULL - conditions->value[MDM_FACEGEN_SMILE]);
    conditions->value[MDM_FACEGEN_MOUTH_WIDTH] += share * SMILE_WIDTH;
}

typedef struct rows {
    int from, to;
} rows;

/* The row of a class; all of them when it is out of range. */
static rows rows_of(int index, int count)
{
    return index >= 0 && index < count ? (rows){index, index + 1} : (rows){0, count};
}

static void add_row(float *out, const float *table, int row, float share)
{
    for (int i = 0; i < MDM_FACEGEN_IDENTITY; i++)
        out[i] += share * table[row * MDM_FACEGEN_IDENTITY + i];
}

void mdm_facegen_draw_identity(const mdm_facegen *facegen, float identity[MDM_FACEGEN_IDENTITY], int age, int gender,
                               int race, float spread, mdm_random *random)
{
    const rows ages = rows_of(age, MDM_FACEGEN_AGES), genders = rows_of(gender, MDM_FACEGEN_GENDERS),
               races = rows_of(race, MDM_FACEGEN_RACES);
    const int cells = (races.to - races.from) * (genders.to - genders.from);
    float noise[MDM_FACEGEN_IDENTITY];
    memset(identity, 0, sizeof noise);
    for (int r = races.from; r < races.to; r++)
        for (int g = genders.from; g < genders.to; g++)
            add_row(identity, facegen->identity_cell, r * MDM_FACEGEN_GENDERS + g, 1 / (float)cells);
    for (int a = ages.from; a < ages.to; a++)
        add_row(identity, facegen->identity_age, a, 1 / (float)(ages.to - ages.from));
    for (int i = 0; i < MDM_FACEGEN_IDENTITY; i++) {
        noise[i] = spread * mdm_random_normal(random);
        for (int k = 0; k <= i; k++)
            identity[i] += facegen->identity_factor[i * MDM_FACEGEN_IDENTITY + k] * noise[k];
    }
}

/* 128 cosines and 128 sines of the noise level on a log scale. */
static void time_features(float *out, float t)
{
    const int half = MDM_FACEGEN_TIME / 2;
    float level = 5 * logf((1 - t) / t);
    for (int i = 0; i < half; i++) {
        float angle = level * expf(-6.907755279f * (float)i / (float)(half - 1)); /* frequencies 1 .. 1/1000 */
        out[i] = cosf(angle);
        out[half + i] = sinf(angle);
    }
}

static void value_features(float *out, const mdm_facegen *facegen, const mdm_facegen_conditions *c)
{
    for (int i = 0; i < MDM_FACEGEN_VALUES; i++, out += MDM_FACEGEN_FEATURES) {
        float v = (c->value[i] - facegen->mean[i]) / facegen->deviation[i];
        memset(out, 0, MDM_FACEGEN_FEATURES * sizeof *out);
        if (!c->known[i])
            continue;
        v = v < -3 ? -3 : v > 3 ? 3 : v;
        out[0] = v;
        for (int k = 0; k < 3; k++) { /* v, 2v, 4v */
            out[1 + 2 * k] = sinf(v * (float)(1 << k));
            out[2 + 2 * k] = cosf(v * (float)(1 << k));
        }
        out[7] = 1;
    }
}

mdm_status mdm_facegen_forward(mdm_facegen *facegen, float *f, const float *z, float t,
                               const mdm_facegen_conditions *conditions)
{
    const size_t e = (size_t)facegen->sizes.embedding, pixels = mdm_nn_count(facegen->nn, "f");
    const int classes[MDM_FACEGEN_CLASSES] = {conditions->age, conditions->gender, conditions->race,
                                              conditions->domain};
    float time[MDM_FACEGEN_TIME], values[MDM_FACEGEN_VALUES * MDM_FACEGEN_FEATURES],
        identity[MDM_FACEGEN_IDENTITY] = {0}, *sum = NULL;
    if (!(t > 0 && t < 1))
        return mdm_fail(MDM_ERR_INTERNAL, "face generator: time %g, expected 0..1", (double)t);
    MDM_TRY(mdm_alloc(&sum, e, sizeof *sum, "class embedding"));
    for (int i = 0; i < MDM_FACEGEN_CLASSES; i++) {
        int row = classes[i] >= 0 && classes[i] < facegen->class_count[i] ? classes[i] : facegen->class_count[i];
        for (size_t k = 0; k < e; k++)
            sum[k] += facegen->class_table[i][(size_t)row * e + k];
    }
    time_features(time, t);
    value_features(values, facegen, conditions);
    for (int i = 0; i < MDM_FACEGEN_IDENTITY && conditions->identity_known; i++)
        identity[i] = (conditions->identity[i] - facegen->identity_centre[i]) / facegen->identity_scale;
    mdm_status status = mdm_nn_set(facegen->nn, "classes", sum, e);
    mdm_free(&sum);
    MDM_TRY(status);
    MDM_TRY(mdm_nn_set(facegen->nn, "time", time, MDM_FACEGEN_TIME));
    MDM_TRY(mdm_nn_set(facegen->nn, "values", values, sizeof values / sizeof *values));
    MDM_TRY(mdm_nn_set(facegen->nn, "identity", identity, MDM_FACEGEN_IDENTITY));
    MDM_TRY(mdm_nn_set(facegen->nn, "z", z, pixels));
    MDM_TRY(mdm_nn_run(facegen->nn));
    return mdm_nn_get(facegen->nn, "f", f, pixels);
}
