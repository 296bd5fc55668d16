/* A node of one's own for `mmdm graph run` (include/mmdm_node.h): a bar along the lower edge that grows with the time.
 *
 *     cc -shared -fPIC -I include -o overlay.so docs/overlay.c
 *
 * Its options: "seconds", when the bar is full (10), and "height" in pixels (8). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmdm_node.h"

typedef struct bar {
    double seconds;
    int height;
} bar;

/* A number of the options. A node with more of them brings a reader of JSON along. */
static double number(const char *options, const char *name, double otherwise)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(options, key);
    return at ? strtod(at + strlen(key), NULL) : otherwise;
}

static int open_bar(void **state, const char *options, char *message)
{
    bar *b = malloc(sizeof *b);
    if (!b)
        return 1;
    b->seconds = number(options, "seconds", 10);
    b->height = (int)number(options, "height", 8);
    *state = b;
    if (b->seconds > 0 && b->height > 0)
        return 0;
    snprintf(message, MMDM_NODE_MESSAGE, "seconds and height have to be more than nothing");
    free(b);
    return 1;
}

static void fill(uint8_t *plane, size_t stride, int width, int from, int to, int value)
{
    for (int y = from; y < to; y++)
        memset(plane + (size_t)y * stride, value, (size_t)width);
}

static int paint_bar(void *state, mmdm_picture *picture, char *message)
{
    const bar *b = state;
    const double part = picture->seconds < b->seconds ? picture->seconds / b->seconds : 1;
    const int height = b->height < picture->height ? b->height : picture->height;
    const int chroma = height * picture->chroma_height / picture->height;
    (void)message;
    fill(picture->plane[0], picture->stride[0], (int)(part * picture->width), picture->height - height, picture->height, 235);
    for (int i = 1; i < 3; i++) /* without colour */
        fill(picture->plane[i], picture->stride[i], (int)(part * picture->chroma_width), picture->chroma_height - chroma,
             picture->chroma_height, 128);
    return 0;
}

static const mmdm_node_type types[] = {
    {MMDM_NODE_ABI, "bar", open_bar, paint_bar, free},
};

const mmdm_node_type *mmdm_node(int index)
{
    return index < (int)(sizeof types / sizeof *types) ? &types[index] : NULL;
}
