/*
 * typed.h - the functions that the macros of <kymo/typed.h> define.
 */
#ifndef KYMO_IMPL_TYPED_H
#define KYMO_IMPL_TYPED_H

#include <kymo/queue.h>
#include <kymo/typed.h>

#ifdef __cplusplus
#include <type_traits>
extern "C" {
#endif

/* What open compares a segment with. */
struct kymo_impl_type {
    uint32_t size;                    /* bytes */
    uint32_t alignment;               /* bytes */
    const struct kymo_schema *schema; /* NULL: any */
    const char *name;                 /* of the C type, for kymo_type_id; NULL: unknown */
    int is_queue;                     /* 1: the segment must be a queue */
};

KYMO_EXPORT int kymo_impl_typed_writer_open(struct kymo_writer **writer, const char *name,
                                            const struct kymo_options *options,
                                            const struct kymo_impl_type *type, uint32_t major,
                                            struct kymo_diagnostic *diagnostic);
KYMO_EXPORT int kymo_impl_typed_reader_open(struct kymo_reader **reader, const char *name,
                                            const struct kymo_impl_type *type, uint32_t major,
                                            struct kymo_diagnostic *diagnostic);
KYMO_EXPORT int kymo_impl_typed_consumer_open(struct kymo_consumer **consumer, const char *name,
                                              const struct kymo_impl_type *type, uint32_t major,
                                              struct kymo_diagnostic *diagnostic);

/* The end of every typed read: copies *found to *record, and rejects a record of another length. */
KYMO_INLINE int kymo_impl_typed_end(int error, size_t size, const struct kymo_record *found,
                                    struct kymo_record *record)
{
    if (KYMO_UNLIKELY(error && error != -EMSGSIZE))
        return error;
    if (record)
        *record = *found;
    return KYMO_LIKELY(found->len == size) ? error : -EMSGSIZE;
}

#ifdef __cplusplus
}

#define KYMO_IMPL_TYPED_ALIGNMENT(type) alignof(type)
#define KYMO_IMPL_TYPED_IS_PLAIN(type)  std::is_trivially_copyable<type>::value
#else
#define KYMO_IMPL_TYPED_ALIGNMENT(type) _Alignof(type)
#define KYMO_IMPL_TYPED_IS_PLAIN(type)  1
#endif

/* flatten: compile the inline bodies into each typed function, with its constants. */
#define KYMO_IMPL_TYPED static inline __attribute__((unused, flatten))

#define KYMO_IMPL_RING_TYPE_OF(name, type, schema) \
    KYMO_IMPL_TYPED_CHECKS(type);                  \
    KYMO_IMPL_TYPED_HANDLE(name, writer)           \
    KYMO_IMPL_TYPED_HANDLE(name, reader)           \
    KYMO_IMPL_TYPED_HANDLE(name, cursor)           \
    KYMO_IMPL_TYPED_WRITER(name, type, schema, 0)  \
    KYMO_IMPL_TYPED_READER(name, type, schema, 0)  \
    KYMO_IMPL_TYPED_WRITES(name, type)             \
    KYMO_IMPL_TYPED_READS(name, type)              \
    KYMO_IMPL_TYPED_VIEW(name, type)               \
    KYMO_IMPL_TYPED_VIEWS(name, type)              \
    KYMO_IMPL_TYPED_CURSORS(name, type)            \
    KYMO_IMPL_TYPED_QUERIES(name, type)            \
    static_assert(1, "end the macro with a semicolon")

#define KYMO_IMPL_QUEUE_TYPE_OF(name, type, schema) \
    KYMO_IMPL_TYPED_CHECKS(type);                   \
    KYMO_IMPL_TYPED_HANDLE(name, writer)            \
    KYMO_IMPL_TYPED_HANDLE(name, consumer)          \
    KYMO_IMPL_TYPED_WRITER(name, type, schema, 1)   \
    KYMO_IMPL_TYPED_CONSUMER(name, type, schema, 1) \
    KYMO_IMPL_TYPED_WRITES(name, type)              \
    KYMO_IMPL_TYPED_VIEW(name, type)                \
    KYMO_IMPL_TYPED_QUEUE(name, type)               \
    static_assert(1, "end the macro with a semicolon")

