/*
 * soak.c - causes all faults beside the actors for a time, and reports the counts.
 *
 *     soak SECONDS [KYMOFS [KYMO]]
 *
 * Returns 0 if no read was wrong, nothing leaked, and each kind of fault occurred. As root it runs in a separate mount namespace, with a small file system for the segments, which it can fill; otherwise, and without KYMOFS, it reports the faults that it omits.
 */
#include "soak.h"
#include "clocks.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define FILE_SYSTEM_SIZE "size=64m,mode=1777"

struct soak_arena *soak;
char soak_mount[256];

static const char *kymofs;
const char *soak_kymo;
static pid_t daemon_pid;
static uint64_t dice;
static int owns_file_system;

static uint64_t roll(uint64_t sides)
{
    dice = checked_mix(dice + 1);
    return dice % sides;
}

void soak_name(char *text, size_t size, const char *kind, uint64_t number)
{
    snprintf(text, size, "%s%llu", kind, (unsigned long long)number);
}

void soak_blame(const char *format, ...)
{
    va_list arguments;

    if (__atomic_fetch_add(&soak->wrong, 1, __ATOMIC_RELAXED) > 0)
        return;
    va_start(arguments, format);
    vsnprintf(soak->what, sizeof(soak->what), format, arguments);
    va_end(arguments);
}

void soak_count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

size_t soak_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static void path_of(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", kymo_directory(), name);
}

/* ---- actors ---- */

/* SIGTERM is blocked until the actor can handle it. */
static void actor_start(struct soak_actor *actor)
{
    sigset_t term, before;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    actor->stopped_until = 0;
    if (!actor->needs_mount || kymofs)
        actor->pid = process_start(actor->run, actor);
    sigprocmask(SIG_SETMASK, &before, NULL);
    /* Ends a request to replace. */
    actor->replaces = 0;
}

static void actor_continue(struct soak_actor *actor)
{
    if (actor->stopped_until)
        kill(actor->pid, SIGCONT);
    actor->stopped_until = 0;
}

/* One that does not end within 20 s hangs. */
static void actor_end(struct soak_actor *actor)
{
    int status = 0;

    if (!actor->pid)
        return;
    actor_continue(actor);
    kill(actor->pid, SIGTERM);
    for (int tries = 0; waitpid(actor->pid, &status, WNOHANG) == 0; tries++) {
        if (tries == 20000) {
            soak_blame("the %s does not end", actor->name);
            process_kill(actor->pid);
            break;
        }
        process_sleep(1000000);
    }
    if (WIFSIGNALED(status))
        soak_blame("the %s was killed by signal %d", actor->name, WTERMSIG(status));
    actor->pid = 0;
}

/* Crashes, and unexpected ends. */
static void check_actors(void)
{
    for (size_t i = 0; i < soak_actor_count; i++) {
        struct soak_actor *actor = &soak_actors[i];
        int status;

        if (!actor->pid || waitpid(actor->pid, &status, WNOHANG) == 0)
            continue;
        soak_blame("the %s ended by itself, status %#x", actor->name, status);
        actor_start(actor);
    }
}

static void continue_stopped(void)
{
    for (size_t i = 0; i < soak_actor_count; i++) {
        struct soak_actor *actor = &soak_actors[i];

        if (actor->stopped_until && clocks_true(CLOCK_MONOTONIC) > actor->stopped_until)
            actor_continue(actor);
    }
}

/* A random actor whose kill counts as `death`, or NULL. */
static struct soak_actor *pick(enum soak_event death)
{
    struct soak_actor *candidates[16];
    size_t count = 0;

    for (size_t i = 0; i < soak_actor_count; i++) {
        if (soak_actors[i].death == death && soak_actors[i].pid)
            candidates[count++] = &soak_actors[i];
    }
    return count > 0 ? candidates[roll(count)] : NULL;
}

/* ---- events: each returns whether it occurred ---- */

static int kill_one(enum soak_event event)
{
    struct soak_actor *actor = pick(event);

    if (!actor)
        return 0;
    process_kill(actor->pid);
    actor_start(actor);
    return 1;
}

