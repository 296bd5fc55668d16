/* Small pieces of self-contained HTML pages. */
#ifndef MDM_DATASET_HTML_H
#define MDM_DATASET_HTML_H

#include <jansson.h>

#include "base/memory.h"
#include "base/status.h"

/* Doctype, title and style; the body follows. */
mdm_status mdm_html_head(mdm_buffer *out, const char *title);

/* Text with the characters HTML gives a meaning to escaped; NULL is nothing. */
mdm_status mdm_html_text(mdm_buffer *out, const char *text);

/* A JSON value as a reader would write it: three digits, words for true and false, a dash for nothing, members in a row. */
mdm_status mdm_html_value(mdm_buffer *out, const json_t *value);

/* An <img> holding the JPEG file. */
mdm_status mdm_html_picture(mdm_buffer *out, const char *path);

#endif
