/* Claims: taking, renewing, ending. Every file is made whole under its name or not at all (mdm_file_write_new). */
#define _GNU_SOURCE
#include "pipeline/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

enum { MAX_CLAIM = 1 << 14, MAX_EPOCH = 100000 };

struct mdm_claim {
    char *folder, *unit, *path; /* path: the claim's own file */
    int epoch;
    double lease, renewed; /* renewed: by this machine's clock, for this machine's use only; 0: not ours */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t); /* goes on while a machine sleeps */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- who ---- */

static void read_word(char *out, size_t size, const char *path)
{
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file && fgets(out, (int)size, file))
        out[strcspn(out, "\n")] = '\0';
    if (file)
        fclose(file);
}

/* Start of a process in clock ticks since boot: tells it from a later one of the same number. 0 when there is none, or one that is
 * dead and only not yet collected by its parent. */
static long long started(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    read_word(text, sizeof text, path);
    char *at = strrchr(text, ')'); /* the name may hold anything, also spaces */
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
        return 0;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : 0;
}

/* The machine as far as process numbers mean something in it: a boot of a kernel, and a container. */
static void machine(char *out, size_t size)
{
    char boot[64], space[64] = "";
    read_word(boot, sizeof boot, "/proc/sys/kernel/random/boot_id");
    ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[n > 0 ? n : 0] = '\0';
    snprintf(out, size, "%s %s", boot, space);
}

static bool holder_died(const json_t *holder)
{
    char here[160];
    const char *where = json_string_value(json_object_get(holder, "machine"));
    const pid_t pid = (pid_t)json_integer_value(json_object_get(holder, "pid"));
    machine(here, sizeof here);
    if (!where || strcmp(where, here) != 0 || pid <= 0)
        return false;
    return started(pid) != json_integer_value(json_object_get(holder, "started"));
}

/* ---- when ---- */

