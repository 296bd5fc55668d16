/* The journal: reading it back at start, appending one line at a time. */
#define _GNU_SOURCE
#include "pipeline/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

#define MAX_JOURNAL ((size_t)256 << 20)

struct mdm_journal {
    int fd;
    char *path;
    json_t *clips;                /* content -> clip id */
    json_t *seen;                 /* path -> {size, changed, sha256} */
    json_t *persons;              /* "clip-0001/3" -> person id */
    json_t *done;                 /* "clip-0001/find" -> key */
    int clip_count, person_count; /* highest numbers in use */
};

/* Highest N of ids such as clip-0007. */
static void note_number(int *highest, const char *id)
{
    const char *dash = strrchr(id, '-');
    long number = dash ? strtol(dash + 1, NULL, 10) : 0;
    if (number > *highest && number < 1000000)
        *highest = (int)number;
}

static void note_done(mdm_journal *journal, const char *subject, const char *what, json_t *key)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", subject, what);
    json_object_set(journal->done, name, key);
}

/* Takes one record into memory; false when it is not one of ours. */
static bool take_record(mdm_journal *journal, json_t *record)
{
    const char *kind, *a, *b;
    json_t *value;
    if (json_unpack(record, "{s:s}", "record", &kind) != 0)
        return false;
    if (strcmp(kind, "clip") == 0) {
        if (json_unpack(record, "{s:s, s:s}", "content", &a, "id", &b) != 0)
            return false;
        note_number(&journal->clip_count, b);
        return json_object_set_new(journal->clips, a, json_string(b)) == 0;
    }
    if (strcmp(kind, "seen") == 0)
        return json_unpack(record, "{s:s}", "path", &a) == 0 && json_object_set(journal->seen, a, record) == 0;
    if (strcmp(kind, "person") == 0) {
        if (json_unpack(record, "{s:s, s:s}", "track", &a, "id", &b) != 0)
            return false;
        note_number(&journal->person_count, b);
        return json_object_set_new(journal->persons, a, json_string(b)) == 0;
    }
    if (strcmp(kind, "done") == 0) {
        if (json_unpack(record, "{s:s, s:s, s:o}", "subject", &a, "what", &b, "key", &value) != 0)
            return false;
        note_done(journal, a, b, value);
        return true;
    }
    if (strcmp(kind, "wiped") == 0)
        return json_object_clear(journal->done) == 0;
    return true; /* of a later version: not needed to go on */
}

static mdm_status read_back(mdm_journal *journal, size_t *good)
{
    unsigned char *data;
    size_t size, at = 0;
    int line = 0;
    *good = 0;
    if (!mdm_file_exists(journal->path))
        return MDM_OK;
    MDM_TRY(mdm_file_read(&data, &size, journal->path, MAX_JOURNAL));
    mdm_status status = MDM_OK;
    while (at < size && status == MDM_OK) {
        unsigned char *end = memchr(data + at, '\n', size - at);
        if (!end)
            break; /* torn: the line never counted */
        size_t next = (size_t)(end - data) + 1;
        json_t *record = json_loadb((char *)data + at, next - at - 1, JSON_REJECT_DUPLICATES, NULL);
        line++;
        if ((!record || !take_record(journal, record)) && next < size)
            status = mdm_fail(MDM_ERR_INPUT, "%s:%d: a damaged line; move the file away to start again", journal->path,
                              line);
        else if (record)
            *good = next;
        json_decref(record);
        at = next;
    }
    mdm_free(&data);
    return status;
}

mdm_status mdm_journal_open(mdm_journal **out, const char *path)
{
    size_t good = 0;
    MDM_TRY(mdm_alloc(out, 1, sizeof **out, "journal"));
    mdm_journal *journal = *out;
    journal->fd = -1;
    journal->clips = json_object();
    journal->seen = json_object();
    journal->persons = json_object();
    journal->done = json_object();
    mdm_status status = mdm_strdup(&journal->path, path);
    if (status == MDM_OK)
        status = read_back(journal, &good);
    if (status == MDM_OK) {
        journal->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (journal->fd < 0 || ftruncate(journal->fd, (off_t)good) != 0 || lseek(journal->fd, 0, SEEK_END) < 0)
            status = mdm_fail(MDM_ERR_WRITE, "%s: cannot open for writing: %s", path, strerror(errno));
    }
    if (status != MDM_OK)
        mdm_journal_free(out);
    return status;
}

