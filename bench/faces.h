/* Faces for the benchmarks that judge by them: from folders and packs of pictures (PNG, JPEG, WebP) to labels, meshes and the
 * recognisers' vectors, which stay in memory. Any failure ends the program: these are measurements. */
#ifndef MDM_BENCH_FACES_H
#define MDM_BENCH_FACES_H

#include <stdbool.h>
#include <stddef.h>

#include "models/face_mesh.h"
#include "models/recogniser.h"

/* Classes in the order of models/facegen.h; -1 not known. */
typedef struct bench_face {
    char *name;
    const char *file;            /* the picture: a file ... */
    const unsigned char *packed; /* ... or bytes of a pack */
    size_t size;
    int age, gender, race, number;
    bool clean;  /* of a pack: AI-made */
    bool meshed; /* has a mesh, hence vectors */
} bench_face;

typedef struct bench_faces {
    bench_face *face;
    int count;
    float *vector[MDM_RECOGNISER_COUNT]; /* [count][mdm_recogniser_size]; NULL when not asked for */
    mdm_mesh *mesh; /* [count] once looked at with keep_meshes; a second look need not fit them again */
    double seconds[MDM_RECOGNISER_COUNT + 1]; /* spent in each recogniser and, last, in finding and fitting */
} bench_faces;

void bench_must(mdm_status status, const char *what);

/* Adds the pictures of a folder; labels are read from names AGE-GENDER-RACE-NUMBER.*, or else from FOLDER.tsv where there is one. */
void bench_add_folder(bench_faces *faces, const char *folder);
/* Adds the pictures of PACK.bin, PACK.tsv (tools/align_faces.py); the mapping stays. */
void bench_add_pack(bench_faces *faces, const char *pack);

typedef struct bench_look {
    const char *models;
    unsigned kinds; /* bits of mdm_recogniser_kind */
    int threads;
    double seconds; /* no more faces are begun after so long; 0: all are */
    bool keep_meshes;
    bool aligned; /* the faces fill their pictures as the aligned pack's do: no detector, fewer passes of the mesh */
    /* What else is to be done with a face that has a mesh; `own` is what `open` gave to this thread. Either may be NULL. */
    void *(*open)(void *user);
    void (*face)(void *user, void *own, int at, const mdm_image *image, const mdm_mesh *mesh);
    void *user;
} bench_look;

/* Reads every face, fits its mesh, and fills in `meshed` and the vectors. */
void bench_look_at(bench_faces *faces, const bench_look *look);

/* Wipes the vectors and meshes. */
void bench_faces_free(bench_faces *faces);

#endif
