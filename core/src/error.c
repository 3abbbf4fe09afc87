/*
 * error.c - a sentence for each error: what is wrong, and what to do.
 */
#include "internal.h"

#ifndef KYMO_VERSION
#error "KYMO_VERSION comes from the build"
#endif

static const struct {
    int error;
    const char *text;
} errors[] = {
    {ENODATA, "no record published yet"},
    {ESTALE, "the record has been overwritten: read a newer one, or use a deeper ring"},
    {EIDRM, "this generation was replaced or removed: reopen the segment"},
    {EAGAIN, "lapped by the writer, retries exhausted: try again, or use a deeper ring"},
    {ERANGE, "the closest record is farther than the limit"},
    {EDOM, "the time is outside the history"},
    {ETIME, "the newest record is not fresh enough"},
    {ETIMEDOUT, "the deadline passed"},
    {EBUSY, "another writer is alive: end it first, or use another name"},
    {EBADMSG, "not a kymo segment, or its header is invalid"},
    {EPROTONOSUPPORT, "other layout version, byte order, page or word size"},
    {EMSGSIZE, "larger than the slot"},
    {EINVAL, "an argument is out of its range, or the time went backwards"},
    {ENOTEMPTY, "a queue with records cannot be replaced: consume them first"},
    {EPIPE, "the other end of the queue no longer exists"},
    {ENAMETOOLONG, "the name is longer than 200 bytes"},
    {ENOSPC, "not enough space: remove segments, or use fewer or smaller slots"},
    {EACCES, "permission denied: see the mode and owner of the file"},
    {EPERM, "not permitted: the owner forbids it, or the handle came through fork"},
    {ENOENT, "no such segment"},
    {EEXIST, "a segment of that name exists already"},
    {EOVERFLOW, "the segment would be larger than 2^62 bytes"},
};

const char *kymo_error_text(int error)
{
    int positive = error < 0 ? -error : error;

    if (positive == 0)
        return "success";
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == positive)
            return errors[i].text;
    }
    return strerrordesc_np(positive) ? strerrordesc_np(positive) : "unknown error";
}

const char *kymo_version(void)
{
    return KYMO_VERSION;
}
