/* People in words: the table of groups and their words, printing, reading back, and the caption of a stand-in. */
#include "models/person_caption.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- words ---- */

static const char *const shots[] = {
    "a full-body shot", "a nearly full-body shot", "a upper body shot", "a close up portrait shot", "a headshot", NULL};
static const char *const countries[] = {"African",        "Asian",          "East Asian",      "European", "Indian",
                                        "Latin American", "Middle Eastern", "Southeast Asian", NULL};
static const char *const ages[] = {"baby", "child", "teenage", "young adult", "adult", "middle-aged", "elderly", NULL};
static const char *const genders[] = {"female", "male", NULL};
static const char *const bodies[] = {"slim", "fit", "average build", "plump", NULL};
static const char *const facing[] = {"facing the camera", NULL};
static const char *const expressions[] = {"neutral expression", NULL};
static const char *const lights[] = {"even light", NULL};
static const char *const eyewear[] = {"wearing glasses", NULL};
static const char *const hair_colours[] = {"black", "dark brown", "brown", "blonde", "red", "gray", "white", NULL};
static const char *const hair_styles[] = {"straight", "wavy", "curly", "bald", NULL};
static const char *const hair_lengths[] = {"short", "above chest", "above shoulders", "above eyes", "long", NULL};
static const char *const hair_noun[] = {"hair", NULL};
static const char *const sleeves[] = {"long sleeve", "short sleeve", "sleeveless", NULL};
static const char *const patterns[] = {"solid color", "striped", "plaid", "floral", "graphic", NULL};
static const char *const materials[] = {"cotton", "denim", "leather", "silk", "wool", "mesh", "knit", NULL};
static const char *const collars[] = {"round collar", "v-neck", "turtleneck", "lapel", "stand collar", NULL};
static const char *const lengths[] = {"normal", "long", "short", "cropped", "knee-length", "ankle-length", NULL};
static const char *const shoulders[] = {"covered shoulders", "bare shoulders", NULL};
static const char *const colours[] = {"black", "white",  "gray", "navy",  "blue",  "green",
                                      "red",   "yellow", "pink", "beige", "brown", NULL};
static const char *const graphics[] = {"letter print", "animal print", "logo print", NULL};
static const char *const shapes[] = {"straight", "skinny", "loose", "flared", "pleated", NULL};
static const char *const specials[] = {"swimsuit", "jumpsuit", "kimono", "hanfu", "sari", NULL};
static const char *const dresses[] = {"dress", "gown", NULL};
static const char *const tops[] = {"shirt", "t-shirt", "sweater", "blouse", "vest", NULL};
static const char *const coats[] = {"coat", "jacket", "blazer", "hoodie", NULL};
static const char *const bottoms[] = {"jeans", "trousers", "skirt", "shorts", NULL};
static const char *const shoes[] = {"sneakers", "boots", "sandals", "heels", NULL};
static const char *const bags[] = {"bag", "backpack", "handbag", NULL};
static const char *const hats[] = {"hat", "cap", "beanie", NULL};
static const char *const styles[] = {"casual style", "formal style", "sporty style", "traditional style", NULL};
static const char *const belt[] = {"belt", NULL}, *const scarf[] = {"scarf", NULL}, *const band[] = {"headband", NULL},
                         *const cloth[] = {"headscarf", NULL}, *const veil[] = {"veil", NULL},
                         *const socks[] = {"socks", NULL}, *const ties[] = {"ties", NULL};

typedef struct field {
    const char *name;
    const char *const *words; /* NULL: any */
} field;

/* The last field is the noun where `noun`; a noun of one word is said with the adjectives and need not be set. */
typedef struct group {
    bool noun;
    field field[MDM_CAPTION_FIELDS];
} group;

