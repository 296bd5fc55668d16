/* Names of people: after introductions, titles and words of kinship; from lists of names elsewhere. In text with capitals,
 * a capital inside a sentence that no list of words or places explains counts as a name: recognisers spell rare names
 * as they please, and capitalise them. */
#include <string.h>

#include "models/personal_tokens.h"

static const char TITLES[] =
    "mr mrs ms miss mister missus dr doctor prof professor officer sergeant captain judge aunt auntie uncle "
    "sir madam grandpa grandma granny colonel lieutenant detective inspector nurse coach reverend major constable";
static const char KIN[] =
    "wife husband son daughter brother sister friend colleague boss mother father neighbour neighbor partner "
    "girlfriend boyfriend cousin nephew niece assistant manager dad mum mom grandma grandpa kid baby "
    "passenger driver client roommate buddy";
static const char PARTICLES[] = "van von de da del della der den bin al el la le di dos san st";
/* Capitalised words that name no person. */
static const char NOT_PEOPLE[] =
    "i i'm i'll i've i'd monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july "
    "august september october november december christmas easter halloween thanksgiving ramadan hanukkah english "
    "british french "
    "german spanish italian chinese japanese korean indian american americans canadian mexican russian arabic dutch "
    "polish "
    "portuguese greek turkish irish scottish welsh african asian european latin jewish muslim christian catholic hindu "
    "buddhist "
    "america england britain france germany spain italy china japan korea india canada mexico russia ireland scotland "
    "wales "
    "africa asia europe australia brazil israel iran iraq egypt kenya nigeria poland greece turkey sweden norway "
    "denmark finland "
    "switzerland austria belgium holland netherlands portugal ukraine london paris berlin madrid rome vienna moscow "
    "tokyo beijing "
    "delhi mumbai sydney melbourne toronto york jersey angeles francisco diego chicago boston houston dallas austin "
    "seattle "
    "washington miami atlanta philadelphia phoenix denver detroit vegas orlando prague dublin edinburgh glasgow "
    "manchester "
    "liverpool birmingham oxford cambridge leeds bristol bath springfield california texas florida georgia virginia "
    "carolina "
    "dakota ohio oregon nevada arizona colorado utah michigan illinois indiana kansas missouri iowa montana alabama "
    "louisiana "
    "tennessee kentucky maryland delaware hawaii alaska broadway hollywood atlantic pacific mediterranean thames sun "
    "moon earth "
    "mars venus jupiter saturn god lord bible internet google amazon apple microsoft facebook twitter instagram "
    "youtube netflix "
    "uber tesla ford toyota honda bmw audi mercedes volvo volkswagen chevy chevrolet jeep nissan mazda hyundai kia "
    "siri alexa "
    "okay ok yeah yes no hello hi hey thanks sorry please oh well wow tv gps usa uk us eu mr mrs ms dr sir madam mom "
    "mum dad "
    "mama papa grandma grandpa guys everyone everybody parliament congress senate government state states kingdom "
    "united "
    "university college school church street road avenue lane park bridge station airport hospital hotel bank queen "
    "king prince "
    "princess president minister north south east west northern southern eastern western club clubs spades hearts "
    "diamonds ace "
    "jack visa mastercard iban flat apartment suite postcode registration passport wifi bluetooth christ jesus allah";
static const char CALENDAR[] = "monday tuesday wednesday thursday friday saturday sunday";
static const char PLACE_WORDS[] = "in to from at near of into towards toward around through via past beyond inside";
static const char ARTICLES[] = "the a an every any some no";

/* Phrases that a name follows. Strong: whatever comes. Weak: a capital or a listed name is needed. */
typedef struct introduction {
    const char *words; /* in order, space-separated */
    bool strong;
} introduction;

