/* CLIP's byte-level BPE tokenizer (Radford et al., 2021; the details are those of transformers' CLIPTokenizer): the text is
 * composed (NFC), lower-cased and split into words; each word's bytes are merged pair by pair, most frequent pair first. */
#include "nn/clip_tokenizer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#define MAX_FILE   ((size_t)16 << 20)
#define MAX_TOKENS (1 << 20)
#define MAX_SYMBOL 512 /* bytes of one side of a merge */

#define START "<|startoftext|>"
#define END   "<|endoftext|>"

typedef struct merge {
    uint64_t pair; /* numbers of the two sides */
    int32_t rank, result;
} merge;

struct mdm_clip_tokenizer {
    json_t *vocabulary; /* token -> number */
    int32_t start, end, padding;
    int32_t byte[256],
        last_byte[256]; /* numbers of each byte inside a word and at its end; `end` where there is none */
    merge *merges;      /* sorted by pair */
    size_t merge_count, merge_capacity;
};

/* ---- loading ---- */

/* The character that stands for a byte in vocab.json: itself where it is printable Latin-1, else the next one from 256. */
static void spell_byte(char text[8], int byte, bool last)
{
    int shift = 0;
    for (int b = 0; b < byte; b++)
        shift += !((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174);
    bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    utf8proc_ssize_t n = utf8proc_encode_char(printable ? byte : 256 + shift, (utf8proc_uint8_t *)text);
    snprintf(text + n, 8 - (size_t)n, "%s", last ? "</w>" : "");
}

/* -1: there is none */
static int32_t find(const mdm_clip_tokenizer *t, const char *token)
{
    const json_t *number = json_object_get(t->vocabulary, token);
    return number ? (int32_t)json_integer_value(number) : -1;
}

static mdm_status check_vocabulary(mdm_clip_tokenizer *t, const char *path)
{
    const char *token;
    json_t *number;
    if (!json_is_object(t->vocabulary))
        return mdm_fail(MDM_ERR_INPUT, "%s: not an object of tokens and their numbers", path);
    json_object_foreach(t->vocabulary, token, number)
    {
        json_int_t value = json_integer_value(number);
        if (!json_is_integer(number) || value < 0 || value >= MAX_TOKENS)
            return mdm_fail(MDM_ERR_INPUT, "%s: \"%s\" has no number from 0 to %d", path, token, MAX_TOKENS - 1);
    }
    t->start = find(t, START);
    t->end = t->padding = find(t, END);
    if (t->start < 0 || t->end < 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: no token \"" START "\" or \"" END "\"; not a vocabulary of CLIP's", path);
    for (int b = 0; b < 256; b++) {
        char text[8];
        spell_byte(text, b, false);
        int32_t inside = find(t, text);
        spell_byte(text, b, true);
        int32_t last = find(t, text);
        t->byte[b] = inside < 0 ? t->end : inside; /* the end token is also the unknown one */
        t->last_byte[b] = last < 0 ? t->end : last;
    }
    return MDM_OK;
}

static int by_pair(const void *a, const void *b)
{
    const merge *x = a, *y = b;
    if (x->pair != y->pair)
        return x->pair < y->pair ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* Adds merge `number` of the file, "left right". */
static mdm_status add_merge(mdm_clip_tokenizer *t, const char *line, size_t size, const char *path, int number)
{
    char left[MAX_SYMBOL], both[2 * MAX_SYMBOL];
    const char *space = memchr(line, ' ', size);
    size_t first = space ? (size_t)(space - line) : 0, second = space ? size - first - 1 : 0;
    if (!first || !second || first >= MAX_SYMBOL || second >= MAX_SYMBOL || memchr(space + 1, ' ', second) ||
        memchr(line, '\0', size))
        return mdm_fail(MDM_ERR_INPUT, "%s: merge %d is not two tokens with a space between them", path, number);
    snprintf(left, sizeof left, "%.*s", (int)first, line);
    snprintf(both, sizeof both, "%s%.*s", left, (int)second, space + 1);
    const char *right = both + first;
    int32_t a = find(t, left), b = find(t, right), ab = find(t, both);
    if (a < 0 || b < 0 || ab < 0)
        return mdm_fail(MDM_ERR_INPUT, "%s: merge %d: \"%s\" is not in the vocabulary; they do not belong together",
                        path, number,
                        a < 0   ? left
                        : b < 0 ? right
                                : both);
    if (t->merge_count == t->merge_capacity) {
        size_t capacity = t->merge_capacity ? t->merge_capacity * 2 : 4096;
        if (capacity > MAX_TOKENS)
            return mdm_fail(MDM_ERR_INPUT, "%s: more than %d merges", path, MAX_TOKENS);
        MDM_TRY(mdm_realloc(&t->merges, capacity, sizeof *t->merges, "merges"));
        t->merge_capacity = capacity;
    }
    t->merges[t->merge_count++] = (merge){.pair = (uint64_t)a << 32 | (uint32_t)b, .rank = number, .result = ab};
    return MDM_OK;
}

static mdm_status sort_merges(mdm_clip_tokenizer *t, const char *path)
{
    if (t->merge_count)
        qsort(t->merges, t->merge_count, sizeof *t->merges, by_pair);
    for (size_t i = 1; i < t->merge_count; i++)
        if (t->merges[i].pair == t->merges[i - 1].pair)
            return mdm_fail(MDM_ERR_INPUT, "%s: merge %d repeats merge %d", path, (int)t->merges[i].rank,
                            (int)t->merges[i - 1].rank);
    return MDM_OK;
}

/* The lines of merges.txt; the first may say a version. */
static mdm_status parse_merges(mdm_clip_tokenizer *t, const char *text, size_t size, const char *path)
{
    int number = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at, step = length + 1;
        if (length && text[at + length - 1] == '\r')
            length--;
        bool version = at == 0 && length >= 8 && !memcmp(text, "#version", 8);
        if (length && !version)
            MDM_TRY(add_merge(t, text + at, length, path, ++number));
        at += step;
    }
    return sort_merges(t, path);
}

static mdm_status read_two_files(mdm_clip_tokenizer *t, const char *vocabulary, const char *merges)
{
    unsigned char *text = NULL;
    size_t size = 0;
    MDM_TRY(mdm_json_load(&t->vocabulary, vocabulary, MAX_FILE));
    MDM_TRY(check_vocabulary(t, vocabulary));
    MDM_TRY(mdm_file_read(&text, &size, merges, MAX_FILE));
    mdm_status status = parse_merges(t, (const char *)text, size, merges);
    mdm_free(&text);
    return status;
}

/* tokenizer.json: "model" has "vocab" and "merges", each "left right" or ["left", "right"] */
static mdm_status parse_model(mdm_clip_tokenizer *t, const json_t *model, const char *path)
{
    size_t i;
    json_t *pair, *merges;
    t->vocabulary = json_incref(json_object_get(model, "vocab"));
    MDM_TRY(check_vocabulary(t, path));
    MDM_TRY(mdm_json_array(&merges, model, "merges", path));
    json_array_foreach(merges, i, pair)
    {
        char line[2 * MAX_SYMBOL];
        const char *left = json_string_value(json_array_get(pair, 0)),
                   *right = json_string_value(json_array_get(pair, 1));
        if (json_is_string(pair))
            snprintf(line, sizeof line, "%s", json_string_value(pair));
        else
            snprintf(line, sizeof line, "%s %s", left ? left : "", right ? right : "");
        MDM_TRY(add_merge(t, line, strlen(line), path, (int)i + 1));
    }
    return sort_merges(t, path);
}

static mdm_status read_one_file(mdm_clip_tokenizer *t, const char *path)
{
    json_t *root = NULL, *model = NULL;
    MDM_TRY(mdm_json_load(&root, path, MAX_FILE));
    mdm_status status = mdm_json_object(&model, root, "model", path);
    const char *suffix = json_string_value(json_object_get(model, "end_of_word_suffix"));
    if (!status && (!suffix || strcmp(suffix, "</w>") != 0))
        status = mdm_fail(MDM_ERR_INPUT, "%s: words do not end in \"</w>\"; not CLIP's tokenizer", path);
    if (!status)
        status = parse_model(t, model, path);
    json_decref(root);
    return status;
}

/* The "pad_token" of FOLDER/NAME, a text or an object with its "content"; nothing changes where there is no such file or field. */
static mdm_status read_padding(mdm_clip_tokenizer *t, const char *folder, const char *name)
{
    char *path = NULL;
    json_t *root = NULL;
    MDM_TRY(mdm_join_path(&path, folder, name));
    mdm_status status = mdm_file_exists(path) ? mdm_json_load(&root, path, MAX_FILE) : MDM_OK;
    const json_t *token = json_object_get(root, "pad_token"), *content = json_object_get(token, "content");
    const char *text = json_string_value(content ? content : token);
    if (text) {
        t->padding = find(t, text);
        if (t->padding < 0)
            status = mdm_fail(MDM_ERR_INPUT, "%s: the padding token \"%s\" is not in the vocabulary", path, text);
    }
    json_decref(root);
    mdm_free(&path);
    return status;
}

static mdm_status load(mdm_clip_tokenizer *t, const char *folder)
{
    char *vocabulary = NULL, *merges = NULL, *both = NULL;
    mdm_status status = mdm_join_path(&vocabulary, folder, "vocab.json");
    if (!status)
        status = mdm_join_path(&merges, folder, "merges.txt");
    if (!status)
        status = mdm_join_path(&both, folder, "tokenizer.json");
    if (!status)
        status = !mdm_file_exists(vocabulary) && mdm_file_exists(both) ? read_one_file(t, both)
                                                                       : read_two_files(t, vocabulary, merges);
    mdm_free(&vocabulary);
    mdm_free(&merges);
    mdm_free(&both);
    if (!status)
        status = read_padding(t, folder, "special_tokens_map.json");
    return status ? status : read_padding(t, folder, "tokenizer_config.json");
}

mdm_status mdm_clip_tokenizer_load(mdm_clip_tokenizer **out, const char *folder)
{
    mdm_clip_tokenizer *t = NULL;
    *out = NULL;
    MDM_TRY(mdm_alloc(&t, 1, sizeof *t, "tokenizer"));
    mdm_status status = load(t, folder);
    if (status)
        mdm_clip_tokenizer_free(&t);
    *out = t;
    return status;
}

void mdm_clip_tokenizer_free(mdm_clip_tokenizer **tokenizer)
{
    if (!*tokenizer)
        return;
    json_decref((*tokenizer)->vocabulary);
    mdm_free(&(*tokenizer)->merges);
    mdm_free(tokenizer);
}

int32_t mdm_clip_tokenizer_end(const mdm_clip_tokenizer *tokenizer)
{
    return tokenizer->end;
}

int32_t mdm_clip_tokenizer_padding(const mdm_clip_tokenizer *tokenizer)
{
    return tokenizer->padding;
}

/* ---- words ---- */

typedef enum kind { SPACE, LETTER, NUMBER, OTHER } kind;

static kind kind_of(int32_t c)
{
    if ((c >= 9 && c <= 13) || c == 0x85)
        return SPACE;
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return SPACE;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return NUMBER;
    default:
        return OTHER;
    }
}

