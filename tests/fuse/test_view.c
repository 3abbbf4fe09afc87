/*
 * test_view.c - the view without a mount: names, listings, contents, nodes and generations.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "query.h"
#include "tree.h"

static const struct caller walker = {.thread = 7};
static const struct caller another = {.thread = 8};

/* The newest record has n = count - 1, and time 10 * n. */
static void publish(const char *name, const char *fields, uint64_t count,
                    enum kymo_existing existing, uint32_t mode)
{
    struct kymo_schema *schema;
    struct kymo_writer *writer;
    struct kymo_options options = {.clock = KYMO_USER, .existing = existing, .mode = mode};
    unsigned char payload[65536] = {0};

    cr_assert_eq(kymo_schema_parse(&schema, fields, NULL), 0);
    options.schema = schema;
    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    for (uint64_t n = 0; n < count; n++) {
        memcpy(payload, &n, sizeof(n));
        cr_assert_eq(kymo_ring_publish(writer, payload, schema->size, 10 * n, n), 0);
    }
    kymo_writer_close(writer);
    kymo_schema_free(schema);
}

/* One record, of that time. */
static void publish_at(const char *name, enum kymo_clock clock, uint64_t time)
{
    const struct kymo_options options = {.clock = clock, .size = 8};
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    cr_assert_eq(kymo_ring_publish(writer, &time, sizeof(time), time, 0), 0);
    kymo_writer_close(writer);
}

/* Puts a number where the slot of that position has its sequence. */
static void set_sequence(const char *name, uint64_t pos, uint64_t sequence)
{
    struct kymo_writer *writer;

    cr_assert_eq(kymo_writer_open(&writer, name, NULL), 0);
    kymo_store_relaxed(&kymo_impl_ring_slot(&writer->ring, pos)->seq, sequence);
    kymo_writer_close(writer);
}

static struct registry *registry;
static struct tree *tree;

static void ignore_change(void *context, const char *name)
{
    (void)context;
    (void)name;
}

/* Tests of one program share the directory. */
static void empty_directory(void)
{
    DIR *directory = opendir(kymo_directory());
    struct dirent *file;

    while ((file = readdir(directory)))
        unlinkat(dirfd(directory), file->d_name, 0);
    closedir(directory);
}

static void open_view(void)
{
    static const struct registry_listener listener = {NULL, ignore_change, NULL, NULL};

    empty_directory();
    cr_assert_eq(registry_open(&registry, &listener), 0);
    cr_assert_eq(tree_open(&tree, registry), 0);
}

static void close_view(void)
{
    tree_close(tree);
    registry_close(registry);
}

static int look_up(const char *path, struct node **node)
{
    char *copy = strdup(path);
    char *rest = copy;
    char *name;
    int error = 0;

    *node = tree_root(tree);
    while (!error && (name = strsep(&rest, "/"))) {
        error = tree_lookup(tree, *node, name, 0, node);
        if (!error)
            tree_done(tree, *node);
    }
    free(copy);
    return error;
}

static struct node *node_at(const char *path)
{
    struct node *node;
    int error = look_up(path, &node);

    cr_assert_eq(error, 0, "%s: %s", path, kymo_error_text(error));
    return node;
}

static int look_up_error(const char *path)
{
    struct node *node;

    return look_up(path, &node);
}

static void expect_content(struct node *node, const char *content)
{
    struct snapshot *snapshot;
    int error = tree_open_file(tree, node, 0, &snapshot);

    cr_assert_eq(error, 0, "%s: %s", node->name, kymo_error_text(error));
    cr_assert_str_eq(snapshot->text.data, content);
    tree_close_file(tree, snapshot);
}

static int open_error(struct node *node, const struct caller *caller)
{
    struct snapshot *snapshot;
    int error = tree_open_file(tree, node, caller, &snapshot);

    if (!error)
        tree_close_file(tree, snapshot);
    return error;
}

static size_t content_length(struct node *node)
{
    struct snapshot *snapshot;
    size_t len;

    cr_assert_eq(tree_open_file(tree, node, 0, &snapshot), 0, "%s", node->name);
    len = snapshot->text.len;
    tree_close_file(tree, snapshot);
    return len;
}

static uint64_t size_of(struct node *node)
{
    struct stat attributes;

    tree_attributes(tree, node, NULL, &attributes);
    return (uint64_t)attributes.st_size;
}

/* ---- questions ---- */

static int parse_error(enum query_kind kind, const char *text)
{
    struct query query;

    return query_parse(kind, text, KYMO_USER, 0, &query);
}

Test(query, takes_its_arguments_in_any_order_and_once)
{
    struct query query;

    cr_assert_eq(query_parse(QUERY_CLOSEST, "t=5us", KYMO_USER, 0, &query), 0);
    cr_assert_eq(query.time, 5000);
    cr_assert_eq(query.limit, KYMO_ANY_DISTANCE);
    cr_assert_eq(query_parse(QUERY_CLOSEST, "max=1s&t=-1ns", KYMO_MONOTONIC, 77, &query), 0);
    cr_assert_eq(query.time, 76);
    cr_assert_eq(query.limit, 1000000000);
    cr_assert_eq(query_parse(QUERY_FRESH, "max_age=3ms", KYMO_MONOTONIC, 77, &query), 0);
    cr_assert_eq(query.limit, 3000000);
    cr_assert_eq(query_parse(QUERY_RANGE, "format=csv&to=now&from=-1ns", KYMO_TAI, 77, &query), 0);
    cr_assert_eq(query.from, 76);
    cr_assert_eq(query.to, 77);
    cr_assert(query.csv);
    cr_assert_eq(query_parse(QUERY_RANGE, "format=ndjson&to=1&from=1", KYMO_USER, 0, &query), 0);
    cr_assert_not(query.csv);
}

Test(query, refuses_what_is_not_asked_that_way)
{
    static const struct {
        enum query_kind kind;
        const char *text;
    } wrong[] = {
        {QUERY_CLOSEST, ""},
        {QUERY_CLOSEST, "t"},
        {QUERY_CLOSEST, "t="},
        {QUERY_CLOSEST, "t=1&t=1"},
        {QUERY_CLOSEST, "max=1"},
        {QUERY_CLOSEST, "t=1&"},
        {QUERY_CLOSEST, "t=1&maxi=1"},
        {QUERY_CLOSEST, "t=now"},
        {QUERY_INTERP, "t=1&max=1"},
        {QUERY_INTERP, "from=1"},
        {QUERY_FRESH, "t=1"},
        {QUERY_FRESH, "max_age=-1"},
        {QUERY_FRESH, "max_age=now"},
        {QUERY_RANGE, "from=1"},
        {QUERY_RANGE, "to=1"},
        {QUERY_RANGE, "from=2&to=1"},
        {QUERY_RANGE, "from=1&to=2&format=xml"},
        {QUERY_RANGE, "from=1&to=2&format=csv&format=csv"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(parse_error(wrong[i].kind, wrong[i].text), -EINVAL, "%s", wrong[i].text);
}

Test(query, says_the_same_as_a_path)
{
    struct query query;

    cr_assert_eq(query_parse_path(QUERY_INTERP, "-1ns", KYMO_TAI, 77, &query), 0);
    cr_assert_eq(query.time, 76);
    cr_assert_eq(query_parse_path(QUERY_FRESH, "1.5us", KYMO_TAI, 77, &query), 0);
    cr_assert_eq(query.limit, 1500);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "1.5us..now", KYMO_TAI, 7777, &query), 0);
    cr_assert_eq(query.from, 1500);
    cr_assert_eq(query.to, 7777);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "1..", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "..1", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "1", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "1...2", KYMO_USER, 0, &query), -EINVAL);
    cr_assert_eq(query_parse_path(QUERY_RANGE, "3..2", KYMO_USER, 0, &query), -EINVAL);
}

