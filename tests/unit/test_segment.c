/*
 * test_segment.c - segments by name: create, resume, replace, remove, liveness (promises B: readers do not modify, C: crashes, H: liveness, I: complete or absent).
 */
#include "unit.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static const struct kymo_options of_payloads = {.clock = KYMO_USER,
                                                .depth = 8,
                                                .size = sizeof(struct unit_payload)};

static int open_error(const char *name, const struct kymo_options *options)
{
    struct kymo_writer *writer = NULL;
    int error = kymo_writer_open(&writer, name, options);

    kymo_writer_close(writer);
    return error;
}

static int open_existing(const char *name, enum kymo_existing existing)
{
    struct kymo_options options = of_payloads;

    options.existing = existing;
    return open_error(name, &options);
}

static int reader_error(const char *name)
{
    struct kymo_reader *reader = NULL;
    int error = kymo_reader_open(&reader, name);

    kymo_reader_close(reader);
    return error;
}

static void expect_latest(const struct kymo_reader *reader, uint64_t pos)
{
    struct unit_payload payload;
    struct kymo_record record;

    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), &record), 0);
    cr_assert_eq(record.pos, pos);
    cr_assert_eq(payload.pos, pos);
    cr_assert_eq(payload.inverse, ~pos);
}

/* I: this generation was replaced or removed. */
static void expect_end(const struct kymo_reader *reader)
{
    struct unit_payload payload;

    cr_assert_eq(kymo_ring_latest(reader, &payload, sizeof(payload), NULL), -EIDRM);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), -EIDRM);
}

static uint64_t inode_of(const char *name)
{
    struct stat status;
    char path[UNIT_PATH];

    cr_assert_eq(stat(unit_path(name, path), &status), 0);
    return status.st_ino;
}

static int liveness_of(const char *name)
{
    struct kymo_reader *reader = unit_reader(name);
    int liveness = kymo_segment_liveness(reader->segment, KYMO_FOREVER);

    kymo_reader_close(reader);
    return liveness;
}

/* A writer that publishes some records and is killed: the segment is DEAD. */
static int publish_and_die(void *name)
{
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, name, &of_payloads))
        return 1;
    for (uint64_t i = 0; i < 5; i++) {
        struct unit_payload payload = unit_payload(writer->pos);

        if (kymo_ring_publish(writer, &payload, sizeof(payload), 10 * writer->pos, 0))
            return 2;
    }
    kill(getpid(), SIGKILL);
    return 3;
}

static void make_dead(const char *name)
{
    cr_assert_eq(unit_child(publish_and_die, (void *)(uintptr_t)name), -SIGKILL);
}

/* ---- creating ---- */

Test(segment, does_not_exist_before_creation)
{
    cr_assert_eq(kymo_segment_exists("none"), 0);
    cr_assert_eq(reader_error("none"), -ENOENT);
    cr_assert_eq(open_error("none", NULL), -ENOENT, "without options: KYMO_OPEN_EXISTING");
    cr_assert_eq(open_existing("none", KYMO_OPEN_EXISTING), -ENOENT);
    cr_assert_eq(kymo_segment_remove("none"), -ENOENT);
    cr_assert_eq(kymo_segment_reap("none"), -ENOENT);
    cr_assert_eq(kymo_segment_check("none", NULL, 0), -ENOENT);
}

