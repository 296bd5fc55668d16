/* Python pickles read as data: a stack machine over values, with no operation that calls anything. */
#include "nn/pickle.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#define MAX_VALUES 4000000u
#define MAX_TEXT   4096u
#define NOTHING    UINT32_MAX

typedef struct machine {
    mdm_pickle *out;
    const unsigned char *data;
    size_t size, at;
    const char *where;
    uint32_t *stack, *mark, *memo;
    size_t depth, stack_capacity, marks, mark_capacity, memos, memo_capacity; /* memos: how many are set */
} machine;

/* ---- values ---- */

static mdm_status bad(const machine *m, const char *what)
{
    return mdm_fail(MDM_ERR_INPUT, "%s: byte %zu of its pickle: %s; not a file that torch.save wrote", m->where, m->at,
                    what);
}

static mdm_status make_room(void *list, size_t *capacity, size_t wanted, size_t size)
{
    size_t grown = *capacity ? *capacity : 64;
    if (wanted <= *capacity)
        return MDM_OK;
    while (grown < wanted)
        grown *= 2;
    MDM_TRY(mdm_realloc(list, grown, size, "pickle"));
    *capacity = grown;
    return MDM_OK;
}

static mdm_status push(machine *m, uint32_t value)
{
    if (m->depth >= MAX_VALUES)
        return bad(m, "too many values at once");
    MDM_TRY(make_room(&m->stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack));
    m->stack[m->depth++] = value;
    return MDM_OK;
}

static size_t floor_of(const machine *m)
{
    return m->marks ? m->mark[m->marks - 1] : 0;
}

static mdm_status pop(machine *m, uint32_t *value)
{
    if (m->depth <= floor_of(m))
        return bad(m, "an operation without a value to work on");
    *value = m->stack[--m->depth];
    return MDM_OK;
}

static mdm_status add(machine *m, mdm_pickle_kind kind, uint32_t *number)
{
    if (m->out->count >= MAX_VALUES)
        return bad(m, "more values than any checkpoint has");
    MDM_TRY(make_room(&m->out->value, &m->out->capacity, m->out->count + 1, sizeof *m->out->value));
    m->out->value[m->out->count] = (mdm_pickle_value){.kind = kind};
    *number = (uint32_t)m->out->count++;
    return MDM_OK;
}

static mdm_status append(machine *m, uint32_t list, uint32_t item)
{
    mdm_pickle_value *v = &m->out->value[list];
    MDM_TRY(make_room(&v->item, &v->capacity, v->count + 1, sizeof *v->item));
    v->item[v->count++] = item;
    return MDM_OK;
}

static mdm_status push_new(machine *m, mdm_pickle_kind kind)
{
    uint32_t number = 0;
    MDM_TRY(add(m, kind, &number));
    return push(m, number);
}

static mdm_status push_int(machine *m, int64_t value)
{
    MDM_TRY(push_new(m, MDM_PICKLE_INT));
    m->out->value[m->stack[m->depth - 1]].number = value;
    return MDM_OK;
}

static mdm_status push_text(machine *m, mdm_pickle_kind kind, const char *a, size_t a_size, const char *b,
                            size_t b_size)
{
    MDM_TRY(push_new(m, kind));
    mdm_pickle_value *v = &m->out->value[m->stack[m->depth - 1]];
    if (a_size > MAX_TEXT || b_size > MAX_TEXT || memchr(a, 0, a_size) || (b && memchr(b, 0, b_size)))
        return bad(m, "a text that is too long or has a byte 0 in it");
    return b ? mdm_format(&v->text, "%.*s.%.*s", (int)a_size, a, (int)b_size, b)
             : mdm_format(&v->text, "%.*s", (int)a_size, a);
}

/* ---- reading ---- */

static mdm_status take(machine *m, const unsigned char **bytes, size_t count)
{
    if (count > m->size - m->at)
        return bad(m, "the end comes too early");
    *bytes = m->data + m->at;
    m->at += count;
    return MDM_OK;
}