/* Whether a claim's lease is over, by the file system's clock: that of a file just touched there. */
static mdm_status is_over(bool *over, const mdm_claim *ours, const char *path, double lease)
{
    char *clock = NULL;
    struct stat then, present;
    *over = false;
    if (stat(path, &then) != 0)
        return errno == ENOENT ? MDM_OK : mdm_fail(MDM_ERR_INPUT, "%s: cannot look at: %s", path, strerror(errno));
    MDM_TRY(mdm_format(&clock, "%s/clock", ours->folder));
    const int fd = open(clock, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    mdm_status status = MDM_OK;
    if (fd < 0 || futimens(fd, NULL) != 0 || fstat(fd, &present) != 0)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot touch: %s", clock, strerror(errno));
    else
        *over = (double)(present.st_mtim.tv_sec - then.st_mtim.tv_sec) +
                    (double)(present.st_mtim.tv_nsec - then.st_mtim.tv_nsec) * 1e-9 >
                lease;
    if (fd >= 0)
        close(fd);
    mdm_free(&clock);
    return status;
}

/* Whether the claim at `path` may be followed by a later one. A damaged one has no holder. */
static mdm_status may_follow(bool *yes, const mdm_claim *ours, const char *path)
{
    json_t *holder = NULL;
    *yes = mdm_json_load(&holder, path, MAX_CLAIM) != MDM_OK || holder_died(holder);
    double lease = json_number_value(json_object_get(holder, "lease"));
    mdm_status status = MDM_OK;
    if (!*yes)
        status = is_over(yes, ours, path, lease > 0 ? lease : ours->lease);
    json_decref(holder);
    return status;
}

/* ---- taking ---- */

static mdm_status path_of(char **out, const mdm_claim *claim, int epoch)
{
    return mdm_format(out, "%s/%s.%d", claim->folder, claim->unit, epoch);
}

static mdm_status is_ended(bool *ended, const mdm_claim *claim)
{
    char *path;
    MDM_TRY(mdm_format(&path, "%s/%s.done", claim->folder, claim->unit));
    *ended = mdm_file_exists(path);
    mdm_free(&path);
    return MDM_OK;
}

/* The first epoch that nobody has; *held when the one before it stands. */
static mdm_status find_epoch(bool *held, mdm_claim *claim)
{
    char *last = NULL, *path = NULL;
    mdm_status status = MDM_OK;
    *held = false;
    for (claim->epoch = 1; status == MDM_OK && claim->epoch < MAX_EPOCH; claim->epoch++) {
        status = path_of(&path, claim, claim->epoch);
        if (status != MDM_OK || !mdm_file_exists(path))
            break;
        mdm_free(&last);
        last = path;
        path = NULL;
    }
    if (status == MDM_OK && last) {
        bool over;
        status = may_follow(&over, claim, last);
        *held = !over;
    }
    claim->path = path;
    mdm_free(&last);
    return status;
}

static mdm_status make_claim(bool *made, mdm_claim *claim)
{
    char host[64] = "", where[160];
    gethostname(host, sizeof host - 1);
    machine(where, sizeof where);
    json_t *holder = json_pack("{s:i, s:s, s:s, s:i, s:I, s:f}", "version", 1, "host", host, "machine", where, "pid",
                               (int)getpid(), "started", (json_int_t)started(getpid()), "lease", claim->lease);
    char *text = holder ? json_dumps(holder, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    mdm_status status = text ? mdm_file_write_new(made, claim->path, text, strlen(text))
                             : mdm_fail(MDM_ERR_INTERNAL, "%s: a claim could not be written out", claim->path);
    free(text);
    json_decref(holder);
    claim->renewed = *made ? now() : 0;
    return status;
}

mdm_status mdm_claim_take(mdm_claim **out, const char *folder, const char *unit, double lease)
{
    bool held = true, ended = false, made = false;
    mdm_claim *claim;
    *out = NULL;
    MDM_TRY(mdm_alloc(&claim, 1, sizeof *claim, "claim"));
    claim->lease = lease;
    mdm_status status = mdm_strdup(&claim->folder, folder);
    if (status == MDM_OK)
        status = mdm_strdup(&claim->unit, unit);
    if (status == MDM_OK)
        status = is_ended(&ended, claim);
    if (status == MDM_OK && !ended)
        status = find_epoch(&held, claim);
    if (status == MDM_OK && !ended && !held && claim->path)
        status = make_claim(&made, claim);
    if (status == MDM_OK && made) /* it may have ended between the two looks */
        status = is_ended(&ended, claim);
    if (status == MDM_OK && made && !ended)
        *out = claim;
    else
        mdm_claim_free(&claim);
    return status;
}

int mdm_claim_epoch(const mdm_claim *claim)
{
    return claim->epoch;
}

mdm_status mdm_claim_renew(mdm_claim *claim)
{
    char *later;
    const double age = now() - claim->renewed;
    if (age < claim->lease / 4)
        return MDM_OK;
    MDM_TRY(path_of(&later, claim, claim->epoch + 1));
    const bool lost = mdm_file_exists(later) || age > claim->lease;
    mdm_free(&later);
    if (lost)
        return mdm_fail(MDM_ERR_AGAIN, "%s: the lease ran out before it was renewed", claim->unit);
    if (utimensat(AT_FDCWD, claim->path, NULL, 0) != 0)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot renew: %s", claim->path, strerror(errno));
    claim->renewed = now();
    return MDM_OK;
}

mdm_status mdm_claim_end(bool *first, mdm_claim *claim, const json_t *record)
{
    char *path;
    *first = false;
    MDM_TRY(mdm_format(&path, "%s/%s.done", claim->folder, claim->unit));
    char *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
    mdm_status status = text ? mdm_file_write_new(first, path, text, strlen(text))
                             : mdm_fail(MDM_ERR_INTERNAL, "%s: a record could not be written out", path);
    free(text);
    mdm_free(&path);
    return status;
}

void mdm_claim_free(mdm_claim **claim)
{
    const struct timespec long_ago[2] = {{1, 0}, {1, 0}};
    if (!*claim)
        return;
    if ((*claim)->renewed > 0) /* the file stays: epochs are never used twice */
        (void)utimensat(AT_FDCWD, (*claim)->path, long_ago, 0);
    mdm_free(&(*claim)->folder);
    mdm_free(&(*claim)->unit);
    mdm_free(&(*claim)->path);
    mdm_free(claim);
}

mdm_status mdm_claim_record(json_t **out, const char *folder, const char *unit)
{
    char *path;
    *out = NULL;
    MDM_TRY(mdm_format(&path, "%s/%s.done", folder, unit));
    mdm_status status = mdm_file_exists(path) ? mdm_json_load(out, path, MAX_CLAIM) : MDM_OK;
    mdm_free(&path);
    return status;
}
