/*
 * value.h - the inline bodies of <kymo/value.h>.
 */
#ifndef KYMO_IMPL_VALUE_H
#define KYMO_IMPL_VALUE_H

#include <kymo/impl/ring.h>
#include <kymo/value.h>

#ifdef __cplusplus
extern "C" {
#endif

KYMO_INLINE int kymo_value_store(struct kymo_writer *writer, const void *data, size_t len,
                                 uint64_t time)
{
    return kymo_ring_publish(writer, data, len, time, 0);
}

KYMO_INLINE int kymo_value_load(const struct kymo_reader *reader, void *buffer, size_t size,
                                struct kymo_record *record)
{
    return kymo_ring_latest(reader, buffer, size, record);
}

KYMO_INLINE int kymo_value_load_wait(const struct kymo_reader *reader, uint64_t seen,
                                     uint64_t deadline, void *buffer, size_t size,
                                     struct kymo_record *record)
{
    int error = kymo_ring_wait(reader, seen, deadline);

    return error ? error : kymo_ring_latest(reader, buffer, size, record);
}

#ifdef __cplusplus
}
#endif

#endif
