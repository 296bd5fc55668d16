/* Taking an ONNX file apart. Field numbers are those of onnx.proto (ONNX 1.x). */
#include "nn/onnx_file.h"

#include <string.h>

#include "base/memory.h"

#define MAX_ITEMS ((size_t)1 << 20)

/* ---- protocol buffers ---- */

typedef struct cursor {
    const unsigned char *at, *end;
    bool bad;
} cursor;

typedef struct field {
    int number, wire;
    uint64_t value; /* wire 0, 1, 5 */
    cursor bytes;   /* wire 2 */
} field;

static uint64_t varint(cursor *c)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (c->at == c->end)
            break;
        unsigned char byte = *c->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return value;
    }
    c->bad = true;
    return 0;
}

static uint64_t fixed(cursor *c, int bytes)
{
    uint64_t value = 0;
    if (c->end - c->at < bytes) {
        c->bad = true;
        return 0;
    }
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)*c->at++ << (8 * i);
    return value;
}

static bool next(cursor *c, field *out)
{
    if (c->bad || c->at == c->end)
        return false;
    uint64_t key = varint(c);
    *out = (field){.number = key >> 3 > 1000 ? 1000 : (int)(key >> 3), .wire = (int)(key & 7)};
    switch (out->wire) {
    case 0:
        out->value = varint(c);
        break;
    case 1:
        out->value = fixed(c, 8);
        break;
    case 5:
        out->value = fixed(c, 4);
        break;
    case 2: {
        uint64_t length = varint(c);
        if (c->bad || length > (uint64_t)(c->end - c->at))
            c->bad = true;
        else {
            out->bytes = (cursor){.at = c->at, .end = c->at + length};
            c->at += length;
        }
        break;
    }
    default:
        c->bad = true;
    }
    return !c->bad;
}

static mdm_onnx_text text_of(const field *f)
{
    size_t length = f->bytes.at ? (size_t)(f->bytes.end - f->bytes.at) : 0;
    return (mdm_onnx_text){(const char *)f->bytes.at, length > 65535 ? 65535 : (int)length};
}

bool mdm_onnx_is(mdm_onnx_text text, const char *word)
{
    size_t length = strlen(word);
    return (size_t)text.length == length && (length == 0 || memcmp(text.at, word, length) == 0);
}

/* ---- lists ---- */

/* Makes a list one zeroed item longer. */
static mdm_status append(const mdm_onnx *o, void *list, size_t *count, size_t *room, size_t size)
{
    void **array = list;
    if (*count == *room) {
        size_t larger = *room ? *room * 2 : 64;
        if (larger > MAX_ITEMS)
            return mdm_fail(MDM_ERR_INPUT, "%s: more than %zu items in its graph", o->path, MAX_ITEMS);
        MDM_TRY(mdm_realloc(list, larger, size, "ONNX graph"));
        *room = larger;
    }
    memset((char *)*array + *count * size, 0, size);
    (*count)++;
    return MDM_OK;
}

static mdm_status add_link(mdm_onnx *o, int value)
{
    MDM_TRY(append(o, &o->links, &o->link_count, &o->link_room, sizeof *o->links));
    o->links[o->link_count - 1] = value;
    return MDM_OK;
}

static size_t hash(mdm_onnx_text text)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (int i = 0; i < text.length; i++)
        h = (h ^ (unsigned char)text.at[i]) * 16777619u;
    return h;
}

static uint32_t *slot_of(const mdm_onnx *o, mdm_onnx_text name)
{
    size_t at = hash(name) & (o->slot_count - 1);
    for (;; at = (at + 1) & (o->slot_count - 1)) {
        uint32_t index = o->slots[at];
        if (!index)
            return &o->slots[at];
        mdm_onnx_text other = o->values[index - 1];
        if (other.length == name.length && (name.length == 0 || memcmp(other.at, name.at, (size_t)name.length) == 0))
            return &o->slots[at];
    }
}

/* The number of a value's name; -1 for the empty name, which means "left out". */
static mdm_status value_number(mdm_onnx *o, int *out, mdm_onnx_text name)
{
    *out = -1;
    if (name.length == 0)
        return MDM_OK;
    if (o->slot_count < 2 * (o->value_count + 1)) {
        size_t slots = o->slot_count ? o->slot_count * 2 : 1024;
        mdm_free(&o->slots);
        o->slot_count = 0;
        MDM_TRY(mdm_alloc(&o->slots, slots, sizeof *o->slots, "ONNX names"));
        o->slot_count = slots;
        for (size_t i = 0; i < o->value_count; i++)
            *slot_of(o, o->values[i]) = (uint32_t)i + 1;
    }
    uint32_t *slot = slot_of(o, name);
    if (!*slot) {
        MDM_TRY(append(o, &o->values, &o->value_count, &o->value_room, sizeof *o->values));
        o->values[o->value_count - 1] = name;
        *slot = (uint32_t)o->value_count;
    }
    *out = (int)*slot - 1;
    return MDM_OK;
}

