/* Reading every kind of clip: rotation, varying frame rate, odd sizes, 10 bits, grey, stills, ranges, seeking, and files
 * that are broken or not clips at all. Sources are made by ffmpeg, and its own decoding is what frames are compared with. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "common/ffmpeg_tool.h"
#include "media/reader.h"
#include "media/segment.h"

enum { MAX_FRAMES = 512 };

#define TEST_PICTURE "-f lavfi -i testsrc2=size=96x64:rate=10 "

static char folder[] = "/tmp/mmdm-reader-XXXXXX";

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

/* Reads all frames; keeps their times; compares luma (or, for planes == 3, RGB) with ffmpeg's raw decoding. */
static size_t read_all(const char *path, const mdm_reader_options *options, double *times, const char *raw, int planes,
                       double tolerance, mdm_video_info *info)
{
    mdm_reader *reader;
    mdm_frame frame = {0};
    bool more;
    size_t count = 0, size = 0;
    if (mdm_reader_open(&reader, path, options) != MDM_OK)
        fail_msg("%s", mdm_error_message());
    unsigned char *data = raw ? slurp(raw, &size) : NULL;
    for (;; count++) {
        if (mdm_reader_next(&more, reader, &frame) != MDM_OK)
            fail_msg("%s", mdm_error_message());
        if (!more)
            break;
        assert_true(count < MAX_FRAMES);
        assert_int_equal(frame.number, count);
        if (times)
            times[count] = frame.time;
        if (!data)
            continue;
        mdm_image picture;
        if (planes == 1)
            assert_int_equal(mdm_frame_luma(&picture, &frame), MDM_OK);
        else {
            assert_int_equal(mdm_frame_rgb(&frame, 0, 0, 0, 0), MDM_OK);
            picture = frame.rgb;
        }
        const size_t row = (size_t)(picture.width * planes), bytes = row * (size_t)picture.height;
        assert_true((count + 1) * bytes <= size);
        double sum = 0.0;
        for (int y = 0; y < picture.height; y++)
            for (size_t i = 0; i < row; i++)
                sum += fabs((double)picture.data[(size_t)y * picture.stride + i] -
                            data[count * bytes + (size_t)y * row + i]);
        if (sum / (double)bytes > tolerance)
            fail_msg("%s: frame %zu differs from ffmpeg's by %.3f on average", path, count, sum / (double)bytes);
    }
    if (info)
        *info = *mdm_reader_video(reader);
    free(data);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    return count;
}

static void rotations_are_applied(void **state)
{
    (void)state;
    static const struct {
        const char *make;
        int width, rotation;
    } cases[] = {{"-i plain.mp4 -c copy -metadata:s:v rotate=90 turned.mp4", 64, 270},
                 {"-i plain.mp4 -c copy -metadata:s:v rotate=180 turned.mp4", 96, 180},
                 {"-i plain.mp4 -c copy -metadata:s:v rotate=270 turned.mp4", 64, 90}};
    make(TEST_PICTURE "-t 1 -c:v libx264 -pix_fmt yuv420p plain.mp4");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mdm_video_info info;
        make(cases[i].make);
        make("-i turned.mp4 -f rawvideo -pix_fmt yuv420p full.raw");
        make("-i turned.mp4 -f rawvideo -pix_fmt gray -vf extractplanes=y turned.raw");
        assert_int_equal(read_all("turned.mp4", NULL, NULL, "turned.raw", 1, 0.0, &info), 10);
        assert_int_equal(info.width, cases[i].width);
        assert_int_equal(abs(info.rotation), cases[i].rotation);
        assert_false(info.mirrored);
    }
}

static void timestamps_are_the_sources(void **state)
{
    (void)state;
    static const char *const files[] = {"vfr.mkv", "vfr.mp4", "vfr.mov", "vfr.ts"};
    make("-f lavfi -t 3 -i testsrc2=size=96x64:rate=10 -vf setpts=N*(1+N/7)/10/TB -fps_mode vfr -enc_time_base 1:1000 "
         "-c:v libx264 -bf 2 -g 12 vfr.mkv");
    make("-i vfr.mkv -c copy vfr.mp4");
    make("-i vfr.mkv -c copy vfr.mov");
    make("-i vfr.mkv -c copy vfr.ts");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        double ours[MAX_FRAMES], theirs[MAX_FRAMES];
        const size_t count = read_all(files[i], NULL, ours, NULL, 0, 0, NULL);
        assert_int_equal(count, probe_times(theirs, MAX_FRAMES, files[i], "v"));
        assert_int_equal(count, 30);
        for (size_t k = 0; k < count; k++)
            assert_true(fabs(ours[k] - (theirs[k] - theirs[0])) < 2e-6);
    }
}

