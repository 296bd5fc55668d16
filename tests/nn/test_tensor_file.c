/* Tensor files: what other code wrote (fuzz/corpus, by tools/make_fuzz_seeds.py) is read as it was meant, what we write is
 * read back, and hostile files are errors that say what is wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "common/ok.h"
#include "common/scratch.h"
#include "nn/tensor_file.h"

#define CORPUS MMDM_SOURCE_DIR "/fuzz/corpus"

static void put(const char *name, const void *data, size_t size)
{
    char path[128];
    in_folder(path, name);
    ok(mdm_file_write(path, data, size));
}

static mdm_status open_file(mdm_tensor_file **file, const char *name)
{
    char path[128];
    in_folder(path, name);
    return mdm_tensor_file_open(file, path);
}

static void expect(const mdm_tensor_file *file, const char *name, const float *want, size_t count)
{
    float got[32];
    const mdm_array *array = mdm_tensor_file_find(file, name);
    assert_non_null(array);
    ok(mdm_array_to_f32(got, count, array));
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - want[i]) < 1e-6f))
            fail_msg("%s: element %zu is %g, expected %g", name, i, (double)got[i], (double)want[i]);
    assert_int_equal(mdm_array_to_f32(got, count + 1, array), MDM_ERR_INPUT);
}

/* ---- safetensors ---- */

static void safetensors_of_python_is_read(void **state)
{
    (void)state;
    mdm_tensor_file *file;
    ok(mdm_tensor_file_open(&file, CORPUS "/safetensors/small"));
    assert_int_equal(mdm_tensor_file_count(file), 4);
    expect(file, "b", (const float[]){0, 1, 2, 3, 4}, 5);
    expect(file, "c", (const float[]){0, 1, 2, 3, 4, 5}, 6);
    expect(file, "d", (const float[]){0, 1, 2, 3}, 4);
    const mdm_array *a = mdm_tensor_file_find(file, "a.weight");
    assert_true(a && a->dtype == MDM_F32 && a->rank == 2 && a->shape[0] == 3 && a->shape[1] == 4 && a->size == 48);
    assert_string_equal(mdm_tensor_file_meta(file, "format"), "np");
    assert_null(mdm_tensor_file_find(file, "e"));
    assert_null(mdm_tensor_file_meta(file, "e"));
    assert_null(mdm_tensor_file_at(file, 4));
    mdm_tensor_file_free(&file);
    assert_null(file);
    ok(mdm_tensor_file_open(&file, CORPUS "/safetensors/empty"));
    assert_int_equal(mdm_tensor_file_find(file, "x")->size, 0);
    mdm_tensor_file_free(&file);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    const float f32[6] = {1, -2, 3.5f, 0, 1e-20f, 7};
    const uint16_t f16[3] = {0x3c00, 0xc000, 0x0001}, bf16[2] = {0x3f80, 0xc2c8}; /* 1, -2, 2^-24; 1, -100 */
    const int8_t i8[4] = {-128, -1, 0, 127};
    const double f64[1] = {0.1};
    const mdm_array arrays[] = {
        {.name = "f32", .dtype = MDM_F32, .rank = 2, .shape = {2, 3}, .data = f32, .size = sizeof f32},
        {.name = "f16", .dtype = MDM_F16, .rank = 1, .shape = {3}, .data = f16, .size = sizeof f16},
        {.name = "bf16", .dtype = MDM_BF16, .rank = 3, .shape = {1, 2, 1}, .data = bf16, .size = sizeof bf16},
        {.name = "i8", .dtype = MDM_I8, .rank = 1, .shape = {4}, .data = i8, .size = sizeof i8},
        {.name = "f64", .dtype = MDM_F64, .rank = 0, .data = f64, .size = sizeof f64},
    };
    const char *const meta[] = {"what", "a \"test\"", "seed", "7", NULL};
    char path[128];
    mdm_tensor_file *file;
    in_folder(path, "written.safetensors");
    ok(mdm_safetensors_write(path, arrays, 5, meta));
    ok(mdm_tensor_file_open(&file, path));
    assert_int_equal(mdm_tensor_file_count(file), 5);
    expect(file, "f32", f32, 6);
    expect(file, "f16", (const float[]){1, -2, 5.9604645e-8f}, 3);
    expect(file, "bf16", (const float[]){1, -100}, 2);
    expect(file, "i8", (const float[]){-128, -1, 0, 127}, 4);
    expect(file, "f64", (const float[]){0.1f}, 1);
    assert_int_equal(mdm_tensor_file_find(file, "bf16")->rank, 3);
    assert_string_equal(mdm_tensor_file_meta(file, "what"), "a \"test\"");
    assert_string_equal(mdm_tensor_file_meta(file, "seed"), "7");
    mdm_tensor_file_free(&file);
    assert_int_equal(mdm_safetensors_write("/nonexistent/x.safetensors", arrays, 1, NULL), MDM_ERR_WRITE);
}

