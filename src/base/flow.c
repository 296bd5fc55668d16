/* The engine of flow.h. One lock guards queues and states. A thread takes the node nearest to the end that is ready, with its next
 * packets, works without the lock, and puts what was given into the queues afterwards: for quick nodes that is many turns a lock, for
 * slow ones one. */
#include "base/flow.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/trace.h"

enum {
    QUEUE = 5,
    BURST = 16, /* turns a quick node takes at once, at most */
    MOST_INPUTS = 8,
    MOST_NODES = 256,
    MOST_STREAMS = 1024,
    MOST_WAITING = 4096, /* of a queue that had to be widened */
    MOST_GIVEN = 65536,  /* in one turn */
    MESSAGE = 1024
};

#define QUICK 5e-6 /* seconds a turn: not worth waking a thread for */

typedef struct stream {
    int from, output, to, input;
    mdm_packet **item; /* a ring */
    size_t room, first, count, limit;
    bool ended;
} stream;

typedef struct given {
    int output;
    mdm_packet *packet;
} given;

typedef struct node {
    mdm_flow_node is;
    stream *in[MOST_INPUTS];
    int inputs;
    bool running, done;
    given *given; /* during its turns, by the thread that runs it */
    size_t given_count, given_room;
    uint64_t turns, waited;
    double seconds;
    int most_waiting;
} node;

struct mdm_flow {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    node *node;
    stream *stream;
    int nodes, streams;
    int running, idle; /* nodes at work, threads without any */
    bool over;
    mdm_status status; /* of the first failure */
    char message[MESSAGE];
};

/* A node's next turns: their packets, an input after the other. */
typedef struct burst {
    node *node;
    int turns;
    bool last;
    mdm_packet *taken[BURST][MOST_INPUTS];
    int waiting[BURST];
} burst;

mdm_status mdm_packet_new(mdm_packet **out, int64_t time, void *data, void (*release)(void *user, void *data),
                          void *user)
{
    const mdm_status status = mdm_alloc(out, 1, sizeof **out, "a packet");
    if (status != MDM_OK) {
        if (release)
            release(user, data);
        return status;
    }
    **out = (mdm_packet){.time = time, .data = data, .release = release, .user = user};
    atomic_init(&(*out)->references, 1);
    return MDM_OK;
}

mdm_packet *mdm_packet_keep(mdm_packet *packet)
{
    atomic_fetch_add_explicit(&packet->references, 1, memory_order_relaxed);
    return packet;
}

void mdm_packet_drop(mdm_packet **packet)
{
    mdm_packet *p = *packet;
    *packet = NULL;
    if (!p || atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) > 1)
        return;
    if (p->release)
        p->release(p->user, p->data);
    mdm_free(&p);
}

static mdm_status give(void *engine, int output, mdm_packet *packet)
{
    node *n = engine;
    mdm_status status = MDM_OK;
    if (n->given_count == n->given_room) {
        const size_t room = n->given_room ? 2 * n->given_room : BURST;
        status = room > MOST_GIVEN
                     ? mdm_fail(MDM_ERR_MEMORY, "%s: gives more than %d packets at a time", n->is.name, MOST_GIVEN)
                     : mdm_realloc(&n->given, room, sizeof *n->given, "packets");
        if (status == MDM_OK)
            n->given_room = room;
    }
    if (status == MDM_OK)
        n->given[n->given_count++] = (given){output, packet};
    else
        mdm_packet_drop(&packet);
    return status;
}

mdm_status mdm_flow_new(mdm_flow **out)
{
    MDM_TRY(mdm_alloc(out, 1, sizeof **out, "a flow"));
    mdm_flow *f = *out;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    mdm_status status = mdm_alloc(&f->node, MOST_NODES, sizeof *f->node, "nodes");
    if (status == MDM_OK)
        status = mdm_alloc(&f->stream, MOST_STREAMS, sizeof *f->stream, "streams");
    if (status != MDM_OK)
        mdm_flow_free(out);
    return status;
}

