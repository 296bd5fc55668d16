/* Stand-ins on the stage: motions and portraits from the work folder, one renderer a track (compose.h). */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "face/motion_edit.h"
#include "face/motion_file.h"
#include "face/standin_render.h"
#include "stages/animate.h"
#include "stages/compose.h"
#include "stages/talking_face.h"

typedef struct player {
    mdm_standin standin;
    mdm_renderer *renderer;
    const mdm_motion *motion;
    mdm_talking_face *talking; /* its face as large networks drew it; NULL: drawn on the mesh */
    const mdm_image *picture;  /* of it, in the frame drawn last */
    mdm_talking_window window;
} player;

struct mdm_players {
    mdm_canonical canonical;
    mdm_motions motions;
    mdm_person_matte *matte; /* where somebody's skin changes */
    player *player;          /* one a motion */
    int *of_track;           /* [found.tracks.count] index of its player, -1: none */
};

static const char *person_of(const mdm_cast *cast, int track)
{
    for (int i = 0; i < cast->count; i++)
        if (cast->role[i].track == track)
            return cast->role[i].person;
    return NULL;
}

/* The stand-in, and its talking face where the settings want one. */
static mdm_status dress(player *p, const mdm_motion *motion, const char *person, const mdm_clip_work *work,
                        const struct mdm_players *players, mdm_face_detector *detector, mdm_face_mesh *mesher)
{
    mdm_image portrait = {0};
    mdm_mesh mesh;
    mdm_talking_mode mode;
    MDM_TRY(mdm_portrait_read(&portrait, &mesh, person, work, detector, mesher));
    mdm_status status = mdm_standin_make(&p->standin, &portrait, &mesh, &players->canonical);
    if (!status && mdm_talking_wanted(&mode, work->settings))
        status = mdm_talking_face_open(&p->talking, work->folder, motion, &portrait, &mesh, &players->canonical);
    mdm_image_free(&portrait);
    return status;
}

static mdm_status ready(struct mdm_players *players, mdm_compose *compose, const mdm_cast *cast)
{
    const mdm_clip_work *work = compose->work;
    mdm_face_detector *detector = NULL;
    mdm_face_mesh *mesher = NULL;
    mdm_status status = mdm_face_detector_new(&detector, work->models, 1);
    if (status == MDM_OK)
        status = mdm_face_mesh_new(&mesher, work->models, 1);
    for (int i = 0; i < players->motions.count && status == MDM_OK; i++) {
        const mdm_motion *motion = &players->motions.motion[i];
        player *p = &players->player[i];
        const char *person = person_of(cast, motion->track);
        const mdm_tracks *tracks = &compose->found.tracks;
        if (!person)
            continue; /* the plan was edited since: the face is covered */
        if (motion->track >= tracks->count || tracks->track[motion->track].first != motion->first ||
            tracks->track[motion->track].count != motion->count)
            status = mdm_fail(MDM_ERR_INPUT, "%s: motion.json does not fit tracks.json; run `mmdm animate` again",
                              work->folder);
        if (status == MDM_OK)
            status = dress(p, motion, person, work, players, detector, mesher);
        if (status == MDM_OK)
            status = mdm_renderer_new(&p->renderer, &players->canonical, motion, &p->standin);
        if (status == MDM_OK && mdm_motion_retones(motion)) {
            if (!players->matte)
                status = mdm_person_matte_new(&players->matte, work->models, 1);
            mdm_renderer_matte(p->renderer, players->matte);
        }
        if (status == MDM_OK) {
            p->motion = motion;
            players->of_track[motion->track] = i;
        }
    }
    mdm_face_detector_free(&detector);
    mdm_face_mesh_free(&mesher);
    return status;
}

mdm_status mdm_compose_players_open(mdm_compose *compose)
{
    mdm_cast *cast = NULL;
    if (!mdm_file_exists_in(compose->work->folder, "motion.json"))
        return MDM_OK;
    MDM_TRY(mdm_alloc(&compose->players, 1, sizeof *compose->players, "stand-ins"));
    struct mdm_players *players = compose->players;
    mdm_status status = mdm_alloc(&cast, 1, sizeof *cast, "cast");
    if (status == MDM_OK)
        status = mdm_motions_read(&players->motions, compose->work->folder);
    if (status == MDM_OK)
        status = mdm_motion_edit_apply(&players->motions, compose->work->folder);
    if (status == MDM_OK)
        status = mdm_alloc(&players->player, (size_t)players->motions.count, sizeof *players->player, "stand-ins");
    if (status == MDM_OK)
        status =
            mdm_alloc(&players->of_track, (size_t)compose->found.tracks.count, sizeof *players->of_track, "stand-ins");
    for (int i = 0; status == MDM_OK && i < compose->found.tracks.count; i++)
        players->of_track[i] = -1;
    if (status == MDM_OK && players->motions.count > 0) {
        status = mdm_canonical_load(&players->canonical, compose->work->models);
        if (status == MDM_OK)
            status = mdm_cast_load(cast, compose->work);
        if (status == MDM_OK)
            status = ready(players, compose, cast);
    }
    mdm_free(&cast);
    return status;
}

void mdm_compose_players_free(mdm_compose *compose)
{
    struct mdm_players *players = compose->players;
    if (!players)
        return;
    for (int i = 0; players->player && i < players->motions.count; i++) {
        mdm_renderer_free(&players->player[i].renderer);
        mdm_talking_face_free(&players->player[i].talking);
        mdm_standin_free(&players->player[i].standin);
    }
    mdm_person_matte_free(&players->matte);
    mdm_free(&players->player);
    mdm_free(&players->of_track);
    mdm_motions_free(&players->motions);
    mdm_free(&compose->players);
}

mdm_status mdm_compose_player_draw(bool *drawn, mdm_compose *compose, int track, mdm_frame *frame)
{
    struct mdm_players *players = compose->players;
    *drawn = false;
    if (!players || players->of_track[track] < 0)
        return MDM_OK;
    player *p = &players->player[players->of_track[track]];
    const int index = (int)frame->number - p->motion->first;
    p->picture = NULL;
    if (!mdm_renderer_can(p->renderer, index))
        return MDM_OK;
    int r[4];
    mdm_renderer_bounds(r, p->renderer, index, frame->rgb.width, frame->rgb.height);
    if (r[2] < 1)
        return MDM_OK;
    if (p->talking) {
        MDM_TRY(mdm_talking_face_at(&p->picture, &p->window, p->talking, index));
        mdm_renderer_show(p->renderer, p->picture, &p->window);
    }
    MDM_TRY(mdm_frame_rgb(frame, r[0], r[1], r[2], r[3]));
    MDM_TRY(mdm_renderer_draw(p->renderer, &frame->rgb, index));
    *drawn = true;
    return mdm_frame_commit_rgb(frame, r[0], r[1], r[2], r[3]);
}

const mdm_image *mdm_compose_player_picture(mdm_talking_window *window, const mdm_compose *compose, int track)
{
    const struct mdm_players *players = compose->players;
    if (!players || players->of_track[track] < 0)
        return NULL;
    const player *p = &players->player[players->of_track[track]];
    *window = p->window;
    return p->picture;
}
