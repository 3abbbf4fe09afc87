/*
 * clocks.c - wraps the calls of libc with which libkymo, kymofs and kymo read a clock or sleep until a time. All other calls pass through.
 *
 * Waits inside libc, as in pthread_cond_timedwait, are not wrapped: they follow the machine's clock.
 */
#include "clocks.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* Delay until a sleeping thread notices a step, ns. */
#define SLICE UINT64_C(2000000)

static const struct clocks still; /* without steps */
static const struct clocks *clocks = &still;
static struct clocks *own; /* writable by the process that steps them */

static int (*next_clock_gettime)(clockid_t clock, struct timespec *now);
static long (*next_syscall)(long number, ...);

/* May be called before this library's constructor. */
static void find_next(void)
{
    if (next_clock_gettime && next_syscall)
        return;
    *(void **)&next_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    *(void **)&next_syscall = dlsym(RTLD_NEXT, "syscall");
    if (!next_clock_gettime || !next_syscall)
        abort();
}

static const int64_t *shift_of(clockid_t clock)
{
    static const int64_t none;

    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        return &clocks->realtime;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
        return &clocks->monotonic;
    case CLOCK_BOOTTIME:
        return &clocks->boottime;
    default:
        return &none;
    }
}

static uint64_t ns_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * UINT64_C(1000000000) + (uint64_t)time->tv_nsec;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t shift;
    int error;

    find_next();
    /* Read before the clock: a step in between is not seen at all, instead of half. */
    shift = __atomic_load_n(shift_of(clock), __ATOMIC_SEQ_CST);
    error = next_clock_gettime(clock, now);
    if (error == 0 && shift != 0)
        *now = timespec_of(ns_of(now) + (uint64_t)shift);
    return error;
}

EXPORT uint64_t clocks_true(clockid_t clock)
{
    struct timespec now;

    find_next();
    next_clock_gettime(clock, &now);
    return ns_of(&now);
}

/* ---- sleeping until a time ---- */

/* A system call whose argument number `place` is a deadline on `clock`, repeated in short slices because the kernel does not know the steps. A waker changes the futex word before the wake, so none is missed in between. */
static long sleep_until(long number, long arguments[6], int place, clockid_t clock)
{
    const struct timespec *deadline = (const struct timespec *)arguments[place];
    const uint64_t until = ns_of(deadline);

    for (;;) {
        struct timespec now, at;
        uint64_t left;
        long result;

        clock_gettime(clock, &now);
        left = until > ns_of(&now) ? until - ns_of(&now) : 0;
        at = timespec_of(clocks_true(clock) + (left < SLICE ? left : SLICE));
        arguments[place] = (long)&at;
        result = next_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                              arguments[4], arguments[5]);
        if (result >= 0 || errno != ETIMEDOUT || left <= SLICE)
            return result;
    }
}

EXPORT long syscall(long number, ...)
{
    long arguments[6];
    va_list list;

    find_next();
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex && (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && arguments[3])
        return sleep_until(number, arguments, 3,
                           arguments[1] & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
    if (number == SYS_futex_waitv && arguments[3])
        return sleep_until(number, arguments, 3, (clockid_t)arguments[4]);
    return next_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
}

/* ---- control ---- */

__attribute__((constructor)) static void find_clocks(void)
{
    const char *path = getenv(CLOCKS_VARIABLE);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map;

    if (!path)
        return;
    map = fd >= 0 ? mmap(NULL, sizeof(*clocks), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map == MAP_FAILED) {
        perror(path);
        abort();
    }
    close(fd);
    clocks = map;
}

EXPORT int clocks_share(void)
{
    static char variable[64];
    int fd = memfd_create("clocks", MFD_CLOEXEC);
    void *map;

    if (fd < 0 || ftruncate(fd, sizeof(*own)) != 0)
        return -errno;
    map = mmap(NULL, sizeof(*own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    clocks = own = map;
    snprintf(variable, sizeof(variable), "/proc/%d/fd/%d", (int)getpid(), fd);
    return setenv(CLOCKS_VARIABLE, variable, 1) == 0 ? 0 : -errno;
}

EXPORT void clocks_for_exec(void)
{
    const char *options = getenv("ASAN_OPTIONS");
    char text[512];
    Dl_info info;

    if (dladdr((void *)(uintptr_t)clocks_share, &info) == 0)
        abort();
    setenv("LD_PRELOAD", info.dli_fname, 1);
    /* AddressSanitizer requires to be the first library. */
    snprintf(text, sizeof(text), "%s%sverify_asan_link_order=0", options ? options : "",
             options ? ":" : "");
    setenv("ASAN_OPTIONS", text, 1);
}

static void add(int64_t *word, int64_t value)
{
    __atomic_store_n(word, *word + value, __ATOMIC_SEQ_CST);
}

EXPORT void clocks_step(int64_t realtime, int64_t monotonic, int64_t boottime)
{
    __atomic_fetch_add(&own->steps, 1, __ATOMIC_SEQ_CST);
    add(&own->realtime, realtime);
    add(&own->monotonic, monotonic);
    add(&own->boottime, boottime);
    __atomic_fetch_add(&own->steps, 1, __ATOMIC_SEQ_CST);
}

EXPORT void clocks_set_right(void)
{
    clocks_step(-own->realtime, 0, 0);
}

EXPORT uint32_t clocks_steps(void)
{
    return __atomic_load_n(&clocks->steps, __ATOMIC_SEQ_CST);
}

EXPORT int clocks_held(uint32_t steps)
{
    return (steps & 1) == 0 && clocks_steps() == steps;
}