static mdm_status own(mdm_onnx *o, void *out, size_t count, size_t size)
{
    MDM_TRY(append(o, &o->owned, &o->owned_count, &o->owned_room, sizeof *o->owned));
    MDM_TRY(mdm_alloc(out, count, size, "ONNX constant"));
    o->owned[o->owned_count - 1] = *(void **)out;
    return MDM_OK;
}

/* ---- tensors ---- */

static bool dtype_of(mdm_dtype *out, uint64_t type)
{
    static const struct {
        int number;
        mdm_dtype dtype;
    } types[] = {{1, MDM_F32}, {2, MDM_U8},   {3, MDM_I8},   {4, MDM_U16},  {5, MDM_I16},  {6, MDM_I32},
                 {7, MDM_I64}, {9, MDM_BOOL}, {10, MDM_F16}, {11, MDM_F64}, {16, MDM_BF16}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].number == (int)type && type < 100) {
            *out = types[i].dtype;
            return true;
        }
    return false;
}

/* int32_data and int64_data: packed varints, stored as 64 bits and narrowed to the tensor's own width. */
static mdm_status unpack(mdm_onnx *o, mdm_onnx_tensor *t, cursor packed)
{
    size_t width = mdm_dtype_size(t->dtype);
    unsigned char *out;
    MDM_TRY(own(o, &out, t->count + 1, width));
    for (size_t i = 0; i < t->count; i++) {
        uint64_t value = varint(&packed);
        if (packed.bad)
            return mdm_fail(MDM_ERR_INPUT, "%s: constant \"%.*s\" ends after %zu of %zu values", o->path,
                            t->name.length, t->name.at, i, t->count);
        for (size_t k = 0; k < width; k++)
            out[i * width + k] = (unsigned char)(value >> (8 * k));
    }
    t->data = out;
    t->size = t->count * width;
    return MDM_OK;
}

static mdm_status add_dim(const mdm_onnx *o, mdm_onnx_tensor *t, uint64_t value)
{
    if (t->rank == MDM_MAX_RANK || value > INT32_MAX)
        return mdm_fail(MDM_ERR_INPUT, "%s: a constant of more than %d axes or of an extent of %llu", o->path,
                        MDM_MAX_RANK, (unsigned long long)value);
    t->shape[t->rank++] = (int64_t)value;
    return MDM_OK;
}

static mdm_status read_tensor(mdm_onnx *o, int *index, cursor c)
{
    mdm_onnx_tensor t = {0};
    cursor raw = {0}, packed = {0};
    uint64_t type = 0;
    field f;
    *index = -1;
    while (next(&c, &f)) {
        if (f.number == 1 && f.wire == 0)
            MDM_TRY(add_dim(o, &t, f.value));
        else if (f.number == 1 && f.wire == 2)
            while (f.bytes.at < f.bytes.end) {
                uint64_t value = varint(&f.bytes);
                if (f.bytes.bad)
                    return mdm_fail(MDM_ERR_INPUT, "%s: the shape of a constant is cut off", o->path);
                MDM_TRY(add_dim(o, &t, value));
            }
        else if (f.number == 2)
            type = f.value;
        else if (f.number == 8 && f.wire == 2)
            t.name = text_of(&f);
        else if ((f.number == 9 || f.number == 4 || f.number == 10) && f.wire == 2)
            raw = f.bytes; /* packed floats and doubles are stored as raw data is */
        else if ((f.number == 5 || f.number == 7) && f.wire == 2)
            packed = f.bytes;
        else if (f.number == 4 || f.number == 5 || f.number == 7 || f.number == 13)
            return mdm_fail(MDM_ERR_INPUT, "%s: constant \"%.*s\" is stored unpacked or in another file", o->path,
                            t.name.length, t.name.at);
    }
    if (c.bad || !dtype_of(&t.dtype, type))
        return mdm_fail(MDM_ERR_INPUT, "%s: constant \"%.*s\" is cut off or has the unknown type %llu", o->path,
                        t.name.length, t.name.at ? t.name.at : "", (unsigned long long)type);
    t.count = 1;
    for (int i = 0; i < t.rank; i++)
        if (!mdm_mul_size(&t.count, t.count, (size_t)t.shape[i]) || t.count > MAX_ITEMS * 1024)
            return mdm_fail(MDM_ERR_INPUT, "%s: constant \"%.*s\" is too large", o->path, t.name.length, t.name.at);
    size_t left = raw.at ? (size_t)(raw.end - raw.at) : 0, need = t.count * mdm_dtype_size(t.dtype);
    if (packed.at && !raw.at) {
        if (t.count > (size_t)(packed.end - packed.at)) /* a value takes a byte at least */
            return mdm_fail(MDM_ERR_INPUT, "%s: constant \"%.*s\" has fewer values than its shape says", o->path,
                            t.name.length, t.name.at);
        MDM_TRY(unpack(o, &t, packed));
    } else if (left != need) {
        return mdm_fail(MDM_ERR_INPUT, "%s: constant \"%.*s\" has %zu bytes, its shape needs %zu", o->path,
                        t.name.length, t.name.at ? t.name.at : "", left, need);
    } else {
        t.data = raw.at;
        t.size = left;
    }
    size_t count = o->tensor_count;
    MDM_TRY(append(o, &o->tensor_value, &count, &o->tensor_value_room, sizeof *o->tensor_value));
    MDM_TRY(append(o, &o->tensors, &o->tensor_count, &o->tensor_room, sizeof *o->tensors));
    o->tensors[o->tensor_count - 1] = t;
    o->tensor_value[o->tensor_count - 1] = -1;
    *index = (int)o->tensor_count - 1;
    return MDM_OK;
}

