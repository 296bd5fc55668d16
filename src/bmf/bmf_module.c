/* libmmdm_bmf.so: our modules (pipeline/module.h) as modules of BMF. In a graph of BMF's:
 *     "module_info": {"name": "mmdm_compose", "type": "go", "path": ".../libmmdm_bmf.so", "entry": "libmmdm_bmf.mmdm_compose"}
 * "go" is BMF's name for modules behind plain C functions. Frames come in without a copy; what was not painted goes out as it came. */
#define _XOPEN_SOURCE 700 /* strdup */
#include "bmf/bmf_abi.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pipeline/module.h"

enum { MOST_INSTANCES = 1024, MOST_WAITING = 4096, MESSAGE = 1024 };

/* A stream into the module: what came and has not been taken, and what is known of it. */
typedef struct input {
    mdm_packet **waiting;
    size_t count, room;
    bool ended;
    int64_t frames, first_pts;
    mdm_port port;
} input;

typedef struct instance {
    char label[80];
    const mdm_module *module;
    json_t *option;
    void *state; /* of the module, which is opened once the first packets tell what it gets; NULL until then */
    bool finished;
    mdm_frames *frames;
    input in[MDM_MODULE_PORTS];
    mdm_port out[MDM_MODULE_PORTS];
    int inputs, outputs, out_id[MDM_MODULE_PORTS];
    bmf_task *task;  /* of this turn */
    bmf_video *like; /* the last picture that came: new ones are made after it */
} instance;

/* The picture of BMF's that a frame lies in. */
typedef struct lent {
    mdm_frame frame;
    bmf_video *video;
} lent;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static instance *instances[MOST_INSTANCES];

static instance *instance_of(int32_t id)
{
    pthread_mutex_lock(&lock);
    instance *i = id >= 0 && id < MOST_INSTANCES ? instances[id] : NULL;
    pthread_mutex_unlock(&lock);
    return i;
}

static char *told(mdm_status status)
{
    return status == MDM_OK ? NULL : strdup(mdm_error_message());
}

void ConstructorRegister(void) {}

char *BmfSdkVersion(void)
{
    return strdup("0.2.0");
}

void FreeCString(char *text)
{
    free(text);
}

static void free_instance(instance *i)
{
    if (i->state)
        i->module->close(i->state);
    for (int n = 0; n < MDM_MODULE_PORTS; n++) {
        for (size_t k = 0; k < i->in[n].count; k++)
            mdm_packet_drop(&i->in[n].waiting[k]);
        mdm_free(&i->in[n].waiting);
    }
    if (i->like)
        bmf_vf_free(i->like);
    mdm_frames_free(&i->frames);
    json_decref(i->option);
    mdm_free(&i);
}

static mdm_status construct(int32_t *id, const char *name, int32_t node, const char *options)
{
    instance *i;
    const char *dot = strrchr(name, '.');
    MDM_TRY(mdm_alloc(&i, 1, sizeof *i, "a module"));
    mdm_status status = mdm_module_find(&i->module, dot ? dot + 1 : name);
    if (status == MDM_OK) {
        snprintf(i->label, sizeof i->label, "node %d (%s)", (int)node, i->module->name);
        i->option = json_loads(options, 0, NULL);
        if (!json_is_object(i->option))
            status = mdm_fail(MDM_ERR_INPUT, "%s: 'option' is not an object", i->label);
    }
    pthread_mutex_lock(&lock);
    for (*id = 0; *id < MOST_INSTANCES && instances[*id];)
        ++*id;
    if (status == MDM_OK && *id < MOST_INSTANCES)
        instances[*id] = i;
    else if (status == MDM_OK)
        status = mdm_fail(MDM_ERR_MEMORY, "more than %d modules", MOST_INSTANCES);
    pthread_mutex_unlock(&lock);
    if (status != MDM_OK)
        free_instance(i);
    return status;
}

int32_t ModuleConstruct(const char *name, int32_t node, const char *options)
{
    int32_t id;
    const mdm_status status = construct(&id, name, node, options);
    if (status == MDM_OK)
        return id;
    fprintf(stderr, "mmdm: %s\n", mdm_error_message());
    return -1;
}

char *ModuleInit(int32_t id)
{
    return instance_of(id) ? NULL : strdup("no such module");
}

char *ModuleReset(int32_t id)
{
    return instance_of(id) ? strdup("a module of mmdm cannot be used for a second clip; make a graph for each") : NULL;
}

