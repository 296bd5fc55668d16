/* Setting and printing of single options, by the table of options_table.c. */
#include "base/options.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

/* Contexts that have rough groups (stages/plan.c defines them). */
static const bool coarsenable[MDM_CONTEXT_COUNT] = {
    [MDM_CONTEXT_AGE] = true, [MDM_CONTEXT_RACE] = true, [MDM_CONTEXT_GAZE] = true};

bool mdm_context_is_coarse(mdm_context context)
{
    return coarsenable[context];
}

/* ---- nearest names ---------------------------------------------------------------------------------------------- */

enum { LONGEST_NAME = 31 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance (swaps of neighbours count 1) of two short names. */
static int distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b), d[LONGEST_NAME + 1][LONGEST_NAME + 1];
    if (n > LONGEST_NAME || m > LONGEST_NAME)
        return n + m;
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = least(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]), 1 + least(d[i - 1][j], d[i][j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

const char *mdm_nearest_name(const char *wrong, const char *const *names, int count)
{
    const char *best = NULL;
    int best_distance = (int)strlen(wrong) / 2 + 2;
    for (int i = 0; i < count; i++) {
        /* "pose" means head_pose although many letters are missing. */
        int d = strlen(wrong) >= 3 && strstr(names[i], wrong) ? 1 : distance(wrong, names[i]);
        if (d < best_distance) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}

/* "unknown WHAT 'x': did you mean 'y'?" or, when nothing is near, the list of names. */
static mdm_status unknown(const char *kind, const char *wrong, const char *const *names, int count)
{
    const char *near = mdm_nearest_name(wrong, names, count);
    if (near)
        return mdm_fail(MDM_ERR_USAGE, "unknown %s '%s': did you mean '%s'?", kind, wrong, near);
    mdm_buffer list = {.max = 4096};
    for (int i = 0; i < count; i++)
        if (mdm_buffer_printf(&list, "%s%s", i ? ", " : "", names[i]) != MDM_OK)
            break;
    mdm_status status = mdm_fail(MDM_ERR_USAGE, "unknown %s '%s': expected one of %s", kind, wrong,
                                 list.data ? (char *)list.data : "none");
    mdm_buffer_free(&list);
    return status;
}

bool mdm_option_is_for(const mdm_option *option, mdm_option_use use)
{
    return option->use == use || option->use == MDM_FOR_ALL;
}

mdm_status mdm_option_find(const mdm_option **out, mdm_option_use use, const char *name)
{
    enum { MOST = 128 };
    int count, known = 0;
    const mdm_option *table = mdm_option_table(&count);
    char wanted[64];
    const char *names[MOST];
    static const char *const commands[] = {
        "`mmdm run`",  "`mmdm portrait --backend`", "`mmdm animate --backend`", "`mmdm export`", "`mmdm caption`",
        "`mmdm serve`"};
    bool elsewhere[MDM_FOR_ALL] = {false};
    snprintf(wanted, sizeof wanted, "%s", name);
    for (char *c = wanted; *c; c++)
        if (*c == '_')
            *c = '-';
    *out = NULL;
    for (int i = 0; i < count; i++) {
        const bool same = strcmp(table[i].name, wanted) == 0;
        if (!mdm_option_is_for(&table[i], use)) {
            elsewhere[table[i].use] |= same;
            continue;
        }
        if (same) {
            *out = &table[i];
            return MDM_OK;
        }
        if (known < MOST)
            names[known++] = table[i].name;
    }
    char others[128] = "";
    int at = 0;
    for (int u = 0; u < MDM_FOR_ALL; u++)
        if (elsewhere[u] && at < (int)sizeof others)
            at += snprintf(others + at, sizeof others - (size_t)at, "%s%s", at ? " and " : "", commands[u]);
    if (at && use != MDM_FOR_JOBS)
        return mdm_fail(MDM_ERR_USAGE, "--%s does not go with %s", wanted, commands[use]);
    if (at)
        return mdm_fail(MDM_ERR_USAGE, "--%s goes only with %s", wanted, others);
    return unknown("option", wanted, names, known);
}

/* ---- setting one value ------------------------------------------------------------------------------------------ */

static void *field_of(mdm_settings *settings, const mdm_option *option)
{
    return (char *)settings + option->offset;
}

static const void *field_in(const mdm_settings *settings, const mdm_option *option)
{
    return (const char *)settings + option->offset;
}

static mdm_status bad_value(const mdm_option *option, const char *value, const char *expected)
{
    return mdm_fail(MDM_ERR_USAGE, "--%s: '%s' is not %s", option->name, value, expected);
}

/* Takes the next item of a comma-separated list into `item`, without blanks; false at the end. */
static bool next_item(const char **at, char *item, size_t room)
{
    const char *p = *at;
    size_t n = 0;
    if (!*p)
        return false;
    for (; *p && *p != ','; p++)
        if (*p != ' ' && *p != '\t' && n + 1 < room)
            item[n++] = *p;
    item[n] = '\0';
    *at = *p ? p + 1 : p;
    return true;
}

static mdm_status set_contexts(mdm_settings *settings, mdm_treatment treatment, const char *value)
{
    char item[64];
    const char *names[MDM_CONTEXT_COUNT];
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++)
        names[c] = mdm_context_name((mdm_context)c);
    while (next_item(&value, item, sizeof item)) {
        int c = 0;
        for (char *p = item; *p; p++)
            if (*p == '-')
                *p = '_';
        while (c < MDM_CONTEXT_COUNT && strcmp(item, names[c]) != 0)
            c++;
        if (c == MDM_CONTEXT_COUNT)
            return unknown("context", item, names, MDM_CONTEXT_COUNT);
        if (treatment == MDM_COARSEN && !coarsenable[c])
            return mdm_fail(MDM_ERR_USAGE,
                            "--coarsen: %s has no rough groups (age, race and gaze have): "
                            "use --keep, --redraw or --remove",
                            item);
        settings->context[c] = treatment;
        if (c == MDM_CONTEXT_VOICE)
            settings->voice = treatment == MDM_KEEP     ? MDM_VOICE_KEEP
                              : treatment == MDM_REMOVE ? MDM_VOICE_REMOVE
                                                        : MDM_VOICE_MASK;
    }
    return MDM_OK;
}

static mdm_status set_preset(mdm_settings *settings, const mdm_option *option, const char *value)
{
    enum { MOST = 32 };
    int count;
    const mdm_preset *presets = mdm_presets(&count);
    const char *names[MOST];
    for (int i = 0; i < count && i < MOST; i++) {
        names[i] = presets[i].name;
        if (strcmp(value, presets[i].name) != 0)
            continue;
        for (int c = 0; c < MDM_CONTEXT_COUNT; c++)
            settings->context[c] = MDM_REDRAW;
        MDM_TRY(set_contexts(settings, MDM_KEEP, presets[i].keep));
        MDM_TRY(set_contexts(settings, MDM_COARSEN, presets[i].coarsen));
        snprintf(field_of(settings, option), (size_t)option->maximum, "%s", value);
        return MDM_OK;
    }
    return unknown("preset", value, names, count);
}

/* A non-negative number of seconds: 90, 90s, 1:30, 1:02:03.5, 20m, 1h2m3.5s. */
static mdm_status set_seconds(double *out, const mdm_option *option, const char *value)
{
    static const char expected[] = "a time such as 90, 1:30 or 20m";
    double total = 0, part;
    const char *at = value;
    bool colon = strchr(value, ':') != NULL;
    if (!*at)
        return bad_value(option, value, expected);
    while (*at) {
        char *end;
        if (*at < '0' || *at > '9')
            return bad_value(option, value, expected);
        part = strtod(at, &end);
        if (colon) {
            total = total * 60 + part;
            if (*end == ':')
                end++;
            else if (*end)
                return bad_value(option, value, expected);
        } else {
            double unit = *end == 'h' ? 3600 : *end == 'm' ? 60 : 1;
            if (*end && !strchr("hms", *end))
                return bad_value(option, value, expected);
            total += part * unit;
            end += *end != '\0';
        }
        at = end;
    }
    if (!isfinite(total) || total > 1e7)
        return bad_value(option, value, expected);
    *out = total;
    return MDM_OK;
}

static mdm_status set_number(long long *out, const mdm_option *option, const char *value, long long low, long long high)
{
    char *end, expected[80];
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno == 0 && end != value && !*end && number >= low && number <= high) {
        *out = number;
        return MDM_OK;
    }
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", low, high);
    return bad_value(option, value, expected);
}

static mdm_status set_real(double *out, const mdm_option *option, const char *value)
{
    char *end, expected[80];
    double number = strtod(value, &end);
    if (end != value && !*end && number >= option->minimum && number <= option->maximum) {
        *out = number;
        return MDM_OK;
    }
    snprintf(expected, sizeof expected, "a number from %d to %d", option->minimum, option->maximum);
    return bad_value(option, value, expected);
}

static mdm_status set_seed(uint64_t *out, const mdm_option *option, const char *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno || end == value || *end || *value == '-')
        return bad_value(option, value, "a whole number from 0 to 18446744073709551615");
    *out = number;
    return MDM_OK;
}

