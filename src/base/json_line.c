/* Finding the line of a value in JSON text, so that an error about its meaning can name it (declared in base/json.h). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* Walks text that jansson has already accepted: only structure matters here. */
typedef struct walker {
    const char *at, *end;
    int line;
} walker;

static void skip_blank(walker *w)
{
    while (w->at < w->end && isspace((unsigned char)*w->at)) {
        w->line += *w->at == '\n';
        w->at++;
    }
}

/* At an opening quote; ends after the closing one. Gives the raw span between. */
static void read_string(walker *w, const char **start, size_t *length)
{
    *start = ++w->at;
    while (w->at < w->end && *w->at != '"')
        w->at += *w->at == '\\' && w->at + 1 < w->end ? 2 : 1;
    *length = (size_t)(w->at - *start);
    if (w->at < w->end)
        w->at++;
}

/* Passes over one value of any kind: brackets are counted, strings are respected. */
static void skip_value(walker *w)
{
    int depth = 0;
    const char *start;
    size_t length;
    skip_blank(w);
    while (w->at < w->end) {
        char c = *w->at;
        if (c == '"') {
            read_string(w, &start, &length);
        } else if (c == '{' || c == '[') {
            depth++;
            w->at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return;
            depth--;
            w->at++;
        } else if (c == ',' && depth == 0) {
            return;
        } else {
            w->line += c == '\n';
            w->at++;
            continue;
        }
        if (depth == 0)
            return;
    }
}

/* Goes to the member `name` (or item number `name`) of the value at the walker; false when it is not there. */
static bool enter(walker *w, const char *name, size_t name_length)
{
    skip_blank(w);
    if (w->at >= w->end || (*w->at != '{' && *w->at != '['))
        return false;
    bool object = *w->at++ == '{';
    long wanted = object ? -1 : strtol(name, NULL, 10);
    for (long item = 0;; item++) {
        bool found = !object && item == wanted;
        skip_blank(w);
        if (w->at >= w->end || *w->at == '}' || *w->at == ']')
            return false;
        if (object) {
            const char *key;
            size_t length;
            if (*w->at != '"')
                return false;
            int line = w->line;
            read_string(w, &key, &length);
            found = length == name_length && memcmp(key, name, length) == 0;
            skip_blank(w);
            if (w->at < w->end && *w->at == ':')
                w->at++;
            if (found) {
                skip_blank(w);
                if (w->line != line) /* the key's line is the one to look at */
                    w->line = line;
            }
        }
        if (found) {
            skip_blank(w);
            return true;
        }
        skip_value(w);
        skip_blank(w);
        if (w->at < w->end && *w->at == ',')
            w->at++;
    }
}

int mdm_json_line(const char *text, size_t size, const char *path)
{
    walker w = {text, text + size, 1};
    skip_blank(&w);
    int line = w.line;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (!enter(&w, path, length))
            break; /* the nearest enclosing value has to do */
        line = w.line;
        path += length;
        path += *path == '/';
    }
    return line;
}