Test(segment, reports_its_attributes)
{
    static const struct kymo_geometry geometry = {.width = 640,
                                                  .height = 480,
                                                  .stride = 1920,
                                                  .format = 1};
    struct kymo_schema *schema;
    struct kymo_options options = {.clock = KYMO_BOOTTIME,
                                   .time_policy = KYMO_CLAMP,
                                   .wake_policy = KYMO_WAKE_ALWAYS,
                                   .depth = 16,
                                   .alignment = 64,
                                   .first = 5,
                                   .geometry = &geometry};
    struct kymo_writer *writer;
    struct kymo_reader *reader;
    struct kymo_info info;
    uint64_t bytes, now = kymo_clock_now(KYMO_REALTIME);

    cr_assert_eq(kymo_schema_parse(&schema, "accel:f32[3],temp:f64", NULL), 0);
    options.schema = schema;
    cr_assert_eq(kymo_segment_size(&options, &bytes), 0);
    writer = unit_writer("info", &options);
    reader = unit_reader("info");
    info = unit_info(reader->segment);
    cr_assert_str_eq(info.name, "info");
    cr_assert_eq(info.kind, KYMO_RING);
    cr_assert_eq(info.clock, KYMO_BOOTTIME);
    cr_assert_eq(kymo_segment_clock(reader->segment), KYMO_BOOTTIME);
    cr_assert_eq(info.time_policy, KYMO_CLAMP);
    cr_assert_eq(info.wake_policy, KYMO_WAKE_ALWAYS);
    cr_assert_eq(info.flags, 0);
    cr_assert_eq(info.layout_major, KYMO_LAYOUT_MAJOR);
    cr_assert_eq(info.depth, 16);
    cr_assert_eq(info.size, 24);
    cr_assert_eq(info.alignment, 64);
    cr_assert_eq(info.file_size, bytes);
    cr_assert_eq(info.first, 5);
    cr_assert_eq(info.head, 5);
    cr_assert_arr_eq(&info.geometry, &geometry, sizeof(geometry));
    cr_assert_eq(kymo_schema_same(&info.schema, schema), 1);
    cr_assert_eq(kymo_schema_same(kymo_segment_schema(reader->segment), schema), 1);
    cr_assert_geq(info.created_realtime, now);
    cr_assert_leq(info.created_realtime, kymo_clock_now(KYMO_REALTIME));
    cr_assert_eq(info.creator_pid, (uint32_t)getpid());
    cr_assert_eq(info.creator_uid, geteuid());
    cr_assert_gt(strlen(info.creator), 0);
    cr_assert_eq(strlen(info.boot_id), 36);
    cr_assert_gt(strlen(info.host), 0);
    cr_assert_eq(info.inode, inode_of("info"));
    cr_assert_eq(info.uid, geteuid());
    cr_assert_eq(info.state, KYMO_OPEN);
    cr_assert_eq(info.writer_pid, (uint32_t)getpid());
    cr_assert_eq(info.writers, 1);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    kymo_schema_free(schema);
}

Test(segment, has_defaults)
{
    const struct kymo_options options = {.size = 8};
    struct kymo_writer *writer = unit_writer("defaults", &options);
    struct kymo_info info = unit_info(writer->segment);

    cr_assert_eq(info.kind, KYMO_RING);
    cr_assert_eq(info.clock, KYMO_MONOTONIC);
    cr_assert_eq(info.time_policy, KYMO_REJECT);
    cr_assert_eq(info.depth, 64);
    cr_assert_eq(info.alignment, 8);
    cr_assert_eq(info.schema.count, 0);
    kymo_writer_close(writer);
}

/* 0666 less the umask, or the mode as it is. */
Test(segment, has_the_requested_mode)
{
    static const struct {
        mode_t mask;
        uint32_t mode;
        uint32_t expected;
    } cases[] = {
        {022, 0, 0644}, {0, 0, 0666}, {077, 0, 0600}, {077, 0664, 0664}, {022, 0600, 0600},
    };
    struct kymo_options options = of_payloads;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kymo_writer *writer;

        for (int existing = KYMO_OPEN_OR_CREATE; existing <= KYMO_REPLACE; existing++) {
            umask(cases[i].mask);
            options.mode = cases[i].mode;
            options.existing = (enum kymo_existing)existing;
            writer = unit_writer("mode", &options);
            cr_assert_eq(unit_info(writer->segment).mode, cases[i].expected, "case %zu", i);
            kymo_writer_close(writer);
        }
        cr_assert_eq(kymo_segment_remove("mode"), 0);
    }
}

Test(segment, is_created_in_kymo_dir)
{
    unit_directory("elsewhere");
    kymo_writer_close(unit_writer("here", &of_payloads));
    cr_assert_eq(kymo_segment_exists("here"), 1);
    unit_directory("further");
    cr_assert_eq(kymo_segment_exists("here"), 0);
    setenv("KYMO_DIR", "", 1);
    cr_assert_str_eq(kymo_directory(), "/dev/shm");
    unsetenv("KYMO_DIR");
    cr_assert_str_eq(kymo_directory(), "/dev/shm");
    setenv("KYMO_DIR", "/nonexistent/directory", 1);
    cr_assert_eq(reader_error("here"), -ENOENT);
    cr_assert_eq(open_error("here", &of_payloads), -ENOENT);
}

/* ---- an existing segment (enum kymo_existing) ---- */

