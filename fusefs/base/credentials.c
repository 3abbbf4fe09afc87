/*
 * credentials.c - mode bits and access ACL; groups and capabilities from /proc/TID/status.
 *
 * A caller's thread waits in the kernel for its reply, so that its TID is not reused during the
 * request. User and group in the status file are compared all the same: /proc may show another PID
 * namespace than the one in which the kernel numbers our callers.
 */
#include "credentials.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- /proc/TID/status ---- */

/* Bits of <linux/capability.h>; either is enough to read any file and search any directory. */
#define DAC_OVERRIDE    (UINT64_C(1) << 1)
#define DAC_READ_SEARCH (UINT64_C(1) << 2)

static bool proc_shows_our_namespace(void)
{
    char target[32] = "";

    return readlink("/proc/self", target, sizeof(target) - 1) > 0 &&
           strtoll(target, NULL, 10) == getpid();
}

static void parse_groups(struct credentials *found, const char *text)
{
    /* Each takes two characters at least. */
    uint32_t *groups = calloc(strlen(text) / 2 + 1, sizeof(*groups));
    char *end;

    if (!groups)
        return;
    for (unsigned long group = strtoul(text, &end, 10); end != text;
         group = strtoul(text, &end, 10)) {
        groups[found->group_count++] = (uint32_t)group;
        text = end;
    }
    found->groups = groups;
}

/* The last number of Uid and Gid is that of the file system. Returns whether the thread exists. */
static bool read_status(uint64_t thread, struct credentials *found)
{
    unsigned long long capabilities;
    char path[64];
    char *line = NULL;
    size_t size = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%llu/status", (unsigned long long)thread);
    file = fopen(path, "re");
    if (!file)
        return false;
    while (getline(&line, &size, file) > 0) {
        sscanf(line, "Uid: %*u %*u %*u %u", &found->uid);
        sscanf(line, "Gid: %*u %*u %*u %u", &found->gid);
        if (sscanf(line, "CapEff: %llx", &capabilities) == 1)
            found->reads_all = capabilities & (DAC_OVERRIDE | DAC_READ_SEARCH);
        if (strncmp(line, "Groups:", 7) == 0 && !found->groups)
            parse_groups(found, line + 7);
    }
    free(line);
    fclose(file);
    return true;
}

/* Capabilities count in a user namespace, and any user may have all of them in a new one. If the
 * caller's namespace cannot be read, UID 0 is sufficient: the kernel translated it into the mount's
 * namespace. */
