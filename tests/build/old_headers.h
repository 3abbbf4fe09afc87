/*
 * old_headers.h - included before any other file, hides what the headers of Linux 5.4 and glibc 2.31 lack.
 */
#include <linux/fuse.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's header, not the one of core/compat. */
#define futex_waitv newer_futex_waitv
#include <asm-generic/../linux/futex.h>
#undef futex_waitv

#undef FUTEX_32
#undef MADV_COLLAPSE
#undef MADV_POPULATE_READ
#undef MADV_POPULATE_WRITE
#undef SYS_futex_waitv

#pragma GCC poison FUSE_SYNCFS FUSE_TMPFILE FUSE_STATX
#pragma GCC poison arc4random close_range closefrom epoll_pwait2 mallinfo2 strerrordesc_np strlcpy