char *ModuleClose(int32_t id) /* BMF calls it twice */
{
    pthread_mutex_lock(&lock);
    instance *i = id >= 0 && id < MOST_INSTANCES ? instances[id] : NULL;
    if (i)
        instances[id] = NULL;
    pthread_mutex_unlock(&lock);
    if (i)
        free_instance(i);
    return NULL;
}

char *ModuleGetInfo(int32_t id)
{
    (void)id;
    return NULL;
}

bool ModuleNeedHungryCheck(int32_t id, int32_t stream)
{
    (void)id, (void)stream;
    return false;
}

bool ModuleIsHungry(int32_t id, int32_t stream)
{
    (void)id, (void)stream;
    return true;
}

bool ModuleIsInfinity(int32_t id)
{
    (void)id;
    return false;
}

/* ---- from BMF ----------------------------------------------------------------------------------------------------------- */

static void forget_lent(void *user, void *data)
{
    lent *l = data;
    (void)user;
    mdm_frame_free(&l->frame);
    bmf_vf_free(l->video);
    mdm_free(&l);
}

static void keep_lent(void *user, uint8_t *data) /* the packet keeps the picture for as long as the frame */
{
    (void)user, (void)data;
}

static mdm_status view_planes(mdm_image planes[3], hmp_frame *frame, int format)
{
    for (int i = 0; i < 3; i++) {
        hmp_tensor *tensor = hmp_frame_plane(frame, i);
        planes[i] = (mdm_image){.width = (int)hmp_tensor_size(tensor, 1),
                                .height = (int)hmp_tensor_size(tensor, 0),
                                .channels = 1,
                                .stride = (size_t)(hmp_tensor_stride(tensor, 0) * hmp_tensor_itemsize(tensor)),
                                .data = hmp_tensor_data(tensor)};
    }
    const int sub = format != HMP_YUV444P;
    return planes[1].width == (planes[0].width + sub) >> sub && planes[1].height == (planes[0].height + sub) >> sub
               ? MDM_OK
               : mdm_fail(MDM_ERR_INPUT, "chroma of %d x %d for a picture of %d x %d", planes[1].width,
                          planes[1].height, planes[0].width, planes[0].height);
}

static mdm_status borrow(lent *l, instance *i, input *in)
{
    hmp_frame *picture = bmf_vf_frame(l->video);
    const int format = hmp_frame_format(picture);
    hmp_pixels *pixels = hmp_frame_pix_info(picture);
    mdm_video_info *info = &in->port.video;
    mdm_image planes[3];
    if ((format != HMP_YUV420P && format != HMP_YUV444P && format != HMP_YUVJ420P) ||
        hmp_frame_device_type(picture) != 0)
        return mdm_fail(MDM_ERR_INPUT,
                        "%s: pictures of format %d on device %d; put a c_ffmpeg_filter 'format=yuv420p' before it",
                        i->label, format, hmp_frame_device_type(picture));
    MDM_TRY(view_planes(planes, picture, format));
    const bool full = format == HMP_YUVJ420P || hmp_pixel_info_range(pixels) == 2;
    const int matrix = hmp_pixel_info_space(pixels);
    MDM_TRY(mdm_frame_wrap(&l->frame, planes, format == HMP_YUV444P, matrix, full, keep_lent, NULL));
    bmf_vf_time_base(l->video, &info->time_base[0], &info->time_base[1]);
    if (info->time_base[0] < 1 || info->time_base[1] < 1)
        info->time_base[0] = 1, info->time_base[1] = 1000000;
    if (in->frames == 0) {
        in->first_pts = bmf_vf_pts(l->video);
        in->port.kind = MDM_PORT_VIDEO;
        info->width = planes[0].width;
        info->height = planes[0].height;
        info->aspect[0] = info->aspect[1] = 1;
        info->colour = (mdm_colour){.matrix = matrix, .primaries = 2, .transfer = 2, .full_range = full};
    }
    l->frame.number = in->frames++;
    l->frame.pts = bmf_vf_pts(l->video);
    l->frame.duration = 0;
    l->frame.time = (double)(l->frame.pts - in->first_pts) * info->time_base[0] / info->time_base[1];
    return MDM_OK;
}

static mdm_status push(input *in, mdm_packet *packet)
{
    if (in->count == in->room) {
        const size_t room = in->room ? 2 * in->room : 8;
        const mdm_status status = room > MOST_WAITING
                                      ? mdm_fail(MDM_ERR_MEMORY, "%zu packets wait for another input", in->count)
                                      : mdm_realloc(&in->waiting, room, sizeof(mdm_packet *), "packets");
        if (status != MDM_OK) {
            mdm_packet_drop(&packet);
            return status;
        }
        in->room = room;
    }
    in->waiting[in->count++] = packet;
    return MDM_OK;
}

