/* Figures of docs/speech.md: recognition, personal data in recognised speech, and what masking does to voices.
 *   bench_speech SHARED MODELS [SPOKEN]     SPOKEN: what tools/make_spoken.py speak wrote
 * In the environment: MODEL, another Whisper by name or path; UNMASKED, no masked voices; ONLY_SPOKEN; PART=i/n, one of n parts of SPOKEN. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "media/audio.h"
#include "media/voice.h"
#include "models/personal_text.h"
#include "models/speech.h"
#include "models/whisper_models.h"

static mdm_speech *speech;
static mdm_name_lists *lists;

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, mdm_error_message());
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *load(size_t *count, const char *path)
{
    mdm_audio *audio = NULL;
    float *samples = NULL;
    mdm_audio_options options = {.rate = MDM_SPEECH_RATE, .channels = 1};
    if (mdm_audio_open(&audio, path, &options) != MDM_OK || mdm_audio_read_all(&samples, count, audio, 1u << 26) != MDM_OK)
        die(path);
    mdm_audio_free(&audio);
    return samples;
}

static char *hear(const mdm_word **words, size_t *count, const float *samples, size_t n)
{
    mdm_buffer text = {0};
    mdm_speech_reset(speech);
    if (mdm_speech_feed(speech, samples, n) != MDM_OK || mdm_speech_finish(speech, words, count) != MDM_OK)
        die("recognise");
    for (size_t i = 0; i < *count; i++)
        mdm_buffer_printf(&text, "%s ", (*words)[i].text);
    mdm_buffer_append(&text, "", 1);
    return (char *)text.data;
}

/* name, what is said (NULL: what is recognised before masking stands for it) */
static const char *const FILES[][2] = {
    {"jfk", "and so my fellow americans ask not what your country can do for you ask what you can do for your country"},
    {"austen-0870", "and mister john dashwood had then leisure to consider how much there might be prudently in his power to do for them"},
    {"austen-0880", "he was not an ill disposed young man"},
    {"austen-0890", "unless to be rather cold hearted and rather selfish is to be ill disposed"},
    {"austen-0920", "had he married a more a amiable woman he might have been made still more respectable than he was"},
    {"austen-0930", "he might even have been made amiable himself"},
    {"cards_1", "ten of clubs"}, {"cards_2", "four queen of clubs"}, {"cards_3", "seven of clubs"}, {"cards_4", "five five"},
    {"cards_5", "eight of spades four of clubs seven of hearts"},
    {"fsdd_phone_theo", "two two five five zero one seven three"},
    {"espeak_pii_p5", "turn left at the next junction and keep to the middle lane"},
    {"musetalk_eng", NULL},
    {"echomimic_en", NULL},
};

static void recognition_and_voice(const char *shared)
{
    printf("| recording | WER | RTF | masked WER (3 draws) | pitch Hz | formants Hz | masked pitch | masked formants |\n|---|---|---|---|---|---|---|---|\n");
    double sum_before = 0, sum_after = 0;
    size_t total_words = 0;
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/data/speech/%s.wav", shared, FILES[i][0]);
        size_t n, count;
        float *samples = load(&n, path);
        const mdm_word *words;
        double start = now();
        char *before = hear(&words, &count, samples, n);
        double took = now() - start, wer = 0, masked[3] = {0};
        const char *reference = FILES[i][1] ? FILES[i][1] : before;
        mdm_word_error_rate(&wer, reference, before);
        mdm_voice_figures was, is = {0};
        mdm_voice_measure(&was, samples, n, MDM_SPEECH_RATE);
        char changes[256] = "", formants[256] = "";
        for (int draw = 0; draw < (getenv("UNMASKED") ? 0 : 3); draw++) {
            mdm_voice_change change;
            char key[32];
            snprintf(key, sizeof key, "person-%02d/voice", draw + 1);
            mdm_voice_draw(&change, 1, key);
            float *copy = malloc(n * sizeof *copy);
            memcpy(copy, samples, n * sizeof *copy);
            if (mdm_voice_mask_all(copy, n, MDM_SPEECH_RATE, 1, &change) != MDM_OK)
                die("mask");
            mdm_voice_measure(&is, copy, n, MDM_SPEECH_RATE);
            char *after = hear(&words, &count, copy, n);
            mdm_word_error_rate(&masked[draw], reference, after);
            snprintf(changes + strlen(changes), sizeof changes - strlen(changes), " %.0f", is.pitch);
            snprintf(formants + strlen(formants), sizeof formants - strlen(formants), " %.0f/%.0f/%.0f", is.formant[0], is.formant[1], is.formant[2]);
            if (getenv("VERBOSE"))
                fprintf(stderr, "%s x%.2f a%.2f: %s\n", FILES[i][0], change.pitch, change.mcadams, after);
            free(after);
            free(copy);
        }
        size_t reference_words = 1;
        for (const char *c = reference; *c; c++)
            reference_words += *c == ' ';
        sum_before += wer * (double)reference_words;
        sum_after += (masked[0] + masked[1] + masked[2]) / 3 * (double)reference_words;
        total_words += reference_words;
        fflush(stdout);
        printf("| %s | %.3f%s | %.3f | %.2f %.2f %.2f | %.0f | %.0f/%.0f/%.0f |%s |%s |\n", FILES[i][0], wer, FILES[i][1] ? "" : " (own)",
               took * MDM_SPEECH_RATE / (double)n, masked[0], masked[1], masked[2], was.pitch, was.formant[0], was.formant[1],
               was.formant[2], changes, formants);
        free(before);
        mdm_free(&samples);
    }
    printf("\nWER over all words: %.3f before, %.3f masked\n\n", sum_before / (double)total_words, sum_after / (double)total_words);
}

