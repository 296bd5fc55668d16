/* The name lists as one open-addressing table of small-letter words. */
#include "models/name_lists.h"

#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

enum { MAX_WORD = 40, MAX_FILE = 8 << 20, FIRST_SLOTS = 1 << 18 };

typedef struct slot {
    uint32_t text; /* offset into `pool`, 0 = empty */
    uint32_t flags;
} slot;

struct mdm_name_lists {
    slot *slots;
    size_t slot_count, used; /* slot_count is a power of two */
    mdm_buffer pool;
};

static const struct {
    const char *file;
    unsigned flags;
} FILES[] = {
    {"first-names-female.txt", MDM_NAME_FIRST}, {"first-names-male.txt", MDM_NAME_FIRST},
    {"well-known-names.json", MDM_NAME_KNOWN},  {"proper-names.txt", MDM_NAME_PROPER},
    {"common-words.txt", MDM_NAME_COMMON},
};

static uint32_t hash(const char *text)
{
    uint32_t value = 2166136261u; /* FNV-1a */
    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * 16777619u;
    return value;
}

static slot *find(const mdm_name_lists *lists, const char *word)
{
    size_t at = hash(word) & (lists->slot_count - 1);
    while (lists->slots[at].text && strcmp((const char *)lists->pool.data + lists->slots[at].text, word) != 0)
        at = (at + 1) & (lists->slot_count - 1);
    return &lists->slots[at];
}

/* Adds one word; words with an apostrophe ("Adam's") or over MAX_WORD bytes are left out. */
static mdm_status add(mdm_name_lists *lists, const char *text, size_t length, unsigned flags)
{
    char word[MAX_WORD + 1];
    if (length == 0 || length > MAX_WORD || memchr(text, '\'', length))
        return MDM_OK;
    /* A capital marks a proper name: it says nothing about common words. */
    if (flags == MDM_NAME_COMMON && text[0] >= 'A' && text[0] <= 'Z')
        return MDM_OK;
    for (size_t i = 0; i < length; i++)
        word[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
    word[length] = '\0';
    slot *place = find(lists, word);
    if (!place->text) {
        if (++lists->used > lists->slot_count / 4 * 3)
            return mdm_fail(MDM_ERR_INPUT, "name lists: more than %zu words", lists->used);
        place->text = (uint32_t)lists->pool.size;
        MDM_TRY(mdm_buffer_append(&lists->pool, word, length + 1));
    }
    place->flags |= flags;
    return MDM_OK;
}

static mdm_status add_lines(mdm_name_lists *lists, const char *path, unsigned flags)
{
    unsigned char *text = NULL;
    size_t size = 0;
    MDM_TRY(mdm_file_read(&text, &size, path, MAX_FILE));
    mdm_status status = MDM_OK;
    for (size_t at = 0; status == MDM_OK && at < size;) {
        const unsigned char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (text + at)) : size - at;
        size_t trimmed = length && text[at + length - 1] == '\r' ? length - 1 : length;
        status = add(lists, (const char *)text + at, trimmed, flags);
        at += length + 1;
    }
    mdm_free(&text);
    return status;
}

static mdm_status add_json(mdm_name_lists *lists, const char *path, unsigned flags)
{
    json_t *array = NULL;
    MDM_TRY(mdm_json_load(&array, path, MAX_FILE));
    mdm_status status = MDM_OK;
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *text = json_string_value(item);
        if (text && status == MDM_OK)
            status = add(lists, text, strlen(text), flags);
    }
    json_decref(array);
    return status;
}

static mdm_status load(mdm_name_lists *lists, const char *folder)
{
    lists->slot_count = FIRST_SLOTS;
    MDM_TRY(mdm_alloc(&lists->slots, lists->slot_count, sizeof *lists->slots, "name lists"));
    MDM_TRY(mdm_buffer_append(&lists->pool, "", 1)); /* offset 0 means empty */
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        char *path = NULL;
        MDM_TRY(mdm_join_path(&path, folder, FILES[i].file));
        mdm_status status = MDM_OK;
        if (!mdm_file_exists(path))
            status =
                mdm_fail(MDM_ERR_DEVICE, "%s: missing; spoken names cannot be found without it (run ./setup)", path);
        else if (strstr(FILES[i].file, ".json"))
            status = add_json(lists, path, FILES[i].flags);
        else
            status = add_lines(lists, path, FILES[i].flags);
        mdm_free(&path);
        MDM_TRY(status);
    }
    return MDM_OK;
}

mdm_status mdm_name_lists_load(mdm_name_lists **out, const char *models_folder)
{
    *out = NULL;
    mdm_name_lists *lists = NULL;
    MDM_TRY(mdm_alloc(&lists, 1, sizeof *lists, "name lists"));
    mdm_status status = load(lists, models_folder);
    if (status != MDM_OK)
        mdm_name_lists_free(&lists);
    *out = lists;
    return status;
}

void mdm_name_lists_free(mdm_name_lists **lists)
{
    if (!*lists)
        return;
    mdm_free(&(*lists)->slots);
    mdm_buffer_free(&(*lists)->pool);
    mdm_free(lists);
}

unsigned mdm_name_flags(const mdm_name_lists *lists, const char *lower)
{
    return lists && *lower ? find(lists, lower)->flags : 0;
}
