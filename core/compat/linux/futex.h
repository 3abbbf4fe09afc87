/*
 * futex.h - <linux/futex.h> with futex_waitv, which kernel headers before 5.16 and the system call
 * numbers of C libraries of that time lack. Not installed.
 */
#ifndef KYMO_COMPAT_FUTEX_H
#define KYMO_COMPAT_FUTEX_H

#include <stdint.h>
#include <sys/syscall.h>

#include_next <linux/futex.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#ifndef FUTEX_32
#define FUTEX_32 2

struct futex_waitv {
    uint64_t val;
    uint64_t uaddr;
    uint32_t flags;
    uint32_t reserved;
};
#endif

#endif
