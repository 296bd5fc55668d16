/* Writing clips: the same frames at the same times, sound in step, nothing of the source's or the machine's metadata, the
 * same bytes every time; and frames through decoder, node and encoder at once, with their failures. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "common/ffmpeg_tool.h"
#include "media/cut.h"
#include "media/frame_nodes.h"

enum { MAX_FRAMES = 512 };

static char folder[] = "/tmp/mmdm-writer-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : 1;
}

static int leave_folder(void **state)
{
    (void)state;
    return chdir("/") == 0 && mdm_remove_tree(folder, false) == MDM_OK ? 0 : 1;
}

static void make(const char *arguments)
{
    if (!ffmpeg(arguments)) {
        print_message("skipped: ffmpeg could not run \"%s\"\n", arguments);
        skip();
    }
}

/* A node that looks at every frame, and fails at one. */
static mdm_status look(void *user, mdm_turn *turn)
{
    const int64_t *bad = user;
    if (turn->last)
        return MDM_OK;
    mdm_frame *frame = mdm_packet_frame(turn->in[0]);
    if (frame->number == *bad)
        return mdm_fail(MDM_ERR_INPUT, "frame %lld cannot be painted", (long long)*bad);
    MDM_TRY(mdm_frame_rgb(frame, 0, 0, 0, 0));
    return mdm_turn_give(turn, 0, mdm_packet_keep(turn->in[0]));
}

/* Delays the sound by 100 samples, as a treatment that looks ahead does. */
typedef struct delay {
    float kept[200];
    int channels;
} delay;

static mdm_status delay_sound(void *user, float *samples, size_t frames, double time)
{
    delay *d = user;
    (void)time;
    for (size_t i = 0; i < frames; i++) {
        float held[2];
        const size_t step = (size_t)d->channels;
        memcpy(held, samples + i * step, step * sizeof *held);
        memcpy(samples + i * step, d->kept, step * sizeof *held);
        memmove(d->kept, d->kept + step, (100 * step - step) * sizeof *held);
        memcpy(d->kept + 100 * step - step, held, step * sizeof *held);
    }
    return MDM_OK;
}

/* Source to masked clip the way compose does it; the recording's own first frame is time zero of its sound. */
static mdm_status pass_through(const char *from, const char *to, int64_t bad)
{
    mdm_reader *reader;
    mdm_writer *writer = NULL;
    mdm_audio *audio = NULL;
    mdm_sound *sound = NULL;
    mdm_frames *frames = NULL;
    MDM_TRY(mdm_reader_open(&reader, from, NULL));
    mdm_frame first = {0};
    bool more;
    mdm_status status = mdm_reader_next(&more, reader, &first);
    const mdm_video_info info = *mdm_reader_video(reader);
    const double origin = (double)first.pts * info.time_base[0] / info.time_base[1];
    mdm_frame_free(&first);
    mdm_reader_free(&reader);
    if (status == MDM_OK)
        status = mdm_reader_open(&reader, from, NULL);
    if (status == MDM_OK)
        status = mdm_audio_open(&audio, from, &(mdm_audio_options){.origin = origin});
    mdm_writer_options options = {.width = info.width,
                                  .height = info.height,
                                  .fps = info.fps,
                                  .colour = info.colour,
                                  .time_base = {info.time_base[0], info.time_base[1]},
                                  .aspect = {info.aspect[0], info.aspect[1]}};
    delay wait = {.channels = audio ? mdm_audio_describe(audio)->channels : 0};
    if (audio) {
        const mdm_audio_treatment treatment = {delay_sound, 100, &wait};
        options.audio_rate = mdm_audio_describe(audio)->rate;
        options.audio_channels = mdm_audio_describe(audio)->channels;
        options.audio_start = mdm_audio_describe(audio)->start;
        status = mdm_sound_new(&sound, audio, &treatment, 1);
    }
    if (status == MDM_OK)
        status = mdm_writer_open(&writer, to, &options);
    if (status == MDM_OK)
        status = mdm_frames_new(&frames);
    if (status == MDM_OK) {
        mdm_decode_node source = {.reader = reader, .frames = frames};
        mdm_encode_node sink = {.writer = writer, .sound = sound};
        const mdm_flow_node line[] = {{.name = "decode", .work = mdm_decode_turn, .user = &source},
                                      {.name = "look", .work = look, .user = &bad, .queue = 1},
                                      {.name = "encode", .work = mdm_encode_turn, .user = &sink, .queue = 1}};
        status = mdm_flow_line(line, 3);
    }
    mdm_frames_free(&frames);
    if (status == MDM_OK)
        status = mdm_writer_finish(writer);
    mdm_writer_free(&writer);
    mdm_sound_free(&sound);
    mdm_audio_free(&audio);
    mdm_reader_free(&reader);
    return status;
}

