/* Looking up numbers by key in a flexbuffer map (the options of TFLite's custom operations). Bounds-checked. */
#ifndef MDM_NN_FLEXBUFFER_H
#define MDM_NN_FLEXBUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* false when the buffer is not a map or has no number under `key`. */
bool mdm_flex_number(double *out, const unsigned char *data, size_t size, const char *key);
/* At most `max` numbers of a typed vector; returns how many, 0 when there is none. */
int mdm_flex_numbers(double *out, int max, const unsigned char *data, size_t size, const char *key);

#endif