#define KYMO_IMPL_TYPED_CHECKS(type)                                                      \
    static_assert(sizeof(type) <= KYMO_SIZE_LIMIT, "a record of " #type " is too large"); \
    static_assert(KYMO_IMPL_TYPED_ALIGNMENT(type) <= 4096,                                \
                  "the largest alignment of a slot is a page");                           \
    static_assert(KYMO_IMPL_TYPED_IS_PLAIN(type), #type " is not trivially copyable")

#define KYMO_IMPL_TYPED_HANDLE(name, role) \
    struct name##_##role {                 \
        struct kymo_##role untyped;        \
    };

#define KYMO_IMPL_TYPED_WRITER(name, type, schema, is_queue)                                   \
    KYMO_IMPL_TYPED int name##_writer_open_diagnosed(struct name##_writer **writer,            \
                                                     const char *segment,                      \
                                                     const struct kymo_options *options,       \
                                                     struct kymo_diagnostic *diagnostic)       \
    {                                                                                          \
        const struct kymo_impl_type typed = {sizeof(type), KYMO_IMPL_TYPED_ALIGNMENT(type),    \
                                             schema, #type, is_queue};                         \
        struct kymo_writer *opened = NULL;                                                     \
        int error = kymo_impl_typed_writer_open(&opened, segment, options, &typed,             \
                                                KYMO_LAYOUT_MAJOR, diagnostic);                \
        void *handle = opened; /* the library allocated it, and it is the first member */      \
        *writer = KYMO_IMPL_CAST(struct name##_writer *, handle);                              \
        return error;                                                                          \
    }                                                                                          \
    KYMO_IMPL_TYPED int name##_writer_open(struct name##_writer **writer, const char *segment, \
                                           const struct kymo_options *options)                 \
    {                                                                                          \
        return name##_writer_open_diagnosed(writer, segment, options, NULL);                   \
    }                                                                                          \
    KYMO_IMPL_TYPED void name##_writer_close(struct name##_writer *writer)                     \
    {                                                                                          \
        kymo_writer_close(writer ? &writer->untyped : NULL);                                   \
    }

#define KYMO_IMPL_TYPED_READER(name, type, schema, is_queue)                                      \
    KYMO_IMPL_TYPED int name##_reader_open_diagnosed(struct name##_reader **reader,               \
                                                     const char *segment,                         \
                                                     struct kymo_diagnostic *diagnostic)          \
    {                                                                                             \
        const struct kymo_impl_type typed = {sizeof(type), KYMO_IMPL_TYPED_ALIGNMENT(type),       \
                                             schema, #type, is_queue};                            \
        struct kymo_reader *opened = NULL;                                                        \
        int error =                                                                               \
            kymo_impl_typed_reader_open(&opened, segment, &typed, KYMO_LAYOUT_MAJOR, diagnostic); \
        void *handle = opened; /* the library allocated it, and it is the first member */         \
        *reader = KYMO_IMPL_CAST(struct name##_reader *, handle);                                 \
        return error;                                                                             \
    }                                                                                             \
    KYMO_IMPL_TYPED int name##_reader_open(struct name##_reader **reader, const char *segment)    \
    {                                                                                             \
        return name##_reader_open_diagnosed(reader, segment, NULL);                               \
    }                                                                                             \
    KYMO_IMPL_TYPED void name##_reader_close(struct name##_reader *reader)                        \
    {                                                                                             \
        kymo_reader_close(reader ? &reader->untyped : NULL);                                      \
    }

#define KYMO_IMPL_TYPED_CONSUMER(name, type, schema, is_queue)                                 \
    KYMO_IMPL_TYPED int name##_consumer_open_diagnosed(struct name##_consumer **consumer,      \
                                                       const char *segment,                    \
                                                       struct kymo_diagnostic *diagnostic)     \
    {                                                                                          \
        const struct kymo_impl_type typed = {sizeof(type), KYMO_IMPL_TYPED_ALIGNMENT(type),    \
                                             schema, #type, is_queue};                         \
        struct kymo_consumer *opened = NULL;                                                   \
        int error = kymo_impl_typed_consumer_open(&opened, segment, &typed, KYMO_LAYOUT_MAJOR, \
                                                  diagnostic);                                 \
        void *handle = opened; /* the library allocated it, and it is the first member */      \
        *consumer = KYMO_IMPL_CAST(struct name##_consumer *, handle);                          \
        return error;                                                                          \
    }                                                                                          \
    KYMO_IMPL_TYPED int name##_consumer_open(struct name##_consumer **consumer,                \
                                             const char *segment)                              \
    {                                                                                          \
        return name##_consumer_open_diagnosed(consumer, segment, NULL);                        \
    }                                                                                          \
    KYMO_IMPL_TYPED void name##_consumer_close(struct name##_consumer *consumer)               \
    {                                                                                          \
        kymo_consumer_close(consumer ? &consumer->untyped : NULL);                             \
    }

#define KYMO_IMPL_TYPED_WRITES(name, type)                                                       \
    KYMO_IMPL_TYPED int name##_publish(struct name##_writer *writer, const type *value,          \
                                       uint64_t time, uint64_t tag)                              \
    {                                                                                            \
        return kymo_ring_publish(&writer->untyped, value, sizeof(type), time, tag);              \
    }                                                                                            \
    KYMO_IMPL_TYPED int name##_loan(struct name##_writer *writer, type **value)                  \
    {                                                                                            \
        void *payload = NULL;                                                                    \
        int error = kymo_ring_loan(&writer->untyped, &payload);                                  \
        *value = KYMO_IMPL_CAST(type *, payload);                                                \
        return error;                                                                            \
    }                                                                                            \
    KYMO_IMPL_TYPED int name##_commit(struct name##_writer *writer, uint64_t time, uint64_t tag) \
    {                                                                                            \
        return kymo_ring_commit(&writer->untyped, sizeof(type), time, tag);                      \
    }                                                                                            \
    KYMO_IMPL_TYPED int name##_abort(struct name##_writer *writer)                               \
    {                                                                                            \
        return kymo_ring_abort(&writer->untyped);                                                \
    }

#define KYMO_IMPL_TYPED_READS(name, type)                                                        \
    KYMO_IMPL_TYPED int name##_back(const struct name##_reader *reader, uint64_t back,           \
                                    type *value, struct kymo_record *record)                     \
    {                                                                                            \
        struct kymo_record found = {0, 0, 0, 0, 0};                                              \
        int error = kymo_ring_back(&reader->untyped, back, value, sizeof(type), &found);         \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                         \
    }                                                                                            \
    KYMO_IMPL_TYPED int name##_latest(const struct name##_reader *reader, type *value,           \
                                      struct kymo_record *record)                                \
    {                                                                                            \
        struct kymo_record found = {0, 0, 0, 0, 0};                                              \
        int error = kymo_ring_latest(&reader->untyped, value, sizeof(type), &found);             \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                         \
    }                                                                                            \
    KYMO_IMPL_TYPED int name##_at(const struct name##_reader *reader, uint64_t pos, type *value, \
                                  struct kymo_record *record)                                    \
    {                                                                                            \
        struct kymo_record found = {0, 0, 0, 0, 0};                                              \
        int error = kymo_ring_at(&reader->untyped, pos, value, sizeof(type), &found);            \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                         \
    }                                                                                            \
    KYMO_IMPL_TYPED int name##_wait(const struct name##_reader *reader, uint64_t seen,           \
                                    uint64_t deadline)                                           \
    {                                                                                            \
        return kymo_ring_wait(&reader->untyped, seen, deadline);                                 \
    }

