/* The folders under OUT, and the lock file. */
#define _GNU_SOURCE
#include "pipeline/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long a lock is waited for: one that works alone refuses a folder in use; one of many waits while another sets the job up. */
#define ALONE_SECONDS 2
#define SHARE_SECONDS 600

static const char note[] =
    "This folder is NOT protected and must not be shared.\n\n"
    "It holds what was seen in the recordings (plans, before/after pictures, quarantined clips and, while a run goes "
    "on,\n"
    "work files with landmarks and motion that identify people). Only ../dataset/ is made to be shared.\n"
    "Delete this folder when you no longer need to compare or to continue.\n";

mdm_status mdm_layout_new(mdm_layout *out, const char *folder)
{
    memset(out, 0, sizeof *out);
    out->lock = -1;
    mdm_status status = mdm_strdup(&out->out, folder);
    struct {
        char **path;
        char *const *parent;
        const char *name;
    } parts[] = {
        {&out->dataset, &out->out, "dataset"},
        {&out->export_folder, &out->out, "export"},
        {&out->private_folder, &out->out, "private"},
        {&out->work, &out->private_folder, "work"},
        {&out->standins, &out->work, "stand-ins"},
        {&out->quarantine, &out->private_folder, "quarantine"},
        {&out->plan, &out->private_folder, "plan.json"},
        {&out->journal, &out->private_folder, "journal.jsonl"},
        {&out->manifest, &out->private_folder, "manifest.jsonl"},
        {&out->claims, &out->private_folder, "claims"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && status == MDM_OK; i++)
        status = mdm_join_path(parts[i].path, *parts[i].parent, parts[i].name);
    if (status != MDM_OK)
        mdm_layout_free(out);
    return status;
}

void mdm_layout_free(mdm_layout *layout)
{
    if (layout->lock >= 0)
        close(layout->lock);
    char **paths[] = {&layout->out,        &layout->dataset,  &layout->private_folder, &layout->work,
                      &layout->quarantine, &layout->standins, &layout->plan,           &layout->journal,
                      &layout->manifest,   &layout->claims,   &layout->export_folder};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        mdm_free(paths[i]);
    layout->lock = -1;
}

/* Workers of a killed run hold its lock until they are gone, which is a moment: that is waited for, so that they cannot
 * write where a new run works. */
static bool lock_soon(int fd, int how, double seconds)
{
    const struct timespec pause = {0, 50000000};
    for (int i = 0; i < seconds * 20; i++) {
        if (flock(fd, how | LOCK_NB) == 0)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static mdm_status take_lock(mdm_layout *layout, int how, double seconds)
{
    char *path;
    MDM_TRY(mdm_join_path(&path, layout->private_folder, "lock"));
    layout->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    mdm_status status = MDM_OK;
    if (layout->lock < 0)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot create: %s", path, strerror(errno));
    else if (!lock_soon(layout->lock, how, seconds))
        status = mdm_fail(MDM_ERR_AGAIN, "%s: another mmdm is working there; wait for it or choose another --output",
                          layout->out);
    if (status == MDM_ERR_AGAIN) {
        close(layout->lock);
        layout->lock = -1;
    }
    mdm_free(&path);
    return status;
}

static mdm_status open_private(mdm_layout *layout, int how, double seconds)
{
    char *readme;
    if (mdm_file_exists(layout->dataset) && !mdm_file_exists(layout->private_folder))
        return mdm_fail(MDM_ERR_WRITE,
                        "%s: there is a dataset/ without the private/ of the run that made it; "
                        "choose another --output or move it away",
                        layout->out);
    MDM_TRY(mdm_make_folder(layout->private_folder, 0700));
    if (chmod(layout->private_folder, 0700) != 0)
        return mdm_fail(MDM_ERR_WRITE, "%s: cannot make it private: %s", layout->private_folder, strerror(errno));
    MDM_TRY(take_lock(layout, how, seconds));
    MDM_TRY(mdm_join_path(&readme, layout->private_folder, "README.txt"));
    mdm_status status = mdm_file_exists(readme) ? MDM_OK : mdm_file_write(readme, note, sizeof note - 1);
    mdm_free(&readme);
    return status;
}

mdm_status mdm_layout_open(mdm_layout *layout)
{
    MDM_TRY(open_private(layout, LOCK_EX, ALONE_SECONDS));
    return mdm_layout_sweep(layout->private_folder);
}

mdm_status mdm_layout_share(mdm_layout *layout, bool alone)
{
    return open_private(layout, alone ? LOCK_EX : LOCK_SH, SHARE_SECONDS);
}

mdm_status mdm_layout_let_others(mdm_layout *layout)
{
    if (lock_soon(layout->lock, LOCK_SH, SHARE_SECONDS))
        return MDM_OK;
    return mdm_fail(MDM_ERR_AGAIN, "%s: another mmdm works there alone; wait for it", layout->out);
}

mdm_status mdm_layout_clip(char **out, const mdm_layout *layout, const char *clip_id)
{
    return mdm_join_path(out, layout->work, clip_id);
}

mdm_status mdm_layout_sweep(const char *folder)
{
    char **names;
    size_t count;
    if (!mdm_file_exists(folder))
        return MDM_OK;
    MDM_TRY(mdm_list_folder(&names, &count, folder));
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < count && status == MDM_OK; i++) {
        size_t length = strlen(names[i]);
        if (length < 4 || strcmp(names[i] + length - 4, ".tmp") != 0)
            continue;
        char *path;
        status = mdm_join_path(&path, folder, names[i]);
        if (status == MDM_OK)
            status = mdm_remove_tree(path, true);
        mdm_free(&path);
    }
    mdm_names_free(&names, count);
    return status;
}
