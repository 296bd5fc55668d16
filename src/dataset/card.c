/* The dataset card (README.md with its YAML head) as Hugging Face reads it. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "dataset/pack.h"

/* A YAML double-quoted scalar: whatever the title holds, it stays one value. */
static mdm_status yaml_quoted(mdm_buffer *out, const char *text)
{
    MDM_TRY(mdm_buffer_printf(out, "\""));
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            MDM_TRY(mdm_buffer_printf(out, "\\%c", *c));
        else if (*c < 0x20)
            MDM_TRY(mdm_buffer_printf(out, " "));
        else
            MDM_TRY(mdm_buffer_append(out, c, 1));
    }
    return mdm_buffer_printf(out, "\"");
}

/* Contexts nobody asked to keep that are as recorded all the same, with the reason. */
static mdm_status list_residual(mdm_buffer *out, const mdm_settings *settings)
{
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++) {
        const char *why = mdm_context_residual(settings, (mdm_context)c);
        if (why)
            MDM_TRY(mdm_buffer_printf(out, "\n* As recorded although not asked for: %s (%s).",
                                      mdm_context_name((mdm_context)c), why));
    }
    return MDM_OK;
}

static const char *size_category(size_t n)
{
    static const struct {
        size_t below;
        const char *name;
    } sizes[] = {{1000, "n<1K"}, {10000, "1K<n<10K"}, {100000, "10K<n<100K"}, {1000000, "100K<n<1M"}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (n < sizes[i].below)
            return sizes[i].name;
    return "1M<n<10M";
}

/* "age, gaze" for the contexts with a treatment; "nothing" when there are none. */
static mdm_status list_contexts(mdm_buffer *out, const mdm_pack_info *info, const char *treatment)
{
    const char *comma = "";
    for (int c = 0; c < MDM_CONTEXT_COUNT; c++) {
        const char *name = mdm_context_name((mdm_context)c);
        const char *value = json_string_value(json_object_get(info->policy, name));
        if (!value || strcmp(value, treatment) != 0 || mdm_context_residual(info->settings, (mdm_context)c))
            continue;
        MDM_TRY(mdm_buffer_printf(out, "%s%s", comma, name));
        comma = ", ";
    }
    return *comma ? MDM_OK : mdm_buffer_printf(out, "nothing");
}

/* One configuration: datasets reads all of a folder with the builder of the first, so that labels cannot be another. */
mdm_status mdm_card_configs(mdm_buffer *out, const bool has[MDM_PARTS])
{
    MDM_TRY(mdm_buffer_printf(out, "- config_name: default\n  data_files:\n"));
    for (int p = 0; p < MDM_PARTS; p++)
        if (has[p])
            MDM_TRY(mdm_buffer_printf(out, "  - split: %s\n    path: %s/**\n", mdm_part_names[p], mdm_part_names[p]));
    return MDM_OK;
}

static mdm_status head(mdm_buffer *out, const mdm_pack_info *info, size_t clips, const mdm_pack_content *content)
{
    MDM_TRY(mdm_buffer_printf(out, "---\npretty_name: "));
    MDM_TRY(yaml_quoted(out, info->settings->title));
    MDM_TRY(mdm_buffer_printf(out, "\nlicense: "));
    if (strcmp(info->settings->licence, "other") == 0) {
        MDM_TRY(mdm_buffer_printf(out, "other\nlicense_name: see-license\nlicense_link: LICENSE"));
    } else {
        MDM_TRY(yaml_quoted(out, info->settings->licence));
    }
    if (content->language[0])
        MDM_TRY(mdm_buffer_printf(out, "\nlanguage:\n- %s", content->language));
    MDM_TRY(mdm_buffer_printf(
        out, "\nannotations_creators:\n- machine-generated\nsource_datasets:\n- original\n"
             "task_categories:\n- video-classification\n- keypoint-detection\ntags:\n- synthetic\n- anonymized\n"
             "- video\n- faces\n"));
    if (info->settings->preset[0])
        MDM_TRY(mdm_buffer_printf(out, "- %s\n", info->settings->preset));
    MDM_TRY(mdm_buffer_printf(out, "size_categories:\n- %s\nconfigs:\n", size_category(clips)));
    MDM_TRY(mdm_card_configs(out, content->has));
    return mdm_buffer_printf(
        out,
        "extra_gated_heading: Terms of use\nextra_gated_prompt: \"The persons in these recordings were replaced by "
        "synthetic "
        "ones. By using the dataset you agree not to try to find out who they were, nor to help others to, and not to "
        "take its faces for those of real persons.\"\nextra_gated_fields:\n"
        "  I agree not to try to find out who the recorded persons were: checkbox\n"
        "extra_gated_button_content: Agree\n---\n\n");
}

static mdm_status body(mdm_buffer *out, const mdm_pack_info *info, size_t delivered, size_t left_out, bool has_stills)
{
    MDM_TRY(mdm_buffer_printf(out, "# %s\n\n", info->settings->title));
    MDM_TRY(mdm_buffer_printf(
        out,
        "Recordings of people in which every person was replaced by a synthetic stand-in with mmdm %s. "
        "%zu clip%s; %zu more did not pass verification and %s not in here.\n\n"
        "```python\nfrom datasets import load_dataset\nds = load_dataset(\"path/to/this/folder\")\n```\n\n",
        info->version, delivered, delivered == 1 ? "" : "s", left_out, left_out == 1 ? "is" : "are"));
    if (has_stills)
        MDM_TRY(mdm_buffer_printf(out, "Pictures are beside the videos: `load_dataset(\"imagefolder\", "
                                       "data_dir=\"path/to/this/folder/stills\")`.\n\n"));
    MDM_TRY(mdm_buffer_printf(out, "## What is true and what is not\n\n* Kept as recorded: "));
    MDM_TRY(list_contexts(out, info, "keep"));
    MDM_TRY(mdm_buffer_printf(out, ".\n* Kept roughly (the group only): "));
    MDM_TRY(list_contexts(out, info, "coarsen"));
    MDM_TRY(mdm_buffer_printf(out, ".\n* Drawn anew, without regard to the source: "));
    MDM_TRY(list_contexts(out, info, "redraw"));
    MDM_TRY(mdm_buffer_printf(out, ".\n* Removed: "));
    MDM_TRY(list_contexts(out, info, "remove"));
    MDM_TRY(mdm_buffer_printf(out, "."));
    MDM_TRY(list_residual(out, info->settings));
    MDM_TRY(mdm_buffer_printf(out, "\n\n| channel | treatment |\n|---|---|\n"));
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)info->channels, name, value)
    {
        if (json_is_string(value))
            MDM_TRY(mdm_buffer_printf(out, "| %s | %s |\n", name, json_string_value(value)));
    }
    if (strcmp(info->settings->transcribe, "gemini") == 0)
        MDM_TRY(mdm_buffer_printf(out,
                                  "\nThe recordings' sound, before it was masked, was sent to Google (%s), which wrote "
                                  "down the speech. Uploads are deleted afterwards, or expire after two days.\n",
                                  info->settings->gemini_model));
    return mdm_buffer_printf(
        out, "\n## Columns\n\n"
             "| column | meaning |\n|---|---|\n"
             "| `clip_id` | stable id, not derived from the source's name |\n"
             "| `frames`, `fps`, `width`, `height` | of the clip; frames and their times are those of the source |\n"
             "| `sound` | none, masked voice or original voice |\n"
             "| `transcript` | what is said, personal data replaced by typed placeholders |\n"
             "| `persons` | for each: the stand-in's id and look, which contexts are true of the person (`kept`), and "
             "in how many "
             "frames the face was replaced or covered |\n\n"
             "## Labels\n\n`load_dataset(\"json\", data_files={\"train\": \"path/to/this/folder/labels/train/*\"})`: "
             "a row for each stand-in's face of each "
             "frame, measured on "
             "these very clips, nothing of it on the recordings: `box` (x, y, width, height, px), 68 `points`, "
             "`head_pose` and "
             "`gaze` (degrees), `eyes` and `mouth` (opening over width), `expression` where its judge looked.\n\n"
             "## Evidence\n\n`audit/report.html` says in plain words what was measured, by which networks, and what "
             "was not; "
             "`audit/report.json` holds the same figures. `audit/models.cdx.json` lists the models, their licences and "
             "hashes; "
             "`provenance/` marks every clip as synthetic (IPTC digital source type) with its hash, unsigned. "
             "`SHA256SUMS` lists every "
             "file.\n\n"
             "## Uses\n\nTraining and testing models of faces, gaze, attention, speech and behaviour. Not for "
             "recognising persons, nor for "
             "judging anybody: the stand-ins' age, gender and race are those of nobody unless listed as kept.\n\n## "
             "Limits\n\nThe figures are the risk measured under the named attackers, not a promise about others. "
             "Bodies, clothes, "
             "gait and places are as recorded unless stated otherwise. A masked voice does not hold against somebody "
             "who knows the "
             "method. Nobody may try to find out who the persons were.\n");
}

mdm_status mdm_pack_card(const char *path, const mdm_pack_info *info, size_t delivered, size_t left_out,
                         const mdm_pack_content *content)
{
    mdm_buffer text = {0};
    mdm_status status = head(&text, info, delivered, content);
    if (status == MDM_OK)
        status = body(&text, info, delivered, left_out, content->stills);
    if (status == MDM_OK)
        status = mdm_file_write(path, text.data, text.size);
    mdm_buffer_free(&text);
    return status;
}