void mdm_flow_free(mdm_flow **flow)
{
    mdm_flow *f = *flow;
    if (!f)
        return;
    for (int s = 0; s < f->streams; s++) {
        stream *q = &f->stream[s];
        for (; q->count > 0; q->count--, q->first++)
            mdm_packet_drop(&q->item[q->first % q->room]);
        mdm_free(&q->item);
    }
    for (int n = 0; n < f->nodes; n++) {
        for (size_t i = 0; i < f->node[n].given_count; i++)
            mdm_packet_drop(&f->node[n].given[i].packet);
        mdm_free(&f->node[n].given);
    }
    mdm_free(&f->stream);
    mdm_free(&f->node);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    mdm_free(flow);
}

mdm_status mdm_flow_add(int *id, mdm_flow *flow, const mdm_flow_node *node)
{
    if (flow->nodes == MOST_NODES)
        return mdm_fail(MDM_ERR_INPUT, "%s: a graph has at most %d nodes", node->name, MOST_NODES);
    *id = flow->nodes++;
    flow->node[*id].is = *node;
    return MDM_OK;
}

mdm_status mdm_flow_join(mdm_flow *flow, int from, int output, int to, int input)
{
    node *n = &flow->node[to];
    if (input < 0 || input >= MOST_INPUTS || flow->streams == MOST_STREAMS)
        return mdm_fail(MDM_ERR_INPUT, "%s: input %d; a node has at most %d inputs, a graph %d streams", n->is.name,
                        input, MOST_INPUTS, MOST_STREAMS);
    if (n->in[input])
        return mdm_fail(MDM_ERR_INTERNAL, "%s: two streams at input %d", n->is.name, input);
    stream *s = &flow->stream[flow->streams++];
    const size_t limit = n->is.queue > 0 ? (size_t)n->is.queue : QUEUE;
    *s = (stream){.from = from, .output = output, .to = to, .input = input, .limit = limit};
    n->in[input] = s;
    n->inputs = input + 1 > n->inputs ? input + 1 : n->inputs;
    return MDM_OK;
}

/* Every input is joined, and nodes taken away once nothing unknown is before them leave nothing behind. */
static mdm_status check(const mdm_flow *f)
{
    bool known[MOST_NODES] = {false};
    int left = f->nodes;
    for (int n = 0; n < f->nodes; n++)
        for (int i = 0; i < f->node[n].inputs; i++)
            if (!f->node[n].in[i])
                return mdm_fail(MDM_ERR_INTERNAL, "%s: nothing is joined to input %d", f->node[n].is.name, i);
    for (bool found = true; found && left > 0;) {
        found = false;
        for (int n = 0; n < f->nodes; n++) {
            bool ready = !known[n];
            for (int i = 0; i < f->node[n].inputs; i++)
                ready = ready && known[f->node[n].in[i]->from];
            if (ready)
                known[n] = found = true, left--;
        }
    }
    for (int n = 0; n < f->nodes; n++)
        if (!known[n])
            return mdm_fail(MDM_ERR_INPUT, "%s: its output comes back to its input; a graph may not have circles",
                            f->node[n].is.name);
    return MDM_OK;
}

/* ---- what a node can do; all under the lock ---------------------------------------------------------------------------- */

static bool has_input(const node *n)
{
    for (int i = 0; i < n->inputs; i++)
        if (n->in[i]->count == 0 && !n->in[i]->ended)
            return false;
    return true;
}

static bool at_end(const node *n)
{
    for (int i = 0; i < n->inputs; i++)
        if (n->in[i]->count > 0 || !n->in[i]->ended)
            return false;
    return n->inputs > 0;
}

/* Packets that a node may give before one of those behind it holds it back. */
static size_t room_behind(const mdm_flow *f, const node *n)
{
    size_t room = BURST;
    for (int s = 0; s < f->streams; s++) {
        const stream *q = &f->stream[s];
        if (&f->node[q->from] != n || f->node[q->to].done)
            continue;
        const size_t left = q->count < q->limit ? q->limit - q->count : 0;
        room = left < room ? left : room;
    }
    return room;
}

static bool is_ready(const mdm_flow *f, const node *n)
{
    return !n->running && !n->done && has_input(n) && room_behind(f, n) > 0;
}

static bool is_quick(const node *n)
{
    return n->turns > 0 && n->seconds < QUICK * (double)n->turns;
}

