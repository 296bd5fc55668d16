/* The options table as text: --help and docs/options.md. */
#include <stdio.h>
#include <string.h>

#include "base/options.h"

enum { COLUMN = 26, WIDTH = 100 };

/* Appends `text` wrapped at WIDTH, continuation lines indented to COLUMN. `at` is the column it starts in. */
static mdm_status wrap(mdm_buffer *out, const char *text, int at)
{
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (at + word > WIDTH && at > COLUMN) {
            MDM_TRY(mdm_buffer_printf(out, "\n%*s", COLUMN, ""));
            at = COLUMN;
        }
        MDM_TRY(mdm_buffer_append(out, text, (size_t)word));
        at += word;
        text += word;
        while (*text == ' ')
            text++;
        if (*text) {
            MDM_TRY(mdm_buffer_append(out, " ", 1));
            at++;
        }
    }
    return mdm_buffer_append(out, "\n", 1);
}

static mdm_status help_line(mdm_buffer *out, const mdm_option *option)
{
    char left[64], text[512];
    int n = option->letter ? snprintf(left, sizeof left, "  -%c, --%s", option->letter, option->name)
                           : snprintf(left, sizeof left, "      --%s", option->name);
    if (option->argument)
        n += snprintf(left + n, sizeof left - (size_t)n, " %s", option->argument);
    MDM_TRY(mdm_buffer_printf(out, "%-*s ", COLUMN - 1, left));
    if (n >= COLUMN)
        MDM_TRY(mdm_buffer_printf(out, "\n%*s", COLUMN, ""));
    bool plain = !option->fallback || !option->fallback[0] || option->type == MDM_OPTION_FLAG;
    snprintf(text, sizeof text, "%s%s%s%s%s%s%s", option->help, option->values ? " One of " : "",
             option->values ? option->values : "", option->values ? "." : "", plain ? "" : " [",
             plain ? "" : option->fallback, plain ? "" : "]");
    return wrap(out, text, COLUMN);
}

mdm_status mdm_options_help(mdm_buffer *out, mdm_option_use use)
{
    int count;
    const mdm_option *table = mdm_option_table(&count);
    const char *section = "";
    for (int i = 0; i < count; i++) {
        if (!mdm_option_is_for(&table[i], use))
            continue;
        if (strcmp(table[i].section, section) != 0)
            MDM_TRY(mdm_buffer_printf(out, "\n%s:\n", table[i].section));
        section = table[i].section;
        MDM_TRY(help_line(out, &table[i]));
        if (table[i].type != MDM_OPTION_PRESET)
            continue;
        int presets;
        const mdm_preset *preset = mdm_presets(&presets);
        for (int p = 0; p < presets; p++) {
            char text[256];
            MDM_TRY(mdm_buffer_printf(out, "%*s", COLUMN, ""));
            snprintf(text, sizeof text, "%s: %s", preset[p].name, preset[p].help);
            MDM_TRY(wrap(out, text, COLUMN));
        }
    }
    return MDM_OK;
}

/* Table cells cannot hold a bar. */
static mdm_status values_cell(mdm_buffer *out, const char *values)
{
    for (const char *at = values; at && *at;) {
        size_t length = strcspn(at, "|");
        MDM_TRY(mdm_buffer_printf(out, "%s`%.*s`", at == values ? "" : ", ", (int)length, at));
        at += length;
        at += *at == '|';
    }
    return MDM_OK;
}

mdm_status mdm_options_markdown(mdm_buffer *out)
{
    int count;
    const mdm_option *table = mdm_option_table(&count);
    const char *section = "";
    MDM_TRY(mdm_buffer_printf(out,
                              "# Options\n\nWritten by `mmdm options --markdown` from the one options table "
                              "(`src/base/options_table.c`).\nThe same names work on the command line (`--name value`) "
                              "and in a YAML file given with `--config`\n(`name: value`).\n"));
    for (int i = 0; i < count; i++) {
        if (strcmp(table[i].section, section) != 0)
            MDM_TRY(mdm_buffer_printf(
                out, "\n## %s\n\n| option | values | default | what it does |\n|---|---|---|---|\n", table[i].section));
        section = table[i].section;
        MDM_TRY(mdm_buffer_printf(out, "| `--%s`", table[i].name));
        if (table[i].letter)
            MDM_TRY(mdm_buffer_printf(out, ", `-%c`", table[i].letter));
        MDM_TRY(mdm_buffer_printf(out, " | "));
        if (table[i].values)
            MDM_TRY(values_cell(out, table[i].values));
        else if (table[i].argument)
            MDM_TRY(mdm_buffer_printf(out, "%s", table[i].argument));
        MDM_TRY(mdm_buffer_printf(out, " | "));
        if (table[i].fallback && table[i].fallback[0])
            MDM_TRY(mdm_buffer_printf(out, "`%s`", table[i].fallback));
        MDM_TRY(mdm_buffer_printf(out, " | %s |\n", table[i].help));
    }
    int presets;
    const mdm_preset *preset = mdm_presets(&presets);
    MDM_TRY(mdm_buffer_printf(out, "\n## Presets\n\n| preset | for | keeps | coarsens |\n|---|---|---|---|\n"));
    for (int p = 0; p < presets; p++)
        MDM_TRY(mdm_buffer_printf(out, "| `%s` | %s | %s | %s |\n", preset[p].name, preset[p].help,
                                  preset[p].keep[0] ? preset[p].keep : "nothing",
                                  preset[p].coarsen[0] ? preset[p].coarsen : "nothing"));
    return MDM_OK;
}