/* Seconds of [start, end] that lie in the cut spans. */
static double covered(double start, double end, const mdm_personal_span *spans, size_t count, const mdm_word *words)
{
    double inside = 0;
    for (double t = start; t < end; t += 0.005)
        for (size_t i = 0; i < count; i++) {
            double early, late;
            mdm_personal_margins(&early, &late, &spans[i], words);
            if (t >= spans[i].start - early && t < spans[i].end + late) {
                inside += 0.005;
                break;
            }
        }
    return inside;
}

static void score_words(const json_t *truth, const mdm_personal_span *spans, size_t count, const mdm_word *words, double sums[4])
{
    size_t i;
    json_t *word;
    json_array_foreach(truth, i, word) {
        double start = json_number_value(json_object_get(word, "start")), end = json_number_value(json_object_get(word, "end"));
        bool personal = json_is_string(json_object_get(word, "kind"));
        double inside = covered(start, end, spans, count, words);
        sums[personal ? 0 : 2] += inside;
        sums[personal ? 1 : 3] += end - start;
    }
}

static void espeak_lines(const char *shared, const char *source)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tests/stages/data/espeak_words.json", source);
    json_t *root;
    if (mdm_json_load(&root, path, 0) != MDM_OK)
        die(path);
    printf("| line | personal time covered | other speech cut | heard |\n|---|---|---|---|\n");
    double all[4] = {0};
    const char *name;
    json_t *truth;
    json_object_foreach(root, name, truth) {
        snprintf(path, sizeof path, "%s/data/speech/espeak_pii_%s.wav", shared, name);
        size_t n, count, span_count;
        float *samples = load(&n, path);
        const mdm_word *words;
        mdm_personal_span *spans;
        char *text = hear(&words, &count, samples, n), *redacted;
        if (mdm_personal_find(&spans, &span_count, words, count, lists) != MDM_OK ||
            mdm_personal_redact(&redacted, words, count, spans, span_count) != MDM_OK)
            die("find");
        double sums[4] = {0};
        score_words(truth, spans, span_count, words, sums);
        for (int k = 0; k < 4; k++)
            all[k] += sums[k];
        printf("| %s | %.1f %% | %.2f of %.2f s | %s |\n", name, sums[1] > 0 ? 100 * sums[0] / sums[1] : 100, sums[2], sums[3], redacted);
        mdm_free(&redacted);
        mdm_free(&spans);
        mdm_free(&samples);
        free(text);
    }
    printf("| all | %.1f %% | %.2f of %.2f s |\n\n", 100 * all[0] / all[1], all[2], all[3]);
    json_decref(root);
}

/* Recall on recognised speech: by time where the truth has times, else by what is left of the marked words in the
 * redacted text. */
static bool word_left(const char *redacted, const char *word)
{
    char core[64];
    size_t length = 0;
    for (; *word && length + 1 < sizeof core; word++)
        if ((*word >= '0' && *word <= '9') || (*word >= 'a' && *word <= 'z') || (*word >= 'A' && *word <= 'Z'))
            core[length++] = (char)(*word | 0x20);
    core[length] = '\0';
    if (length < 3)
        return false;
    char token[64];
    for (size_t kept = 0;; redacted++) {
        char c = (char)(*redacted | 0x20);
        if ((c >= 'a' && c <= 'z') || (*redacted >= '0' && *redacted <= '9')) {
            if (kept + 1 < sizeof token)
                token[kept++] = c;
            continue;
        }
        token[kept] = '\0';
        if (kept && strcmp(token, core) == 0)
            return true;
        kept = 0;
        if (!*redacted)
            return false;
    }
}

