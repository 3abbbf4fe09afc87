/*
 * hostile.c - all reads of one segment.
 */
#include "hostile.h"

#include "test.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

struct fenced fence(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t room = (size + page - 1) / page * page;
    struct fenced fenced = {.mapped = room + page, .size = size};

    fenced.map =
        mmap(NULL, fenced.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq((void *)fenced.map, MAP_FAILED);
    cr_assert_eq(mprotect(fenced.map + room, page, PROT_NONE), 0);
    fenced.bytes = fenced.map + room - size;
    return fenced;
}

void expect_known(int error, const struct kymo_record *record, size_t size)
{
    static const int known[] = {ENODATA, ESTALE, EIDRM, EAGAIN,   EBADMSG,
                                ERANGE,  EDOM,   ETIME, EMSGSIZE, ETIMEDOUT};

    if (error == 0) {
        cr_assert_leq(record->len, size);
        return;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (error == -known[i])
            return;
    cr_assert_fail("an unexpected error: %d", error);
}

static void read_positions(const struct kymo_reader *reader, const struct fenced *fenced)
{
    const uint64_t head = kymo_ring_head(&reader->ring);
    const uint64_t positions[] = {0,
                                  1,
                                  head - 1,
                                  head,
                                  head + 1,
                                  head - reader->ring.mask,
                                  reader->ring.first,
                                  KYMO_POSITION_LIMIT,
                                  UINT64_MAX};
    struct kymo_record record = {0};
    struct kymo_view view;

    for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
        expect_known(kymo_ring_at(reader, positions[i], fenced->bytes, fenced->size, &record),
                     &record, fenced->size);
        expect_known(kymo_ring_back(reader, positions[i], fenced->bytes, fenced->size, &record),
                     &record, fenced->size);
        if (kymo_ring_view(reader, positions[i], &view) == 0) {
            cr_assert_leq(view.record.len, fenced->size);
            expect_known(kymo_ring_validate(reader, &view), &view.record, fenced->size);
        }
        if (kymo_ring_view_back(reader, positions[i], &view) == 0)
            cr_assert_leq(view.record.len, fenced->size);
    }
    for (uint64_t back = 0; back <= reader->ring.mask + 1 && back < 100; back++)
        expect_known(kymo_ring_back(reader, back, fenced->bytes, fenced->size, &record), &record,
                     fenced->size);
}

static void query_times(const struct kymo_reader *reader, const struct fenced *fenced)
{
    static const uint64_t times[] = {0, 1, 40, 45, UINT64_MAX / 2, UINT64_MAX};
    struct fenced after = fence(fenced->size);
    struct kymo_record record = {0};
    struct kymo_bracket bracket = {0};
    struct kymo_range range;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        expect_known(kymo_series_closest(reader, times[i], KYMO_ANY_DISTANCE, fenced->bytes,
                                         fenced->size, &record),
                     &record, fenced->size);
        expect_known(kymo_series_as_of(reader, times[i], fenced->bytes, fenced->size, &record),
                     &record, fenced->size);
        expect_known(kymo_series_fresh(reader, times[i], fenced->bytes, fenced->size, &record),
                     &record, fenced->size);
        expect_known(kymo_series_bracket(reader, times[i], fenced->bytes, after.bytes, fenced->size,
                                         &bracket),
                     &bracket.after, fenced->size);
        expect_known(kymo_series_range(reader, times[i], UINT64_MAX, &range), &record, UINT32_MAX);
    }
    munmap(after.map, after.mapped);
}

/* Queries one instant of the ring in each of the three modes. */
static void align(const struct kymo_reader *reader, const struct fenced *fenced, uint64_t time)
{
    struct fenced after = fence(fenced->size);
    struct kymo_alignment rows[3] = {{.mode = KYMO_ALIGN_CLOSEST},
                                     {.mode = KYMO_ALIGN_AS_OF},
                                     {.mode = KYMO_ALIGN_BRACKET}};
    int count = 0;

    for (int i = 0; i < 3; i++) {
        rows[i].reader = reader;
        rows[i].max_distance = KYMO_ANY_DISTANCE;
        rows[i].buffer = fenced->bytes;
        rows[i].after = after.bytes;
        rows[i].size = fenced->size;
    }
    count = kymo_series_align(rows, 3, time);
    for (int i = 0; i < 3; i++) {
        expect_known(rows[i].error, &rows[i].record, fenced->size);
        count -= rows[i].error == 0;
    }
    cr_assert_eq(count, 0);
    munmap(after.map, after.mapped);
}

static void follow(const struct kymo_reader *reader, const struct fenced *fenced)
{
    struct kymo_cursor cursor;
    struct kymo_record record = {0};
    int error = 0;

    kymo_cursor_newest(&cursor, reader);
    expect_known(kymo_cursor_next(&cursor, fenced->bytes, fenced->size, &record, NULL), &record,
                 fenced->size);
    kymo_cursor_oldest(&cursor, reader);
    for (int i = 0; i < 100 && error == 0; i++) {
        error = kymo_cursor_next(&cursor, fenced->bytes, fenced->size, &record, NULL);
        expect_known(error, &record, fenced->size);
    }
    expect_known(kymo_ring_wait(reader, 0, 0), &record, UINT32_MAX);
    error = kymo_ring_wait_any(&reader, &record.pos, 1, 0);
    expect_known(error < 0 ? error : 0, &record, UINT32_MAX);
}

static void describe(const struct kymo_reader *reader)
{
    struct kymo_text text = {0};
    const int error = kymo_text_info(&text, reader);

    cr_assert(error == 0 || error == -EIDRM || error == -EBADMSG, "%d", error);
    kymo_text_free(&text);
}

void read_everything(const struct kymo_reader *reader)
{
    struct fenced fenced = fence(reader->ring.size);
    const struct kymo_schema *schema = kymo_segment_schema(reader->segment);
    const int liveness = kymo_segment_liveness(reader->segment, 0);
    struct kymo_info info;

    cr_assert(schema->count == 0 || kymo_schema_check(schema, NULL) == 0);
    cr_assert_leq(schema->size, fenced.size);
    cr_assert(liveness >= 0 || liveness == -EIDRM || liveness == -EBADMSG);
    cr_assert(kymo_segment_info(reader->segment, &info) == 0 || reader->ring.damaged);
    cr_assert_leq(info.time_policy, KYMO_CLAMP);
    describe(reader);
    read_positions(reader, &fenced);
    query_times(reader, &fenced);
    align(reader, &fenced, 45);
    follow(reader, &fenced);
    munmap(fenced.map, fenced.mapped);
}
