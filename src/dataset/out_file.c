/* Writing files piece by piece (out_file.h). */
#include "dataset/out_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static mdm_status cannot(const mdm_out *out)
{
    return mdm_fail(MDM_ERR_WRITE, "%s: cannot write: %s", out->path, strerror(errno));
}

mdm_status mdm_out_open(mdm_out *out, const char *path)
{
    memset(out, 0, sizeof *out);
    mdm_sha256_start(&out->hash);
    MDM_TRY(mdm_strdup(&out->path, path));
    MDM_TRY(mdm_temp_name(&out->temporary, path));
    out->file = fopen(out->temporary, "wb");
    return out->file ? MDM_OK : cannot(out);
}

mdm_status mdm_out_write(mdm_out *out, const void *data, size_t size)
{
    if (!size)
        return MDM_OK;
    if (fwrite(data, 1, size, out->file) != size)
        return cannot(out);
    mdm_sha256_add(&out->hash, data, size);
    out->bytes += size;
    return MDM_OK;
}

mdm_status mdm_out_printf(mdm_out *out, const char *format, ...)
{
    char text[2048];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (n < 0 || (size_t)n >= sizeof text)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: a line of %d bytes, at most %zu", out->path, n, sizeof text - 1);
    return mdm_out_write(out, text, (size_t)n);
}

mdm_status mdm_out_json(mdm_out *out, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(value);
    if (!text)
        return mdm_fail(MDM_ERR_MEMORY, "%s: a value cannot be written as JSON", out->path);
    mdm_status status = mdm_out_write(out, text, strlen(text));
    free(text);
    return status;
}

mdm_status mdm_out_file(mdm_out *out, const char *path)
{
    mdm_mapping map;
    MDM_TRY(mdm_map_file(&map, path));
    mdm_status status = mdm_out_write(out, map.data, map.size);
    mdm_unmap_file(&map);
    return status;
}

mdm_status mdm_out_close(mdm_out *out, mdm_status status)
{
    unsigned char digest[32];
    if (out->file && fclose(out->file) != 0 && status == MDM_OK)
        status = cannot(out);
    if (status == MDM_OK) {
        mdm_sha256_end(&out->hash, digest);
        mdm_sha256_text(out->sha256, digest);
        status = mdm_temp_commit(out->temporary, out->path);
    } else if (out->temporary) {
        mdm_temp_discard(out->temporary);
    }
    mdm_free(&out->temporary);
    mdm_free(&out->path);
    out->file = NULL;
    return status;
}
