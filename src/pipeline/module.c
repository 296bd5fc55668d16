/* The table of modules, and what reading their options has in common. */
#include "pipeline/module.h"

#include <string.h>

#include "base/log.h"
#include "base/options.h"

/* NULL past the last. */
static const mdm_module *module_at(int index)
{
    static const mdm_module *const first[] = {&mdm_module_decoder,    &mdm_module_filter, &mdm_module_encoder,
                                              &mdm_module_hash,       &mdm_module_node,   &mdm_module_job,
                                              &mdm_module_find_faces, &mdm_module_compose};
    const int count = sizeof first / sizeof *first;
    const mdm_module *module = index < count ? first[index] : &mdm_module_stages[index - count];
    return module->name ? module : NULL;
}

mdm_status mdm_module_find(const mdm_module **out, const char *name)
{
    const char *names[64];
    int count = 0;
    for (; (*out = module_at(count)); count++) {
        names[count] = (*out)->name;
        if (strcmp(names[count], name) == 0)
            return MDM_OK;
    }
    const char *near = mdm_nearest_name(name, names, count);
    return mdm_fail(MDM_ERR_INPUT, "there is no module '%.60s'%s%s%s; modules in C++, Python or Go run in BMF only",
                    name, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

mdm_status mdm_module_open(void **state, const mdm_module *module, mdm_module_start *start)
{
    *state = NULL;
    const mdm_status status = module->open(state, start);
    if (status == MDM_OK || !*state)
        return status;
    module->close(*state);
    *state = NULL;
    return status;
}

static bool is_in(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

mdm_status mdm_module_options(const mdm_module_start *start, const json_t *options, const char *const *known,
                              const char *const *moot)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)options, name, value)
    {
        if (is_in(known, name))
            continue;
        if (!is_in(moot, name))
            return mdm_fail(MDM_ERR_INPUT, "%s: option '%.60s' is not supported here; leave it out", start->node, name);
        mdm_log(MDM_LOG_WARN, "%s: option '%s' changes nothing here", start->node, name);
    }
    return MDM_OK;
}

mdm_status mdm_module_text(const char **out, const mdm_module_start *start, const json_t *options, const char *name,
                           const char *fallback)
{
    const json_t *value = json_object_get(options, name);
    *out = value ? json_string_value(value) : fallback;
    return *out ? MDM_OK
                : mdm_fail(MDM_ERR_INPUT, "%s: option '%s' is %s, expected a text", start->node, name,
                           value ? "something else" : "missing");
}

mdm_status mdm_module_number(double *out, const mdm_module_start *start, const json_t *options, const char *name,
                             double fallback, double least, double most)
{
    const json_t *value = json_object_get(options, name);
    *out = value ? json_number_value(value) : fallback;
    if (value && (!json_is_number(value) || !(*out >= least && *out <= most)))
        return mdm_fail(MDM_ERR_INPUT, "%s: option '%s', expected a number from %g to %g", start->node, name, least,
                        most);
    return MDM_OK;
}

mdm_status mdm_module_video_in(const mdm_module_start *start, int input)
{
    return start->in[input].kind == MDM_PORT_VIDEO
               ? MDM_OK
               : mdm_fail(MDM_ERR_INPUT, "%s: input %d is not video; join it to a stream of pictures", start->node,
                          input);
}

static void forget(void *user, void *data)
{
    (void)user;
    json_decref(data);
}

mdm_status mdm_module_give_json(mdm_turn *turn, int output, json_t *value)
{
    mdm_packet *packet;
    if (!value)
        return mdm_fail(MDM_ERR_MEMORY, "no memory for a packet");
    MDM_TRY(mdm_packet_new(&packet, 0, value, forget, NULL));
    return mdm_turn_give(turn, output, packet);
}

mdm_status mdm_module_own_frame(mdm_packet **out, mdm_packet *in, mdm_frames *frames)
{
    if (atomic_load_explicit(&in->references, memory_order_acquire) == 1) {
        *out = mdm_packet_keep(in);
        return mdm_frame_writable(mdm_packet_frame(in));
    }
    MDM_TRY(mdm_frames_take(out, frames));
    (*out)->time = in->time;
    mdm_status status = mdm_frame_share(mdm_packet_frame(*out), mdm_packet_frame(in));
    if (status == MDM_OK)
        status = mdm_frame_writable(mdm_packet_frame(*out));
    if (status != MDM_OK)
        mdm_packet_drop(out);
    return status;
}