Test(segment, resumes)
{
    struct kymo_writer *writer = unit_writer("continued", &of_payloads);
    struct kymo_reader *reader = unit_reader("continued");
    uint64_t inode = inode_of("continued");

    unit_publish(writer, 5);
    kymo_writer_close(writer);
    writer = unit_writer("continued", &of_payloads);
    cr_assert_eq(inode_of("continued"), inode);
    cr_assert_eq(writer->pos, 5);
    expect_latest(reader, 4);
    unit_publish(writer, 1);
    expect_latest(reader, 5);
    cr_assert_eq(unit_info(writer->segment).writers, 2);
    kymo_writer_close(writer);

    writer = unit_writer("continued", NULL);
    cr_assert_eq(writer->pos, 6);
    kymo_writer_close(writer);
    cr_assert_eq(open_existing("continued", KYMO_OPEN_EXISTING), 0);
    cr_assert_eq(open_existing("continued", KYMO_CREATE_NEW), -EEXIST);
    cr_assert_eq(inode_of("continued"), inode);
    kymo_reader_close(reader);
}

/* A writer that resumes rejects times before the newest record's. */
Test(segment, keeps_times_ordered_after_resume)
{
    struct kymo_writer *writer = unit_writer("times", &of_payloads);
    struct unit_payload payload = unit_payload(0);

    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 100, 0), 0);
    kymo_writer_close(writer);
    writer = unit_writer("times", &of_payloads);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 99, 0), -EINVAL);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 100, 0), 0);
    kymo_writer_close(writer);
}

/* C: another layout starts a new generation; readers of the old one get EIDRM. */
Test(segment, is_replaced_for_another_layout)
{
    struct kymo_schema *schema;
    struct kymo_options others[8];
    struct kymo_options options = of_payloads;

    cr_assert_eq(kymo_schema_parse(&schema, "pos:u64,inverse:u64", NULL), 0);
    for (int i = 0; i < 8; i++)
        others[i] = of_payloads;
    others[0].depth = 16;
    others[1].size = 24;
    others[2].clock = KYMO_MONOTONIC;
    others[3].alignment = 64;
    others[4].flags = KYMO_SHARED_WRITER;
    others[5].wake_policy = KYMO_WAKE_ALWAYS;
    others[6].schema = schema;
    others[7].kind = KYMO_VALUE;
    for (int i = 0; i < 8; i++) {
        struct kymo_writer *writer = unit_writer("differs", &options);
        struct kymo_reader *reader = unit_reader("differs");
        struct kymo_info before = unit_info(reader->segment), after;

        unit_publish(writer, 3);
        kymo_writer_close(writer);
        others[i].existing = KYMO_OPEN_EXISTING;
        cr_assert_eq(open_error("differs", &others[i]), -EEXIST, "case %d", i);
        expect_latest(reader, 2);
        others[i].existing = KYMO_OPEN_OR_CREATE;
        writer = unit_writer("differs", &others[i]);
        after = unit_info(writer->segment);
        cr_assert_neq(after.inode, before.inode, "case %d", i);
        cr_assert_neq(memcmp(after.uuid, before.uuid, sizeof(before.uuid)), 0);
        cr_assert_eq(after.head, 0);
        expect_end(reader);
        kymo_reader_close(reader);
        kymo_writer_close(writer);
        cr_assert_eq(kymo_segment_remove("differs"), 0);
    }
    kymo_schema_free(schema);
}

/* Helps may change without a new generation; names and units are part of the type. */
Test(segment, resumes_with_other_help)
{
    struct kymo_field fields[] = {
        {.name = "x", .unit = "m", .help = "old", .type = KYMO_F64, .count = 1}};
    const struct kymo_schema schema = {fields, 1, 8};
    const struct kymo_options options = {.clock = KYMO_USER, .schema = &schema};
    uint64_t inode;

    kymo_writer_close(unit_writer("words", &options));
    inode = inode_of("words");
    strcpy(fields[0].help, "new");
    kymo_writer_close(unit_writer("words", &options));
    cr_assert_eq(inode_of("words"), inode);
    strcpy(fields[0].unit, "mm");
    kymo_writer_close(unit_writer("words", &options));
    cr_assert_neq(inode_of("words"), inode);
    inode = inode_of("words");
    fields[0].metric = KYMO_COUNTER;
    kymo_writer_close(unit_writer("words", &options));
    cr_assert_neq(inode_of("words"), inode);
    inode = inode_of("words");
    fields[0].interp = KYMO_INTERP_PREVIOUS;
    kymo_writer_close(unit_writer("words", &options));
    cr_assert_neq(inode_of("words"), inode);
    inode = inode_of("words");
    strcpy(fields[0].name, "y");
    kymo_writer_close(unit_writer("words", &options));
    cr_assert_neq(inode_of("words"), inode);
}

