/* Finding the card: the plug-in is loaded once a process, from the folder of ggml's own library. */
#define _GNU_SOURCE /* dladdr */
#include "nn/gpu.h"

#include <dlfcn.h>
#include <ggml-backend.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/settings.h"
#include "nn/nn_internal.h"

#define PLUGIN "libggml-cuda.so"

static struct ggml_backend_device *chosen;

/* The folder ggml was loaded from, with the plug-in's name. */
static bool plugin_path(char *path, size_t size)
{
    Dl_info info;
    if (!dladdr((void *)(uintptr_t)ggml_init, &info) || !info.dli_fname)
        return false;
    const char *slash = strrchr(info.dli_fname, '/');
    const int folder = slash ? (int)(slash - info.dli_fname) + 1 : 0;
    return (size_t)snprintf(path, size, "%.*s" PLUGIN, folder, info.dli_fname) < size;
}

static struct ggml_backend_device *find(char *problem, size_t size)
{
    char path[MDM_MAX_PATH];
    ggml_backend_reg_t cuda = ggml_backend_reg_by_name("CUDA");
    if (!cuda) {
        if (!plugin_path(path, sizeof path) || !mdm_file_exists(path)) {
            snprintf(problem, size, "no CUDA backend of ggml (./setup cuda builds it)");
            return NULL;
        }
        cuda = ggml_backend_load(path);
    }
    if (!cuda)
        snprintf(problem, size, "%s cannot be loaded; is NVIDIA's driver there?", path);
    else if (!ggml_backend_reg_dev_count(cuda))
        snprintf(problem, size, "no NVIDIA card is visible");
    else
        return ggml_backend_reg_dev_get(cuda, 0);
    return NULL;
}

mdm_status mdm_gpu_use(const char *device)
{
    char problem[MDM_MAX_PATH + 64] = "";
    if (*device && strcmp(device, "cpu") && strcmp(device, "cuda") && strcmp(device, "auto"))
        return mdm_fail(MDM_ERR_USAGE, "device %s: expected cpu, cuda or auto", device);
    chosen = strcmp(device, "cpu") ? find(problem, sizeof problem) : NULL;
    if (!chosen && !strcmp(device, "cuda"))
        return mdm_fail(MDM_ERR_DEVICE, "--device cuda: %s", problem);
    return MDM_OK;
}

bool mdm_gpu_describe(char *text, size_t size)
{
    size_t unused, total;
    struct ggml_backend_device *device = find(text, size);
    if (!device)
        return false;
    ggml_backend_dev_memory(device, &unused, &total);
    snprintf(text, size, "%s, %.0f GiB", ggml_backend_dev_description(device), (double)total / 1073741824.0);
    return true;
}

size_t mdm_gpu_memory(void)
{
    size_t unused = 0, total = 0;
    if (chosen)
        ggml_backend_dev_memory(chosen, &unused, &total);
    return total - unused;
}

bool mdm_gpu_used(void)
{
    return chosen != NULL;
}

struct ggml_backend_device *mdm_gpu_device(void)
{
    return chosen;
}
