/* The graph engine: nodes with bounded queues between them, run by a few threads. A node's turns are taken one at a time and in
 * order, so that what comes out does not depend on how many threads there are; a slow node holds back those before it.
 *
 *     mdm_flow *flow; int from, to;
 *     mdm_flow_new(&flow);
 *     mdm_flow_add(&from, flow, &(mdm_flow_node){.name = "decode", .work = decode, .user = d});
 *     mdm_flow_add(&to, flow, &(mdm_flow_node){.name = "encode", .work = encode, .user = e});
 *     mdm_flow_join(flow, from, 0, to, 0);
 *     status = mdm_flow_run(flow, 2);
 *     mdm_flow_free(&flow); */
#ifndef MDM_BASE_FLOW_H
#define MDM_BASE_FLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What travels: something counted, with a time. Whoever holds a reference may read `data`; only who made it writes to it, or a node
 * that is the only one to get it. */
typedef struct mdm_packet {
    int64_t time;
    void *data;
    void (*release)(void *user, void *data); /* when the last reference goes, in any thread; may be NULL */
    void *user;
    atomic_int references;
} mdm_packet;

/* A packet with one reference. Takes over `data` even where it fails. */
mdm_status mdm_packet_new(mdm_packet **out, int64_t time, void *data, void (*release)(void *user, void *data),
                          void *user);
mdm_packet *mdm_packet_keep(mdm_packet *packet); /* one reference more */
void mdm_packet_drop(mdm_packet **packet);       /* one less; nulls */

/* One turn of a node. */
typedef struct mdm_turn {
    mdm_packet *const
        *in; /* one for each input; NULL where there is none this time. Dropped after the turn: keep what must stay */
    int inputs;
    bool last; /* every input has ended: the only turn without a packet, for what is left over. Sources have none */
    bool done; /* set by the node: it wants no further turn. How a source ends */
    mdm_status (*give)(void *engine, int output, mdm_packet *packet);
    void *engine;
} mdm_turn;

/* Hands a packet to everybody who is joined to `output`; takes the reference over even where it fails. */
static inline mdm_status mdm_turn_give(mdm_turn *turn, int output, mdm_packet *packet)
{
    return turn->give(turn->engine, output, packet);
}

/* What a turn of a node with several inputs gets. */
typedef enum mdm_join_order {
    MDM_IN_STEP, /* one packet of every input that has not ended */
    MDM_IN_TIME  /* one packet: the earliest of all inputs, of the first of them where two are as early */
} mdm_join_order;

typedef struct mdm_flow_node {
    const char *name; /* for messages and the trace; borrowed */
    /* A failure ends the flow with its status and message; MDM_ERR_CANCELLED is how a node stops it. */
    mdm_status (*work)(void *user, mdm_turn *turn);
    void *user;
    mdm_join_order order;
    int queue; /* packets that wait at each input before the nodes in front are held back; 0: 5 */
} mdm_flow_node;

typedef struct mdm_flow mdm_flow;

mdm_status mdm_flow_new(mdm_flow **out);
mdm_status mdm_flow_add(int *id, mdm_flow *flow, const mdm_flow_node *node);
mdm_status mdm_flow_join(mdm_flow *flow, int from, int output, int to, int input);

/* Runs to the end, once. `threads`: with the caller's; 0: one a node. Where fewer can be started the others do their work.
 * MDM_ERR_INTERNAL: an input that nothing, or two things, are joined to, or a circle. */
mdm_status mdm_flow_run(mdm_flow *flow, int threads);

/* The commonest graph: a line of nodes, each joined to the next, a thread for each. */
mdm_status mdm_flow_line(const mdm_flow_node *nodes, int count);

/* What a node did: its turns, the time they took, and what waited before it when they began. */
typedef struct mdm_node_report {
    const char *name;
    uint64_t turns;
    double seconds, waiting; /* waiting: packets, on average */
    int most_waiting;
} mdm_node_report;
bool mdm_flow_report(mdm_node_report *out, const mdm_flow *flow, int id); /* false past the last node */

void mdm_flow_free(mdm_flow **flow);

#endif
