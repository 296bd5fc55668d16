/* A small mutating fuzzer with coverage feedback, for compilers without libFuzzer. It runs every file of the corpus
 * folder, then mutates what it has for the given time and keeps each input that reaches new code. On a crash, a
 * sanitizer report or a run of over 20 s the input is written to crash-<target> in the current folder.
 * Usage: fuzz_<reader> [-t SECONDS] [-s SEED] [CORPUS_FOLDER | FILE]... */
#define _DEFAULT_SOURCE
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SIZE = 1 << 20, MAX_FILES = 4, MAX_INPUTS = 4096, MAX_RUN_SECONDS = 20 };

typedef struct input {
    uint8_t *data;
    size_t size;
} input;

static input inputs[MAX_INPUTS];
static size_t input_count;
static uint64_t seen[FUZZ_CELLS / 8]; /* as fuzz_cells: a byte a place, 1 once it was reached */
static size_t seen_count;
static uint64_t random_state = 0x9E3779B97F4A7C15u;
static const uint8_t *current_data;
static size_t current_size;
static char crash_name[256] = "crash-input";
static char folder[64];
static char file_paths[MAX_FILES][128];
static size_t file_count;

/* --- the file handed to readers that take a path --- */

static void remove_folder(void)
{
    for (size_t i = 0; i < file_count; ++i)
        unlink(file_paths[i]);
    if (folder[0])
        rmdir(folder);
}

const char *fuzz_file(const uint8_t *data, size_t size, const char *name)
{
    char wanted[128];
    size_t at = 0;
    if (!folder[0]) {
        struct stat st;
        snprintf(folder, sizeof folder, "%s/mmdm-fuzz-XXXXXX", stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(folder))
            abort();
        atexit(remove_folder);
    }
    snprintf(wanted, sizeof wanted, "%s/%s", folder, name);
    while (at < file_count && strcmp(file_paths[at], wanted) != 0)
        ++at;
    if (at == MAX_FILES)
        abort();
    memcpy(file_paths[at], wanted, sizeof wanted);
    file_count += at == file_count;
    int fd = open(wanted, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        abort();
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, data + done, size - done);
        if (n <= 0)
            abort();
        done += (size_t)n;
    }
    close(fd);
    return file_paths[at];
}

const char *fuzz_folder(void)
{
    return folder;
}

/* --- what happens when a run goes wrong --- */

void __sanitizer_set_death_callback(void (*callback)(void));
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_abort=1:allocator_may_return_null=1:max_allocation_size_mb=4096:detect_leaks=1";
}

static void save_input(void)
{
    int fd = open(crash_name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd >= 0) {
        for (size_t done = 0; done < current_size;) {
            ssize_t n = write(fd, current_data + done, current_size - done);
            if (n <= 0)
                break;
            done += (size_t)n;
        }
        close(fd);
    }
    fprintf(stderr, "fuzz: the input (%zu bytes) is in %s\n", current_size, crash_name);
    remove_folder();
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
    fprintf(stderr, "fuzz: one run took over %d s\n", MAX_RUN_SECONDS);
    abort();
}

/* --- one run --- */

/* Runs the target and, when code was reached that no earlier input reached, keeps a copy of the input. */
static void run(const uint8_t *data, size_t size, int keep)
{
    uint8_t *copy = malloc(size ? size : 1); /* of exactly this size, so that reading past it is seen */
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    memset(fuzz_cells, 0, sizeof fuzz_cells);
    current_data = copy;
    current_size = size;
    alarm(MAX_RUN_SECONDS);
    LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    size_t fresh = 0;
    for (size_t i = 0; i < FUZZ_CELLS / 8; ++i) {
        uint64_t old = seen[i];
        seen[i] |= fuzz_cells[i];
        if (seen[i] != old)
            fresh += (size_t)__builtin_popcountll(seen[i] ^ old);
    }
    seen_count += fresh;
    if ((fresh || keep) && input_count < MAX_INPUTS) {
        inputs[input_count++] = (input){.data = copy, .size = size};
    } else {
        free(copy);
    }
    current_data = NULL;
    current_size = 0;
}

/* --- mutation --- */

static uint64_t next_random(void) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545F4914F6CDD1Du;
}

static size_t below(size_t n)
{
    return n ? (size_t)(next_random() % n) : 0;
}

/* Most headers are at the front, so half of all positions are drawn there. */
static size_t position(size_t size)
{
    return next_random() & 1 ? below(size) : below(size < 256 ? size : 256);
}

static size_t put_number(uint8_t *data, size_t size)
{
    static const uint64_t edges[] = {0,         1,          0x7F,       0x80,       0xFF,        0x7FFF,   0x8000,
                                     0xFFFF,    0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 1u << 20, UINT64_MAX,
                                     INT64_MAX, 1ull << 62, 16,         64,         4096};
    size_t width = (size_t)1 << below(4);
    if (size < width)
        return size;
    uint64_t value = edges[below(sizeof edges / sizeof *edges)];
    if (next_random() & 1)
        value += below(5) - 2;
    size_t at = position(size - width + 1);
    memcpy(data + at, &value, width);
    return size;
}