/* What was found of one kind, in written and in recognised words. */
typedef struct tally {
    int marks, clean, heard;
} tally;
static tally kinds[MDM_PERSONAL_KINDS + 1]; /* the last: all */
static int clean_spans, clean_right, heard_spans, heard_right;

static int kind_of(const char *name)
{
    for (int k = 0; k < MDM_PERSONAL_KINDS; k++)
        if (strcmp(mdm_personal_kind_name((mdm_personal_kind)k), name) == 0)
            return k;
    return MDM_PERSONAL_KINDS;
}

static double f2(double precision, double recall)
{
    return precision + recall > 0 ? 5 * precision * recall / (4 * precision + recall) : 0;
}

/* The written sentence: a mark is found when all its words are in spans, a span is right when it touches a marked word. */
static void clean_text(const json_t *truth)
{
    size_t count = json_array_size(truth), span_count;
    mdm_word *words = calloc(count + 1, sizeof *words);
    bool *marked = calloc(count + 1, sizeof *marked), *cut = calloc(count + 1, sizeof *cut);
    mdm_personal_span *spans;
    for (size_t i = 0; i < count; i++)
        words[i] = (mdm_word){json_string_value(json_object_get(json_array_get(truth, i), "text")), (double)i, (double)i + 1, 1};
    if (mdm_personal_find(&spans, &span_count, words, count, lists) != MDM_OK)
        die("find");
    for (size_t i = 0; i < span_count; i++)
        for (size_t w = spans[i].first; w <= spans[i].last; w++)
            cut[w] = true;
    for (size_t w = 0; w < count;) {
        const char *kind = json_string_value(json_object_get(json_array_get(truth, w), "kind"));
        bool all = true;
        size_t end = w;
        for (; end < count; end++) {
            const char *next = json_string_value(json_object_get(json_array_get(truth, end), "kind"));
            if (!kind || !next || strcmp(next, kind) != 0)
                break;
            marked[end] = true;
            all = all && cut[end];
        }
        if (kind) {
            kinds[kind_of(kind)].marks++;
            kinds[kind_of(kind)].clean += all;
        }
        w = kind ? end : w + 1;
    }
    for (size_t i = 0; i < span_count; i++) {
        bool right = false;
        for (size_t w = spans[i].first; w <= spans[i].last; w++)
            right = right || marked[w];
        clean_right += right;
    }
    clean_spans += (int)span_count;
    mdm_free(&spans);
    free(words);
    free(marked);
    free(cut);
}

static void print_kinds(void)
{
    tally all = {0};
    printf("\n| kind | marked | clean text | recognised |\n|---|---|---|---|\n");
    for (int k = 0; k <= MDM_PERSONAL_KINDS; k++) {
        const tally *t = &kinds[k];
        if (!t->marks)
            continue;
        printf("| %s | %d | %.3f (%d) | %.3f (%d) |\n", k < MDM_PERSONAL_KINDS ? mdm_personal_kind_name((mdm_personal_kind)k) : "other", t->marks,
               (double)t->clean / t->marks, t->clean, (double)t->heard / t->marks, t->heard);
        all = (tally){all.marks + t->marks, all.clean + t->clean, all.heard + t->heard};
    }
    const double rc = (double)all.clean / all.marks, rh = (double)all.heard / all.marks;
    const double pc = (double)clean_right / clean_spans, ph = (double)heard_right / heard_spans;
    printf("| all | %d | %.3f (%d) | %.3f (%d) |\n", all.marks, rc, all.clean, rh, all.heard);
    printf("| precision of spans, F2 | | %.3f (%d of %d), %.3f | %.3f (%d of %d), %.3f |\n", pc, clean_right, clean_spans, f2(pc, rc), ph, heard_right,
           heard_spans, f2(ph, rh));
}