/* ---- the table ---- */

Test(kinds, each_row_is_complete)
{
    for (size_t i = 0; i < node_kind_count; i++) {
        const struct node_kind *kind = &node_kinds[i];

        cr_assert_not_null(kind->name);
        cr_assert_eq(kind->parent == NULL, kind == node_root);
        cr_assert_eq(!kind->render && !kind->render_for,
                     kind->type == NODE_DIRECTORY || (kind->flags & NODE_STREAM), "%s", kind->name);
        cr_assert_eq(kind->render_for != NULL, (kind->flags & NODE_PERSONAL) != 0, "%s",
                     kind->name);
        if (kind->parent)
            cr_assert_eq((int)kind->parent->type, (int)NODE_DIRECTORY, "%s", kind->name);
        if (kind->flags & NODE_RAW)
            cr_assert_not_null(kind->find, "%s", kind->name);
        if (kind->match && kind->flags & NODE_LISTED)
            cr_assert_not_null(kind->list, "%s", kind->name);
        if (kind->flags & NODE_LISTED && kind != node_root)
            cr_assert_not_null(kind->help, "%s is in no README", kind->name);
    }
}

Test(kinds, what_is_listed_can_be_looked_up, .init = open_view, .fini = close_view)
{
    static const char *const directories[] = {"s", "s/history", "s/field"};

    publish("s", "n:u64,v:f32[3],t:char[4],long:u8[65],m:i16[2][2]", 70, KYMO_CREATE_NEW, 0);
    for (size_t d = 0; d < 3; d++) {
        struct node *directory = node_at(directories[d]);
        struct listing listing = {0};

        cr_assert_eq(tree_list(tree, directory, 0, &listing), 0);
        cr_assert_gt(listing.count, 0);
        for (size_t i = 0; i < listing.count; i++) {
            struct node *node;

            cr_assert_eq(tree_lookup(tree, directory, listing.entries[i].name, 0, &node), 0, "%s",
                         listing.entries[i].name);
            cr_assert_eq(node->inode, listing.entries[i].inode);
            cr_assert_eq(node->key.number, listing.entries[i].key.number);
            cr_assert_eq(node->key.raw, listing.entries[i].key.raw);
        }
        listing_free(&listing);
    }
}

/* ---- histories ---- */

#define RECORD(n, time) \
    "{\"pos\":" #n ",\"time\":" #time ",\"tag\":" #n ",\"data\":{\"n\":" #n "}}\n"

Test(histories, hold_all_records_the_newest_last, .init = open_view, .fini = close_view)
{
    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    expect_content(node_at("s/history.csv"), "pos,time,tag,n\n0,0,0,0\n1,10,1,1\n2,20,2,2\n");
    expect_content(node_at("s/history.ndjson"), RECORD(0, 0) RECORD(1, 10) RECORD(2, 20));
    publish("none", "n:u64", 0, KYMO_CREATE_NEW, 0);
    expect_content(node_at("none/history.csv"), "pos,time,tag,n\n");
    cr_assert_eq(content_length(node_at("none/history.ndjson")), 0);
}

Test(histories, leave_out_the_slot_that_is_next, .init = open_view, .fini = close_view)
{
    struct snapshot *snapshot;

    publish("s", "n:u64", 100, KYMO_CREATE_NEW, 0); /* 64 slots */
    cr_assert_eq(tree_open_file(tree, node_at("s/history.csv"), 0, &snapshot), 0);
    cr_assert(strncmp(snapshot->text.data, "pos,time,tag,n\n37,370,37,37\n", 28) == 0);
    tree_close_file(tree, snapshot);
}

/* A slot that was overwritten while the others were copied looks like one that never was. */
Test(histories, begin_behind_what_was_lost_and_count_it, .init = open_view, .fini = close_view)
{
    publish("s", "n:u64", 6, KYMO_CREATE_NEW, 0);
    set_sequence("s", 3, 999);
    expect_content(node_at("s/history.csv"), "pos,time,tag,n\n4,40,4,4\n5,50,5,5\n# missed 4\n");
    expect_content(node_at("s/history.ndjson"), RECORD(4, 40) RECORD(5, 50) "{\"missed\":4}\n");
    expect_content(node_at("s/range/20..40"), RECORD(4, 40) "{\"missed\":2}\n");
    expect_content(node_at("s/range/0..20"), RECORD(0, 0) RECORD(1, 10) RECORD(2, 20));
    cr_assert_eq(open_error(node_at("s/range/30..30"), 0), -EAGAIN);
    publish("lost", "n:u64", 6, KYMO_CREATE_NEW, 0);
    for (uint64_t pos = 0; pos < 6; pos++)
        set_sequence("lost", pos, 999);
    cr_assert_eq(open_error(node_at("lost/history.csv"), 0), -EAGAIN);
}

Test(histories, of_a_range_hold_both_ends, .init = open_view, .fini = close_view)
{
    publish("s", "n:u64", 6, KYMO_CREATE_NEW, 0);
    expect_content(node_at("s/range?from=20&to=30"), RECORD(2, 20) RECORD(3, 30));
    expect_content(node_at("s/range?from=19&to=30&format=csv"),
                   "pos,time,tag,n\n2,20,2,2\n3,30,3,3\n");
    expect_content(node_at("s/range/50..1s"), RECORD(5, 50));
    cr_assert_eq(content_length(node_at("s/range/21..29")), 0);
    cr_assert_eq(content_length(node_at("s/range/51..99")), 0);
    cr_assert_eq(look_up_error("s/range/30..20"), -EINVAL);
    cr_assert_eq(look_up_error("s/range?from=1"), -EINVAL);
}

/* ---- other questions ---- */

Test(questions, interp_shows_the_pair_and_what_lies_between, .init = open_view, .fini = close_view)
{
    static const char content[] =
        "{\"time\":15,\"alpha\":0.5,\"data\":{\"n\":1.5},\"before\":{\"pos\":1,\"time\":10,\"tag\":"
        "1,"
        "\"data\":{\"n\":1}},\"after\":{\"pos\":2,\"time\":20,\"tag\":2,\"data\":{\"n\":2}}}\n";

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    expect_content(node_at("s/interp/15"), content);
    expect_content(node_at("s/interp?t=15ns"), content);
    cr_assert_eq(open_error(node_at("s/interp/21"), 0), -EDOM);
    cr_assert_eq(look_up_error("s/interp/15.raw"), -EINVAL);
    publish("none", "n:u64", 0, KYMO_CREATE_NEW, 0);
    cr_assert_eq(open_error(node_at("none/interp/0"), 0), -ENODATA);
}

Test(questions, fresh_is_the_newest_or_nothing, .init = open_view, .fini = close_view)
{
    const uint64_t now = kymo_clock_now(KYMO_MONOTONIC);

    publish_at("s", KYMO_MONOTONIC, now);
    cr_assert_eq(open_error(node_at("s/fresh/1h"), 0), 0);
    cr_assert_eq(open_error(node_at("s/fresh?max_age=1h"), 0), 0);
    cr_assert_eq(open_error(node_at("s/fresh/0"), 0), -ETIME);
    cr_assert_eq(content_length(node_at("s/fresh/1h.raw")), 8);
    cr_assert_eq(content_length(node_at("s/fresh?max_age=1h.raw")), 8);
    /* What lies ahead is no older than that. */
    publish_at("ahead", KYMO_MONOTONIC, now + UINT64_C(3600000000000));
    cr_assert_eq(open_error(node_at("ahead/fresh/0"), 0), 0);
    publish_at("user", KYMO_USER, now);
    cr_assert_eq(look_up_error("user/fresh/1h"), -EINVAL);
}

/* ---- moments ---- */

