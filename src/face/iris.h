/* The stand-in's irises, drawn out of what the portrait shows of them. */
#ifndef MDM_FACE_IRIS_H
#define MDM_FACE_IRIS_H

#include "face/standin.h"

/* Gives both irises one colour, darker than the skin, with a pupil, a dark rim, and the portrait's own pattern weakly.
 * standin->colour must be known. */
void mdm_iris_dress(mdm_standin *standin);

#endif