static void odd_deep_and_grey_pictures(void **state)
{
    (void)state;
    static const struct {
        const char *make, *file, *decode;
        double tolerance;
        bool grey;
    } cases[] = {
        {"-f lavfi -i testsrc=size=65x47:rate=5 -t 1 -c:v libx264 -pix_fmt yuv444p odd.mp4", "odd.mp4", "rgb24", 1.5,
         false},
        {"-f lavfi -i testsrc=size=65x47:rate=5 -t 1 -c:v ffv1 -pix_fmt bgr0 odd.mkv", "odd.mkv", "rgb24", 2.0, false},
        {TEST_PICTURE "-t 1 -c:v ffv1 -pix_fmt yuv420p10le ten.mkv", "ten.mkv", "rgb24", 1.5, false},
        {TEST_PICTURE "-t 1 -c:v prores_ks -pix_fmt yuv422p10le ten.mov", "ten.mov", "rgb24", 4.0, false},
        {TEST_PICTURE "-t 1 -c:v mjpeg -q:v 3 motion.avi", "motion.avi", "rgb24", 2.0, false},
        {TEST_PICTURE "-t 1 -c:v libvpx-vp9 web.webm", "web.webm", "rgb24", 2.0, false},
        {TEST_PICTURE "-t 1 -c:v ffv1 -pix_fmt gray grey.mkv", "grey.mkv", "rgb24", 1.0, true},
        {TEST_PICTURE "-t 1 -vf hue=s=0 -c:v libx264 -pix_fmt yuv420p night.mp4", "night.mp4", "rgb24", 1.5, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[256];
        if (!ffmpeg(cases[i].make)) {
            print_message("not tried, ffmpeg cannot make it: %s\n", cases[i].file);
            continue;
        }
        snprintf(command, sizeof command,
                 "-i %s -vf scale=flags=accurate_rnd+full_chroma_int+neighbor,format=%s -f rawvideo raw.raw",
                 cases[i].file, cases[i].decode);
        make(command);
        const size_t count = read_all(cases[i].file, NULL, NULL, "raw.raw", 3, cases[i].tolerance, NULL);
        assert_true(count == 5 || count == 10);
        mdm_reader *reader;
        mdm_frame frame = {0};
        bool more;
        assert_int_equal(mdm_reader_open(&reader, cases[i].file, NULL), MDM_OK);
        assert_int_equal(mdm_reader_next(&more, reader, &frame), MDM_OK);
        assert_int_equal(mdm_frame_is_grey(&frame), cases[i].grey);
        mdm_frame_free(&frame);
        mdm_reader_free(&reader);
    }
}

static void stills_are_clips_of_one_frame(void **state)
{
    (void)state;
    mdm_video_info info;
    make(TEST_PICTURE "-frames:v 1 picture.png");
    make("-i picture.png -f rawvideo -pix_fmt rgb24 picture.raw");
    assert_int_equal(read_all("picture.png", NULL, NULL, "picture.raw", 3, 0.0, &info), 1);
    assert_true(info.still);
    make("-i picture.png -q:v 2 picture.jpg");
    make("-i picture.jpg -f rawvideo -pix_fmt rgb24 picture.raw");
    assert_int_equal(read_all("picture.jpg", NULL, NULL, "picture.raw", 3, 3.0, &info), 1);
    assert_true(info.still && info.width == 96);
    if (!run_tool("exiftool -q -overwrite_original -Orientation#=6 picture.jpg", NULL))
        return;
    make("-i picture.png -vf transpose=clock -f rawvideo -pix_fmt rgb24 picture.raw");
    assert_int_equal(read_all("picture.jpg", NULL, NULL, "picture.raw", 3, 6.0, &info), 1);
    assert_int_equal(info.width, 64);
    assert_int_equal(info.rotation, 90);
}

static void ranges_and_seeking(void **state)
{
    (void)state;
    make(TEST_PICTURE "-t 6 -c:v libx264 -bf 3 -g 25 -pix_fmt yuv420p long.mp4");
    make("-i long.mp4 -f rawvideo -pix_fmt gray -vf extractplanes=y long.raw");
    assert_int_equal(read_all("long.mp4", NULL, NULL, "long.raw", 1, 0.0, NULL), 60);
    const mdm_reader_options part = {.start = 2.95, .end = 4.1};
    double times[MAX_FRAMES];
    assert_int_equal(read_all("long.mp4", &part, times, NULL, 0, 0, NULL), 11); /* frames at 3.0 .. 4.0 */
    assert_true(times[0] == 0.0 && fabs(times[10] - 1.0) < 1e-9);
    size_t size;
    unsigned char *raw = slurp("long.raw", &size);
    mdm_reader *reader;
    mdm_frame frame = {0};
    mdm_image luma;
    bool more;
    int64_t pts[60];
    assert_int_equal(mdm_reader_open(&reader, "long.mp4", NULL), MDM_OK);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(mdm_reader_next(&more, reader, &frame), MDM_OK);
        pts[i] = frame.pts;
    }
    static const int order[] = {59, 0, 26, 24, 25, 1, 50, 13};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        for (int k = 0; k < 2 && order[i] + k < 60; k++) {
            if (k == 0)
                assert_int_equal(mdm_reader_seek(reader, order[i], pts, 60), MDM_OK);
            assert_int_equal(mdm_reader_next(&more, reader, &frame), MDM_OK);
            assert_true(more);
            assert_int_equal(frame.number, order[i] + k);
            assert_int_equal(frame.pts, pts[order[i] + k]);
            assert_int_equal(mdm_frame_luma(&luma, &frame), MDM_OK);
            for (int y = 0; y < 64; y++)
                assert_memory_equal(luma.data + (size_t)y * luma.stride,
                                    raw + (size_t)frame.number * 96 * 64 + (size_t)y * 96, 96);
        }
    assert_int_equal(mdm_reader_seek(reader, 60, pts, 60), MDM_ERR_INTERNAL);
    free(raw);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
    assert_int_equal(mdm_reader_open(&reader, "long.mp4", &(mdm_reader_options){.start = 100}), MDM_OK);
    assert_int_equal(mdm_reader_next(&more, reader, &frame), MDM_ERR_INPUT);
    mdm_reader_free(&reader);
    assert_int_equal(mdm_reader_open(&reader, "long.mp4", &(mdm_reader_options){.start = 3, .end = 2}), MDM_ERR_USAGE);
}

