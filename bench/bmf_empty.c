/* Three BMF modules that do nothing, for bench_flow: a source of COUNT packets, one that passes them on, one that counts. */
#define _XOPEN_SOURCE 700 /* strdup */
#include <stdlib.h>
#include <string.h>

#include "bmf/bmf_abi.h"

enum { MOST = 64 };

static struct {
    char kind;
    long left;
} module[MOST];
static int modules;

void ConstructorRegister(void)
{
}

char *BmfSdkVersion(void)
{
    return strdup("0.2.0"); /* BMF frees it */
}

void FreeCString(char *text)
{
    free(text);
}

int32_t ModuleConstruct(const char *name, int32_t node, const char *options)
{
    const char *count = strstr(options, "\"count\":");
    (void)node;
    if (modules == MOST)
        return -1;
    module[modules].kind = name[0];
    module[modules].left = count ? atol(count + 8) : 0;
    return modules++;
}

char *ModuleInit(int32_t id)
{
    (void)id;
    return NULL;
}

char *ModuleReset(int32_t id)
{
    (void)id;
    return NULL;
}

char *ModuleClose(int32_t id)
{
    (void)id;
    return NULL;
}

char *ModuleGetInfo(int32_t id)
{
    (void)id;
    return strdup("{}");
}

bool ModuleNeedHungryCheck(int32_t id, int32_t input)
{
    (void)id, (void)input;
    return false;
}

bool ModuleIsHungry(int32_t id, int32_t input)
{
    (void)id, (void)input;
    return true;
}

bool ModuleIsInfinity(int32_t id)
{
    (void)id;
    return false;
}

static void give(bmf_task *task, bmf_packet *packet)
{
    int out[8];
    for (int i = 0, count = bmf_task_get_output_stream_ids(task, out); i < count; i++)
        bmf_task_fill_output_packet(task, out[i], packet);
    bmf_packet_free(packet);
}

char *ModuleProcess(int32_t id, bmf_task *task)
{
    int in[8];
    if (module[id].kind == 's') { /* source */
        if (module[id].left-- > 0) {
            static char nothing[1];
            bmf_packet *packet = bmf_packet_from_string_param(nothing);
            bmf_packet_set_timestamp(packet, module[id].left);
            give(task, packet);
        } else {
            give(task, bmf_packet_generate_eof_packet());
            bmf_task_set_timestamp(task, BMF_DONE);
        }
        return NULL;
    }
    bmf_packet *packet;
    for (int i = 0, count = bmf_task_get_input_stream_ids(task, in); i < count; i++)
        while ((packet = bmf_task_pop_packet_from_input_queue(task, in[i]))) {
            if (bmf_packet_timestamp(packet) == BMF_EOF)
                bmf_task_set_timestamp(task, BMF_DONE);
            give(task, packet);
        }
    return NULL;
}