static size_t count_files_of(const char *path)
{
    struct listing listing = {0};
    size_t count;

    cr_assert_eq(tree_list(tree, node_at(path), 0, &listing), 0);
    count = listing.count;
    listing_free(&listing);
    return count;
}

/* Every file, as of a time when there were three of six records. */
Test(moments, show_nothing_that_came_later, .init = open_view, .fini = close_view)
{
    struct snapshot *snapshot;

    publish("s", "n:u64", 6, KYMO_CREATE_NEW, 0);
    expect_content(node_at("at/25/s/latest"), RECORD(2, 20));
    expect_content(node_at("at/20ns/s/history/0"), RECORD(2, 20));
    expect_content(node_at("at/25/s/history/2"), RECORD(0, 0));
    cr_assert_eq(look_up_error("at/25/s/history/3"), -ENOENT);
    cr_assert_eq(count_files_of("at/25/s/history"), 6); /* .raw as well */
    expect_content(node_at("at/25/s/field/n"), "2\n");
    expect_content(node_at("at/25/s/history.csv"), "pos,time,tag,n\n0,0,0,0\n1,10,1,1\n2,20,2,2\n");
    expect_content(node_at("at/25/s/history.ndjson"), RECORD(0, 0) RECORD(1, 10) RECORD(2, 20));
    expect_content(node_at("at/25/s/range/10..99"), RECORD(1, 10) RECORD(2, 20));
    expect_content(node_at("at/25/s/closest?t=99"), RECORD(2, 20));
    cr_assert_eq(content_length(node_at("at/25/s/interp/15")),
                 content_length(node_at("s/interp/15")));
    cr_assert_eq(open_error(node_at("at/25/s/interp/22"), 0), -EDOM);
    cr_assert_eq(open_error(node_at("s/interp/22"), 0), 0);
    /* An age is one as of then. */
    expect_content(node_at("at/25/s/fresh/5"), RECORD(2, 20));
    cr_assert_eq(open_error(node_at("at/25/s/fresh/4"), 0), -ETIME);
    cr_assert_eq(tree_open_file(tree, node_at("at/25/s/info"), 0, &snapshot), 0);
    cr_assert_not_null(strstr(snapshot->text.data, "\nas-of: 25\nage: 5ns\nrecords: 3\n"));
    cr_assert_null(strstr(snapshot->text.data, "writer"));
    tree_close_file(tree, snapshot);
    cr_assert_eq(content_length(node_at("at/25/s/schema")), content_length(node_at("s/schema")));
    cr_assert_eq(look_up_error("at/25/s/raw"), -ENOENT);
    cr_assert_eq(look_up_error("at/25/README"), -ENOENT);
    cr_assert_neq(node_at("at/25/s/latest")->inode, node_at("s/latest")->inode);
    cr_assert_neq(node_at("at/25/s")->inode, node_at("at/20/s")->inode);
}

Test(moments, before_the_first_record_are_empty, .init = open_view, .fini = close_view)
{
    publish_at("s", KYMO_USER, 1000);
    cr_assert_eq(open_error(node_at("at/999/s/latest"), 0), -ENODATA);
    cr_assert_eq(open_error(node_at("at/999/s/closest/1"), 0), -ENODATA);
    cr_assert_eq(count_files_of("at/999/s/history"), 0);
    expect_content(node_at("at/999/s/history.csv"), "pos,time,tag,data\n");
    cr_assert_eq(content_length(node_at("at/999/s/range/0..9999")), 0);
    cr_assert_eq(open_error(node_at("at/1000/s/latest"), 0), 0);
}

Test(moments, whose_records_were_overwritten_are_not_found, .init = open_view, .fini = close_view)
{
    publish("s", "n:u64", 100, KYMO_CREATE_NEW, 0); /* 37 to 99 are left */
    cr_assert_eq(open_error(node_at("at/369/s/latest"), 0), -ENOENT);
    cr_assert_eq(open_error(node_at("at/369/s/history.csv"), 0), -ENOENT);
    cr_assert_eq(open_error(node_at("at/369/s/info"), 0), -ENOENT);
    cr_assert_eq(count_files_of("at/369/s/history"), 0);
    expect_content(node_at("at/375/s/latest"), RECORD(37, 370));
    expect_content(node_at("at/380/s/history.ndjson"), RECORD(37, 370) RECORD(38, 380));
    cr_assert_eq(open_error(node_at("at/380/s/history/2"), 0), -ENOENT);
    cr_assert_eq(look_up_error("at/380/s/history/39"), -ENOENT);
}

/* What is relative to now is, from its lookup on, no more. */
Test(moments, are_pinned_when_they_are_looked_up, .init = open_view, .fini = close_view)
{
    publish_at("s", KYMO_MONOTONIC, kymo_clock_now(KYMO_MONOTONIC));
    struct node *now = node_at("at/now");
    struct node *later, *latest;

    cr_assert_eq(tree_lookup(tree, now, "s", 0, &later), 0);
    cr_assert_eq(tree_lookup(tree, later, "latest.raw", 0, &latest), 0);
    const uint64_t after = kymo_clock_now(KYMO_MONOTONIC);

    publish_at("s", KYMO_MONOTONIC, after);
    struct snapshot *snapshot;
    uint64_t time;

    cr_assert_eq(tree_open_file(tree, latest, 0, &snapshot), 0);
    memcpy(&time, snapshot->text.data, sizeof(time));
    cr_assert_lt(time, after);
    tree_close_file(tree, snapshot);
    cr_assert_neq(node_at("at/now"), now);
    cr_assert_eq(node_at("at/now")->inode, now->inode);
    cr_assert_eq(node_at("at/5"), node_at("at/5"));
    cr_assert(tree_is_passing(now));
    cr_assert(tree_is_passing(later));
}

Test(moments, mean_what_the_clock_of_the_segment_says, .init = open_view, .fini = close_view)
{
    const uint64_t day = UINT64_C(86400000000000);

    publish_at("user", KYMO_USER, 5);
    publish_at("real", KYMO_REALTIME, day);
    publish_at("mono", KYMO_MONOTONIC, 7);
    cr_assert_eq(count_files_of("at/now"), 2);
    cr_assert_eq(count_files_of("at/1970-01-02T00:00:00Z"), 1);
    cr_assert_eq(count_files_of("at/7"), 3);
    cr_assert_eq(look_up_error("at/now/user"), -EINVAL);
    cr_assert_eq(open_error(node_at("at/1970-01-02T00:00:00Z/real/latest"), 0), 0);
    cr_assert_eq(open_error(node_at("at/1970-01-01T23:59:59Z/real/latest"), 0), -ENODATA);
    cr_assert_eq(look_up_error("at/1970-01-02T00:00:00Z/mono"), -EINVAL);
    cr_assert_eq(look_up_error("at/nonsense"), -EINVAL);
    cr_assert_eq(look_up_error("at/"), -EINVAL);
    cr_assert_eq(count_files_of("at"), 0);
}

struct race {
    struct kymo_writer *writer;
    uint32_t end;
};

/* Record n has time 10 * n. */
static void *run_race(void *context)
{
    struct race *race = context;

    while (!kymo_load_relaxed32(&race->end)) {
        const uint64_t n = race->writer->pos;

        kymo_ring_publish(race->writer, &n, sizeof(n), 10 * n, n);
    }
    return NULL;
}

/* G: the closest of those that were there at the moment, whatever the writer overwrites meanwhile. Of
 * records that are lost the oldest that is left may stand for them, never an older or a later one. */
