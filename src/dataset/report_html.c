/* The audit as one self-contained page: plain words, inline SVG, pictures of the result as data URIs. No script, no link. */
#include <stdio.h>
#include <string.h>

#include "dataset/html.h"
#include "dataset/pack.h"

static long long whole(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static mdm_status tile(mdm_buffer *out, const char *number, const char *words)
{
    return mdm_buffer_printf(out, "<div class=tile><b>%s</b>%s</div>\n", number, words);
}

/* ---- plots -------------------------------------------------------------------------------------------------------------- */

/* A bar of replaced, covered and missed face frames. */
static mdm_status share_bar(mdm_buffer *out, const json_t *frames)
{
    static const struct {
        const char *key, *colour;
    } parts[] = {{"replaced", "#3a7d44"}, {"covered", "#d9a441"}, {"none", "#a40000"}};
    double total = (double)whole(frames, "face"), x = 0;
    if (total <= 0)
        return mdm_buffer_printf(out, "no face");
    MDM_TRY(mdm_buffer_printf(out, "<svg width=240 height=14 role=img><rect width=240 height=14 fill=\"#eee\"/>"));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        double width = 240 * (double)whole(frames, parts[i].key) / total;
        MDM_TRY(mdm_buffer_printf(out, "<rect x=%.1f width=%.1f height=14 fill=\"%s\"/>", x, width, parts[i].colour));
        x += width;
    }
    return mdm_buffer_printf(out, "</svg> %lld replaced, %lld covered of %lld", whole(frames, "replaced"),
                             whole(frames, "covered"), whole(frames, "face"));
}

/* Where mean and worst similarity lie beside the threshold at which the judge would call it the same person. */
static mdm_status match_plot(mdm_buffer *out, const json_t *figure)
{
    enum { WIDTH = 240 };
    const json_t *mean = json_object_get(figure, "mean"), *worst = json_object_get(figure, "max"),
                 *threshold = json_object_get(figure, "threshold");
    if (!json_is_number(mean) || !json_is_number(threshold))
        return MDM_OK;
    double limit = json_number_value(threshold), at = json_number_value(mean);
    bool closer_up = !json_is_false(json_object_get(figure, "higher_is_closer"));
    double scale = WIDTH / (limit > 0 ? limit * 1.6 : 1);
    double x = at * scale, t = limit * scale;
    x = x < 0 ? 0 : x > WIDTH ? WIDTH : x;
    MDM_TRY(mdm_buffer_printf(out, "<svg width=%d height=16 role=img><rect y=6 width=%d height=4 fill=\"#eee\"/>",
                              WIDTH, WIDTH));
    MDM_TRY(mdm_buffer_printf(out, "<rect x=%.1f y=6 width=%.1f height=4 fill=\"#f3c6c6\"/>", closer_up ? t : 0.0,
                              closer_up ? WIDTH - t : t));
    MDM_TRY(mdm_buffer_printf(out, "<line x1=%.1f x2=%.1f y1=1 y2=15 stroke=\"#a40000\" stroke-width=2 />", t, t));
    if (json_is_number(worst)) {
        double w = json_number_value(worst) * scale;
        w = w < 0 ? 0 : w > WIDTH ? WIDTH : w;
        MDM_TRY(mdm_buffer_printf(out, "<circle cx=%.1f cy=8 r=3 fill=none stroke=\"#333\"/>", w));
    }
    return mdm_buffer_printf(out, "<circle cx=%.1f cy=8 r=4 fill=\"#333\"/></svg>", x);
}

/* ---- sections ------------------------------------------------------------------------------------------------------------ */