/* A safetensors file of this header and `bytes` zeros behind it. */
static mdm_status try_header(const char *header, size_t length, size_t bytes)
{
    mdm_tensor_file *file = NULL;
    mdm_buffer buffer = {0};
    unsigned char prefix[8] = {0};
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)length >> (8 * i));
    ok(mdm_buffer_append(&buffer, prefix, 8));
    ok(mdm_buffer_append(&buffer, header, strlen(header)));
    for (size_t i = 0; i < bytes; i++)
        ok(mdm_buffer_append(&buffer, "", 1));
    put("hostile.safetensors", buffer.data, buffer.size);
    mdm_buffer_free(&buffer);
    mdm_status status = open_file(&file, "hostile.safetensors");
    assert_true((status == MDM_OK) == (file != NULL));
    mdm_tensor_file_free(&file);
    return status;
}

static mdm_status try(const char *header)
{
    return try_header(header, strlen(header), 16);
}

static void hostile_safetensors_are_refused(void **state)
{
    (void)state;
    assert_int_equal(try("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"), MDM_OK);
    static const char *const wrong[] = {
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,20]}}",  /* past the end */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,12]}}",  /* fewer bytes than the shape */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,16]}}",  /* more */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}}",  /* backwards */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]}}", /* before the start */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905,4],\"data_offsets\":[0,16]}}", /* the product wraps to 4 */
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,4],\"data_offsets\":[0,16]}}", /* nine axes */
        "{\"a\":{\"dtype\":\"F31\",\"shape\":[4],\"data_offsets\":[0,16]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":\"4\",\"data_offsets\":[0,16]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}",
        "{\"a\":7}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"a\":{\"dtype\":\"F32\",\"shape\":[4],"
        "\"data_offsets\":[0,16]}}",
        "[1,2]",
        "{",
        "",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (try(wrong[i]) != MDM_ERR_INPUT)
            fail_msg("accepted: %s", wrong[i]);
    assert_int_equal(try_header("{}", 1000, 0), MDM_ERR_INPUT);
    assert_int_equal(try_header("{}", SIZE_MAX, 0), MDM_ERR_INPUT);
    mdm_tensor_file *file;
    put("short.safetensors", "\2\0\0", 3);
    assert_int_equal(open_file(&file, "short.safetensors"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "short.safetensors")); /* the file is named */
    assert_int_equal(open_file(&file, "absent.safetensors"), MDM_ERR_INPUT);
}

/* ---- TFJS ---- */

static mdm_status try_manifest(const char *weights, const char *shard, size_t bytes)
{
    char json[512];
    unsigned char data[64];
    mdm_tensor_file *file = NULL;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)i;
    snprintf(json, sizeof json, "[{\"paths\":[\"%s\"],\"weights\":[%s]}]", shard, weights);
    put("w.json", json, strlen(json));
    put("w.bin", data, bytes);
    mdm_status status = open_file(&file, "w.json");
    mdm_tensor_file_free(&file);
    return status;
}