void mdm_journal_free(mdm_journal **journal)
{
    if (!*journal)
        return;
    if ((*journal)->fd >= 0)
        close((*journal)->fd);
    json_decref((*journal)->clips);
    json_decref((*journal)->seen);
    json_decref((*journal)->persons);
    json_decref((*journal)->done);
    mdm_free(&(*journal)->path);
    mdm_free(journal);
}

/* Appends a record (whose reference it takes) and brings it to the disk. */
static mdm_status append(mdm_journal *journal, json_t *record)
{
    char *text = record ? json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mdm_status status = MDM_OK;
    if (!text) {
        json_decref(record);
        return mdm_fail(MDM_ERR_INTERNAL, "%s: a record could not be written out", journal->path);
    }
    size_t size = strlen(text) + 1;
    text[size - 1] = '\n';
    off_t before = lseek(journal->fd, 0, SEEK_END);
    ssize_t n = write(journal->fd, text, size);
    if (n != (ssize_t)size || fdatasync(journal->fd) != 0) {
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot write: %s", journal->path, n < 0 ? strerror(errno) : "disk full");
        if (before >= 0 && ftruncate(journal->fd, before) != 0)
            mdm_fail_context(status, "torn line left");
    } else {
        take_record(journal, record);
    }
    free(text);
    json_decref(record);
    return status;
}

mdm_status mdm_journal_clip_id(const char **out, mdm_journal *journal, const char *content)
{
    *out = json_string_value(json_object_get(journal->clips, content));
    if (*out)
        return MDM_OK;
    char id[32];
    snprintf(id, sizeof id, "clip-%04d", journal->clip_count + 1);
    MDM_TRY(append(journal, json_pack("{s:s, s:s, s:s}", "record", "clip", "content", content, "id", id)));
    *out = json_string_value(json_object_get(journal->clips, content));
    return MDM_OK;
}

const char *mdm_journal_seen(const mdm_journal *journal, const char *path, uint64_t size, int64_t changed)
{
    const json_t *seen = json_object_get(journal->seen, path);
    if (!seen || (uint64_t)json_integer_value(json_object_get(seen, "size")) != size ||
        (int64_t)json_integer_value(json_object_get(seen, "changed")) != changed)
        return NULL;
    return json_string_value(json_object_get(seen, "sha256"));
}

mdm_status mdm_journal_add_seen(mdm_journal *journal, const char *path, uint64_t size, int64_t changed,
                                const char *sha256)
{
    json_t *record = json_pack("{s:s, s:s, s:I, s:I, s:s}", "record", "seen", "path", path, "size", (json_int_t)size,
                               "changed", (json_int_t)changed, "sha256", sha256);
    return record ? append(journal, record) : MDM_OK; /* a path that is not UTF-8 is hashed again next time */
}

const char *mdm_journal_person(const mdm_journal *journal, const char *clip_id, int track)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%d", clip_id, track);
    return json_string_value(json_object_get(journal->persons, name));
}

int mdm_journal_next_person(const mdm_journal *journal)
{
    return journal->person_count + 1;
}

mdm_status mdm_journal_add_person(mdm_journal *journal, const char *clip_id, int track, const char *person)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%d", clip_id, track);
    return append(journal, json_pack("{s:s, s:s, s:s}", "record", "person", "track", name, "id", person));
}

bool mdm_journal_is_done(const mdm_journal *journal, const char *subject, const char *what, const char *key)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", subject, what);
    const char *done = json_string_value(json_object_get(journal->done, name));
    return done && strcmp(done, key) == 0;
}

mdm_status mdm_journal_add_done(mdm_journal *journal, const char *subject, const char *what, const char *key)
{
    return append(journal,
                  json_pack("{s:s, s:s, s:s, s:s}", "record", "done", "subject", subject, "what", what, "key", key));
}

mdm_status mdm_journal_forget(mdm_journal *journal, const char *subject, const char *what)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", subject, what);
    const char *key = json_string_value(json_object_get(journal->done, name));
    return key && *key ? mdm_journal_add_done(journal, subject, what, "") : MDM_OK;
}

mdm_status mdm_journal_add_wiped(mdm_journal *journal)
{
    return append(journal, json_pack("{s:s}", "record", "wiped"));
}