/* The ready node nearest to the end; NULL: none. */
static node *next_ready(const mdm_flow *f, const node *except)
{
    for (int i = f->nodes - 1; i >= 0; i--)
        if (&f->node[i] != except && is_ready(f, &f->node[i]))
            return &f->node[i];
    return NULL;
}

static mdm_packet *pop(stream *q)
{
    mdm_packet *packet = q->item[q->first];
    q->first = (q->first + 1) % q->room;
    q->count--;
    return packet;
}

static mdm_status push(stream *q, mdm_packet *packet)
{
    if (q->count == q->room) {
        const size_t room = q->room ? 2 * q->room : q->limit;
        mdm_packet **item;
        MDM_TRY(mdm_alloc(&item, room, sizeof *item, "a queue"));
        for (size_t i = 0; i < q->count; i++)
            item[i] = q->item[(q->first + i) % q->room];
        mdm_free(&q->item);
        q->item = item;
        q->room = room;
        q->first = 0;
    }
    q->item[(q->first + q->count++) % q->room] = packet;
    return MDM_OK;
}

static int first_in_time(const node *n)
{
    int first = -1;
    for (int i = 0; i < n->inputs; i++)
        if (n->in[i]->count > 0 &&
            (first < 0 || n->in[i]->item[n->in[i]->first]->time < n->in[first]->item[n->in[first]->first]->time))
            first = i;
    return first;
}

static void take(burst *b, const mdm_flow *f, node *n)
{
    const size_t most = is_quick(n) ? room_behind(f, n) : 1;
    b->node = n;
    b->turns = 0;
    b->last = at_end(n);
    while ((size_t)b->turns < most && (b->turns == 0 || (has_input(n) && !at_end(n)))) {
        const int only = n->is.order == MDM_IN_TIME ? first_in_time(n) : -1;
        int waiting = 0;
        for (int i = 0; i < n->inputs; i++) {
            waiting += (int)n->in[i]->count;
            b->taken[b->turns][i] = n->in[i]->count > 0 && (only < 0 || only == i) ? pop(n->in[i]) : NULL;
        }
        n->waited += (uint64_t)waiting;
        n->most_waiting = waiting > n->most_waiting ? waiting : n->most_waiting;
        b->waiting[b->turns++] = waiting;
    }
    n->running = true;
}

static mdm_status hand_on(mdm_flow *f, node *n)
{
    mdm_status status = MDM_OK;
    for (size_t i = 0; i < n->given_count; i++) {
        mdm_packet *packet = n->given[i].packet;
        for (int s = 0; s < f->streams && status == MDM_OK; s++) {
            stream *q = &f->stream[s];
            if (&f->node[q->from] == n && q->output == n->given[i].output && !f->node[q->to].done)
                status = push(q, mdm_packet_keep(packet));
        }
        mdm_packet_drop(&packet);
    }
    n->given_count = 0;
    return status;
}

static void end(mdm_flow *f, node *n)
{
    n->done = true;
    for (int s = 0; s < f->streams; s++)
        if (&f->node[f->stream[s].from] == n)
            f->stream[s].ended = true;
    for (int i = 0; i < n->inputs; i++)
        while (n->in[i]->count > 0) {
            mdm_packet *packet = pop(n->in[i]);
            mdm_packet_drop(&packet);
        }
}

static void stop(mdm_flow *f, mdm_status status)
{
    f->over = true;
    if (f->status != MDM_OK)
        return;
    f->status = status;
    snprintf(f->message, sizeof f->message, "%s", mdm_error_message());
}

/* Nothing runs and nothing is ready. Over, or a node with several inputs waits for one while another is full: that queue grows. */
static void unlock_or_end(mdm_flow *f)
{
    bool widened = false, all_done = true;
    for (int n = 0; n < f->nodes; n++)
        all_done = all_done && f->node[n].done;
    if (all_done) {
        f->over = true;
        return;
    }
    for (int s = 0; s < f->streams; s++) {
        stream *q = &f->stream[s];
        if (q->count < q->limit || f->node[q->to].done || has_input(&f->node[q->to]))
            continue;
        if (q->limit >= MOST_WAITING) {
            stop(f, mdm_fail(MDM_ERR_INPUT, "%s: %zu packets wait at input %d for the first at another",
                             f->node[q->to].is.name, q->count, q->input));
            return;
        }
        q->limit *= 2;
        widened = true;
    }
    if (!widened)
        stop(f, mdm_fail(MDM_ERR_INTERNAL, "a graph stands still"));
}