static void segments_lie_at_key_frames(void **state)
{
    (void)state;
    static const char *const files[] = {"seg.mp4", "seg.mkv", "seg.ts"};
    make(TEST_PICTURE "-t 20 -c:v libx264 -g 15 -keyint_min 15 -sc_threshold 0 seg.mp4");
    make("-i seg.mp4 -c copy seg.mkv");
    make("-i seg.mp4 -c copy seg.ts");
    for (size_t f = 0; f < 3; f++) {
        double *cuts;
        size_t count;
        assert_int_equal(mdm_segment_cuts(&cuts, &count, files[f], 4.0), MDM_OK);
        assert_int_equal(count, 4);
        size_t frames = 0;
        for (size_t i = 0; i < count; i++)
            assert_true(cuts[i] >= 4.0 * (double)(i + 1) - 0.25 && cuts[i] < 4.0 * (double)(i + 1) + 1.6);
        for (size_t i = 0; i <= count; i++) {
            const mdm_reader_options part = {.start = i ? cuts[i - 1] : 0.0, .end = i < count ? cuts[i] : 0.0};
            frames += read_all(files[f], &part, NULL, NULL, 0, 0, NULL);
        }
        assert_int_equal(frames, 200); /* none lost, none twice */
        mdm_free(&cuts);
        assert_int_equal(mdm_segment_cuts(&cuts, &count, files[f], 30.0), MDM_OK);
        assert_int_equal(count, 0);
    }
}

