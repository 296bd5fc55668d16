/* Downloading from a hub that drops, stalls, redirects and lies: a small server in a process of its own, whose first folder in the
 * address says how it behaves. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sha1.h"
#include "common/ok.h"
#include "models/hub_cache.h"
#include "pipeline/hub_pull.h"

enum { LARGE = 300000 };

#define CONFIG   "{\"a\": 1}\n"
#define REVISION "0123456789abcdef0123456789abcdef01234567"

static unsigned char large[LARGE];
static char folder[64], large_hash[65], config_hash[41];
static int port;
static pid_t server;

/* ---- the server ---- */

static int asked; /* files asked for of this behaviour so far */

static void send_text(int s, const char *text)
{
    (void)!write(s, text, strlen(text));
}

static void send_head(int s, const char *status, long length, const char *more)
{
    char head[512];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\n%s", status, more);
    if (length >= 0)
        snprintf(head + strlen(head), sizeof head - strlen(head), "Content-Length: %ld\r\n", length);
    send_text(s, head);
    send_text(s, "\r\n");
}

static void send_list(int s, const char *how)
{
    char list[2048];
    const char *revision = !strcmp(how, "revision") ? "../../../../etc" : REVISION;
    snprintf(
        list, sizeof list,
        "{\"sha\": \"%s\", \"siblings\": [{\"rfilename\": \"config.json\", \"size\": %zu, \"blobId\": \"%s\"},"
        "{\"rfilename\": \"%s\", \"size\": 134, \"blobId\": \"%s\", \"lfs\": {\"size\": %d, \"sha256\": \"%s\"}}]}",
        revision, strlen(CONFIG), config_hash, !strcmp(how, "escape") ? "../../evil" : "unet/net.safetensors",
        config_hash, !strcmp(how, "huge") ? -1 : LARGE, !strcmp(how, "path") ? "../../../evil" : large_hash);
    if (!strcmp(how, "nonsense"))
        snprintf(list, sizeof list, "<html>no</html>");
    send_head(s, "200 OK", (long)strlen(list), "");
    send_text(s, list);
}

static void send_bytes(int s, const unsigned char *data, size_t size)
{
    while (size) {
        ssize_t n = write(s, data, size);
        if (n <= 0)
            return;
        data += n;
        size -= (size_t)n;
    }
}

/* The large file from `from` on, as `how` would have it. */
static void send_large(int s, const char *how, size_t from, const char *path)
{
    char more[256] = "";
    const bool first = asked++ == 0, range = from > 0 && strcmp(how, "norange") != 0;
    if (!strcmp(how, "redirect")) {
        snprintf(more, sizeof more, "Location: http://localhost:%d/cdn%s\r\n", port, path);
        send_head(s, "302 Found", 0, more);
        return;
    }
    if (!strcmp(how, "missing")) {
        send_head(s, "404 Not Found", 0, "");
        return;
    }
    if (!strcmp(how, "busy") && first) {
        send_head(s, "503 Service Unavailable", 0, "");
        return;
    }
    if (range)
        snprintf(more, sizeof more, "Content-Range: bytes %zu-%d/%d\r\n", from, LARGE - 1, LARGE);
    else
        from = 0;
    const bool is_long = !strcmp(how, "long"), is_short = !strcmp(how, "short");
    send_head(s, range ? "206 Partial Content" : "200 OK", is_long ? -1 : is_short ? 1000 : (long)(LARGE - from), more);
    size_t size = is_short ? 1000 : LARGE - from;
    if (!strcmp(how, "drop") || (!strcmp(how, "norange") && first))
        size = size < 100000 ? size : 100000;
    if (!strcmp(how, "stall") && first)
        size = 1000;
    if (is_long) /* something before it */
        send_bytes(s, large, 5000);
    if (!strcmp(how, "lie")) {
        unsigned char *other = malloc(LARGE);
        memcpy(other, large, LARGE);
        other[LARGE / 2] ^= 1;
        send_bytes(s, other + from, size);
        free(other);
    } else {
        send_bytes(s, large + from, size);
    }
    if (!strcmp(how, "stall") && first)
        sleep(4);
}

