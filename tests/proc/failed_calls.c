/*
 * failed_calls.c - each system call of opening, replacing, resuming, closing and removing fails once, with each error that it can return: a failed call changes nothing (promise I: complete or absent).
 *
 * A seccomp filter with user notification stops the child at each system call; this process lets it continue, or returns the error in its place.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "process.h"
#include "stress/checked.h"
#include "test.h"

#define NAME    "failing"
#define DEPTH   4
#define SIZE    40
#define RECORDS 6
#define ABSENT  UINT64_MAX

/* ---- the errors of system calls ---- */

struct failing {
    long number;
    int errors[16]; /* ends with 0 */
};

static const struct failing failing[] = {
    {SYS_openat,
     {EACCES, EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT, EINTR, ELOOP, ENOENT, EPERM, EROFS, ETXTBSY,
      EAGAIN, EOPNOTSUPP, EIO}},
    /* ENOENT is an answer: the name refers to no file. */
    {SYS_newfstatat, {EACCES, ENOMEM, ELOOP, EIO}},
    {SYS_fstat, {ENOMEM, EIO}},
    {SYS_statfs, {EIO, EINTR, ENOSYS}},
    {SYS_fstatfs, {EIO, EINTR, ENOSYS}},
    {SYS_faccessat, {EACCES, ENOENT, ENOMEM, EIO}},
    {SYS_read, {EINTR, EIO, ENOMEM}},
    {SYS_pread64, {EINTR, EIO, ENOMEM}},
    {SYS_pwrite64, {EINTR, EIO, ENOSPC, EDQUOT, EFBIG}},
    {SYS_fallocate, {EINTR, ENOSPC, EIO, EFBIG, EOPNOTSUPP, EPERM, ENOMEM}},
    {SYS_fchmod, {EPERM, EIO, EROFS}},
    {SYS_fchown, {EPERM, EIO, EROFS}},
    {SYS_fgetxattr, {EIO, ENOMEM}},
    {SYS_fsetxattr, {EIO, ENOMEM, ENOSPC, EDQUOT, EPERM}},
    {SYS_fremovexattr, {EIO, ENOMEM, EPERM}},
    {SYS_fcntl, {EAGAIN, EACCES, ENOLCK, ENOMEM, EMFILE}},
    {SYS_mmap, {ENOMEM, EAGAIN, EACCES, EPERM, ENFILE}},
    {SYS_mprotect, {ENOMEM, EACCES}},
    {SYS_munmap, {ENOMEM, EINVAL}},
    {SYS_madvise, {ENOMEM, EAGAIN, EINVAL}},
    {SYS_linkat, {EEXIST, ENOENT, EMLINK, ENOSPC, EDQUOT, EPERM, EACCES, EIO, ENOMEM}},
    {SYS_renameat, {ENOENT, ENOSPC, EDQUOT, EPERM, EACCES, EBUSY, EIO, ENOMEM}},
    {SYS_renameat2, {EEXIST, ENOENT, ENOSPC, EDQUOT, EPERM, EACCES, EBUSY, EIO, ENOMEM}},
    {SYS_unlinkat, {ENOENT, EPERM, EACCES, EBUSY, EIO, EROFS, ENOMEM}},
    {SYS_close, {EINTR, EIO, ENOSPC}},
    {SYS_dup, {EMFILE}},
    {SYS_getrandom, {EINTR, EAGAIN, ENOSYS}},
    {SYS_uname, {EFAULT}},
    {SYS_clock_nanosleep, {EINTR}},
    {SYS_signalfd4, {EMFILE, ENFILE, ENOMEM}},
    {SYS_rt_sigaction, {EINVAL}},
    {SYS_rt_sigprocmask, {EINVAL}},
    {SYS_prlimit64, {EPERM}},
    {SYS_ppoll, {EINTR, ENOMEM}},
    {SYS_write, {EINTR, EIO, ENOSPC, EPIPE}},
#ifdef SYS_access
    {SYS_access, {EACCES, ENOENT, ENOMEM, EIO}},
    {SYS_open, {EACCES, EMFILE, ENFILE, ENOMEM, EINTR, ENOENT}},
    {SYS_poll, {EINTR, ENOMEM}},
#endif
};