#define KYMO_IMPL_TYPED_VIEW(name, type)                                                \
    struct name##_view {                                                                \
        struct kymo_record record;                                                      \
        const type *payload;                                                            \
    };                                                                                  \
    KYMO_IMPL_TYPED int name##_view_from(int error, const struct kymo_view *found,      \
                                         struct name##_view *view)                      \
    {                                                                                   \
        view->payload = error ? NULL : KYMO_IMPL_CAST(const type *, found->payload);    \
        return kymo_impl_typed_end(error, sizeof(type), &found->record, &view->record); \
    }

#define KYMO_IMPL_TYPED_VIEWS(name, type)                                                   \
    KYMO_IMPL_TYPED int name##_view_at(const struct name##_reader *reader, uint64_t pos,    \
                                       struct name##_view *view)                            \
    {                                                                                       \
        struct kymo_view found = {{0, 0, 0, 0, 0}, NULL};                                   \
        int error = kymo_ring_view(&reader->untyped, pos, &found);                          \
        return name##_view_from(error, &found, view);                                       \
    }                                                                                       \
    KYMO_IMPL_TYPED int name##_view_back(const struct name##_reader *reader, uint64_t back, \
                                         struct name##_view *view)                          \
    {                                                                                       \
        struct kymo_view found = {{0, 0, 0, 0, 0}, NULL};                                   \
        int error = kymo_ring_view_back(&reader->untyped, back, &found);                    \
        return name##_view_from(error, &found, view);                                       \
    }                                                                                       \
    KYMO_IMPL_TYPED int name##_view_latest(const struct name##_reader *reader,              \
                                           struct name##_view *view)                        \
    {                                                                                       \
        return name##_view_back(reader, 0, view);                                           \
    }                                                                                       \
    KYMO_IMPL_TYPED int name##_validate(const struct name##_reader *reader,                 \
                                        const struct name##_view *view)                     \
    {                                                                                       \
        const struct kymo_view untyped = {view->record, view->payload};                     \
        return kymo_ring_validate(&reader->untyped, &untyped);                              \
    }