/* Options that are 0 are equal to any value of the segment. */
Test(segment, is_resumed_with_its_own_depth_and_alignment)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer;
    uint64_t inode;

    options.depth = 1024;
    options.alignment = 256;
    kymo_writer_close(unit_writer("own", &options));
    inode = inode_of("own");
    options.depth = 0;
    options.alignment = 0;
    writer = unit_writer("own", &options);
    cr_assert_eq(inode_of("own"), inode);
    cr_assert_eq(unit_info(writer->segment).depth, 1024);
    cr_assert_eq(unit_info(writer->segment).alignment, 256);
    kymo_writer_close(writer);
    options.size = 0;
    writer = unit_writer("own", &options);
    cr_assert_eq(inode_of("own"), inode, "payload of the segment's size");
    kymo_writer_close(writer);
    options = of_payloads;
    options.depth = 64;
    kymo_writer_close(unit_writer("own", &options));
    cr_assert_neq(inode_of("own"), inode, "64 is not 0");
}

/* The policy is the writer's: another one needs no new generation, and no options keep it. */
Test(segment, time_policy_is_chosen_on_resume)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer = unit_writer("policy", &options);
    struct unit_payload payload = unit_payload(0);
    const uint64_t inode = inode_of("policy");

    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 100, 0), 0);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 99, 0), -EINVAL);
    kymo_writer_close(writer);
    options.time_policy = KYMO_CLAMP;
    writer = unit_writer("policy", &options);
    cr_assert_eq(inode_of("policy"), inode);
    cr_assert_eq(unit_info(writer->segment).time_policy, KYMO_CLAMP);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 99, 0), 0);
    cr_assert_eq(writer->time, 100);
    cr_assert_eq(kymo_ring_available(&writer->ring), 2, "the history is kept");
    kymo_writer_close(writer);
    writer = unit_writer("policy", NULL);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 99, 0), 0);
    kymo_writer_close(writer);
    writer = unit_writer("policy", &of_payloads);
    cr_assert_eq(kymo_ring_publish(writer, &payload, sizeof(payload), 99, 0), -EINVAL);
    cr_assert_eq(unit_info(writer->segment).time_policy, KYMO_REJECT);
    kymo_writer_close(writer);
}

Test(segment, size_follows_from_a_geometry)
{
    const struct kymo_geometry geometry = {
        .width = 8, .height = 4, .stride = 24, .format = KYMO_RGB8, .pixels_offset = 64};
    const struct kymo_options options = {.geometry = &geometry};
    struct kymo_writer *writer = unit_writer("frames", &options);
    const struct kymo_info info = unit_info(writer->segment);

    cr_assert_eq(info.size, 64 + 96);
    cr_assert_arr_eq(&info.geometry, &geometry, sizeof(geometry));
    kymo_writer_close(writer);
}

/* A type id of 0 is unknown, and equal to any. */
Test(segment, type_id_tells_types_of_one_size_apart)
{
    struct kymo_options options = of_payloads;
    uint64_t inode;

    cr_assert_eq(kymo_type_id("struct imu", 16, 8), kymo_type_id("imu", 16, 8));
    cr_assert_neq(kymo_type_id("imu", 16, 8), kymo_type_id("imv", 16, 8));
    cr_assert_neq(kymo_type_id("imu", 16, 8), kymo_type_id("imu", 16, 4));
    cr_assert_neq(kymo_type_id("imu", 16, 8), kymo_type_id("imu", 24, 8));
    options.type_id = 7;
    kymo_writer_close(unit_writer("typed", &options));
    inode = inode_of("typed");
    options.type_id = 0;
    kymo_writer_close(unit_writer("typed", &options));
    cr_assert_eq(inode_of("typed"), inode);
    options.type_id = 8;
    kymo_writer_close(unit_writer("typed", &options));
    cr_assert_neq(inode_of("typed"), inode);
}

/* A copy lacks two records of its origin, which began at 2^33. */
Test(segment, copy_knows_its_origin)
{
    const struct kymo_origin origin = {.uuid = {1, 2, 3},
                                       .first = UINT64_C(1) << 33,
                                       .clock = KYMO_TAI,
                                       .host = "far"};
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer;
    struct kymo_info info;
    struct kymo_origin other = origin;
    uint64_t inode, ahead;

    options.origin = &origin;
    options.first = 5;
    writer = unit_writer("copy", &options);
    info = unit_info(writer->segment);
    cr_assert_arr_eq(&info.origin, &origin, sizeof(origin));
    ahead = origin.first - 5;
    cr_assert_eq(kymo_origin_pos(&info.origin, info.first, 5, (uint32_t)ahead), origin.first);
    cr_assert_eq(kymo_origin_pos(&info.origin, info.first, 9, (uint32_t)(ahead + 2)),
                 origin.first + 4 + 2);
    kymo_writer_close(writer);
    inode = inode_of("copy");
    options.origin = NULL;
    kymo_writer_close(unit_writer("copy", &options));
    cr_assert_eq(inode_of("copy"), inode);
    other.uuid[0] = 9;
    options.origin = &other;
    kymo_writer_close(unit_writer("copy", &options));
    cr_assert_neq(inode_of("copy"), inode, "of another generation");
}