/* ---- the threads --------------------------------------------------------------------------------------------------------- */

/* Takes the turns; *done: the node wants no more. Without the lock. */
static mdm_status take_turns(bool *done, burst *b)
{
    node *n = b->node;
    mdm_status status = MDM_OK;
    *done = b->last;
    for (int t = 0; t < b->turns; t++) {
        mdm_turn turn = {.in = b->taken[t], .inputs = n->inputs, .last = b->last, .give = give, .engine = n};
        if (status == MDM_OK && !(*done && !b->last)) {
            const double from = mdm_trace_is_on() ? mdm_now() : 0;
            status = n->is.work(n->is.user, &turn);
            if (mdm_trace_is_on())
                mdm_trace_span(n->is.name, from, mdm_now(), b->waiting[t]);
            *done = *done || turn.done;
        }
        for (int i = 0; i < n->inputs; i++)
            mdm_packet_drop(&b->taken[t][i]);
    }
    return status;
}

static void *work(void *user)
{
    mdm_flow *f = user;
    pthread_mutex_lock(&f->lock);
    while (!f->over) {
        burst b;
        bool done;
        node *n = next_ready(f, NULL);
        if (!n && f->running > 0) {
            f->idle++;
            pthread_cond_wait(&f->changed, &f->lock);
            f->idle--;
            continue;
        }
        if (!n) {
            unlock_or_end(f);
            continue;
        }
        take(&b, f, n);
        f->running++;
        const node *other = f->idle > 0 ? next_ready(f, n) : NULL;
        if (other && !(is_quick(n) && is_quick(other)))
            pthread_cond_signal(&f->changed);
        pthread_mutex_unlock(&f->lock);
        const double from = mdm_now();
        mdm_status status = take_turns(&done, &b);
        const double seconds = mdm_now() - from;
        pthread_mutex_lock(&f->lock);
        n->turns += (uint64_t)b.turns;
        n->seconds += seconds;
        n->running = false;
        f->running--;
        if (status == MDM_OK)
            status = hand_on(f, n);
        if (status != MDM_OK)
            stop(f, status);
        if (done)
            end(f, n);
    }
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

mdm_status mdm_flow_run(mdm_flow *flow, int threads)
{
    pthread_t thread[MOST_NODES];
    int started = 0;
    MDM_TRY(check(flow));
    threads = threads <= 0 || threads > flow->nodes ? flow->nodes : threads;
    while (started < threads - 1 && pthread_create(&thread[started], NULL, work, flow) == 0)
        started++;
    work(flow);
    while (started > 0)
        pthread_join(thread[--started], NULL);
    return flow->status == MDM_OK ? MDM_OK : mdm_fail(flow->status, "%s", flow->message);
}

mdm_status mdm_flow_line(const mdm_flow_node *nodes, int count)
{
    mdm_flow *flow;
    int id = 0;
    MDM_TRY(mdm_flow_new(&flow));
    mdm_status status = MDM_OK;
    for (int n = 0; n < count && status == MDM_OK; n++) {
        status = mdm_flow_add(&id, flow, &nodes[n]);
        if (status == MDM_OK && n > 0)
            status = mdm_flow_join(flow, id - 1, 0, id, 0);
    }
    if (status == MDM_OK)
        status = mdm_flow_run(flow, 0);
    mdm_flow_free(&flow);
    return status;
}

bool mdm_flow_report(mdm_node_report *out, const mdm_flow *flow, int id)
{
    if (id < 0 || id >= flow->nodes)
        return false;
    const node *n = &flow->node[id];
    *out = (mdm_node_report){n->is.name, n->turns, n->seconds, n->turns ? (double)n->waited / (double)n->turns : 0,
                             n->most_waiting};
    return true;
}
