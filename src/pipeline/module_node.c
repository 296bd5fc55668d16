/* Nodes of users: a shared library that exports mmdm_node (include/mmdm_node.h). */
#define _XOPEN_SOURCE 700
#include <dlfcn.h>
#include <string.h>

#include "base/memory.h"
#include "mmdm_node.h"
#include "pipeline/module.h"

enum { MOST_TYPES = 256 };

typedef struct user_node {
    void *library;
    const mmdm_node_type *type;
    void *state;
    bool opened;
    mdm_frames *frames;
    mdm_port port;
    char *name; /* for messages */
} user_node;

static void close_node(void *state)
{
    user_node *n = state;
    if (n->opened && n->type->close)
        n->type->close(n->state);
    mdm_frames_free(&n->frames);
    if (n->library)
        dlclose(n->library);
    mdm_free(&n->name);
    mdm_free(&n);
}

static mdm_status find_type(user_node *n, const mdm_module_start *start)
{
    const mmdm_node_type *(*types)(int) = NULL;
    if (!strchr(start->path, '/'))
        return mdm_fail(MDM_ERR_INPUT, "%s: path '%.200s', expected a path with a '/': ./overlay.so", start->node,
                        start->path);
    n->library = dlopen(start->path, RTLD_NOW | RTLD_LOCAL);
    if (!n->library)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s", start->node, dlerror());
    *(void **)&types = dlsym(n->library, "mmdm_node");
    if (!types)
        return mdm_fail(MDM_ERR_INPUT, "%s: %s does not export mmdm_node (include/mmdm_node.h)", start->node,
                        start->path);
    for (int i = 0; i < MOST_TYPES && (n->type = types(i)); i++) {
        if (n->type->abi != MMDM_NODE_ABI)
            return mdm_fail(MDM_ERR_INPUT, "%s: %s was built for version %d of mmdm_node.h, this is %d: build it again",
                            start->node, start->path, n->type->abi, MMDM_NODE_ABI);
        if (strcmp(n->type->name, start->entry) == 0)
            return MDM_OK;
    }
    return mdm_fail(MDM_ERR_INPUT, "%s: %s has no node '%.60s'; 'entry' names one", start->node, start->path,
                    start->entry);
}

static mdm_status begin_node(user_node *n, mdm_module_start *start)
{
    char message[MMDM_NODE_MESSAGE] = "";
    MDM_TRY(mdm_module_video_in(start, 0));
    MDM_TRY(mdm_strdup(&n->name, start->node));
    MDM_TRY(find_type(n, start));
    MDM_TRY(mdm_frames_new(&n->frames));
    n->port = start->out[0] = start->in[0];
    char *options = json_dumps(start->option, 0);
    if (!options)
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for its options", start->node);
    const int bad = n->type->open ? n->type->open(&n->state, options, message) : 0;
    free(options);
    message[sizeof message - 1] = '\0';
    n->opened = bad == 0;
    return bad ? mdm_fail(MDM_ERR_INPUT, "%s: %s", start->node, message) : MDM_OK;
}

static mdm_status open_node(void **state, mdm_module_start *start)
{
    user_node *n;
    MDM_TRY(mdm_alloc(&n, 1, sizeof *n, "a node"));
    *state = n;
    return begin_node(n, start);
}

static mdm_status turn_node(void *state, mdm_turn *turn)
{
    user_node *n = state;
    mdm_packet *packet;
    mmdm_picture picture;
    mdm_image planes[3];
    char message[MMDM_NODE_MESSAGE] = "";
    if (turn->last)
        return MDM_OK;
    MDM_TRY(mdm_module_own_frame(&packet, turn->in[0], n->frames));
    mdm_frame *frame = mdm_packet_frame(packet);
    mdm_frame_planes(planes, frame);
    picture = (mmdm_picture){.width = planes[0].width,
                             .height = planes[0].height,
                             .chroma_width = planes[1].width,
                             .chroma_height = planes[1].height,
                             .plane = {planes[0].data, planes[1].data, planes[2].data},
                             .stride = {planes[0].stride, planes[1].stride, planes[2].stride},
                             .number = frame->number,
                             .pts = frame->pts,
                             .time_base = {n->port.video.time_base[0], n->port.video.time_base[1]},
                             .seconds = frame->time};
    if (n->type->picture(n->state, &picture, message) == 0)
        return mdm_turn_give(turn, 0, packet);
    message[sizeof message - 1] = '\0';
    mdm_packet_drop(&packet);
    return mdm_fail(MDM_ERR_INPUT, "%s: picture %lld: %s", n->name, (long long)picture.number, message);
}

const mdm_module mdm_module_node = {.name = "mmdm_node",
                                    .least_inputs = 1,
                                    .most_inputs = 1,
                                    .outputs = {"video"},
                                    .open = open_node,
                                    .turn = turn_node,
                                    .close = close_node};