static int stop_writer(enum soak_event event)
{
    struct soak_actor *actor = pick(roll(3) ? WRITER_KILLED : SHARED_WRITER_KILLED);

    (void)event;
    if (actor->stopped_until)
        return 0;
    kill(actor->pid, SIGSTOP);
    actor->stopped_until = clocks_true(CLOCK_MONOTONIC) + 1000000 + roll(30000000);
    return 1;
}

static int end_writer(enum soak_event event)
{
    struct soak_actor *actor = pick(WRITER_KILLED);

    actor_end(actor);
    actor->replaces = event == WRITER_REPLACED;
    actor_start(actor);
    return 1;
}

static int request_fork(enum soak_event event)
{
    (void)event;
    /* Counted by the actor that forks. */
    __atomic_store_n(&soak->forks_requested, 1, __ATOMIC_RELAXED);
    return 0;
}

static void make_victim(const char *name)
{
    const struct kymo_options options = {.depth = 16,
                                         .size = SOAK_SIZE,
                                         .clock = KYMO_USER,
                                         .existing = KYMO_REPLACE};
    unsigned char buffer[SOAK_SIZE];
    struct kymo_writer *writer;
    char path[512];

    path_of(path, sizeof(path), name);
    if (roll(2))
        unlink(path);
    if (kymo_writer_open(&writer, name, &options) != 0) {
        unlink(path);
        return;
    }
    for (int i = 0; i < 40; i++)
        checked_publish(writer, buffer);
    kymo_writer_close(writer);
}

static void corrupt(int fd, off_t size)
{
    unsigned char noise[64];

    for (int i = 0; i < 20; i++) {
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (unsigned char)roll(256);
        if (pwrite(fd, noise, 1 + roll(sizeof(noise)), (off_t)roll((uint64_t)size)) < 0)
            return;
    }
}

static int hurt_victim(enum soak_event event)
{
    char name[64], path[512];
    struct stat status;
    int fd;

    soak_name(name, sizeof(name), "victim", roll(SOAK_VICTIMS));
    make_victim(name);
    process_sleep((long)roll(2000000));
    path_of(path, sizeof(path), name);
    if (event == SEGMENT_REMOVED)
        return kymo_segment_remove(name) == 0;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0)
        return 0;
    if (event == SEGMENT_CORRUPTED)
        corrupt(fd, status.st_size);
    else if (ftruncate(fd, (off_t)roll((uint64_t)status.st_size)) != 0)
        soak_blame("ftruncate: %d", errno);
    close(fd);
    return 1;
}

/* Creating fails with -ENOSPC, and writers continue. */
static int fill_memory(enum soak_event event)
{
    const struct kymo_options options = {.depth = 4096, .size = 4096, .existing = KYMO_REPLACE};
    static const unsigned char block[1 << 16];
    struct kymo_writer *writer;
    char path[512];
    int fd, error;

    (void)event;
    if (!owns_file_system)
        return 0;
    path_of(path, sizeof(path), ".filler");
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    while (write(fd, block, sizeof(block)) > 0)
        ;
    error = kymo_writer_open(&writer, "full", &options);
    if (error != -ENOSPC)
        soak_blame("a full file system: %d", error);
    process_sleep(5000000);
    unlink(path);
    close(fd);
    return 1;
}

/* By any magnitude from nanoseconds to hours, ns. */
static int64_t some_step(void)
{
    return (int64_t)(1 + roll(UINT64_C(1) << roll(43)));
}

/* Setting the clock steps CLOCK_REALTIME; a suspend steps realtime and boottime; a freeze by the hypervisor steps all three. */
static int step_clocks(enum soak_event event)
{
    const int64_t step = some_step();

    clocks_step(event == CLOCK_SET_BACK ? -step : step, event == MACHINE_FROZEN ? step : 0,
                event == MACHINE_FROZEN || event == MACHINE_SUSPENDED ? step : 0);
    return 1;
}

