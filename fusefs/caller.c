/*
 * caller.c - supplementary groups and capabilities, from /proc/THREAD/status.
 *
 * The thread waits in the kernel until its request is answered, so that its number is not given to
 * another one meanwhile. That it is the thread meant is checked all the same: /proc may count
 * processes of another namespace than the kernel does when it numbers callers for us.
 */
#include "caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry.h"

/* As in <linux/capability.h>; either is enough to read any file. */
#define CAN_OVERRIDE    (UINT64_C(1) << 1) /* CAP_DAC_OVERRIDE */
#define CAN_READ_SEARCH (UINT64_C(1) << 2) /* CAP_DAC_READ_SEARCH */

/* What a status file says. */
struct status {
    uint32_t uid;
    uint32_t gid;
    uint64_t capabilities;
    uint32_t *groups;
    size_t count;
};

/* Whether /proc numbers processes as our own namespace does. */
static bool proc_is_ours(void)
{
    char target[32] = "";

    return readlink("/proc/self", target, sizeof(target) - 1) > 0 &&
           strtoll(target, NULL, 10) == getpid();
}

static void take_groups(struct status *status, const char *at)
{
    /* Each takes two characters at least. */
    uint32_t *groups = calloc(strlen(at) / 2 + 1, sizeof(*groups));
    char *end;

    if (!groups)
        return;
    for (unsigned long group = strtoul(at, &end, 10); end != at; group = strtoul(at, &end, 10)) {
        groups[status->count++] = (uint32_t)group;
        at = end;
    }
    status->groups = groups;
}

/* The last of "real, effective, saved, file system". */
static uint32_t last_of_four(const char *at)
{
    char *end;
    unsigned long number = UINT32_MAX;

    for (int i = 0; i < 4; i++) {
        number = strtoul(at, &end, 10);
        at = end;
    }
    return (uint32_t)number;
}

static void take_line(struct status *status, const char *line)
{
    if (strncmp(line, "Uid:", 4) == 0)
        status->uid = last_of_four(line + 4);
    else if (strncmp(line, "Gid:", 4) == 0)
        status->gid = last_of_four(line + 4);
    else if (strncmp(line, "CapEff:", 7) == 0)
        status->capabilities = strtoull(line + 7, NULL, 16);
    else if (strncmp(line, "Groups:", 7) == 0 && !status->groups)
        take_groups(status, line + 7);
}

/* Returns whether there is such a thread. */
static bool status_read(struct status *status, uint64_t thread)
{
    char path[64];
    char *line = NULL;
    size_t size = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%llu/status", (unsigned long long)thread);
    file = fopen(path, "re");
    if (!file)
        return false;
    while (getline(&line, &size, file) > 0)
        take_line(status, line);
    free(line);
    fclose(file);
    return true;
}

/*
 * Capabilities count in a user namespace; anybody can have all of them in one of his own. Where we
 * may not look which one it is, root is believed: the kernel has named him in the mount's namespace.
 */
static bool same_users(const struct caller *caller)
{
    struct stat ours, his;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%llu/ns/user", (unsigned long long)caller->thread);
    if (stat(path, &his) != 0)
        return caller->uid == 0;
    return stat("/proc/self/ns/user", &ours) == 0 && ours.st_dev == his.st_dev &&
           ours.st_ino == his.st_ino;
}

void rights_find(struct rights *rights, const struct caller *caller)
{
    struct status status = {.uid = UINT32_MAX, .gid = UINT32_MAX};

    *rights = (struct rights){.caller = *caller};
    if (caller->thread == 0 || !proc_is_ours() || !status_read(&status, caller->thread))
        return;
    if (status.uid != caller->uid || status.gid != caller->gid) {
        free(status.groups);
        return;
    }
    rights->groups = status.groups;
    rights->count = status.count;
    rights->everything =
        status.capabilities & (CAN_OVERRIDE | CAN_READ_SEARCH) && same_users(caller);
}

void rights_free(struct rights *rights)
{
    free(rights->groups);
}

static bool in_group(const struct rights *rights, uint32_t group)
{
    if (rights->caller.gid == group)
        return true;
    for (size_t i = 0; i < rights->count; i++) {
        if (rights->groups[i] == group)
            return true;
    }
    return false;
}

/* As the kernel does: the first class that fits decides. */
bool rights_may_read(const struct rights *rights, const struct segment *segment)
{
    const uint32_t mode = kymo_load_relaxed32(&segment->mode);

    if (rights->everything)
        return true;
    if (rights->caller.uid == kymo_load_relaxed32(&segment->uid))
        return mode & 0400;
    if (in_group(rights, kymo_load_relaxed32(&segment->gid)))
        return mode & 0040;
    return mode & 0004;
}