Test(segment, is_replaced_on_request)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer = unit_writer("replaced", &options);
    struct kymo_reader *reader = unit_reader("replaced");
    uint64_t inode = inode_of("replaced");

    unit_publish(writer, 3);
    kymo_writer_close(writer);
    options.existing = KYMO_REPLACE;
    writer = unit_writer("replaced", &options);
    cr_assert_neq(inode_of("replaced"), inode);
    cr_assert_eq(writer->pos, 0);
    expect_end(reader);
    kymo_reader_close(reader);
    reader = unit_reader("replaced");
    unit_publish(writer, 1);
    expect_latest(reader, 0);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- one writer (promise H) ---- */

static int open_in_child(void *name)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer;

    for (int existing = KYMO_OPEN_OR_CREATE; existing <= KYMO_OPEN_EXISTING; existing++) {
        options.existing = (enum kymo_existing)existing;
        if (kymo_writer_open(&writer, name, &options) != -EBUSY)
            return 1;
    }
    if (kymo_segment_remove(name) != -EBUSY || kymo_segment_reap(name) != 0)
        return 2;
    return 0;
}

/* H: a second writer is refused, in this process and in another. */
Test(segment, has_one_writer)
{
    struct kymo_writer *writer = unit_writer("one", &of_payloads);
    struct kymo_reader *reader = unit_reader("one");

    unit_publish(writer, 2);
    cr_assert_eq(open_in_child("one"), 0, "in the same process");
    cr_assert_eq(unit_child(open_in_child, "one"), 0, "in another one");
    unit_publish(writer, 1);
    expect_latest(reader, 2);
    cr_assert_eq(liveness_of("one"), KYMO_LIVE_ALIVE);
    kymo_reader_close(reader);
    kymo_writer_close(writer);
    cr_assert_eq(open_error("one", NULL), 0);
}

/* H: while the lock is held, a silent writer is STALLED, never DEAD. */
Test(segment, distinguishes_stalled_from_dead)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer = unit_writer("stalled", &options);
    struct kymo_reader *reader = unit_reader("stalled");
    uint64_t limit = 50 * 1000000;

    usleep(60000);
    cr_assert_eq(kymo_segment_liveness(reader->segment, limit), KYMO_LIVE_STALLED);
    cr_assert_eq(kymo_segment_liveness(reader->segment, 0), KYMO_LIVE_STALLED);
    cr_assert_eq(kymo_segment_liveness(reader->segment, KYMO_FOREVER), KYMO_LIVE_ALIVE);
    cr_assert_eq(kymo_writer_heartbeat(writer), 0);
    cr_assert_gt(unit_info(reader->segment).heartbeat, 0);
    cr_assert_eq(kymo_segment_liveness(reader->segment, 3600 * UINT64_C(1000000000)),
                 KYMO_LIVE_ALIVE);
    kymo_reader_close(reader);
    kymo_writer_close(writer);

    options.clock = KYMO_MONOTONIC;
    writer = unit_writer("stalled", &options);
    reader = unit_reader("stalled");
    writer->ring.control->opened = 1;
    limit = kymo_clock_now(KYMO_MONOTONIC) / 2;
    cr_assert_eq(kymo_segment_liveness(reader->segment, limit), KYMO_LIVE_STALLED);
    cr_assert_eq(kymo_ring_publish(writer, "12345678", 8, 2 * limit, 0), 0);
    cr_assert_eq(kymo_segment_liveness(reader->segment, limit), KYMO_LIVE_ALIVE,
                 "a new record makes it ALIVE");
    cr_assert_eq(kymo_ring_publish(writer, "12345678", 8, 4 * limit, 0), 0);
    cr_assert_eq(kymo_segment_liveness(reader->segment, limit), KYMO_LIVE_ALIVE,
                 "also if the clock was stepped back since");
    kymo_reader_close(reader);
    kymo_writer_close(writer);
}

/* ---- removing ---- */

Test(segment, is_removed)
{
    struct kymo_writer *writer = unit_writer("removed", &of_payloads);
    struct kymo_reader *reader = unit_reader("removed");

    unit_publish(writer, 1);
    cr_assert_eq(kymo_segment_remove("removed"), -EBUSY);
    kymo_writer_close(writer);
    expect_latest(reader, 0);
    cr_assert_eq(kymo_segment_remove("removed"), 0);
    cr_assert_eq(kymo_segment_exists("removed"), 0);
    expect_end(reader);
    cr_assert_eq(kymo_segment_remove("removed"), -ENOENT);
    kymo_reader_close(reader);
}