static void cut_file(const char *from, const char *to, double share)
{
    size_t size;
    unsigned char *data = slurp(from, &size);
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    fwrite(data, 1, (size_t)((double)size * share), file);
    fclose(file);
    free(data);
}

static void damaged_recordings_give_what_they_have(void **state)
{
    (void)state;
    make(TEST_PICTURE "-t 4 -c:v libx264 -g 10 whole.mkv");
    cut_file("whole.mkv", "cut.mkv", 0.6);
    const size_t count = read_all("cut.mkv", NULL, NULL, NULL, 0, 0, NULL);
    assert_true(count > 5 && count < 40);
    size_t size;
    unsigned char *data = slurp("whole.mkv", &size);
    for (size_t i = size / 3; i < size / 2; i += 37) /* noise in the middle */
        data[i] ^= 0x5a;
    FILE *file = fopen("noise.mkv", "wb");
    assert_non_null(file);
    fwrite(data, 1, size, file);
    fclose(file);
    free(data);
    mdm_reader *reader;
    mdm_frame frame = {0};
    bool more = true;
    size_t frames = 0;
    assert_int_equal(mdm_reader_open(&reader, "noise.mkv", NULL), MDM_OK);
    while (mdm_reader_next(&more, reader, &frame) == MDM_OK && more)
        frames++;
    assert_true(frames > 5);
    assert_true(strlen(mdm_reader_damage(reader)) > 0);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
}

static void expect_refused(const char *path, const char *words)
{
    mdm_reader *reader = NULL;
    mdm_frame frame = {0};
    bool more;
    mdm_status status = mdm_reader_open(&reader, path, NULL);
    if (status == MDM_OK)
        status = mdm_reader_next(&more, reader, &frame);
    if (status != MDM_ERR_INPUT || !strstr(mdm_error_message(), words) || !strstr(mdm_error_message(), path))
        fail_msg("%s: status %d, \"%s\"; expected \"%s\"", path, status, mdm_error_message(), words);
    mdm_frame_free(&frame);
    mdm_reader_free(&reader);
}

static void bad_inputs_are_named(void **state)
{
    (void)state;
    expect_refused("absent.mp4", "cannot be opened");
    expect_refused("/tmp", "not a regular file");
    assert_int_equal(mdm_file_write("empty.mp4", "", 0), MDM_OK);
    expect_refused("empty.mp4", "empty");
    assert_int_equal(mdm_file_write("text.mp4", "this is a letter, not a film\n", 29), MDM_OK);
    expect_refused("text.mp4", "not a recording");
    make("-f lavfi -i sine=duration=1 sound.wav");
    expect_refused("sound.wav", "audio only");
    make(TEST_PICTURE "-frames:v 1 cover.png");
    if (ffmpeg("-i sound.wav -i cover.png -map 0 -map 1 -c:v png -disposition:v attached_pic cover.m4a"))
        expect_refused("cover.m4a", "audio only");
    make(TEST_PICTURE "-t 2 -c:v libx264 whole.mp4");
    cut_file("whole.mp4", "cut.mp4", 0.7);
    expect_refused("cut.mp4", "cut off");
    make("-f lavfi -i color=size=7680x4320:rate=1 -frames:v 1 -c:v libx264 -preset ultrafast big.mp4");
    expect_refused("big.mp4", "7680 x 4320");
    make("-i whole.mp4 -c copy -f mp4 film.txt"); /* a wrong extension is no obstacle */
    assert_int_equal(read_all("film.txt", NULL, NULL, NULL, 0, 0, NULL), 20);
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nwhole.mp4\n#EXT-X-ENDLIST\n";
    assert_int_equal(mdm_file_write("list.m3u8", playlist, sizeof playlist - 1), MDM_OK);
    expect_refused("list.m3u8", "list.m3u8"); /* naming other files is refused */
    make(TEST_PICTURE "-frames:v 1 -c:v libx264 single.mp4");
    assert_int_equal(read_all("single.mp4", NULL, NULL, NULL, 0, 0, NULL), 1);
}