static mdm_status take_number(machine *m, uint64_t *value, int bytes)
{
    const unsigned char *b = NULL;
    MDM_TRY(take(m, &b, (size_t)bytes));
    *value = 0;
    for (int i = bytes; i-- > 0;)
        *value = *value << 8 | b[i];
    return MDM_OK;
}

static mdm_status take_line(machine *m, const char **line, size_t *size)
{
    const unsigned char *from = m->data + m->at, *end = memchr(from, '\n', m->size - m->at);
    if (!end)
        return bad(m, "a line without an end");
    *line = (const char *)from;
    *size = (size_t)(end - from);
    m->at += *size + 1;
    return MDM_OK;
}

static mdm_status take_text(machine *m, int bytes)
{
    uint64_t size = 0;
    const unsigned char *text = NULL;
    MDM_TRY(take_number(m, &size, bytes));
    if (size > m->size)
        return bad(m, "a text longer than the file");
    MDM_TRY(take(m, &text, (size_t)size));
    return push_text(m, MDM_PICKLE_TEXT, (const char *)text, (size_t)size, NULL, 0);
}

/* ---- operations ---- */

static mdm_status remember(machine *m, uint64_t slot)
{
    if (m->depth <= floor_of(m) || slot >= MAX_VALUES)
        return bad(m, "a memo of nothing");
    size_t before = m->memo_capacity;
    MDM_TRY(make_room(&m->memo, &m->memo_capacity, (size_t)slot + 1, sizeof *m->memo));
    for (size_t i = before; i < m->memo_capacity; i++)
        m->memo[i] = NOTHING;
    m->memos += m->memo[slot] == NOTHING;
    m->memo[slot] = m->stack[m->depth - 1];
    return MDM_OK;
}

static mdm_status recall(machine *m, uint64_t slot)
{
    if (slot >= m->memo_capacity || m->memo[slot] == NOTHING)
        return bad(m, "a memo that was never made");
    return push(m, m->memo[slot]);
}

static mdm_status set_mark(machine *m)
{
    if (m->marks >= MAX_VALUES)
        return bad(m, "too many marks");
    MDM_TRY(make_room(&m->mark, &m->mark_capacity, m->marks + 1, sizeof *m->mark));
    m->mark[m->marks++] = (uint32_t)m->depth;
    return MDM_OK;
}

/* Takes the last mark away; *from: where in the stack it lay. */
static mdm_status drop_mark(machine *m, size_t *from)
{
    if (!m->marks)
        return bad(m, "no mark");
    *from = m->mark[--m->marks];
    return MDM_OK;
}

static mdm_status tuple(machine *m, size_t from)
{
    uint32_t number = 0;
    if (from > m->depth || from < floor_of(m))
        return bad(m, "a tuple of values that are not there");
    MDM_TRY(add(m, MDM_PICKLE_LIST, &number));
    for (size_t i = from; i < m->depth; i++)
        MDM_TRY(append(m, number, m->stack[i]));
    m->depth = from;
    return push(m, number);
}

/* Adds the values above `from` to the list or dictionary below them. */
static mdm_status extend(machine *m, size_t from, mdm_pickle_kind kind)
{
    if (from <= floor_of(m) || from > m->depth)
        return bad(m, "items for a list that is not there");
    const uint32_t to = m->stack[from - 1];
    const bool dict = kind == MDM_PICKLE_DICT;
    if (dict && (m->depth - from) % 2)
        return bad(m, "a key without a value");
    if (m->out->value[to].kind == kind)
        for (size_t i = from; i < m->depth; i++)
            MDM_TRY(append(m, to, m->stack[i]));
    else if (m->out->value[to].kind != MDM_PICKLE_CALL) /* of a class of its own: what is in it is not looked at */
        return bad(m, "items for what holds none");
    m->depth = from;
    return MDM_OK;
}