/* A writer does not remove the name if it refers to another generation. */
Test(segment, is_removed_only_by_its_writer)
{
    struct kymo_writer *writer = unit_writer("own", &of_payloads);
    char path[UNIT_PATH], moved[UNIT_PATH];

    unit_path("own", path);
    unit_path("moved", moved);
    cr_assert_eq(rename(path, moved), 0);
    kymo_writer_close(unit_writer("own", &of_payloads));
    cr_assert_eq(kymo_writer_remove(writer), 0);
    cr_assert_eq(kymo_segment_exists("own"), 1);
    cr_assert_eq(unlink(moved), 0);
}

Test(segment, is_reaped_after_writer_death)
{
    make_dead("reaped");
    cr_assert_eq(kymo_segment_reap("reaped"), 1);
    cr_assert_eq(kymo_segment_exists("reaped"), 0);
    kymo_writer_close(unit_writer("reaped", &of_payloads));
    cr_assert_eq(kymo_segment_reap("reaped"), 0, "ended cleanly");
    cr_assert_eq(kymo_segment_exists("reaped"), 1);
}

/* ---- a full file system (promise I) ---- */

/* A directory with limited space; returns 0 if this process may not mount. */
static int mount_small(const char *name, const char *options)
{
    char path[UNIT_PATH];

    unit_directory(name);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return 0;
    snprintf(path, sizeof(path), "%s", kymo_directory());
    return mount("none", path, "tmpfs", 0, options) == 0;
}

static int create_in_little_room(void *context)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer, *other;
    struct kymo_reader *reader;
    struct unit_payload payload = unit_payload(0);
    uint64_t needed;

    (void)context;
    if (!mount_small("little", "size=64k"))
        return 77;
    if (kymo_writer_open(&writer, "fits", &options) || kymo_reader_open(&reader, "fits") ||
        kymo_ring_publish(writer, &payload, sizeof(payload), 0, 0))
        return 1;
    options.depth = 4096;
    if (kymo_segment_size(&options, &needed) || needed < 65536)
        return 2;
    if (kymo_writer_open(&other, "does-not", &options) != -ENOSPC || other)
        return 3;
    if (kymo_segment_exists("does-not") != 0 || kymo_segment_reap_unfinished() != 0)
        return 4;
    if (kymo_ring_latest(reader, &payload, sizeof(payload), NULL) || payload.pos != 0)
        return 5;
    /* A replacement that does not fit leaves the old generation as it was. */
    kymo_writer_close(writer);
    if (kymo_writer_open(&writer, "fits", &options) != -ENOSPC)
        return 6;
    if (kymo_ring_latest(reader, &payload, sizeof(payload), NULL) || payload.pos != 0)
        return 7;
    options.depth = 8;
    return kymo_writer_open(&writer, "fits", &options) || writer->pos != 1 ? 8 : 0;
}

/* Fills the directory's file system. */
static int fill_directory(void)
{
    char path[UNIT_PATH], page[4096] = {0};
    int fd = open(unit_path(".filler", path), O_CREAT | O_WRONLY, 0600);

    while (write(fd, page, sizeof(page)) == (ssize_t)sizeof(page))
        continue;
    close(fd);
    return errno == ENOSPC ? 0 : 1;
}

/* Holes, as of a file that tar or cp restored, are filled at open, also those of a consumer's pages;
 * a segment with holes can be removed. */
static int resume_in_little_room(void *context)
{
    struct kymo_options options = of_payloads;
    struct kymo_diagnostic diagnostic;
    struct kymo_writer *writer;
    struct kymo_consumer *consumer;
    struct kymo_reader *reader;
    struct unit_payload payload = unit_payload(0);
    char path[UNIT_PATH];
    int fd;

    (void)context;
    if (!mount_small("sparse", "size=256k"))
        return 77;
    options.kind = KYMO_QUEUE;
    options.depth = 1024;
    if (kymo_writer_open(&writer, "sparse", &options) ||
        kymo_ring_publish(writer, &payload, sizeof(payload), 0, 0))
        return 1;
    kymo_writer_close(writer);
    fd = open(unit_path("sparse", path), O_RDWR);
    /* All but the header, the control page and the first slots. */
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 20480 - 8192) != 0 ||
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 65536) != 0 ||
        fill_directory() != 0)
        return 2;
    close(fd);
    if (kymo_writer_open_diagnosed(&writer, "sparse", NULL, &diagnostic) != -ENOSPC ||
        strncmp(diagnostic.text, "depth, size: the segment needs ", 31) != 0)
        return 3;
    if (kymo_consumer_open(&consumer, "sparse") != -ENOSPC)
        return 4;
    if (kymo_reader_open(&reader, "sparse") ||
        kymo_ring_latest(reader, &payload, sizeof(payload), NULL) || payload.pos != 0)
        return 5;
    if (kymo_ring_wait(reader, 1, kymo_clock_now(KYMO_MONOTONIC) + 1) != -ETIMEDOUT)
        return 6;
    return kymo_segment_remove("sparse") ? 7 : 0;
}

