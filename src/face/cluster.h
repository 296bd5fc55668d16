/* Which tracks are one person: average-linkage clustering of track embeddings, in memory only. */
#ifndef MDM_FACE_CLUSTER_H
#define MDM_FACE_CLUSTER_H

#include <stdint.h>

#include "base/status.h"

#define MDM_EMBEDDING_MAX 1024

/* One track's place in the clustering. Embeddings are L2-compared as the recogniser means them to be. */
typedef struct mdm_identity_sample {
    int clip;        /* index of the clip in the job's order */
    int track;       /* track id inside it */
    int first, last; /* frames: tracks that overlap in time in one clip are different people */
    int dim;         /* 0: no usable picture; the track becomes a person of its own */
    float embedding[MDM_EMBEDDING_MAX];
} mdm_identity_sample;

/* person[i] = 0.. in order of first appearance (clip, then first frame). Two clusters are joined while their mean
 * distance is under `threshold` (dlib: 0.5, safer than its 0.6: joining strangers links them, parting one person only costs
 * a second stand-in) and no pair of their tracks is seen at the same time. Deterministic; does not depend on input order. */
mdm_status mdm_cluster_persons(int *person, const mdm_identity_sample *samples, int count, float threshold);

#endif
