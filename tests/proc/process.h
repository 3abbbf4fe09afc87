/*
 * process.h - child processes of a test: started, told to end by their id, and always waited for.
 *
 * A child leaves by _exit with what its body returned and never runs the test runner's ends.
 */
#ifndef KYMO_TEST_PROCESS_H
#define KYMO_TEST_PROCESS_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kymo/atomic.h>

/* Returns the child's id. The child ends with its parent, whatever that one dies of. */
static inline pid_t process_start(int (*body)(void *context), void *context)
{
    const pid_t parent = getpid();
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child < 0) {
        perror("fork");
        abort();
    }
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    _exit(body(context));
}

/* Waits for its end. Returns the exit status, or the negative number of the signal it died of. */
static inline int process_wait(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* As kill -9 and wait: the process is gone when this returns. */
static inline int process_kill(pid_t child)
{
    kill(child, SIGKILL);
    return process_wait(child);
}

/* Memory that a test shares with its children; zeroed. */
static inline void *process_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        abort();
    }
    return memory;
}

static inline void process_nap(long nanoseconds)
{
    const struct timespec length = {.tv_sec = nanoseconds / 1000000000,
                                    .tv_nsec = nanoseconds % 1000000000};

    nanosleep(&length, NULL);
}

/* A word in shared memory that says how far the other process is. */
static inline void process_say(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint32_t process_heard(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Until the word is at least `value`; a process that never says so fails the test after 30 s. */
static inline void process_await(const uint32_t *word, uint32_t value)
{
    for (int rounds = 0; rounds < 300000; rounds++) {
        if (process_heard(word) >= value)
            return;
        process_nap(100000);
    }
    fputs("process_await: the other process did not come\n", stderr);
    abort();
}

/* How much slower this build is, about. */
#if KYMO_TSAN
#define PROCESS_SLOWNESS 16
#elif defined(__SANITIZE_ADDRESS__)
#define PROCESS_SLOWNESS 4
#else
#define PROCESS_SLOWNESS 1
#endif

/* What a test's counts are multiplied with: $KYMO_STRESS_SCALE, 1 without; less in slow builds. */
static inline double process_scale(void)
{
    const char *text = getenv("KYMO_STRESS_SCALE");
    double scale = text ? strtod(text, NULL) : 1;

    return (scale > 0 ? scale : 1) / PROCESS_SLOWNESS;
}

#endif
