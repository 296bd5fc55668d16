/* Small helpers over jansson: capped loading with file and line in errors, atomic saving, typed getters. */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define DEFAULT_MAX ((size_t)64 << 20)

mdm_status mdm_json_parse(json_t **out, const char *text, size_t size, const char *where)
{
    json_error_t error;
    /* jansson bounds nesting by itself (JSON_PARSER_MAX_DEPTH, 2048). */
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    return *out ? MDM_OK
                : mdm_fail(MDM_ERR_INPUT, "%s:%d:%d: not valid JSON: %s", where, error.line, error.column, error.text);
}

mdm_status mdm_json_load(json_t **out, const char *path, size_t max)
{
    unsigned char *data;
    size_t size;
    *out = NULL;
    MDM_TRY(mdm_file_read(&data, &size, path, max ? max : DEFAULT_MAX));
    const mdm_status status = mdm_json_parse(out, (const char *)data, size, path);
    mdm_free(&data);
    return status;
}

mdm_status mdm_json_load_from(json_t **out, const char *folder, const char *name, size_t max)
{
    char *path;
    *out = NULL;
    MDM_TRY(mdm_join_path(&path, folder, name));
    mdm_status status = mdm_json_load(out, path, max);
    mdm_free(&path);
    return status;
}

mdm_status mdm_json_load_if_there(json_t **out, const char *folder, const char *name, size_t max)
{
    *out = NULL;
    return mdm_file_exists_in(folder, name) ? mdm_json_load_from(out, folder, name, max) : MDM_OK;
}

mdm_status mdm_json_save(const json_t *value, const char *path)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    if (!text)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: the JSON value could not be written out", path);
    size_t size = strlen(text);
    text[size] = '\n'; /* in place of the NUL: the file ends with a new line */
    mdm_status status = mdm_file_write(path, text, size + 1);
    mdm_wipe(text, size + 1);
    free(text);
    return status;
}

/* Words for the type a getter found instead. */
static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",     [JSON_NULL] = "null",
    };
    return value ? names[json_typeof(value)] : "missing";
}

static mdm_status wrong(const json_t *value, const char *key, const char *expected, const char *where)
{
    return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is %s, expected %s", where, key, type_name(value), expected);
}

mdm_status mdm_json_string(const char **out, const json_t *object, const char *key, const char *where)
{
    const json_t *value = json_object_get(object, key);
    *out = json_string_value(value);
    return *out ? MDM_OK : wrong(value, key, "a string", where);
}

mdm_status mdm_json_number(double *out, const json_t *object, const char *key, const char *where)
{
    const json_t *value = json_object_get(object, key);
    *out = json_number_value(value);
    return json_is_number(value) ? MDM_OK : wrong(value, key, "a number", where);
}

mdm_status mdm_json_int(long long *out, const json_t *object, const char *key, long long min, long long max,
                        const char *where)
{
    const json_t *value = json_object_get(object, key);
    *out = 0;
    if (!json_is_integer(value))
        return wrong(value, key, "a whole number", where);
    long long number = (long long)json_integer_value(value);
    if (number < min || number > max)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" is %lld, expected %lld to %lld", where, key, number, min, max);
    *out = number;
    return MDM_OK;
}

mdm_status mdm_json_array(json_t **out, const json_t *object, const char *key, const char *where)
{
    json_t *value = json_object_get(object, key);
    *out = json_is_array(value) ? value : NULL;
    return *out ? MDM_OK : wrong(value, key, "an array", where);
}

mdm_status mdm_json_object(json_t **out, const json_t *object, const char *key, const char *where)
{
    json_t *value = json_object_get(object, key);
    *out = json_is_object(value) ? value : NULL;
    return *out ? MDM_OK : wrong(value, key, "an object", where);
}

json_t *mdm_json_rounded(double value, int digits)
{
    const double scale = pow(10, digits);
    return isfinite(value) ? json_real(round(value * scale) / scale) : json_null();
}