static kind next_kind(const unsigned char *text, size_t size, size_t *length)
{
    int32_t c;
    *length = (size_t)utf8proc_iterate(text, (utf8proc_ssize_t)size, &c); /* checked by normalise */
    return kind_of(c);
}

/* Bytes of the word at `text`, which does not begin with a space: a contraction's end, a run of letters, one digit, or a run
 * of anything else. */
static size_t word_length(const unsigned char *text, size_t size)
{
    static const char *const fixed[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        size_t n = strlen(fixed[i]);
        if (size >= n && !memcmp(text, fixed[i], n))
            return n;
    }
    size_t length, total;
    kind first = next_kind(text, size, &total);
    while (first != NUMBER && total < size && next_kind(text + total, size - total, &length) == first)
        total += length;
    return total;
}

/* ---- merging ---- */

typedef struct tokens {
    int32_t *ids;
    size_t count;
} tokens;

static const merge *find_merge(const mdm_clip_tokenizer *t, int32_t a, int32_t b)
{
    uint64_t pair = (uint64_t)a << 32 | (uint32_t)b;
    size_t low = 0, high = t->merge_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->merges[middle].pair < pair)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->merge_count && t->merges[low].pair == pair ? &t->merges[low] : NULL;
}

/* Appends the word's tokens: its bytes, the best pair joined again and again. */
static void add_word(tokens *out, const mdm_clip_tokenizer *t, const unsigned char *word, size_t size)
{
    int32_t *ids = out->ids + out->count;
    size_t count = size;
    for (size_t i = 0; i < size; i++)
        ids[i] = i + 1 < size ? t->byte[word[i]] : t->last_byte[word[i]];
    for (;;) {
        const merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            const merge *m = find_merge(t, ids[i], ids[i + 1]);
            if (m && (!best || m->rank < best->rank))
                best = m, at = i;
        }
        if (!best)
            break;
        ids[at] = best->result;
        memmove(ids + at + 1, ids + at + 2, (count - at - 2) * sizeof *ids);
        count--;
    }
    out->count += count;
}

