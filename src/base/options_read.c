/* Reading options from a command line and from YAML (libyaml's event parser, for lines in errors). */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/options.h"

#define MAX_CONFIG ((size_t)1 << 20)
#define MAX_VALUE  4096

/* Contexts already named by a list of the same source, to refuse "--keep age --redraw age". */
typedef struct named_contexts {
    const mdm_option *by[MDM_CONTEXT_COUNT];
} named_contexts;

static mdm_status set_once(mdm_settings *settings, named_contexts *named, const mdm_option *option, const char *value)
{
    if (option->type != MDM_OPTION_CONTEXTS)
        return mdm_option_set(settings, option, value);
    /* Set into a blank to see which contexts the list names: -1 is no treatment. */
    mdm_settings probe;
    mdm_settings_defaults(&probe);
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++)
        probe.context[c] = (mdm_treatment)-1;
    MDM_TRY(mdm_option_set(&probe, option, value));
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++) {
        if (probe.context[c] == (mdm_treatment)-1)
            continue;
        if (named->by[c] && named->by[c] != option)
            return mdm_fail(MDM_ERR_USAGE, "%s is named by both --%s and --%s: choose one",
                            mdm_context_name((mdm_context)c), named->by[c]->name, option->name);
        named->by[c] = option;
    }
    return mdm_option_set(settings, option, value);
}

/* ---- command line ------------------------------------------------------------------------------------------------ */

static bool takes_value(const mdm_option *option)
{
    return option->type != MDM_OPTION_FLAG && option->type != MDM_OPTION_LEVEL;
}

/* Reads the option at argv[*at]; *value points into argv, or at "true" for flags. *at ends on the last word used. */
static mdm_status read_option(const mdm_option **option, const char **value, mdm_option_use use, int *at, int argc,
                              char *const *argv)
{
    const char *word = argv[*at];
    *value = NULL;
    *option = NULL;
    if (word[1] != '-') { /* -o OUT or -oOUT */
        int count;
        const mdm_option *table = mdm_option_table(&count);
        for (int i = 0; i < count; i++)
            if (mdm_option_is_for(&table[i], use) && table[i].letter && table[i].letter == word[1])
                *option = &table[i];
        if (!*option)
            return mdm_fail(MDM_ERR_USAGE, "unknown option '-%c': `mmdm help` lists them", word[1]);
        if (word[2]) {
            if (!takes_value(*option))
                return mdm_fail(MDM_ERR_USAGE, "'%s': give short options one by one", word);
            *value = word + 2;
        }
    } else {
        char name[64];
        const char *equals = strchr(word, '=');
        size_t length = equals ? (size_t)(equals - word - 2) : strlen(word + 2);
        snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), word + 2);
        MDM_TRY(mdm_option_find(option, use, name));
        *value = equals ? equals + 1 : NULL;
    }
    if (!takes_value(*option)) {
        if (!*value)
            *value = "true";
        return MDM_OK;
    }
    if (!*value) {
        if (*at + 1 >= argc)
            return mdm_fail(MDM_ERR_USAGE, "--%s needs a value (%s)", (*option)->name, (*option)->argument);
        *value = argv[++*at];
    }
    return MDM_OK;
}

typedef enum parse_pass { PASS_CONFIG, PASS_PRESET, PASS_REST } parse_pass;

mdm_status mdm_settings_parse(mdm_settings *settings, mdm_option_use use, const char **positional,
                              int *positional_count, int argc, char *const *argv)
{
    mdm_settings_defaults_for(settings, use);
    *positional_count = 0;
    named_contexts named = {{0}};
    for (int pass = PASS_CONFIG; pass <= PASS_REST; pass++) {
        bool options_over = false;
        for (int i = 0; i < argc; i++) {
            if (options_over || argv[i][0] != '-' || argv[i][1] == '\0') {
                if (pass == PASS_REST)
                    positional[(*positional_count)++] = argv[i];
                continue;
            }
            if (strcmp(argv[i], "--") == 0) {
                options_over = true;
                continue;
            }
            const mdm_option *option;
            const char *value;
            MDM_TRY(read_option(&option, &value, use, &i, argc, argv));
            bool config = strcmp(option->name, "config") == 0, preset = option->type == MDM_OPTION_PRESET;
            if (pass != (config ? PASS_CONFIG : preset ? PASS_PRESET : PASS_REST))
                continue;
            if (config)
                MDM_TRY(mdm_settings_load(settings, value));
            MDM_TRY(set_once(settings, &named, option, value));
        }
    }
    return MDM_OK;
}

