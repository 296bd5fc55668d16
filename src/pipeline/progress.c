/* The status line and the JSON events. */
#define _GNU_SOURCE
#include "pipeline/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum { MAX_ACTIVE = 256 };

/* A stage that is under way. */
typedef struct active {
    char clip[24], stage[16];
    double weight, fraction, last_event, start;
} active;

struct mdm_display {
    bool terminal, json;
    double total, finished, start, last_draw;
    active running[MAX_ACTIVE];
    int count;
};

static void clear_line(const mdm_display *display)
{
    if (display->terminal && display->last_draw > 0)
        (void)!write(STDERR_FILENO, "\r\033[K", 4);
}

/* Log lines go above the status line. */
static void log_above(void *user, mdm_log_level level, const char *text)
{
    static const char *const prefix[] = {"mmdm: error: ", "mmdm: warning: ", "", ""};
    char line[2400];
    clear_line(user);
    int size = snprintf(line, sizeof line, "%s%s\n", prefix[level], text);
    if (size > 0)
        (void)!write(STDERR_FILENO, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
    ((mdm_display *)user)->last_draw = 0;
}

mdm_status mdm_display_new(mdm_display **out, double total, bool quiet)
{
    MDM_TRY(mdm_alloc(out, 1, sizeof **out, "progress"));
    mdm_display *display = *out;
    display->json = mdm_log_is_json();
    display->terminal = !display->json && !quiet && isatty(STDERR_FILENO);
    display->total = total;
    display->start = mdm_now();
    if (display->terminal)
        mdm_log_to(log_above, display);
    return MDM_OK;
}

void mdm_display_free(mdm_display **display)
{
    if (!*display)
        return;
    clear_line(*display);
    if ((*display)->terminal)
        mdm_log_to(NULL, NULL);
    mdm_free(display);
}

void mdm_display_add_total(mdm_display *display, double weight)
{
    display->total += weight;
}

static active *find_active(mdm_display *display, const char *clip, const char *stage)
{
    for (int i = 0; i < display->count; i++)
        if (strcmp(display->running[i].clip, clip) == 0 && strcmp(display->running[i].stage, stage) == 0)
            return &display->running[i];
    return NULL;
}

static void send_event(const mdm_display *display, const char *clip, const char *stage, const char *state,
                       double fraction, double seconds)
{
    if (display->json)
        mdm_event(json_pack("{s:s, s:s, s:s, s:s, s:f, s:f}", "event", "stage", "clip", clip, "stage", stage, "state",
                            state, "fraction", fraction, "seconds", seconds));
}

void mdm_display_started(mdm_display *display, const char *clip, const char *stage, double weight)
{
    send_event(display, clip, stage, "started", 0, 0);
    if (display->count == MAX_ACTIVE)
        return;
    active *a = &display->running[display->count++];
    memset(a, 0, sizeof *a);
    snprintf(a->clip, sizeof a->clip, "%s", clip);
    snprintf(a->stage, sizeof a->stage, "%s", stage);
    a->weight = weight;
    a->start = mdm_now();
}

void mdm_display_moved(mdm_display *display, const char *clip, const char *stage, double weight, double fraction)
{
    (void)weight;
    active *a = find_active(display, clip, stage);
    if (!a)
        return;
    a->fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    if (mdm_now() - a->last_event > 1) { /* one a second is enough for a reader */
        a->last_event = mdm_now();
        send_event(display, clip, stage, "running", a->fraction, a->last_event - a->start);
    }
}

void mdm_display_ended(mdm_display *display, const char *clip, const char *stage, double weight, const char *state)
{
    active *a = find_active(display, clip, stage);
    double seconds = a ? mdm_now() - a->start : 0;
    display->finished += weight;
    if (a)
        *a = display->running[--display->count];
    send_event(display, clip, stage, state, 1, seconds);
    if (!display->json && !display->terminal && strcmp(state, "done") == 0)
        mdm_log(MDM_LOG_DEBUG, "%s: %s done in %.1f s", clip, stage, seconds);
}

/* "3 min" or "40 s". */
static void print_time(char *out, size_t room, double seconds)
{
    if (seconds < 90)
        snprintf(out, room, "%.0f s", seconds);
    else if (seconds < 5400)
        snprintf(out, room, "%.0f min", seconds / 60);
    else
        snprintf(out, room, "%.1f h", seconds / 3600);
}

void mdm_display_draw(mdm_display *display)
{
    enum { BAR = 20 };
    double t = mdm_now(), done = display->finished;
    if (!display->terminal || t - display->last_draw < 0.2)
        return;
    for (int i = 0; i < display->count; i++)
        done += display->running[i].weight * display->running[i].fraction;
    double share = display->total > 0 ? done / display->total : 0;
    share = share > 1 ? 1 : share;
    char bar[BAR + 1], left[32] = "?", line[512], label[48] = "";
    for (int i = 0; i < BAR; i++)
        bar[i] = i < (int)(share * BAR) ? '#' : '.';
    bar[BAR] = '\0';
    if (share > 0.02)
        print_time(left, sizeof left, (t - display->start) * (1 - share) / share);
    if (display->count)
        snprintf(label, sizeof label, "%s %s", display->running[0].clip, display->running[0].stage);
    int n = snprintf(line, sizeof line, "\r\033[K[%s] %3.0f %%  about %s left  %s", bar, share * 100, left, label);
    if (display->count > 1 && n > 0 && (size_t)n < sizeof line)
        n += snprintf(line + n, sizeof line - (size_t)n, " and %d more", display->count - 1);
    struct winsize size;
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10 ? size.ws_col : 80;
    if (n > columns + 3) /* the four bytes of "\r\033[K" take no room, the last column stays free */
        n = columns + 3;
    (void)!write(STDERR_FILENO, line, (size_t)n);
    display->last_draw = t;
}
