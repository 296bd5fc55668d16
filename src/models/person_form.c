/* One table of fields, from which question, grammar and reading are made. */
#include "models/person_form.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"

static const struct {
    const char *key;
    int group, field;
} fields[] = {
    {"origin", MDM_CAPTION_WHO, 0},      {"age", MDM_CAPTION_WHO, 1},         {"gender", MDM_CAPTION_WHO, 2},
    {"build", MDM_CAPTION_BODY, 0},      {"eyewear", MDM_CAPTION_LOOK, 3},    {"hair_length", MDM_CAPTION_HAIR, 0},
    {"hair_style", MDM_CAPTION_HAIR, 1}, {"hair_color", MDM_CAPTION_HAIR, 2}, {"top_color", MDM_CAPTION_TOP, 0},
    {"top", MDM_CAPTION_TOP, 7},         {"coat_color", MDM_CAPTION_COAT, 0}, {"coat", MDM_CAPTION_COAT, 6},
    {"hat", MDM_CAPTION_HAT, 1},         {"style", MDM_CAPTION_STYLE, 0},
};
enum { FIELDS = sizeof fields / sizeof *fields };

mdm_status mdm_form_question(mdm_buffer *out)
{
    MDM_TRY(mdm_buffer_printf(
        out, "Look at the person in the middle of this video and fill in a form about how this person looks. "
             "Where it cannot be seen, say unknown. The fields are"));
    for (int i = 0; i < FIELDS; i++)
        MDM_TRY(mdm_buffer_printf(out, "%s %s", i ? "," : "", fields[i].key));
    return mdm_buffer_printf(out, ". Answer with the form as JSON and nothing else.");
}

mdm_status mdm_form_grammar(mdm_buffer *out)
{
    MDM_TRY(mdm_buffer_printf(out, "root ::= \"{\""));
    for (int i = 0; i < FIELDS; i++)
        MDM_TRY(mdm_buffer_printf(out, " \"%s\\\"%s\\\": \" f%d", i ? ", " : "", fields[i].key, i));
    MDM_TRY(mdm_buffer_printf(out, " \"}\"\n"));
    for (int i = 0; i < FIELDS; i++) {
        int count = 0;
        const char *const *words = mdm_caption_words(&count, fields[i].group, fields[i].field);
        MDM_TRY(mdm_buffer_printf(out, "f%d ::= \"\\\"unknown\\\"\"", i));
        for (int k = 0; k < count; k++)
            MDM_TRY(mdm_buffer_printf(out, " | \"\\\"%s\\\"\"", words[k]));
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return MDM_OK;
}

/* A colour of clothes that are not known says nothing. */
static void drop_colours(mdm_caption *c)
{
    if (!*c->value[MDM_CAPTION_TOP][7])
        *c->value[MDM_CAPTION_TOP][0] = '\0';
    if (!*c->value[MDM_CAPTION_COAT][6])
        *c->value[MDM_CAPTION_COAT][0] = '\0';
}

mdm_status mdm_form_read(mdm_caption *out, const char *answer)
{
    json_t *root = json_loads(answer, 0, NULL);
    mdm_status status = MDM_OK;
    memset(out, 0, sizeof *out);
    if (!json_is_object(root))
        status = mdm_fail(MDM_ERR_INPUT, "the form about a person is not filled in to its end");
    for (int i = 0; i < FIELDS && !status; i++) {
        const char *value = json_string_value(json_object_get(root, fields[i].key));
        if (!value)
            status = mdm_fail(MDM_ERR_INPUT, "the form about a person has no \"%s\"", fields[i].key);
        else if (strcmp(value, "unknown") != 0)
            status = mdm_caption_set(out, fields[i].group, fields[i].field, value);
    }
    json_decref(root);
    drop_colours(out);
    return status;
}

json_t *mdm_form_fields(const mdm_caption *caption)
{
    json_t *out = json_object();
    for (int i = 0; i < FIELDS; i++) {
        const char *value = caption->value[fields[i].group][fields[i].field];
        if (*value)
            json_object_set_new(out, fields[i].key, json_string(value));
    }
    return out;
}

/* ---- beside the networks ---- */

static int age_index(const char *word)
{
    int count = 0;
    const char *const *ages = mdm_caption_words(&count, MDM_CAPTION_WHO, 1);
    for (int i = 0; i < count; i++)
        if (!strcmp(ages[i], word))
            return i;
    return -1;
}

/* Ages next to each other are no contradiction: both are guesses. */
static bool ages_differ(const char *a, const char *b)
{
    const int i = age_index(a), k = age_index(b);
    return i >= 0 && k >= 0 && (i > k + 1 || k > i + 1);
}

/* "Asian" is said of all of Asia. */
static bool origins_differ(const char *form, const char *networks)
{
    return strcmp(form, networks) != 0 &&
           !(!strcmp(form, "Asian") && (strstr(networks, "Asian") || !strcmp(networks, "Indian")));
}

const char *mdm_form_contradicts(const mdm_caption *caption, const char *context, const char *value)
{
    const char *origin = caption->value[MDM_CAPTION_WHO][0], *age = caption->value[MDM_CAPTION_WHO][1],
               *gender = caption->value[MDM_CAPTION_WHO][2], *eyewear = caption->value[MDM_CAPTION_LOOK][3];
    mdm_caption networks;
    mdm_random random;
    const bool is_age = !strcmp(context, "age"), is_gender = !strcmp(context, "gender"),
               is_race = !strcmp(context, "race");
    mdm_random_seed(&random, 0, "form");
    /* the networks' class in the words of captions */
    if (!value || mdm_caption_of_standin(&networks, is_age ? value : NULL, is_gender ? value : NULL,
                                         is_race ? value : NULL, false, &random))
        return NULL;
    if (is_age)
        return *age && ages_differ(age, networks.value[MDM_CAPTION_WHO][1]) ? age : NULL;
    if (is_gender)
        return *gender && strcmp(gender, networks.value[MDM_CAPTION_WHO][2]) ? gender : NULL;
    if (is_race)
        return *origin && *networks.value[MDM_CAPTION_WHO][0] &&
                       origins_differ(origin, networks.value[MDM_CAPTION_WHO][0])
                   ? origin
                   : NULL;
    return *eyewear && !strcmp(value, "no") ? eyewear : NULL; /* the form cannot say "without" */
}
