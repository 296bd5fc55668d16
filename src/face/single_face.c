/* The one face in a drawn picture. */
#include "face/single_face.h"

mdm_status mdm_single_face(bool *found, mdm_mesh *mesh, mdm_face_detector *detector, mdm_face_mesh *mesher,
                           const mdm_image *picture)
{
    mdm_face_detection seen[4];
    mdm_face_roi roi;
    int count = 0;
    const float region[4] = {0, 0, (float)picture->width, (float)picture->height};
    MDM_TRY(mdm_face_detector_run(seen, 4, &count, detector, picture, region, 0.5f));
    *found = count == 1;
    if (!*found)
        return MDM_OK;
    mdm_face_roi_from_detection(&roi, &seen[0]);
    MDM_TRY(mdm_face_mesh_settle(mesh, mesher, picture, &roi, 2));
    *found = mesh->presence > 0.5f;
    return MDM_OK;
}