static const group groups[MDM_CAPTION_GROUPS] = {
    [MDM_CAPTION_WHO] = {true, {{"country", countries}, {"age", ages}, {"gender", genders}}},
    [MDM_CAPTION_BODY] = {false, {{"body shape", bodies}}},
    [MDM_CAPTION_LOOK] =
        {false, {{"direction", facing}, {"expression", expressions}, {"light", lights}, {"eyewear", eyewear}}},
    [MDM_CAPTION_BACKGROUND] = {false, {{"background", NULL}}},
    [MDM_CAPTION_HAIR] = {true,
                          {{"hair length", hair_lengths},
                           {"hair style", hair_styles},
                           {"hair color", hair_colours},
                           {"hair", hair_noun}}},
    [MDM_CAPTION_SPECIAL] = {true, {{"sleeve length", sleeves}, {"type", specials}}},
    [MDM_CAPTION_DRESS] = {true,
                           {{"pattern", patterns},
                            {"material", materials},
                            {"sleeve length", sleeves},
                            {"collar shape", collars},
                            {"length", lengths},
                            {"shoulder exposure level", shoulders},
                            {"type", dresses}}},
    [MDM_CAPTION_TOP] = {true,
                         {{"color", colours},
                          {"material", materials},
                          {"sleeve length", sleeves},
                          {"pattern", patterns},
                          {"top length", lengths},
                          {"collar shape", collars},
                          {"graphic", graphics},
                          {"type", tops}}},
    [MDM_CAPTION_COAT] = {true,
                          {{"color", colours},
                           {"material", materials},
                           {"coat length", lengths},
                           {"pattern", patterns},
                           {"collar shape", collars},
                           {"graphic", graphics},
                           {"type", coats}}},
    [MDM_CAPTION_BOTTOM] = {true,
                            {{"color", colours},
                             {"material", materials},
                             {"length", lengths},
                             {"pattern", patterns},
                             {"bottom shape", shapes},
                             {"graphic", graphics},
                             {"type", bottoms}}},
    [MDM_CAPTION_SHOES] = {true,
                           {{"color", colours},
                            {"material", materials},
                            {"boots length", lengths},
                            {"pattern", patterns},
                            {"type", shoes}}},
    [MDM_CAPTION_BAG] = {true, {{"material", materials}, {"type", bags}}},
    [MDM_CAPTION_HAT] = {true, {{"material", materials}, {"type", hats}}},
    [MDM_CAPTION_BELT] = {true, {{"material", materials}, {"belt", belt}}},
    [MDM_CAPTION_SCARF] = {true, {{"pattern", patterns}, {"material", materials}, {"scarf", scarf}}},
    [MDM_CAPTION_STYLE] = {false, {{"overall style", styles}}},
    [MDM_CAPTION_HEADBAND] = {true, {{"pattern", patterns}, {"material", materials}, {"headband", band}}},
    [MDM_CAPTION_HEADSCARF] = {true, {{"pattern", patterns}, {"material", materials}, {"headscarf", cloth}}},
    [MDM_CAPTION_VEIL] = {true, {{"pattern", patterns}, {"material", materials}, {"veil", veil}}},
    [MDM_CAPTION_SOCKS] = {true, {{"pattern", patterns}, {"material", materials}, {"socks", socks}}},
    [MDM_CAPTION_TIES] = {true, {{"pattern", patterns}, {"material", materials}, {"ties", ties}}},
};

static int field_count(const group *g)
{
    int count = 0;
    while (count < MDM_CAPTION_FIELDS && g->field[count].name)
        count++;
    return count;
}

const char *mdm_caption_field(int group, int field)
{
    return group >= 0 && group < MDM_CAPTION_GROUPS && field >= 0 && field < MDM_CAPTION_FIELDS
               ? groups[group].field[field].name
               : NULL;
}

const char *const *mdm_caption_words(int *count, int group, int field)
{
    const char *const *words = group < 0                         ? shots
                               : mdm_caption_field(group, field) ? groups[group].field[field].words
                                                                 : NULL;
    *count = 0;
    while (words && words[*count])
        ++*count;
    return words;
}

/* The declared word that is `value` but for its letters' case, NULL when there is none. */
static const char *declared(const char *const *words, const char *value)
{
    for (; words && *words; words++)
        if (!strcasecmp(*words, value))
            return *words;
    return NULL;
}

mdm_status mdm_caption_set(mdm_caption *caption, int group, int field, const char *value)
{
    const char *name = mdm_caption_field(group, field);
    if (!name)
        return mdm_fail(MDM_ERR_INTERNAL, "caption: no field %d in group %d", field, group);
    const char *const *words = groups[group].field[field].words;
    const char *word = words ? declared(words, value) : value;
    if (*value && (!word || strlen(word) >= MDM_CAPTION_WORD || strchr(word, ',')))
        return mdm_fail(MDM_ERR_INPUT, "\"%s\" is no %s that captions know", value, name);
    snprintf(caption->value[group][field], MDM_CAPTION_WORD, "%s", *value ? word : "");
    return MDM_OK;
}

/* ---- printing ---- */

static bool is_said(const mdm_caption *caption, int g)
{
    for (int f = 0; f < field_count(&groups[g]); f++)
        if (caption->value[g][f][0])
            return true;
    return false;
}