Test(moments, answer_exactly_under_a_racing_writer, .init = open_view, .fini = close_view)
{
    const struct kymo_options options = {.clock = KYMO_USER, .depth = 4096, .size = 8};
    struct race race = {.end = 0};
    uint64_t answers = 0, lost = 0;
    pthread_t thread;
    struct node *segment;

    cr_assert_eq(kymo_writer_open(&race.writer, "s", &options), 0);
    cr_assert_eq(pthread_create(&thread, NULL, run_race, &race), 0);
    while (kymo_ring_head(&race.writer->ring) < 5000)
        sched_yield();
    segment = node_at("s");
    for (int i = 0; i < 20000; i++) {
        const uint64_t head = kymo_ring_head(node_ring(segment));
        const uint64_t then = head - 1 - (uint64_t)i % 2000; /* the newest at the moment */
        const uint64_t wanted = head - 4095 + (uint64_t)i % 64;
        char at[64], closest[64];
        struct node *node;
        struct snapshot *snapshot;
        int error;

        snprintf(at, sizeof(at), "at/%llu/s", (unsigned long long)(10 * then + 3));
        snprintf(closest, sizeof(closest), "closest?t=%llu.raw", (unsigned long long)(10 * wanted));
        cr_assert_eq(tree_lookup(tree, node_at(at), closest, 0, &node), 0);
        error = tree_open_file(tree, node, 0, &snapshot);
        if (error) {
            cr_assert(error == -ENOENT || error == -EAGAIN, "%s", kymo_error_text(error));
            lost++;
            continue;
        }
        uint64_t got;

        memcpy(&got, snapshot->text.data, sizeof(got));
        cr_assert_leq(got, then);
        if (got != wanted)
            cr_assert(got > wanted && got >= head - 4095, "%llu for %llu", (unsigned long long)got,
                      (unsigned long long)wanted);
        answers++;
        tree_close_file(tree, snapshot);
    }
    kymo_store_relaxed32(&race.end, 1);
    pthread_join(thread, NULL);
    kymo_writer_close(race.writer);
    printf("count: closest as of a moment under a racing writer: %llu answers, %llu overwritten, "
           "0 wrong\n",
           (unsigned long long)answers, (unsigned long long)lost);
    cr_assert_gt(answers, 0);
}

/* ---- sizes ---- */

/* What reports a page never has more, whatever the values are. */
Test(limits, hold_for_the_longest_values, .init = open_view, .fini = close_view)
{
    static const char fields[] = "a:f64[8],b:f32[8],c:i64[8],d:u64[8],e:i8[8],f:bool[8],g:char[64],"
                                 "h:char[2][8],i:f64[2][2][2]";
    struct kymo_schema *schema;
    struct kymo_writer *writer;
    struct kymo_options options = {.clock = KYMO_REALTIME, .first = KYMO_POSITION_LIMIT - 2};
    const double longest = -2.2250738585072014e-308;
    const float longest_single = -1.17549435e-38f;
    const int64_t least = INT64_MIN;
    unsigned char payload[1024];

    cr_assert_eq(kymo_schema_parse(&schema, fields, NULL), 0);
    memset(payload, 0x01, sizeof(payload)); /* texts of \u0001 */
    for (size_t i = 0; i < 8; i++) {
        memcpy(payload + schema->fields[0].offset + 8 * i, &longest, 8);
        memcpy(payload + schema->fields[1].offset + 4 * i, &longest_single, 4);
        memcpy(payload + schema->fields[2].offset + 8 * i, &least, 8);
        memset(payload + schema->fields[3].offset + 8 * i, 0xff, 8);
        payload[schema->fields[4].offset + i] = 0x80;
        memcpy(payload + schema->fields[8].offset + 8 * i, &longest, 8);
    }
    options.schema = schema;
    cr_assert_eq(kymo_writer_open(&writer, "long", &options), 0);
    cr_assert_eq(kymo_ring_publish(writer, payload, schema->size, UINT64_MAX / 2, UINT64_MAX), 0);
    static const char *const paths[] = {"long/latest",         "long/info",
                                        "long/field/g",        "long/field/a.0",
                                        "long/field/i.7",      "long/history.csv",
                                        "long/history.ndjson", "long/interp/9223372036854775807"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct node *node = node_at(paths[i]);
        struct snapshot *snapshot;

        cr_assert_eq(tree_open_file(tree, node, 0, &snapshot), 0);
        cr_assert_leq(snapshot->text.len, node->key.kind->limit(node), "%s: %zu", paths[i],
                      snapshot->text.len);
        tree_close_file(tree, snapshot);
    }
    kymo_writer_close(writer);
    kymo_schema_free(schema);
}

Test(sizes, are_a_page_or_exact, .init = open_view, .fini = close_view)
{
    publish("small", "n:u64", 3, KYMO_CREATE_NEW, 0);
    publish("large", "n:u64,v:u8[5000]", 3, KYMO_CREATE_NEW, 0);
    cr_assert_eq(size_of(node_at("small/latest")), NODE_PAGE);
    cr_assert_eq(size_of(node_at("small/latest.raw")), NODE_PAGE);
    cr_assert_eq(size_of(node_at("large/latest.raw")), 5008);
    cr_assert_eq(size_of(node_at("small/closest?t=20.raw")), 8);
    cr_assert_eq(size_of(node_at("large/field/n")), NODE_PAGE);
    cr_assert_eq(size_of(node_at("large/field/v")), 10000);
    cr_assert(tree_is_passing(node_at("large/latest")));
    cr_assert(tree_is_passing(node_at("small/closest/20")));
    cr_assert_not(tree_is_passing(node_at("small/latest")));
    cr_assert_not(tree_is_passing(node_at("small/schema")));
}

/* ---- segments that are larger than any memory ---- */

/* While it is set, files come without memory: the library asks for theirs by this call. */
static bool is_sparse;

int posix_fallocate(int fd, off_t offset, off_t len)
{
    off_t end = offset + len;

    if (is_sparse)
        return ftruncate(fd, end) == 0 ? 0 : errno;
    return fallocate(fd, 0, offset, len) == 0 || ftruncate(fd, end) == 0 ? 0 : errno;
}

/* One record of `len` bytes that nobody has written. */
static void publish_sparse(const char *name, const char *fields, uint64_t depth, uint32_t size,
                           size_t len)
{
    struct kymo_schema *schema = NULL;
    struct kymo_options options = {.clock = KYMO_USER, .depth = depth, .size = size};
    struct kymo_writer *writer;
    void *payload;

    if (fields)
        cr_assert_eq(kymo_schema_parse(&schema, fields, NULL), 0);
    options.schema = schema;
    is_sparse = true;
    cr_assert_eq(kymo_writer_open(&writer, name, &options), 0);
    is_sparse = false;
    cr_assert_eq(kymo_ring_loan(writer, &payload), 0);
    cr_assert_eq(kymo_ring_commit(writer, len, 10, 0), 0);
    kymo_writer_close(writer);
    kymo_schema_free(schema);
}

/* Puts a number where the writer's page has the head. */
static void set_head(const char *name, uint64_t head)
{
    struct kymo_header header;
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    fd = open(path, O_RDWR);
    cr_assert_eq(pread(fd, &header, sizeof(header), 0), (ssize_t)sizeof(header));
    cr_assert_eq(pwrite(fd, &head, sizeof(head), (off_t)header.control_offset), 8);
    close(fd);
}

/* Bytes that this process has in memory. */
static uint64_t resident(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    cr_assert_eq(fscanf(file, "%*u %llu", &pages), 1);
    fclose(file);
    return pages * 4096;
}

/* A file that would be too large says so at open, and costs nothing before. */
static void expect_too_large(const char *path)
{
    const uint64_t before = resident();
    struct node *node = node_at(path);

    cr_assert_eq(open_error(node, 0), -EFBIG, "%s", path);
    cr_assert_eq(size_of(node), 0);
    cr_assert_lt(resident(), before + (8 << 20), "%s", path);
}

