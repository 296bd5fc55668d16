/* How long something takes. */
#ifndef MDM_BASE_CLOCK_H
#define MDM_BASE_CLOCK_H

double mdm_now(void); /* seconds, of a clock that nobody sets; the same in all processes of a machine */

#endif