static void passes(const char *from, const char *to)
{
    if (pass_through(from, to, -1) != MDM_OK)
        fail_msg("%s", mdm_error_message());
}

#define BEEP "-f lavfi -i sine=frequency=600:duration=4:sample_rate=44100 "

/* Time of the first loud sample after the first frame. */
static double onset(const char *path)
{
    mdm_audio *audio;
    double starts[MAX_FRAMES];
    assert_true(probe_times(starts, MAX_FRAMES, path, "v") > 0);
    assert_int_equal(
        mdm_audio_open(&audio, path, &(mdm_audio_options){.rate = 48000, .channels = 1, .origin = starts[0]}), MDM_OK);
    assert_non_null(audio);
    float *samples;
    size_t count, at = 0;
    assert_int_equal(mdm_audio_read_all(&samples, &count, audio, 48000 * 60), MDM_OK);
    while (at < count && fabsf(samples[at]) < 0.02f)
        at++;
    assert_true(at < count);
    const double time = mdm_audio_describe(audio)->start + (double)at / 48000;
    mdm_free(&samples);
    mdm_audio_free(&audio);
    return time;
}

static void times_and_sound_are_kept(void **state)
{
    (void)state;
    static const char *const makes[][2] = {
        {"-f lavfi -t 3 -i testsrc2=size=96x64:rate=10 " BEEP
         "-vf setpts=N*(1+N/7)/10/TB -fps_mode vfr -enc_time_base 1:1000 -af adelay=500 -shortest a0.mkv",
         "a0.mkv"},
        {"-f lavfi -t 3 -i testsrc2=size=96x64:rate=30000/1001 " BEEP "-af adelay=300 -c:v libx264 a1.mp4", "a1.mp4"},
        {"-f lavfi -t 3 -i testsrc2=size=96x64:rate=25 -itsoffset 0.7 " BEEP "-c:v libx264 a2.mp4", "a2.mp4"},
        {"-itsoffset 0.8 -f lavfi -t 3 -i testsrc2=size=96x64:rate=25 " BEEP "-af adelay=1100 -c:v libx264 a3.mp4",
         "a3.mp4"},
        {"-f lavfi -t 3 -i testsrc2=size=96x64:rate=25 " BEEP "-af adelay=400 -ar 22050 -ac 2 -c:v mpeg4 a4.avi",
         "a4.avi"},
        {"-f lavfi -t 3 -i testsrc=size=65x47:rate=15 " BEEP "-af adelay=400 -c:v libx264 -pix_fmt yuv444p a5.ts",
         "a5.ts"},
    };
    for (size_t i = 0; i < sizeof makes / sizeof *makes; i++) {
        double before[MAX_FRAMES], after[MAX_FRAMES];
        make(makes[i][0]);
        passes(makes[i][1], "out.mp4");
        const size_t count = probe_times(before, MAX_FRAMES, makes[i][1], "v");
        assert_true(count >= 30);
        assert_int_equal(count, probe_times(after, MAX_FRAMES, "out.mp4", "v"));
        for (size_t k = 0; k < count; k++)
            if (fabs((before[k] - before[0]) - (after[k] - after[0])) > 2e-6)
                fail_msg("%s: frame %zu at %.6f instead of %.6f", makes[i][1], k, after[k] - after[0],
                         before[k] - before[0]);
        const double was = onset(makes[i][1]), is = onset("out.mp4");
        if (fabs(was - is) > 0.023)
            fail_msg("%s: sound begins at %.3f s instead of %.3f", makes[i][1], is, was);
    }
}