/* Two values become one that holds both. An ordered dictionary is a dictionary. */
static mdm_status call(machine *m)
{
    uint32_t name = 0, arguments = 0, number = 0;
    MDM_TRY(pop(m, &arguments));
    MDM_TRY(pop(m, &name));
    const mdm_pickle_value *n = &m->out->value[name];
    if (n->kind == MDM_PICKLE_NAME && !strcmp(n->text, "collections.OrderedDict") && !m->out->value[arguments].count)
        return push_new(m, MDM_PICKLE_DICT);
    MDM_TRY(add(m, MDM_PICKLE_CALL, &number));
    MDM_TRY(append(m, number, name));
    MDM_TRY(append(m, number, arguments));
    return push(m, number);
}

static mdm_status foreign(machine *m)
{
    uint32_t what = 0, number = 0;
    MDM_TRY(pop(m, &what));
    MDM_TRY(add(m, MDM_PICKLE_FOREIGN, &number));
    MDM_TRY(append(m, number, what));
    return push(m, number);
}

static mdm_status global(machine *m)
{
    const char *module = NULL, *name = NULL;
    size_t module_size = 0, name_size = 0;
    MDM_TRY(take_line(m, &module, &module_size));
    MDM_TRY(take_line(m, &name, &name_size));
    return push_text(m, MDM_PICKLE_NAME, module, module_size, name, name_size);
}

static mdm_status stack_global(machine *m)
{
    uint32_t module = 0, name = 0;
    char a[256], b[256];
    MDM_TRY(pop(m, &name));
    MDM_TRY(pop(m, &module));
    const mdm_pickle_value *x = &m->out->value[module], *y = &m->out->value[name];
    if (x->kind != MDM_PICKLE_TEXT || y->kind != MDM_PICKLE_TEXT)
        return bad(m, "a class whose name is not text");
    snprintf(a, sizeof a, "%s", x->text); /* copied: adding a value may move the others */
    snprintf(b, sizeof b, "%s", y->text);
    return push_text(m, MDM_PICKLE_NAME, a, strlen(a), b, strlen(b));
}

static mdm_status long_number(machine *m)
{
    uint64_t size = 0;
    const unsigned char *b = NULL;
    MDM_TRY(take_number(m, &size, 1));
    MDM_TRY(take(m, &b, (size_t)size));
    if (size > 8) /* no size or shape is so large */
        return push_new(m, MDM_PICKLE_OTHER);
    uint64_t value = size && b[size - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = (size_t)size; i-- > 0;)
        value = value << 8 | b[i];
    return push_int(m, (int64_t)value);
}

static mdm_status number_of(machine *m, int bytes, bool is_signed)
{
    uint64_t value = 0;
    MDM_TRY(take_number(m, &value, bytes));
    return push_int(m, is_signed ? (int32_t)(uint32_t)value : (int64_t)value);
}

static mdm_status skip(machine *m, size_t count)
{
    const unsigned char *ignored;
    return take(m, &ignored, count);
}

static mdm_status memo_operation(machine *m, unsigned char operation)
{
    uint64_t slot = 0;
    switch (operation) {
    case 'q':
    case 'h':
        MDM_TRY(take_number(m, &slot, 1));
        break;
    case 'r':
    case 'j':
        MDM_TRY(take_number(m, &slot, 4));
        break;
    default: /* MEMOIZE */
        return remember(m, m->memos);
    }
    return operation == 'q' || operation == 'r' ? remember(m, slot) : recall(m, slot);
}

static mdm_status many(machine *m, unsigned char operation)
{
    size_t from = 0;
    uint32_t list;
    MDM_TRY(drop_mark(m, &from));
    switch (operation) {
    case 't':
        return tuple(m, from);
    case 'u':
        return extend(m, from, MDM_PICKLE_DICT);
    case 'e':
        return extend(m, from, MDM_PICKLE_LIST);
    case 'l':
        return tuple(m, from);
    default: /* 'd' */
        MDM_TRY(tuple(m, from));
        list = m->stack[m->depth - 1];
        if (m->out->value[list].count % 2)
            return bad(m, "a key without a value");
        m->out->value[list].kind = MDM_PICKLE_DICT;
        return MDM_OK;
    }
}

