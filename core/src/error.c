/*
 * error.c - a sentence for each error: all causes that functions have for it, and what to do.
 */
#include "internal.h"

#ifndef KYMO_VERSION
#error "KYMO_VERSION comes from the build"
#endif

static const struct {
    int error;
    const char *text;
} errors[] = {
    {ENODATA, "no record yet"},
    {ESTALE, "the record has been overwritten: read a newer one, or use a deeper ring"},
    {EIDRM, "this generation was replaced or removed: reopen the segment"},
    {EAGAIN, "not yet possible, overwritten or replaced during each attempt, or the queue is full: "
             "try again"},
    {ERANGE, "the closest record is farther than the limit, or the time is out of its range"},
    {EDOM, "the time is before the oldest record, or after the newest"},
    {ETIME, "the newest record is older than required, or too far ahead of the clock: wait for "
            "another one"},
    {ENOMSG, "no record has this key: it lies between those of two records, or before the first"},
    {ETIMEDOUT, "the deadline passed"},
    {EBUSY, "another writer or consumer is alive: end it first, or use another name"},
    {EBADMSG, "not a kymo segment, or a damaged one"},
    {EPROTONOSUPPORT,
     "another layout version, byte order, page or word size, or records of another type"},
    {EMSGSIZE, "larger than the slot or the buffer, or not of the size of the type"},
    {EINVAL, "an argument is out of its range, or the time went backwards"},
    {ENOTEMPTY, "a queue with records cannot be replaced: consume them, or remove the segment"},
    {EPIPE, "the other end of the queue no longer exists"},
    {ENAMETOOLONG, "the name is longer than 200 bytes"},
    {ENOSPC, "no space or no position is left: remove segments, or use fewer or smaller slots"},
    {ENOMEM, "no memory or address space is left: use fewer or smaller slots, or raise the limits"},
    {EACCES, "permission denied: see the mode and owner of the file"},
    {EPERM, "not permitted: only the owner may do this, or the handle was inherited by fork"},
    {ENOENT, "no such segment"},
    {EEXIST, "a segment of that name exists, or its layout differs"},
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
    return strerror(positive);
}

const char *kymo_version(void)
{
    return KYMO_VERSION;
}