static void tfjs_weights_are_dequantised(void **state)
{
    (void)state;
    static const char json[] =
        "[{\"paths\":[\"p.bin\"],\"weights\":["
        "{\"name\":\"q8\",\"shape\":[3],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint8\",\"scale\":0.5,"
        "\"min\":-1}},"
        "{\"name\":\"q16\",\"shape\":[2],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint16\",\"scale\":0.25,"
        "\"min\":2}},"
        "{\"name\":\"h\",\"shape\":[1],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"float16\"}},"
        "{\"name\":\"i\",\"shape\":[],\"dtype\":\"int32\"}]}]";
    static const unsigned char bytes[] = {0, 2, 255, 1, 0, 0, 1, 0x00, 0x3c, 0xfe, 0xff, 0xff, 0xff};
    mdm_tensor_file *file;
    put("p.json", json, sizeof json - 1);
    put("p.bin", bytes, sizeof bytes);
    ok(open_file(&file, "p.json"));
    expect(file, "q8", (const float[]){-1, 0, 126.5f}, 3);
    expect(file, "q16", (const float[]){2.25f, 66}, 2);
    expect(file, "h", (const float[]){1}, 1);
    expect(file, "i", (const float[]){-2}, 1);
    mdm_tensor_file_free(&file);
}

static void hostile_manifests_are_refused(void **state)
{
    (void)state;
    static const char four[] = "{\"name\":\"a\",\"shape\":[4],\"dtype\":\"float32\"}";
    assert_int_equal(try_manifest(four, "w.bin", 16), MDM_OK);
    assert_int_equal(try_manifest(four, "w.bin", 12), MDM_ERR_INPUT); /* cut off */
    assert_int_equal(try_manifest(four, "w.bin", 20), MDM_ERR_INPUT); /* bytes nobody owns */
    assert_int_equal(try_manifest(four, "../w.bin", 16), MDM_ERR_INPUT);
    assert_int_equal(try_manifest(four, "/etc/hostname", 16), MDM_ERR_INPUT);
    assert_int_equal(try_manifest(four, "..", 16), MDM_ERR_INPUT);
    assert_int_equal(try_manifest("{\"name\":\"a\",\"shape\":[-4],\"dtype\":\"float32\"}", "w.bin", 16), MDM_ERR_INPUT);
    assert_int_equal(try_manifest("{\"name\":\"a\",\"shape\":[4],\"dtype\":\"string\"}", "w.bin", 16), MDM_ERR_INPUT);
    assert_int_equal(try_manifest("{\"shape\":[4],\"dtype\":\"float32\"}", "w.bin", 16), MDM_ERR_INPUT);
    assert_int_equal(
        try_manifest("{\"name\":\"a\",\"shape\":[4611686018427387905,4],\"dtype\":\"float32\"}", "w.bin", 16),
        MDM_ERR_INPUT);
}

/* ---- GGUF, CTranslate2 ---- */

static void other_formats_are_read(void **state)
{
    (void)state;
    mdm_tensor_file *file;
    ok(mdm_tensor_file_open(&file, CORPUS "/gguf/small"));
    expect(file, "h", (const float[]){1, 1, 1, 1, 1, 1, 1, 1}, 8);
    const mdm_array *w = mdm_tensor_file_find(file, "w");
    assert_true(w && w->rank == 2 && w->shape[0] == 3 && w->shape[1] == 4); /* the last axis fastest, as everywhere */
    assert_string_equal(mdm_tensor_file_meta(file, "general.architecture"), "x");
    mdm_tensor_file_free(&file);
    ok(mdm_tensor_file_open(&file, CORPUS "/ctranslate2/small"));
    expect(file, "encoder/conv1/bias", (const float[]){1, 1, 1, 1}, 4);
    expect(file, "q/weight", (const float[]){0, 1, 2, 3, 4, 5}, 6);
    mdm_tensor_file_free(&file);
}