/* ---- YAML -------------------------------------------------------------------------------------------------------- */

typedef struct config_reader {
    mdm_settings *settings;
    named_contexts named;
    const char *where;
    bool preset_pass;         /* the preset is applied first, wherever it stands */
    const mdm_option *option; /* whose value comes next */
    char seen[128];           /* one per option of the table */
    char list[MAX_VALUE];     /* items of a sequence, comma separated */
    int depth;                /* 0 before the mapping, 1 in it, 2 in a sequence */
} config_reader;

static mdm_status at_line(const config_reader *reader, const yaml_event_t *event, const char *message)
{
    return mdm_fail(MDM_ERR_CONFIG, "%s:%zu: %s", reader->where, event->start_mark.line + 1, message);
}

/* Re-tells the last message (of an option) with file and line, as a configuration error. */
static mdm_status retell(const config_reader *reader, const yaml_event_t *event)
{
    char old[1024];
    snprintf(old, sizeof old, "%s", mdm_error_message());
    return at_line(reader, event, old);
}

static mdm_status apply_value(config_reader *reader, const yaml_event_t *event, const char *value)
{
    const mdm_option *option = reader->option;
    bool preset = option->type == MDM_OPTION_PRESET;
    if (preset != reader->preset_pass)
        return MDM_OK;
    /* YAML's other spellings of truth, for flags only. */
    if (!takes_value(option))
        value = strcmp(value, "yes") == 0 || strcmp(value, "on") == 0   ? "true"
                : strcmp(value, "no") == 0 || strcmp(value, "off") == 0 ? "false"
                                                                        : value;
    if (set_once(reader->settings, &reader->named, option, value) != MDM_OK)
        return retell(reader, event);
    return MDM_OK;
}

static mdm_status take_key(config_reader *reader, const yaml_event_t *event, const char *key)
{
    int count;
    const mdm_option *table = mdm_option_table(&count);
    if (mdm_option_find(&reader->option, reader->settings->use, key) != MDM_OK)
        return retell(reader, event);
    if (strcmp(reader->option->name, "config") == 0)
        return at_line(reader, event, "a configuration cannot name another one");
    char *seen = &reader->seen[reader->option - table];
    if (*seen)
        return at_line(reader, event, "this option is there twice");
    *seen = 1;
    return MDM_OK;
}

static mdm_status take_item(config_reader *reader, const yaml_event_t *event, const char *value)
{
    /* cover: ["0,0,9,9", "5,5,9,9"] is two rectangles, cover: [0, 0, 9, 9] is one. */
    if (reader->option->type == MDM_OPTION_RECTANGLE && strchr(value, ','))
        return apply_value(reader, event, value);
    size_t used = strlen(reader->list), room = sizeof reader->list - used;
    if ((size_t)snprintf(reader->list + used, room, "%s%s", used ? "," : "", value) >= room)
        return at_line(reader, event, "the list is too long");
    return MDM_OK;
}

static mdm_status take_scalar(config_reader *reader, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    if (strlen(value) != event->data.scalar.length || event->data.scalar.length >= MAX_VALUE)
        return at_line(reader, event, "the value is too long or holds a NUL");
    if (reader->depth == 0)
        return at_line(reader, event, "expected lines such as `keep: [age, gaze]`");
    if (reader->depth == 2)
        return take_item(reader, event, value);
    if (!reader->option)
        return take_key(reader, event, value);
    mdm_status status = apply_value(reader, event, value);
    reader->option = NULL;
    return status;
}

static mdm_status open_sequence(config_reader *reader, const yaml_event_t *event)
{
    if (reader->depth != 1 || !reader->option)
        return at_line(reader, event, "a list is not expected here");
    mdm_option_type type = reader->option->type;
    if (type != MDM_OPTION_CONTEXTS && type != MDM_OPTION_PERSONS && type != MDM_OPTION_RECTANGLE)
        return at_line(reader, event, "this option takes one value, not a list");
    reader->depth = 2;
    reader->list[0] = '\0';
    return MDM_OK;
}

