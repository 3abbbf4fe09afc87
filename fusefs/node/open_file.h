/*
 * open_file.h - the contents of files: their sizes, opens, reads.
 *
 * An open file has a snapshot, which never changes (K). Opens of an inode share it if it has the
 * version that the file has at that moment; those of a versioned inode always do, while one is open.
 *
 * The kernel looks up a versioned file before each open, since its name is not cached. To report its
 * true size, the lookup makes the content, or measures the records of a history. The open that follows
 * takes over this prepared content, or copies the same records. If the lookup returns another inode than
 * the one that the kernel had, the kernel repeats it at once, and gets the same content.
 */
#ifndef KYMOFS_OPEN_FILE_H
#define KYMOFS_OPEN_FILE_H

#include "inode_table.h"

/* ns for which an open takes over what the lookup before it has found, and getattr what an open has. */
#define PREPARED_LIFE UINT64_C(1000000000)

/* ns for which the same thread's second lookup is a repetition of the first. */
#define REPEAT_LIFE UINT64_C(20000000)

struct snapshot {
    struct inode_content content; /* first; private */
    struct kymo_text text;        /* the content, or */
    struct history *history;      /* rows that are rendered when they are read; NULL: text */
    uint64_t size;                /* bytes */
    uint64_t modified;            /* ns since 1970; 0: as the segment */
    /* Private: */
    struct node_version version;
    uint64_t made;   /* CLOCK_MONOTONIC ns: when the making began */
    uint64_t thread; /* the caller that it was made for */
    uint32_t uid;
    uint32_t gid;
    struct charge charge;
    uint64_t identity; /* equal for equal bytes; never 0 */
    uint32_t references;
};

/* Looks up the resolved file `node` in the directory of `parent` for the kernel. NULL: no memory. */
struct inode *file_look_up(struct inode_table *table, struct inode *parent, const struct node *node,
                           const struct request *request);

/* The size that an open would find now, or if a versioned inode is open, that it has. *modified as in
 * struct snapshot. Content that cannot be made has size 0: open() reports why. 0, or -EINTR. */
int file_size(struct inode_table *table, struct inode *inode, struct request *request,
              bool is_lookup, uint64_t *size, uint64_t *modified);

/* Opens the resolved file. Errors as from its rendering; -ENOENT: an open version of another
 * generation still has the inode. */
int file_open(struct inode_table *table, struct inode *inode, struct request *request,
              struct snapshot **snapshot);
void file_close(struct inode_table *table, struct inode *inode, struct snapshot *snapshot);

/*
 * The bytes of the snapshot from `offset` on, at most `size`: in place, or rendered into `text`.
 * `is_page_cache`: the read fills the inode's page cache, which all opens of the inode use, and which
 * the kernel drops at each open. -EINVAL then: opens with other bytes exist, or the kernel has another
 * size. Callers of sendfile() and splice() then use read(); a mapping gets SIGBUS.
 */
int file_read(struct inode_table *table, struct inode *inode, struct snapshot *snapshot,
              bool is_page_cache, struct budget *budget, uint64_t offset, size_t size,
              struct kymo_text *text, const char **data, size_t *len);

/* Keeps the snapshot until snapshot_release(). A reply needs it: the kernel may close the file as soon
 * as it has the bytes, before the call that sends them returns. Any thread. */
void snapshot_reference(struct inode_table *table, struct snapshot *snapshot);
void snapshot_release(struct inode_table *table, struct snapshot *snapshot);

/* Frees all contents, open or not: at the end of a mount the kernel closes nothing. */
void file_close_all(struct inode_table *table);

#endif