/* Every prefix of each seed is an error, never a crash or a read outside. */
static void cut_files_are_errors(void **state)
{
    (void)state;
    static const char *const seeds[] = {"safetensors/small", "gguf/small", "ctranslate2/small", "torch/state",
                                        "torch/legacy-state"};
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
        char path[256];
        unsigned char *data;
        size_t size;
        snprintf(path, sizeof path, CORPUS "/%s", seeds[s]);
        ok(mdm_file_read(&data, &size, path, 1 << 20));
        for (size_t cut = 0; cut<size; cut += size> 400 ? 7 : 1) {
            mdm_tensor_file *file = NULL;
            put("cut", data, cut);
            mdm_status status = open_file(&file, "cut");
            mdm_tensor_file_free(&file);
            /* a CTranslate2 file may end after its arrays: older ones have no list of second names */
            if (status == MDM_OK && !(s == 2 && cut == size - 32))
                fail_msg("%s: the first %zu of %zu bytes are accepted", seeds[s], cut, size);
        }
        mdm_free(&data);
    }
}

/* ---- PyTorch ---- */

static void checkpoints_of_torch_are_read(void **state)
{
    (void)state;
    /* a state_dict, and one inside of other things; as a ZIP file, and as before there were any */
    static const char *const names[] = {"state", "checkpoint", "legacy-state", "legacy-checkpoint"};
    const float twelve[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    char path[256];
    mdm_tensor_file *file;
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, CORPUS "/torch/%s", names[i]);
        ok(mdm_tensor_file_open(&file, path));
        assert_int_equal(mdm_tensor_file_count(file), 6);
        expect(file, "a.weight", twelve, 12);
        expect(file, "a.half", (const float[]){0, 0.5f, 1, 1.5f}, 4);
        expect(file, "a.brain", (const float[]){1.5f, -2}, 2);
        expect(file, "b.view", (const float[]){6, 7, 8, 9}, 4);
        expect(file, "parameter", (const float[]){1, 1}, 2);
        expect(file, "count", (const float[]){7}, 1);
        const mdm_array *view = mdm_tensor_file_find(file, "b.view");
        assert_true(view->rank == 2 && view->shape[0] == 2 && view->shape[1] == 2 && view->dtype == MDM_F32);
        mdm_tensor_file_free(&file);
    }
    ok(mdm_tensor_file_open(&file, CORPUS "/torch/nested"));
    expect(file, "ema.w", (const float[]){3, 3}, 2);
    mdm_tensor_file_free(&file);
    assert_int_equal(mdm_tensor_file_open(&file, CORPUS "/torch/turned"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "row by row"));
}

/* A ZIP file of one member "a/data.pkl" that holds `pickle`. */
static void put_pickle(const char *name, const char *pickle, size_t size)
{
    unsigned char zip[2048] = {0}, *p = zip;
    const char member[] = "a/data.pkl";
    const unsigned char n = sizeof member - 1;
    memcpy(p, "PK\3\4", 4);
    p[26] = n;
    memcpy(p + 30, member, n);
    memcpy(p + 30 + n, pickle, size);
    p += 30 + n + size;
    const size_t directory = (size_t)(p - zip);
    memcpy(p, "PK\1\2", 4);
    p[20] = p[24] = (unsigned char)size;
    p[21] = p[25] = (unsigned char)(size >> 8);
    p[28] = n;
    memcpy(p + 46, member, n);
    p += 46 + n;
    memcpy(p, "PK\5\6", 4);
    p[8] = p[10] = 1;
    p[16] = (unsigned char)directory;
    p[17] = (unsigned char)(directory >> 8);
    put(name, zip, (size_t)(p - zip) + 22);
}

static void refuse_pickle(const char *pickle, size_t size, const char *word)
{
    mdm_tensor_file *file;
    put_pickle("x.bin", pickle, size);
    assert_int_equal(open_file(&file, "x.bin"), MDM_ERR_INPUT);
    assert_null(file);
    if (!strstr(mdm_error_message(), word) || !strstr(mdm_error_message(), "x.bin"))
        fail_msg("\"%s\" does not say \"%s\"", mdm_error_message(), word);
}

#define PUT_PICKLE(text)          put_pickle("x.bin", text, sizeof(text) - 1)
#define REFUSE_PICKLE(text, word) refuse_pickle(text, sizeof(text) - 1, word)

