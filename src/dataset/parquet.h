/* Writing Parquet (https://parquet.apache.org/docs/file-format/): plain encoding, no compression, one page a column and row group;
 * metadata in Thrift's compact protocol. As much of the format as a table of clips and one of faces need. */
#ifndef MDM_DATASET_PARQUET_H
#define MDM_DATASET_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "dataset/out_file.h"

typedef enum mdm_parquet_type { /* the format's own numbers */
                                MDM_PARQUET_GROUP = -1,
                                MDM_PARQUET_BOOL = 0,
                                MDM_PARQUET_INT32 = 1,
                                MDM_PARQUET_INT64 = 2,
                                MDM_PARQUET_FLOAT = 4,
                                MDM_PARQUET_DOUBLE = 5,
                                MDM_PARQUET_BYTES = 6
} mdm_parquet_type;

typedef enum mdm_parquet_repeat { MDM_PARQUET_REQUIRED, MDM_PARQUET_OPTIONAL, MDM_PARQUET_REPEATED } mdm_parquet_repeat;
typedef enum mdm_parquet_means { MDM_PARQUET_PLAIN = -1, MDM_PARQUET_TEXT = 0, MDM_PARQUET_LIST = 3 } mdm_parquet_means;

/* A schema is its nodes depth first, without the root; a group is followed by its `children`. */
typedef struct mdm_parquet_node {
    const char *name;
    mdm_parquet_type type;
    mdm_parquet_repeat repeat;
    mdm_parquet_means means;
    int children; /* of a group */
} mdm_parquet_node;

#define MDM_PARQUET_MAX_COLUMNS 64
#define MDM_PARQUET_MAX_VALUE   ((size_t)1 << 30) /* of one value: lengths and pages have 31 bits */

typedef struct mdm_parquet_column {
    const mdm_parquet_node *node;
    const char *path[8];
    int depth, max_definition, max_repetition;
    mdm_buffer values;
    unsigned char *levels; /* definition and repetition of each entry */
    size_t count, room;
} mdm_parquet_column;

typedef struct mdm_parquet {
    mdm_out out;
    const mdm_parquet_node *schema;
    int node_count, column_count;
    mdm_parquet_column column[MDM_PARQUET_MAX_COLUMNS];
    mdm_buffer groups; /* their metadata so far */
    int group_count, group_rows;
    int64_t rows;
    size_t group_bytes;
} mdm_parquet;

/* Columns are the schema's leaves, in its order. */
mdm_status mdm_parquet_open(mdm_parquet *p, const char *path, const mdm_parquet_node *schema, int node_count);
/* One entry of a column: at the column's full definition level with a value (of the type's size; BYTES: `size` bytes), below it with
 * none. A row gives every column at least one entry. */
mdm_status mdm_parquet_put(mdm_parquet *p, int column, int definition, int repetition, const void *value, size_t size);
mdm_status mdm_parquet_end_row(mdm_parquet *p);
/* `keys` and `values`: metadata of the file, `count` pairs. */
mdm_status mdm_parquet_close(mdm_parquet *p, mdm_status status, const char *const *keys, const char *const *values,
                             int count);

#endif