static void put(char text[MDM_CAPTION_TEXT], const char *separator, const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, MDM_CAPTION_TEXT - used, "%s%s", used ? separator : "", word);
}

static void put_group(char text[MDM_CAPTION_TEXT], const mdm_caption *caption, int g)
{
    const int count = field_count(&groups[g]);
    const char *separator = ", ";
    if (g == MDM_CAPTION_WHO) { /* "a" whatever follows: so it was in training */
        put(text, separator, "a");
        separator = " ";
    }
    for (int f = 0; f < count; f++) {
        const char *word = caption->value[g][f];
        const char *const *words = groups[g].field[f].words;
        if (!*word && groups[g].noun && f == count - 1 && words && !words[1])
            word = words[0];
        if (!*word)
            continue;
        put(text, separator, word);
        separator = " ";
    }
}

void mdm_caption_print(char text[MDM_CAPTION_TEXT], const mdm_caption *caption, int group_count)
{
    text[0] = '\0';
    if (caption->shot[0])
        put(text, "", caption->shot);
    for (int g = 0; g < MDM_CAPTION_GROUPS && group_count > 0; g++)
        if (is_said(caption, g)) {
            put_group(text, caption, g);
            group_count--;
        }
    if (text[0] >= 'a' && text[0] <= 'z')
        text[0] = (char)(text[0] - 'a' + 'A');
}

mdm_status mdm_caption_fit(char text[MDM_CAPTION_TEXT], const mdm_caption *caption, const mdm_clip_tokenizer *tokenizer,
                           int length, int *kept)
{
    int said = 0;
    for (int g = 0; g < MDM_CAPTION_GROUPS; g++)
        said += is_said(caption, g);
    for (int n = said; n >= 0; n--) {
        int32_t ids[2];
        size_t tokens = 0;
        mdm_caption_print(text, caption, n);
        MDM_TRY(mdm_clip_tokenizer_encode(tokenizer, ids, 2, &tokens, text));
        if (kept)
            *kept = n;
        if (tokens <= (size_t)length)
            return MDM_OK;
    }
    return mdm_fail(MDM_ERR_INPUT, "not even the shot fits into %d tokens", length);
}

/* ---- reading back ---- */

/* Bytes of the declared word that `phrase` begins with, whole words only; 0 when there is none. *word: which. */
static size_t begins_with(const char *phrase, const char *const *words, const char **word)
{
    size_t longest = 0;
    for (; *words; words++) {
        size_t n = strlen(*words);
        if (n > longest && !strncasecmp(phrase, *words, n) && (phrase[n] == ' ' || phrase[n] == '\0')) {
            longest = n;
            *word = *words;
        }
    }
    return longest;
}

/* Fills the group's fields from `phrase` if it is made of its words and nothing else, the noun last. */
static bool read_group(mdm_caption *caption, int g, const char *phrase)
{
    const int count = field_count(&groups[g]);
    const char *word[MDM_CAPTION_FIELDS] = {0};
    while (*phrase) {
        const char *best = NULL;
        size_t longest = 0;
        int at = -1;
        for (int f = 0; f < count; f++) { /* the field with the longest match, of those that are still free */
            const char *found = NULL;
            size_t n = word[f] || !groups[g].field[f].words ? 0 : begins_with(phrase, groups[g].field[f].words, &found);
            if (n > longest)
                longest = n, best = found, at = f;
        }
        if (at < 0 || (groups[g].noun && word[count - 1])) /* nothing comes after the noun */
            return false;
        word[at] = best;
        phrase += longest + (phrase[longest] == ' ');
    }
    if (groups[g].noun && !word[count - 1])
        return false;
    for (int f = 0; f < count; f++) {
        const bool said = word[f] && !(groups[g].noun && f == count - 1 && !groups[g].field[f].words[1]);
        snprintf(caption->value[g][f], MDM_CAPTION_WORD, "%s", said ? word[f] : "");
    }
    return true;
}

static mdm_status read_phrase(mdm_caption *caption, const char *phrase)
{
    const char *shot = declared(shots, phrase);
    if (shot && !caption->shot[0]) {
        snprintf(caption->shot, sizeof caption->shot, "%s", shot);
        return MDM_OK;
    }
    if (!strncasecmp(phrase, "a ", 2) && !is_said(caption, MDM_CAPTION_WHO) &&
        read_group(caption, MDM_CAPTION_WHO, phrase + 2))
        return MDM_OK;
    for (int g = MDM_CAPTION_BODY; g < MDM_CAPTION_GROUPS; g++)
        if (g != MDM_CAPTION_BACKGROUND && !is_said(caption, g) && read_group(caption, g, phrase))
            return MDM_OK;
    if (is_said(caption, MDM_CAPTION_BACKGROUND) || strlen(phrase) >= MDM_CAPTION_WORD || !*phrase)
        return mdm_fail(MDM_ERR_INPUT, "caption: \"%.80s\" is in none of the groups that are left", phrase);
    snprintf(caption->value[MDM_CAPTION_BACKGROUND][0], MDM_CAPTION_WORD, "%s", phrase);
    return MDM_OK;
}

