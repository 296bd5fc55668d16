/* For tests of clips: runs ffmpeg and ffprobe (which the run-time never does) to make sources and to check results. */
#ifndef MDM_TESTS_FFMPEG_TOOL_H
#define MDM_TESTS_FFMPEG_TOOL_H

#include <stdbool.h>
#include <stddef.h>

/* Runs a program with arguments split at spaces ("@" in an argument stands for a space), standard output to a file (NULL:
 * nowhere), in the current folder. True when it ended with 0. */
bool run_tool(const char *command, const char *output);
bool ffmpeg(const char *arguments); /* run_tool with "ffmpeg -v error -y -nostdin" before */

/* A whole file with a NUL behind it; caller frees. */
unsigned char *slurp(const char *path, size_t *size);
bool contains(const char *path, const char *text);

/* The times in seconds of a stream's frames ("v", "a") as ffprobe sees them; returns how many. */
size_t probe_times(double *times, size_t room, const char *path, const char *stream);

#endif