static void hostile_pickles_are_refused(void **state)
{
    (void)state;
    mdm_tensor_file *file;
    PUT_PICKLE("\x80\2}."); /* as it should be: nothing in it */
    ok(open_file(&file, "x.bin"));
    assert_int_equal(mdm_tensor_file_count(file), 0);
    mdm_tensor_file_free(&file);
    /* what would run a command is a name and arguments, in a dictionary that has no tensor */
    PUT_PICKLE("\x80\2}X\1\0\0\0acposix\nsystem\nX\4\0\0\0true\x85Rs.");
    ok(open_file(&file, "x.bin"));
    assert_int_equal(mdm_tensor_file_count(file), 0);
    mdm_tensor_file_free(&file);
    REFUSE_PICKLE("\x80\2", "too early");
    REFUSE_PICKLE("\x80\2K\1.", "not a dictionary");
    REFUSE_PICKLE("}}.", "one value");
    REFUSE_PICKLE("(.", "one value");
    REFUSE_PICKLE(".", "one value");
    REFUSE_PICKLE("R.", "without a value");
    REFUSE_PICKLE("}(0.", "without a value");
    REFUSE_PICKLE("}K\1s.", "there");
    REFUSE_PICKLE("}(K\1u.", "key without");
    REFUSE_PICKLE("h\5.", "never made");
    REFUSE_PICKLE("q\5.", "memo");
    REFUSE_PICKLE("X\xff\xff\xff\x7f.", "longer than the file");
    REFUSE_PICKLE("iposix\nsystem\n.", "operation 0x69");
    REFUSE_PICKLE("cposix", "without an end");
    REFUSE_PICKLE("}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n)Rs.", "\"a\" has no storage");
    put("x.bin", "PK\3\4 and no more", 16);
    assert_int_equal(open_file(&file, "x.bin"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "cut off"));
}

/* Dictionaries of ten keys that are all the same dictionary, eight times over: a hundred million entries in 700 bytes. */
static void bombs_of_pickles_go_out(void **state)
{
    (void)state;
    unsigned char bomb[1024];
    size_t size = 0;
    memcpy(bomb,
           "}q\0"
           "0",
           4);
    size = 4;
    for (unsigned char level = 1; level <= 8; level++) {
        memcpy(bomb + size, (const unsigned char[]){'}', 'q', level, '('}, 4);
        size += 4;
        for (unsigned char key = 'a'; key < 'k'; key++) {
            memcpy(bomb + size, (const unsigned char[]){'X', 1, 0, 0, 0, key, 'h', (unsigned char)(level - 1)}, 8);
            size += 8;
        }
        memcpy(bomb + size, level < 8 ? "u0" : "u.", 2);
        size += 2;
    }
    refuse_pickle((const char *)bomb, size, "more than 1000000 entries");
    REFUSE_PICKLE("}q\0X\1\0\0\0ah\0s.", "more than 8 deep"); /* a dictionary in itself */
    REFUSE_PICKLE("}r\xff\xff\xff\xff.", "memo");             /* the memo's last place */
    REFUSE_PICKLE("}r\0\x09\x3d\0.", "memo");
    REFUSE_PICKLE("X\0\0\0\x80", "longer than the file");
}

/* Members of a ZIP file that are compressed (and could be bombs), or lie over one another. */
static void hostile_zip_files_are_refused(void **state)
{
    (void)state;
    unsigned char *data = NULL;
    size_t size = 0, first = 0, second = 0;
    mdm_tensor_file *file;
    ok(mdm_file_read(&data, &size, CORPUS "/torch/state", 1 << 20));
    for (size_t i = 0; i + 46 < size && !second; i++)
        if (!memcmp(data + i, "PK\1\2", 4)) {
            second = first ? i : 0;
            first = first ? first : i;
        }
    assert_true(first && second);
    data[first + 10] = 8; /* deflated */
    put("x.bin", data, size);
    assert_int_equal(open_file(&file, "x.bin"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "compressed"));
    data[first + 10] = 0;
    memcpy(data + second + 42, data + first + 42, 4); /* where the other lies */
    memcpy(data + second + 20, data + first + 20, 8);
    put("x.bin", data, size);
    assert_int_equal(open_file(&file, "x.bin"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "overlap"));
    mdm_free(&data);
}

