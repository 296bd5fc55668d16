/* Distances between portraits and people. */
#include "stages/casting.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

enum { DLIB, FACERES };

static const mdm_recogniser_kind kinds[MDM_CASTING_NETS] = {
    [DLIB] = MDM_RECOGNISER_DLIB,
    [FACERES] = MDM_RECOGNISER_FACERES,
};

struct mdm_casting {
    mdm_recogniser *net[MDM_CASTING_NETS];
};

mdm_status mdm_casting_new(mdm_casting **out, const char *models)
{
    mdm_casting *casting = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&casting, 1, sizeof *casting, "casting"));
    mdm_status status = MDM_OK;
    for (int i = 0; i < MDM_CASTING_NETS && !status; i++) {
        status = mdm_recogniser_new(&casting->net[i], kinds[i], models, 1);
        if (status == MDM_ERR_DEVICE && i > 0) {
            mdm_log(MDM_LOG_WARN, "stand-ins are chosen by one recogniser only: %s", mdm_error_message());
            status = MDM_OK;
        }
    }
    if (status)
        mdm_casting_free(&casting);
    *out = casting;
    return status;
}

void mdm_casting_free(mdm_casting **casting)
{
    if (!*casting)
        return;
    for (int i = 0; i < MDM_CASTING_NETS; i++)
        mdm_recogniser_free(&(*casting)->net[i]);
    mdm_free(casting);
}

mdm_status mdm_casting_embed(mdm_casting_face *out, mdm_casting *casting, const mdm_image *image, const mdm_mesh *mesh)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < MDM_CASTING_NETS; i++)
        if (casting->net[i])
            MDM_TRY(mdm_recogniser_embed(casting->net[i], image, mesh, out->embedding[i]));
    return MDM_OK;
}

void mdm_casting_distances(float out[MDM_CASTING_NETS], const mdm_casting *casting, const mdm_casting_face *face,
                           const mdm_casting_face *others, int count)
{
    for (int i = 0; i < MDM_CASTING_NETS; i++) {
        out[i] = INFINITY;
        for (int k = 0; k < count && casting->net[i]; k++)
            out[i] = fminf(out[i], mdm_recogniser_distance(kinds[i], face->embedding[i], others[k].embedding[i]));
    }
}

float mdm_casting_room(const mdm_casting *casting, const mdm_casting_face *face, const mdm_casting_face *others,
                       int count)
{
    float distance[MDM_CASTING_NETS], room = INFINITY;
    mdm_casting_distances(distance, casting, face, others, count);
    for (int i = 0; i < MDM_CASTING_NETS; i++)
        if (casting->net[i])
            room = fminf(room, distance[i] / mdm_recogniser_same(kinds[i]));
    return room;
}

void mdm_casting_apart(float out[MDM_CASTING_NETS], const mdm_casting *casting, const mdm_casting_face *a,
                       const mdm_casting_face *b)
{
    for (int i = 0; i < MDM_CASTING_NETS; i++)
        out[i] = casting->net[i] ? mdm_recogniser_distance(kinds[i], a->embedding[i], b->embedding[i]) /
                                       mdm_recogniser_same(kinds[i])
                                 : INFINITY;
}

float mdm_casting_nearest(const float identity[MDM_DLIB_FACE_SIZE], const mdm_casting_face *others, int count)
{
    float nearest = INFINITY;
    for (int i = 0; i < count; i++)
        nearest = fminf(nearest, mdm_dlib_face_distance(identity, others[i].embedding[DLIB]));
    return nearest;
}
