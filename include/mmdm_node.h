/* A node of your own for `mmdm graph run`: one C file, built as a shared library, that exports mmdm_node(). Nothing of mmdm is linked.
 *
 *     cc -shared -fPIC -I include -o overlay.so overlay.c
 *
 * and in the graph
 *
 *     {"id": 1, "module_info": {"name": "mmdm_node", "path": "./overlay.so", "entry": "overlay"}, "option": {...}, ...}
 *
 * docs/overlay.c is a whole one. */
#ifndef MMDM_NODE_H
#define MMDM_NODE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MMDM_NODE_ABI     1
#define MMDM_NODE_MESSAGE 512 /* bytes of room for what went wrong */

/* A picture: three planes of bytes, Y, Cb, Cr. A plane's row y begins at plane[i] + y * stride[i]. Yours to read and to paint on until
 * the call returns. */
typedef struct mmdm_picture {
    int width, height;               /* of plane 0 */
    int chroma_width, chroma_height; /* of planes 1 and 2 */
    uint8_t *plane[3];
    size_t stride[3];
    int64_t number; /* counts from 0 */
    int64_t pts;    /* in units of time_base[0] / time_base[1] seconds */
    int time_base[2];
    double seconds; /* from the first picture */
} mmdm_picture;

/* A kind of node. Calls for one node come one after the other, in any thread; 0 is success, anything else ends the graph with what
 * was written to `message`. */
typedef struct mmdm_node_type {
    int abi;          /* MMDM_NODE_ABI */
    const char *name; /* the graph's "entry" */
    int (*open)(void **state, const char *options,
                char *message); /* options: the node's "option" as JSON text; may be NULL */
    int (*picture)(void *state, mmdm_picture *picture, char *message);
    void (*close)(void *state); /* may be NULL; is called where open succeeded */
} mmdm_node_type;

/* The library's nodes, one after the other; NULL past the last. */
const mmdm_node_type *mmdm_node(int index);

#ifdef __cplusplus
}
#endif

#endif