/* Metrics copy the values that they show, and not the record around them. */
static void expect_few_metrics(const char *name)
{
    const uint64_t before = resident();
    struct kymo_metrics *metrics;
    struct kymo_reader *reader;

    cr_assert_eq(kymo_metrics_open(&metrics), 0);
    cr_assert_eq(kymo_reader_open(&reader, name), 0);
    cr_assert_eq(kymo_metrics_add(metrics, reader), 3);
    cr_assert_lt(resident(), before + (8 << 20));
    kymo_reader_close(reader);
    kymo_metrics_close(metrics);
}

Test(limits, of_records_no_memory_holds, .init = open_view, .fini = close_view)
{
    static const char *const files[] = {"latest",         "latest.raw",
                                        "history/0",      "history.csv",
                                        "history.ndjson", "field/v",
                                        "closest/10",     "closest/10.raw",
                                        "interp/10",      "range/0..99",
                                        "at/10",          "range?from=0&to=9&format=csv"};
    char path[128];

    publish_sparse("fields", "v:u8[1073741824]", 2, 0, 1 << 30);
    publish_sparse("bytes", NULL, 2, 1 << 30, 1 << 30);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *format = strcmp(files[i], "at/10") == 0 ? "%2$s/%1$s/latest" : "%s/%s";

        snprintf(path, sizeof(path), format, "fields", files[i]);
        expect_too_large(path);
        if (strcmp(files[i], "field/v") == 0 || strchr(files[i], '='))
            continue;
        snprintf(path, sizeof(path), format, "bytes", files[i]);
        expect_too_large(path);
    }
    cr_assert_eq(open_error(node_at("fields/schema"), 0), 0);
    cr_assert_eq(open_error(node_at("fields/info"), 0), 0);
    publish_sparse("far", "v:u8[1073741000],n:u64", 2, 0, 1073741008);
    expect_few_metrics("far");
    /* What is short is shown, however large the slot. */
    publish_sparse("short", NULL, 2, 1 << 30, 3);
    expect_content(node_at("short/latest"),
                   "{\"pos\":0,\"time\":10,\"tag\":0,\"data\":\"000000\"}\n");
    expect_content(node_at("short/history.csv"), "pos,time,tag,data\n0,10,0,000000\n");
    cr_assert_eq(content_length(node_at("short/latest.raw")), 3);
}

/* E, F: what claims to hold more records than any file could show is gone through in no time. */
Test(limits, of_rings_no_memory_holds, .init = open_view, .fini = close_view, .timeout = 60)
{
    static const char *const files[] = {"latest",         "history/5",   "history.csv",
                                        "history.ndjson", "range/0..99", "closest/10",
                                        "field/n"};
    const uint64_t before = resident();
    struct listing listing = {0};
    char path[64];

    publish_sparse("deep", "n:u64", UINT64_C(1) << 32, 0, 8);
    set_head("deep", (UINT64_C(1) << 32) + 12345);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int error;

        snprintf(path, sizeof(path), "deep/%s", files[i]);
        error = open_error(node_at(path), 0);
        cr_assert(error == -EAGAIN || error == -ENOENT, "%s: %s", path, kymo_error_text(error));
    }
    cr_assert_eq(open_error(node_at("deep/info"), 0), 0);
    cr_assert_eq(tree_list(tree, node_at("deep/history"), 0, &listing), 0);
    cr_assert_eq(listing.count, 128);
    listing_free(&listing);
    cr_assert_lt(resident(), before + (64 << 20));
}

/* Many who open much at once are told so, and what is let go of is there for the next. */
Test(limits, of_all_contents_together, .init = open_view, .fini = close_view)
{
    enum { COUNT = 24 };
    const uint32_t size = 1 << 20;
    struct snapshot *snapshots[COUNT];
    struct node *nodes[COUNT];
    size_t opened = 0;
    int error = 0;

    tree_limit_memory(tree, 16 << 20);
    for (size_t i = 0; i < COUNT; i++) {
        char path[32];

        snprintf(path, sizeof(path), "s%zu", i);
        publish_sparse(path, NULL, 2, size, size);
        snprintf(path, sizeof(path), "s%zu/latest.raw", i);
        nodes[i] = node_at(path);
    }
    /* All have their sizes, though few keep their content. */
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(size_of(nodes[i]), size);
    while (opened < COUNT &&
           (error = tree_open_file(tree, nodes[opened], 0, &snapshots[opened])) == 0)
        opened++;
    cr_assert_eq(error, -ENOMEM);
    cr_assert_gt(opened, 12);
    cr_assert_lt(opened, 17);
    publish("small", "n:u64", 3, KYMO_CREATE_NEW, 0);
    cr_assert_eq(open_error(node_at("small/history.csv"), 0), 0);
    for (size_t i = 0; i < opened; i++) {
        cr_assert_eq(snapshots[i]->text.len, size);
        tree_close_file(tree, snapshots[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_eq(content_length(nodes[i]), size);
        cr_assert_eq(size_of(nodes[i]), size);
    }
}

/* A history counts for what it is, not for what the values might have been. */
Test(limits, of_what_grows, .init = open_view, .fini = close_view)
{
    publish("s", "n:u64,v:f64[800]", 64, KYMO_CREATE_NEW, 0);
    const size_t len = content_length(node_at("s/history.csv"));

    publish("other", "n:u64,v:f64[800]", 64, KYMO_CREATE_NEW, 0);
    tree_limit_memory(tree, 11 * len);
    cr_assert_gt(node_at("other/history.csv")->key.kind->limit(node_at("other/history.csv")),
                 11 * len);
    cr_assert_eq(content_length(node_at("other/history.csv")), len);
    tree_limit_memory(tree, len);
    publish("third", "n:u64,v:f64[800]", 64, KYMO_CREATE_NEW, 0);
    cr_assert_eq(open_error(node_at("third/history.csv"), 0), -ENOMEM);
    tree_limit_memory(tree, 11 * len);
    cr_assert_eq(content_length(node_at("third/history.csv")), len);
}

/* ---- nodes ---- */

Test(nodes, of_small_files_are_the_same_each_time, .init = open_view, .fini = close_view)
{
    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *first = node_at("s/latest");

    publish("s", "n:u64", 0, KYMO_OPEN_OR_CREATE, 0);
    cr_assert_eq(node_at("s/latest"), first);
    cr_assert_neq(node_at("s/history/0"), first);
    cr_assert_neq(node_at("s/latest.raw"), first);
}

/* K: an exact node keeps its content, and stands for its name while that is the newest. */
Test(nodes, of_large_files_are_those_of_their_content, .init = open_view, .fini = close_view)
{
    struct snapshot *snapshot;

    publish("s", "n:u64,v:u8[5000]", 1, KYMO_CREATE_NEW, 0);
    struct node *first = node_at("s/latest.raw");

    cr_assert_eq(node_at("s/latest.raw"), first);
    publish("s", "n:u64,v:u8[5000]", 1, KYMO_REPLACE, 0);
    struct node *second = node_at("s/latest.raw");

    cr_assert_neq(second, first);
    struct kymo_writer *writer;
    unsigned char payload[5008] = {9};

    cr_assert_eq(kymo_writer_open(&writer, "s", NULL), 0);
    cr_assert_eq(kymo_ring_publish(writer, payload, 5000, 99, 0), 0);
    struct node *third = node_at("s/latest.raw");

    cr_assert_neq(third, second);
    cr_assert_eq(third->inode, second->inode);
    cr_assert_eq(size_of(third), 5000);
    cr_assert_eq(size_of(second), 5008);
    cr_assert_eq(tree_open_file(tree, second, 0, &snapshot), 0);
    cr_assert_eq(snapshot->text.len, 5008);
    cr_assert_eq((int)snapshot->text.data[0], 0);
    tree_close_file(tree, snapshot);
    kymo_writer_close(writer);
}

Test(nodes, become_exact_when_they_are_read_through_the_page_cache, .init = open_view,
     .fini = close_view)
{
    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *first = node_at("s/latest.raw");

    cr_assert_eq(size_of(first), NODE_PAGE);
    cr_assert_not(tree_sends_back(tree, first, &another));
    tree_make_exact(first);
    struct node *second = node_at("s/latest.raw");

    cr_assert_neq(second, first);
    cr_assert_eq(size_of(second), 8);
    cr_assert(tree_is_passing(second));
    cr_assert_eq(second->inode, first->inode);
    /* Whoever comes by the first is sent for another, also who is spared that or is nobody: there is
     * one. Unless he comes by the first again, from an open file. */
    cr_assert(tree_sends_back(tree, first, &(struct caller){.thread = 0}));
    cr_assert(tree_sends_back(tree, first, &walker));
    cr_assert(tree_sends_back(tree, first, &another));
    cr_assert_not(tree_sends_back(tree, first, &another));
    cr_assert_not(tree_sends_back(tree, second, &another));
}

Test(nodes, are_forgotten_and_come_back_the_same, .init = open_view, .fini = close_view)
{
    uint64_t inode;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *segment = node_at("s");
    struct node *latest;

    cr_assert_eq(tree_lookup(tree, segment, "latest", 0, &latest), 0);
    inode = latest->inode;
    cr_assert_gt(inode, 1);
    /* The directory first: what is below keeps it. */
    tree_forget(tree, tree_number(segment), 1);
    expect_content(latest, "{\"pos\":2,\"time\":20,\"tag\":2,\"data\":{\"n\":2}}\n");
    tree_done(tree, latest);
    tree_forget(tree, tree_number(latest), 1);
    cr_assert_eq(node_at("s/latest")->inode, inode);
}

/* ---- what is let go before the kernel forgets it ---- */

static void rest(unsigned int seconds)
{
    nanosleep(&(struct timespec){.tv_sec = seconds, .tv_nsec = 100000000}, NULL);
}

static size_t count_mappings(const char *name)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 256];
    char path[PATH_MAX];
    size_t count = 0;

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    while (fgets(line, sizeof(line), maps))
        count += strstr(line, path) != NULL;
    fclose(maps);
    return count;
}

