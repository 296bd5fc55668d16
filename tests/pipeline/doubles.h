/* Stand-in stages for tests of the pipeline: "recordings" are small text files whose lines say what a stage should do.
 *     faces 2          number of tracks          who alice bob    whose they are (same letters, same person)
 *     age 30-39        what describe sees        fail find        the stage fails with bad input
 *     crash compose    the stage aborts          hold             verify finds fault with everybody
 *     retry 2          verify recognises persons whose stand-in's attempt is under 2
 *     blind            no judge of verify can tell anything about anybody
 * Included by one test program at a time; the linker then takes these instead of the real stages. */
#ifndef MDM_TESTS_DOUBLES_H
#define MDM_TESTS_DOUBLES_H

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "stages/attack.h"
#include "stages/frame_stage.h"
#include "stages/stage.h"

static int double_delay_us; /* per stage */

static bool recording_says(const mdm_clip_work *work, const char *word, char *rest, size_t room)
{
    unsigned char *text;
    size_t size;
    bool found = false;
    if (mdm_file_read(&text, &size, work->source, 1 << 20) != MDM_OK)
        return false;
    size_t length = strlen(word);
    for (char *line = strtok((char *)text, "\n"); line && !found; line = strtok(NULL, "\n")) {
        if (strncmp(line, word, length) != 0 || (line[length] != ' ' && line[length] != '\0'))
            continue;
        snprintf(rest, room, "%s", line[length] ? line + length + 1 : "");
        found = true;
    }
    mdm_free(&text);
    return found;
}