/* ---- PyTorch before its ZIP files ---- */

#define LEGACY_MAGIC                "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define LEGACY_VERSION              "\x80\2M\xe9\3."
#define LEGACY_MACHINE              "\x80\2}X\r\0\0\0little_endian\x88s."
#define LEGACY_HEAD                 LEGACY_MAGIC LEGACY_VERSION LEGACY_MACHINE
#define LEGACY_STORAGE(count, view) "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0kX\3\0\0\0cpuK" count view "tQ"
/* {"a": a tensor of two values of that storage} */
#define LEGACY_OBJECT(storage)                                                                                         \
    "\x80\2}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n(" storage "K\0K\2\x85K\1\x85\x89}tRs."
#define LEGACY_TENSOR LEGACY_OBJECT(LEGACY_STORAGE("\2", "N"))
#define LEGACY_KEYS   "\x80\2]X\1\0\0\0ka."
#define LEGACY_VALUES "\2\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40" /* 1 and 2 */

static void refuse_legacy(const char *bytes, size_t size, const char *word)
{
    mdm_tensor_file *file;
    put("old.ckpt", bytes, size);
    assert_int_equal(open_file(&file, "old.ckpt"), MDM_ERR_INPUT);
    assert_null(file);
    if (!strstr(mdm_error_message(), word) || !strstr(mdm_error_message(), "old.ckpt"))
        fail_msg("\"%s\" does not say \"%s\"", mdm_error_message(), word);
}

#define REFUSE_LEGACY(text, word) refuse_legacy(text, sizeof(text) - 1, word)

static void hostile_old_checkpoints_are_refused(void **state)
{
    (void)state;
    mdm_tensor_file *file;
    put("old.ckpt", LEGACY_HEAD LEGACY_TENSOR LEGACY_KEYS LEGACY_VALUES,
        sizeof(LEGACY_HEAD LEGACY_TENSOR LEGACY_KEYS LEGACY_VALUES) - 1); /* as it should be */
    ok(open_file(&file, "old.ckpt"));
    expect(file, "a", (const float[]){1, 2}, 2);
    mdm_tensor_file_free(&file);
    REFUSE_LEGACY(LEGACY_MAGIC "\x80\2M\xea\3." LEGACY_MACHINE LEGACY_TENSOR LEGACY_KEYS LEGACY_VALUES, "1001");
    REFUSE_LEGACY(LEGACY_MAGIC LEGACY_VERSION "\x80\2K\1." LEGACY_TENSOR, "what machine");
    REFUSE_LEGACY(LEGACY_MAGIC LEGACY_VERSION "\x80\2}X\r\0\0\0little_endian\x89s." LEGACY_TENSOR, "big-endian");
    REFUSE_LEGACY(LEGACY_HEAD "cposix\nsystem\nX\4\0\0\0true\x85R." LEGACY_KEYS LEGACY_VALUES, "no tensor has");
    REFUSE_LEGACY(LEGACY_HEAD "cposix\nsystem\nX\4\0\0\0true\x85R.\x80\2].", "not a dictionary");
    REFUSE_LEGACY(LEGACY_HEAD "i.", "operation 0x69");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR, "too early");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR "\x80\2K\1.", "no list");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR "\x80\2]K\1a.", "no list");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR "\x80\2].", "storage that is not in the file");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR LEGACY_KEYS "\2\0\0", "before its storages");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR LEGACY_KEYS "\2\0\0\0\0\0\0\0\0\0\x80\x3f", "before its storages");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR LEGACY_KEYS "\3\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\0\0",
                  "another size");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR LEGACY_KEYS "\2\0\0\0\0\0\0\x40\0\0\x80\x3f\0\0\0\x40", "another size");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_TENSOR "\x80\2]X\1\0\0\0kaX\1\0\0\0ka." LEGACY_VALUES LEGACY_VALUES,
                  "two members");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_OBJECT(LEGACY_STORAGE("\1", "N")) LEGACY_KEYS "\1\0\0\0\0\0\0\0\0\0\x80\x3f",
                  "takes 8 bytes at 0 of 4");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_OBJECT(LEGACY_STORAGE("\2", "]")) LEGACY_KEYS LEGACY_VALUES, "part of another");
    REFUSE_LEGACY(LEGACY_HEAD LEGACY_OBJECT("K\1Q") LEGACY_KEYS LEGACY_VALUES, "no storage");
}

