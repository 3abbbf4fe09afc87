/*
 * segment.h - the inline bodies of <kymo/segment.h>: open with the layout version that the caller
 * was compiled with.
 */
#ifndef KYMO_IMPL_SEGMENT_H
#define KYMO_IMPL_SEGMENT_H

#include <kymo/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

KYMO_EXPORT int kymo_impl_writer_open(struct kymo_writer **writer, const char *name,
                                      const struct kymo_options *options, uint32_t major,
                                      struct kymo_diagnostic *diagnostic);
KYMO_EXPORT int kymo_impl_reader_open(struct kymo_reader **reader, const char *name, uint32_t major,
                                      struct kymo_diagnostic *diagnostic);

KYMO_INLINE uint64_t kymo_origin_pos(const struct kymo_origin *origin, uint64_t first, uint64_t pos,
                                     uint32_t flags)
{
    const uint64_t ahead = origin->first - first;

    const uint32_t gaps = flags - KYMO_IMPL_CAST(uint32_t, ahead);

    return pos + ahead + gaps;
}

KYMO_INLINE int kymo_writer_open(struct kymo_writer **writer, const char *name,
                                 const struct kymo_options *options)
{
    return kymo_impl_writer_open(writer, name, options, KYMO_LAYOUT_MAJOR, KYMO_IMPL_NULL);
}

KYMO_INLINE int kymo_writer_open_diagnosed(struct kymo_writer **writer, const char *name,
                                           const struct kymo_options *options,
                                           struct kymo_diagnostic *diagnostic)
{
    return kymo_impl_writer_open(writer, name, options, KYMO_LAYOUT_MAJOR, diagnostic);
}

KYMO_INLINE int kymo_reader_open(struct kymo_reader **reader, const char *name)
{
    return kymo_impl_reader_open(reader, name, KYMO_LAYOUT_MAJOR, KYMO_IMPL_NULL);
}

KYMO_INLINE int kymo_reader_open_diagnosed(struct kymo_reader **reader, const char *name,
                                           struct kymo_diagnostic *diagnostic)
{
    return kymo_impl_reader_open(reader, name, KYMO_LAYOUT_MAJOR, diagnostic);
}

#ifdef __cplusplus
}
#endif

#endif
