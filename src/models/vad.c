/* Silero's published ONNX file handed to whisper.cpp in the form it reads, in memory. The tensors keep their names but for one character. */
#include "models/vad.h"

#include <stdio.h>
#include <string.h>

#include <ggml.h>
#include <whisper.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "models/whisper_file.h"
#include "nn/onnx_file.h"

/* In the order of whisper.cpp's own converter. `axes` as PyTorch has them; `half`: kernels are kept in 16 bits. */
static const struct {
    const char *name;
    int rank;
    int64_t axes[3];
    bool half;
} TENSORS[] = {
    {"model.encoder.0.reparam_conv.weight", 3, {128, 129, 3}, true},
    {"model.encoder.0.reparam_conv.bias", 1, {128}, false},
    {"model.encoder.1.reparam_conv.weight", 3, {64, 128, 3}, true},
    {"model.encoder.1.reparam_conv.bias", 1, {64}, false},
    {"model.encoder.2.reparam_conv.weight", 3, {64, 64, 3}, true},
    {"model.encoder.2.reparam_conv.bias", 1, {64}, false},
    {"model.encoder.3.reparam_conv.weight", 3, {128, 64, 3}, true},
    {"model.encoder.3.reparam_conv.bias", 1, {128}, false},
    {"model.decoder.rnn.weight_ih", 2, {512, 128}, false},
    {"model.decoder.rnn.weight_hh", 2, {512, 128}, false},
    {"model.decoder.rnn.bias_ih", 1, {512}, false},
    {"model.decoder.rnn.bias_hh", 1, {512}, false},
    {"model.decoder.decoder.2.weight", 1, {128}, true},
    {"model.decoder.decoder.2.bias", 1, {1}, false},
    {"model.stft.forward_basis_buffer", 3, {258, 1, 256}, true},
};

static void hush(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        mdm_log(MDM_LOG_DEBUG, "whisper: %s", text);
}

struct mdm_vad {
    struct whisper_vad_context *context;
};

/* ---- the form whisper.cpp reads ---- */

static const mdm_onnx_tensor *find(const mdm_onnx *onnx, const char *name)
{
    for (size_t i = 0; i < onnx->tensor_count; i++)
        if (onnx->tensor_value[i] >= 0 && mdm_onnx_is(onnx->values[onnx->tensor_value[i]], name))
            return &onnx->tensors[i];
    return NULL;
}

static mdm_status put_ints(mdm_buffer *out, const int32_t *values, size_t count)
{
    return mdm_buffer_append(out, values, count * sizeof *values);
}

static mdm_status put_head(mdm_buffer *out)
{
    static const char kind[] = "silero-16k";
    static const int32_t begin[] = {MDM_WHISPER_MAGIC, sizeof kind - 1};
    /* version; samples of a block and before it; layers of the encoder: in, out, kernel; LSTM; last layer */
    static const int32_t sizes[] = {6,  0, 0,  MDM_VAD_BLOCK, 64, 4,   129, 128, 3, 128, 64, 3, 64,
                                    64, 3, 64, 128,           3,  128, 128, 128, 1};
    MDM_TRY(put_ints(out, begin, sizeof begin / sizeof *begin));
    MDM_TRY(mdm_buffer_append(out, kind, sizeof kind - 1));
    return put_ints(out, sizes, sizeof sizes / sizeof *sizes);
}

static mdm_status put_values(mdm_buffer *out, const mdm_onnx_tensor *tensor, bool half)
{
    ggml_fp16_t *halves = NULL;
    float *values = NULL;
    MDM_TRY(mdm_alloc(&values, tensor->count, sizeof *values, "voice detector"));
    memcpy(values, tensor->data, tensor->count * sizeof *values);
    mdm_status status = half ? mdm_alloc(&halves, tensor->count, sizeof *halves, "voice detector") : MDM_OK;
    if (!status && half)
        ggml_fp32_to_fp16_row(values, halves, (int64_t)tensor->count);
    if (!status)
        status = half ? mdm_buffer_append(out, halves, tensor->count * sizeof *halves)
                      : mdm_buffer_append(out, values, tensor->count * sizeof *values);
    mdm_free(&halves);
    mdm_free(&values);
    return status;
}