/* The error of that index that the call can return; 0: none. */
static int error_of(long number, size_t index)
{
    for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++)
        if (failing[i].number == number)
            return failing[i].errors[index];
    return 0;
}

/* ---- the child ---- */

struct scene {
    const char *name;
    int (*act)(void);
    const char *const *command; /* or kymo's arguments */
    int has_old;                /* a closed segment with RECORDS records exists */
    int replaces;               /* success ends the old generation */
    int removes;
    int is_shared;
    int is_queue; /* so are the records of the old generation, and it is not replaced */
    int no_tmpfile;
};

static struct {
    uint32_t listener; /* its descriptor in the child, + 1 */
    uint32_t finished;
    int result;
} * arena;

static const struct kymo_options options = {.depth = DEPTH, .size = SIZE, .clock = KYMO_USER};

static int write_and_close(struct kymo_options wanted)
{
    unsigned char buffer[SIZE];
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, NAME, &wanted);

    if (error)
        return error;
    error = wanted.kind == KYMO_QUEUE ? 0 : checked_publish(writer, buffer);
    kymo_writer_close(writer);
    return error;
}

static int do_open(void)
{
    return write_and_close(options);
}

static int do_replace(void)
{
    struct kymo_options replacing = options;

    replacing.existing = KYMO_REPLACE;
    replacing.mode = 0600;
    return write_and_close(replacing);
}

static int do_replace_queue(void)
{
    struct kymo_options queue = options;

    queue.kind = KYMO_QUEUE;
    queue.existing = KYMO_REPLACE;
    return write_and_close(queue);
}

static int do_open_other(void)
{
    struct kymo_options other = options;

    other.depth = 2 * DEPTH;
    other.flags = KYMO_SHARED_WRITER;
    return write_and_close(other);
}

static int do_open_queue(void)
{
    struct kymo_options queue = options;
    struct kymo_consumer *consumer;
    int error;

    queue.kind = KYMO_QUEUE;
    error = write_and_close(queue);
    if (!error)
        error = kymo_consumer_open(&consumer, NAME);
    if (error)
        kymo_segment_remove(NAME);
    else
        kymo_consumer_close(consumer);
    return error;
}

static int do_remove(void)
{
    return kymo_segment_remove(NAME);
}

static int do_open_and_remove(void)
{
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, NAME, &options);

    return error ? error : kymo_writer_remove(writer);
}

static int install_filter(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

static int act(void *context)
{
    const struct scene *scene = context;
    int listener;

    if (scene->command) {
        const int null = open("/dev/null", O_RDWR);

        dup2(null, STDIN_FILENO);
        dup2(null, STDERR_FILENO);
    }
    listener = install_filter();
    if (listener < 0)
        return 77;
    process_store(&arena->listener, (uint32_t)listener + 1);
    if (scene->command)
        execv(scene->command[0], (char *const *)(uintptr_t)scene->command);
    arena->result = scene->command ? -ENOEXEC : scene->act();
    process_store(&arena->finished, 1);
    syscall(SYS_exit_group, arena->result != 0);
    return 1;
}

/* ---- its supervisor ---- */

/* One run: call number `at` fails with the error of that index. */
struct run {
    const struct scene *scene;
    uint64_t at;
    size_t index;
    uint64_t calls;
    long number;       /* of call `at` */
    int error;         /* that it got; 0: none */
    int linked;        /* the name has changed */
    int linked_before; /* already when the call failed */
    int status;
};

static void answer(struct run *run, const struct seccomp_notif *call,
                   struct seccomp_notif_resp *response)
{
    const long number = call->data.nr;
    const int is_tmpfile = number == SYS_openat && (call->data.args[2] & O_TMPFILE) == O_TMPFILE;

    *response =
        (struct seccomp_notif_resp){.id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    /* The dynamic linker may crash; kymo's own first call opens a directory. */
    if (run->scene->command && run->calls == 0 &&
        (number != SYS_openat || !(call->data.args[2] & O_PATH)))
        return;
    if (run->calls == run->at) {
        run->number = number;
        run->error = error_of(number, run->index);
        run->linked_before = run->linked;
    }
    if (run->calls == run->at && run->error)
        *response = (struct seccomp_notif_resp){.id = call->id, .error = -run->error};
    else if (run->scene->no_tmpfile && is_tmpfile)
        *response = (struct seccomp_notif_resp){.id = call->id, .error = -EOPNOTSUPP};
    else if (number == SYS_renameat || number == SYS_renameat2 || number == SYS_unlinkat ||
             (number == SYS_linkat && !run->scene->replaces))
        run->linked = 1;
    run->calls++;
}

static void supervise(struct run *run, int listener)
{
    struct pollfd poll_listener = {.fd = listener, .events = POLLIN};

    for (;;) {
        struct seccomp_notif call = {0};
        struct seccomp_notif_resp response;

        cr_assert_eq(poll(&poll_listener, 1, -1), 1);
        if (!(poll_listener.revents & POLLIN))
            break;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
            continue;
        answer(run, &call, &response);
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }
}

static void run_child(struct run *run)
{
    pid_t child;
    int process, listener;

    memset(arena, 0, sizeof(*arena));
    child = process_start(act, (void *)(uintptr_t)run->scene);
    process_await(&arena->listener, 1);
    process = (int)syscall(SYS_pidfd_open, child, 0);
    listener = (int)syscall(SYS_pidfd_getfd, process, arena->listener - 1, 0);
    cr_assert_geq(listener, 0, "%s", strerror(errno));
    supervise(run, listener);
    close(listener);
    close(process);
    run->status = process_wait(child);
}

/* ---- before and after ---- */

static uint64_t inode_of_name(void)
{
    char path[512];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), NAME);
    return stat(path, &status) == 0 ? (uint64_t)status.st_ino : ABSENT;
}

