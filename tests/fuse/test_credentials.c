/*
 * test_credentials.c - K: what mode bits, access ACLs, groups and capabilities grant. What
 * the kernel itself decides for a process with the same credentials is the reference.
 */
#include "private_directory.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/credentials.h"

enum {
    USER = 0x02,
    GROUP = 0x08,
    OWNER_CLASS = 0x01,
    GROUP_CLASS = 0x04,
    MASK = 0x10,
    OTHER = 0x20
};

struct acl_entry {
    uint16_t tag;
    uint16_t bits;
    uint32_t id;
};

#define ACL_LIMIT 200

struct acl {
    uint32_t version;
    struct acl_entry entries[ACL_LIMIT];
};

static void make_file(const char *name, mode_t mode, uint32_t uid, uint32_t gid)
{
    int file = open(private_path(name), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

    cr_assert_geq(file, 0);
    cr_assert_eq(fchown(file, uid, gid), 0);
    cr_assert_eq(fchmod(file, mode), 0);
    close(file);
}

/* Sorted by tag and ID, as the kernel demands. */
static void set_acl(const char *name, const struct acl_entry *entries, size_t count)
{
    struct acl acl = {.version = htole32(2)};

    for (size_t i = 0; i < count; i++)
        acl.entries[i] = (struct acl_entry){htole16(entries[i].tag), htole16(entries[i].bits),
                                            htole32(entries[i].id)};
    cr_assert_eq(setxattr(private_path(name), "system.posix_acl_access", &acl,
                          sizeof(acl.version) + count * sizeof(acl.entries[0]), 0),
                 0);
}

static int check_as(struct credentials *credentials, const char *name)
{
    struct stat status;

    cr_assert_eq(lstat(private_path(name), &status), 0);
    return credentials_check(credentials, private_path(name), &status, S_IROTH);
}

/* Of a thread that does not exist: nothing is read from /proc. */
static int check_ids(const char *name, uint32_t uid, uint32_t gid)
{
    struct credentials credentials = {.uid = uid, .gid = gid};
    const int error = check_as(&credentials, name);

    credentials_free(&credentials);
    return error;
}

static void need_root(void)
{
    if (geteuid() != 0)
        cr_skip_test("needs root, to change owners and groups");
}

static void begin(void)
{
    need_root();
    private_directory_make();
}

/* ---- processes with other credentials ---- */

struct identity {
    uint32_t uid;
    uint32_t gid;
    uint32_t groups[4];
    size_t group_count;
    uint64_t capabilities;
    int namespaces; /* for unshare() */
};

#define FILES 400

static const char *file_name(int number)
{
    static char name[16];

    snprintf(name, sizeof(name), "file%d", number);
    return name;
}

static void assume(const struct identity *identity)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};

    data[0].effective = data[0].permitted = (uint32_t)identity->capabilities;
    if (prctl(PR_SET_KEEPCAPS, 1) != 0 || setgroups(identity->group_count, identity->groups) != 0 ||
        setresgid(identity->gid, identity->gid, identity->gid) != 0 ||
        setresuid(identity->uid, identity->uid, identity->uid) != 0 ||
        syscall(SYS_capset, &header, data) != 0 ||
        (identity->namespaces && unshare(identity->namespaces) != 0))
        _exit(1);
}