static void painting_changes_only_what_was_painted(void **state)
{
    (void)state;
    static const char *const files[] = {"paint.mp4", "paint_full.mp4", "paint_odd.mp4"};
    make("-f lavfi -i testsrc2=size=160x120 -frames:v 1 -c:v libx264 -crf 1 -pix_fmt yuv420p -colorspace bt709 "
         "paint.mp4");
    make("-f lavfi -i testsrc2=size=160x120 -frames:v 1 -c:v libx264 -crf 1 -pix_fmt yuvj420p paint_full.mp4");
    make("-f lavfi -i testsrc=size=161x119 -frames:v 1 -c:v libx264 -crf 1 -pix_fmt yuv444p paint_odd.mp4");
    for (size_t i = 0; i < 3; i++) {
        mdm_reader *reader;
        mdm_frame frame = {0};
        mdm_image luma, before, rgb;
        bool more;
        assert_int_equal(mdm_reader_open(&reader, files[i], NULL), MDM_OK);
        assert_int_equal(mdm_reader_next(&more, reader, &frame), MDM_OK);
        assert_int_equal(mdm_frame_luma(&luma, &frame), MDM_OK);
        assert_int_equal(mdm_image_copy(&before, &luma), MDM_OK);
        assert_int_equal(mdm_frame_rgb(&frame, 0, 0, 0, 0), MDM_OK);
        assert_int_equal(mdm_image_copy(&rgb, &frame.rgb), MDM_OK);
        assert_int_equal(mdm_frame_commit_rgb(&frame, 0, 0, 0, 0), MDM_OK); /* nothing painted: nothing changes */
        assert_int_equal(mdm_frame_luma(&luma, &frame), MDM_OK);
        for (int y = 0; y < luma.height; y++)
            assert_memory_equal(luma.data + (size_t)y * luma.stride, before.data + (size_t)y * before.stride,
                                (size_t)luma.width);
        for (int y = 31; y < 70; y++)
            for (int x = 41; x < 90; x++) {
                uint8_t *p = frame.rgb.data + (size_t)y * frame.rgb.stride + (size_t)(3 * x);
                p[0] = 200;
                p[1] = (uint8_t)(2 * y);
                p[2] = (uint8_t)(x + 20);
            }
        assert_int_equal(mdm_frame_commit_rgb(&frame, 41, 31, 49, 39), MDM_OK);
        assert_int_equal(mdm_frame_luma(&luma, &frame), MDM_OK);
        mdm_image painted;
        assert_int_equal(mdm_image_copy(&painted, &frame.rgb), MDM_OK);
        /* Force a fresh conversion from the planes. */
        mdm_frame fresh = frame;
        frame.store = NULL;
        memset(&frame, 0, sizeof frame);
        double worst = 0.0;
        for (int y = 0; y < luma.height; y++)
            for (int x = 0; x < luma.width; x++) {
                const bool in = x >= 41 && x < 90 && y >= 31 && y < 70;
                if (!in)
                    assert_int_equal(luma.data[(size_t)y * luma.stride + (size_t)x],
                                     before.data[(size_t)y * before.stride + (size_t)x]);
                else {
                    const uint8_t *p = painted.data + (size_t)y * painted.stride + (size_t)(3 * x);
                    const double kr = i == 0 ? 0.2126 : 0.299, kb = i == 0 ? 0.0722 : 0.114;
                    double want = kr * p[0] + (1 - kr - kb) * p[1] + kb * p[2];
                    if (i != 1)
                        want = 16 + want * 219 / 255;
                    worst = fmax(worst, fabs(want - luma.data[(size_t)y * luma.stride + (size_t)x]));
                }
            }
        assert_true(worst <= 0.51);
        mdm_image_free(&painted);
        mdm_image_free(&before);
        mdm_image_free(&rgb);
        mdm_frame_free(&fresh);
        mdm_reader_free(&reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotations_are_applied),
        cmocka_unit_test(timestamps_are_the_sources),
        cmocka_unit_test(odd_deep_and_grey_pictures),
        cmocka_unit_test(stills_are_clips_of_one_frame),
        cmocka_unit_test(ranges_and_seeking),
        cmocka_unit_test(segments_lie_at_key_frames),
        cmocka_unit_test(damaged_recordings_give_what_they_have),
        cmocka_unit_test(bad_inputs_are_named),
        cmocka_unit_test(painting_changes_only_what_was_painted),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