static const introduction INTRODUCTIONS[] = {
    {"name is", true},
    {"name was", true},
    {"name's", true},
    {"name", false},
    {"surname", false},
    {"surname is", true},
    {"call me", false},
    {"calls me", true},
    {"called", false},
    {"ask for", true},
    {"asking for", true},
    {"signed", true},
    {"regards", true},
    {"sincerely", true},
    {"dear", true},
    {"reached", false},
    {"reservation is for", true},
    {"booking is under", true},
    {"booked under", true},
    {"under", false},
    {"i'm", false},
    {"i am", false},
    {"this is", false},
    {"it's", false},
    {"it is", false},
    {"that was", false},
    {"that is", false},
    {"that's", false},
    {"speaking is", false},
    {"speaking to", false},
    {"talking to", false},
    {"speak to", false},
    {"speak with", false},
    {"talk to", false},
    {"identified as", true},
    {"named", true},
    {"hi", false},
    {"hello", false},
    {"hey", false},
    {"thanks", false},
    {"sorry", false},
    {"tell", false},
    {"ask", false},
    {"meet", false},
    {"introduce", false},
    {"owner is", false},
    {"driver is", false},
    {"passenger is", false},
    {"passenger was", false},
    {"driver was", false},
    {"with", false},
    {"and i'm", false},
    {"deliver it to", false},
    {"contact", false},
    {"name of", true},
    {"attention", false},
};

static bool plain_word(const mdm_token *token)
{
    for (const char *c = token->text; *c; c++)
        if (*c >= '0' && *c <= '9')
            return false;
    return token->lower[0] != '\0' && token->number.kind != MDM_NUMBER_WRITTEN;
}

static bool excluded(const mdm_token *token)
{
    char one[MDM_TOKEN_SIZE]; /* "Mondays" */
    size_t length = strlen(token->lower);
    memcpy(one, token->lower, length + 1);
    if (length > 4 && one[length - 1] == 's')
        one[length - 1] = '\0';
    return !plain_word(token) || mdm_word_in(NOT_PEOPLE, token->lower) || (token->cap && mdm_word_in(CALENDAR, one)) ||
           (token->number.kind != MDM_NUMBER_NONE && token->number.kind != MDM_NUMBER_NATO &&
            token->number.kind != MDM_NUMBER_MIXED && !(token->number.kind == MDM_NUMBER_LETTER && token->cap));
}

static bool listed(const mdm_token *token)
{
    return (token->flags & (MDM_NAME_FIRST | MDM_NAME_KNOWN)) != 0;
}
static bool common(const mdm_token *token)
{
    return (token->flags & MDM_NAME_COMMON) != 0;
}

/* Could `token` begin a name after an introduction of this strength? */
static bool can_begin(const mdm_text *text, const mdm_token *token, bool strong)
{
    if (token->mark >= 0 || excluded(token) || mdm_word_in(TITLES, token->lower) || strlen(token->text) < 2)
        return false;
    if (token->p < MDM_TOKEN_UNSURE)
        return true; /* "calls me the meet three": what a recogniser makes of a name it does not know */
    if (text->cased && token->cap)
        return strong || listed(token) || !common(token);
    if (text->cased)
        return listed(token) && !common(token); /* a recogniser that forgot the capital */
    return listed(token) && (!common(token) || strong);
}

static bool can_continue(const mdm_text *text, const mdm_token *token)
{
    if (token->mark >= 0 || token->opens || excluded(token))
        return false;
    if (text->cased)
        return token->cap;
    return listed(token) && !common(token);
}

/* Marks a name from `first` on: up to four words, particles between ("van der Berg"), not across a comma or full stop. */
static void mark_name(mdm_text *text, size_t first)
{
    size_t last = first;
    for (int more = 0; more < 4 && !text->tokens[last].after && !text->tokens[last].possessive; more++) {
        size_t next = last + 1;
        while (next < text->count && next < last + 3 && mdm_word_in(PARTICLES, text->tokens[next].lower))
            next++;
        if (next >= text->count || !can_continue(text, &text->tokens[next]))
            break;
        last = next;
    }
    mdm_text_mark(text, first, last, MDM_PERSONAL_NAME);
}