/* A process that reports which of the files it can open, and then waits to be killed. */
static pid_t start(const struct identity *identity, bool readable[FILES])
{
    int ends[2];
    pid_t pid;

    cr_assert_eq(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        assume(identity);
        for (int i = 0; i < FILES; i++) {
            int file = open(private_path(file_name(i)), O_RDONLY | O_CLOEXEC);

            readable[i] = file >= 0;
            if (file >= 0)
                close(file);
        }
        if (write(ends[1], readable, FILES * sizeof(bool)) < 0)
            _exit(1);
        close(ends[1]);
        for (;;)
            pause();
    }
    close(ends[1]);
    cr_assert_eq(read(ends[0], readable, FILES * sizeof(bool)), FILES * sizeof(bool));
    close(ends[0]);
    return pid;
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- tests ---- */

static uint32_t next_random(void)
{
    static uint32_t state = 12345;

    state = state * 1664525 + 1013904223;
    return state >> 16;
}

static void make_random_acl(const char *name)
{
    struct acl_entry entries[8];
    size_t count = 0;

    entries[count++] = (struct acl_entry){OWNER_CLASS, next_random() & 7, UINT32_MAX};
    for (uint32_t uid = 1001; uid < 1003; uid++) {
        if (next_random() & 1)
            entries[count++] = (struct acl_entry){USER, next_random() & 7, uid};
    }
    entries[count++] = (struct acl_entry){GROUP_CLASS, next_random() & 7, UINT32_MAX};
    for (uint32_t gid = 2001; gid < 2003; gid++) {
        if (next_random() & 1)
            entries[count++] = (struct acl_entry){GROUP, next_random() & 7, gid};
    }
    entries[count++] = (struct acl_entry){MASK, next_random() & 7, UINT32_MAX};
    entries[count++] = (struct acl_entry){OTHER, next_random() & 7, UINT32_MAX};
    set_acl(name, entries, count);
}

static void make_random_files(void)
{
    for (int i = 0; i < FILES; i++) {
        make_file(file_name(i), next_random() & 0777, 1000 + next_random() % 3,
                  2000 + next_random() % 3);
        if (next_random() & 1)
            make_random_acl(file_name(i));
    }
}

Test(credentials, decides_as_the_kernel_does, .init = begin, .fini = private_directory_remove)
{
    static const struct identity identities[] = {
        {.uid = 1000, .gid = 2000},
        {.uid = 1001, .gid = 3000},
        {.uid = 1002, .gid = 2001},
        {.uid = 1003, .gid = 3000, .groups = {2000}, .group_count = 1},
        {.uid = 1003, .gid = 3000, .groups = {4000, 2001, 2002}, .group_count = 3},
        {.uid = 1003, .gid = 3000, .groups = {2000, 2001, 2002, 9}, .group_count = 4},
        {.uid = 1003, .gid = 3000, .capabilities = UINT64_C(1) << CAP_DAC_READ_SEARCH},
        {.uid = 1003, .gid = 3000, .capabilities = UINT64_C(1) << CAP_DAC_OVERRIDE},
        {.uid = 1003, .gid = 3000, .capabilities = UINT64_C(1) << CAP_FOWNER},
        {.uid = 0, .gid = 0},
        {.uid = 0, .gid = 0, .capabilities = UINT64_C(1) << CAP_DAC_OVERRIDE},
    };
    int granted = 0;

    make_random_files();
    for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
        const struct identity *identity = &identities[i];
        bool readable[FILES];
        const pid_t pid = start(identity, readable);

        for (int f = 0; f < FILES; f++) {
            struct credentials credentials = {.thread = (uint64_t)pid,
                                              .uid = identity->uid,
                                              .gid = identity->gid};

            cr_assert_eq(check_as(&credentials, file_name(f)), readable[f] ? 0 : -EACCES,
                         "identity %zu, %s: the kernel %s", i, file_name(f),
                         readable[f] ? "grants" : "denies");
            granted += readable[f];
            credentials_free(&credentials);
        }
        stop(pid);
    }
    cr_assert_gt(granted, FILES);
    cr_assert_lt(granted, 9 * FILES);
}

Test(credentials, first_matching_class_decides, .init = begin, .fini = private_directory_remove)
{
    make_file("all", 0444, 1000, 2000);
    make_file("owner", 0400, 1000, 2000);
    make_file("group", 0040, 1000, 2000);
    make_file("others", 0004, 1000, 2000);
    cr_assert_eq(check_ids("all", 1000, 9), 0);
    cr_assert_eq(check_ids("all", 9, 9), 0);
    cr_assert_eq(check_ids("owner", 1000, 9), 0);
    cr_assert_eq(check_ids("owner", 9, 2000), -EACCES);
    cr_assert_eq(check_ids("group", 1000, 2000), -EACCES);
    cr_assert_eq(check_ids("group", 9, 2000), 0);
    cr_assert_eq(check_ids("group", 9, 9), -EACCES);
    cr_assert_eq(check_ids("others", 1000, 9), -EACCES);
    cr_assert_eq(check_ids("others", 9, 2000), -EACCES);
    cr_assert_eq(check_ids("others", 9, 9), 0);
}

Test(credentials, mask_limits_named_users_and_groups, .init = begin,
     .fini = private_directory_remove)
{
    static const struct acl_entry entries[] = {
        {OWNER_CLASS, 6, UINT32_MAX}, {USER, 4, 1001},  {USER, 0, 1002},
        {GROUP_CLASS, 0, UINT32_MAX}, {GROUP, 4, 2001}, {MASK, 4, UINT32_MAX},
        {OTHER, 4, UINT32_MAX},
    };

    make_file("s", 0644, 1000, 2000);
    set_acl("s", entries, sizeof(entries) / sizeof(entries[0]));
    cr_assert_eq(check_ids("s", 1001, 9), 0);
    cr_assert_eq(check_ids("s", 1002, 9), -EACCES);
    cr_assert_eq(check_ids("s", 1003, 2000), -EACCES);
    cr_assert_eq(check_ids("s", 1003, 2001), 0);
    cr_assert_eq(check_ids("s", 1003, 9), 0);
    /* chmod changes the mask of an ACL, not its group entries. */
    cr_assert_eq(chmod(private_path("s"), 0614), 0);
    cr_assert_eq(check_ids("s", 1001, 9), -EACCES);
    cr_assert_eq(check_ids("s", 1003, 2001), -EACCES);
    cr_assert_eq(check_ids("s", 1003, 9), 0);
}