Test(segment, resumes_holes_only_with_space)
{
    int status = unit_child(resume_in_little_room, NULL);

    if (status == 77)
        cr_skip_test("mounting is for root");
    cr_assert_eq(status, 0);
}

Test(segment, is_not_created_without_space)
{
    int status = unit_child(create_in_little_room, NULL);

    if (status == 77)
        cr_skip_test("mounting is for root");
    cr_assert_eq(status, 0);
}

/* A hole in the file would be a SIGBUS later: every block is there from the start. */
Test(segment, allocates_all_blocks_at_creation)
{
    struct kymo_options options = of_payloads;
    struct kymo_writer *writer;
    struct stat status;
    char path[UNIT_PATH];

    options.depth = 4096;
    writer = unit_writer("room", &options);
    cr_assert_eq(stat(unit_path("room", path), &status), 0);
    cr_assert_geq((uint64_t)status.st_blocks * 512, (uint64_t)status.st_size);
    kymo_writer_close(writer);
}

/* ---- permissions ---- */

static int open_unprivileged(void *name)
{
    struct kymo_writer *writer;
    struct kymo_reader *reader;

    if (setgid(65534) || setuid(65534))
        return 77;
    if (kymo_writer_open(&writer, name, &of_payloads) != -EACCES)
        return 1;
    if (kymo_segment_remove(name) != -EACCES)
        return 2;
    if (kymo_reader_open(&reader, name) != (strcmp(name, "secret") == 0 ? -EACCES : 0))
        return 3;
    /* A closed segment has nothing to reap. */
    if (kymo_segment_reap(name) != (strcmp(name, "secret") == 0 ? -EACCES : 0))
        return 4;
    return 0;
}

Test(segment, obeys_permissions)
{
    struct kymo_options options = of_payloads;

    if (geteuid() != 0)
        cr_skip_test("changing the user requires root");
    options.mode = 0644;
    kymo_writer_close(unit_writer("public", &options));
    options.mode = 0600;
    kymo_writer_close(unit_writer("secret", &options));
    cr_assert_eq(unit_child(open_unprivileged, "public"), 0);
    cr_assert_eq(unit_child(open_unprivileged, "secret"), 0);
}

/* An access list, in the kernel's format, that also lets user 1 read; and none. */
static const struct {
    uint32_t version;
    struct {
        uint16_t tag, permissions;
        uint32_t id;
    } entries[5];
} reader_list = {2, {{1, 6, -1u}, {2, 4, 1}, {4, 0, -1u}, {16, 4, -1u}, {32, 0, -1u}}};

static ssize_t access_list_of(const char *name)
{
    char path[UNIT_PATH], list[256];

    return getxattr(unit_path(name, path), "system.posix_acl_access", list, sizeof(list));
}

static void expect_permissions(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
    struct stat status;
    char path[UNIT_PATH];

    cr_assert_eq(stat(unit_path(name, path), &status), 0);
    cr_assert_eq(status.st_uid, uid);
    cr_assert_eq(status.st_gid, gid);
    cr_assert_eq(status.st_mode & 07777, mode, "mode %o", status.st_mode & 07777);
}

/* Replaces the segment with another layout. */
static void replace_with(const char *name, uint32_t size, uint32_t mode)
{
    struct kymo_options options = of_payloads;

    options.size = size;
    options.mode = mode;
    kymo_writer_close(unit_writer(name, &options));
}

Test(segment, keeps_permissions_when_replaced)
{
    struct kymo_options options = of_payloads;
    const uid_t uid = geteuid() == 0 ? 1234 : geteuid();
    const gid_t gid = geteuid() == 0 ? 4321 : getegid();
    char path[UNIT_PATH];
    uint64_t inode;

    options.mode = 0640;
    kymo_writer_close(unit_writer("private", &options));
    inode = inode_of("private");
    cr_assert_eq(chown(unit_path("private", path), uid, gid), 0);
    cr_assert_eq(chmod(path, 0604), 0);
    replace_with("private", 24, 0);
    cr_assert_neq(inode_of("private"), inode);
    expect_permissions("private", uid, gid, 0604);
    replace_with("private", 32, 0600);
    expect_permissions("private", uid, gid, 0600);
}

