/* What lies where under OUT: dataset/ to share, private/ not to share; and the lock against a second run. */
#ifndef MDM_PIPELINE_LAYOUT_H
#define MDM_PIPELINE_LAYOUT_H

#include "base/file.h"

typedef struct mdm_layout {
    char *out, *dataset, *export_folder, *private_folder, *work, *quarantine, *standins, *plan, *journal, *manifest,
        *claims;
    int lock; /* file descriptor, -1 when not held */
} mdm_layout;

/* Fills in the paths. Nothing is made on disk. */
mdm_status mdm_layout_new(mdm_layout *out, const char *folder);
void mdm_layout_free(mdm_layout *layout); /* releases the lock too */

/* Makes OUT and OUT/private (0700, with a note that it is unprotected) and takes the lock; MDM_ERR_AGAIN when another
 * run holds it. Refuses a folder that holds a dataset mmdm did not make. */
mdm_status mdm_layout_open(mdm_layout *layout);

/* The same for a process that shares the job with others: any number of them may be there, or one alone. *alone asks for the job to
 * be held alone first, to set it up, which waits for a while; mdm_layout_let_others then goes over to sharing it. */
mdm_status mdm_layout_share(mdm_layout *layout, bool alone);
mdm_status mdm_layout_let_others(mdm_layout *layout);

/* Work folder of a clip: "OUT/private/work/clip-0001". Caller frees. */
mdm_status mdm_layout_clip(char **out, const mdm_layout *layout, const char *clip_id);

/* Removes temporaries a killed run left behind in a clip's work folder. */
mdm_status mdm_layout_sweep(const char *folder);

#endif