/* Position of `value` among "a|b|c"; -1 with the error set when it is none of them. */
static int find_choice(const mdm_option *option, const char *value)
{
    char copy[128];
    const char *names[16];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", option->values);
    for (char *at = copy; at && count < 16; count++) {
        char *bar = strchr(at, '|');
        if (bar)
            *bar = '\0';
        names[count] = at;
        if (strcmp(at, value) == 0)
            return count;
        at = bar ? bar + 1 : NULL;
    }
    mdm_buffer list = {.max = 512};
    for (int i = 0; i < count; i++)
        if (mdm_buffer_printf(&list, "%s%s", i ? ", " : "", names[i]) != MDM_OK)
            break;
    const char *near = mdm_nearest_name(value, names, count);
    mdm_fail(MDM_ERR_USAGE, "--%s: '%s' is not one of %s%s%s%s", option->name, value,
             list.data ? (char *)list.data : "", near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    mdm_buffer_free(&list);
    return -1;
}

static mdm_status set_text(char *out, const mdm_option *option, const char *value)
{
    if (strlen(value) >= (size_t)option->maximum)
        return mdm_fail(MDM_ERR_USAGE, "--%s: the value is longer than %d characters", option->name,
                        option->maximum - 1);
    snprintf(out, (size_t)option->maximum, "%s", value);
    return MDM_OK;
}

static mdm_status set_rectangle(mdm_settings *settings, const mdm_option *option, const char *value)
{
    static const char expected[] = "a rectangle x,y,w,h in pixels, such as 0,620,1280,100";
    int rectangle[4], n = 0;
    char item[32];
    const char *at = value;
    while (next_item(&at, item, sizeof item)) {
        char *end;
        long number = strtol(item, &end, 10);
        if (n == 4 || !*item || *end || number < 0 || number > 16384)
            return bad_value(option, value, expected);
        rectangle[n++] = (int)number;
    }
    if (n != 4 || rectangle[2] == 0 || rectangle[3] == 0)
        return bad_value(option, value, expected);
    if (settings->cover_count == MDM_MAX_RECTANGLES)
        return mdm_fail(MDM_ERR_USAGE, "--%s: at most %d rectangles", option->name, MDM_MAX_RECTANGLES);
    memcpy(settings->cover[settings->cover_count++], rectangle, sizeof rectangle);
    return MDM_OK;
}

static mdm_status set_persons(mdm_settings *settings, const mdm_option *option, const char *value)
{
    char item[64];
    while (next_item(&value, item, sizeof item)) {
        if (!*item || strlen(item) >= sizeof settings->exclude[0])
            return bad_value(option, item, "the id of a person, such as person-01");
        if (settings->exclude_count == MDM_MAX_PERSONS_EXCLUDED)
            return mdm_fail(MDM_ERR_USAGE, "--%s: at most %d persons", option->name, MDM_MAX_PERSONS_EXCLUDED);
        memcpy(settings->exclude[settings->exclude_count++], item, strlen(item) + 1);
    }
    return MDM_OK;
}

mdm_status mdm_option_set(mdm_settings *settings, const mdm_option *option, const char *value)
{
    void *field = field_of(settings, option);
    long long number = 0;
    int choice;
    switch (option->type) {
    case MDM_OPTION_FLAG:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return bad_value(option, value, "true or false");
        *(bool *)field = value[0] == 't';
        return MDM_OK;
    case MDM_OPTION_LEVEL:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return bad_value(option, value, "true or false");
        if (value[0] == 't')
            *(int *)field = option->minimum;
        return MDM_OK;
    case MDM_OPTION_INT:
        MDM_TRY(set_number(&number, option, value, option->minimum, option->maximum));
        *(int *)field = (int)number;
        return MDM_OK;
    case MDM_OPTION_SEED:
        return set_seed(field, option, value);
    case MDM_OPTION_NUMBER:
        return set_real(field, option, value);
    case MDM_OPTION_SECONDS:
        return set_seconds(field, option, value);
    case MDM_OPTION_CHOICE:
        choice = find_choice(option, value);
        if (choice < 0)
            return MDM_ERR_USAGE;
        memcpy(field, &choice, sizeof choice);
        if (option->offset == offsetof(mdm_settings, voice))
            settings->context[MDM_CONTEXT_VOICE] = choice == MDM_VOICE_KEEP     ? MDM_KEEP
                                                   : choice == MDM_VOICE_REMOVE ? MDM_REMOVE
                                                                                : MDM_REDRAW;
        return MDM_OK;
    case MDM_OPTION_NAME:
        if (option->values && (*value || option->fallback[0]) && find_choice(option, value) < 0)
            return MDM_ERR_USAGE;
        return set_text(field, option, value);
    case MDM_OPTION_TEXT:
        return set_text(field, option, value);
    case MDM_OPTION_CONTEXTS:
        return set_contexts(settings, (mdm_treatment)option->minimum, value);
    case MDM_OPTION_RECTANGLE:
        return set_rectangle(settings, option, value);
    case MDM_OPTION_PERSONS:
        return set_persons(settings, option, value);
    case MDM_OPTION_PRESET:
        return set_preset(settings, option, value);
    }
    return mdm_fail(MDM_ERR_INTERNAL, "--%s: unknown type of option", option->name);
}

/* Enum fields are set through an int. */
_Static_assert(sizeof(mdm_cover) == sizeof(int) && sizeof(mdm_treatment) == sizeof(int), "enums are ints here");

void mdm_settings_defaults_for(mdm_settings *settings, mdm_option_use use)
{
    int count;
    const mdm_option *table = mdm_option_table(&count);
    memset(settings, 0, sizeof *settings);
    settings->use = use;
    for (int i = 0; i < count; i++)
        if (mdm_option_is_for(&table[i], use) && table[i].fallback && table[i].fallback[0])
            (void)mdm_option_set(settings, &table[i], table[i].fallback); /* a test checks that none fails */
}

void mdm_settings_defaults(mdm_settings *settings)
{
    mdm_settings_defaults_for(settings, MDM_FOR_JOBS);
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static mdm_status print_choice(mdm_buffer *out, const mdm_option *option, int choice)
{
    const char *at = option->values;
    while (choice-- > 0 && at) {
        at = strchr(at, '|');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return mdm_fail(MDM_ERR_INTERNAL, "--%s: value out of range", option->name);
    return mdm_buffer_append(out, at, strcspn(at, "|"));
}

static mdm_status print_contexts(mdm_buffer *out, const mdm_settings *settings, mdm_treatment treatment)
{
    const char *comma = "";
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++) {
        if (settings->context[c] != treatment)
            continue;
        MDM_TRY(mdm_buffer_printf(out, "%s%s", comma, mdm_context_name((mdm_context)c)));
        comma = ",";
    }
    return MDM_OK;
}

/* With as few digits as read back as the same number. */
static mdm_status print_number(mdm_buffer *out, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return mdm_buffer_printf(out, "%s", text);
}

mdm_status mdm_option_print(mdm_buffer *out, const mdm_settings *settings, const mdm_option *option)
{
    const void *field = field_in(settings, option);
    int number;
    switch (option->type) {
    case MDM_OPTION_FLAG:
        return mdm_buffer_printf(out, "%s", *(const bool *)field ? "true" : "false");
    case MDM_OPTION_LEVEL:
        return mdm_buffer_printf(out, "%s", *(const int *)field == option->minimum ? "true" : "false");
    case MDM_OPTION_INT:
        return mdm_buffer_printf(out, "%d", *(const int *)field);
    case MDM_OPTION_SEED:
        return mdm_buffer_printf(out, "%" PRIu64, *(const uint64_t *)field);
    case MDM_OPTION_NUMBER:
    case MDM_OPTION_SECONDS:
        return print_number(out, *(const double *)field);
    case MDM_OPTION_CHOICE:
        memcpy(&number, field, sizeof number);
        return print_choice(out, option, number);
    case MDM_OPTION_NAME:
    case MDM_OPTION_TEXT:
    case MDM_OPTION_PRESET:
        return mdm_buffer_printf(out, "%s", (const char *)field);
    case MDM_OPTION_CONTEXTS:
        return print_contexts(out, settings, (mdm_treatment)option->minimum);
    case MDM_OPTION_RECTANGLE:
        for (int i = 0; i < settings->cover_count; i++) {
            const int *r = settings->cover[i];
            MDM_TRY(mdm_buffer_printf(out, "%s%d,%d,%d,%d", i ? ";" : "", r[0], r[1], r[2], r[3]));
        }
        return MDM_OK;
    case MDM_OPTION_PERSONS:
        for (int i = 0; i < settings->exclude_count; i++)
            MDM_TRY(mdm_buffer_printf(out, "%s%s", i ? "," : "", settings->exclude[i]));
        return MDM_OK;
    }
    return MDM_OK;
}

mdm_status mdm_settings_key(char out[65], const mdm_settings *settings, unsigned stale)
{
    int count;
    const mdm_option *table = mdm_option_table(&count);
    mdm_buffer text = {0};
    mdm_status status = MDM_OK;
    out[0] = '\0';
    for (int i = 0; i < count && status == MDM_OK; i++) {
        if (!(table[i].stale & stale))
            continue;
        status = mdm_buffer_printf(&text, "%s=", table[i].name);
        if (status == MDM_OK)
            status = mdm_option_print(&text, settings, &table[i]);
        if (status == MDM_OK)
            status = mdm_buffer_append(&text, "\n", 1);
    }
    if (status == MDM_OK) {
        mdm_sha256 hash;
        unsigned char digest[32];
        mdm_sha256_start(&hash);
        mdm_sha256_add(&hash, text.data, text.size);
        mdm_sha256_end(&hash, digest);
        mdm_sha256_text(out, digest);
    }
    mdm_buffer_free(&text);
    return status;
}
