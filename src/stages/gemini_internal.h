/* What the files of gemini_*.c share: a connection, a request and its reply. */
#ifndef MDM_STAGES_GEMINI_INTERNAL_H
#define MDM_STAGES_GEMINI_INTERNAL_H

#include <curl/curl.h>

#include "stages/gemini.h"

struct mdm_gemini {
    CURL *curl;
    char *base, *key, *model, *language, *ledger;
    char host[256];
    long timeout; /* s, of one answer */
    const mdm_progress *progress;
    double waited;   /* s, for quotas, of this piece */
    bool files_only; /* inline sound was refused once */
};

typedef struct mdm_gemini_request {
    const char *method; /* "POST" */
    const char *path;   /* behind the base; an upload's whole address is turned to that */
    const char *const *headers;
    size_t header_count;
    const void *body;
    size_t size;
} mdm_gemini_request;

typedef struct mdm_gemini_reply {
    long code; /* 0: none came */
    CURLcode result;
    mdm_buffer body;
    char upload_url[1024], upload_status[16];
    long long upload_received; /* -1: not said */
    bool cancelled;
} mdm_gemini_reply;

void mdm_gemini_reply_free(mdm_gemini_reply *reply);

/* One exchange, whatever comes of it; MDM_ERR_CANCELLED when the progress asks to stop. */
mdm_status mdm_gemini_exchange(mdm_gemini_reply *out, mdm_gemini *g, const mdm_gemini_request *request);
/* The same until it succeeds (2xx), with waits as Google asks for them; a reply that will not change is an error that says what it is. The
 * reply's code stays readable. */
mdm_status mdm_gemini_send(mdm_gemini_reply *out, mdm_gemini *g, const mdm_gemini_request *request);
/* Waits; MDM_ERR_CANCELLED when the progress asks to stop. */
mdm_status mdm_gemini_wait(mdm_gemini *g, double seconds);
/* A status for a reply that no try will change, or for the last of them. */
mdm_status mdm_gemini_refusal(const mdm_gemini *g, const mdm_gemini_reply *reply);

/* Uploads and waits until it can be used; *uri for a request, *name for the deletion, which is noted in the ledger before anything is sent.
 * Caller frees both. */
mdm_status mdm_gemini_upload(char **uri, char **name, mdm_gemini *g, const mdm_buffer *flac);
/* Deletes one and strikes it from the ledger; one that is not there counts as deleted. */
mdm_status mdm_gemini_delete(mdm_gemini *g, const char *name);

/* The body of generateContent; `uri` NULL puts the sound into it. */
mdm_status mdm_gemini_body(mdm_buffer *out, const mdm_gemini *g, const mdm_buffer *flac, const char *uri);

#endif