Test(credentials, long_acl_is_read_to_its_end, .init = begin, .fini = private_directory_remove)
{
    struct acl_entry entries[ACL_LIMIT];
    size_t count = 0;

    entries[count++] = (struct acl_entry){OWNER_CLASS, 6, UINT32_MAX};
    while (count < ACL_LIMIT - 3) {
        entries[count] = (struct acl_entry){USER, 4, 5000 + (uint32_t)count};
        count++;
    }
    entries[count++] = (struct acl_entry){GROUP_CLASS, 0, UINT32_MAX};
    entries[count++] = (struct acl_entry){MASK, 4, UINT32_MAX};
    entries[count++] = (struct acl_entry){OTHER, 0, UINT32_MAX};
    make_file("s", 0640, 1000, 2000);
    set_acl("s", entries, count);
    cr_assert_eq(check_ids("s", 5000 + ACL_LIMIT - 4, 9), 0);
    cr_assert_eq(check_ids("s", 5000 + ACL_LIMIT - 3, 9), -EACCES);
}

Test(credentials, reads_proc_only_if_the_decision_needs_it, .init = begin,
     .fini = private_directory_remove)
{
    struct credentials credentials = {.thread = (uint64_t)getpid(), .uid = 9, .gid = 9};

    make_file("all", 0444, 1000, 2000);
    make_file("group", 0440, 1000, 9);
    make_file("mine", 0400, 9, 2000);
    make_file("others", 0404, 1000, 2000);
    cr_assert_eq(check_as(&credentials, "all"), 0);
    cr_assert_eq(check_as(&credentials, "group"), 0);
    cr_assert_eq(check_as(&credentials, "mine"), 0);
    cr_assert_not(credentials.loaded);
    cr_assert_eq(check_as(&credentials, "others"), 0);
    cr_assert(credentials.loaded);
    credentials_free(&credentials);
}

Test(credentials, thread_of_another_user_grants_nothing, .init = begin,
     .fini = private_directory_remove)
{
    /* This process can read everything, but it is not UID 9. */
    struct credentials credentials = {.thread = (uint64_t)getpid(), .uid = 9, .gid = 9};
    struct credentials ours = {.thread = (uint64_t)getpid(), .uid = 0, .gid = getegid()};
    struct credentials unknown = {.thread = 0, .uid = 0, .gid = 0};

    make_file("s", 0400, 1000, 2000);
    cr_assert_eq(check_as(&credentials, "s"), -EACCES);
    cr_assert_eq(check_as(&ours, "s"), 0);
    cr_assert_eq(check_as(&unknown, "s"), -EACCES);
    credentials_free(&ours);
}

Test(credentials, capabilities_of_another_user_namespace_grant_nothing, .init = begin,
     .fini = private_directory_remove)
{
    const struct identity identity = {.uid = 1003, .gid = 3000, .namespaces = CLONE_NEWUSER};
    struct credentials credentials = {.uid = 1003, .gid = 3000};
    bool readable[FILES];
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) != 0);
    waitpid(pid, &status, 0);
    if (status != 0)
        cr_skip_test("no user namespaces here");
    make_file("s", 0400, 1000, 2000);
    pid = start(&identity, readable);
    credentials.thread = (uint64_t)pid;
    cr_assert_eq(check_as(&credentials, "s"), -EACCES);
    stop(pid);
    credentials_free(&credentials);
}

/* ---- files that change during the check ---- */

static void (*when_acl_is_read)(void);

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
    if (when_acl_is_read)
        when_acl_is_read();
    when_acl_is_read = NULL;
    return syscall(SYS_lgetxattr, path, name, value, size);
}

static void replace_file(void)
{
    char fresh[PATH_MAX + NAME_MAX + 2];

    snprintf(fresh, sizeof(fresh), "%s", private_path("fresh"));
    cr_assert_eq(rename(fresh, private_path("s")), 0);
}

static void close_file(void)
{
    cr_assert_eq(chmod(private_path("s"), 0600), 0);
}

Test(credentials, acl_of_another_file_is_not_used, .init = begin, .fini = private_directory_remove)
{
    static const struct acl_entry open_to_user[] = {
        {OWNER_CLASS, 6, UINT32_MAX}, {USER, 4, 1001},        {GROUP_CLASS, 4, UINT32_MAX},
        {MASK, 4, UINT32_MAX},        {OTHER, 0, UINT32_MAX},
    };

    make_file("s", 0640, 1000, 2000);
    make_file("fresh", 0640, 1001, 2000);
    set_acl("fresh", open_to_user, 5);
    cr_assert_eq(check_ids("s", 1001, 9), -EACCES);
    when_acl_is_read = replace_file;
    cr_assert_eq(check_ids("s", 1001, 9), -ENOENT);
    cr_assert_null(when_acl_is_read);
    cr_assert_eq(check_ids("s", 1001, 9), 0);
}

Test(credentials, mode_that_changes_during_the_check_counts, .init = begin,
     .fini = private_directory_remove)
{
    make_file("s", 0644, 1000, 2000);
    when_acl_is_read = close_file;
    cr_assert_eq(check_ids("s", 9, 9), -EACCES);
    cr_assert_null(when_acl_is_read);
}
