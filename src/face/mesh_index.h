/* Which points of the 478 make up eyes, lips, oval, brows, and the rigid part of a face. Facts of MediaPipe's topology. */
#ifndef MDM_FACE_MESH_INDEX_H
#define MDM_FACE_MESH_INDEX_H

enum {
    MDM_OVAL = 36,
    MDM_RIGID = 36,
    MDM_LIP_ROW = 9,
    MDM_LIP_INNER = 20,
    MDM_LIP_OUTER = 20,
    MDM_LIP_RINGS = 3,
    MDM_BROWS = 20,
    MDM_LID_ROW = 7
};

/* One eye. Rows run from the outer towards the inner corner for `up` and `lo`, column by column; `skin` is the row of lid
 * skin above `up`, `brow` that under the brow; `cheek` three points of skin under the eye. */
typedef struct mdm_eye_index {
    int outer, inner, up[MDM_LID_ROW], lo[MDM_LID_ROW], skin[MDM_LID_ROW], brow[MDM_LID_ROW], iris, cheek[3];
} mdm_eye_index;

extern const int mdm_oval[MDM_OVAL];    /* around the face, clockwise from the top */
extern const mdm_eye_index mdm_eyes[2]; /* image left, image right */
extern const int mdm_lip_upper[MDM_LIP_ROW],
    mdm_lip_lower[MDM_LIP_ROW]; /* inner lips, column by column, corners 78, 308 */
extern const int mdm_lip_inner[MDM_LIP_INNER], mdm_lip_outer[MDM_LIP_OUTER];
extern const int mdm_lip_ring[MDM_LIP_RINGS]
                             [MDM_LIP_INNER]; /* from mdm_lip_inner outwards, mdm_lip_outer not among them */
extern const int mdm_brows[MDM_BROWS];
extern const int mdm_rigid[MDM_RIGID]; /* nose bridge, forehead, temples, cheek bones: what no expression moves much */

#endif
