/*
 * process.c - fork, kill and wait for the children of a test.
 */
#include "process.h"

pid_t process_start(int (*body)(void *context), void *context)
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

int process_wait(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int process_kill(pid_t child)
{
    kill(child, SIGKILL);
    return process_wait(child);
}

void *process_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        abort();
    }
    return memory;
}

void process_sleep(long nanoseconds)
{
    const struct timespec length = {.tv_sec = nanoseconds / 1000000000,
                                    .tv_nsec = nanoseconds % 1000000000};

    nanosleep(&length, NULL);
}

void process_store(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

uint32_t process_load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

void process_await(const uint32_t *word, uint32_t value)
{
    for (int rounds = 0; rounds < 300000; rounds++) {
        if (process_load(word) >= value)
            return;
        process_sleep(100000);
    }
    fputs("process_await: the other process did not reach its point\n", stderr);
    abort();
}

double process_scale(void)
{
    const char *text = getenv("KYMO_STRESS_SCALE");
    const double scale = text ? strtod(text, NULL) : 0;

    return scale > 0 ? scale : 0.01;
}

uint64_t process_count(uint64_t full, uint64_t least)
{
    const uint64_t count = (uint64_t)((double)full * process_scale());

    return (count > least ? count : least) / PROCESS_SLOWNESS;
}
