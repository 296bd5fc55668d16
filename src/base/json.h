/* Small helpers over jansson: capped loading with file and line in errors, atomic saving, typed getters. */
#ifndef MDM_BASE_JSON_H
#define MDM_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Parses a file of at most `max` bytes (0: 64 MiB), depth-limited. Caller json_decref's *out. */
mdm_status mdm_json_load(json_t **out, const char *path, size_t max);
/* The same of text in memory, which comes from `where`. */
mdm_status mdm_json_parse(json_t **out, const char *text, size_t size, const char *where);
/* The same of FOLDER/NAME. */
mdm_status mdm_json_load_from(json_t **out, const char *folder, const char *name, size_t max);
/* The same, NULL in *out where there is no such file. */
mdm_status mdm_json_load_if_there(json_t **out, const char *folder, const char *name, size_t max);
/* Pretty, sorted keys, final newline, atomic. */
mdm_status mdm_json_save(const json_t *value, const char *path);

/* Line (from 1) of the value at `path` ("persons/2/standin/age") in valid JSON text, or of the nearest value around it
 * that exists. For errors about meaning, which the parser cannot give a line. */
int mdm_json_line(const char *text, size_t size, const char *path);

/* Getters: a missing key or a wrong type is MDM_ERR_INPUT naming `where` and the key. */
mdm_status mdm_json_string(const char **out, const json_t *object, const char *key, const char *where);
mdm_status mdm_json_number(double *out, const json_t *object, const char *key, const char *where);
mdm_status mdm_json_int(long long *out, const json_t *object, const char *key, long long min, long long max,
                        const char *where);
mdm_status mdm_json_array(json_t **out, const json_t *object, const char *key, const char *where);  /* borrowed */
mdm_status mdm_json_object(json_t **out, const json_t *object, const char *key, const char *where); /* borrowed */

/* A number rounded to `digits` after the point; null when it is not finite. */
json_t *mdm_json_rounded(double value, int digits);

#endif
