/*
 * operation.h - one request of the kernel on its way: on the stack of the worker that received it, or
 * as a job if its work is proportional to many records or segments. Only fuse/ includes it.
 *
 *     session.c      the session and its table of operations
 *     names.c  files.c  directories.c   one function per operation
 *     operation.c    begin, run or submit, end
 */
#ifndef KYMOFS_OPERATION_H
#define KYMOFS_OPERATION_H

#include <fuse_lowlevel.h>
#include <pthread.h>

#include "base/bulk.h"
#include "node/open_file.h"
#include "session.h"
#include "stream/stream.h"

/* Memory of open files and of what is rendered for them, bytes, shared by the callers' users. */
#define SESSION_MEMORY (UINT64_C(1) << 30)

struct directory;

struct session {
    struct fuse_session *fuse;
    struct session_options options;
    struct inode_table *inodes;
    struct streams *streams;
    struct bulk *bulk;
    struct shares *memory;
    uint64_t freed; /* bytes, ever */
    pthread_mutex_t lock;
    struct directory *directories; /* all open ones, under the lock */
};

struct operation {
    struct bulk_job job; /* first */
    struct session *session;
    fuse_req_t req;
    struct inode *inode; /* referenced */
    struct request request;
    void (*finish)(struct operation *operation); /* replies */
    /* Arguments: */
    struct fuse_file_info file;
    size_t size;
    off_t offset;
    struct node child; /* of a lookup; its name is `name` */
    char name[NODE_NAME_LIMIT + 1];
};

/* Finds the inode. Returns false if it is unknown: the reply is ESTALE, upon which the kernel looks
 * the path up again. */
bool operation_begin(struct operation *operation, fuse_req_t req, fuse_ino_t number);

/* Calls operation->finish and ends the operation: at once, or as a job. */
void operation_run(struct operation *operation, bool is_bulk);

/* Replies with an error, and ends the operation. */
void operation_fail(struct operation *operation, int error);

/* For operation->finish. -ESTALE and -EIDRM of the library become ENOENT: the kernel would repeat the
 * request. */
void reply_error(fuse_req_t req, int error);

/* Frees what the operation holds, after the reply. */
void operation_end(struct operation *operation);

/* Notes that memory was freed, and reports much of it. */
void session_note_freed(struct session *session, uint64_t bytes);

/* ---- names.c ---- */

void operate_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void operate_forget(fuse_req_t req, fuse_ino_t number, uint64_t count);
void operate_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void operate_getattr(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file);
void operate_access(fuse_req_t req, fuse_ino_t number, int mask);
void operate_readlink(fuse_req_t req, fuse_ino_t number);

/* ---- files.c ---- */

void operate_open(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file);
void operate_read(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
                  struct fuse_file_info *file);
void operate_poll(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file,
                  struct fuse_pollhandle *handle);
void operate_release(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file);

/* ---- directories.c ---- */

void operate_opendir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file);
void operate_readdir(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
                     struct fuse_file_info *file);
void operate_releasedir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *file);
/* At the end of a mount the kernel closes nothing. */
void directories_close_all(struct session *session);

#endif