Test(segment, keeps_access_list_when_replaced)
{
    char path[UNIT_PATH];

    unit_directory("lists");
    kymo_writer_close(unit_writer("listed", &of_payloads));
    if (setxattr(unit_path("listed", path), "system.posix_acl_access", &reader_list,
                 sizeof(reader_list), 0) != 0)
        cr_skip_test("the file system has no access lists");
    replace_with("listed", 24, 0);
    cr_assert_eq(access_list_of("listed"), (ssize_t)sizeof(reader_list));
    expect_permissions("listed", geteuid(), getegid(), 0640);

    /* A default list of the directory is not added to a segment that has none. */
    replace_with("bare", 16, 0600);
    cr_assert_eq(setxattr(kymo_directory(), "system.posix_acl_default", &reader_list,
                          sizeof(reader_list), 0),
                 0);
    replace_with("bare", 24, 0);
    cr_assert_eq(access_list_of("bare"), -1);
    expect_permissions("bare", geteuid(), getegid(), 0600);
}

static int replace_unprivileged(void *name)
{
    struct kymo_options options = of_payloads;
    struct kymo_diagnostic diagnostic;
    struct kymo_writer *writer;

    options.size = 24;
    if (setgid(65534) || setuid(65534))
        return 77;
    if (kymo_writer_open_diagnosed(&writer, name, &options, &diagnostic) != -EPERM)
        return 1;
    return strstr(diagnostic.text, "owner: the segment belongs to user 0 ") == NULL;
}

/* The owner cannot be given away: the segment is not replaced. */
Test(segment, is_replaced_by_its_owner_only)
{
    struct kymo_options options = of_payloads;
    uint64_t inode;

    if (geteuid() != 0)
        cr_skip_test("changing the user requires root");
    unit_directory("shared");
    options.mode = 0666;
    kymo_writer_close(unit_writer("owned", &options));
    inode = inode_of("owned");
    cr_assert_eq(chmod(kymo_directory(), 0777), 0);
    cr_assert_eq(unit_child(replace_unprivileged, "owned"), 0);
    cr_assert_eq(inode_of("owned"), inode);
}

/* ---- listing ---- */

struct listing {
    char text[512];
    int stop_after;
    int count;
};

static int note_entry(void *context, const struct kymo_entry *entry)
{
    struct listing *listing = context;
    size_t len = strlen(listing->text);

    snprintf(listing->text + len, sizeof(listing->text) - len, "%s:%d ", entry->name, entry->error);
    if ((entry->error == 0) != (entry->reason[0] == 0))
        return -1;
    listing->count++;
    return listing->count == listing->stop_after ? 42 : 0;
}

Test(segment, is_listed_by_name)
{
    struct listing all = {.stop_after = 0}, first = {.stop_after = 1};
    char path[UNIT_PATH], expected[128];

    unit_directory("list");
    cr_assert_eq(kymo_segment_list(note_entry, &all), 0);
    cr_assert_eq(all.count, 0);
    kymo_writer_close(unit_writer("b", &of_payloads));
    kymo_writer_close(unit_writer("a", &of_payloads));
    kymo_writer_close(unit_writer("C", &of_payloads));
    cr_assert_eq(mkdir(unit_path("directory", path), 0755), 0);
    cr_assert_eq(symlink("a", unit_path("link", path)), 0);
    close(open(unit_path("empty", path), O_CREAT | O_WRONLY, 0644));
    close(open(unit_path("bad name", path), O_CREAT | O_WRONLY, 0644));
    close(open(unit_path(".hidden", path), O_CREAT | O_WRONLY, 0644));
    cr_assert_eq(kymo_segment_list(note_entry, &all), 0);
    snprintf(expected, sizeof(expected), "C:0 a:0 b:0 bad name:%d directory:%d empty:%d link:%d ",
             -EINVAL, -EBADMSG, -EBADMSG, -EBADMSG);
    cr_assert_str_eq(all.text, expected);
    cr_assert_eq(kymo_segment_list(note_entry, &first), 42, "it stops on request");
    cr_assert_eq(first.count, 1);
    setenv("KYMO_DIR", "/nonexistent", 1);
    cr_assert_eq(kymo_segment_list(note_entry, &all), -ENOENT);
}
