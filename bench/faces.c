/* Faces for the benchmarks: reading, meshes and vectors on some threads. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "faces.h"

#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/memory.h"
#include "models/face_detector.h"
#include "models/facegen.h"

#define MOST_BYTES  ((size_t)64 << 20)
#define MOST_FIELDS 32

void bench_must(mdm_status status, const char *what)
{
    if (status) {
        fprintf(stderr, "%s: %s\n", what, mdm_error_message());
        exit(1);
    }
}

static bench_face *add(bench_faces *faces)
{
    if ((faces->count & (faces->count - 1)) == 0)
        bench_must(mdm_realloc(&faces->face, faces->count ? 2 * (size_t)faces->count : 1, sizeof *faces->face, "faces"),
                   "faces");
    faces->face[faces->count] = (bench_face){.age = -1, .gender = -1, .race = -1};
    return &faces->face[faces->count++];
}

/* ---- labels ---- */

/* The fields of a line, cut at tabs in place; moves `text` behind it. 0 at the end. */
static int fields_of(char *field[MOST_FIELDS], char **text)
{
    int count = 0;
    char *line = *text, *end = line + strcspn(line, "\r\n");
    if (!*line)
        return 0;
    *text = end + strspn(end, "\r\n");
    *end = 0;
    while (line && count < MOST_FIELDS) {
        char *tab = strchr(line, '\t');
        field[count++] = line;
        if (tab)
            *tab++ = 0;
        line = tab;
    }
    return count;
}

static int class_of(const char *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(text, names[i]) || (names[i][1] == 0 && text[0] == names[i][0]))
            return i;
    char *end;
    long number = strtol(text, &end, 10);
    return end != text && !*end && number >= 0 && number < count ? (int)number : -1;
}

static void label(bench_face *face, char *const *age_gender_race)
{
    face->age = class_of(age_gender_race[0], mdm_facegen_age_names, MDM_FACEGEN_AGES);
    face->gender = class_of(age_gender_race[1], mdm_facegen_gender_names, MDM_FACEGEN_GENDERS);
    face->race = class_of(age_gender_race[2], mdm_facegen_race_names, MDM_FACEGEN_RACES);
}

static char *text_of(const char *path)
{
    unsigned char *text;
    size_t size;
    bench_must(mdm_file_read(&text, &size, path, MOST_BYTES), path);
    return (char *)text;
}

void bench_add_folder(bench_faces *faces, const char *folder)
{
    char **names, *table, *field[MOST_FIELDS], *path;
    size_t count;
    const int first = faces->count;
    bench_must(mdm_list_folder(&names, &count, folder), folder);
    for (size_t i = 0; i < count; i++) {
        bench_face *face = add(faces);
        face->name = names[i];
        bench_must(mdm_join_path(&path, folder, names[i]), names[i]);
        face->file = path;
        if (sscanf(names[i], "%d-%d-%d-%d.", &face->age, &face->gender, &face->race, &face->number) != 4)
            face->age = face->gender = face->race = -1;
    }
    bench_must(mdm_format(&table, "%s.tsv", folder), folder);
    if (mdm_file_exists(table)) {
        char *text = text_of(table);
        for (char *rest = text; fields_of(field, &rest) >= 4;) {
            const char *slash = strrchr(field[0], '/');
            for (int i = first; i < faces->count; i++)
                if (!strcmp(faces->face[i].name, slash ? slash + 1 : field[0]))
                    label(&faces->face[i], field + 1);
        }
        mdm_free(&text);
    }
    mdm_free(&table);
}

void bench_add_pack(bench_faces *faces, const char *pack)
{
    mdm_mapping bin;
    char *path, *field[MOST_FIELDS], *text;
    bench_must(mdm_format(&path, "%s.bin", pack), pack);
    bench_must(mdm_map_file(&bin, path), path);
    mdm_free(&path);
    bench_must(mdm_format(&path, "%s.tsv", pack), pack);
    text = text_of(path);
    char *rest = text;
    fields_of(field, &rest); /* the header */
    while (fields_of(field, &rest) >= 7) {
        bench_face *face = add(faces);
        size_t offset = strtoul(field[0], NULL, 10);
        face->size = strtoul(field[1], NULL, 10);
        if (offset > bin.size || face->size > bin.size - offset)
            bench_must(mdm_fail(MDM_ERR_INPUT, "%s: a picture reaches over the end", path), path);
        face->packed = bin.data + offset;
        face->clean = field[3][0] == '1';
        label(face, field + 4);
        bench_must(mdm_strdup(&face->name, field[2]), path);
    }
    mdm_free(&text);
    mdm_free(&path);
}

