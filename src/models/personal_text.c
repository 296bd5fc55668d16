/* The way from words to spans: tokens, rules in order, marks joined to spans, placeholders. */
#include "models/personal_text.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "models/personal_tokens.h"

static const char *const KIND_NAMES[MDM_PERSONAL_KINDS] = {"name", "phone",   "address", "email", "url",        "plate",
                                                           "card", "account", "id",      "birth", "coordinates"};

const char *mdm_personal_kind_name(mdm_personal_kind kind)
{
    return kind < MDM_PERSONAL_KINDS ? KIND_NAMES[kind] : "?";
}

static void (*const RULES[])(mdm_text *) = {mdm_rule_web,   mdm_rule_coordinates, mdm_rule_birth, mdm_rule_address,
                                            mdm_rule_codes, mdm_rule_names,       mdm_rule_unsure};

mdm_status mdm_personal_find(mdm_personal_span **spans, size_t *span_count, const mdm_word *words, size_t word_count,
                             const mdm_name_lists *lists)
{
    *spans = NULL;
    *span_count = 0;
    if (word_count > (size_t)1 << 24)
        return mdm_fail(MDM_ERR_INPUT, "%zu words in one text, expected at most 16777216", word_count);
    mdm_text text = {0};
    mdm_status status = mdm_text_tokenize(&text, words, word_count, lists);
    if (status == MDM_OK)
        status = mdm_alloc(spans, word_count, sizeof **spans, "personal spans");
    if (status != MDM_OK) {
        mdm_free(&text.tokens);
        return status;
    }
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++)
        RULES[i](&text);
    for (size_t i = 0; i < text.count; i++) {
        const mdm_token *token = &text.tokens[i];
        if (token->mark < 0)
            continue;
        mdm_personal_span *last = *span_count ? &(*spans)[*span_count - 1] : NULL;
        bool joins = last && (last->last == token->word ||
                              (last->last + 1 == token->word && last->kind == (mdm_personal_kind)token->mark && i > 0 &&
                               text.tokens[i - 1].mark == token->mark));
        if (joins) {
            last->last = token->word;
            last->end = words[token->word].end;
        } else {
            (*spans)[(*span_count)++] = (mdm_personal_span){(mdm_personal_kind)token->mark, token->word, token->word,
                                                            words[token->word].start, words[token->word].end};
        }
    }
    mdm_free(&text.tokens);
    return MDM_OK;
}

void mdm_personal_margins(double *early, double *late, const mdm_personal_span *span, const mdm_word *words)
{
    *early = strpbrk(words[span->first].text, "0123456789") ? 0.16 : 0.10;
    *late = 0.08;
}

mdm_status mdm_personal_redact(char **out, const mdm_word *words, size_t word_count, const mdm_personal_span *spans,
                               size_t span_count)
{
    *out = NULL;
    mdm_buffer buffer = {0};
    mdm_status status = mdm_buffer_append(&buffer, "", 0);
    size_t span = 0;
    for (size_t i = 0; status == MDM_OK && i < word_count; i++) {
        while (span < span_count && spans[span].last < i)
            span++;
        const char *space = buffer.size ? " " : "";
        if (span >= span_count || i < spans[span].first) {
            status = mdm_buffer_printf(&buffer, "%s%s", space, words[i].text);
            continue;
        }
        if (i == spans[span].first) {
            char label[16] = "";
            for (size_t k = 0; KIND_NAMES[spans[span].kind][k] && k + 1 < sizeof label; k++)
                label[k] = (char)toupper((unsigned char)KIND_NAMES[spans[span].kind][k]);
            status = mdm_buffer_printf(&buffer, "%s[%s]", space, label);
        }
        if (status == MDM_OK && i == spans[span].last) { /* the sentence keeps its punctuation */
            size_t length = strlen(words[i].text);
            if (length && strchr(".,!?;", words[i].text[length - 1]))
                status = mdm_buffer_append(&buffer, words[i].text + length - 1, 1);
        }
    }
    if (status == MDM_OK)
        status = mdm_strdup(out, buffer.data ? (const char *)buffer.data : "");
    mdm_buffer_free(&buffer);
    return status;
}