/* The kernel may know them for ever: who has the directory as his own still finds his way. */
Test(tidying, lets_go_of_what_has_gone, .init = open_view, .fini = close_view)
{
    struct node *node;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *directory = node_at("s");
    struct node *field = node_at("s/field/n");
    struct node *question = node_at("s/closest?t=20");

    cr_assert_gt(count_mappings("s"), 0);
    cr_assert_eq(kymo_segment_remove("s"), 0);
    cr_assert_eq(look_up_error("s"), -ENOENT);
    /* Somebody may be on his way. */
    cr_assert(tree_tidy(tree));
    cr_assert_gt(count_mappings("s"), 0);
    rest(1);
    cr_assert_not(tree_tidy(tree));
    /* By the grace period. */
    for (int i = 0; i < 1000 && count_mappings("s") > 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    cr_assert_eq(count_mappings("s"), 0);

    cr_assert_eq(open_error(field, &another), -ENOENT);
    cr_assert_eq(open_error(question, &another), 0); /* looked up for this */
    cr_assert_gt(size_of(field), 0);
    cr_assert_eq(tree_lookup(tree, directory, "latest", 0, &node), -ENOENT);
    publish("s", "n:u64", 5, KYMO_CREATE_NEW, 0);
    expect_content(field, "4\n");
    cr_assert_eq(tree_lookup(tree, directory, "latest", 0, &node), 0);
    expect_content(node, "{\"pos\":4,\"time\":40,\"tag\":4,\"data\":{\"n\":4}}\n");
}

Test(tidying, spares_what_is_open, .init = open_view, .fini = close_view)
{
    struct node *below;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *directory = node_at("s");
    struct node *latest = node_at("s/latest");

    tree_opened(tree, directory);
    cr_assert_eq(kymo_segment_remove("s"), 0);
    cr_assert_eq(look_up_error("s"), -ENOENT);
    rest(1);
    cr_assert(tree_tidy(tree));
    cr_assert_gt(count_mappings("s"), 0);
    /* As a request that takes its time. */
    below = tree_find(tree, tree_number(latest));
    tree_closed(tree, directory);
    rest(1);
    cr_assert(tree_tidy(tree));
    cr_assert_not_null(below->key.segment->reader);
    tree_done(tree, below);
    rest(1);
    cr_assert_not(tree_tidy(tree));
    cr_assert_null(below->key.segment->reader);
}

/* Who asks again and again, for another name each time, costs no more in the end. */
Test(tidying, forgets_names_that_nobody_comes_by_twice, .init = open_view, .fini = close_view)
{
    enum { COUNT = 2000, KEPT = 256 };
    static uint64_t numbers[COUNT];
    struct node *node, *open = NULL;
    size_t known = 0;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *latest = node_at("s/latest");

    cr_assert_not(tree_is_untidy(tree));
    for (int i = 0; i < COUNT; i++) {
        char path[64];

        snprintf(path, sizeof(path), "s/closest?t=%d", i);
        node = node_at(path);
        numbers[i] = tree_number(node);
        if (i == 10)
            tree_opened(tree, open = node);
    }
    cr_assert(tree_is_untidy(tree));
    cr_assert(tree_tidy(tree));
    cr_assert_not_null(tree_find(tree, numbers[COUNT - 1]));
    rest(2);
    cr_assert_not(tree_tidy(tree));
    cr_assert_not(tree_is_untidy(tree));
    for (int i = 0; i < COUNT; i++) {
        node = tree_find(tree, numbers[i]);
        known += node != NULL;
        if (node)
            tree_done(tree, node);
        else
            tree_forget(tree, numbers[i], 1); /* as the kernel will, one day */
    }
    cr_assert_leq(known, KEPT + 2);
    cr_assert_geq(known, KEPT);
    expect_content(open, "{\"pos\":1,\"time\":10,\"tag\":1,\"data\":{\"n\":1}}\n");
    cr_assert_not_null(tree_find(tree, tree_number(latest)));
    cr_assert_neq(tree_number(node_at("s/closest?t=0")), numbers[0]);
    tree_closed(tree, open);
}

/* ---- generations ---- */

Test(generations, are_followed_by_name, .init = open_view, .fini = close_view)
{
    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0644);
    struct node *directory = node_at("s");
    struct node *field = node_at("s/field/n");
    struct node *back = node_at("s/history/2");
    struct node *other;

    expect_content(field, "2\n");
    publish("s", "x:u64,n:u64", 2, KYMO_REPLACE, 0644);
    expect_content(field, "0\n"); /* of the record that has x = 1 */
    cr_assert_eq(open_error(back, 0), -ENOENT);
    cr_assert_neq(node_at("s"), directory);
    cr_assert_neq(node_at("s")->inode, directory->inode);
    cr_assert_eq(tree_lookup(tree, directory, "latest", 0, &other), 0);
    cr_assert_eq(other->inode, node_at("s/latest")->inode);
}

/* K: who could read one generation need not be let at the next. */
Test(generations, with_other_permissions_are_walked_to_again, .init = open_view, .fini = close_view)
{
    struct listing listing = {0};
    struct node *node;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0644);
    struct node *directory = node_at("s");
    struct node *latest = node_at("s/latest");

    publish("s", "n:u64", 5, KYMO_REPLACE, 0600);
    cr_assert_eq(open_error(latest, 0), -ESTALE);
    cr_assert_eq(tree_lookup(tree, directory, "latest", 0, &node), -ESTALE);
    cr_assert_eq(tree_list(tree, directory, 0, &listing), -ESTALE);
    expect_content(node_at("s/field/n"), "4\n");
}