#define KYMO_IMPL_TYPED_CURSORS(name, type)                                                  \
    KYMO_IMPL_TYPED void name##_cursor_newest(struct name##_cursor *cursor,                  \
                                              const struct name##_reader *reader)            \
    {                                                                                        \
        kymo_cursor_newest(&cursor->untyped, &reader->untyped);                              \
    }                                                                                        \
    KYMO_IMPL_TYPED void name##_cursor_oldest(struct name##_cursor *cursor,                  \
                                              const struct name##_reader *reader)            \
    {                                                                                        \
        kymo_cursor_oldest(&cursor->untyped, &reader->untyped);                              \
    }                                                                                        \
    KYMO_IMPL_TYPED int name##_cursor_next(struct name##_cursor *cursor, type *value,        \
                                           struct kymo_record *record, uint64_t *missed)     \
    {                                                                                        \
        struct kymo_record found = {0, 0, 0, 0, 0};                                          \
        int error = kymo_cursor_next(&cursor->untyped, value, sizeof(type), &found, missed); \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                     \
    }

#define KYMO_IMPL_TYPED_QUERIES(name, type)                                                        \
    KYMO_IMPL_TYPED int name##_closest(const struct name##_reader *reader, uint64_t time,          \
                                       uint64_t max_distance, type *value,                         \
                                       struct kymo_record *record)                                 \
    {                                                                                              \
        struct kymo_record found = {0, 0, 0, 0, 0};                                                \
        int error = kymo_series_closest(&reader->untyped, time, max_distance, value, sizeof(type), \
                                        &found);                                                   \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                           \
    }                                                                                              \
    KYMO_IMPL_TYPED int name##_as_of(const struct name##_reader *reader, uint64_t time,            \
                                     type *value, struct kymo_record *record)                      \
    {                                                                                              \
        struct kymo_record found = {0, 0, 0, 0, 0};                                                \
        int error = kymo_series_as_of(&reader->untyped, time, value, sizeof(type), &found);        \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                           \
    }                                                                                              \
    KYMO_IMPL_TYPED int name##_bracket(const struct name##_reader *reader, uint64_t time,          \
                                       type *before, type *after, struct kymo_bracket *bracket)    \
    {                                                                                              \
        int error =                                                                                \
            kymo_series_bracket(&reader->untyped, time, before, after, sizeof(type), bracket);     \
        if (KYMO_LIKELY(!error))                                                                   \
            error = kymo_impl_typed_end(0, sizeof(type), &bracket->before, NULL);                  \
        return error ? error : kymo_impl_typed_end(0, sizeof(type), &bracket->after, NULL);        \
    }                                                                                              \
    KYMO_IMPL_TYPED int name##_fresh(const struct name##_reader *reader, uint64_t min_time,        \
                                     type *value, struct kymo_record *record)                      \
    {                                                                                              \
        struct kymo_record found = {0, 0, 0, 0, 0};                                                \
        int error = kymo_series_fresh(&reader->untyped, min_time, value, sizeof(type), &found);    \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                           \
    }