/* ---- pictures ---- */

static mdm_status decode_webp(mdm_image *out, const unsigned char *data, size_t size, const char *name)
{
    AVCodecContext *context = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_WEBP));
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    struct SwsContext *scaler = NULL;
    mdm_status status = MDM_OK;
    if (!context || !packet || !frame || av_new_packet(packet, (int)size) < 0)
        status = mdm_fail(MDM_ERR_MEMORY, "%s: no WebP decoder", name);
    if (!status) {
        memcpy(packet->data, data, size);
        if (avcodec_open2(context, NULL, NULL) < 0 || avcodec_send_packet(context, packet) < 0 ||
            avcodec_receive_frame(context, frame) < 0)
            status = mdm_fail(MDM_ERR_INPUT, "%s: a WebP that does not decode", name);
    }
    if (!status)
        status = mdm_image_new(out, frame->width, frame->height, 3);
    if (!status) {
        scaler =
            sws_getContext(frame->width, frame->height, (enum AVPixelFormat)frame->format, frame->width, frame->height,
                           AV_PIX_FMT_RGB24, SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
        if (!scaler)
            status = mdm_fail(MDM_ERR_INPUT, "%s: pixels of a kind that is not known", name);
        else
            sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                      (uint8_t *const[]){out->data}, (const int[]){(int)out->stride});
    }
    sws_freeContext(scaler);
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&context);
    return status;
}

static void read_picture(mdm_image *out, const bench_face *face)
{
    unsigned char *data = NULL;
    size_t size = face->size;
    const unsigned char *bytes = face->packed;
    if (!bytes) {
        bench_must(mdm_file_read(&data, &size, face->file, MOST_BYTES), face->file);
        bytes = data;
    }
    if (size >= 12 && !memcmp(bytes, "RIFF", 4))
        bench_must(decode_webp(out, bytes, size, face->name), face->name);
    else if (face->file)
        bench_must(mdm_image_read(out, face->file, 3), face->file);
    else
        bench_must(mdm_fail(MDM_ERR_INPUT, "packs hold WebP only"), face->name);
    mdm_free(&data);
}

/* ---- looking ---- */

typedef struct shared {
    bench_faces *faces;
    const bench_look *look;
    bool again; /* the meshes are there */
    pthread_mutex_t lock;
    int next;
    double began;
} shared;

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void)
{
    return clock_of(CLOCK_THREAD_CPUTIME_ID);
}

static bool fit(mdm_mesh *mesh, mdm_face_detector *detector, mdm_face_mesh *mesher, const mdm_image *image,
                bool aligned, const char *name)
{
    const float w = (float)image->width, h = (float)image->height;
    /* the pictures are cut around one face; of the aligned ones the mesh asks for this crop (40 faces: 1.28 +- 0.08) */
    mdm_face_roi roi = aligned ? (mdm_face_roi){w / 2, 0.52f * h, 1.28f * w, 0} : (mdm_face_roi){w / 2, h / 2, w, 0};
    mdm_face_detection face;
    int found = 0;
    if (!aligned) {
        const float region[4] = {-0.15f * w, -0.15f * h, 1.3f * w, 1.3f * h};
        bench_must(mdm_face_detector_run(&face, 1, &found, detector, image, region, 0.5f), name);
        if (found)
            mdm_face_roi_from_detection(&roi, &face);
    }
    mesh->presence = 0;
    bench_must(mdm_face_mesh_settle(mesh, mesher, image, &roi, aligned ? 2 : 3), name);
    return mesh->presence > 0.5f;
}

