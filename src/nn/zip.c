/* The table of a ZIP file (PKWARE's APPNOTE 6.3): the end record, perhaps its 64-bit twin, and the central directory. */
#include "nn/zip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MAX_MEMBERS 1000000u
#define MAX_NAME    1024u

enum { END = 22, END_64 = 56, LOCATOR = 20, ENTRY = 46, LOCAL = 30 }; /* bytes of the records */

static uint64_t number(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

bool mdm_is_zip(const unsigned char *data, size_t size)
{
    return size >= 4 && !memcmp(data, "PK\3\4", 4);
}

typedef struct directory {
    uint64_t count, offset;
} directory;

/* The end record is the last thing but a comment. */
static mdm_status find_directory(directory *out, const unsigned char *data, size_t size, const char *path)
{
    const size_t reach = END + 65535;
    for (size_t back = END; back <= size && back <= reach; back++) {
        const unsigned char *p = data + size - back;
        if (memcmp(p, "PK\5\6", 4) != 0)
            continue;
        *out = (directory){number(p + 10, 2), number(p + 16, 4)};
        if ((out->count != 0xffff && out->offset != 0xffffffff) || back + LOCATOR > size ||
            memcmp(p - LOCATOR, "PK\6\7", 4) != 0)
            return MDM_OK;
        uint64_t at = number(p - LOCATOR + 8, 8);
        if (at > size || size - at < END_64 || memcmp(data + at, "PK\6\6", 4) != 0)
            return mdm_fail(MDM_ERR_INPUT, "%s: its 64-bit end record is not where the file says", path);
        *out = (directory){number(data + at + 32, 8), number(data + at + 48, 8)};
        return MDM_OK;
    }
    return mdm_fail(MDM_ERR_INPUT, "%s: a ZIP file without an end record: cut off? Get it again", path);
}

/* Sizes and offset of an entry, 64-bit ones from its extra field. */
typedef struct place {
    uint64_t stored, size, offset;
} place;

static void read_place(place *out, const unsigned char *entry, const unsigned char *extra, size_t extra_size)
{
    *out = (place){number(entry + 20, 4), number(entry + 24, 4), number(entry + 42, 4)};
    uint64_t *wide[3] = {&out->size, &out->stored, &out->offset}; /* in the order of the extra field */
    for (size_t at = 0; extra_size - at >= 4;) {
        size_t length = (size_t)number(extra + at + 2, 2);
        if (length > extra_size - at - 4)
            return;
        const unsigned char *p = extra + at + 4, *end = p + length;
        for (int i = 0; i < 3 && number(extra + at, 2) == 1; i++)
            if (*wide[i] == 0xffffffff && end - p >= 8) {
                *wide[i] = number(p, 8);
                p += 8;
            }
        at += 4 + length;
    }
}

static mdm_status read_entry(mdm_zip *zip, const unsigned char *data, size_t size, uint64_t *at, const char *path)
{
    if (*at > size || size - *at < ENTRY || memcmp(data + *at, "PK\1\2", 4) != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: entry %zu of its directory is not where the file says", path, zip->count);
    const unsigned char *entry = data + *at;
    const size_t name = (size_t)number(entry + 28, 2), extra = (size_t)number(entry + 30, 2),
                 comment = (size_t)number(entry + 32, 2);
    if (size - *at - ENTRY < name + extra + comment || !name || name > MAX_NAME || memchr(entry + ENTRY, 0, name))
        return mdm_fail(MDM_ERR_INPUT, "%s: entry %zu of its directory has a name of %zu bytes", path, zip->count,
                        name);
    place where;
    read_place(&where, entry, entry + ENTRY + name, extra);
    if (number(entry + 10, 2) != 0 || number(entry + 8, 2) & 1 || where.stored != where.size)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%.*s\" is compressed or encrypted; checkpoints are not", path, (int)name,
                        entry + ENTRY);
    if (where.offset > size || size - where.offset < LOCAL || memcmp(data + where.offset, "PK\3\4", 4) != 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%.*s\" is not where the directory says", path, (int)name, entry + ENTRY);
    const unsigned char *local = data + where.offset;
    const size_t head = LOCAL + (size_t)number(local + 26, 2) + (size_t)number(local + 28, 2);
    if (head > size - where.offset || where.size > size - where.offset - head)
        return mdm_fail(MDM_ERR_INPUT, "%s: \"%.*s\" does not fit into the file: cut off? Get it again", path,
                        (int)name, entry + ENTRY);
    mdm_zip_member *member = &zip->member[zip->count];
    *member = (mdm_zip_member){.data = local + head, .size = (size_t)where.size};
    MDM_TRY(mdm_format(&member->name, "%.*s", (int)name, entry + ENTRY));
    zip->count++;
    *at += ENTRY + name + extra + comment;
    return MDM_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdm_zip_member *)a)->name, ((const mdm_zip_member *)b)->name);
}

static int by_place(const void *a, const void *b)
{
    const unsigned char *x = ((const mdm_zip_member *)a)->data, *y = ((const mdm_zip_member *)b)->data;
    return (x > y) - (x < y);
}

mdm_status mdm_zip_sort(mdm_zip *zip, const char *path)
{
    mdm_zip_member *m = zip->member;
    if (zip->count)
        qsort(m, zip->count, sizeof *m, by_place);
    for (size_t i = 1; i < zip->count; i++)
        if (m[i].data < m[i - 1].data + m[i - 1].size)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" and \"%s\" overlap", path, m[i - 1].name, m[i].name);
    if (zip->count)
        qsort(m, zip->count, sizeof *m, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (!by_name(&m[i], &m[i - 1]))
            return mdm_fail(MDM_ERR_INPUT, "%s: two members are called \"%s\"", path, m[i].name);
    return MDM_OK;
}

mdm_status mdm_zip_read(mdm_zip *out, const unsigned char *data, size_t size, const char *path)
{
    directory d = {0};
    memset(out, 0, sizeof *out);
    MDM_TRY(find_directory(&d, data, size, path));
    if (d.count > MAX_MEMBERS || d.count > size / ENTRY)
        return mdm_fail(MDM_ERR_INPUT, "%s: a directory of %llu members in %zu bytes", path,
                        (unsigned long long)d.count, size);
    MDM_TRY(mdm_alloc(&out->member, (size_t)d.count, sizeof *out->member, "members of a ZIP file"));
    uint64_t at = d.offset;
    for (uint64_t i = 0; i < d.count; i++)
        MDM_TRY(read_entry(out, data, size, &at, path));
    return mdm_zip_sort(out, path);
}

void mdm_zip_free(mdm_zip *zip)
{
    for (size_t i = 0; i < zip->count; i++)
        mdm_free(&zip->member[i].name);
    mdm_free(&zip->member);
    zip->count = 0;
}

const mdm_zip_member *mdm_zip_find(const mdm_zip *zip, const char *name)
{
    mdm_zip_member key = {.name = (char *)(uintptr_t)name};
    return zip->count ? bsearch(&key, zip->member, zip->count, sizeof key, by_name) : NULL;
}