static mdm_status operate(machine *m, unsigned char operation)
{
    uint32_t dropped;
    switch (operation) {
    case 0x80: /* PROTO */
        return skip(m, 1);
    case 0x95: /* FRAME */
    case 'G':  /* BINFLOAT */
        MDM_TRY(skip(m, 8));
        return operation == 'G' ? push_new(m, MDM_PICKLE_OTHER) : MDM_OK;
    case '}':
        return push_new(m, MDM_PICKLE_DICT);
    case ']':
    case ')':
        return push_new(m, MDM_PICKLE_LIST);
    case 'N':
        return push_new(m, MDM_PICKLE_OTHER);
    case 0x88:
    case 0x89:
        return push_int(m, operation == 0x88);
    case 'K':
        return number_of(m, 1, false);
    case 'M':
        return number_of(m, 2, false);
    case 'J':
        return number_of(m, 4, true);
    case 0x8a:
        return long_number(m);
    case 'X':
        return take_text(m, 4);
    case 0x8c:
        return take_text(m, 1);
    case 'c':
        return global(m);
    case 0x93:
        return stack_global(m);
    case 'q':
    case 'r':
    case 'h':
    case 'j':
    case 0x94:
        return memo_operation(m, operation);
    case '(':
        return set_mark(m);
    case 't':
    case 'u':
    case 'e':
    case 'l':
    case 'd':
        return many(m, operation);
    case 0x85:
    case 0x86:
    case 0x87:
        return m->depth < (size_t)(operation - 0x84) ? bad(m, "a tuple of values that are not there")
                                                     : tuple(m, m->depth - (size_t)(operation - 0x84));
    case 's':
        return m->depth < 2 ? bad(m, "a key without a value") : extend(m, m->depth - 2, MDM_PICKLE_DICT);
    case 'a':
        return m->depth < 1 ? bad(m, "no item") : extend(m, m->depth - 1, MDM_PICKLE_LIST);
    case 'R':
    case 0x81: /* NEWOBJ */
        return call(m);
    case 'Q':
        return foreign(m);
    case 'b': /* BUILD: the state of an object, which is not looked at */
    case '0':
        return pop(m, &dropped);
    default: {
        char what[48];
        snprintf(what, sizeof what, "operation 0x%02x, which is not for data", operation);
        return bad(m, what);
    }
    }
}

static mdm_status run(machine *m)
{
    const unsigned char *operation = NULL;
    for (;;) {
        MDM_TRY(take(m, &operation, 1));
        if (*operation == '.')
            break;
        MDM_TRY(operate(m, *operation));
    }
    return m->depth == 1 && !m->marks ? MDM_OK : bad(m, "it does not end with one value");
}

mdm_status mdm_pickle_read(mdm_pickle *out, const unsigned char *data, size_t size, const char *where)
{
    machine m = {.out = out, .data = data, .size = size, .where = where};
    memset(out, 0, sizeof *out);
    mdm_status status = run(&m);
    if (!status) {
        out->root = m.stack[0];
        out->end = m.at;
    }
    mdm_free(&m.stack);
    mdm_free(&m.mark);
    mdm_free(&m.memo);
    return status;
}

void mdm_pickle_free(mdm_pickle *pickle)
{
    for (size_t i = 0; i < pickle->count; i++) {
        mdm_free(&pickle->value[i].text);
        mdm_free(&pickle->value[i].item);
    }
    mdm_free(&pickle->value);
    memset(pickle, 0, sizeof *pickle);
}

const mdm_pickle_value *mdm_pickle_item(const mdm_pickle *pickle, const mdm_pickle_value *value, size_t i)
{
    return value && i < value->count ? &pickle->value[value->item[i]] : NULL;
}