static void serve(int s)
{
    static char last[32];
    char request[4096], how[32] = "", path[256] = "";
    size_t used = 0;
    ssize_t n;
    while (used + 1 < sizeof request && (n = read(s, request + used, sizeof request - 1 - used)) > 0) {
        used += (size_t)n;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n"))
            break;
    }
    request[used] = '\0';
    if (sscanf(request, "GET /%31[^/]%255s", how, path) != 2)
        return;
    if (strcmp(how, last) != 0 && strcmp(how, "cdn") != 0)
        asked = 0;
    if (strcmp(how, "cdn") != 0)
        snprintf(last, sizeof last, "%s", how);
    const char *token = strstr(request, "Authorization: Bearer secret\r\n"), *range = strstr(request, "Range: bytes=");
    if (!strcmp(how, "cdn") ? strstr(request, "Authorization") != NULL : !strcmp(how, "private") && !token) {
        send_head(s, "401 Unauthorized", 0, "");
        return;
    }
    if (strstr(path, "/api/models/")) {
        send_list(s, how);
    } else if (strstr(path, "/config.json")) {
        send_head(s, "200 OK", (long)strlen(CONFIG), "");
        send_text(s, CONFIG);
    } else {
        send_large(s, how, range ? (size_t)strtoul(range + 13, NULL, 10) : 0, path);
    }
}

static int start_server(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char path[128];
    snprintf(folder, sizeof folder, "/tmp/mdm-hub-%ld", (long)getpid());
    snprintf(path, sizeof path, "%s/config", folder);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (unsigned char)(i * i >> 7);
    mdm_sha256_hex(large_hash, large, LARGE);
    if (mdm_make_folder(folder, 0700) || mdm_file_write(path, CONFIG, strlen(CONFIG)) ||
        mdm_git_name_of_file(config_hash, path))
        return 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        return 1;
    port = ntohs(address.sin_port);
    server = fork();
    if (server == 0) {
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            int s = accept(listener, NULL, NULL);
            if (s < 0)
                _exit(0);
            serve(s);
            close(s);
        }
    }
    close(listener);
    return server < 0;
}

static int stop_server(void **state)
{
    (void)state;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return mdm_remove_tree(folder, false) != MDM_OK;
}

/* ---- pulling ---- */

static const mdm_hub_file files[] = {
    {"", "config.json", false, false}, {"unet", "net", true, false}, {"", "readme", false, true}};

/* Pulls from a server that behaves like `how` into a cache of its own. */
static mdm_status pull(const char *how, const mdm_progress *progress)
{
    char endpoint[64], home[128];
    const mdm_hub_settings settings = {.tries = 5, .stall_seconds = 1, .progress = progress};
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d/%s", port, how);
    snprintf(home, sizeof home, "%s/%s", folder, how);
    setenv("HF_ENDPOINT", endpoint, 1);
    setenv("HF_HOME", home, 1);
    unsetenv("HF_HUB_CACHE");
    return mdm_hub_pull("acme/tiny", files, 3, &settings);
}

static void check_cache(void)
{
    char *snapshot = NULL, path[512];
    unsigned char *data = NULL;
    size_t size = 0;
    struct stat info;
    ok(mdm_hub_snapshot(&snapshot, "acme/tiny"));
    assert_non_null(strstr(snapshot, "/hub/models--acme--tiny/snapshots/" REVISION));
    snprintf(path, sizeof path, "%s/unet/net.safetensors", snapshot);
    ok(mdm_file_read(&data, &size, path, LARGE));
    assert_int_equal(size, LARGE);
    assert_memory_equal(data, large, LARGE);
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISLNK(info.st_mode)); /* as the hub's own tools keep it */
    mdm_free(&data);
    snprintf(path, sizeof path, "%s/config.json", snapshot);
    ok(mdm_file_read(&data, &size, path, 100));
    assert_string_equal((char *)data, CONFIG);
    mdm_free(&data);
    mdm_free(&snapshot);
}

static void files_arrive_whatever_the_network_does(void **state)
{
    (void)state;
    static const char *const ways[] = {"good", "drop", "norange", "stall", "redirect", "busy"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        print_message("%s\n", ways[i]);
        ok(pull(ways[i], NULL));
        check_cache();
        ok(pull(ways[i], NULL)); /* what is there stays */
    }
}

static bool stop_late(void *user, double done, double total)
{
    *(double *)user = total;
    return done < 150000;
}

static void what_was_begun_is_gone_on_with(void **state)
{
    (void)state;
    double total = 0;
    char path[512];
    uint64_t size = 0;
    const mdm_progress progress = {stop_late, &total};
    assert_int_equal(pull("good2", &progress), MDM_ERR_CANCELLED);
    assert_true(total == (double)(LARGE + strlen(CONFIG)));
    snprintf(path, sizeof path, "%s/good2/hub/models--acme--tiny/blobs/%s.incomplete", folder, large_hash);
    ok(mdm_file_size(&size, path));
    assert_true(size > 50000 && size < LARGE);
    char *snapshot = NULL;
    assert_int_equal(mdm_hub_snapshot(&snapshot, "acme/tiny"), MDM_ERR_DEVICE); /* not before it is whole */
    ok(pull("good2", NULL));
    check_cache();
    assert_false(mdm_file_exists(path));
}

