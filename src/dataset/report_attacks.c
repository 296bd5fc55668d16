/* The report's part about attacks on the whole dataset: who could find the recorded persons again, in words and in persons. */
#include <string.h>

#include "dataset/html.h"
#include "dataset/pack.h"

static long long whole(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

/* "0 of 12 (at most 24 %)", or with both ends of the interval. */
static mdm_status share(mdm_buffer *out, const json_t *share)
{
    long long found = whole(share, "found"), of = whole(share, "of");
    double low = 100 * json_number_value(json_object_get(share, "low")),
           high = 100 * json_number_value(json_object_get(share, "high"));
    if (!of)
        return mdm_buffer_printf(out, "not measured");
    if (!found)
        return mdm_buffer_printf(out, "0 of %lld (at most %.0f %%)", of, high);
    return mdm_buffer_printf(out, "%lld of %lld (%.0f to %.0f %%)", found, of, low, high);
}

static mdm_status verification(mdm_buffer *out, const json_t *recognisers)
{
    static const struct {
        const char *key, *words;
    } levels[] = {{"limit", "our own limit, the strictest for us"},
                  {"1e-2", "one wrong accept in 100"},
                  {"1e-3", "one in 1,000"},
                  {"1e-4", "one in 10,000"}};
    size_t i;
    json_t *one;
    MDM_TRY(mdm_buffer_printf(
        out,
        "<h3>Is this the person I know?</h3>\n<p>Somebody holds recordings of a person and compares a clip's average "
        "face with them. How many persons does each recogniser accept, at how strict a setting? The last column is "
        "the same attacker on recordings that were not masked: what it could do.</p>\n<table><tr><th>recogniser"
        "<th>setting<th>persons found in the dataset<th>pairs of frames that match<th>without masking\n"));
    json_array_foreach((json_t *)recognisers, i, one)
    {
        for (size_t k = 0; k < sizeof levels / sizeof *levels; k++) {
            const json_t *level = json_object_get(json_object_get(one, "verification"), levels[k].key);
            MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
            MDM_TRY(mdm_html_value(out, json_object_get(one, "name")));
            MDM_TRY(mdm_buffer_printf(out, "<td>%s<td>", levels[k].words));
            MDM_TRY(share(out, level));
            MDM_TRY(
                mdm_buffer_printf(out, "<td>%.2f %%<td>", 100 * json_number_value(json_object_get(level, "pairs"))));
            MDM_TRY(share(out, json_object_get(level, "unmasked")));
            MDM_TRY(mdm_buffer_printf(out, "\n"));
        }
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status search(mdm_buffer *out, const json_t *recognisers)
{
    size_t i;
    json_t *one;
    MDM_TRY(mdm_buffer_printf(
        out,
        "<h3>Which of these people is it?</h3>\n<p>Somebody holds recordings of everybody and takes the nearest face. "
        "Among few people a guess is often right: compare with chance.</p>\n<table><tr><th>recogniser<th>persons "
        "found first<th>people to choose from<th>by chance<th>without masking\n"));
    json_array_foreach((json_t *)recognisers, i, one)
    {
        const json_t *rank = json_object_get(one, "rank_1");
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_value(out, json_object_get(one, "name")));
        if (!json_is_object(rank)) {
            MDM_TRY(mdm_buffer_printf(out, "<td colspan=4>not measured: there is one person only\n"));
            continue;
        }
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        MDM_TRY(share(out, rank));
        MDM_TRY(mdm_buffer_printf(out, "<td>%lld<td>%.0f %%<td>", whole(rank, "gallery"),
                                  100 * json_number_value(json_object_get(rank, "chance"))));
        MDM_TRY(share(out, json_object_get(rank, "unmasked")));
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status linking(mdm_buffer *out, const json_t *attacks, const json_t *recognisers)
{
    bool one_standin = strcmp(json_string_value(json_object_get(attacks, "identity")), "per-person") == 0;
    size_t i;
    json_t *one;
    MDM_TRY(mdm_buffer_printf(
        out,
        "<h3>Do two clips show the same person?</h3>\n<p>%s</p>\n<table><tr><th>recogniser<th>pairs of clips of one "
        "person that match<th>pairs of two persons that match\n",
        one_standin
            ? "A person has one stand-in in all clips, as was asked: clips of a person are meant to be linkable, "
              "and whoever learns who is in one knows who is in all."
            : "A person has another stand-in in every clip, as was asked: clips of a person should match no more "
              "often than those of two persons."));
    json_array_foreach((json_t *)recognisers, i, one)
    {
        const json_t *links = json_object_get(one, "linking");
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_value(out, json_object_get(one, "name")));
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        MDM_TRY(share(out, json_object_get(links, "clips_of_one_person")));
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        MDM_TRY(share(out, json_object_get(links, "clips_of_two_persons")));
        MDM_TRY(mdm_buffer_printf(out, "\n"));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

static mdm_status worst(mdm_buffer *out, const json_t *recognisers)
{
    size_t i;
    json_t *one;
    MDM_TRY(mdm_buffer_printf(out,
                              "<h3>Who is protected least?</h3>\n<table><tr><th>recogniser<th>stand-in<th>likeness "
                              "to the recorded person<th>the same person\n"));
    json_array_foreach((json_t *)recognisers, i, one)
    {
        const json_t *of = json_object_get(one, "worst");
        if (!json_is_object(of))
            continue;
        MDM_TRY(mdm_buffer_printf(out, "<tr><td>"));
        MDM_TRY(mdm_html_value(out, json_object_get(one, "name")));
        MDM_TRY(mdm_buffer_printf(out, "<td>"));
        MDM_TRY(mdm_html_value(out, json_object_get(of, "person")));
        MDM_TRY(mdm_buffer_printf(out, "<td>%.2f<td>%s %.2f\n", json_number_value(json_object_get(of, "likeness")),
                                  json_is_true(json_object_get(of, "higher_is_closer")) ? "over" : "under",
                                  json_number_value(json_object_get(of, "threshold"))));
    }
    return mdm_buffer_printf(out, "</table>\n");
}

mdm_status mdm_report_attacks(mdm_buffer *out, const json_t *report)
{
    const json_t *attacks = json_object_get(report, "attacks"), *recognisers = json_object_get(attacks, "recognisers");
    MDM_TRY(mdm_buffer_printf(out, "<h2>Can the recorded persons be found again?</h2>\n"));
    if (!json_array_size(recognisers))
        return mdm_buffer_printf(out,
                                 "<p>Not measured over the whole dataset: no replaced face was large enough, or the "
                                 "recordings could not be read again. The figures clip by clip are below.</p>\n");
    MDM_TRY(mdm_buffer_printf(
        out,
        "<p>Risk measured under these attackers, on %lld persons; ranges are 95 %% intervals, and few persons make "
        "them wide: no person found among n proves no more than a rate under about 3/n. mobilefacenet took no part in "
        "making the dataset; dlib and faceres helped to choose the stand-ins, so that their figures flatter. Settings "
        "are calibrated on strangers of FairFace's validation set.</p>\n",
        whole(attacks, "persons")));
    MDM_TRY(verification(out, recognisers));
    MDM_TRY(search(out, recognisers));
    MDM_TRY(linking(out, attacks, recognisers));
    return worst(out, recognisers);
}
