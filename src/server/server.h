/* The local page: mmdm.h over HTTP for one person's browser. */
#ifndef MDM_SERVER_SERVER_H
#define MDM_SERVER_SERVER_H

#include "mmdm.h"

/* Serves until SIGINT or SIGTERM, with options of mdm_options_new_serving. Calls `say` with lines for the terminal; the first is the
 * address with its one-time token. MDM_ERR_USAGE: an address that is not this machine's without TLS; MDM_ERR_AGAIN: the port or the
 * folder is taken. */
mdm_status mdm_serve(mdm_options *options, void (*say)(void *user, const char *line), void *user);

#endif
