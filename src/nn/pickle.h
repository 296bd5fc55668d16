/* Python pickles read as data: what PyTorch writes of tensors, names and numbers becomes a tree of values. Nothing in a pickle is
 * ever called: a class or function is a name, a call is kept as the name and its arguments. */
#ifndef MDM_NN_PICKLE_H
#define MDM_NN_PICKLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum mdm_pickle_kind {
    MDM_PICKLE_OTHER, /* None, floats, what is not needed here */
    MDM_PICKLE_INT,   /* also True and False */
    MDM_PICKLE_TEXT,
    MDM_PICKLE_NAME,    /* "module.name" of a class or function */
    MDM_PICKLE_LIST,    /* lists and tuples: items */
    MDM_PICKLE_DICT,    /* items: key, value, key, value, ... */
    MDM_PICKLE_CALL,    /* items: the name and its arguments' tuple */
    MDM_PICKLE_FOREIGN, /* something that lies outside of the pickle: items: its identification */
} mdm_pickle_kind;

/* A value; numbers in `item` are those of other values. */
typedef struct mdm_pickle_value {
    mdm_pickle_kind kind;
    int64_t number; /* INT */
    char *text;     /* TEXT, NAME */
    uint32_t *item;
    size_t count, capacity;
} mdm_pickle_value;

typedef struct mdm_pickle {
    mdm_pickle_value *value;
    size_t count, capacity;
    uint32_t root;
    size_t end; /* bytes it takes */
} mdm_pickle;

/* Reads one pickle of protocol 2 to 5, as torch.save writes it; any operation that is not needed for that is MDM_ERR_INPUT, as is
 * one that would read what is not there. `where` is for messages. Caller: mdm_pickle_free, also after an error. */
mdm_status mdm_pickle_read(mdm_pickle *out, const unsigned char *data, size_t size, const char *where);
void mdm_pickle_free(mdm_pickle *pickle);

/* The i-th item of a value, NULL when there is none. */
const mdm_pickle_value *mdm_pickle_item(const mdm_pickle *pickle, const mdm_pickle_value *value, size_t i);

#endif