/* ---- the whole text ---- */

/* Each character's full lower case; of all characters only U+0130 has one of two characters. Returns the bytes in `out`, which has
 * room for 2 * size. */
static size_t lower_case(unsigned char *out, const unsigned char *text, size_t size)
{
    size_t count = 0;
    for (size_t at = 0; at < size;) {
        int32_t c;
        at += (size_t)utf8proc_iterate(text + at, (utf8proc_ssize_t)(size - at), &c);
        count += (size_t)utf8proc_encode_char(c == 0x130 ? 'i' : utf8proc_tolower(c), out + count);
        if (c == 0x130)
            count += (size_t)utf8proc_encode_char(0x307, out + count);
    }
    return count;
}

/* `text`, `size` bytes, composed and in lower case; free with mdm_free. It is valid UTF-8. */
static mdm_status normalise(unsigned char **out, size_t *out_size, const char *text, size_t size)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &composed,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0)
        return mdm_fail(n == UTF8PROC_ERROR_NOMEM ? MDM_ERR_MEMORY : MDM_ERR_INPUT, "text of %zu bytes: %s", size,
                        utf8proc_errmsg(n));
    mdm_status status = mdm_alloc(out, 2 * (size_t)n, 1, "text");
    if (!status)
        *out_size = lower_case(*out, composed, (size_t)n);
    free(composed);
    return status;
}

