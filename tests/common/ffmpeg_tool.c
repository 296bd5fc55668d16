/* Running ffmpeg and ffprobe from tests (ffmpeg_tool.h). */
#define _XOPEN_SOURCE 700

#include "common/ffmpeg_tool.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool run_tool(const char *command, const char *output)
{
    char text[2048], *arguments[96];
    int count = 0;
    snprintf(text, sizeof text, "%s", command);
    for (char *p = text; *p;) {
        arguments[count++] = p;
        p += strcspn(p, " ");
        if (*p)
            *p++ = '\0';
    }
    arguments[count] = NULL;
    for (int i = 0; i < count; i++)
        for (char *p = arguments[i]; *p; p++)
            if (*p == '@')
                *p = ' ';
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, output ? output : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child;
    const int error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    return error == 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool ffmpeg(const char *arguments)
{
    char command[2048];
    snprintf(command, sizeof command, "ffmpeg -v error -y -nostdin %s", arguments);
    return run_tool(command, NULL);
}

unsigned char *slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    *size = 0;
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    const long length = ftell(file);
    rewind(file);
    unsigned char *data = malloc((size_t)length + 1);
    *size = fread(data, 1, (size_t)length, file);
    data[*size] = '\0';
    fclose(file);
    return data;
}

bool contains(const char *path, const char *text)
{
    size_t size, length = strlen(text);
    unsigned char *data = slurp(path, &size);
    bool found = false;
    for (size_t i = 0; !found && data && i + length <= size; i++)
        found = memcmp(data + i, text, length) == 0;
    free(data);
    return found;
}

size_t probe_times(double *times, size_t room, const char *path, const char *stream)
{
    char command[512], listed[512];
    snprintf(listed, sizeof listed, "%s.times", path);
    snprintf(command, sizeof command,
             "ffprobe -v error -select_streams %s -show_entries frame=best_effort_timestamp_time -of csv=p=0 %s",
             stream, path);
    if (!run_tool(command, listed))
        return 0;
    size_t size, count = 0;
    char *data = (char *)slurp(listed, &size), *p = data;
    while (count < room && p && *p) {
        char *end;
        const double value = strtod(p, &end);
        if (end == p)
            break;
        times[count++] = value;
        p = end + strcspn(end, "\n");
        p += *p == '\n';
    }
    free(data);
    return count;
}
