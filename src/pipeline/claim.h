/* Claims on pieces of work in a folder that several machines share. A claim is a file UNIT.EPOCH with a holder and a lease, renewed
 * by its time of change; whose lease is over may be followed by the next epoch. What a unit ended with is one file UNIT.done that the
 * first to end makes and nobody replaces: a holder that was taken for dead and comes back finds it there, and its work is dropped. */
#ifndef MDM_PIPELINE_CLAIM_H
#define MDM_PIPELINE_CLAIM_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

typedef struct mdm_claim mdm_claim;

/* Takes `unit` (letters, digits, . - _) in `folder`, which exists. *out is NULL when somebody else holds it. A holder on this very
 * machine that has died is noticed at once, others when their lease (seconds, > 0) is over. Times are the file system's own. */
mdm_status mdm_claim_take(mdm_claim **out, const char *folder, const char *unit, double lease);

int mdm_claim_epoch(const mdm_claim *claim); /* from 1: goes into the names of everything the holder writes */

/* Call often: renews when a quarter of the lease is over. MDM_ERR_AGAIN: it was lost to a later epoch, or the lease ran out without
 * renewal: what the holder does from now on does not count. */
mdm_status mdm_claim_renew(mdm_claim *claim);

/* Ends the unit with this record, which is borrowed. *first is false when it had been ended already by another. */
mdm_status mdm_claim_end(bool *first, mdm_claim *claim, const json_t *record);

/* Gives it up, so that the next one need not wait for the lease; and frees it, ended or not. */
void mdm_claim_free(mdm_claim **claim);

/* What the unit ended with; NULL in *out when it has not. Caller json_decref's. */
mdm_status mdm_claim_record(json_t **out, const char *folder, const char *unit);

#endif
