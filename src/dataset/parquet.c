/* A small writer of Parquet files (parquet.h). Numbers of fields are those of parquet.thrift. */
#include "dataset/parquet.h"

#include <string.h>

#define GROUP_ROWS  100000
#define GROUP_BYTES ((size_t)256 << 20)

/* ---- Thrift's compact protocol -------------------------------------------------------------------------------------------- */

enum { T_I32 = 5, T_I64 = 6, T_BINARY = 8, T_LIST = 9, T_STRUCT = 12 };

typedef struct thrift {
    mdm_buffer *to;
    int last; /* number of the field before, in this struct */
} thrift;

static mdm_status put_varint(mdm_buffer *to, uint64_t v)
{
    unsigned char bytes[10];
    size_t n = 0;
    do {
        bytes[n++] = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v);
    return mdm_buffer_append(to, bytes, n);
}

static mdm_status put_field(thrift *t, int number, int type)
{
    unsigned char head = (unsigned char)((number - t->last) << 4 | type); /* gaps are under 16 in all structs here */
    t->last = number;
    return mdm_buffer_append(t->to, &head, 1);
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static mdm_status put_int(thrift *t, int number, int type, int64_t value)
{
    MDM_TRY(put_field(t, number, type));
    return put_varint(t->to, zigzag(value));
}

static mdm_status put_binary(mdm_buffer *to, const char *text)
{
    MDM_TRY(put_varint(to, strlen(text)));
    return mdm_buffer_append(to, text, strlen(text));
}

static mdm_status put_text(thrift *t, int number, const char *text)
{
    MDM_TRY(put_field(t, number, T_BINARY));
    return put_binary(t->to, text);
}

static mdm_status put_list(thrift *t, int number, int type, size_t count)
{
    unsigned char head = (unsigned char)((count < 15 ? count : 15) << 4 | (unsigned)type);
    MDM_TRY(put_field(t, number, T_LIST));
    MDM_TRY(mdm_buffer_append(t->to, &head, 1));
    return count < 15 ? MDM_OK : put_varint(t->to, count);
}

static mdm_status put_end(mdm_buffer *to)
{
    return mdm_buffer_append(to, "", 1);
}

/* ---- schema -------------------------------------------------------------------------------------------------------------------- */

/* Nodes that are in no group. */
static int count_roots(const mdm_parquet *p)
{
    int roots = 0;
    for (int i = 0, inside = 0; i < p->node_count; i++) {
        roots += inside == 0;
        inside += (inside ? -1 : 0) + (p->schema[i].type == MDM_PARQUET_GROUP ? p->schema[i].children : 0);
    }
    return roots;
}

/* Leaves under the nodes from *at on, `children` of them, become columns. */
static mdm_status add_columns(mdm_parquet *p, int *at, int children, const mdm_parquet_column *parent)
{
    for (int c = 0; c < children; c++) {
        const mdm_parquet_node *node = &p->schema[(*at)++];
        mdm_parquet_column column = *parent;
        if (column.depth == 8 || p->column_count == MDM_PARQUET_MAX_COLUMNS)
            return mdm_fail(MDM_ERR_INTERNAL, "parquet: too deep or too many columns at %s", node->name);
        column.path[column.depth++] = node->name;
        column.max_definition += node->repeat != MDM_PARQUET_REQUIRED;
        column.max_repetition += node->repeat == MDM_PARQUET_REPEATED;
        column.node = node;
        if (node->type == MDM_PARQUET_GROUP)
            MDM_TRY(add_columns(p, at, node->children, &column));
        else
            p->column[p->column_count++] = column;
    }
    return MDM_OK;
}

mdm_status mdm_parquet_open(mdm_parquet *p, const char *path, const mdm_parquet_node *schema, int node_count)
{
    int at = 0;
    memset(p, 0, sizeof *p);
    p->schema = schema;
    p->node_count = node_count;
    MDM_TRY(mdm_out_open(&p->out, path));
    MDM_TRY(add_columns(p, &at, count_roots(p), &(mdm_parquet_column){.values = {.max = (size_t)2 << 30}}));
    return mdm_out_write(&p->out, "PAR1", 4);
}

static mdm_status put_schema(thrift *file, const mdm_parquet *p)
{
    MDM_TRY(put_list(file, 2, T_STRUCT, (size_t)p->node_count + 1));
    thrift root = {file->to, 0};
    MDM_TRY(put_text(&root, 4, "schema"));
    MDM_TRY(put_int(&root, 5, T_I32, count_roots(p)));
    MDM_TRY(put_end(file->to));
    for (int i = 0; i < p->node_count; i++) {
        const mdm_parquet_node *node = &p->schema[i];
        thrift t = {file->to, 0};
        if (node->type != MDM_PARQUET_GROUP)
            MDM_TRY(put_int(&t, 1, T_I32, node->type));
        MDM_TRY(put_int(&t, 3, T_I32, node->repeat));
        MDM_TRY(put_text(&t, 4, node->name));
        if (node->type == MDM_PARQUET_GROUP)
            MDM_TRY(put_int(&t, 5, T_I32, node->children));
        if (node->means != MDM_PARQUET_PLAIN)
            MDM_TRY(put_int(&t, 6, T_I32, node->means));
        MDM_TRY(put_end(file->to));
    }
    return MDM_OK;
}

/* ---- pages ---------------------------------------------------------------------------------------------------------------------- */

static void put_le32(unsigned char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(v >> (8 * i));
}

/* Levels as runs of equal ones: length << 1, then the level in a byte. Their size goes before them. */
static mdm_status put_levels(mdm_buffer *to, const mdm_parquet_column *c, int which)
{
    unsigned char size[4] = {0};
    const size_t from = to->size;
    MDM_TRY(mdm_buffer_append(to, size, 4));
    for (size_t i = 0; i < c->count;) {
        const unsigned char level = c->levels[2 * i + (size_t)which];
        size_t run = 1;
        while (i + run < c->count && c->levels[2 * (i + run) + (size_t)which] == level)
            run++;
        MDM_TRY(put_varint(to, (uint64_t)run << 1));
        MDM_TRY(mdm_buffer_append(to, &level, 1));
        i += run;
    }
    put_le32(to->data + from, (uint32_t)(to->size - from - 4));
    return MDM_OK;
}

/* A byte each becomes a bit each, the lowest first. */
static void pack_bits(mdm_buffer *values)
{
    for (size_t i = 0; i < values->size; i++) {
        const unsigned char bit = values->data[i];
        if (i % 8 == 0)
            values->data[i / 8] = 0;
        values->data[i / 8] |= (unsigned char)(bit << (i % 8));
    }
    values->size = (values->size + 7) / 8;
}

static mdm_status put_page_head(mdm_buffer *to, size_t page, size_t entries)
{
    thrift head = {to, 0};
    MDM_TRY(put_int(&head, 1, T_I32, 0)); /* a data page */
    MDM_TRY(put_int(&head, 2, T_I32, (int64_t)page));
    MDM_TRY(put_int(&head, 3, T_I32, (int64_t)page));
    MDM_TRY(put_field(&head, 5, T_STRUCT));
    thrift data = {to, 0};
    MDM_TRY(put_int(&data, 1, T_I32, (int64_t)entries));
    MDM_TRY(put_int(&data, 2, T_I32, 0)); /* plain */
    MDM_TRY(put_int(&data, 3, T_I32, 3)); /* levels as runs */
    MDM_TRY(put_int(&data, 4, T_I32, 3));
    MDM_TRY(put_end(to));
    return put_end(to);
}

static mdm_status put_column_meta(mdm_buffer *to, const mdm_parquet_column *c, uint64_t offset, uint64_t size)
{
    thrift chunk = {to, 0}, meta = {to, 0};
    MDM_TRY(put_int(&chunk, 2, T_I64, (int64_t)offset));
    MDM_TRY(put_field(&chunk, 3, T_STRUCT));
    MDM_TRY(put_int(&meta, 1, T_I32, c->node->type));
    MDM_TRY(put_list(&meta, 2, T_I32, 2));
    MDM_TRY(put_varint(to, zigzag(0))); /* plain */
    MDM_TRY(put_varint(to, zigzag(3))); /* runs */
    MDM_TRY(put_list(&meta, 3, T_BINARY, (size_t)c->depth));
    for (int i = 0; i < c->depth; i++)
        MDM_TRY(put_binary(to, c->path[i]));
    MDM_TRY(put_int(&meta, 4, T_I32, 0)); /* not compressed */
    MDM_TRY(put_int(&meta, 5, T_I64, (int64_t)c->count));
    MDM_TRY(put_int(&meta, 6, T_I64, (int64_t)size));
    MDM_TRY(put_int(&meta, 7, T_I64, (int64_t)size));
    MDM_TRY(put_int(&meta, 9, T_I64, (int64_t)offset));
    MDM_TRY(put_end(to));
    return put_end(to);
}

static mdm_status write_column(mdm_parquet *p, mdm_parquet_column *c, mdm_buffer *levels, mdm_buffer *head)
{
    const uint64_t offset = p->out.bytes;
    if (c->max_repetition)
        MDM_TRY(put_levels(levels, c, 1));
    if (c->max_definition)
        MDM_TRY(put_levels(levels, c, 0));
    if (c->node->type == MDM_PARQUET_BOOL)
        pack_bits(&c->values);
    MDM_TRY(put_page_head(head, levels->size + c->values.size, c->count));
    MDM_TRY(mdm_out_write(&p->out, head->data, head->size));
    MDM_TRY(mdm_out_write(&p->out, levels->data, levels->size));
    MDM_TRY(mdm_out_write(&p->out, c->values.data, c->values.size));
    MDM_TRY(put_column_meta(&p->groups, c, offset, p->out.bytes - offset));
    c->values.size = 0;
    c->count = 0;
    return MDM_OK;
}

static mdm_status write_group(mdm_parquet *p)
{
    const uint64_t from = p->out.bytes;
    thrift t = {&p->groups, 0};
    mdm_status status = put_list(&t, 1, T_STRUCT, (size_t)p->column_count);
    for (int c = 0; c < p->column_count && status == MDM_OK; c++) {
        mdm_buffer levels = {.max = (size_t)1 << 30}, head = {0};
        status = write_column(p, &p->column[c], &levels, &head);
        mdm_buffer_free(&levels);
        mdm_buffer_free(&head);
    }
    if (status == MDM_OK)
        status = put_int(&t, 2, T_I64, (int64_t)(p->out.bytes - from));
    if (status == MDM_OK)
        status = put_int(&t, 3, T_I64, p->group_rows);
    if (status == MDM_OK)
        status = put_end(&p->groups);
    p->group_count++;
    p->group_rows = 0;
    p->group_bytes = 0;
    return status;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------- */

static size_t value_size(mdm_parquet_type type)
{
    return type == MDM_PARQUET_BOOL ? 1 : type == MDM_PARQUET_INT32 || type == MDM_PARQUET_FLOAT ? 4 : 8;
}

mdm_status mdm_parquet_put(mdm_parquet *p, int column, int definition, int repetition, const void *value, size_t size)
{
    mdm_parquet_column *c = &p->column[column];
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 64;
        MDM_TRY(mdm_realloc(&c->levels, c->room, 2, "parquet"));
    }
    c->levels[2 * c->count] = (unsigned char)definition;
    c->levels[2 * c->count + 1] = (unsigned char)repetition;
    c->count++;
    if (definition < c->max_definition)
        return MDM_OK;
    if (c->node->type == MDM_PARQUET_BYTES) {
        unsigned char length[4];
        if (size > MDM_PARQUET_MAX_VALUE)
            return mdm_fail(MDM_ERR_INPUT, "a value of %zu bytes, Parquet's hold at most %zu", size,
                            MDM_PARQUET_MAX_VALUE);
        put_le32(length, (uint32_t)size);
        MDM_TRY(mdm_buffer_append(&c->values, length, 4));
    } else {
        size = value_size(c->node->type); /* little-endian as this machine is */
    }
    p->group_bytes += size;
    return mdm_buffer_append(&c->values, value, size);
}

mdm_status mdm_parquet_end_row(mdm_parquet *p)
{
    p->rows++;
    p->group_rows++;
    return p->group_rows == GROUP_ROWS || p->group_bytes >= GROUP_BYTES ? write_group(p) : MDM_OK;
}

/* ---- the end ----------------------------------------------------------------------------------------------------------------------- */

static mdm_status write_footer(mdm_parquet *p, mdm_buffer *to, const char *const *keys, const char *const *values,
                               int count)
{
    thrift file = {to, 0};
    unsigned char size[4];
    MDM_TRY(put_int(&file, 1, T_I32, 1));
    MDM_TRY(put_schema(&file, p));
    MDM_TRY(put_int(&file, 3, T_I64, p->rows));
    MDM_TRY(put_list(&file, 4, T_STRUCT, (size_t)p->group_count));
    MDM_TRY(mdm_buffer_append(to, p->groups.data, p->groups.size));
    if (count)
        MDM_TRY(put_list(&file, 5, T_STRUCT, (size_t)count));
    for (int i = 0; i < count; i++) {
        thrift pair = {to, 0};
        MDM_TRY(put_text(&pair, 1, keys[i]));
        MDM_TRY(put_text(&pair, 2, values[i]));
        MDM_TRY(put_end(to));
    }
    MDM_TRY(put_text(&file, 6, "mmdm"));
    MDM_TRY(put_end(to));
    put_le32(size, (uint32_t)to->size);
    MDM_TRY(mdm_out_write(&p->out, to->data, to->size));
    MDM_TRY(mdm_out_write(&p->out, size, 4));
    return mdm_out_write(&p->out, "PAR1", 4);
}

mdm_status mdm_parquet_close(mdm_parquet *p, mdm_status status, const char *const *keys, const char *const *values,
                             int count)
{
    mdm_buffer footer = {0};
    if (status == MDM_OK && p->group_rows)
        status = write_group(p);
    if (status == MDM_OK)
        status = write_footer(p, &footer, keys, values, count);
    mdm_buffer_free(&footer);
    mdm_buffer_free(&p->groups);
    for (int c = 0; c < p->column_count; c++) {
        mdm_buffer_free(&p->column[c].values);
        mdm_free(&p->column[c].levels);
    }
    return mdm_out_close(&p->out, status);
}