static mdm_status put_tensor(mdm_buffer *out, const mdm_onnx *onnx, size_t index)
{
    const mdm_onnx_tensor *tensor = find(onnx, TENSORS[index].name);
    const int rank = TENSORS[index].rank;
    char name[64];
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)TENSORS[index].axes[i];
    bool fits = tensor && tensor->dtype == MDM_F32 && tensor->count == count;
    for (int i = 0; fits && i < rank && rank > 1; i++)
        fits = tensor->rank == rank && tensor->shape[i] == TENSORS[index].axes[i];
    if (!fits)
        return mdm_fail(MDM_ERR_INPUT, "%s: no tensor %s of %zu values; not Silero's detector for 16 kHz", onnx->path,
                        TENSORS[index].name, count);
    snprintf(name, sizeof name, "_%s", TENSORS[index].name);
    const int32_t head[] = {rank, (int32_t)strlen(name), TENSORS[index].half ? GGML_TYPE_F16 : GGML_TYPE_F32};
    MDM_TRY(put_ints(out, head, 3));
    for (int i = rank; i-- > 0;) {
        const int32_t axis = (int32_t)TENSORS[index].axes[i];
        MDM_TRY(put_ints(out, &axis, 1));
    }
    MDM_TRY(mdm_buffer_append(out, name, strlen(name)));
    return put_values(out, tensor, TENSORS[index].half);
}

static mdm_status put_all(mdm_buffer *out, const char *path)
{
    mdm_mapping map;
    mdm_onnx onnx = {0};
    MDM_TRY(mdm_map_file(&map, path));
    mdm_status status = mdm_onnx_open(&onnx, path, map.data, map.size);
    if (!status)
        status = put_head(out);
    for (size_t i = 0; i < sizeof TENSORS / sizeof *TENSORS && !status; i++)
        status = put_tensor(out, &onnx, i);
    mdm_onnx_close(&onnx);
    mdm_unmap_file(&map);
    return status;
}

/* ---- whisper.cpp's reader over memory ---- */

typedef struct memory_file {
    const unsigned char *data;
    size_t size, at;
    bool past; /* more was asked for than there is */
} memory_file;

static size_t read_memory(void *user, void *out, size_t size)
{
    memory_file *file = user;
    const size_t left = file->size - file->at, take = size < left ? size : left;
    memcpy(out, file->data + file->at, take);
    file->at += take;
    file->past = file->past || take < size;
    return take;
}

static bool at_end(void *user)
{
    return ((const memory_file *)user)->past;
}

static void close_memory(void *user)
{
    (void)user;
}

mdm_status mdm_vad_open(mdm_vad **out, const char *path)
{
    mdm_buffer bytes = {0};
    *out = NULL;
    if (!mdm_file_exists(path))
        return mdm_fail(MDM_ERR_DEVICE, "%s: no voice detector there; run ./setup, or use --vad none", path);
    mdm_status status = put_all(&bytes, path);
    if (!status)
        status = mdm_alloc(out, 1, sizeof **out, "voice detector");
    if (!status) {
        whisper_log_set(hush, NULL);
        memory_file file = {bytes.data, bytes.size, 0, false};
        struct whisper_model_loader loader = {&file, read_memory, at_end, close_memory};
        struct whisper_vad_context_params params = whisper_vad_default_context_params();
        params.n_threads = 1;
        params.use_gpu = false;
        (*out)->context = whisper_vad_init_with_params(&loader, params);
        if (!(*out)->context)
            status = mdm_fail(MDM_ERR_INTERNAL, "%s: whisper.cpp does not take it", path);
    }
    if (status)
        mdm_vad_free(out);
    mdm_buffer_free(&bytes);
    return status;
}

void mdm_vad_free(mdm_vad **vad)
{
    if (*vad && (*vad)->context)
        whisper_vad_free((*vad)->context);
    mdm_free(vad);
}

mdm_status mdm_vad_likelihood(const float **out, size_t *blocks, mdm_vad *vad, const float *samples, size_t count)
{
    if (count < MDM_VAD_BLOCK || !whisper_vad_detect_speech(vad->context, samples, (int)count))
        return mdm_fail(MDM_ERR_INTERNAL, "the voice detector did not take %zu samples", count);
    const size_t made = (size_t)whisper_vad_n_probs(vad->context);
    *out = whisper_vad_probs(vad->context);
    *blocks = made < count / MDM_VAD_BLOCK ? made : count / MDM_VAD_BLOCK;
    return MDM_OK;
}