static mdm_status start_double(const mdm_clip_work *work, const char *stage)
{
    char rest[64];
    if (double_delay_us) {
        struct timespec t = {double_delay_us / 1000000, double_delay_us % 1000000 * 1000L};
        nanosleep(&t, NULL);
    }
    mdm_progress_update(work->progress, 1, 2);
    if (recording_says(work, "fail", rest, sizeof rest) && strcmp(rest, stage) == 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: told to fail", work->source);
    if (recording_says(work, "crash", rest, sizeof rest) && strcmp(rest, stage) == 0) {
        raise(SIGKILL);
    }
    return MDM_OK;
}

static mdm_status save_double(const mdm_clip_work *work, const char *name, json_t *value)
{
    char *path;
    MDM_TRY(mdm_join_path(&path, work->folder, name));
    mdm_status status = mdm_json_save(value, path);
    json_decref(value);
    mdm_free(&path);
    return status;
}

static json_t *load_double(const mdm_clip_work *work, const char *name)
{
    char *path;
    json_t *value = NULL;
    if (mdm_join_path(&path, work->folder, name) == MDM_OK)
        (void)mdm_json_load(&value, path, 0);
    mdm_free(&path);
    return value;
}

mdm_status mdm_stage_ingest(mdm_clip_work *work)
{
    MDM_TRY(start_double(work, "ingest"));
    return save_double(work, "clip.json",
                       json_pack("{s:i, s:s, s:{s:s}, s:{s:i, s:i, s:i, s:f}, s:n}", "version", 1, "clip_id",
                                 work->clip_id, "source", "path", work->source, "video", "width", 64, "height", 48,
                                 "frames", 10, "fps", 25.0, "audio"));
}

mdm_status mdm_stage_find(mdm_clip_work *work)
{
    char rest[64] = "1";
    MDM_TRY(start_double(work, "find"));
    recording_says(work, "faces", rest, sizeof rest);
    json_t *tracks = json_array();
    for (int t = 0; t < (int)strtol(rest, NULL, 10); t++)
        json_array_append_new(tracks, json_pack("{s:i, s:i, s:i, s:n}", "id", t, "first", 0, "last", 9, "person"));
    return save_double(work, "tracks.json", json_pack("{s:i, s:o}", "version", 1, "tracks", tracks));
}

/* A person's embedding: one axis per first letter of the name. */
mdm_status mdm_stage_embed(mdm_clip_work *work)
{
    char rest[64];
    if (!recording_says(work, "who", rest, sizeof rest))
        return MDM_OK;
    int track = 0;
    for (char *name = strtok(rest, " "); name; name = strtok(NULL, " "), track++) {
        float values[128] = {0};
        values[(unsigned char)name[0] % 128] = 1;
        MDM_TRY(work->embeddings->give(work->embeddings->user, track, values, 128, 1));
    }
    return MDM_OK;
}

mdm_status mdm_stage_describe(mdm_clip_work *work)
{
    char age[64] = "20-29", faces[64] = "1";
    MDM_TRY(start_double(work, "describe"));
    recording_says(work, "age", age, sizeof age);
    recording_says(work, "faces", faces, sizeof faces);
    json_t *tracks = json_array();
    for (int t = 0; t < (int)strtol(faces, NULL, 10); t++)
        json_array_append_new(tracks, json_pack("{s:i, s:{s:s, s:f}, s:{s:s, s:f}}", "id", t, "age", "bin", age,
                                                "confidence", 0.8, "gender", "value", "Female", "confidence", 0.9));
    return save_double(work, "context.json", json_pack("{s:i, s:o}", "version", 1, "tracks", tracks));
}

mdm_status mdm_stage_transcribe(mdm_clip_work *work)
{
    MDM_TRY(start_double(work, "transcribe"));
    return save_double(work, "transcript.json", json_pack("{s:i, s:s}", "version", 1, "text", "hello [NAME]"));
}

mdm_status mdm_stage_portrait(mdm_clip_work *work)
{
    MDM_TRY(start_double(work, "portrait"));
    json_t *plan = load_double(work, "plan.json"), *out = json_object(), *person;
    size_t i;
    json_array_foreach(json_object_get(plan, "persons"), i, person)
        json_object_set(out, json_string_value(json_object_get(person, "id")), json_object_get(person, "standin"));
    json_decref(plan);
    return save_double(work, "portraits.json", out);
}

mdm_status mdm_stage_animate(mdm_clip_work *work)
{
    MDM_TRY(start_double(work, "animate"));
    return save_double(work, "motion.json", json_pack("{s:i}", "version", 1));
}

/* The "video" says what it was made from, so that equal plans give equal bytes. */
mdm_status mdm_stage_compose(mdm_clip_work *work)
{
    MDM_TRY(start_double(work, "compose"));
    json_t *portraits = load_double(work, "portraits.json");
    json_t *out = json_pack("{s:s, s:o}", "video", work->clip_id, "portraits", portraits ? portraits : json_object());
    return save_double(work, "masked.mp4", out);
}

const mdm_frame_stage mdm_frames_find, mdm_frames_compose; /* graphs are not run here */

static bool recognised(const json_t *person, int attempts)
{
    return strcmp(json_string_value(json_object_get(person, "action")), "replace") == 0 &&
           json_integer_value(json_object_get(json_object_get(person, "standin"), "attempt")) < attempts;
}

mdm_status mdm_stage_verify(mdm_clip_work *work)
{
    char rest[64] = "0";
    MDM_TRY(start_double(work, "verify"));
    bool hold = recording_says(work, "hold", rest, sizeof rest);
    int attempts = recording_says(work, "retry", rest, sizeof rest) ? (int)strtol(rest, NULL, 10) : 0;
    bool blind = recording_says(work, "blind", rest, sizeof rest);
    json_t *plan = load_double(work, "plan.json"), *reasons = json_array(), *persons = json_array(), *person;
    size_t i;
    json_array_foreach(json_object_get(plan, "persons"), i, person)
    {
        const char *id = json_string_value(json_object_get(person, "id"));
        if (recognised(person, blind ? 1000 : attempts))
            json_array_append_new(reasons, json_pack("{s:s, s:s, s:s}", "code", blind ? "unjudged" : "reidentified",
                                                     "person", id, "text", "told so"));
        json_array_append_new(persons,
                              json_pack("{s:s, s:{s:i, s:i, s:i, s:i}, s:{s:{s:s, s:s, s:s}}}", "id", id, "frames",
                                        "face", 10, "replaced", 10, "covered", 0, "none", 0, "contexts", "age",
                                        "treatment", "redraw", "before", "SECRET-AGE", "after", "30-39"));
    }
    if (hold)
        json_array_append_new(reasons, json_pack("{s:s, s:s}", "code", "timing", "text", "told to hold back"));
    json_decref(plan);
    bool pass = json_array_size(reasons) == 0;
    return save_double(work, "evidence.json",
                       json_pack("{s:i, s:b, s:o, s:o, s:{s:i, s:i}}", "version", 1, "pass", pass, "reasons", reasons,
                                 "persons", persons, "uncovered", "frames", 0, "faces", 0));
}

mdm_status mdm_stage_attack(mdm_clip_work *work)
{
    (void)work;
    return MDM_OK;
}

#endif