static void nothing_of_the_source_survives(void **state)
{
    (void)state;
    make("-f lavfi -t 2 -i testsrc2=size=96x64:rate=10 " BEEP
         "-shortest -metadata title=SECRETTITLE -metadata artist=SECRETNAME "
         "-metadata location=+52.5200+013.4050/ -metadata creation_time=2026-03-04T21:37:13 -metadata:s:v "
         "handler_name=SECRETCAMERA "
         "-c:v libx264 tagged.mp4");
    passes("tagged.mp4", "clean.mp4");
    static const char *const traces[] = {"SECRET", "52.52", "x264", "Lavf", "Lavc", "2026"};
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++)
        if (contains("clean.mp4", traces[i]))
            fail_msg("the output holds \"%s\"", traces[i]);
    assert_true(contains("clean.mp4", MDM_SYNTHETIC_MARK));
    assert_true(contains("clean.mp4", "digitalsourcetype/compositeWithTrainedAlgorithmicMedia"));
    size_t size;
    unsigned char *data = slurp("clean.mp4", &size);
    size_t moov = 0, mdat = 0;
    for (size_t i = 4; i + 4 < size; i++) {
        if (!moov && memcmp(data + i, "moov", 4) == 0)
            moov = i;
        if (!mdat && memcmp(data + i, "mdat", 4) == 0)
            mdat = i;
    }
    assert_true(moov && mdat && moov < mdat); /* plays while it loads */
    free(data);
    mdm_image image;
    assert_int_equal(mdm_image_new(&image, 8, 8, 3), MDM_OK);
    assert_int_equal(mdm_write_marked_png(&image, "marked.png", NULL), MDM_OK);
    mdm_image_free(&image);
    assert_int_equal(mdm_image_read(&image, "marked.png", 3), MDM_OK);
    mdm_image_free(&image);
    assert_true(contains("marked.png", MDM_SYNTHETIC_MARK));
    make("-i marked.png -f null -"); /* others can read it as well */
}

static void bytes_are_the_same_every_time(void **state)
{
    (void)state;
    make("-f lavfi -t 3 -i testsrc2=size=320x240:rate=25 " BEEP "-shortest -c:v libx264 -bf 3 source.mp4");
    passes("source.mp4", "one.mp4");
    passes("source.mp4", "two.mp4");
    size_t a, b;
    unsigned char *one = slurp("one.mp4", &a), *two = slurp("two.mp4", &b);
    assert_int_equal(a, b);
    assert_memory_equal(one, two, a);
    free(one);
    free(two);
    /* A key frame a second, so that loaders can jump. */
    assert_true(run_tool(
        "ffprobe -v error -select_streams v -skip_frame nokey -show_entries frame=pts_time -of csv=p=0 one.mp4",
        "keys.txt"));
    size_t size;
    char *keys = (char *)slurp("keys.txt", &size);
    int lines = 0;
    for (char *p = keys; *p; p++)
        lines += *p == '\n';
    assert_true(lines >= 3);
    free(keys);
}

static void failures_leave_nothing_behind(void **state)
{
    (void)state;
    make("-f lavfi -t 2 -i testsrc2=size=320x240:rate=25 source.mkv");
    assert_int_equal(pass_through("source.mkv", "failed.mp4", 7), MDM_ERR_INPUT);
    assert_string_equal(mdm_error_message(), "frame 7 cannot be painted");
    assert_false(mdm_file_exists("failed.mp4"));
    assert_int_equal(pass_through("source.mkv", "absent/failed.mp4", -1), MDM_ERR_WRITE);
    /* A full disk, as a limit on the size of files. */
    struct rlimit before, low = {0};
    getrlimit(RLIMIT_FSIZE, &before);
    low.rlim_max = before.rlim_max;
    low.rlim_cur = 20000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    const mdm_status status = pass_through("source.mkv", "failed.mp4", -1);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, MDM_ERR_WRITE);
    assert_non_null(strstr(mdm_error_message(), "failed.mp4"));
    char **names;
    size_t count;
    assert_int_equal(mdm_list_folder(&names, &count, "."), MDM_OK);
    for (size_t i = 0; i < count; i++)
        assert_null(strstr(names[i], "failed"));
    mdm_names_free(&names, count);
}

static void cuts_are_seen(void **state)
{
    (void)state;
    make("-f lavfi -t 1 -i testsrc=size=96x64:rate=10 -f lavfi -t 1 -i mandelbrot=size=96x64:rate=10 -f lavfi -t 1 -i "
         "smptebars=size=96x64:rate=10 -filter_complex [0:v]format=yuv420p,setsar=1[a];[1:v]format=yuv420p,setsar=1[b];"
         "[2:v]format=yuv420p,setsar=1[c];[a][b][c]concat=n=3 -c:v libx264 shots.mp4");
    mdm_reader *reader;
    mdm_frame frame = {0};
    mdm_cut_detector detector = {0};
    bool more, cut;
    assert_int_equal(mdm_reader_open(&reader, "shots.mp4", NULL), MDM_OK);
    while (mdm_reader_next(&more, reader, &frame) == MDM_OK && more) {
        assert_int_equal(mdm_cut_push(&cut, &detector, &frame), MDM_OK);
        assert_int_equal(cut, frame.number % 10 == 0);
    }
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_and_sound_are_kept),
        cmocka_unit_test(nothing_of_the_source_survives),
        cmocka_unit_test(bytes_are_the_same_every_time),
        cmocka_unit_test(failures_leave_nothing_behind),
        cmocka_unit_test(cuts_are_seen),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