static size_t change_digit(uint8_t *data, size_t size)
{
    size_t start = position(size);
    for (size_t i = 0; i < size; ++i) {
        uint8_t *p = data + (start + i) % size;
        if (*p < '0' || *p > '9')
            continue;
        *p = (uint8_t) "0123456789-.e"[below(13)];
        break;
    }
    return size;
}

static size_t move_block(uint8_t *data, size_t size)
{
    size_t from = below(size), to = below(size), room = size - (from > to ? from : to);
    memmove(data + to, data + from, 1 + below(room < 64 ? room : 64));
    return size;
}

static size_t insert_block(uint8_t *data, size_t size)
{
    size_t from = below(size), length = 1 + below(size - from < 64 ? size - from : 64), to = below(size + 1);
    uint8_t block[64];
    if (size + length > MAX_SIZE)
        return size;
    memcpy(block, data + from, length);
    memmove(data + to + length, data + to, size - to);
    memcpy(data + to, block, length);
    return size + length;
}

static size_t delete_block(uint8_t *data, size_t size)
{
    size_t from = position(size), length = 1 + below(size - from < 64 ? size - from : 64);
    memmove(data + from, data + from + length, size - from - length);
    return size - length;
}

static size_t splice(uint8_t *data, size_t size)
{
    const input *other = &inputs[below(input_count)];
    size_t from = below(other->size), to = below(size + 1), length = below(other->size - from + 1);
    if (to + length > MAX_SIZE)
        return size;
    if (length)
        memcpy(data + to, other->data + from, length);
    if (next_random() & 1)
        return to + length;
    return to + length > size ? to + length : size;
}

static size_t flip_bit(uint8_t *data, size_t size)
{
    data[position(size)] ^= (uint8_t)(1u << below(8));
    return size;
}

static size_t put_byte(uint8_t *data, size_t size)
{
    data[position(size)] = (uint8_t)next_random();
    return size;
}

static size_t cut(uint8_t *data, size_t size)
{
    (void)data;
    return below(size);
}

static size_t (*const mutations[])(uint8_t *, size_t) = {
    flip_bit, put_byte, put_number, put_number, change_digit, move_block, insert_block, delete_block, splice, cut,
};

/* --- corpus and main --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return;
    uint8_t *data = malloc(MAX_SIZE);
    size_t size = 0;
    ssize_t n;
    while (data && size < MAX_SIZE && (n = read(fd, data + size, MAX_SIZE - size)) > 0)
        size += (size_t)n;
    close(fd);
    if (data)
        run(data, size, 1);
    free(data);
}

/* Runs the folder's files in name order, so that a seed gives the same session again. */
static void run_corpus(const char *path)
{
    char *names[MAX_INPUTS];
    size_t count = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        if (errno == ENOTDIR)
            run_file(path);
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) && count < MAX_INPUTS;) {
        if (e->d_name[0] != '.' && (names[count] = strdup(e->d_name)))
            ++count;
    }
    closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; ++i) {
        char file[4096];
        if ((size_t)snprintf(file, sizeof file, "%s/%s", path, names[i]) < sizeof file)
            run_file(file);
        free(names[i]);
    }
}

int main(int argc, char **argv)
{
    const char *base = strrchr(argv[0], '/');
    long seconds = 20;
    int option;
    snprintf(crash_name, sizeof crash_name, "crash-%s", base ? base + 1 : argv[0]);
    while ((option = getopt(argc, argv, "t:s:")) != -1) {
        if (option == 't')
            seconds = strtol(optarg, NULL, 10);
        else if (option == 's')
            random_state ^= strtoull(optarg, NULL, 10) * 0xD1342543DE82EF95u;
        else
            return 2;
    }
    if (!random_state)
        random_state = 1;
    __sanitizer_set_death_callback(save_input);
    signal(SIGALRM, on_alarm);
    if (!freopen("/dev/null", "w", stdout))
        return 1; /* what the reader prints is not of interest */

    run((const uint8_t *)"", 0, 1);
    for (int i = optind; i < argc; ++i)
        run_corpus(argv[i]);
    size_t seeds = input_count, runs = input_count;

    uint8_t *buffer = malloc(MAX_SIZE);
    if (!buffer)
        return 1;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec >= seconds)
            break;
        /* Newer inputs reach further, so half of the draws are among the last quarter. */
        size_t pick = next_random() & 1 ? below(input_count) : input_count - 1 - below(input_count / 4 + 1);
        size_t size = inputs[pick].size;
        if (size)
            memcpy(buffer, inputs[pick].data, size);
        for (size_t n = 1 + below(6); n; --n) {
            size = size ? mutations[below(sizeof mutations / sizeof *mutations)](buffer, size) : splice(buffer, size);
        }
        run(buffer, size, 0);
        ++runs;
    }
    fprintf(stderr, "%s: %zu seeds, %zu runs, %zu inputs kept, %zu places reached\n", crash_name + 6, seeds - 1, runs,
            input_count, seen_count);
    free(buffer);
    for (size_t i = 0; i < input_count; ++i)
        free(inputs[i].data);
    return 0;
}
