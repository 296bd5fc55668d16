/* The page's own files, which are part of the program. */
#include <string.h>

#include "base/embedded.h"
#include "server/web.h"

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".svg", "image/svg+xml"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

bool web_asset_handle(web_result *out, web_request *request)
{
    const char *name = strcmp(request->url, "/") == 0 ? "index.html" : request->url + 1;
    if (strcmp(request->method, "GET") != 0)
        return false;
    for (const mdm_embedded *file = mdm_web_files; file->name; file++) {
        if (strcmp(file->name, name) != 0)
            continue;
        *out = web_bytes(request, 200, type_of(name), file->data, file->size);
        return true;
    }
    return false;
}