static mdm_status take_video(instance *i, input *in, bmf_video *video)
{
    lent *l;
    mdm_packet *packet;
    const mdm_status status = mdm_alloc(&l, 1, sizeof *l, "a frame");
    if (status != MDM_OK) {
        bmf_vf_free(video);
        return status;
    }
    l->video = video;
    MDM_TRY(mdm_packet_new(&packet, 0, l, forget_lent, NULL));
    const mdm_status borrowed = borrow(l, i, in);
    packet->time = mdm_frame_micros(&l->frame);
    if (borrowed == MDM_OK)
        return push(in, packet);
    mdm_packet_drop(&packet);
    return borrowed;
}

/* Whatever else a stream carries stands for "it has come". */
static mdm_status take_other(input *in)
{
    mdm_packet *packet;
    in->port.kind = MDM_PORT_JSON;
    MDM_TRY(mdm_packet_new(&packet, 0, NULL, NULL, NULL));
    return push(in, packet);
}

static mdm_status take_packets(instance *i)
{
    int id[MDM_MODULE_PORTS];
    for (int n = 0; n < i->inputs; n++) {
        bmf_packet *packet;
        bmf_task_get_input_stream_ids(i->task, id);
        while ((packet = bmf_task_pop_packet_from_input_queue(i->task, id[n]))) {
            mdm_status status = MDM_OK;
            if (bmf_packet_timestamp(packet) == BMF_EOF)
                i->in[n].ended = true;
            else if (bmf_packet_is_videoframe(packet))
                status = take_video(i, &i->in[n], bmf_packet_get_videoframe(packet));
            else
                status = take_other(&i->in[n]);
            bmf_packet_free(packet);
            MDM_TRY(status);
        }
    }
    return MDM_OK;
}

/* ---- to BMF ------------------------------------------------------------------------------------------------------------- */

static mdm_status send(instance *i, int output, bmf_packet *packet, int64_t time)
{
    if (!packet)
        return mdm_fail(MDM_ERR_INTERNAL, "%s: BMF makes no packet", i->label);
    bmf_packet_set_timestamp(packet, time);
    bmf_task_fill_output_packet(i->task, i->out_id[output], packet);
    bmf_packet_free(packet);
    return MDM_OK;
}

/* A painted frame lies in planes of ours: it is copied into a picture of BMF's that is like the one that came. */
static mdm_status copy_out(bmf_video **out, instance *i, const mdm_frame *frame)
{
    mdm_image from[3], to[3];
    hmp_frame *like = bmf_vf_frame(i->like);
    const int format = hmp_frame_format(like);
    mdm_frame_planes(from, frame);
    *out = bmf_vf_make_frame(from[0].width, from[0].height, hmp_frame_pix_info(like), "cpu");
    if (!*out)
        return mdm_fail(MDM_ERR_MEMORY, "%s: BMF makes no picture", i->label);
    bmf_vf_copy_props(*out, i->like);
    bmf_vf_set_pts(*out, frame->pts);
    mdm_status status = view_planes(to, bmf_vf_frame(*out), format);
    for (int p = 0; p < 3 && status == MDM_OK; p++)
        for (int y = 0; y < to[p].height && y < from[p].height; y++)
            memcpy(to[p].data + (size_t)y * to[p].stride, from[p].data + (size_t)y * from[p].stride,
                   (size_t)to[p].width);
    if (status != MDM_OK)
        bmf_vf_free(*out);
    return status;
}

static mdm_status give_video(instance *i, int output, const mdm_packet *packet, bool as_it_came)
{
    bmf_video *video;
    if (as_it_came)
        return send(i, output, bmf_packet_from_videoframe(((const lent *)packet->data)->video), packet->time);
    MDM_TRY(copy_out(&video, i, mdm_packet_frame(packet)));
    const mdm_status status = send(i, output, bmf_packet_from_videoframe(video), packet->time);
    bmf_vf_free(video);
    return status;
}

static mdm_status give_json(instance *i, int output, const mdm_packet *packet)
{
    char *text = json_dumps(packet->data, JSON_COMPACT);
    bmf_json *json = text ? bmf_json_param_parse(text) : NULL;
    free(text);
    if (!json)
        return mdm_fail(MDM_ERR_MEMORY, "%s: no memory for a packet", i->label);
    const mdm_status status = send(i, output, bmf_packet_from_json_param(json), packet->time);
    bmf_json_param_free(json);
    return status;
}

