/* Memory that is left, from what Linux says of the machine, the container and the process. */
#define _POSIX_C_SOURCE 200809L
#include "base/memory_room.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* The number after `key` in a file of lines, or its first number where key is ""; `absent` when it is not there. */
static uint64_t number_in(const char *path, const char *key, uint64_t absent)
{
    char line[256];
    uint64_t number = absent, found;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)) && sscanf(line + strlen(key), "%" SCNu64, &found) == 1) {
            number = found;
            break;
        }
    if (file)
        fclose(file);
    return number;
}

static uint64_t rest(uint64_t limit, uint64_t used)
{
    return used < limit ? limit - used : 0;
}

size_t mdm_memory_room(void)
{
    uint64_t room = number_in("/proc/meminfo", "MemAvailable:", UINT64_MAX / 1024) * 1024;
    const uint64_t limit = number_in("/sys/fs/cgroup/memory.max", "", UINT64_MAX), /* "max" is no number */
        cached = number_in("/sys/fs/cgroup/memory.stat", "file ", 0),
                   used = number_in("/sys/fs/cgroup/memory.current", "", 0);
    struct rlimit data;
    if (limit != UINT64_MAX && rest(limit, rest(used, cached)) < room)
        room = rest(limit, rest(used, cached));
    if (!getrlimit(RLIMIT_DATA, &data) && data.rlim_cur != RLIM_INFINITY) {
        const uint64_t left = rest(data.rlim_cur, number_in("/proc/self/status", "VmData:", 0) * 1024);
        room = left < room ? left : room;
    }
    return room < SIZE_MAX ? (size_t)room : SIZE_MAX;
}

mdm_status mdm_memory_fits(size_t bytes, const char *what, const char *advice)
{
    const size_t room = mdm_memory_room();
    return bytes <= room ? MDM_OK
                         : mdm_fail(MDM_ERR_MEMORY, "%s needs at least %.1f GB of memory, %.1f GB are free; %s", what,
                                    (double)bytes / 1e9, (double)room / 1e9, advice);
}
