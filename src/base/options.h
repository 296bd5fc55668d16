/* The one options table: command line, YAML configuration, help, documentation and the web form all come from it. */
#ifndef MDM_BASE_OPTIONS_H
#define MDM_BASE_OPTIONS_H

#include <stddef.h>

#include "base/memory.h"
#include "base/settings.h"
#include "base/status.h"

typedef enum mdm_option_type {
    MDM_OPTION_FLAG,      /* bool; no value on the command line, true/false in YAML */
    MDM_OPTION_LEVEL,     /* int set to `minimum`; no value (--quiet, --verbose) */
    MDM_OPTION_INT,       /* int in minimum..maximum */
    MDM_OPTION_SEED,      /* uint64_t */
    MDM_OPTION_NUMBER,    /* double in minimum..maximum */
    MDM_OPTION_SECONDS,   /* double: 90, 1:30, 20m, 1h2m3.5s */
    MDM_OPTION_CHOICE,    /* enum: position in `values` */
    MDM_OPTION_NAME,      /* char[`maximum`], one of `values` where given; it may be empty where its default is */
    MDM_OPTION_TEXT,      /* char[`maximum`], anything */
    MDM_OPTION_CONTEXTS,  /* list of contexts that get the treatment `minimum` */
    MDM_OPTION_RECTANGLE, /* x,y,w,h; may be repeated */
    MDM_OPTION_PERSONS,   /* list of person ids */
    MDM_OPTION_PRESET     /* name of a preset: sets every context and channel */
} mdm_option_type;

/* What a change of an option makes stale: the stages that have to run again. */
enum {
    MDM_STALE_NONE = 0,
    MDM_STALE_INGEST = 1 << 0,
    MDM_STALE_FIND = 1 << 1,
    MDM_STALE_DESCRIBE = 1 << 2,
    MDM_STALE_TRANSCRIBE = 1 << 3,
    MDM_STALE_PLAN = 1 << 4,
    MDM_STALE_PORTRAIT = 1 << 5,
    MDM_STALE_ANIMATE = 1 << 6,
    MDM_STALE_COMPOSE = 1 << 7,
    MDM_STALE_VERIFY = 1 << 8,
    MDM_STALE_PACK = 1 << 9
};

typedef struct mdm_option {
    const char *name; /* "keep": --keep on the command line, keep: in YAML */
    char letter;      /* 'o' for -o, or 0 */
    mdm_option_type type;
    const char *values;   /* "blur|mosaic|fill|keep", or NULL */
    const char *fallback; /* the default, written as a user would */
    const char *argument; /* "LIST", for the help; NULL for flags */
    const char *section;  /* heading in the help and the web form */
    const char *help;     /* one sentence */
    size_t offset;        /* of the field in mdm_settings */
    int minimum, maximum; /* see mdm_option_type */
    unsigned stale;       /* MDM_STALE_* */
    mdm_option_use use;   /* of which commands; another row of the same name may be of the others */
} mdm_option;

typedef struct mdm_preset {
    const char *name, *help;
    const char *keep;    /* contexts, comma separated */
    const char *coarsen; /* the same */
} mdm_preset;

const mdm_option *mdm_option_table(int *count); /* the table; never freed */
const mdm_preset *mdm_presets(int *count);

/* Whether settings of this use take the option. */
bool mdm_option_is_for(const mdm_option *option, mdm_option_use use);

/* The option called `name` (without dashes; '_' counts as '-') of that use. Unknown: MDM_ERR_USAGE with the nearest name. */
mdm_status mdm_option_find(const mdm_option **out, mdm_option_use use, const char *name);

/* The name among `count` nearest to `wrong` by edit distance (Damerau-Levenshtein), or NULL if none is near. */
const char *mdm_nearest_name(const char *wrong, const char *const *names, int count);

void mdm_settings_defaults(mdm_settings *settings); /* of jobs */
void mdm_settings_defaults_for(mdm_settings *settings, mdm_option_use use);

/* Sets one option from text. Errors are MDM_ERR_USAGE and name the option, the value and what was expected. */
mdm_status mdm_option_set(mdm_settings *settings, const mdm_option *option, const char *value);

/* Writes the present value as text that mdm_option_set understands ("" for an empty list). */
mdm_status mdm_option_print(mdm_buffer *out, const mdm_settings *settings, const mdm_option *option);

/* Reads options of `use` from a command line: defaults, then --config FILE, then --preset, then the rest in order. What is not
 * an option is put into positional[] (borrowed from argv, room for argc); "--" ends options. A context named with two
 * different treatments is refused. */
mdm_status mdm_settings_parse(mdm_settings *settings, mdm_option_use use, const char **positional,
                              int *positional_count, int argc, char *const *argv);

/* YAML: one mapping of names of options that the settings take to values; errors are MDM_ERR_CONFIG "FILE:LINE: ...". */
mdm_status mdm_settings_load(mdm_settings *settings, const char *path);
mdm_status mdm_settings_load_text(mdm_settings *settings, const void *text, size_t size, const char *where);

/* Settles what follows from other settings (no kept speech: no sound). Refuses contradictions. Call once, last. */
mdm_status mdm_settings_finish(mdm_settings *settings);

/* SHA-256 (hexadecimal) of all options that make any stage in `stale` out of date. */
mdm_status mdm_settings_key(char out[65], const mdm_settings *settings, unsigned stale);

/* The option list for --help, and docs/options.md, which has all. */
mdm_status mdm_options_help(mdm_buffer *out, mdm_option_use use);
mdm_status mdm_options_markdown(mdm_buffer *out);

#endif