static mdm_status summary(mdm_buffer *out, const json_t *report)
{
    const json_t *totals = json_object_get(report, "totals");
    char number[64];
    double faces = (double)whole(totals, "face_frames_face");
    MDM_TRY(mdm_buffer_printf(
        out, "<h1>What was done to these recordings, and how we know</h1>\n"
             "<p>Every person in these clips was replaced by a synthetic stand-in. Networks that took no part in "
             "making the result then tried to find and to recognise the recorded persons. This page says how "
             "far they got.</p>\n<div class=tiles>\n"));
    snprintf(number, sizeof number, "%lld", whole(totals, "delivered"));
    MDM_TRY(tile(out, number, "clips in the dataset"));
    snprintf(number, sizeof number, "%lld", whole(totals, "quarantined"));
    MDM_TRY(tile(out, number, "clips held back"));
    snprintf(number, sizeof number, "%lld", whole(totals, "persons"));
    MDM_TRY(tile(out, number, "persons"));
    if (faces > 0) {
        snprintf(number, sizeof number, "%.1f %%", 100 * (double)whole(totals, "face_frames_replaced") / faces);
        MDM_TRY(tile(out, number, "of face frames replaced"));
        snprintf(number, sizeof number, "%.1f %%", 100 * (double)whole(totals, "face_frames_covered") / faces);
        MDM_TRY(tile(out, number, "covered instead"));
    }
    snprintf(number, sizeof number, "%lld", whole(totals, "uncovered_faces"));
    MDM_TRY(tile(out, number, "faces left uncovered"));
    return mdm_buffer_printf(out, "</div>\n");
}