/* ---- nodes ---- */

static mdm_status read_attribute(mdm_onnx *o, cursor c)
{
    MDM_TRY(append(o, &o->attributes, &o->attribute_count, &o->attribute_room, sizeof *o->attributes));
    mdm_onnx_attribute *a = &o->attributes[o->attribute_count - 1];
    a->tensor = -1;
    field f;
    while (next(&c, &f)) {
        uint32_t bits = (uint32_t)f.value;
        if (f.number == 1)
            a->name = text_of(&f);
        else if (f.number == 2 && f.wire == 5)
            memcpy(&a->f, &bits, sizeof bits);
        else if (f.number == 3)
            a->i = (int64_t)f.value;
        else if (f.number == 4)
            a->text = text_of(&f);
        else if (f.number == 5 && f.wire == 2) {
            MDM_TRY(read_tensor(o, &a->tensor, f.bytes));
        } else if (f.number == 8) {
            cursor list = f.bytes;
            bool single = f.wire == 0;
            while (single || list.at < list.end) {
                int64_t value = (int64_t)(single ? f.value : varint(&list));
                if (list.bad || a->int_count == MDM_ONNX_MAX_INTS)
                    return mdm_fail(MDM_ERR_INPUT, "%s: attribute \"%.*s\" is cut off or has more than %d numbers",
                                    o->path, a->name.length, a->name.at ? a->name.at : "", MDM_ONNX_MAX_INTS);
                a->ints[a->int_count++] = value;
                if (single)
                    break;
            }
        }
    }
    return c.bad ? mdm_fail(MDM_ERR_INPUT, "%s: an attribute is cut off", o->path) : MDM_OK;
}

static mdm_status read_node(mdm_onnx *o, cursor c)
{
    mdm_onnx_node node = {.first_attribute = (int)o->attribute_count};
    field f;
    for (int pass = 1; pass <= 2; pass++) { /* inputs, then outputs, so that each lie together */
        cursor again = c;
        int *first = pass == 1 ? &node.first_input : &node.first_output;
        int *count = pass == 1 ? &node.input_count : &node.output_count;
        *first = (int)o->link_count;
        while (next(&again, &f))
            if (f.number == pass && f.wire == 2) {
                int value;
                MDM_TRY(value_number(o, &value, text_of(&f)));
                MDM_TRY(add_link(o, value));
                ++*count;
            }
    }
    while (next(&c, &f)) {
        if (f.number == 3)
            node.name = text_of(&f);
        else if (f.number == 4)
            node.op = text_of(&f);
        else if (f.number == 5 && f.wire == 2) {
            MDM_TRY(read_attribute(o, f.bytes));
            node.attribute_count++;
        }
    }
    if (c.bad)
        return mdm_fail(MDM_ERR_INPUT, "%s: node %zu is cut off", o->path, o->node_count);
    const mdm_onnx_attribute *value = mdm_onnx_is(node.op, "Constant") ? mdm_onnx_find(o, &node, "value") : NULL;
    if (value && value->tensor >= 0 && node.output_count == 1) { /* a constant is no node of ours */
        o->tensor_value[value->tensor] = o->links[node.first_output];
        return MDM_OK;
    }
    MDM_TRY(append(o, &o->nodes, &o->node_count, &o->node_room, sizeof *o->nodes));
    o->nodes[o->node_count - 1] = node;
    return MDM_OK;
}

