/*
 * mount.h - before the mount: descriptors, the mount point, stale mounts, the background.
 */
#ifndef KYMOFS_MOUNT_H
#define KYMOFS_MOUNT_H

/* The type in /proc/mounts. */
#define MOUNT_TYPE "fuse.kymofs"

/* Opens /dev/null for those of descriptors 0, 1, 2 that are closed: no descriptor of the daemon may be
 * taken for standard output. 0, or a negative errno. */
int mount_open_standard_descriptors(void);

/* The absolute path of the mount point, to be freed; NULL with errno if it cannot be one. It may be
 * covered by a mount whose daemon no longer exists. */
char *mount_point_resolve(const char *path);

/*
 * Unmounts what a killed kymofs left at the mount point. 0. -ENOTDIR: it is not a directory. -EBUSY:
 * a kymofs is running there. -ENOTCONN: a dead file system of another type. -ETIMEDOUT: the file system there does not reply
 * within 3 s. -EPERM: the unmount failed.
 */
int mount_point_clear(const char *point);
const char *mount_error_text(int error);

/*
 * Goes into the background: returns in a child with a descriptor for mount_ready(). The parent waits
 * for that and exits with 0, or with the child's status if that exits before. A negative errno: there
 * is no child.
 */
int mount_background(void);

/* The parent exits with 0, and standard descriptors are redirected to /dev/null. */
void mount_ready(int descriptor);

#endif