#define KYMO_IMPL_TYPED_QUEUE(name, type)                                                      \
    KYMO_IMPL_TYPED int name##_push(struct name##_writer *writer, const type *value,           \
                                    uint64_t time, uint64_t tag, uint64_t deadline)            \
    {                                                                                          \
        return kymo_queue_push(&writer->untyped, value, sizeof(type), time, tag, deadline);    \
    }                                                                                          \
    KYMO_IMPL_TYPED int name##_wait(struct name##_consumer *consumer, uint64_t deadline)       \
    {                                                                                          \
        return kymo_queue_wait(&consumer->untyped, deadline);                                  \
    }                                                                                          \
    KYMO_IMPL_TYPED int name##_receive(struct name##_consumer *consumer, type *value,          \
                                       struct kymo_record *record)                             \
    {                                                                                          \
        struct kymo_record found = {0, 0, 0, 0, 0};                                            \
        int error = kymo_queue_receive(&consumer->untyped, value, sizeof(type), &found);       \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                       \
    }                                                                                          \
    KYMO_IMPL_TYPED int name##_receive_view(struct name##_consumer *consumer,                  \
                                            struct name##_view *view)                          \
    {                                                                                          \
        struct kymo_view found = {{0, 0, 0, 0, 0}, NULL};                                      \
        int error = kymo_queue_receive_view(&consumer->untyped, &found);                       \
        return name##_view_from(error, &found, view);                                          \
    }                                                                                          \
    KYMO_IMPL_TYPED void name##_acknowledge(struct name##_consumer *consumer)                  \
    {                                                                                          \
        kymo_queue_acknowledge(&consumer->untyped);                                            \
    }                                                                                          \
    KYMO_IMPL_TYPED int name##_pop(struct name##_consumer *consumer, type *value,              \
                                   struct kymo_record *record, uint64_t deadline)              \
    {                                                                                          \
        struct kymo_record found = {0, 0, 0, 0, 0};                                            \
        int error = kymo_queue_pop(&consumer->untyped, value, sizeof(type), &found, deadline); \
        return kymo_impl_typed_end(error, sizeof(type), &found, record);                       \
    }                                                                                          \
    KYMO_IMPL_TYPED uint64_t name##_waiting(const struct name##_consumer *consumer)            \
    {                                                                                          \
        return kymo_queue_waiting(&consumer->untyped);                                         \
    }

#endif
