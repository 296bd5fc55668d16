/* What a hop between two nodes costs: packets through a line of nodes that do nothing, by our engine and by BMF's beside it. The last
 * line of standard output is JSON: seconds, and nanoseconds a packet and hop.
 *   bench_flow PACKETS NODES [BMF_ENGINE MODULES]
 * BMF_ENGINE: libengine.so of the PyPI package BabitMF, its folder in LD_LIBRARY_PATH; MODULES: the library of bench/bmf_empty.c.
 * bench/flow finds both. */
#define _XOPEN_SOURCE 700
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/flow.h"
#include "base/memory.h"
#include "faces.h"

static void tell(mdm_buffer *out, const char *engine, double seconds, long packets, int nodes)
{
    bench_must(mdm_buffer_printf(out, ", \"%s\": {\"seconds\": %.4f, \"ns_a_hop\": %.1f}", engine, seconds,
                                 1e9 * seconds / (double)packets / (double)(nodes - 1)),
               "report");
}

static mdm_status make(void *user, mdm_turn *turn)
{
    long *left = user;
    mdm_packet *packet;
    turn->done = *left == 0;
    if (turn->done)
        return MDM_OK;
    MDM_TRY(mdm_packet_new(&packet, -(*left)--, NULL, NULL, NULL));
    return mdm_turn_give(turn, 0, packet);
}

static mdm_status pass(void *user, mdm_turn *turn)
{
    (void)user;
    return turn->last ? MDM_OK : mdm_turn_give(turn, 0, mdm_packet_keep(turn->in[0]));
}

static mdm_status count(void *user, mdm_turn *turn)
{
    *(long *)user += !turn->last;
    return MDM_OK;
}

static double run_ours(long packets, int nodes, int threads)
{
    mdm_flow *flow;
    long left = packets, seen = 0;
    int before = 0, id;
    bench_must(mdm_flow_new(&flow), "flow");
    for (int n = 0; n < nodes; n++) {
        const mdm_flow_node source = {.name = "source", .work = make, .user = &left},
                       middle = {.name = "pass", .work = pass}, sink = {.name = "sink", .work = count, .user = &seen};
        bench_must(mdm_flow_add(&id, flow, n == 0 ? &source : n == nodes - 1 ? &sink : &middle), "node");
        if (n > 0)
            bench_must(mdm_flow_join(flow, before, 0, id, 0), "stream");
        before = id;
    }
    const double from = mdm_now();
    bench_must(mdm_flow_run(flow, threads), "run");
    const double seconds = mdm_now() - from;
    mdm_flow_free(&flow);
    if (seen != packets)
        bench_must(mdm_fail(MDM_ERR_INTERNAL, "%ld packets of %ld arrived", seen, packets), "run");
    return seconds;
}

static double run_bmf(void *engine, const char *modules, long packets, int nodes)
{
    void *(*make_graph)(const char *, bool, bool);
    int (*start)(void *), (*finish)(void *);
    void (*release)(void *);
    *(void **)&make_graph = dlsym(engine, "bmf_make_graph");
    *(void **)&start = dlsym(engine, "bmf_graph_start");
    *(void **)&finish = dlsym(engine, "bmf_graph_close");
    *(void **)&release = dlsym(engine, "bmf_graph_free");
    mdm_buffer text = {0};
    bench_must(mdm_buffer_printf(&text, "{\"mode\":\"Normal\",\"option\":{\"scheduler_count\":2},\"input_streams\":[],"
                                        "\"output_streams\":[],\"nodes\":["),
               "graph");
    for (int n = 0; n < nodes; n++) {
        char in[64] = "", out[64] = "";
        if (n > 0)
            snprintf(in, sizeof in, "{\"identifier\":\"s%d\",\"alias\":\"\"}", n);
        if (n < nodes - 1)
            snprintf(out, sizeof out, "{\"identifier\":\"s%d\",\"alias\":\"\"}", n + 1);
        bench_must(mdm_buffer_printf(&text,
                                     "%s{\"id\":%d,\"module_info\":{\"name\":\"%s\",\"type\":\"go\",\"path\":\"%s\","
                                     "\"entry\":\"empty.%s\"},\"meta_info\":{\"premodule_id\":-1,"
                                     "\"callback_binding\":[],\"queue_length_limit\":5},\"option\":{\"count\":%ld},"
                                     "\"scheduler\":%d,\"input_manager\":\"immediate\",\"alias\":\"\","
                                     "\"input_streams\":[%s],\"output_streams\":[%s]}",
                                     n ? "," : "", n,
                                     n == 0           ? "source"
                                     : n == nodes - 1 ? "count"
                                                      : "pass",
                                     modules,
                                     n == 0           ? "source"
                                     : n == nodes - 1 ? "count"
                                                      : "pass",
                                     packets, n % 2, in, out),
                   "graph");
    }
    bench_must(mdm_buffer_printf(&text, "]}"), "graph");
    void *graph = make_graph((const char *)text.data, false, false);
    if (!graph)
        bench_must(mdm_fail(MDM_ERR_INTERNAL, "BMF does not take the graph"), "BMF");
    const double from = mdm_now();
    if (start(graph) != 0 || finish(graph) != 0)
        bench_must(mdm_fail(MDM_ERR_INTERNAL, "BMF does not run the graph"), "BMF");
    const double seconds = mdm_now() - from;
    release(graph);
    mdm_buffer_free(&text);
    return seconds;
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 5) {
        fprintf(stderr, "usage: bench_flow PACKETS NODES [BMF_ENGINE MODULES]\n");
        return 2;
    }
    const long packets = strtol(argv[1], NULL, 10);
    const int nodes = (int)strtol(argv[2], NULL, 10);
    if (packets < 1 || nodes < 2 || nodes > 64)
        return 2;
    mdm_buffer report = {0}; /* told at the end: BMF writes to standard output too */
    tell(&report, "mmdm, one thread", run_ours(packets, nodes, 1), packets, nodes);
    tell(&report, "mmdm, two threads", run_ours(packets, nodes, 2), packets, nodes);
    void *engine = argc == 5 ? dlopen(argv[3], RTLD_NOW | RTLD_GLOBAL) : NULL;
    if (argc == 5 && !engine)
        bench_must(mdm_fail(MDM_ERR_INPUT, "%s", dlerror()), "BMF");
    if (engine)
        tell(&report, "BMF, two threads", run_bmf(engine, argv[4], packets, nodes), packets, nodes);
    printf("{\"packets\": %ld, \"nodes\": %d%s}\n", packets, nodes, (const char *)report.data);
    mdm_buffer_free(&report);
    return 0;
}