static bool is_in_our_user_namespace(const struct credentials *credentials)
{
    struct stat ours, theirs;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%llu/ns/user", (unsigned long long)credentials->thread);
    if (stat(path, &theirs) != 0)
        return credentials->uid == 0;
    return stat("/proc/self/ns/user", &ours) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

void credentials_load(struct credentials *credentials)
{
    struct credentials found = {.uid = UINT32_MAX, .gid = UINT32_MAX};

    if (credentials->loaded)
        return;
    credentials->loaded = true;
    if (credentials->thread == 0 || !proc_shows_our_namespace() ||
        !read_status(credentials->thread, &found))
        return;
    if (found.uid != credentials->uid || found.gid != credentials->gid) {
        free(found.groups);
        return;
    }
    credentials->groups = found.groups;
    credentials->group_count = found.group_count;
    credentials->reads_all = found.reads_all && is_in_our_user_namespace(credentials);
}

void credentials_free(struct credentials *credentials)
{
    free(credentials->groups);
    credentials->groups = NULL;
    credentials->group_count = 0;
    credentials->loaded = credentials->reads_all = false;
}

static bool is_in_group(struct credentials *credentials, uint32_t group)
{
    if (credentials->gid == group)
        return true;
    credentials_load(credentials);
    for (size_t i = 0; i < credentials->group_count; i++) {
        if (credentials->groups[i] == group)
            return true;
    }
    return false;
}

/* ---- the access ACL ---- */

/* As in <linux/posix_acl_xattr.h>, which is little-endian. */
#define ACL_VERSION 2
enum { ACL_USER = 0x02, ACL_GROUP_OBJ = 0x04, ACL_GROUP = 0x08, ACL_MASK = 0x10, ACL_OTHER = 0x20 };

struct acl_entry {
    uint16_t tag;
    uint16_t bits;
    uint32_t id;
};

struct acl {
    uint32_t version;
    struct acl_entry entries[8191]; /* of at most 64 KiB, the limit of an attribute */
};

/* Returns the number of entries; 0: the file has no ACL, and its mode says all. Negative: errno. */
static ssize_t read_acl(const char *path, struct acl *acl)
{
    static const char name[] = "system.posix_acl_access";
    size_t count;
    /* The kernel clears a buffer of the size that it is given. */
    ssize_t len = lgetxattr(path, name, acl, 512);

    if (len < 0 && errno == ERANGE)
        len = lgetxattr(path, name, acl, sizeof(*acl));
    if (len < 0)
        return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
    if ((size_t)len < sizeof(acl->version) || le32toh(acl->version) != ACL_VERSION)
        return -EIO;
    count = ((size_t)len - sizeof(acl->version)) / sizeof(acl->entries[0]);
    for (size_t i = 0; i < count; i++) {
        struct acl_entry *entry = &acl->entries[i];

        *entry = (struct acl_entry){le16toh(entry->tag), le16toh(entry->bits), le32toh(entry->id)};
    }
    return (ssize_t)count;
}

/* The mode as an ACL. */
static ssize_t acl_of_mode(mode_t mode, struct acl *acl)
{
    acl->entries[0] = (struct acl_entry){ACL_GROUP_OBJ, (uint16_t)(mode >> 3 & 7), 0};
    acl->entries[1] = (struct acl_entry){ACL_OTHER, (uint16_t)(mode & 7), 0};
    return 2;
}

/* What the ACL grants to a caller that is not the owner. Needs the caller's groups only if one group
 * has the permission and another one, or the rest of the world, does not. */
static bool acl_grants(struct credentials *credentials, const struct acl *acl, ssize_t count,
                       const struct stat *status, mode_t permission)
{
    mode_t mask = 7;
    bool other = false, all = true, any = false, matches = false;

    for (ssize_t i = 0; i < count; i++) {
        mask = acl->entries[i].tag == ACL_MASK ? acl->entries[i].bits : mask;
        if (acl->entries[i].tag == ACL_OTHER)
            other = (acl->entries[i].bits & permission) == permission;
    }
    for (ssize_t i = 0; i < count; i++) {
        const struct acl_entry *entry = &acl->entries[i];
        const bool granted = (entry->bits & mask & permission) == permission;

        if (entry->tag == ACL_USER && entry->id == credentials->uid)
            return granted;
        if (entry->tag == ACL_GROUP_OBJ || entry->tag == ACL_GROUP) {
            all &= granted;
            any |= granted;
        }
    }
    if (other ? all : !any)
        return other;
    for (ssize_t i = 0; i < count; i++) {
        const struct acl_entry *entry = &acl->entries[i];
        const uint32_t group = entry->tag == ACL_GROUP_OBJ ? status->st_gid : entry->id;

        if ((entry->tag == ACL_GROUP_OBJ || entry->tag == ACL_GROUP) &&
            is_in_group(credentials, group)) {
            if ((entry->bits & mask & permission) == permission)
                return true;
            matches = true;
        }
    }
    return !matches && other;
}

/* ---- the decision ---- */

/* Mode and ACL are read one after the other: 0 once the mode was the same before and after. */
static int check_group_class(struct credentials *credentials, const char *path,
                             const struct stat *status, mode_t permission, struct acl *acl)
{
    struct stat before = *status, after;

    for (int tries = 0; tries < 8; tries++, before = after) {
        /* As Linux does: an ACL with an empty mask is ignored, also its named users. */
        ssize_t count = before.st_mode & S_IRWXG ? read_acl(path, acl) : 0;
        bool granted;

        if (count == -ENOENT || lstat(path, &after) != 0 || after.st_dev != status->st_dev ||
            after.st_ino != status->st_ino)
            return -ENOENT;
        if (count == 0)
            count = acl_of_mode(before.st_mode, acl);
        granted = count > 0 && acl_grants(credentials, acl, count, &before, permission);
        if (after.st_mode == before.st_mode && after.st_gid == before.st_gid)
            return granted ? 0 : -EACCES;
    }
    return -EACCES;
}

int credentials_check(struct credentials *credentials, const char *path, const struct stat *status,
                      mode_t permission)
{
    const mode_t mode = status->st_mode;
    struct acl *acl;
    int error = -EACCES;

    if (credentials->uid == status->st_uid) {
        error = (mode >> 6 & permission) == permission ? 0 : -EACCES;
    } else if ((mode & permission) == permission || (mode >> 3 & permission) == permission) {
        /* Group bits are the mask of an ACL: if neither they nor the others' suffice, no ACL does. */
        acl = malloc(sizeof(*acl));
        if (acl)
            error = check_group_class(credentials, path, status, permission, acl);
        free(acl);
    }
    if (error == -EACCES) {
        credentials_load(credentials);
        if (credentials->reads_all)
            error = 0;
    }
    return error;
}