/* Number of tokens of `phrase` that end right before `at`; 0 when the words before `at` are others. */
static size_t phrase_before(const mdm_text *text, size_t at, const char *phrase)
{
    const char *words[4];
    size_t lengths[4], count = 0;
    for (const char *c = phrase; *c && count < 4; count++) {
        words[count] = c;
        lengths[count] = strcspn(c, " ");
        c += lengths[count];
        c += *c == ' ';
    }
    if (count > at)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const mdm_token *token = &text->tokens[at - count + i];
        if (strlen(token->lower) + (token->possessive ? 2 : 0) != lengths[i] ||
            strncmp(token->lower, words[i], strlen(token->lower)) != 0)
            return 0;
        if (token->possessive && strncmp(words[i] + lengths[i] - 2, "'s", 2) != 0)
            return 0;
        if (mdm_token_ends_sentence(token) || (token->after && i + 1 < count))
            return 0;
    }
    return count;
}

static void by_introduction(mdm_text *text, size_t at)
{
    for (size_t i = 0; i < sizeof INTRODUCTIONS / sizeof *INTRODUCTIONS; i++) {
        if (!phrase_before(text, at, INTRODUCTIONS[i].words))
            continue;
        /* "with", "under", "ask" start too many other things for a word that is not a listed name */
        bool strong = INTRODUCTIONS[i].strong;
        if (can_begin(text, &text->tokens[at], strong)) {
            mark_name(text, at);
            return;
        }
    }
}

static void by_title(mdm_text *text, size_t at)
{
    const mdm_token *token = &text->tokens[at];
    const mdm_token *next = mdm_token_at(text, at + 1);
    bool title = mdm_word_in(TITLES, token->lower) && !token->after;
    bool kin = mdm_word_in(KIN, token->lower) && at > 0 &&
               mdm_word_in("my his her our your their the", text->tokens[at - 1].lower);
    if (!(title || kin) || at + 1 >= text->count || next->opens || next->mark >= 0 || excluded(next) ||
        next->possessive)
        return;
    bool fits = text->cased ? next->cap : listed(next) && !common(next);
    if (kin && common(next) && !(next->flags & MDM_NAME_FIRST))
        fits = false;
    if (!fits)
        return;
    mark_name(text, at + 1);
    if (title)
        mdm_text_mark(text, at, at, MDM_PERSONAL_NAME);
    if (title && at >= 2 && mdm_word_in("and", text->tokens[at - 1].lower) &&
        mdm_word_in(TITLES, text->tokens[at - 2].lower))
        mdm_text_mark(text, at - 2, at - 1, MDM_PERSONAL_NAME); /* "Mr. and Mrs. Kaplan" */
}

static bool names_place(const mdm_text *text, size_t at)
{
    if (at == 0)
        return false;
    const char *before = text->tokens[at - 1].lower;
    return mdm_word_in(PLACE_WORDS, before) || mdm_word_in(ARTICLES, before);
}

