/*
 * operation.c - begin, run and end of a request.
 */
#include "operation.h"

#include <errno.h>
#include <stdlib.h>

/* Freed memory that is worth a report, bytes. */
#define FREED_MUCH (UINT64_C(4) << 20)

bool operation_begin(struct operation *operation, fuse_req_t req, fuse_ino_t number)
{
    const struct fuse_ctx *context = fuse_req_ctx(req);
    struct session *session = fuse_req_userdata(req);

    /* Not the whole structure: a name alone is 256 bytes. */
    operation->session = session;
    operation->req = req;
    operation->child.name = NULL;
    operation->request.registry = session->options.registry;
    operation->request.credentials = (struct credentials){.thread = (uint64_t)context->pid,
                                                          .uid = context->uid,
                                                          .gid = context->gid};
    operation->request.budget =
        (struct budget){.charge = {.shares = session->memory, .uid = context->uid}};
    operation->request.segment = NULL;
    operation->request.reader = NULL;
    operation->inode = inode_find(session->inodes, number);
    if (!operation->inode)
        fuse_reply_err(req, ESTALE);
    return operation->inode != NULL;
}

void operation_end(struct operation *operation)
{
    node_release(&operation->request);
    credentials_free(&operation->request.credentials);
    charge_release(&operation->request.budget.charge);
    inode_release(operation->session->inodes, operation->inode);
}

void reply_error(fuse_req_t req, int error)
{
    fuse_reply_err(req, error == -ESTALE || error == -EIDRM ? ENOENT : -error);
}

void operation_fail(struct operation *operation, int error)
{
    reply_error(operation->req, error);
    operation_end(operation);
}

static void report_freed(struct session *session)
{
    if (session->options.memory_freed)
        session->options.memory_freed(session->options.context);
}

/* ---- jobs ---- */

static struct operation *operation_of(struct budget *budget)
{
    return (struct operation *)(void *)((char *)budget -
                                        offsetof(struct operation, request.budget));
}

static int pause_job(struct budget *budget)
{
    struct operation *operation = operation_of(budget);

    bulk_pause(&operation->job);
    return fuse_req_interrupted(operation->req) ? -EINTR : 0;
}

static void run_job(struct bulk_job *job)
{
    struct operation *operation = (struct operation *)job;
    struct session *session = operation->session;

    operation->finish(operation);
    operation_end(operation);
    free(operation);
    report_freed(session);
}

static bool submit(const struct operation *operation)
{
    struct operation *copy = malloc(sizeof(*copy));

    if (!copy)
        return false;
    *copy = *operation;
    if (copy->child.name)
        copy->child.name = copy->name;
    copy->job = (struct bulk_job){.run = run_job, .uid = operation->request.credentials.uid};
    copy->request.budget.pause = pause_job;
    if (bulk_submit(copy->session->bulk, &copy->job) == 0)
        return true;
    free(copy);
    return false;
}

/* Without a thread for the job, the worker does it itself. */
void operation_run(struct operation *operation, bool is_bulk)
{
    if (is_bulk && submit(operation))
        return;
    operation->finish(operation);
    operation_end(operation);
}

void session_note_freed(struct session *session, uint64_t bytes)
{
    const uint64_t before = kymo_fetch_add_relaxed(&session->freed, bytes);

    if (before / FREED_MUCH != (before + bytes) / FREED_MUCH)
        report_freed(session);
}