mdm_status mdm_caption_parse(mdm_caption *caption, const char *text)
{
    char phrase[MDM_CAPTION_TEXT];
    memset(caption, 0, sizeof *caption);
    while (*text) {
        size_t length = strcspn(text, ",");
        if (length >= sizeof phrase)
            return mdm_fail(MDM_ERR_INPUT, "caption: a phrase of %zu bytes", length);
        snprintf(phrase, sizeof phrase, "%.*s", (int)length, text);
        MDM_TRY(read_phrase(caption, phrase));
        text += length;
        text += *text == ',';
        text += strspn(text, " ");
    }
    return MDM_OK;
}

/* ---- stand-ins ---- */

/* Words for the classes of a plan. */
static const char *const age_words[][2] = {
    {"0-2", "baby"},    {"3-9", "child"},         {"10-19", "teenage"}, {"20-29", "young adult"}, {"30-39", "adult"},
    {"40-49", "adult"}, {"50-59", "middle-aged"}, {"60-69", "elderly"}, {"70+", "elderly"},
};
static const char *const race_words[][2] = {
    {"Asian", "Asian"},
    {"Black", "African"},
    {"East Asian", "East Asian"},
    {"Indian", "Indian"},
    {"Latino_Hispanic", "Latin American"},
    {"Middle Eastern", "Middle Eastern"},
    {"Southeast Asian", "Southeast Asian"},
    {"White", "European"},
};

static const char *word_for(const char *const (*words)[2], size_t count, const char *value)
{
    for (size_t i = 0; value && i < count; i++)
        if (!strcasecmp(words[i][0], value))
            return words[i][1];
    return "";
}

static mdm_status draw(mdm_caption *caption, int group, int field, const char *const *from, mdm_random *random)
{
    int count = 0;
    while (from[count])
        count++;
    return mdm_caption_set(caption, group, field, from[(int)(mdm_random_uniform(random) * count)]);
}

mdm_status mdm_caption_of_standin(mdm_caption *caption, const char *age, const char *gender, const char *race,
                                  bool glasses, mdm_random *random)
{
    static const char *const dark[] = {"black", "dark brown", NULL}, *const any[] = {"black",  "dark brown", "brown",
                                                                                     "blonde", "red",        NULL},
                             *const old[] = {"gray", "white", NULL}, *const form[] = {"straight", "wavy", NULL},
                             *const male[] = {"short", NULL}, *const female[] = {"short", "above shoulders", NULL},
                             *const plain[] = {"black", "white", "gray", "navy", NULL},
                             *const wear[] = {"shirt", "t-shirt", "sweater", NULL};
    const char *years = word_for(age_words, sizeof age_words / sizeof *age_words, age);
    const char *country = word_for(race_words, sizeof race_words / sizeof *race_words, race);
    const bool woman = gender && (gender[0] == 'f' || gender[0] == 'F'), light = !strcmp(country, "European");
    memset(caption, 0, sizeof *caption);
    snprintf(caption->shot, sizeof caption->shot, "a headshot");
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_WHO, 0, country));
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_WHO, 1, years));
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_WHO, 2, gender ? (woman ? "female" : "male") : ""));
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_LOOK, 0, facing[0]));
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_LOOK, 1, expressions[0]));
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_LOOK, 2, lights[0]));
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_LOOK, 3, glasses ? eyewear[0] : ""));
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_BACKGROUND, 0, "a plain wall"));
    MDM_TRY(draw(caption, MDM_CAPTION_HAIR, 0, woman ? female : male, random));
    MDM_TRY(draw(caption, MDM_CAPTION_HAIR, 1, form, random));
    MDM_TRY(draw(caption, MDM_CAPTION_HAIR, 2, !strcmp(years, "elderly") ? old : light ? any : dark, random));
    MDM_TRY(draw(caption, MDM_CAPTION_TOP, 0, plain, random));
    MDM_TRY(mdm_caption_set(caption, MDM_CAPTION_TOP, 1, "cotton"));
    return draw(caption, MDM_CAPTION_TOP, 7, wear, random);
}
