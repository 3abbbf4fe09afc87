/*
 * test_traps.c - hostile directory entries and locks in a world-writable directory: none is opened, followed, waited for, overwritten or removed (SECURITY.md).
 */
#include "unit.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static const struct kymo_options of_payloads = {.clock = KYMO_USER,
                                                .depth = 8,
                                                .size = sizeof(struct unit_payload)};

/* ---- files that are not segments ---- */

/* The target of links, which must not be reached. */
static void make_target(void)
{
    struct kymo_writer *writer = unit_writer("target", &of_payloads);

    unit_publish(writer, 3);
    kymo_writer_close(writer);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    cr_assert_eq(bind(listener, (void *)&address, sizeof(address)), 0);
    close(listener);
}

static int write_text(const char *path)
{
    FILE *file = fopen(path, "w");

    fputs("a diary", file);
    return fclose(file) == 0;
}

/* Returns 0 if this process may not create one. */
static int make_trap(const char *name)
{
    char path[UNIT_PATH];

    unit_path(name, path);
    if (strcmp(name, "link") == 0)
        return symlink("target", path) == 0;
    if (strcmp(name, "dangling") == 0)
        return symlink("created-by-mistake", path) == 0;
    if (strcmp(name, "fifo") == 0)
        return mkfifo(path, 0666) == 0;
    if (strcmp(name, "directory") == 0)
        return mkdir(path, 0777) == 0;
    if (strcmp(name, "device") == 0)
        return mknod(path, S_IFCHR | 0666, makedev(1, 3)) == 0;
    if (strcmp(name, "text") == 0)
        return write_text(path);
    make_socket(path);
    return 1;
}

/* Every call with a name must fail without an effect. */
static void step_on(const char *name)
{
    struct kymo_options options = of_payloads;
    struct kymo_consumer *consumer;
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    struct stat before, after;
    char path[UNIT_PATH];

    cr_assert_eq(lstat(unit_path(name, path), &before), 0);
    cr_assert_eq(kymo_reader_open(&reader, name), -EBADMSG, "%s", name);
    cr_assert_eq(kymo_consumer_open(&consumer, name), -EBADMSG, "%s", name);
    cr_assert_eq(kymo_writer_open(&writer, name, NULL), -EBADMSG, "%s", name);
    for (int existing = KYMO_OPEN_OR_CREATE; existing <= KYMO_CREATE_NEW; existing++) {
        options.existing = (enum kymo_existing)existing;
        cr_assert_eq(kymo_writer_open(&writer, name, &options),
                     existing == KYMO_CREATE_NEW ? -EEXIST : -EBADMSG, "%s", name);
    }
    cr_assert_eq(kymo_segment_exists(name), -EBADMSG, "%s", name);
    cr_assert_eq(kymo_segment_check(name, NULL, 0), -EBADMSG, "%s", name);
    cr_assert_eq(kymo_segment_remove(name), -EBADMSG, "%s", name);
    cr_assert_eq(kymo_segment_reap(name), -EBADMSG, "%s", name);
    cr_assert_eq(lstat(path, &after), 0);
    cr_assert(after.st_ino == before.st_ino && after.st_mode == before.st_mode &&
                  after.st_mtim.tv_nsec == before.st_mtim.tv_nsec,
              "%s", name);
}

static int count_sound(void *context, const struct kymo_entry *entry)
{
    if (entry->error == 0) {
        cr_assert_str_eq(entry->name, "target");
        ++*(int *)context;
    } else {
        cr_assert_eq(entry->error, -EBADMSG, "%s", entry->name);
        cr_assert_neq(entry->reason[0], '\0');
    }
    return 0;
}

/* Open, create, replace, consume, list, remove and reap follow, wait for and modify none of
 * them. */
Test(traps, are_not_opened_or_removed)
{
    static const char *const names[] = {"link",   "dangling", "fifo", "directory",
                                        "socket", "device",   "text"};
    struct kymo_reader *reader;
    char path[UNIT_PATH];
    int sound = 0;

    unit_directory("traps");
    make_target();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (make_trap(names[i]))
            step_on(names[i]);
        else
            cr_assert_str_eq(names[i], "device", "only root can create devices");
    }
    cr_assert_eq(kymo_segment_list(count_sound, &sound), 0);
    cr_assert_eq(sound, 1);
    cr_assert_neq(access(unit_path("created-by-mistake", path), F_OK), 0);
    reader = unit_reader("target");
    cr_assert_eq(kymo_ring_written(&reader->ring), 3);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_CLOSED);
    kymo_reader_close(reader);
}

/* Reaping removes regular files only, and follows no link. */
Test(traps, are_not_reaped)
{
    static const char *const names[] = {".kymo-link", ".kymo-fifo", ".kymo-directory"};
    char path[UNIT_PATH];

    unit_directory("sweep");
    make_target();
    cr_assert_eq(symlink("target", unit_path(names[0], path)), 0);
    cr_assert_eq(mkfifo(unit_path(names[1], path), 0666), 0);
    cr_assert_eq(mkdir(unit_path(names[2], path), 0777), 0);
    close(open(unit_path(".other", path), O_CREAT | O_RDWR, 0644));
    sleep(3);
    cr_assert_eq(kymo_segment_reap_unfinished(), 0);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(faccessat(AT_FDCWD, unit_path(names[i], path), F_OK, AT_SYMLINK_NOFOLLOW), 0,
                     "%s", names[i]);
    cr_assert_eq(unlink(unit_path(".other", path)), 0);
    cr_assert_eq(kymo_segment_exists("target"), 1);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(remove(unit_path(names[i], path)), 0);
}