static void *work(void *argument)
{
    shared *s = argument;
    bench_faces *faces = s->faces;
    const bench_look *look = s->look;
    mdm_face_detector *detector;
    mdm_face_mesh *mesher;
    mdm_recogniser *net[MDM_RECOGNISER_COUNT] = {0};
    double seconds[MDM_RECOGNISER_COUNT + 1] = {0};
    bench_must(mdm_face_detector_new(&detector, look->models, 1), "detector");
    bench_must(mdm_face_mesh_new(&mesher, look->models, 1), "mesh");
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        if (look->kinds >> k & 1)
            bench_must(mdm_recogniser_new(&net[k], (mdm_recogniser_kind)k, look->models, 1), "recogniser");
    void *own = look->open ? look->open(look->user) : NULL;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        const bool late = look->seconds > 0 && clock_of(CLOCK_MONOTONIC) > s->began + look->seconds;
        const int at = late ? faces->count : s->next++;
        pthread_mutex_unlock(&s->lock);
        if (at >= faces->count)
            break;
        bench_face *face = &faces->face[at];
        mdm_image image;
        mdm_mesh mesh;
        read_picture(&image, face);
        double before = now();
        if (s->again)
            mesh = faces->mesh[at];
        else
            face->meshed = fit(&mesh, detector, mesher, &image, look->aligned, face->name);
        if (look->keep_meshes)
            faces->mesh[at] = mesh;
        seconds[MDM_RECOGNISER_COUNT] += now() - before;
        for (int k = 0; k < MDM_RECOGNISER_COUNT && face->meshed; k++)
            if (net[k]) {
                before = now();
                bench_must(mdm_recogniser_embed(net[k], &image, &mesh,
                                                faces->vector[k] +
                                                    (size_t)at * (size_t)mdm_recogniser_size((mdm_recogniser_kind)k)),
                           face->name);
                seconds[k] += now() - before;
            }
        if (face->meshed && look->face)
            look->face(look->user, own, at, &image, &mesh);
        mdm_image_free(&image);
    }
    pthread_mutex_lock(&s->lock);
    for (int k = 0; k <= MDM_RECOGNISER_COUNT; k++)
        faces->seconds[k] += seconds[k];
    pthread_mutex_unlock(&s->lock);
    mdm_face_detector_free(&detector);
    mdm_face_mesh_free(&mesher);
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        mdm_recogniser_free(&net[k]);
    return NULL;
}

void bench_look_at(bench_faces *faces, const bench_look *look)
{
    pthread_t thread[64];
    const int threads = look->threads < 1 ? 1 : look->threads > 64 ? 64 : look->threads;
    shared s = {.faces = faces,
                .look = look,
                .again = faces->mesh,
                .began = clock_of(CLOCK_MONOTONIC),
                .lock = PTHREAD_MUTEX_INITIALIZER};
    if (look->keep_meshes && !faces->mesh)
        bench_must(mdm_alloc(&faces->mesh, (size_t)faces->count, sizeof *faces->mesh, "meshes"), "meshes");
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        if (look->kinds >> k & 1)
            bench_must(mdm_alloc(&faces->vector[k],
                                 (size_t)faces->count * (size_t)mdm_recogniser_size((mdm_recogniser_kind)k),
                                 sizeof(float), "vectors"),
                       "vectors");
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, work, &s))
            bench_must(mdm_fail(MDM_ERR_MEMORY, "no thread %d", i), "threads");
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    for (int i = s.next; i < faces->count; i++) /* there was no time for them */
        faces->face[i].meshed = false;
}

void bench_faces_free(bench_faces *faces)
{
    for (int k = 0; k < MDM_RECOGNISER_COUNT; k++)
        if (faces->vector[k]) {
            mdm_wipe(faces->vector[k],
                     (size_t)faces->count * (size_t)mdm_recogniser_size((mdm_recogniser_kind)k) * sizeof(float));
            mdm_free(&faces->vector[k]);
        }
    if (faces->mesh)
        mdm_wipe(faces->mesh, (size_t)faces->count * sizeof *faces->mesh);
    mdm_free(&faces->mesh);
    mdm_free(&faces->face);
    faces->count = 0;
}
