/* Sharing jobs: the caller's thread and another take them off one counter. */
#include "base/share.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct list {
    int items;
    atomic_int next;
    atomic_bool failed;
    mdm_share_job job;
    void *user;
} list;

typedef struct sharer {
    list *list;
    int index, item; /* of its last job */
    mdm_status status;
    char message[512];
} sharer;

static void *work(void *user)
{
    sharer *s = user;
    list *l = s->list;
    while (!atomic_load(&l->failed) && (s->item = atomic_fetch_add(&l->next, 1)) < l->items) {
        s->status = l->job(l->user, s->item, s->index);
        if (s->status == MDM_OK)
            continue;
        snprintf(s->message, sizeof s->message, "%s", mdm_error_message());
        atomic_store(&l->failed, true);
        break;
    }
    return NULL;
}

mdm_status mdm_share(int items, mdm_share_job job, void *user)
{
    list l = {.items = items, .job = job, .user = user};
    sharer sharers[MDM_SHARERS];
    pthread_t thread[MDM_SHARERS];
    bool started[MDM_SHARERS] = {false};
    for (int i = 0; i < MDM_SHARERS; i++)
        sharers[i] = (sharer){.list = &l, .index = i};
    for (int i = 1; i < MDM_SHARERS && i < items; i++)
        started[i] = pthread_create(&thread[i], NULL, work, &sharers[i]) == 0;
    work(&sharers[0]);
    const sharer *first = NULL;
    for (int i = 0; i < MDM_SHARERS; i++) {
        if (started[i])
            pthread_join(thread[i], NULL);
        if (sharers[i].status != MDM_OK && (!first || sharers[i].item < first->item))
            first = &sharers[i];
    }
    return first ? mdm_fail(first->status, "%s", first->message) : MDM_OK;
}
