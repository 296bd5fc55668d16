/* PyTorch's checkpoints from before 1.6 (and torch.save without its ZIP file since): pickles one after another, of a magic number, the
 * format's version, the machine, the object and the keys of its storages, then each storage as a count and its values. Source:
 * torch/serialization.py, _legacy_save. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/torch_internal.h"

#define VERSION 1001

/* 0x1950a86a20f9469cfc6c as a long of 10 bytes; before it are the pickle's protocol and perhaps a frame's size. */
static const unsigned char magic[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

bool mdm_is_torch_legacy(const unsigned char *data, size_t size)
{
    for (size_t at = 2; at <= 11 && size > at + sizeof magic && data[0] == 0x80; at += 9)
        if (!memcmp(data + at, magic, sizeof magic))
            return true;
    return false;
}

typedef struct stream {
    const unsigned char *data;
    size_t size, at;
    const char *path;
} stream;

/* A storage that the object names: `bytes` an element. */
typedef struct storage {
    const char *key;
    size_t bytes;
    int64_t elements;
} storage;

static mdm_status bad(const stream *s, const char *what)
{
    return mdm_fail(MDM_ERR_INPUT, "%s: byte %zu: %s; not a checkpoint that torch.save wrote", s->path, s->at, what);
}

/* The next pickle; the caller frees it, also after an error. */
static mdm_status next_pickle(mdm_pickle *out, stream *s)
{
    MDM_TRY(mdm_pickle_read(out, s->data + s->at, s->size - s->at, s->path));
    s->at += out->end;
    return MDM_OK;
}

static const mdm_pickle_value *root_of(const mdm_pickle *pickle)
{
    return &pickle->value[pickle->root];
}

static mdm_status read_head(stream *s)
{
    mdm_pickle pickle[3] = {{0}};
    mdm_status status = MDM_OK;
    for (int i = 0; i < 3 && !status; i++)
        status = next_pickle(&pickle[i], s);
    const mdm_pickle_value *version = status ? NULL : root_of(&pickle[1]),
                           *machine = status ? NULL : root_of(&pickle[2]);
    if (!status && (version->kind != MDM_PICKLE_INT || version->number != VERSION))
        status = bad(s, "another version of the format than 1001");
    if (!status && machine->kind != MDM_PICKLE_DICT)
        status = bad(s, "it does not say what machine wrote it");
    for (size_t i = 0; !status && i + 1 < machine->count; i += 2) {
        const mdm_pickle_value *key = mdm_pickle_item(&pickle[2], machine, i),
                               *value = mdm_pickle_item(&pickle[2], machine, i + 1);
        if (key->kind == MDM_PICKLE_TEXT && !strcmp(key->text, "little_endian") &&
            (value->kind != MDM_PICKLE_INT || value->number != 1))
            status = bad(s, "its numbers are big-endian, which are not known here");
    }
    for (int i = 0; i < 3; i++)
        mdm_pickle_free(&pickle[i]);
    return status;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const storage *)a)->key, ((const storage *)b)->key);
}

/* Every storage that the object names (mdm_free), sorted by key: ("storage", type, key, device, elements, None). */
static mdm_status list_storages(storage **out, size_t *count, const mdm_pickle *object, const stream *s)
{
    *count = 0;
    MDM_TRY(mdm_alloc(out, object->count + 1, sizeof **out, "storages"));
    for (size_t i = 0; i < object->count; i++) {
        if (object->value[i].kind != MDM_PICKLE_FOREIGN)
            continue;
        const mdm_pickle_value *id = mdm_pickle_item(object, &object->value[i], 0),
                               *type = mdm_pickle_item(object, id, 1), *key = mdm_pickle_item(object, id, 2),
                               *elements = mdm_pickle_item(object, id, 4), *view = mdm_pickle_item(object, id, 5);
        mdm_dtype dtype;
        if (!view || id->kind != MDM_PICKLE_LIST || type->kind != MDM_PICKLE_NAME || key->kind != MDM_PICKLE_TEXT ||
            elements->kind != MDM_PICKLE_INT || elements->number < 0)
            return bad(s, "something outside of the pickle that is no storage");
        if (view->kind != MDM_PICKLE_OTHER)
            return bad(s, "a storage that is a part of another, which only PyTorch before 0.4 wrote; save it again");
        if (!mdm_torch_dtype(&dtype, type->text))
            return bad(s, "a storage of a type that is not known");
        (*out)[(*count)++] = (storage){key->text, mdm_dtype_size(dtype), elements->number};
    }
    if (*count)
        qsort(*out, *count, sizeof **out, by_key);
    return MDM_OK;
}

/* One storage: its count, then its values; becomes a member "data/KEY". */
static mdm_status add_storage(mdm_zip *members, stream *s, const storage *named, const char *key)
{
    uint64_t elements = 0;
    size_t bytes = 0;
    if (!named)
        return bad(s, "a storage that no tensor has");
    if (s->size - s->at < 8)
        return bad(s, "the file ends before its storages do");
    for (int i = 8; i-- > 0;)
        elements = elements << 8 | s->data[s->at + (size_t)i];
    s->at += 8;
    if (elements != (uint64_t)named->elements)
        return bad(s, "a storage of another size than the tensors say");
    if (!mdm_mul_size(&bytes, (size_t)elements, named->bytes) || bytes > s->size - s->at)
        return bad(s, "the file ends before its storages do");
    mdm_zip_member *member = &members->member[members->count++];
    member->data = s->data + s->at;
    member->size = bytes;
    s->at += bytes;
    return mdm_format(&member->name, "data/%s", key);
}

static mdm_status read_storages(mdm_zip *members, stream *s, const mdm_pickle *keys, const storage *storages,
                                size_t count)
{
    const mdm_pickle_value *list = root_of(keys);
    if (list->kind != MDM_PICKLE_LIST)
        return bad(s, "no list of its storages");
    MDM_TRY(mdm_alloc(&members->member, list->count + 1, sizeof *members->member, "storages"));
    for (size_t i = 0; i < list->count; i++) {
        const mdm_pickle_value *key = mdm_pickle_item(keys, list, i);
        if (key->kind != MDM_PICKLE_TEXT)
            return bad(s, "no list of its storages");
        const storage wanted = {.key = key->text};
        MDM_TRY(add_storage(members, s, count ? bsearch(&wanted, storages, count, sizeof wanted, by_key) : NULL,
                            key->text));
    }
    return mdm_zip_sort(members, s->path);
}

mdm_status mdm_torch_legacy_read(mdm_zip *members, mdm_pickle *object, const unsigned char *data, size_t size,
                                 const char *path)
{
    stream s = {.data = data, .size = size, .path = path};
    mdm_pickle keys = {0};
    storage *storages = NULL;
    size_t count = 0;
    MDM_TRY(read_head(&s));
    MDM_TRY(next_pickle(object, &s));
    mdm_status status = list_storages(&storages, &count, object, &s);
    if (!status)
        status = next_pickle(&keys, &s);
    if (!status)
        status = read_storages(members, &s, &keys, storages, count);
    mdm_pickle_free(&keys);
    mdm_free(&storages);
    return status;
}