/* A 64-bit end record that has the directory near the end of all addresses. */
static void distant_directories_are_refused(void **state)
{
    (void)state;
    unsigned char zip[4 + 56 + 20 + 22] = {0}, *end = zip + 4, *locator = end + 56, *last = locator + 20;
    mdm_tensor_file *file;
    memcpy(zip, "PK\3\4", 4);
    memcpy(end, "PK\6\6", 4);
    end[32] = 1;
    end[54] = 0xfe;
    end[55] = 0xff;
    memcpy(locator, "PK\6\7", 4);
    locator[8] = 4;
    memcpy(last, "PK\5\6", 4);
    memset(last + 8, 0xff, 12);
    put("x.bin", zip, sizeof zip);
    assert_int_equal(open_file(&file, "x.bin"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "entry 0 of its directory is not where the file says"));
}

static void blocks_are_dequantised(void **state)
{
    (void)state;
    float values[64], want[64];
    mdm_tensor_file *file;
    ok(mdm_tensor_file_open(&file, CORPUS "/gguf/blocks"));
    const mdm_array *q8 = mdm_tensor_file_find(file, "q8"), *q4 = mdm_tensor_file_find(file, "q4");
    assert_true(q8 && q8->dtype == MDM_Q8_0 && q8->rank == 2 && q8->shape[0] == 2 && q8->shape[1] == 32);
    assert_int_equal(mdm_array_count(q8), 64);
    ok(mdm_array_to_f32(values, 64, q8));
    for (int i = 0; i < 64; i++)
        want[i] = 0.5f * (float)(i % 32 - 16);
    assert_memory_equal(values, want, sizeof want);
    ok(mdm_array_to_f32(values, 32, q4)); /* low halves 0, high ones 0 to 15; 8 is nought */
    for (int i = 0; i < 32; i++)
        want[i] = 0.5f * (float)(i < 16 ? -8 : i - 16 - 8);
    assert_memory_equal(values, want, 32 * sizeof *want);
    assert_int_equal(mdm_array_to_f32(values, 31, q4), MDM_ERR_INPUT);
    assert_int_equal(mdm_dtype_bytes(MDM_Q8_0, 64), 68);
    assert_int_equal(mdm_dtype_bytes(MDM_Q4_0, 33), 0);
    mdm_tensor_file_free(&file);
}

static void overlapping_arrays_are_refused(void **state)
{
    (void)state;
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                                 "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}";
    unsigned char bytes[8 + sizeof header - 1 + 8] = {sizeof header - 1};
    mdm_tensor_file *file;
    memcpy(bytes + 8, header, sizeof header - 1);
    put("overlap.safetensors", bytes, sizeof bytes);
    assert_int_equal(open_file(&file, "overlap.safetensors"), MDM_ERR_INPUT);
    assert_non_null(strstr(mdm_error_message(), "\"a\" and \"b\" overlap"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_of_python_is_read),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(hostile_safetensors_are_refused),
        cmocka_unit_test(tfjs_weights_are_dequantised),
        cmocka_unit_test(hostile_manifests_are_refused),
        cmocka_unit_test(other_formats_are_read),
        cmocka_unit_test(cut_files_are_errors),
        cmocka_unit_test(checkpoints_of_torch_are_read),
        cmocka_unit_test(hostile_pickles_are_refused),
        cmocka_unit_test(bombs_of_pickles_go_out),
        cmocka_unit_test(hostile_zip_files_are_refused),
        cmocka_unit_test(hostile_old_checkpoints_are_refused),
        cmocka_unit_test(distant_directories_are_refused),
        cmocka_unit_test(blocks_are_dequantised),
        cmocka_unit_test(overlapping_arrays_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
