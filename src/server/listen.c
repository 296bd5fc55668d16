/* The server's life: its folder, addresses and hosts, libmicrohttpd on each address, and its end. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "server/server.h"
#include "server/web.h"

enum { ADDRESSES = 2 };

typedef struct listener {
    int sockets[ADDRESSES];
    int count;
    struct MHD_Daemon *daemons[ADDRESSES];
    char *cert, *key;
} listener;

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

/* ---- folders --------------------------------------------------------------------------------------------------------- */

static mdm_status open_home(mdm_web *web, const char *output)
{
    char *lock, *absolute;
    MDM_TRY(mdm_make_folder(output, 0700));
    absolute = realpath(output, NULL);
    mdm_status status = mdm_strdup(&web->home, absolute ? absolute : output);
    free(absolute);
    MDM_TRY(status);
    MDM_TRY(mdm_join_path(&web->uploads, web->home, "uploads"));
    MDM_TRY(mdm_join_path(&web->jobs, web->home, "jobs"));
    MDM_TRY(mdm_make_folder(web->uploads, 0700));
    MDM_TRY(mdm_make_folder(web->jobs, 0700));
    MDM_TRY(mdm_join_path(&lock, web->home, "lock"));
    web->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (web->lock < 0)
        status = mdm_fail(MDM_ERR_WRITE, "%s: cannot create: %s", lock, strerror(errno));
    else if (flock(web->lock, LOCK_EX | LOCK_NB) != 0)
        status =
            mdm_fail(MDM_ERR_AGAIN, "%s: another mmdm serve works there; use its page, or another --output", web->home);
    mdm_free(&lock);
    return status;
}

static mdm_status find_program(mdm_web *web)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return mdm_fail(MDM_ERR_INTERNAL, "cannot tell where this program lies: %s", strerror(errno));
    path[n] = '\0';
    return mdm_strdup(&web->program, path);
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

static mdm_status text_of(char **out, mdm_options *options, const char *name)
{
    const char *text;
    *out = NULL;
    MDM_TRY(mdm_options_get(&text, options, name));
    return mdm_strdup(out, text);
}

static mdm_status number_of(uint64_t *out, mdm_options *options, const char *name)
{
    const char *text;
    *out = 0;
    MDM_TRY(mdm_options_get(&text, options, name));
    return web_parse_number(out, text, 1u << 30) ? MDM_OK : mdm_fail(MDM_ERR_INTERNAL, "--%s: %s", name, text);
}

/* Loopback addresses are this machine's own; all others are seen by others. */
static mdm_status check_reach(const mdm_web *web, mdm_options *options, const char *address)
{
    const char *insecure;
    MDM_TRY(mdm_options_get(&insecure, options, "insecure"));
    if (!*address || strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0 || web->tls ||
        strcmp(insecure, "true") == 0)
        return MDM_OK;
    return mdm_fail(
        MDM_ERR_USAGE,
        "--listen %s: others on the network could read along: give --tls-cert and --tls-key, or say --insecure",
        address);
}

static mdm_status add_host(mdm_web *web, const char *name)
{
    if (web->host_count == WEB_HOSTS)
        return mdm_fail(MDM_ERR_USAGE, "--host: at most %d names", WEB_HOSTS - 4);
    const bool usual = web->port == (web->tls ? 443 : 80); /* which browsers leave out */
    return usual ? mdm_strdup(&web->hosts[web->host_count++], name)
                 : mdm_format(&web->hosts[web->host_count++], "%s:%d", name, web->port);
}

static mdm_status name_hosts(mdm_web *web, mdm_options *options, const char *address)
{
    char *more;
    if (*address && strcmp(address, "0.0.0.0") != 0 && strcmp(address, "::") != 0) {
        char bracketed[80];
        snprintf(bracketed, sizeof bracketed, strchr(address, ':') ? "[%s]" : "%s", address);
        MDM_TRY(add_host(web, bracketed));
    }
    static const char *const own[] = {"127.0.0.1", "localhost", "[::1]"};
    for (int i = 0; i < 3; i++)
        MDM_TRY(add_host(web, own[i]));
    MDM_TRY(text_of(&more, options, "host"));
    mdm_status status = MDM_OK;
    char *rest = more;
    for (char *name = strsep(&rest, ","); name && status == MDM_OK; name = strsep(&rest, ","))
        if (*name)
            status = add_host(web, name);
    mdm_free(&more);
    return status;
}

