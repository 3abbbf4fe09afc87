/*
 * error.c - errors in words: what is wrong, and what to do.
 */
#include "internal.h"

#ifndef KYMO_VERSION
#error "KYMO_VERSION comes from the build"
#endif

static const struct {
    int error;
    const char *text;
} errors[] = {
    {ENODATA, "nothing has been published there yet"},
    {ESTALE, "that record has been overwritten; ask for a newer one, or use a deeper ring"},
    {EIDRM, "this generation was replaced or removed; open the segment again"},
    {EAGAIN, "the writer kept overtaking; try again, or use a deeper ring"},
    {ERANGE, "the closest record is farther away than the limit"},
    {EDOM, "the time lies outside the history"},
    {ETIME, "the newest record is older than asked for"},
    {ETIMEDOUT, "nothing came before the deadline"},
    {EBUSY, "another writer is alive; end it first, or use another name"},
    {EBADMSG, "not a kymo segment, or a damaged one"},
    {EPROTONOSUPPORT, "made by another layout version or another kind of machine"},
    {EMSGSIZE, "the record is larger than the room for it"},
    {EINVAL, "an argument is out of its range, or time went backwards"},
    {EPIPE, "the other end of the queue is gone"},
    {ENAMETOOLONG, "the name is longer than 200 bytes"},
    {ENOSPC, "not enough room; remove segments, or use fewer or smaller slots"},
    {EACCES, "permission denied; see the mode and owner of the file"},
    {EPERM, "not permitted; a writer belongs to the process that opened it"},
    {ENOENT, "there is no such segment"},
    {EEXIST, "a segment of that name exists already"},
    {EOVERFLOW, "the segment would be larger than any file can be"},
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
