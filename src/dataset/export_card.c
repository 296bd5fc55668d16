/* The dataset's card with other configurations (export_card.h). */
#include "dataset/export_card.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"

/* The end of a YAML block: the first line that is neither indented nor an item. */
static const char *block_end(const char *at)
{
    while (*at == ' ' || *at == '-') {
        if (strncmp(at, "---", 3) == 0)
            return at;
        const char *line = strchr(at, '\n');
        at = line ? line + 1 : at + strlen(at);
    }
    return at;
}

mdm_status mdm_export_card(const mdm_export *e, const char *configs)
{
    static const char key[] = "\nconfigs:\n";
    char *path;
    unsigned char *text = NULL;
    size_t size;
    mdm_buffer out = {0};
    MDM_TRY(mdm_join_path(&path, e->dataset, "README.md"));
    mdm_status status = mdm_file_exists(path) ? mdm_file_read(&text, &size, path, (size_t)4 << 20) : MDM_OK;
    mdm_free(&path);
    const char *card = (const char *)text, *at = card ? strstr(card, key) : NULL;
    if (status == MDM_OK && at) {
        at += sizeof key - 1;
        status = mdm_buffer_append(&out, card, (size_t)(at - card));
        if (status == MDM_OK)
            status = mdm_buffer_printf(&out, "%s", configs);
        at = block_end(at);
        if (status == MDM_OK)
            status = mdm_buffer_append(&out, at, strlen(at));
    } else if (status == MDM_OK) {
        status = mdm_buffer_printf(&out, "---\nconfigs:\n%s---\n\n# %s\n", configs, e->title);
    }
    if (status == MDM_OK)
        status = mdm_export_text(e, "README.md", (const char *)out.data);
    mdm_buffer_free(&out);
    mdm_free(&text);
    return status;
}
