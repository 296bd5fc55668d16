/* Words the recogniser is unsure of. A name it does not know comes out as other words, which no list and no shape can find;
 * but it gives such words a low probability. Written text is sure (1). */
#include "models/personal_tokens.h"

/* An everyday word is left: "and" between two finds is often said too quickly to be sure of. */
static bool goes_on(const mdm_token *token)
{
    return token->mark < 0 && token->p < MDM_TOKEN_UNSURE && !(token->flags & MDM_NAME_COMMON);
}

/* Carries the mark of each find on to the unsure words beside it in its sentence: a number goes on, a name has more parts. */
void mdm_rule_unsure(mdm_text *text)
{
    mdm_token *tokens = text->tokens;
    for (size_t i = 1; i < text->count; i++)
        if (goes_on(&tokens[i]) && tokens[i - 1].mark >= 0 && !mdm_token_ends_sentence(&tokens[i - 1]))
            tokens[i].mark = tokens[i - 1].mark;
    for (size_t i = text->count; i-- > 1;)
        if (goes_on(&tokens[i - 1]) && tokens[i].mark >= 0 && !mdm_token_ends_sentence(&tokens[i - 1]))
            tokens[i - 1].mark = tokens[i].mark;
}