static void make_old(const struct scene *scene)
{
    struct kymo_options old = options;
    unsigned char buffer[SIZE];
    struct kymo_writer *writer;

    if (scene->is_queue) {
        old.kind = KYMO_QUEUE;
        old.depth = 2 * DEPTH;
    }
    cr_assert_eq(kymo_writer_open(&writer, NAME, &old), 0);
    for (int i = 0; i < RECORDS; i++)
        cr_assert_eq(checked_publish(writer, buffer), 0);
    kymo_writer_close(writer);
}

static char where[256];

#define HOLDS(condition) cr_assert(condition, "%s", where)

/* The directory has the segment, or nothing. */
static void check_names(uint64_t inode)
{
    DIR *listing = opendir(kymo_directory());
    struct dirent *entry;
    int names = 0;

    while ((entry = readdir(listing))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        HOLDS(strcmp(entry->d_name, NAME) == 0);
        names++;
    }
    closedir(listing);
    HOLDS(names == (inode != ABSENT));
}

/* All records of the old generation, by a reader of any age. */
static void check_old(struct kymo_reader *reader)
{
    struct kymo_record record = {0};
    unsigned char buffer[SIZE];

    HOLDS(kymo_ring_head(&reader->ring) >= RECORDS);
    for (uint64_t pos = RECORDS - DEPTH + 2; pos < RECORDS; pos++) {
        HOLDS(kymo_ring_at(reader, pos, buffer, SIZE, &record) == 0);
        HOLDS(!checked_fault(&record, buffer, SIZE));
    }
    HOLDS(kymo_segment_liveness(reader->segment, KYMO_FOREVER) == KYMO_LIVE_CLOSED);
}

static void check_after(const struct run *run, struct kymo_reader *old, uint64_t before)
{
    const struct scene *scene = run->scene;
    const uint64_t now = inode_of_name();
    const int succeeded = run->status == 0;
    struct kymo_reader *reader;
    int live;

    HOLDS(run->status == 0 || run->status == 1);
    check_names(now);
    if (!succeeded && !run->linked_before)
        HOLDS(now == before);
    HOLDS(!succeeded || !scene->is_queue);
    if (succeeded)
        HOLDS((now == ABSENT) == scene->removes);
    if (old && now == before)
        check_old(old);
    else if (old)
        HOLDS(kymo_segment_liveness(old->segment, KYMO_FOREVER) == -EIDRM);
    if (now == ABSENT)
        return;
    HOLDS(kymo_reader_open(&reader, NAME) == 0);
    if (old && now == before)
        check_old(reader);
    live = kymo_segment_liveness(reader->segment, KYMO_FOREVER);
    /* The last of several writers may not find that it is the last. */
    HOLDS(live == KYMO_LIVE_CLOSED || (live == KYMO_LIVE_DEAD && scene->is_shared));
    kymo_reader_close(reader);
    HOLDS(kymo_segment_remove(NAME) == 0);
}