static int open_too_many(void *context)
{
    const struct rlimit limit = {24, 24};
    struct kymo_reader *readers[32];
    int count = 0, error = 0;

    (void)context;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (count < 32 && (error = kymo_reader_open(&readers[count], "shared")) == 0)
        count++;
    if (error != -EMFILE)
        soak_blame("without descriptors: %d", error);
    while (count > 0)
        kymo_reader_close(readers[--count]);
    error = kymo_reader_open(&readers[0], "shared");
    if (error)
        soak_blame("open after freeing descriptors: %d", error);
    else
        kymo_reader_close(readers[0]);
    return 0;
}

static int exhaust_descriptors(enum soak_event event)
{
    (void)event;
    return process_wait(process_start(open_too_many, NULL)) == 0;
}

/* ---- the daemon ---- */

static int exec_daemon(void *context)
{
    const int nothing = open("/dev/null", O_RDWR);

    (void)context;
    dup2(nothing, STDERR_FILENO);
    clocks_for_exec();
    execl(kymofs, "kymofs", "-f", soak_mount, (char *)NULL);
    return 127;
}

/* open() succeeds only if a daemon serves the mount. */
static int can_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void start_daemon(void)
{
    char readme[300];

    daemon_pid = process_start(exec_daemon, NULL);
    snprintf(readme, sizeof(readme), "%s/README", soak_mount);
    for (int tries = 0; !can_open(readme); tries++) {
        if (tries == 20000) {
            soak_blame("the daemon does not mount");
            return;
        }
        process_sleep(1000000);
    }
}

static void end_daemon(void)
{
    int status;

    kill(daemon_pid, SIGTERM);
    status = process_wait(daemon_pid);
    if (status != 0)
        soak_blame("the daemon ended with %d", status);
}

static int restart_daemon(enum soak_event event)
{
    if (!kymofs)
        return 0;
    if (event == DAEMON_KILLED)
        process_kill(daemon_pid);
    else
        end_daemon();
    start_daemon();
    return 1;
}

/* kB of memory that it has in use. */
static unsigned long daemon_memory(void)
{
    char path[64], line[256];
    unsigned long kilobytes = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon_pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file) && kilobytes == 0)
        sscanf(line, "VmRSS: %lu kB", &kilobytes);
    if (file)
        fclose(file);
    return kilobytes;
}

static size_t daemon_descriptors(void)
{
    char path[64];
    size_t count = 0;
    DIR *directory;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon_pid);
    directory = opendir(path);
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

/* Limits of an idle daemon: one descriptor for each segment, and its own; memory for these, also
 * with a sanitizer. */
static void check_daemon(void)
{
    const unsigned long most_memory = 256 * 1024; /* kB */
    const size_t most_descriptors = 48;

    for (int tries = 0; daemon_descriptors() > most_descriptors && tries < 10; tries++)
        process_sleep(1000000000);
    if (daemon_descriptors() > most_descriptors) {
        soak->leaked += daemon_descriptors() - most_descriptors;
        soak_blame("the daemon holds %zu descriptors", daemon_descriptors());
    }
    if (daemon_memory() > most_memory)
        soak_blame("the daemon has %lu kB of memory", daemon_memory());
}

/* ---- the table of events ---- */

