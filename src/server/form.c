/* What the form on the page is made of: the options table, contexts, presets and stages; and the command that does the same as a filled
 * form. */
#include <string.h>

#include "server/web.h"

/* Options that the page decides by itself. */
static bool is_offered(const mdm_option_info *option)
{
    static const char *const own[] = {"output", "force", "dry-run", "keep-work"};
    if (!option->for_jobs || option->for_drawing)
        return false;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(option->name, own[i]) == 0)
            return false;
    return true;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static json_t *offered_options(void)
{
    json_t *list = json_array();
    mdm_option_info o;
    for (int i = 0; mdm_option_at(&o, i); i++)
        if (is_offered(&o))
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", o.name, "kind", o.kind,
                                            "values", or_empty(o.values), "fallback", or_empty(o.fallback), "argument",
                                            or_empty(o.argument), "section", o.section, "help", o.help));
    return list;
}

static json_t *values_of(const mdm_context_info *context)
{
    json_t *list = json_array();
    for (int i = 0; i < context->count; i++)
        json_array_append_new(list, json_string(context->values[i]));
    return list;
}

web_result web_form(web_request *request)
{
    json_t *contexts = json_array(), *presets = json_array(), *stages = json_array();
    mdm_context_info context;
    mdm_preset_info preset;
    mdm_stage_info stage;
    const char *format, *what;
    json_t *formats = json_array();
    for (int i = 0; mdm_context_at(&context, i); i++)
        json_array_append_new(contexts, json_pack("{s:s, s:b, s:o}", "name", context.name, "coarse", context.coarse,
                                                  "values", values_of(&context)));
    for (int i = 0; mdm_preset_at(&preset, i); i++)
        json_array_append_new(presets, json_pack("{s:s, s:s, s:s, s:s}", "name", preset.name, "help", preset.help,
                                                 "keep", preset.keep, "coarsen", preset.coarsen));
    for (int i = 0; mdm_stage_info_at(&stage, i); i++)
        json_array_append_new(stages, json_pack("{s:s, s:f}", "name", stage.name, "weight", stage.weight));
    for (int i = 0; mdm_export_format_at(&format, &what, i); i++)
        json_array_append_new(formats, json_pack("{s:s, s:s}", "name", format, "what", what));
    return web_json(request, 200,
                    json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "version", mdm_version(), "options", offered_options(),
                              "contexts", contexts, "presets", presets, "stages", stages, "formats", formats));
}

static mdm_status find_offered(mdm_option_info *out, const char *name)
{
    for (int i = 0; mdm_option_at(out, i); i++)
        if (is_offered(out) && strcmp(out->name, name) == 0)
            return MDM_OK;
    return mdm_fail(MDM_ERR_USAGE, "there is no option '%.40s' here", name);
}

mdm_status web_options(mdm_options **out, const json_t *values)
{
    const char *name;
    json_t *value;
    MDM_TRY(mdm_options_new(out));
    mdm_status status = MDM_OK;
    json_object_foreach((json_t *)values, name, value)
    {
        mdm_option_info option;
        const size_t count = json_is_array(value) ? json_array_size(value) : 1;
        if (status == MDM_OK)
            status = find_offered(&option, name);
        for (size_t i = 0; i < count && status == MDM_OK; i++) {
            const char *text = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
            status = text ? mdm_options_set(*out, name, text) : mdm_fail(MDM_ERR_USAGE, "%s: a text is expected", name);
        }
        if (status != MDM_OK)
            break;
    }
    if (status != MDM_OK)
        mdm_options_free(out);
    return status;
}

/* ---- the same as a command ------------------------------------------------------------------------------------------- */

typedef struct word_list {
    char **words;
    size_t count;
} word_list;

static mdm_status add_word(word_list *list, const char *format, const char *a, const char *b)
{
    MDM_TRY(mdm_realloc(&list->words, list->count + 2, sizeof *list->words, "words"));
    list->words[list->count] = list->words[list->count + 1] = NULL;
    MDM_TRY(b ? mdm_format(&list->words[list->count], "%s%s=%s", format, a, b)
              : mdm_format(&list->words[list->count], "%s%s", format, a));
    list->count++;
    return MDM_OK;
}

