/*
 * counters.c - what the daemon has done so far.
 *
 * Each request adds to one word. Several processors share the words; next to the system calls of a
 * request that is nothing.
 */
#include "counters.h"

#include <linux/fuse.h>
#include <stddef.h>

#include <kymo/atomic.h>

static uint64_t counters[COUNTER_COUNT];
static uint64_t requests[COUNTER_OPCODES];

static const char *const names[COUNTER_OPCODES] = {
    [FUSE_LOOKUP] = "lookup",
    [FUSE_FORGET] = "forget",
    [FUSE_GETATTR] = "getattr",
    [FUSE_SETATTR] = "setattr",
    [FUSE_READLINK] = "readlink",
    [FUSE_MKDIR] = "mkdir",
    [FUSE_UNLINK] = "unlink",
    [FUSE_RMDIR] = "rmdir",
    [FUSE_RENAME] = "rename",
    [FUSE_OPEN] = "open",
    [FUSE_READ] = "read",
    [FUSE_WRITE] = "write",
    [FUSE_STATFS] = "statfs",
    [FUSE_RELEASE] = "release",
    [FUSE_FSYNC] = "fsync",
    [FUSE_GETXATTR] = "getxattr",
    [FUSE_LISTXATTR] = "listxattr",
    [FUSE_FLUSH] = "flush",
    [FUSE_INIT] = "init",
    [FUSE_OPENDIR] = "opendir",
    [FUSE_READDIR] = "readdir",
    [FUSE_RELEASEDIR] = "releasedir",
    [FUSE_ACCESS] = "access",
    [FUSE_CREATE] = "create",
    [FUSE_INTERRUPT] = "interrupt",
    [FUSE_DESTROY] = "destroy",
    [FUSE_IOCTL] = "ioctl",
    [FUSE_POLL] = "poll",
    [FUSE_BATCH_FORGET] = "batch_forget",
    [FUSE_READDIRPLUS] = "readdirplus",
    [FUSE_LSEEK] = "lseek",
    [FUSE_COPY_FILE_RANGE] = "copy_file_range",
};

void counter_add(enum counter counter, uint64_t count)
{
    kymo_fetch_add_relaxed(&counters[counter], count);
}

void counter_take(enum counter counter, uint64_t count)
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