static void refuse(const char *how, mdm_status status, const char *word)
{
    char *snapshot = NULL;
    mdm_status got = pull(how, NULL);
    if (got != status || !strstr(mdm_error_message(), word))
        fail_msg("%s: \"%s\" (%s), expected %s with \"%s\"", how, mdm_error_message(), mdm_status_name(got),
                 mdm_status_name(status), word);
    assert_int_equal(mdm_hub_snapshot(&snapshot, "acme/tiny"), MDM_ERR_DEVICE);
}

static void lies_are_found_out(void **state)
{
    (void)state;
    char path[512];
    refuse("lie", MDM_ERR_INPUT, "unet/net.safetensors of acme/tiny: what came is not what the repository lists");
    snprintf(path, sizeof path, "%s/lie/hub/models--acme--tiny/blobs/%s", folder, large_hash);
    assert_false(mdm_file_exists(path));
    mdm_status status = pull("long", NULL); /* found out by its length or, when it was cut there, by its checksum */
    assert_true(status == MDM_ERR_AGAIN || status == MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "unet/net.safetensors"));
    refuse("short", MDM_ERR_AGAIN, "after 5000 of 300000 bytes");
    refuse("missing", MDM_ERR_INPUT, "(404)");
    refuse("nonsense", MDM_ERR_INPUT, "no list");
    refuse("revision", MDM_ERR_INPUT, "no list");
    refuse("escape", MDM_ERR_INPUT, "lists no unet/net.safetensors");
    refuse("path", MDM_ERR_INPUT, "lists no unet/net.safetensors");
    refuse("huge", MDM_ERR_INPUT, "lists no unet/net.safetensors");
    snprintf(path, sizeof path, "%s/evil", folder);
    assert_false(mdm_file_exists(path));
}

static void tokens_go_to_the_hub_only(void **state)
{
    (void)state;
    char path[128];
    refuse("private", MDM_ERR_CONFIG, "HF_TOKEN");
    setenv("HF_TOKEN", "secret", 1);
    ok(pull("private", NULL));
    check_cache();
    char home[128];
    snprintf(home, sizeof home, "%s/redirect", folder);
    ok(mdm_remove_tree(home, false));
    ok(pull("redirect", NULL)); /* the other host refuses requests with a token */
    unsetenv("HF_TOKEN");
    snprintf(home, sizeof home, "%s/private", folder);
    ok(mdm_remove_tree(home, false));
    ok(mdm_make_folder(home, 0700));
    snprintf(path, sizeof path, "%s/private/token", folder); /* where the hub's own tools keep it */
    ok(mdm_file_write(path, "secret\n", 7));
    ok(pull("private", NULL));
}

static void names_and_addresses_are_checked(void **state)
{
    (void)state;
    const mdm_hub_settings settings = mdm_hub_settings_default();
    static const char *const wrong[] = {"tiny", "a/b/c", "../x", "a/..", "a b/c", "/x", "x/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(mdm_hub_pull(wrong[i], files, 1, &settings), MDM_ERR_USAGE);
    setenv("HF_ENDPOINT", "file:///etc", 1);
    assert_int_equal(mdm_hub_pull("acme/tiny", files, 1, &settings), MDM_ERR_CONFIG);
    assert_non_null(strstr(mdm_error_message(), "HF_ENDPOINT"));
}

static void git_names_are_gits(void **state)
{
    (void)state;
    char path[128], name[41];
    snprintf(path, sizeof path, "%s/hello", folder);
    ok(mdm_file_write(path, "hello\n", 6));
    ok(mdm_git_name_of_file(name, path));
    assert_string_equal(name, "ce013625030ba8dba906f756967f9e9ca394464a");
    ok(mdm_file_write(path, "", 0));
    ok(mdm_git_name_of_file(name, path));
    assert_string_equal(name, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_arrive_whatever_the_network_does),
        cmocka_unit_test(what_was_begun_is_gone_on_with),
        cmocka_unit_test(lies_are_found_out),
        cmocka_unit_test(tokens_go_to_the_hub_only),
        cmocka_unit_test(names_and_addresses_are_checked),
        cmocka_unit_test(git_names_are_gits),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