/* A name by itself: listed, or a capital nothing else explains. */
static void by_list(mdm_text *text, size_t at)
{
    const mdm_token *token = &text->tokens[at];
    if (token->mark >= 0 || excluded(token) || strlen(token->text) < 3)
        return;
    const mdm_token *before = at ? &text->tokens[at - 1] : mdm_token_at(text, text->count);
    const mdm_token *next = mdm_token_at(text, at + 1);
    bool surname_next =
        text->cased && !token->after && next->cap && !next->opens && !excluded(next) && strlen(next->text) > 1;
    bool after_name = before->mark == MDM_PERSONAL_NAME || (mdm_word_in("and or", before->lower) && at >= 2 &&
                                                            text->tokens[at - 2].mark == MDM_PERSONAL_NAME);
    bool article = at > 0 && mdm_word_in(ARTICLES, before->lower) && !token->opens;
    if (!text->cased) {
        if (listed(token) && !common(token) && !(token->flags & MDM_NAME_PROPER && names_place(text, at)))
            mark_name(text, at);
        return;
    }
    if (!token->cap) {
        /* "this is margaret" in otherwise capitalised text */
        if (listed(token) && !common(token) && (token->flags & MDM_NAME_FIRST) && (token->flags & MDM_NAME_KNOWN) &&
            !names_place(text, at))
            mark_name(text, at);
        return;
    }
    if (token->number.kind == MDM_NUMBER_MIXED && !listed(token))
        return; /* an acronym */
    bool is_name = false;
    if (listed(token) && !common(token)) {
        is_name = !article || surname_next;
        /* "in Jordan", "to Chelsea": places share their names with people */
        if ((token->flags & MDM_NAME_PROPER) && mdm_word_in("in near", before->lower) && !surname_next)
            is_name = false;
    } else if (token->flags & MDM_NAME_FIRST) { /* an everyday word too */
        bool vocative = token->after == ',' && (token->opens || before->after == ',');
        if (token->opens)
            is_name = (surname_next && (listed(next) || !common(next))) || vocative;
        else
            is_name = !article && (surname_next || !names_place(text, at) || vocative);
        is_name = is_name || (after_name && !token->opens);
    } else if (!common(token) && !token->opens) { /* no list knows it as a word */
        is_name = (!article && !names_place(text, at) && !(token->flags & MDM_NAME_PROPER)) || after_name;
        is_name = is_name || (surname_next && listed(next) && !common(next)); /* "to Viktor Petrov" */
    } else if (!common(token)) { /* at the start of a sentence: "Oluwaseun Peters ...", "Kwame, watch the road" */
        is_name = (surname_next && listed(next) && !common(next)) ||
                  (token->after == ',' && !(token->flags & MDM_NAME_PROPER));
    }
    if (is_name)
        mark_name(text, at);
}

static void by_speaking(mdm_text *text, size_t at)
{
    if (at == 0 || strcmp(text->tokens[at].lower, "speaking") != 0)
        return;
    size_t first = at;
    while (first > 0 && at - first < 3 && text->tokens[first - 1].cap && text->tokens[first - 1].mark < 0 &&
           !excluded(&text->tokens[first - 1]) && !text->tokens[first - 1].after)
        first--;
    if (first < at && !(at - first == 1 && common(&text->tokens[first]) && !listed(&text->tokens[first])))
        mdm_text_mark(text, first, at - 1, MDM_PERSONAL_NAME);
}

void mdm_rule_names(mdm_text *text)
{
    for (size_t i = 0; i < text->count; i++)
        by_title(text, i);
    for (size_t i = 1; i < text->count; i++)
        if (text->tokens[i].mark < 0)
            by_introduction(text, i);
    for (size_t i = 1; i < text->count; i++)
        by_speaking(text, i);
    for (size_t i = 0; i < text->count; i++)
        by_list(text, i);
    /* An initial or an unlisted given name right before a name belongs to it: "J. Hollis", "to Viktor Petrov". */
    for (size_t i = text->count; i-- > 1;) {
        mdm_token *token = &text->tokens[i - 1];
        if (text->tokens[i].mark == MDM_PERSONAL_NAME && token->mark < 0 && token->cap && !token->opens &&
            !token->after && !common(token) && !excluded(token) && strlen(token->text) > 2)
            token->mark = MDM_PERSONAL_NAME;
    }
    for (size_t i = 0; i + 1 < text->count; i++) {
        mdm_token *token = &text->tokens[i];
        if (token->mark < 0 && token->number.kind == MDM_NUMBER_LETTER && token->cap && token->lower[0] != 'i' &&
            token->lower[0] != 'a' && text->tokens[i + 1].mark == MDM_PERSONAL_NAME)
            token->mark = MDM_PERSONAL_NAME;
    }
}