/* ---- a second name ---- */

/* Two names of one file are one generation, which has one writer and is retired under both
 * names. */
Test(traps, hard_link_is_same_segment)
{
    struct kymo_writer *writer = unit_writer("name", &of_payloads);
    struct kymo_options options = of_payloads;
    struct kymo_writer *other;
    struct kymo_reader *reader;
    char from[UNIT_PATH], to[UNIT_PATH];

    unit_publish(writer, 1);
    cr_assert_eq(link(unit_path("name", from), unit_path("second-name", to)), 0);
    reader = unit_reader("second-name");
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_ALIVE);
    cr_assert_eq(kymo_writer_open(&other, "second-name", &options), -EBUSY);
    options.existing = KYMO_REPLACE;
    cr_assert_eq(kymo_writer_open(&other, "second-name", &options), -EBUSY);
    cr_assert_eq(kymo_segment_remove("second-name"), -EBUSY);
    unit_publish(writer, 1);
    cr_assert_eq(kymo_ring_written(&reader->ring), 2);
    kymo_writer_close(writer);
    cr_assert_eq(kymo_segment_remove("name"), 0);
    cr_assert(kymo_ring_retired(&reader->ring));
    kymo_reader_close(reader);
    /* The second name does not keep the generation from being retired and replaced. */
    writer = unit_writer("second-name", &of_payloads);
    cr_assert_eq(writer->pos, 0);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* ---- locks and leases of readers ---- */

static int die_writing(void *name)
{
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, name, &of_payloads) != 0)
        return 1;
    kill(getpid(), SIGKILL);
    return 2;
}

/* H: a reader's lock on the file does not make a dead writer ALIVE. While it is held, the next writer gets an error. */
Test(traps, reader_lock_does_not_make_alive)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 10000};
    struct kymo_reader *reader;
    struct kymo_writer *writer;
    char path[UNIT_PATH];
    int fd;

    cr_assert_eq(unit_child(die_writing, (void *)(uintptr_t) "locked"), -SIGKILL);
    fd = open(unit_path("locked", path), O_RDONLY | O_CLOEXEC);
    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    reader = unit_reader("locked");
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_DEAD);
    cr_assert_eq(kymo_writer_open(&writer, "locked", NULL), -EBUSY);
    cr_assert_eq(kymo_segment_remove("locked"), -EBUSY);
    cr_assert_eq(kymo_segment_reap("locked"), 0);
    close(fd);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_segment_reap("locked"), 1);
}

/* E: a lease of the file's owner does not block opening or waiting. */
Test(traps, lease_does_not_block)
{
    struct kymo_reader *reader;
    struct kymo_writer *writer;
    const uint64_t begin = kymo_clock_now(KYMO_MONOTONIC);
    char path[UNIT_PATH];
    int fd;

    /* The kernel signals the holder on a conflicting open. */
    signal(SIGIO, SIG_IGN);
    kymo_writer_close(unit_writer("leased", &of_payloads));
    fd = open(unit_path("leased", path), O_RDONLY | O_CLOEXEC);
    if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0)
        cr_skip_test("leases are not supported here");
    reader = unit_reader("leased");
    cr_assert_eq(kymo_ring_wait(reader, 0, kymo_clock_now(KYMO_MONOTONIC) + 1000000), -ETIMEDOUT);
    kymo_reader_close(reader);
    cr_assert_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    close(fd);
    /* A write lease makes all opens fail until it is released. */
    fd = open(unit_path("leased", path), O_RDWR | O_CLOEXEC);
    cr_assert_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
    cr_assert_eq(kymo_reader_open(&reader, "leased"), -EAGAIN);
    cr_assert_eq(kymo_writer_open(&writer, "leased", NULL), -EAGAIN);
    cr_assert_eq(kymo_segment_remove("leased"), -EAGAIN);
    cr_assert_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    close(fd);
    kymo_reader_close(unit_reader("leased"));
    /* By default, the kernel breaks a lease after 45 s. */
    cr_assert_lt(kymo_clock_now(KYMO_MONOTONIC) - begin, UINT64_C(30000000000));
    cr_assert_eq(kymo_segment_remove("leased"), 0);
}

/* ---- permissions ---- */

/* Set-user-ID and all other bits beside read and write. */
Test(traps, special_modes_are_refused)
{
    static const uint32_t modes[] = {04000, 02000, 01000, 04755, 07777, 010000, UINT32_MAX};
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        options.mode = modes[i];
        cr_assert_eq(kymo_writer_open(&writer, "modes", &options), -EINVAL, "%o", modes[i]);
        cr_assert_eq(kymo_segment_exists("modes"), 0);
    }
}