static mdm_status add_option(word_list *list, const char *name, const json_t *value)
{
    mdm_option_info option;
    const size_t count = json_is_array(value) ? json_array_size(value) : 1;
    MDM_TRY(find_offered(&option, name));
    for (size_t i = 0; i < count; i++) {
        const char *text = or_empty(json_string_value(json_is_array(value) ? json_array_get(value, i) : value));
        if (strcmp(option.kind, "flag") == 0)
            MDM_TRY(strcmp(text, "true") == 0 ? add_word(list, "--", name, NULL) : MDM_OK);
        else if (*text)
            MDM_TRY(add_word(list, "--", name, text));
    }
    return MDM_OK;
}

mdm_status web_words(char ***out, const json_t *values, const char *output, const char *const *inputs, size_t count)
{
    word_list list = {0};
    const char *name;
    json_t *value;
    mdm_status status = add_word(&list, "", "run", NULL);
    if (status == MDM_OK && json_object_get(values, "preset")) /* the lists change what it sets */
        status = add_option(&list, "preset", json_object_get(values, "preset"));
    json_object_foreach((json_t *)values, name, value)
    {
        if (status == MDM_OK && strcmp(name, "preset") != 0)
            status = add_option(&list, name, value);
    }
    if (status == MDM_OK)
        status = add_word(&list, "", "-o", NULL);
    if (status == MDM_OK)
        status = add_word(&list, "", output, NULL);
    if (status == MDM_OK)
        status = add_word(&list, "", "--", NULL);
    for (size_t i = 0; i < count && status == MDM_OK; i++)
        status = add_word(&list, "", inputs[i], NULL);
    *out = list.words;
    if (status != MDM_OK)
        web_words_free(out);
    return status;
}

void web_words_free(char ***words)
{
    for (char **word = *words; word && *word; word++)
        mdm_free(word);
    mdm_free(words);
}

/* As a shell takes it. */
static mdm_status append_quoted(mdm_buffer *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=+@%";
    if (*word && !word[strspn(word, plain)])
        return mdm_buffer_printf(out, " %s", word);
    MDM_TRY(mdm_buffer_printf(out, " '"));
    for (; *word; word++)
        MDM_TRY(*word == '\'' ? mdm_buffer_printf(out, "'\\''") : mdm_buffer_append(out, word, 1));
    return mdm_buffer_printf(out, "'");
}

static mdm_status append_command(mdm_buffer *out, const json_t *values, const char *const *inputs, size_t count)
{
    char **words;
    MDM_TRY(web_words(&words, values, "OUT", inputs, count));
    mdm_status status = mdm_buffer_printf(out, "mmdm");
    for (char **word = words; *word && status == MDM_OK; word++)
        if (strcmp(*word, "--") != 0)
            status = append_quoted(out, *word);
    web_words_free(&words);
    return status;
}

web_result web_command(web_request *request)
{
    enum { MOST = 64 };
    const json_t *values = json_object_get(request->json, "options"), *names = json_object_get(request->json, "inputs");
    const char *inputs[MOST];
    size_t count = 0;
    mdm_options *options = NULL;
    mdm_buffer text = {.max = 65536};
    if (!json_is_object(values))
        return web_fail(request, 400, "The options are missing.");
    for (size_t i = 0; i < json_array_size(names) && count < MOST; i++)
        if (json_is_string(json_array_get(names, i)))
            inputs[count++] = json_string_value(json_array_get(names, i));
    mdm_status status = web_options(&options, values);
    if (status == MDM_OK)
        status = append_command(&text, values, inputs, count);
    mdm_options_free(&options);
    web_result result = status == MDM_OK
                            ? web_json(request, 200, json_pack("{s:s}", "command", (const char *)text.data))
                            : web_status(request, status);
    mdm_buffer_free(&text);
    return result;
}
