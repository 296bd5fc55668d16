/* The published layouts of a question. The words are ours; --system and --prompt take any others, the authors' too. */
#include "models/pllava_templates.h"

#include <string.h>

#include "base/memory.h"

#define DESCRIBER                                                                                                      \
    "You describe videos for people who cannot see them. You are given a video and say what happens in it, as it is, " \
    "following the user's instructions.\n"
#define RECAPTION                                                                                                      \
    "Describe this video in one detailed paragraph: the place, the persons in it and what they do from beginning to "  \
    "end. Leave out exact colours and numbers of things, which are often seen wrong. Leave out whatever you are not "  \
    "sure of.\n"
#define PLAIN                                "Describe the video in detail."
#define VICUNA(system, alone, end, question) system, "USER: ", "ASSISTANT:", " ", alone, end, question
#define CHATML(system, alone, end, question)                                                                           \
    system, "<|im_start|>user\n", "<|im_start|>assistant\n", "<|im_end|>\n", alone, end, question

static const mdm_pllava_template table[] = {
    {"recaption", VICUNA(DESCRIBER, true, "\n", RECAPTION)},
    {"recaption-llavanext", CHATML(DESCRIBER, true, "\n", RECAPTION)},
    {"plain", "", "USER:", "ASSISTANT:", " ", false, " ", PLAIN},
    {"plain-llavanext", CHATML("", false, "\n", PLAIN)},
};

mdm_status mdm_pllava_template_find(const mdm_pllava_template **out, const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name)) {
            *out = &table[i];
            return MDM_OK;
        }
    return mdm_fail(MDM_ERR_USAGE, "template \"%s\": expected recaption, plain, recaption-llavanext or plain-llavanext",
                    name);
}

mdm_status mdm_pllava_template_fill(char **before, char **after, const mdm_pllava_template *t, const char *system,
                                    const char *question)
{
    const char *told = system ? system : t->system, *asked = question ? question : t->question;
    *after = NULL;
    MDM_TRY(mdm_format(before, "%s%s%s", told, *told ? t->end_user : "", t->user));
    mdm_status status = mdm_format(after, "%s%s%s%s%s%s", t->clip_end, t->alone ? t->end_user : "",
                                   t->alone ? t->user : "", asked, t->end_user, t->answer);
    if (status)
        mdm_free(before);
    return status;
}