static mdm_status key_value_table(mdm_buffer *out, const json_t *object, const char *left, const char *right)
{
    const char *key;
    json_t *value;
    MDM_TRY(mdm_buffer_printf(out, "<table><tr><th>%s<th>%s\n", left, right));
    json_object_foreach((json_t *)object, key, value)
    {
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_text(out, key));
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        MDM_TRY(mdm_html_value(out, value));
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status policy(mdm_buffer *out, const json_t *report)
{
    MDM_TRY(mdm_buffer_printf(out, "<h2>1. Context: what was asked</h2>\n<p>keep: as recorded. coarsen: only the rough "
                                   "group. redraw: drawn anew from a "
                                   "stated prior without looking at the source. remove: taken out.</p>\n"));
    MDM_TRY(key_value_table(out, json_object_get(report, "policy"), "context", "treatment"));
    const json_t *residual = json_object_get(report, "as_recorded_all_the_same");
    if (json_object_size(residual)) {
        MDM_TRY(mdm_buffer_printf(out, "<p>Some contexts are as recorded although nobody asked to keep them:</p>\n"));
        MDM_TRY(key_value_table(out, residual, "context", "why"));
    }
    const char *listener = json_string_value(json_object_get(json_object_get(report, "sound_sent"), "model"));
    if (listener) {
        MDM_TRY(mdm_buffer_printf(out, "<p class=bad>The recordings' sound, before it was masked, left the machine: it "
                                       "was sent to Google to be written down, by "));
        MDM_TRY(mdm_html_text(out, listener));
        MDM_TRY(mdm_buffer_printf(out, ".</p>\n"));
    }
    MDM_TRY(mdm_buffer_printf(out, "<br>"));
    return key_value_table(out, json_object_get(report, "channels"), "channel", "treatment");
}

static mdm_status judges(mdm_buffer *out, const json_t *report)
{
    size_t i;
    json_t *judge;
    MDM_TRY(mdm_buffer_printf(
        out, "<h2>3. Identifiability: who judged</h2>\n<p>The true-match rate says how often a judge recognises a "
             "person in two "
             "unmasked pictures of the same clip. A judge under 90 %% is blind here, and its silence proves "
             "nothing; it was not used.</p>\n<table><tr><th>judge<th>measures<th>true-match rate<th>used<th>note\n"));
    json_array_foreach(json_object_get(report, "judges"), i, judge)
    {
        static const char *const columns[] = {"name", "measures", "true_match_rate", "used", "note"};
        MDM_TRY(mdm_buffer_printf(out, "<tr>"));
        for (size_t k = 0; k < sizeof columns / sizeof columns[0]; k++) {
            MDM_TRY(mdm_buffer_printf(out, "<td>"));
            MDM_TRY(mdm_html_value(out, json_object_get(judge, columns[k])));
        }
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status recognition(mdm_buffer *out, const json_t *person)
{
    const char *name;
    json_t *figure;
    MDM_TRY(mdm_buffer_printf(
        out, "<table><tr><th>recogniser<th>frames matching the source<th>likeness (line: the same person)\n"));
    json_object_foreach(json_object_get(person, "reidentification"), name, figure)
    {
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_text(out, name));
        MDM_TRY(mdm_buffer_printf(out, "<td>%lld of %lld<td>", whole(figure, "match_frames"), whole(figure, "frames")));
        MDM_TRY(match_plot(out, figure));
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status detected(mdm_buffer *out, const json_t *person)
{
    const json_t *looks = json_object_get(person, "detected");
    if (!json_is_object(looks))
        return MDM_OK;
    return mdm_buffer_printf(out,
                             "<p>Another face detector finds the face in %lld of the %lld looks that showed it in "
                             "the recording.</p>\n",
                             whole(looks, "after"), whole(looks, "before"));
}

static mdm_status contexts(mdm_buffer *out, const json_t *person)
{
    static const char *const hidden[] = {"treatment", "judge", "independent"};
    const char *name, *key;
    json_t *context, *value;
    if (json_object_size(json_object_get(person, "contexts")) == 0)
        return MDM_OK;
    MDM_TRY(mdm_buffer_printf(out, "<table><tr><th>context<th>treatment<th>figures<th>judge\n"));
    json_object_foreach(json_object_get(person, "contexts"), name, context)
    {
        const char *comma = "";
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_text(out, name));
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        MDM_TRY(mdm_html_value(out, json_object_get(context, "treatment")));
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        json_object_foreach(context, key, value)
        {
            bool skip = json_is_null(value);
            for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
                skip = skip || strcmp(key, hidden[i]) == 0;
            if (skip)
                continue;
            MDM_TRY(mdm_buffer_printf(out, "%s", comma));
            MDM_TRY(mdm_html_text(out, key));
            MDM_TRY(mdm_buffer_printf(out, " "));
            MDM_TRY(mdm_html_value(out, value));
            comma = ", ";
        }
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        MDM_TRY(mdm_html_value(out, json_object_get(context, "judge")));
        if (json_is_false(json_object_get(context, "independent")))
            MDM_TRY(mdm_buffer_printf(out, " <span class=bad>not independent</span>"));
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status one_clip(mdm_buffer *out, const json_t *row, const mdm_pack_clip *clip)
{
    static const char *const figures[] = {"uncovered", "untouched", "timing", "flicker_ratio",
                                          "voice",     "text",      "words",  "metadata"};
    size_t i;
    json_t *person;
    MDM_TRY(mdm_buffer_printf(out, "<h3>"));
    MDM_TRY(mdm_html_text(out, clip->clip_id));
    MDM_TRY(mdm_buffer_printf(out, "</h3>\n<div>"));
    for (i = 0; i < clip->picture_count; i++)
        MDM_TRY(mdm_html_picture(out, clip->pictures[i]));
    MDM_TRY(mdm_buffer_printf(out, "</div>\n"));
    json_array_foreach(json_object_get(row, "persons"), i, person)
    {
        MDM_TRY(mdm_buffer_printf(out, "<p><b>"));
        MDM_TRY(mdm_html_value(out, json_object_get(person, "id")));
        MDM_TRY(mdm_buffer_printf(out, "</b> "));
        MDM_TRY(share_bar(out, json_object_get(person, "frames")));
        MDM_TRY(mdm_buffer_printf(out, "</p>\n"));
        MDM_TRY(detected(out, person));
        MDM_TRY(recognition(out, person));
        MDM_TRY(contexts(out, person));
    }
    MDM_TRY(mdm_buffer_printf(out, "<table>"));
    for (i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        const json_t *value = json_object_get(row, figures[i]);
        if (json_is_null(value) || !value)
            continue;
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>%s<td>", figures[i]));
        MDM_TRY(mdm_html_value(out, value));
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status clip_sections(mdm_buffer *out, const json_t *report, const mdm_pack_clip *clips, size_t count)
{
    size_t row = 0;
    MDM_TRY(mdm_buffer_printf(
        out, "<h2>Clip by clip</h2>\n<p class=note>Green: frames in which the face was replaced; yellow: covered. "
             "In the likeness plots the dot is the mean, the ring the closest frame.</p>\n"));
    for (size_t i = 0; i < count; i++)
        if (clips[i].passed)
            MDM_TRY(one_clip(out, json_array_get(json_object_get(report, "clips"), row++), &clips[i]));
    return MDM_OK;
}

static mdm_status quarantine(mdm_buffer *out, const json_t *report)
{
    size_t i, k;
    json_t *clip, *code, *list = json_object_get(report, "quarantine");
    MDM_TRY(mdm_buffer_printf(out, "<h2>2. Data: what was held back</h2>\n"));
    if (json_array_size(list) == 0)
        return mdm_buffer_printf(out, "<p>No clip was held back.</p>\n");
    MDM_TRY(
        mdm_buffer_printf(out, "<p>These clips failed and are not in the dataset.</p>\n<table><tr><th>clip<th>why\n"));
    json_array_foreach(list, i, clip)
    {
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_value(out, json_object_get(clip, "clip_id")));
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        json_array_foreach(json_object_get(clip, "reasons"), k, code)
        {
            MDM_TRY(mdm_buffer_printf(out, k ? ", " : ""));
            MDM_TRY(mdm_html_value(out, code));
        }
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status redrawn(mdm_buffer *out, const json_t *report)
{
    const json_t *table = json_object_get(report, "redrawn");
    const char *name;
    json_t *row;
    if (!json_is_object(table) || json_object_size(table) == 0)
        return MDM_OK;
    MDM_TRY(mdm_buffer_printf(
        out, "<h2>Drawn anew</h2>\n<p>A context that was drawn anew should agree with the source no more often than "
             "chance.</p>\n<table><tr><th>context<th>persons<th>agrees with the source<th>by chance\n"));
    json_object_foreach((json_t *)table, name, row)
    {
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_text(out, name));
        MDM_TRY(mdm_buffer_printf(out, "<td>%lld<td>%.0f %%<td>%.0f %%\n", whole(row, "persons"),
                                  100 * json_number_value(json_object_get(row, "agreement")),
                                  100 * json_number_value(json_object_get(row, "chance"))));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static const char limits[] =
    "<h2>4. What this does not say, and what is left to you</h2>\n<ul>\n"
    "<li>The figures are the risk measured under these attackers. Other networks, more pictures of the same person or "
    "knowledge of the place and time may do better.</li>\n"
    "<li>Only faces, voices, words, plates, written text and metadata are treated. Clothes, gait, body shape, tattoos, "
    "rooms and "
    "streets are as recorded.</li>\n"
    "<li>In the scene, hair, ears, neck, hands and the outline of the head stay the person's. Where race was redrawn "
    "the skin "
    "around the face follows the new face's tone, but starts from the person's: how light a skin and how light a place "
    "is cannot be told "
    "apart, so some of it can still be inferred, as can age from hair, neck and hands.</li>\n"
    "<li>A masked voice resists a listener, not somebody who knows the method and has recordings to compare.</li>\n"
    "<li>Judges make errors of their own; their true-match rates are above. Figures marked &ldquo;not "
    "independent&rdquo; come from a network "
    "that also took part in making the result.</li>\n"
    "<li>Age, gender and race are what networks see in a face, in the groups of the data they were trained on. They "
    "are not facts "
    "about a person.</li>\n"
    "<li>Not tried: attackers who train on this method's own output, networks that undo it, body and gait, knowledge "
    "of "
    "where and when.</li>\n"
    "<li>Before release: decide who may have the dataset and under which terms; keep the private folder away from it "
    "or "
    "destroy it. After: measure again when recognisers have become better, in two years at the latest "
    "(`mmdm audit` looks at the finished dataset, `mmdm verify` needs the recordings).</li>\n</ul>\n"
    "<p class=note>The order is that of ISO/IEC 27559: context, data, identifiability, governance.</p>\n";

mdm_status mdm_report_html(mdm_buffer *out, const json_t *report, const mdm_pack_clip *clips, size_t count)
{
    out->max = (size_t)1 << 30;
    MDM_TRY(mdm_html_head(out, "Audit of a masked dataset"));
    MDM_TRY(summary(out, report));
    MDM_TRY(policy(out, report));
    MDM_TRY(quarantine(out, report));
    MDM_TRY(judges(out, report));
    MDM_TRY(mdm_report_attacks(out, report));
    MDM_TRY(redrawn(out, report));
    MDM_TRY(clip_sections(out, report, clips, count));
    MDM_TRY(mdm_buffer_append(out, limits, sizeof limits - 1));
    MDM_TRY(mdm_buffer_printf(out, "<p class=note>Made with mmdm "));
    MDM_TRY(mdm_html_value(out, json_object_get(json_object_get(report, "tool"), "version")));
    return mdm_buffer_printf(out, ". The same figures are in report.json.</p></html>\n");
}
