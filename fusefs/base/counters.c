/*
 * counters.c - events since the daemon started.
 *
 * Each request adds to one word that several processors share: cheap beside its system calls.
 */
#include "counters.h"

#include <linux/fuse.h>
#include <stddef.h>

#include <kymo/atomic.h>

static uint64_t counters[COUNTER_COUNT];
static uint64_t requests[COUNTER_OPCODES];

/* <linux/fuse.h> before Linux 5.14, 6.2 and 6.6 lacks them. */
enum { OPCODE_SYNCFS = 50, OPCODE_TMPFILE = 51, OPCODE_STATX = 52 };

static const char *const names[COUNTER_OPCODES] = {
    [FUSE_LOOKUP] = "lookup",
    [FUSE_FORGET] = "forget",
    [FUSE_GETATTR] = "getattr",
    [FUSE_SETATTR] = "setattr",
    [FUSE_READLINK] = "readlink",
    [FUSE_SYMLINK] = "symlink",
    [FUSE_MKNOD] = "mknod",
    [FUSE_MKDIR] = "mkdir",
    [FUSE_UNLINK] = "unlink",
    [FUSE_RMDIR] = "rmdir",
    [FUSE_RENAME] = "rename",
    [FUSE_LINK] = "link",
    [FUSE_OPEN] = "open",
    [FUSE_READ] = "read",
    [FUSE_WRITE] = "write",
    [FUSE_STATFS] = "statfs",
    [FUSE_RELEASE] = "release",
    [FUSE_FSYNC] = "fsync",
    [FUSE_SETXATTR] = "setxattr",
    [FUSE_GETXATTR] = "getxattr",
    [FUSE_LISTXATTR] = "listxattr",
    [FUSE_REMOVEXATTR] = "removexattr",
    [FUSE_FLUSH] = "flush",
    [FUSE_INIT] = "init",
    [FUSE_OPENDIR] = "opendir",
    [FUSE_READDIR] = "readdir",
    [FUSE_RELEASEDIR] = "releasedir",
    [FUSE_FSYNCDIR] = "fsyncdir",
    [FUSE_GETLK] = "getlk",
    [FUSE_SETLK] = "setlk",
    [FUSE_SETLKW] = "setlkw",
    [FUSE_ACCESS] = "access",
    [FUSE_CREATE] = "create",
    [FUSE_INTERRUPT] = "interrupt",
    [FUSE_BMAP] = "bmap",
    [FUSE_DESTROY] = "destroy",
    [FUSE_IOCTL] = "ioctl",
    [FUSE_POLL] = "poll",
    [FUSE_BATCH_FORGET] = "batch_forget",
    [FUSE_FALLOCATE] = "fallocate",
    [FUSE_READDIRPLUS] = "readdirplus",
    [FUSE_RENAME2] = "rename2",
    [FUSE_LSEEK] = "lseek",
    [FUSE_COPY_FILE_RANGE] = "copy_file_range",
    [OPCODE_SYNCFS] = "syncfs",
    [OPCODE_TMPFILE] = "tmpfile",
    [OPCODE_STATX] = "statx",
};

void counter_add(enum counter counter, uint64_t count)
{
    kymo_fetch_add_relaxed(&counters[counter], count);
}

void counter_sub(enum counter counter, uint64_t count)
{
    kymo_fetch_add_relaxed(&counters[counter], 0 - count);
}

uint64_t counter_value(enum counter counter)
{
    return kymo_load_relaxed(&counters[counter]);
}

void counter_add_request(uint32_t opcode)
{
    kymo_fetch_add_relaxed(&requests[opcode < COUNTER_OPCODES ? opcode : 0], 1);
}

uint64_t counter_requests(uint32_t opcode)
{
    return opcode < COUNTER_OPCODES ? kymo_load_relaxed(&requests[opcode]) : 0;
}

const char *counter_request_name(uint32_t opcode)
{
    return opcode < COUNTER_OPCODES ? names[opcode] : NULL;
}