static const struct event {
    const char *name;
    int (*happen)(enum soak_event event);
    unsigned int weight;
} events[SOAK_EVENTS] = {
    [WRITER_KILLED] = {"writers killed", kill_one, 30},
    [WRITER_STOPPED] = {"writers stopped", stop_writer, 20},
    [WRITER_ENDED] = {"writers ended and resumed", end_writer, 10},
    [WRITER_REPLACED] = {"segments replaced", end_writer, 10},
    [WRITER_FORKED] = {"writers forked", request_fork, 5},
    [SHARED_WRITER_KILLED] = {"shared writers killed", kill_one, 20},
    [PRODUCER_KILLED] = {"producers killed", kill_one, 10},
    [CONSUMER_KILLED] = {"consumers killed", kill_one, 10},
    [READER_KILLED] = {"readers killed", kill_one, 10},
    [CLOCK_SET_FORWARD] = {"clocks set forward", step_clocks, 10},
    [CLOCK_SET_BACK] = {"clocks set back", step_clocks, 10},
    [MACHINE_SUSPENDED] = {"machines suspended", step_clocks, 5},
    [MACHINE_FROZEN] = {"machines frozen", step_clocks, 5},
    [SEGMENT_TRUNCATED] = {"segments truncated", hurt_victim, 10},
    [SEGMENT_CORRUPTED] = {"segments corrupted", hurt_victim, 10},
    [SEGMENT_REMOVED] = {"segments removed", hurt_victim, 5},
    [MEMORY_FILLED] = {"file systems filled", fill_memory, 1},
    [DESCRIPTORS_EXHAUSTED] = {"descriptors exhausted", exhaust_descriptors, 2},
    [DAEMON_KILLED] = {"daemons killed", restart_daemon, 1},
    [DAEMON_ENDED] = {"daemons ended", restart_daemon, 1},
};

static void happen(enum soak_event event)
{
    const uint64_t begin = clocks_true(CLOCK_MONOTONIC);
    uint64_t seconds;

    if (events[event].happen(event))
        soak_count(&soak->events[event]);
    seconds = (clocks_true(CLOCK_MONOTONIC) - begin) / 1000000000;
    if (seconds >= 2)
        printf("%s: took %llu s\n", events[event].name, (unsigned long long)seconds);
}

static void let_one_happen(void)
{
    unsigned int total = 0;
    uint64_t number;

    for (int i = 0; i < SOAK_EVENTS; i++)
        total += events[i].weight;
    number = roll(total);
    for (int i = 0; i < SOAK_EVENTS; i++) {
        if (number < events[i].weight) {
            happen((enum soak_event)i);
            return;
        }
        number -= events[i].weight;
    }
}

static uint64_t sum(const uint64_t *counts, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += counts[i];
    return total;
}

static void run(uint64_t seconds)
{
    const uint64_t begin = clocks_true(CLOCK_MONOTONIC);
    uint64_t notified = 0, elapsed;

    while ((elapsed = (clocks_true(CLOCK_MONOTONIC) - begin) / 1000000000) < seconds) {
        if (elapsed >= notified + 10) {
            notified = elapsed;
            printf("%llu s: %llu events, %llu reads, %llu wrong\n", (unsigned long long)elapsed,
                   (unsigned long long)sum(soak->events, SOAK_EVENTS),
                   (unsigned long long)sum(soak->reads, SOAK_READS),
                   (unsigned long long)soak->wrong);
            fflush(stdout);
        }
        let_one_happen();
        continue_stopped();
        check_actors();
        process_sleep((long)roll(8000000));
    }
}

/* ---- before and after ---- */

/* The mount namespace ends with this process. */
static void own_file_system(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("soak", kymo_directory(), "tmpfs", MS_NOSUID | MS_NODEV, FILE_SYSTEM_SIZE) != 0) {
        puts("omitted without root: a full file system, and readers of another user");
        for (size_t i = 0; i < soak_actor_count; i++)
            soak_actors[i].is_readonly = 0;
        return;
    }
    owns_file_system = 1;
}

static void begin_all(void)
{
    own_file_system();
    soak = process_share(sizeof(*soak));
    if (clocks_share() != 0)
        abort();
    umask(022);
    if (kymofs) {
        snprintf(soak_mount, sizeof(soak_mount), "/tmp/kymo-soak-XXXXXX");
        if (!mkdtemp(soak_mount))
            abort();
        start_daemon();
    }
    /* Writers first: readers require existing names. */
    for (size_t i = 0; i < soak_actor_count; i++) {
        actor_start(&soak_actors[i]);
        if (soak_actors[i].run != soak_actors[i + 1 < soak_actor_count ? i + 1 : i].run)
            process_sleep(100000000);
    }
}