static void read_shape(mdm_onnx_input *input, cursor c)
{
    field f, dim;
    while (next(&c, &f))
        if (f.number == 1 && f.wire == 2) {
            if (input->rank == MDM_MAX_RANK)
                return;
            int64_t extent = 0;
            while (next(&f.bytes, &dim))
                if (dim.number == 1 && dim.wire == 0 && dim.value < (1 << 24))
                    extent = (int64_t)dim.value;
            input->shape[input->rank++] = extent;
        }
}

static mdm_status read_value_info(mdm_onnx *o, cursor c, bool output)
{
    mdm_onnx_input input = {.value = -1};
    field f, type, tensor;
    while (next(&c, &f)) {
        if (f.number == 1)
            MDM_TRY(value_number(o, &input.value, text_of(&f)));
        else if (f.number == 2 && f.wire == 2)
            while (next(&f.bytes, &type))
                if (type.number == 1 && type.wire == 2)
                    while (next(&type.bytes, &tensor))
                        if (tensor.number == 2 && tensor.wire == 2)
                            read_shape(&input, tensor.bytes);
    }
    if (input.value < 0)
        return MDM_OK;
    if (output) {
        MDM_TRY(append(o, &o->outputs, &o->output_count, &o->output_room, sizeof *o->outputs));
        o->outputs[o->output_count - 1] = input.value;
        return MDM_OK;
    }
    MDM_TRY(append(o, &o->inputs, &o->input_count, &o->input_room, sizeof *o->inputs));
    o->inputs[o->input_count - 1] = input;
    return MDM_OK;
}

static mdm_status read_graph(mdm_onnx *o, cursor c)
{
    field f;
    while (next(&c, &f)) {
        if (f.wire != 2)
            continue;
        if (f.number == 1)
            MDM_TRY(read_node(o, f.bytes));
        else if (f.number == 5) {
            int tensor, value;
            MDM_TRY(read_tensor(o, &tensor, f.bytes));
            MDM_TRY(value_number(o, &value, o->tensors[tensor].name));
            o->tensor_value[tensor] = value;
        } else if (f.number == 11 || f.number == 12)
            MDM_TRY(read_value_info(o, f.bytes, f.number == 12));
    }
    return c.bad ? mdm_fail(MDM_ERR_INPUT, "%s: its graph is cut off", o->path) : MDM_OK;
}

/* Old files name every constant among the inputs as well. */
static void drop_constant_inputs(mdm_onnx *o)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->input_count; i++) {
        bool constant = o->inputs[i].rank == 0;
        for (size_t k = 0; k < o->tensor_count && !constant; k++)
            constant = o->tensor_value[k] == o->inputs[i].value;
        if (!constant)
            o->inputs[kept++] = o->inputs[i];
    }
    o->input_count = kept;
}

mdm_status mdm_onnx_open(mdm_onnx *out, const char *path, const unsigned char *data, size_t size)
{
    cursor c = {.at = data, .end = data + size};
    field f;
    bool found = false;
    *out = (mdm_onnx){.path = path};
    while (next(&c, &f))
        if (f.number == 7 && f.wire == 2) {
            MDM_TRY(read_graph(out, f.bytes));
            found = true;
        }
    if (c.bad || !found)
        return mdm_fail(MDM_ERR_INPUT, "%s: not an ONNX file, or cut off; get it again", path);
    drop_constant_inputs(out);
    return MDM_OK;
}

void mdm_onnx_close(mdm_onnx *o)
{
    for (size_t i = 0; i < o->owned_count; i++)
        mdm_free(&o->owned[i]);
    mdm_free(&o->owned);
    mdm_free(&o->values);
    mdm_free(&o->nodes);
    mdm_free(&o->attributes);
    mdm_free(&o->tensors);
    mdm_free(&o->tensor_value);
    mdm_free(&o->inputs);
    mdm_free(&o->outputs);
    mdm_free(&o->links);
    mdm_free(&o->slots);
    *o = (mdm_onnx){0};
}

const mdm_onnx_attribute *mdm_onnx_find(const mdm_onnx *onnx, const mdm_onnx_node *node, const char *name)
{
    for (int i = 0; i < node->attribute_count; i++)
        if (mdm_onnx_is(onnx->attributes[node->first_attribute + i].name, name))
            return &onnx->attributes[node->first_attribute + i];
    return NULL;
}
