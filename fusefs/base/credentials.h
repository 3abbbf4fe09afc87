/*
 * credentials.h - the caller of a request, and the one function that decides what it may read (K: the
 * same to every caller that may read it).
 *
 * The kernel gives the thread ID, user and group of a caller with each request. Supplementary groups
 * and capabilities are read from /proc/TID/status, and only if the decision depends on them. Used by
 * one thread at a time.
 */
#ifndef KYMOFS_CREDENTIALS_H
#define KYMOFS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Begin with thread, uid and gid set and all else zero. */
struct credentials {
    uint64_t thread; /* TID in this daemon's PID namespace; 0: another namespace */
    uint32_t uid;    /* fsuid and fsgid */
    uint32_t gid;
    /* Set by credentials_load(): */
    bool loaded;
    bool reads_all; /* CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH in our user namespace */
    uint32_t *groups;
    size_t group_count;
};

/* Reads groups and capabilities while the caller still waits for the reply. What cannot be read is
 * not granted. The second call does nothing. */
void credentials_load(struct credentials *credentials);
void credentials_free(struct credentials *credentials);

/*
 * Returns 0 if the caller has `permission`, S_IROTH or S_IXOTH or both, on the file at `path` of
 * which lstat() returned `status`, else -EACCES. Evaluates mode bits and POSIX access ACL in the
 * order of acl(5). The link itself is checked, not its target. -ENOENT: the decision depends on the
 * ACL, and another file has the path by now.
 */
int credentials_check(struct credentials *credentials, const char *path, const struct stat *status,
                      mode_t permission);

#endif