/* ---- sockets --------------------------------------------------------------------------------------------------------- */

static mdm_status bind_one(listener *l, const char *address, int port, int *bound)
{
    char service[16];
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(address, service, &hints, &found) != 0)
        return mdm_fail(MDM_ERR_USAGE, "--listen %s: not an address such as 192.168.1.7 or ::1", address);
    const int one = 1;
    const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mdm_status status = fd < 0 ? mdm_fail(MDM_ERR_AGAIN, "no socket: %s", strerror(errno)) : MDM_OK;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (found->ai_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
        if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 128) != 0) {
            status = mdm_fail(MDM_ERR_AGAIN, "port %d of %s: %s; --port 0 takes one that is free", port, address,
                              strerror(errno));
            close(fd);
        } else {
            struct sockaddr_storage own;
            socklen_t size = sizeof own;
            getsockname(fd, (struct sockaddr *)&own, &size);
            *bound = ntohs(own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&own)->sin6_port
                                                     : ((struct sockaddr_in *)&own)->sin_port);
            l->sockets[l->count++] = fd;
        }
    }
    freeaddrinfo(found);
    return status;
}

/* This machine's own addresses are 127.0.0.1 and, where there is one, ::1 at the same port. */
static mdm_status bind_all(listener *l, mdm_web *web, const char *address)
{
    int ignored;
    if (*address)
        return bind_one(l, address, web->port, &web->port);
    MDM_TRY(bind_one(l, "127.0.0.1", web->port, &web->port));
    (void)bind_one(l, "::1", web->port, &ignored);
    return MDM_OK;
}

static mdm_status read_tls(listener *l, const mdm_web *web, const char *cert, const char *key)
{
    size_t size;
    if (!web->tls)
        return MDM_OK;
    MDM_TRY(mdm_file_read((unsigned char **)&l->cert, &size, cert, 1 << 20));
    return mdm_file_read((unsigned char **)&l->key, &size, key, 1 << 20);
}

/* No address of ours needs an escape: what comes with one is taken as it is written, and is then nothing of ours. */
static size_t keep_escapes(void *user, struct MHD_Connection *connection, char *text)
{
    (void)user;
    (void)connection;
    return strlen(text);
}

static mdm_status start(listener *l, mdm_web *web)
{
    for (int i = 0; i < l->count; i++) {
        struct MHD_OptionItem tls[] = {
            {MHD_OPTION_HTTPS_MEM_CERT, 0, l->cert}, {MHD_OPTION_HTTPS_MEM_KEY, 0, l->key}, {MHD_OPTION_END, 0, NULL}};
        struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
        l->daemons[i] = MHD_start_daemon(
            MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                (web->tls ? MHD_USE_TLS : 0u),
            0, NULL, NULL, web_handle, web, MHD_OPTION_LISTEN_SOCKET, l->sockets[i], MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)WEB_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            (size_t)65536, MHD_OPTION_NOTIFY_COMPLETED, web_completed, web, MHD_OPTION_NOTIFY_CONNECTION,
            web_connection, web, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
            MHD_OPTION_ARRAY, web->tls ? tls : none, MHD_OPTION_END);
        if (!l->daemons[i])
            return mdm_fail(MDM_ERR_INTERNAL, "the page cannot be served%s",
                            web->tls ? ": are --tls-cert and --tls-key a pair of PEM files?" : "");
    }
    return MDM_OK;
}