/* Frames of BMF's are released by forget_lent; one that comes back unpainted is such a one. */
static mdm_status give(void *engine, int output, mdm_packet *packet)
{
    instance *i = engine;
    mdm_status status = MDM_OK;
    if (output < i->outputs && i->out[output].kind == MDM_PORT_VIDEO)
        status = give_video(i, output, packet, packet->release == forget_lent && mdm_frame_is_wrapped(packet->data));
    else if (output < i->outputs && i->out[output].kind == MDM_PORT_JSON)
        status = give_json(i, output, packet);
    mdm_packet_drop(&packet);
    return status;
}

/* ---- turns -------------------------------------------------------------------------------------------------------------- */

static mdm_status open_module(instance *i)
{
    mdm_port in[MDM_MODULE_PORTS];
    for (int n = 0; n < i->inputs; n++)
        in[n] = i->in[n].port;
    mdm_module_start start = {
        .node = i->label, .entry = "", .path = "", .option = i->option, .in = in, .inputs = i->inputs, .used = ~0u};
    if (i->inputs < i->module->least_inputs || i->inputs > i->module->most_inputs)
        return mdm_fail(MDM_ERR_INPUT, "%s: %d input streams, expected %d to %d", i->label, i->inputs,
                        i->module->least_inputs, i->module->most_inputs);
    const mdm_status status = mdm_module_open(&i->state, i->module, &start);
    memcpy(i->out, start.out, sizeof i->out);
    return status;
}

/* Which inputs a turn takes from; none: it cannot be taken yet. */
static unsigned ready_inputs(const instance *i)
{
    unsigned all = 0;
    int first = -1;
    for (int n = 0; n < i->inputs; n++) {
        const input *in = &i->in[n];
        if (in->count == 0 && !in->ended)
            return 0;
        if (in->count == 0)
            continue;
        all |= 1u << n;
        if (first < 0 || in->waiting[0]->time < i->in[first].waiting[0]->time)
            first = n;
    }
    return i->module->order == MDM_IN_TIME && first >= 0 ? 1u << first : all;
}

static bool at_end(const instance *i)
{
    for (int n = 0; n < i->inputs; n++)
        if (i->in[n].count > 0 || !i->in[n].ended)
            return false;
    return true;
}

static mdm_status take_turn(instance *i, unsigned which, bool last)
{
    mdm_packet *in[MDM_MODULE_PORTS] = {NULL};
    for (int n = 0; n < i->inputs; n++) {
        input *from = &i->in[n];
        if (!(which >> n & 1))
            continue;
        in[n] = from->waiting[0];
        memmove(from->waiting, from->waiting + 1, --from->count * sizeof *from->waiting);
        if (from->port.kind == MDM_PORT_VIDEO) {
            bmf_packet *same = bmf_packet_from_videoframe(((const lent *)in[n]->data)->video);
            if (i->like)
                bmf_vf_free(i->like);
            i->like = same ? bmf_packet_get_videoframe(same) : NULL;
            bmf_packet_free(same);
        }
    }
    mdm_turn turn = {.in = in, .inputs = i->inputs, .last = last, .give = give, .engine = i};
    const mdm_status status = i->module->turn(i->state, &turn);
    i->finished = last || turn.done;
    for (int n = 0; n < i->inputs; n++)
        mdm_packet_drop(&in[n]);
    return status;
}

static mdm_status process(instance *i)
{
    unsigned which;
    i->inputs = bmf_task_get_input_stream_ids(i->task, NULL);
    i->outputs = bmf_task_get_output_stream_ids(i->task, NULL);
    if (i->inputs > MDM_MODULE_PORTS || i->outputs > MDM_MODULE_PORTS)
        return mdm_fail(MDM_ERR_INPUT, "%s: more than %d streams", i->label, MDM_MODULE_PORTS);
    bmf_task_get_output_stream_ids(i->task, i->out_id);
    MDM_TRY(take_packets(i));
    while (!i->finished && ((which = ready_inputs(i)) || at_end(i))) {
        if (!i->state)
            MDM_TRY(open_module(i));
        MDM_TRY(take_turn(i, which, i->inputs > 0 && at_end(i)));
    }
    for (int n = 0; i->finished && n < i->outputs; n++)
        MDM_TRY(send(i, n, bmf_packet_generate_eof_packet(), BMF_EOF));
    if (i->finished)
        bmf_task_set_timestamp(i->task, BMF_DONE);
    return MDM_OK;
}

char *ModuleProcess(int32_t id, bmf_task *task)
{
    instance *i = instance_of(id);
    if (!i)
        return strdup("no such module");
    i->task = task;
    return told(process(i));
}