/* Each writer has closed, and released its lock. */
static void check_closed(const char *kind, uint64_t count)
{
    struct kymo_reader *reader;
    char name[64];
    int alive;

    for (uint64_t i = 0; i < count; i++) {
        soak_name(name, sizeof(name), kind, i);
        if (kymo_reader_open(&reader, name) != 0) {
            soak_blame("%s does not exist", name);
            continue;
        }
        alive = kymo_segment_liveness(reader->segment, KYMO_FOREVER);
        if (alive != KYMO_LIVE_CLOSED)
            soak_blame("%s is not closed, but %s", name, kymo_liveness_text(alive));
        kymo_reader_close(reader);
    }
}

static void check_files(void)
{
    DIR *directory;
    struct dirent *entry;

    /* The clock is set to that of the file system. Files younger than 2 s may be in use. */
    clocks_set_right();
    process_sleep(2100000000);
    kymo_segment_reap_unfinished();
    directory = opendir(kymo_directory());
    while (directory && (entry = readdir(directory))) {
        if (strncmp(entry->d_name, ".kymo-", 6) == 0)
            soak_blame("%s is left", entry->d_name);
    }
    if (directory)
        closedir(directory);
}

static void end_all(void)
{
    for (size_t i = 0; i < soak_actor_count; i++)
        actor_end(&soak_actors[i]);
    if (kymofs) {
        check_daemon();
        end_daemon();
        rmdir(soak_mount);
    }
    check_closed("flow", SOAK_FLOWS);
    check_closed("clock", SOAK_CLOCKS);
    check_files();
}

static int is_left_out(int event)
{
    return (event == MEMORY_FILLED && !owns_file_system) ||
           ((event == DAEMON_KILLED || event == DAEMON_ENDED) && !kymofs);
}

/* From this number of events on, each kind must have occurred. */
#define ENOUGH_EVENTS 1500

static int account(uint64_t seconds)
{
    static const char *const reads[SOAK_READS] = {"by writers",     "by read-only readers",
                                                  "by queries",     "in order",
                                                  "from the queue", "through the mount",
                                                  "by the clock",   "of now",
                                                  "of victims"};
    const uint64_t total = sum(soak->events, SOAK_EVENTS);

    for (int i = 0; i < SOAK_EVENTS; i++) {
        printf("%10llu %s\n", (unsigned long long)soak->events[i], events[i].name);
        if (total >= ENOUGH_EVENTS && soak->events[i] == 0 && !is_left_out(i))
            soak_blame("no %s among %llu events", events[i].name, (unsigned long long)total);
    }
    for (int i = 0; i < SOAK_READS; i++)
        printf("%10llu reads %s\n", (unsigned long long)soak->reads[i], reads[i]);
    printf(
        "count: soak, %llu s: %llu events survived, %llu of them clock steps, %llu records, %llu "
        "reads, %llu wrong, %llu leaked\n",
        (unsigned long long)seconds, (unsigned long long)total,
        (unsigned long long)sum(&soak->events[CLOCK_SET_FORWARD],
                                MACHINE_FROZEN + 1 - CLOCK_SET_FORWARD),
        (unsigned long long)soak->published, (unsigned long long)sum(soak->reads, SOAK_READS),
        (unsigned long long)soak->wrong, (unsigned long long)soak->leaked);
    if (soak->wrong)
        printf("the first: %s\n", soak->what);
    return soak->wrong || soak->leaked;
}

int main(int argc, char **argv)
{
    const uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    size_t before;

    if (seconds == 0) {
        fputs("usage: soak SECONDS [KYMOFS [KYMO]]\n", stderr);
        return 2;
    }
    kymofs = argc > 2 && argv[2][0] ? realpath(argv[2], NULL) : NULL;
    soak_kymo = argc > 3 && argv[3][0] ? realpath(argv[3], NULL) : NULL;
    dice = clocks_true(CLOCK_REALTIME);
    begin_all();
    before = soak_descriptors();
    run(seconds);
    end_all();
    if (soak_descriptors() > before)
        soak_blame("descriptors are leaked: %zu, at the start %zu", soak_descriptors(), before);
    return account(seconds);
}
