/* Small pieces of self-contained HTML pages: escaped text, JSON values in words, pictures as data URIs, the style. */
#include "dataset/html.h"

#include <stdio.h>

#include "base/file.h"

#define MAX_PICTURE ((size_t)4 << 20)

static const char style[] =
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:58rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.7rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid #ddd}"
    "h3{font-size:1rem;margin:1.4rem 0 .3rem}table{border-collapse:collapse;font-size:.92rem}"
    "td,th{padding:.2rem .7rem;border-bottom:1px solid #e5e5e5;text-align:left;vertical-align:top}"
    ".tiles{display:flex;flex-wrap:wrap;gap:.8rem}.tile{background:#f3f5f7;border-radius:.5rem;padding:.7rem 1rem}"
    ".tile "
    "b{display:block;font-size:1.5rem}.note{color:#666;font-size:.9rem}img{height:150px;margin:.2rem;border-radius:."
    "3rem}"
    ".bad{color:#a40000}</style>";

mdm_status mdm_html_head(mdm_buffer *out, const char *title)
{
    MDM_TRY(mdm_buffer_printf(out, "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
                                   "content=\"width=device-width\"><title>"));
    MDM_TRY(mdm_html_text(out, title));
    return mdm_buffer_printf(out, "</title>%s\n", style);
}

mdm_status mdm_html_text(mdm_buffer *out, const char *text)
{
    for (const char *c = text ? text : ""; *c; c++) {
        switch (*c) {
        case '<':
            MDM_TRY(mdm_buffer_printf(out, "&lt;"));
            break;
        case '>':
            MDM_TRY(mdm_buffer_printf(out, "&gt;"));
            break;
        case '&':
            MDM_TRY(mdm_buffer_printf(out, "&amp;"));
            break;
        case '"':
            MDM_TRY(mdm_buffer_printf(out, "&quot;"));
            break;
        default:
            MDM_TRY(mdm_buffer_append(out, c, 1));
        }
    }
    return MDM_OK;
}

/* A JSON value as a reader would write it: two decimals, words for true and false, a dash for nothing. */
mdm_status mdm_html_value(mdm_buffer *out, const json_t *value)
{
    if (json_is_string(value))
        return mdm_html_text(out, json_string_value(value));
    if (json_is_integer(value))
        return mdm_buffer_printf(out, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return mdm_buffer_printf(out, "%.3g", json_real_value(value));
    if (json_is_boolean(value))
        return mdm_buffer_printf(out, json_is_true(value) ? "yes" : "no");
    if (json_is_object(value)) {
        const char *key, *comma = "";
        json_t *inner;
        json_object_foreach((json_t *)value, key, inner)
        {
            MDM_TRY(mdm_buffer_printf(out, "%s", comma));
            MDM_TRY(mdm_html_text(out, key));
            MDM_TRY(mdm_buffer_printf(out, " "));
            MDM_TRY(mdm_html_value(out, inner));
            comma = ", ";
        }
        return MDM_OK;
    }
    return mdm_buffer_printf(out, "&ndash;");
}

static mdm_status base64(mdm_buffer *out, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        unsigned triple = (unsigned)data[i] << 16 | (i + 1 < size ? (unsigned)data[i + 1] << 8 : 0) |
                          (i + 2 < size ? (unsigned)data[i + 2] : 0);
        char four[4] = {digits[triple >> 18], digits[triple >> 12 & 63], i + 1 < size ? digits[triple >> 6 & 63] : '=',
                        i + 2 < size ? digits[triple & 63] : '='};
        MDM_TRY(mdm_buffer_append(out, four, 4));
    }
    return MDM_OK;
}

mdm_status mdm_html_picture(mdm_buffer *out, const char *path)
{
    unsigned char *data;
    size_t size;
    MDM_TRY(mdm_file_read(&data, &size, path, MAX_PICTURE));
    mdm_status status = mdm_buffer_printf(out, "<img alt=\"frame of the result\" src=\"data:image/jpeg;base64,");
    if (status == MDM_OK)
        status = base64(out, data, size);
    if (status == MDM_OK)
        status = mdm_buffer_printf(out, "\">");
    mdm_free(&data);
    return status;
}