static mdm_status close_sequence(config_reader *reader, const yaml_event_t *event)
{
    mdm_status status = MDM_OK;
    if (reader->option->type != MDM_OPTION_RECTANGLE || reader->list[0])
        status = apply_value(reader, event, reader->list);
    reader->depth = 1;
    reader->option = NULL;
    return status;
}

static mdm_status take_event(config_reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        if (reader->depth)
            return at_line(reader, event, "options cannot be nested");
        reader->depth = 1;
        return MDM_OK;
    case YAML_SCALAR_EVENT:
        return take_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_sequence(reader, event);
    case YAML_SEQUENCE_END_EVENT:
        return close_sequence(reader, event);
    case YAML_ALIAS_EVENT:
        return at_line(reader, event, "anchors and aliases are not supported");
    default:
        return MDM_OK; /* stream, document and mapping ends */
    }
}

static mdm_status read_events(config_reader *reader, const void *text, size_t size)
{
    yaml_parser_t parser;
    yaml_event_t event;
    if (!yaml_parser_initialize(&parser))
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory to read it", reader->where);
    yaml_parser_set_input_string(&parser, text, size);
    mdm_status status = MDM_OK;
    for (bool more = true; more && status == MDM_OK;) {
        if (!yaml_parser_parse(&parser, &event)) {
            status = mdm_fail(MDM_ERR_CONFIG, "%s:%zu: %s", reader->where, parser.problem_mark.line + 1,
                              parser.problem ? parser.problem : "not valid YAML");
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = take_event(reader, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

mdm_status mdm_settings_load_text(mdm_settings *settings, const void *text, size_t size, const char *where)
{
    for (int pass = 0; pass < 2; pass++) {
        config_reader reader = {.settings = settings, .where = where, .preset_pass = pass == 0};
        MDM_TRY(read_events(&reader, text, size));
    }
    return MDM_OK;
}

mdm_status mdm_settings_load(mdm_settings *settings, const char *path)
{
    unsigned char *text;
    size_t size;
    if (mdm_file_read(&text, &size, path, MAX_CONFIG) != MDM_OK)
        return mdm_fail_context(MDM_ERR_CONFIG, "--config");
    mdm_status status = mdm_settings_load_text(settings, text, size, path);
    mdm_free(&text);
    return status;
}

/* ---- what follows ------------------------------------------------------------------------------------------------ */

mdm_status mdm_settings_finish(mdm_settings *settings)
{
    if (settings->end > 0 && settings->end <= settings->start)
        return mdm_fail(MDM_ERR_USAGE, "--end %g is not after --start %g", settings->end, settings->start);
    if (settings->exporting.split[0])
        MDM_TRY(mdm_split_shares((int[3]){0}, settings->exporting.split));
    if (settings->segment > 0 && settings->segment < 1)
        return mdm_fail(MDM_ERR_USAGE, "--segment %g: clips of less than a second are not useful", settings->segment);
    if (!strcmp(settings->transcribe, "gemini") && strcmp(settings->send_audio, "yes") != 0)
        return mdm_fail(MDM_ERR_USAGE, "--transcribe gemini sends the recordings' sound, with the voices in it, to "
                                       "Google: say --send-audio-to-google yes if it may go there");
    if (settings->context[MDM_CONTEXT_HEAD_POSE] == MDM_REMOVE)
        return mdm_fail(MDM_ERR_USAGE,
                        "--remove: a head's pose cannot be taken out, only the whole face: --exclude-person");
    if (settings->context[MDM_CONTEXT_SCENE] == MDM_REMOVE && settings->mode == MDM_MODE_SCENE)
        return mdm_fail(MDM_ERR_USAGE, "--remove: scene mode keeps the scene; --mode portrait leaves it out");
    if (settings->context[MDM_CONTEXT_SPEECH] != MDM_KEEP) {
        /* Words cannot be drawn anew, so without kept speech there is no sound. */
        if (settings->voice == MDM_VOICE_KEEP)
            return mdm_fail(MDM_ERR_USAGE, "a kept voice says the words: --keep voice needs --keep speech too");
        settings->voice = MDM_VOICE_REMOVE;
        settings->context[MDM_CONTEXT_VOICE] = MDM_REMOVE;
    }
    return MDM_OK;
}