/* Who was on his way through the one before goes on there. */
Test(generations, with_other_permissions_send_nobody_back_who_walks, .init = open_view,
     .fini = close_view)
{
    struct listing listing = {0};
    struct snapshot *snapshot;
    struct node *node;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0644);
    struct node *directory = node_at("s");
    struct node *latest = node_at("s/latest");

    cr_assert_eq(tree_list(tree, tree_root(tree), &walker, &listing), 0);
    listing_free(&listing);
    publish("s", "n:u64", 5, KYMO_REPLACE, 0600);
    cr_assert_eq(tree_list(tree, directory, &walker, &listing), 0);
    cr_assert_eq(listing.count, 0);
    cr_assert_eq(tree_lookup(tree, directory, "latest", &walker, &node), 0);
    cr_assert_eq(tree_open_file(tree, latest, &walker, &snapshot), 0);
    cr_assert_str_eq(snapshot->text.data, "{\"pos\":2,\"time\":20,\"tag\":2,\"data\":{\"n\":2}}\n");
    tree_close_file(tree, snapshot);
}

Test(generations, that_have_gone_are_not_found, .init = open_view, .fini = close_view)
{
    struct listing listing = {0};

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *directory = node_at("s");
    struct node *latest = node_at("s/latest");

    cr_assert_eq(kymo_segment_remove("s"), 0);
    cr_assert_eq(open_error(latest, &walker), -ENOENT);
    cr_assert_eq(look_up_error("s"), -ENOENT);
    cr_assert_eq(tree_list(tree, directory, &walker, &listing), 0);
    cr_assert_eq(listing.count, 0);
}

/* The kernel remembers names, and is told too late for who opens them at once. */
Test(generations, that_have_gone_send_back_who_came_by_a_name, .init = open_view,
     .fini = close_view)
{
    const struct caller unknown = {.thread = 0};
    struct listing listing = {0};

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *directory = node_at("s");
    struct node *latest = node_at("s/latest");

    cr_assert(!tree_sends_back(tree, tree_root(tree), &another));
    cr_assert(!tree_sends_back(tree, directory, &another));
    cr_assert_eq(kymo_segment_remove("s"), 0);
    cr_assert(tree_sends_back(tree, directory, &another));
    /* He may be in it. */
    cr_assert(!tree_sends_back(tree, directory, &another));
    cr_assert(tree_sends_back(tree, latest, &another));
    cr_assert(!tree_sends_back(tree, latest, &another));
    /* Others' second way is not his. Names that come and go while he is on it are met any number of
     * times, and are gone again before they are opened: twice in a row is no answer. */
    cr_assert(tree_sends_back(tree, directory, &another));
    cr_assert(tree_sends_back(tree, directory, &walker));
    struct node *node;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(tree_lookup(tree, tree_root(tree), "s", &another, &node), -ENOENT);
    cr_assert(!tree_sends_back(tree, directory, &another));
    cr_assert(!tree_sends_back(tree, directory, &unknown));
    /* Nor is anybody sent of whom nobody could tell later that he was. */
    cr_assert(tree_sends_back(tree, directory, &another));
    cr_assert(!tree_sends_back(tree, directory, &(struct caller){.thread = another.thread + 4096}));
    cr_assert(!tree_sends_back(tree, directory, &another));

    cr_assert_eq(tree_list(tree, tree_root(tree), &another, &listing), 0);
    listing_free(&listing);
    cr_assert(!tree_sends_back(tree, directory, &another));
}

/* Nobody retires what others than the library replace, and inotify tells the registry's thread. */
Test(generations, whose_name_was_taken_send_back_too, .init = open_view, .fini = close_view)
{
    char from[PATH_MAX], to[PATH_MAX];

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    publish("t", "n:u64", 5, KYMO_CREATE_NEW, 0);
    struct node *latest = node_at("s/latest");
    struct node *other = node_at("t");

    snprintf(from, sizeof(from), "%s/t", kymo_directory());
    snprintf(to, sizeof(to), "%s/s", kymo_directory());
    cr_assert(!tree_sends_back(tree, latest, &another));
    cr_assert_eq(rename(from, to), 0);
    cr_assert(tree_sends_back(tree, latest, &another));
    cr_assert(!tree_sends_back(tree, latest, &another));
    expect_content(latest, "{\"pos\":4,\"time\":40,\"tag\":4,\"data\":{\"n\":4}}\n");
    cr_assert(tree_sends_back(tree, other, &another));
}

/* Whoever opens one thing after another is at it, also where the kernel knows all the names; who
 * opens the same once more has come back to it. */
Test(generations, are_walked_through_by_who_opens_each_once, .init = open_view, .fini = close_view)
{
    struct listing listing = {0};
    char path[] = "s/history/0";
    struct node *gone, *latest;

    publish("gone", "n:u64", 3, KYMO_CREATE_NEW, 0);
    publish("s", "n:u64", 8, KYMO_CREATE_NEW, 0);
    gone = node_at("gone");
    latest = node_at("s/latest");
    cr_assert_eq(tree_list(tree, tree_root(tree), &walker, &listing), 0);
    listing_free(&listing);
    cr_assert_eq(kymo_segment_remove("gone"), 0);
    for (int i = 0; i < 5; i++) {
        usleep(300000);
        path[sizeof(path) - 2] = (char)('0' + i);
        cr_assert(!tree_sends_back(tree, node_at(path), &walker));
    }
    cr_assert(!tree_sends_back(tree, gone, &walker));
    cr_assert(!tree_sends_back(tree, latest, &walker));
    cr_assert(!tree_sends_back(tree, latest, &walker));
    cr_assert(tree_sends_back(tree, gone, &walker));
}

/* What the clocks are ahead of the machine's, ms. */
static long ahead;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    const int error = (int)syscall(SYS_clock_gettime, clock, now);

    now->tv_nsec += ahead % 1000 * 1000000;
    now->tv_sec += ahead / 1000 + now->tv_nsec / 1000000000;
    now->tv_nsec %= 1000000000;
    return error;
}

/* Who goes on asking looks at the same names again and again. */
Test(generations, are_walked_through_within_a_minute, .init = open_view, .fini = close_view)
{
    struct listing listing = {0};
    struct node *node;

    publish("gone", "n:u64", 3, KYMO_CREATE_NEW, 0);
    cr_assert_eq(tree_list(tree, tree_root(tree), &walker, &listing), 0);
    listing_free(&listing);
    cr_assert_eq(kymo_segment_remove("gone"), 0);
    for (ahead = 0; ahead <= 50000; ahead += 500)
        cr_assert_eq(tree_lookup(tree, tree_root(tree), "gone", &walker, &node), 0, "after %ld ms",
                     ahead);
    while (ahead < 60000 && tree_lookup(tree, tree_root(tree), "gone", &walker, &node) == 0)
        ahead += 500;
    cr_assert_eq(tree_lookup(tree, tree_root(tree), "gone", &walker, &node), -ENOENT);
    ahead = 0;
}

