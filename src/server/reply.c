/* Replies, and the headers that all of them have. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/web.h"

static const char *const headers[][2] = {
    {"Content-Security-Policy", "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Cache-Control", "no-store"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
};

const char *web_header(const web_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *web_query(const web_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

web_result web_send(web_request *request, int code, struct MHD_Response *response)
{
    if (!response)
        return MHD_NO;
    /* A page with rules of its own (the report) has set them. */
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (!MHD_get_response_header(response, headers[i][0]))
            MHD_add_response_header(response, headers[i][0], headers[i][1]);
    request->replied = true;
    request->code = code;
    web_result result = MHD_queue_response(request->connection, (unsigned)code, response);
    MHD_destroy_response(response);
    return result;
}

web_result web_bytes(web_request *request, int code, const char *type, const void *data, size_t size)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(size, (void *)data, MHD_RESPMEM_MUST_COPY);
    if (response)
        MHD_add_response_header(response, "Content-Type", type);
    return web_send(request, code, response);
}

web_result web_json(web_request *request, int code, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(value);
    if (!text)
        return web_fail(request, 500, "The answer could not be put into words.");
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response)
        MHD_add_response_header(response, "Content-Type", "application/json");
    else
        free(text);
    return web_send(request, code, response);
}

web_result web_fail(web_request *request, int code, const char *format, ...)
{
    char text[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_t *value = json_pack("{s:s}", "problem", text);
    if (!value) /* a name that is not UTF-8 */
        value = json_pack("{s:s}", "problem", "That did not work; the reason cannot be shown here.");
    return value ? web_json(request, code, value) : MHD_NO;
}

web_result web_status(web_request *request, mdm_status status)
{
    static const struct {
        mdm_status status;
        int code;
    } codes[] = {
        {MDM_ERR_USAGE, 422}, {MDM_ERR_CONFIG, 422}, {MDM_ERR_INPUT, 404}, {MDM_ERR_AGAIN, 409}, {MDM_ERR_WRITE, 507},
    };
    int code = 500;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].status == status)
            code = codes[i].code;
    return web_fail(request, code, "%s", mdm_last_error());
}
