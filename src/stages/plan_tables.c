/* What contexts can be, and the priors that not-kept ones are drawn from. Change a prior here and nowhere else. */
#include "stages/plan.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* The nine age bins and seven race groups of FairFace (Karkkainen and Joo, WACV 2021). */
static const char *const ages[] = {"0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"};
static const char *const age_groups[] = {"0-9", "0-9", "10-19", "20-39", "20-39", "40-59", "40-59", "60+", "60+"};
static const char *const races[] = {"Black",          "East Asian",      "Indian", "Latino_Hispanic",
                                    "Middle Eastern", "Southeast Asian", "White"};
static const char *const race_groups[] = {
    "Black", "Asian", "Asian", "Latino_Hispanic or White", "Middle Eastern", "Asian", "Latino_Hispanic or White"};
static const char *const genders[] = {"female", "male"};
static const char *const glasses[] = {"no", "yes"};
/* The seven basic expressions, in the words of the networks that judge them. */
static const char *const expressions[] = {"neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised"};

/* Adults only: a stand-in of another age class than the body would be told apart at once, and no child's face is ever
 * drawn for somebody whose age was not to be kept. */
static const double age_weights[] = {0, 0, 0, 1, 1, 1, 1, 1, 0};
static const double race_weights[] = {1, 1, 1, 1, 1, 1, 1};
static const double gender_weights[] = {1, 1};
static const double glasses_weights[] = {1, 0};
static const double expression_weights[] = {1, 0, 0, 0, 0, 0, 0};

static const mdm_context_values tables[MDM_CONTEXT_COUNT] = {
    [MDM_CONTEXT_AGE] = {ages, age_groups, age_weights, COUNT(ages), "uniform over the adult bins 20-29 to 60-69"},
    [MDM_CONTEXT_GENDER] = {genders, NULL, gender_weights, COUNT(genders), "uniform: female 1/2, male 1/2"},
    [MDM_CONTEXT_RACE] = {races, race_groups, race_weights, COUNT(races), "uniform over the seven FairFace groups"},
    [MDM_CONTEXT_GLASSES] = {glasses, NULL, glasses_weights, COUNT(glasses),
                             "always without: the stand-ins' faces carry no glasses unless they are kept"},
    [MDM_CONTEXT_EXPRESSION] = {expressions, NULL, expression_weights, COUNT(expressions),
                                "always neutral: a face at rest"},
};

const mdm_context_values *mdm_plan_values(mdm_context context)
{
    return (int)context >= 0 && context < MDM_CONTEXT_COUNT && tables[context].count ? &tables[context] : NULL;
}