/* Who walks finds what he was told of, and nobody else. */
Test(generations, that_have_gone_are_still_there_for_who_walks, .init = open_view,
     .fini = close_view)
{
    struct listing listing = {0};
    struct snapshot *snapshot;
    struct node *node, *below;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    publish("before", "n:u64", 3, KYMO_CREATE_NEW, 0);
    struct node *latest = node_at("s/latest");
    struct node *info = node_at("s/info");

    cr_assert_eq(kymo_segment_remove("before"), 0);
    cr_assert_eq(tree_list(tree, tree_root(tree), &walker, &listing), 0);
    cr_assert_eq(kymo_segment_remove("s"), 0);
    cr_assert_eq(tree_lookup(tree, tree_root(tree), "s", &another, &node), -ENOENT);
    cr_assert_eq(tree_lookup(tree, tree_root(tree), "before", &walker, &node), -ENOENT);
    cr_assert_eq(tree_lookup(tree, tree_root(tree), "never", &walker, &node), -ENOENT);

    cr_assert_eq(tree_lookup(tree, tree_root(tree), "s", &walker, &node), 0);
    listing_free(&listing);
    cr_assert_eq(tree_list(tree, node, &walker, &listing), 0);
    cr_assert_eq(listing.count, 0);
    cr_assert_eq(tree_lookup(tree, node, "field", &walker, &below), 0);
    cr_assert_eq(size_of(below), 0);
    cr_assert_eq(tree_lookup(tree, below, "n", &walker, &below), 0);
    cr_assert_eq(open_error(below, &walker), -ENOENT);

    /* What was looked up in time shows what was there last. */
    cr_assert_eq(tree_open_file(tree, latest, &walker, &snapshot), 0);
    cr_assert_str_eq(snapshot->text.data, "{\"pos\":2,\"time\":20,\"tag\":2,\"data\":{\"n\":2}}\n");
    tree_close_file(tree, snapshot);
    cr_assert_eq(tree_open_file(tree, info, &walker, &snapshot), 0);
    cr_assert_str_eq(snapshot->text.data, "name: s\nwriter: RETIRED\n");
    tree_close_file(tree, snapshot);
    cr_assert_eq(open_error(latest, &another), -ENOENT);
}

/* ---- the registry ---- */

/* So many more times, another generation takes the name at the moment at which the registry, which has
 * opened the one before, asks for the name's access list. */
static int usurpations;
static unsigned int usurpers;
static bool usurpers_leave; /* nothing behind */

static void usurp(const char *path)
{
    char fresh[PATH_MAX];

    if (usurpers_leave) {
        cr_assert_eq(unlink(path), 0);
        return;
    }
    snprintf(fresh, sizeof(fresh), "%s/fresh%u", kymo_directory(), usurpers++ % 10);
    cr_assert_eq(rename(fresh, path), 0);
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
    if (usurpations > 0) {
        usurpations--;
        usurp(path);
    }
    return syscall(SYS_lgetxattr, path, name, value, size);
}

static void publish_usurpers(void)
{
    char name[16];

    usurpers = 0;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "fresh%d", i);
        publish(name, "n:u64", 1, KYMO_CREATE_NEW, 0644);
    }
}

static ino_t inode_of(const char *name)
{
    struct stat status;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    cr_assert_eq(stat(path, &status), 0);
    return status.st_ino;
}

/* K: who may read a generation is not told by what was found out about another. */
Test(registry, judges_no_segment_by_the_access_list_of_another, .init = open_view,
     .fini = close_view)
{
    struct segment *segment;

    publish_usurpers();
    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0644);
    const ino_t last = inode_of("fresh0");

    usurpations = 1;
    cr_assert_eq(registry_find(registry, "s", &segment), 0);
    cr_assert_eq(usurpations, 0);
    cr_assert_eq(segment->inode, last);
    cr_assert_eq(segment->mode, 0444);
    segment_drop(segment);
}

Test(registry, does_not_show_what_loses_its_name_while_it_is_opened, .init = open_view,
     .fini = close_view)
{
    struct segment *segment;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0644);
    usurpers_leave = true;
    usurpations = 1;
    cr_assert_eq(registry_find(registry, "s", &segment), -ENOENT);
    cr_assert_eq(usurpations, 0);
    usurpers_leave = false;
}

Test(registry, shows_more_closed_what_never_keeps_its_name, .init = open_view, .fini = close_view)
{
    struct segment *segment;

    publish_usurpers();
    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0644);
    usurpations = 10;
    cr_assert_eq(registry_find(registry, "s", &segment), 0);
    cr_assert_lt(usurpations, 10);
    cr_assert_eq(segment->mode, 0400);
    usurpations = 0;
    segment_drop(segment);
    /* Until it does. */
    cr_assert_eq(registry_find(registry, "s", &segment), 0);
    cr_assert_eq(segment->inode, inode_of("s"));
    cr_assert_eq(segment->mode, 0444);
    segment_drop(segment);
}

Test(registry, counts_what_it_skips, .init = open_view, .fini = close_view)
{
    struct segment **segments;
    struct segment *segment;
    char path[4096];
    FILE *file;

    cr_assert_eq(registry_skipped(registry), 0);
    snprintf(path, sizeof(path), "%s/text", kymo_directory());
    file = fopen(path, "w");
    fputs("no segment\n", file);
    fclose(file);
    cr_assert_eq(registry_find(registry, "text", &segment), -EBADMSG);
    cr_assert_eq(registry_find(registry, "a/b", &segment), -ENOENT);
    cr_assert_eq(registry_find(registry, "README", &segment), -ENOENT);
    cr_assert_eq(registry_list(registry, &segments), 0);
    free(segments);
    cr_assert_eq(registry_skipped(registry), 1);
    unlink(path);
    publish("text", "n:u64", 1, KYMO_CREATE_NEW, 0);
    cr_assert_eq(registry_list(registry, &segments), 1);
    cr_assert_str_eq(segments[0]->name, "text");
    segment_drop(segments[0]);
    free(segments);
    cr_assert_eq(registry_skipped(registry), 0);
    cr_assert_eq(kymo_segment_remove("text"), 0);
    cr_assert_eq(registry_list(registry, &segments), 0);
    free(segments);
}

/* A segment stays as long as it is held, whatever becomes of its name. */
Test(registry, keeps_what_is_held, .init = open_view, .fini = close_view)
{
    struct segment *first, *second;
    struct kymo_view view;

    publish("s", "n:u64", 3, KYMO_CREATE_NEW, 0);
    cr_assert_eq(registry_find(registry, "s", &first), 0);
    cr_assert(segment_is_current(first));
    publish("s", "n:u64", 9, KYMO_REPLACE, 0);
    cr_assert_not(segment_is_current(first));
    cr_assert_eq(registry_find(registry, "s", &second), 0);
    cr_assert_neq(first, second);
    cr_assert(segment_same_owner(first, second));
    cr_assert_eq(kymo_ring_view_latest(first->reader, &view), -EIDRM);
    cr_assert_eq(kymo_ring_view_latest(second->reader, &view), 0);
    cr_assert_eq(view.record.pos, 8);
    segment_drop(first);
    segment_drop(second);
}

static size_t count_listed(void)
{
    struct segment **segments;
    ssize_t count = registry_list(registry, &segments);

    for (ssize_t i = 0; i < count; i++)
        segment_drop(segments[i]);
    free(segments);
    return (size_t)count;
}

static void publish_many(size_t from, size_t to)
{
    char name[32];

    for (size_t i = from; i < to; i++) {
        snprintf(name, sizeof(name), "many%zu", i);
        publish(name, "n:u64", 1, KYMO_CREATE_NEW, 0);
    }
}

/* More segments than there are descriptors for: as many as there is room for are shown, the rest
 * when others have gone, and nothing else runs short. */
Test(registry, shows_what_there_is_room_for)
{
    struct rlimit before, few;
    struct segment *segment;
    char name[32];

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){300, before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    open_view();
    publish_many(0, 250);
    cr_assert_eq(count_listed(), 300 - 64);
    cr_assert_eq(registry_skipped(registry), 250 - (300 - 64));
    publish_many(250, 280);
    cr_assert_eq(count_listed(), 300 - 64);
    for (size_t i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "many%zu", i);
        cr_assert_eq(kymo_segment_remove(name), 0);
    }
    /* Those that are gone are closed when nobody can be looking at them any more. */
    for (int tries = 0; count_listed() != 180 && tries < 1000; tries++)
        usleep(10000);
    cr_assert_eq(count_listed(), 180);
    cr_assert_eq(registry_skipped(registry), 0);
    cr_assert_eq(registry_find(registry, "many279", &segment), 0);
    segment_drop(segment);
    close_view();
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
