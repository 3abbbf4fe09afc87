/*
 * mount.h - what comes before mounting: the place, what an earlier daemon left there, and going
 * into the background.
 */
#ifndef KYMOFS_MOUNT_H
#define KYMOFS_MOUNT_H

/* The type under which /proc/mounts has us. */
#define MOUNT_TYPE "fuse.kymofs"

/* The mount point as an absolute path, to be freed; NULL where it can't be one, with errno. A mount
 * whose daemon has died does not hinder it. */
char *mount_point_resolve(const char *path);

/*
 * Takes down what a kymofs that was killed left at the mount point. 0. -EBUSY: a kymofs lives
 * there. -ENOTCONN: something of another kind has died there. -ETIMEDOUT: what is there does not answer
 * for seconds. -EPERM: it could not be taken down.
 */
int mount_point_clear(const char *point);

/*
 * Goes into the background: the caller returns in a child, with a descriptor for mount_ready; the
 * parent waits for that and exits with 0, or with the child's status where that ends before. Returns a negative
 * errno where there is no child.
 */
int mount_background(void);

/* Lets the parent go, and whoever reads our output: from here on nobody hears us. */
void mount_ready(int descriptor);

#endif