/* ---- the sweep ---- */

static void run_once(struct run *run)
{
    struct kymo_reader *old = NULL;
    uint64_t before;

    if (run->scene->has_old) {
        make_old(run->scene);
        cr_assert_eq(kymo_reader_open(&old, NAME), 0);
    }
    before = inode_of_name();
    run_child(run);
    snprintf(where, sizeof(where), "%s: call %d, system call %ld, error %d (%s): status %d",
             run->scene->name, (int)run->at, run->number, run->error, strerror(run->error),
             run->status);
    check_after(run, old, before);
    kymo_reader_close(old);
}

/* Returns the number of points. */
static uint64_t sweep(const struct scene *scene)
{
    struct run run = {.scene = scene};
    uint64_t points = 0;

    for (uint64_t at = 0; run.calls >= at; at++) {
        for (size_t index = 0; index == 0 || run.error; index++) {
            run = (struct run){.scene = scene, .at = at, .index = index};
            run_once(&run);
            points += run.error != 0;
        }
    }
    return points;
}

static void sweep_all(const struct scene *scenes, size_t count, const char *program)
{
    uint64_t points = 0;

    arena = process_share(sizeof(*arena));
    for (size_t i = 0; i < count; i++) {
        const uint64_t of_scene = sweep(&scenes[i]);

        printf("%s: %ju failed system calls\n", scenes[i].name, (uintmax_t)of_scene);
        points += of_scene;
    }
    cr_assert_gt(points, 100U * count);
    printf("count: %ju failed system calls of %s\n", (uintmax_t)points, program);
}

Test(failed_calls, of_library_change_nothing)
{
    static const struct scene scenes[] = {
        {.name = "create", .act = do_open},
        {.name = "create without O_TMPFILE", .act = do_open, .no_tmpfile = 1},
        {.name = "create with shared writers", .act = do_open_other, .is_shared = 1},
        {.name = "create a queue", .act = do_open_queue},
        {.name = "resume", .act = do_open, .has_old = 1},
        {.name = "replace", .act = do_replace, .has_old = 1, .replaces = 1},
        {.name = "replace without O_TMPFILE",
         .act = do_replace,
         .has_old = 1,
         .replaces = 1,
         .no_tmpfile = 1},
        {.name = "replace by another layout",
         .act = do_open_other,
         .has_old = 1,
         .replaces = 1,
         .is_shared = 1},
        {.name = "replace a queue that is not empty",
         .act = do_replace_queue,
         .has_old = 1,
         .is_queue = 1},
        {.name = "remove", .act = do_remove, .has_old = 1, .removes = 1},
        {.name = "remove by writer", .act = do_open_and_remove, .has_old = 1, .removes = 1},
    };

    sweep_all(scenes, sizeof(scenes) / sizeof(scenes[0]), "libkymo");
}

#ifdef KYMO_PROGRAM

#define PUB KYMO_PROGRAM, "pub", NAME, "--raw", "--clock", "user"

Test(failed_calls, of_kymo_change_nothing)
{
    static const char *const create[] = {PUB, "--size", "40", "--depth", "4", NULL};
    static const char *const resume[] = {PUB, NULL};
    static const char *const replace[] = {PUB, "--replace", "--depth", "8", NULL};
    static const char *const remove[] = {KYMO_PROGRAM, "rm", NAME, NULL};
    static const struct scene scenes[] = {
        {.name = "kymo pub, create", .command = create},
        {.name = "kymo pub, resume", .command = resume, .has_old = 1},
        {.name = "kymo pub --replace", .command = replace, .has_old = 1, .replaces = 1},
        {.name = "kymo rm", .command = remove, .has_old = 1, .removes = 1},
    };

    sweep_all(scenes, sizeof(scenes) / sizeof(scenes[0]), "kymo");
}

#endif
