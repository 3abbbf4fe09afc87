/*
 * seam.c - the hook of seam.h: one for all files of a program.
 */
#include <kymo/atomic.h>

_Thread_local void (*seam_hook)(void);