static void stop(listener *l)
{
    for (int i = 0; i < l->count; i++) {
        if (l->daemons[i])
            MHD_stop_daemon(l->daemons[i]);
        else
            close(l->sockets[i]);
    }
    mdm_free(&l->cert);
    if (l->key)
        mdm_wipe(l->key, strlen(l->key));
    mdm_free(&l->key);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

static mdm_status open_all(listener *l, mdm_web *web, mdm_options *options)
{
    char *address = NULL, *output = NULL, *cert = NULL, *key = NULL, *roots = NULL;
    uint64_t port = 0;
    mdm_status status = text_of(&address, options, "listen");
    if (status == MDM_OK)
        status = text_of(&output, options, "output");
    if (status == MDM_OK)
        status = text_of(&cert, options, "tls-cert");
    if (status == MDM_OK)
        status = text_of(&key, options, "tls-key");
    if (status == MDM_OK)
        status = text_of(&roots, options, "root");
    if (status == MDM_OK)
        status = number_of(&port, options, "port");
    if (status == MDM_OK)
        status = number_of(&web->quota, options, "quota");
    if (status == MDM_OK)
        status = number_of(&web->largest, options, "largest");
    web->quota <<= 30;
    web->largest <<= 30;
    web->port = (int)port;
    if (status == MDM_OK && !*cert != !*key)
        status = mdm_fail(MDM_ERR_USAGE, "--tls-cert and --tls-key go together");
    web->tls = status == MDM_OK && *cert;
    if (status == MDM_OK)
        status = check_reach(web, options, address);
    if (status == MDM_OK)
        status = read_tls(l, web, cert, key);
    if (status == MDM_OK)
        status = open_home(web, output);
    if (status == MDM_OK)
        status = web_roots_open(web, roots);
    if (status == MDM_OK)
        status = find_program(web);
    if (status == MDM_OK)
        status = web_uploads_sweep(web);
    if (status == MDM_OK)
        status = bind_all(l, web, address);
    if (status == MDM_OK)
        status = name_hosts(web, options, address);
    mdm_free(&address);
    mdm_free(&output);
    mdm_free(&cert);
    mdm_free(&key);
    mdm_free(&roots);
    return status;
}

static void close_all(mdm_web *web)
{
    for (int i = 0; i < web->host_count; i++)
        mdm_free(&web->hosts[i]);
    web_roots_close(web);
    if (web->lock >= 0)
        close(web->lock);
    mdm_free(&web->home);
    mdm_free(&web->uploads);
    mdm_free(&web->jobs);
    mdm_free(&web->program);
    mdm_wipe(web->sessions, sizeof web->sessions);
    mdm_wipe(web->token, sizeof web->token);
    pthread_mutex_destroy(&web->mutex);
}

static void catch_signals(void)
{
    const struct sigaction stopping = {.sa_handler = on_signal}, ignored = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &stopping, NULL);
    sigaction(SIGTERM, &stopping, NULL);
    sigaction(SIGPIPE, &ignored, NULL);
}

static void wait_for_end(mdm_web *web)
{
    const struct timespec second = {1, 0};
    while (!stop_asked) {
        nanosleep(&second, NULL);
        web_end_slow(web);
    }
    atomic_store(&web->stopping, true);
}

mdm_status mdm_serve(mdm_options *options, void (*say)(void *user, const char *line), void *user)
{
    mdm_web *web;
    listener l = {0};
    char line[240];
    const struct rlimit no_core = {0, 0};
    MDM_TRY(mdm_alloc(&web, 1, sizeof *web, "page"));
    web->lock = -1;
    web->say = say;
    web->user = user;
    pthread_mutex_init(&web->mutex, NULL);
    setrlimit(RLIMIT_CORE, &no_core); /* it would hold secrets */
    stop_asked = 0;
    catch_signals();
    mdm_status status = open_all(&l, web, options);
    if (status == MDM_OK) {
        web_secret(web->token);
        snprintf(web->cookie, sizeof web->cookie, "mmdm-%d", web->port);
        status = start(&l, web);
    }
    if (status == MDM_OK) {
        snprintf(line, sizeof line, "%s://%s/open?token=%s", web->tls ? "https" : "http", web->hosts[0], web->token);
        say(user, line);
        wait_for_end(web);
    }
    stop(&l);
    close_all(web);
    mdm_free(&web);
    return status;
}