/* PART=i/n in the environment takes every n-th sentence from the i-th (from 0) on. */
static void spoken_set(const char *folder)
{
    const char *part = getenv("PART");
    unsigned from = 0, every = 1;
    if (part && sscanf(part, "%u/%u", &from, &every) != 2)
        every = 1;
    char path[512];
    snprintf(path, sizeof path, "%s/truth.json", folder);
    json_t *root, *item;
    if (mdm_json_load(&root, path, 0) != MDM_OK)
        die(path);
    size_t i, found = 0, marks = 0, timed_found = 0, timed_marks = 0, understood_marks = 0, understood_found = 0, other = 0, cut = 0;
    double all[4] = {0};
    json_array_foreach(root, i, item) {
        if (i % every != from)
            continue;
        clean_text(json_object_get(item, "words"));
        snprintf(path, sizeof path, "%s/%s", folder, json_string_value(json_object_get(item, "file")));
        size_t n, count, span_count, w;
        float *samples = load(&n, path);
        const mdm_word *words;
        mdm_personal_span *spans;
        char *text = hear(&words, &count, samples, n), *redacted;
        if (mdm_personal_find(&spans, &span_count, words, count, lists) != MDM_OK ||
            mdm_personal_redact(&redacted, words, count, spans, span_count) != MDM_OK)
            die("find");
        json_t *truth = json_object_get(item, "words"), *word;
        mdm_buffer said = {0};
        json_array_foreach(truth, w, word)
            mdm_buffer_printf(&said, "%s ", json_string_value(json_object_get(word, "text")));
        double wer = 1;
        mdm_word_error_rate(&wer, (const char *)said.data, text);
        mdm_buffer_free(&said);
        bool timed = json_object_get(json_array_get(truth, 0), "start") != NULL, miss = false, understood = wer <= 0.25;
        size_t marked = 0, cut_here = 0;
        if (timed)
            score_words(truth, spans, span_count, words, all);
        for (w = 0; w < json_array_size(truth);) {
            word = json_array_get(truth, w);
            const char *kind = json_string_value(json_object_get(word, "kind"));
            if (!kind) {
                other++;
                w++;
                continue;
            }
            double inside = 0, length = 0;
            bool left = false;
            size_t end = w;
            for (; end < json_array_size(truth); end++) {
                json_t *next = json_array_get(truth, end);
                const char *next_kind = json_string_value(json_object_get(next, "kind"));
                if (!next_kind || strcmp(next_kind, kind) != 0)
                    break;
                double s = json_number_value(json_object_get(next, "start")), e = json_number_value(json_object_get(next, "end"));
                inside += covered(s, e, spans, span_count, words);
                length += e - s;
                left = left || word_left(redacted, json_string_value(json_object_get(next, "text")));
            }
            bool ok = timed ? inside >= 0.9 * length : !left && span_count > marked;
            marked++;
            marks++;
            found += ok;
            kinds[kind_of(kind)].heard += ok;
            understood_marks += understood;
            understood_found += understood && ok;
            timed_marks += timed;
            timed_found += timed && ok;
            miss = miss || !ok;
            w = end;
        }
        if (marked == 0)
            for (size_t k = 0; k < span_count; k++)
                cut_here += spans[k].last - spans[k].first + 1;
        cut += cut_here;
        heard_spans += (int)span_count;
        heard_right += (int)(span_count < marked ? span_count : marked);
        if ((miss || cut_here) && getenv("VERBOSE"))
            fprintf(stderr, "%s %s %s: %s -> %s\n", json_string_value(json_object_get(item, "file")),
                    json_string_value(json_object_get(item, "voice")), miss ? "missed" : "too much", text, redacted);
        mdm_free(&redacted);
        mdm_free(&spans);
        mdm_free(&samples);
        free(text);
    }
    printf("synthetic speech: %zu sentences; personal spans covered %zu of %zu = %.3f (in sentences recognised with WER <= 0.25: %zu of %zu = %.3f; where word times are known: %zu of %zu); time "
           "covered %.1f %%; other speech cut %.1f %% of the time in sentences with personal data, %zu of %zu words in the rest\n",
           json_array_size(root) / every, found, marks, (double)found / (double)marks, understood_found,
           understood_marks, (double)understood_found / (double)understood_marks, timed_found, timed_marks, 100 * all[0] / all[1],
           100 * all[2] / all[3], cut, other);
    print_kinds();
    json_decref(root);
}

int main(int argc, char **argv)
{
    char *model = NULL;
    if (argc < 3) {
        fprintf(stderr, "usage: bench_speech SHARED MODELS [SPOKEN]\n");
        return 2;
    }
    if (mdm_whisper_model_file(&model, argv[2], getenv("MODEL") ? getenv("MODEL") : MDM_WHISPER_DEFAULT) != MDM_OK)
        die(argv[2]);
    if (mdm_name_lists_load(&lists, argv[2]) != MDM_OK || mdm_speech_open(&speech, model, 1) != MDM_OK)
        die("open");
    const char *source = getenv("MMDM_SOURCE") ? getenv("MMDM_SOURCE") : ".";
    if (!getenv("ONLY_SPOKEN") && !getenv("UNMASKED"))
        espeak_lines(argv[1], source);
    if (!getenv("ONLY_SPOKEN"))
        recognition_and_voice(argv[1]);
    if (argc > 3)
        spoken_set(argv[3]);
    mdm_speech_free(&speech);
    mdm_name_lists_free(&lists);
    mdm_free(&model);
    return 0;
}