/* Appends the tokens of a text without special tokens; there are never more than bytes once it is normalised. */
static mdm_status add_text(tokens *out, const mdm_clip_tokenizer *t, const char *text, size_t size)
{
    unsigned char *normal = NULL;
    size_t n = 0;
    MDM_TRY(normalise(&normal, &n, text, size));
    mdm_status status = mdm_realloc(&out->ids, out->count + n + 1, sizeof *out->ids, "tokens");
    for (size_t at = 0, length; at < n && !status; at += length) {
        if (next_kind(normal + at, n - at, &length) == SPACE)
            continue;
        length = word_length(normal + at, n - at);
        add_word(out, t, normal + at, length);
    }
    mdm_free(&normal);
    return status;
}

/* The text's tokens without start and end; the two special tokens may be spelled out in it. */
static mdm_status add_all(tokens *out, const mdm_clip_tokenizer *t, const char *text)
{
    while (*text) {
        const char *start = strstr(text, START), *end = strstr(text, END);
        const char *special = !start || (end && end < start) ? end : start;
        size_t before = special ? (size_t)(special - text) : strlen(text);
        MDM_TRY(add_text(out, t, text, before)); /* leaves room for one token more */
        text += before;
        if (special) {
            out->ids[out->count++] = special == start ? t->start : t->end;
            text += strlen(special == start ? START : END);
        }
    }
    return MDM_OK;
}

mdm_status mdm_clip_tokenizer_encode(const mdm_clip_tokenizer *tokenizer, int32_t *ids, int length, size_t *count,
                                     const char *text)
{
    tokens all = {0};
    if (length < 2)
        return mdm_fail(MDM_ERR_INTERNAL, "room for %d tokens, expected at least 2", length);
    if (strlen(text) > MDM_CLIP_TEXT_BYTES)
        return mdm_fail(MDM_ERR_INPUT, "a text of %zu bytes, at most %d are taken", strlen(text), MDM_CLIP_TEXT_BYTES);
    mdm_status status = add_all(&all, tokenizer, text);
    size_t kept = all.count < (size_t)length - 2 ? all.count : (size_t)length - 2;
    if (!status) {
        ids[0] = tokenizer->start;
        if (kept)
            memcpy(ids + 1, all.ids, kept * sizeof *ids);
        ids[kept + 1] = tokenizer->end;
        for (size_t i = kept + 2; i < (size_t)length; i++)
            ids[i] = tokenizer->padding;
        if (count)
            *count = all.count + 2;
    }
    mdm_free(&all.ids);
    return status;
}
