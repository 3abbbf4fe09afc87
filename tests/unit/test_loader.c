/*
 * test_loader.c - the newest record in private memory: a pinned snapshot never changes, a pin never blocks the loader, and the loader continues after a writer's death, a new generation and ENOMEM.
 */
#include "interrupted.h"
#include "unit.h"

#include <kymo/loader.h>

#include <dirent.h>
#include <pthread.h>

#define WORDS 128 /* of a payload, all of which follow from its position */

struct frame {
    uint64_t words[WORDS];
};

static const struct kymo_options plain = {.clock = KYMO_USER,
                                          .depth = 4,
                                          .size = sizeof(struct frame)};

static uint64_t in_ms(uint64_t ms)
{
    return kymo_clock_now(KYMO_MONOTONIC) + ms * 1000000;
}

/* 60 s: a wait that takes longer has failed. */
static uint64_t test_deadline(void)
{
    return in_ms(60000);
}

static uint64_t word_of(uint64_t pos, uint64_t index)
{
    return (pos + 1) * UINT64_C(0x9e3779b97f4a7c15) + index;
}

static int try_publish(struct kymo_writer *writer)
{
    struct frame frame;

    for (uint64_t i = 0; i < WORDS; i++)
        frame.words[i] = word_of(writer->pos, i);
    return kymo_ring_publish(writer, &frame, sizeof(frame), 10 * writer->pos, writer->pos + 7);
}

static void publish(struct kymo_writer *writer)
{
    cr_assert_eq(try_publish(writer), 0);
}

/* Whether the whole snapshot is of one record. */
static int is_whole(const struct kymo_snapshot *snapshot)
{
    const uint64_t *words = snapshot->payload;
    const uint64_t pos = snapshot->record.pos;

    if (snapshot->record.time != 10 * pos || snapshot->record.tag != pos + 7 ||
        snapshot->record.len != sizeof(struct frame))
        return 0;
    for (uint64_t i = 0; i < WORDS; i++)
        if (words[i] != word_of(pos, i))
            return 0;
    return 1;
}

static struct kymo_loader *loader_of(const char *name, uint32_t max_buffers)
{
    struct kymo_loader *loader = NULL;
    int error = kymo_loader_open(&loader, name, max_buffers);

    cr_assert_eq(error, 0, "loading %s: %s", name, kymo_error_text(error));
    return loader;
}

static struct kymo_loader_stats stats_of(struct kymo_loader *loader)
{
    struct kymo_loader_stats stats;

    kymo_loader_get_stats(loader, &stats);
    return stats;
}

/* Pins the load after `seen`, which must exist. */
static struct kymo_snapshot pin_after(struct kymo_loader *loader, uint64_t seen)
{
    struct kymo_snapshot snapshot;
    int error;

    do
        error = kymo_loader_pin_wait(loader, seen, test_deadline(), &snapshot);
    while (error == -EAGAIN);
    cr_assert_eq(error, 0, "pinning: %s", kymo_error_text(error));
    cr_assert_gt(snapshot.load, seen);
    cr_assert(is_whole(&snapshot));
    return snapshot;
}

/* Pins the record at pos or a later one, and unpins it. Returns its numbers. */
static struct kymo_snapshot await_record(struct kymo_loader *loader, uint64_t pos)
{
    struct kymo_snapshot snapshot = {.load = 0};
    struct kymo_snapshot found;

    do {
        found = snapshot = pin_after(loader, snapshot.load);
        kymo_loader_unpin(loader, &snapshot);
    } while (found.record.pos < pos);
    return found;
}

/* Publishes one more record, and waits until it is loaded. */
static void publish_and_load(struct kymo_writer *writer, struct kymo_loader *loader)
{
    publish(writer);
    await_record(loader, writer->pos - 1);
}

static void end(struct kymo_writer *writer, struct kymo_loader *loader)
{
    kymo_loader_close(loader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* ---- opening ---- */

Test(loader, opens_existing_segment)
{
    struct kymo_writer *writer = unit_writer("opens", &plain);
    struct kymo_loader *loader;

    cr_assert_eq(kymo_loader_open(&loader, "nothing", 0), -ENOENT);
    cr_assert_null(loader);
    cr_assert_eq(kymo_loader_open(&loader, "no/name", 0), -EINVAL);
    cr_assert_eq(kymo_loader_open(&loader, "opens", 1), -EINVAL);
    cr_assert_eq(kymo_loader_open(&loader, "opens", 2), -EINVAL);
    cr_assert_eq(kymo_loader_open(&loader, "opens", KYMO_LOADER_BUFFERS + 1), -EINVAL);
    cr_assert_null(loader);
    kymo_loader_close(NULL);
    kymo_loader_close(loader_of("opens", 3));
    kymo_loader_close(loader_of("opens", KYMO_LOADER_BUFFERS));
    end(writer, loader_of("opens", 0));
}

Test(loader, returns_nothing_before_first_record)
{
    struct kymo_writer *writer = unit_writer("first", &plain);
    struct kymo_loader *loader = loader_of("first", 0);
    struct kymo_snapshot snapshot;
    uint64_t deadline = in_ms(5);

    cr_assert_eq(kymo_loader_pin(loader, &snapshot), -ENODATA);
    cr_assert_eq(kymo_loader_pin_wait(loader, 0, 0, &snapshot), -ETIMEDOUT);
    cr_assert_eq(kymo_loader_pin_wait(loader, 0, deadline, &snapshot), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
    publish(writer);
    snapshot = pin_after(loader, 0);
    cr_assert_eq(snapshot.load, 1);
    cr_assert_eq(snapshot.record.pos, 0);
    deadline = in_ms(5);
    cr_assert_eq(kymo_loader_pin_wait(loader, 1, deadline, &snapshot), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
    end(writer, loader);
}

Test(loader, loads_existing_record_at_once)
{
    struct kymo_writer *writer = unit_writer("before", &plain);
    struct kymo_snapshot snapshot;
    struct kymo_loader *loader;

    for (int i = 0; i < 9; i++)
        publish(writer);
    loader = loader_of("before", 0);
    cr_assert_eq(kymo_loader_pin(loader, &snapshot), 0);
    cr_assert_eq(snapshot.record.pos, 8);
    cr_assert(is_whole(&snapshot));
    kymo_loader_unpin(loader, &snapshot);
    kymo_loader_unpin(loader, &snapshot); /* a second time has no effect */
    cr_assert_null(snapshot.payload);
    end(writer, loader);
}

/* ---- pinned snapshots ---- */

/* Six snapshots of different times, during thousands of loads. */
Test(loader, keeps_pinned_snapshots_unchanged)
{
    enum { PINNED = 6, LOADS = 3000 };
    struct kymo_writer *writer = unit_writer("untouched", &plain);
    struct kymo_loader *loader = loader_of("untouched", 0);
    struct kymo_snapshot pinned[PINNED];
    struct kymo_loader_stats stats;

    for (int i = 0; i < PINNED; i++) {
        publish_and_load(writer, loader);
        cr_assert_eq(kymo_loader_pin(loader, &pinned[i]), 0);
        cr_assert_eq(pinned[i].record.pos, (uint64_t)i);
    }
    for (int i = 0; i < LOADS; i++)
        publish_and_load(writer, loader);
    for (int i = 0; i < PINNED; i++) {
        cr_assert_eq(pinned[i].record.pos, (uint64_t)i);
        cr_assert(is_whole(&pinned[i]));
        kymo_loader_unpin(loader, &pinned[i]);
    }
    stats = stats_of(loader);
    cr_assert_eq(stats.loaded + stats.missed, writer->pos);
    cr_assert_geq(stats.loaded, LOADS);
    cr_assert_leq(stats.buffers, PINNED + 2);
    end(writer, loader);
}

/* The number of buffers that were pinned at once, plus two, and at most max_buffers. */
Test(loader, allocates_minimal_buffers)
{
    struct kymo_writer *writer = unit_writer("few", &plain);
    struct kymo_loader *loader = loader_of("few", 5);
    struct kymo_snapshot pinned[5];

    for (int i = 0; i < 100; i++)
        publish_and_load(writer, loader);
    cr_assert_leq(stats_of(loader).buffers, 2);
    /* The newest record is pinned as well, so all buffers but one are in use at the end. */
    for (int i = 0; i < 4; i++) {
        publish_and_load(writer, loader);
        cr_assert_eq(kymo_loader_pin(loader, &pinned[i]), 0);
        cr_assert_leq(stats_of(loader).buffers, (uint32_t)i + 3);
    }
    publish_and_load(writer, loader);
    cr_assert_eq(kymo_loader_pin(loader, &pinned[4]), 0);
    cr_assert_eq(stats_of(loader).buffers, 5);
    for (int i = 0; i < 5; i++)
        cr_assert(is_whole(&pinned[i]));
    for (int i = 0; i < 5; i++)
        kymo_loader_unpin(loader, &pinned[i]);
    end(writer, loader);
}

/* While all buffers are pinned, records are skipped; the first that is unpinned is loaded into. */
Test(loader, skips_records_while_all_buffers_are_pinned)
{
    struct kymo_writer *writer = unit_writer("all", &plain);
    struct kymo_loader *loader = loader_of("all", 3);
    struct kymo_snapshot pinned[3], last;

    for (int i = 0; i < 3; i++) {
        publish_and_load(writer, loader);
        cr_assert_eq(kymo_loader_pin(loader, &pinned[i]), 0);
    }
    for (int i = 0; i < 50; i++)
        publish(writer);
    while (stats_of(loader).skipped < 3)
        usleep(1000);
    cr_assert_eq(kymo_loader_pin(loader, &last), 0);
    cr_assert_eq(last.record.pos, 2, "the newest that could be loaded");
    kymo_loader_unpin(loader, &last);
    kymo_loader_unpin(loader, &pinned[0]);
    cr_assert_eq(await_record(loader, 52).record.pos, 52);
    cr_assert(is_whole(&pinned[1]));
    cr_assert(is_whole(&pinned[2]));
    kymo_loader_unpin(loader, &pinned[1]);
    kymo_loader_unpin(loader, &pinned[2]);
    end(writer, loader);
}

/* ---- readers hold no lock ---- */

struct pinner {
    struct kymo_loader *loader;
    struct testpoint_gate *gate;
    struct kymo_snapshot snapshot;
    int error;
    pthread_t thread;
};

/* Stops during a pin: the buffer is referenced and the pin has not returned. */
static void *pin_and_park(void *context)
{
    struct pinner *pinner = context;

    testpoint_plan("PINNED", 0, testpoint_park, pinner->gate);
    pinner->error = kymo_loader_pin(pinner->loader, &pinner->snapshot);
    return NULL;
}

Test(loader, is_not_blocked_by_pins)
{
    enum { PARKED = 4, LOADS = 500 };
    struct kymo_writer *writer = unit_writer("parked", &plain);
    struct kymo_loader *loader;
    struct pinner pinners[PARKED];

    publish(writer);
    loader = loader_of("parked", 0);
    for (int i = 0; i < PARKED; i++) {
        pinners[i] = (struct pinner){.loader = loader, .gate = testpoint_gate_make()};
        cr_assert_eq(pthread_create(&pinners[i].thread, NULL, pin_and_park, &pinners[i]), 0);
        testpoint_await(pinners[i].gate);
        publish_and_load(writer, loader);
    }
    /* The pin remains; loads and other pins continue. */
    for (int i = 0; i < LOADS; i++)
        publish_and_load(writer, loader);
    for (int i = 0; i < PARKED; i++) {
        testpoint_release(pinners[i].gate);
        cr_assert_eq(pthread_join(pinners[i].thread, NULL), 0);
        cr_assert_eq(pinners[i].error, 0);
        cr_assert_eq(pinners[i].snapshot.record.pos, writer->pos - 1, "it found the newest");
        cr_assert(is_whole(&pinners[i].snapshot));
        kymo_loader_unpin(loader, &pinners[i].snapshot);
        testpoint_gate_free(pinners[i].gate);
    }
    end(writer, loader);
}

struct crowd {
    struct kymo_loader *loader;
    uint32_t stop;
    uint64_t pins;
    uint64_t torn;
    uint64_t backwards;
};

/* Pins and checks snapshots; keeps some for a while. */
static void *pin_for_ever(void *context)
{
    struct crowd *crowd = context;
    struct kymo_snapshot kept = {.payload = NULL};
    uint64_t newest = 0;

    while (!kymo_load_relaxed32(&crowd->stop)) {
        struct kymo_snapshot snapshot;

        if (kymo_loader_pin(crowd->loader, &snapshot) != 0)
            continue;
        if (!is_whole(&snapshot))
            kymo_fetch_add_relaxed(&crowd->torn, 1);
        if (snapshot.load < newest)
            kymo_fetch_add_relaxed(&crowd->backwards, 1);
        newest = snapshot.load;
        if (kymo_fetch_add_relaxed(&crowd->pins, 1) % 5 == 0) {
            if (kept.payload && !is_whole(&kept))
                kymo_fetch_add_relaxed(&crowd->torn, 1);
            kymo_loader_unpin(crowd->loader, &kept);
            kept = snapshot;
        } else {
            kymo_loader_unpin(crowd->loader, &snapshot);
        }
    }
    kymo_loader_unpin(crowd->loader, &kept);
    return NULL;
}

/* No unfinished load is visible. The thread sanitizer checks the orderings (LOADER-1). */
Test(loader, hides_unfinished_loads)
{
    enum { THREADS = 3, RECORDS = 6000 };
    struct kymo_writer *writer = unit_writer("crowd", &plain);
    struct crowd crowd = {.loader = loader_of("crowd", 0)};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, pin_for_ever, &crowd), 0);
    for (int i = 0; i < RECORDS; i++) {
        publish(writer);
        if (i % 8 == 0)
            sched_yield();
    }
    await_record(crowd.loader, writer->pos - 1);
    while (kymo_load_relaxed(&crowd.pins) < 1000)
        usleep(1000);
    kymo_store_relaxed32(&crowd.stop, 1);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    printf("%llu pins of %llu loads\n", (unsigned long long)crowd.pins,
           (unsigned long long)stats_of(crowd.loader).loaded);
    cr_assert_eq(crowd.torn, 0);
    cr_assert_eq(crowd.backwards, 0);
    cr_assert_eq(stats_of(crowd.loader).loaded + stats_of(crowd.loader).missed, writer->pos);
    end(writer, crowd.loader);
}

/* ---- waiting ---- */

Test(loader, keeps_deadline_under_signals)
{
    struct kymo_writer *writer = unit_writer("signals", &plain);
    struct kymo_loader *loader = loader_of("signals", 0);
    struct kymo_snapshot snapshot;
    uint64_t deadline;

    interrupt_every_ms(1);
    deadline = in_ms(60);
    cr_assert_eq(kymo_loader_pin_wait(loader, 0, deadline, &snapshot), -ETIMEDOUT);
    cr_assert_geq(kymo_clock_now(KYMO_MONOTONIC), deadline);
    interrupt_every_ms(0);
    cr_assert_gt(interruptions, 0);
    end(writer, loader);
}

/* The line `field` of the loader thread's status in /proc, or "". */
static void read_thread(const char *field, char *value, size_t size)
{
    DIR *tasks = opendir("/proc/self/task");
    char path[300], line[256], name[64] = "";
    struct dirent *task;

    *value = 0;
    while ((task = readdir(tasks))) {
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
        file = fopen(path, "r");
        while (file && fgets(line, sizeof(line), file)) {
            if (strncmp(line, "Name:\t", 6) == 0)
                snprintf(name, sizeof(name), "%.63s", line + 6);
            if (strcmp(name, "kymo-loader\n") == 0 && strncmp(line, field, strlen(field)) == 0)
                snprintf(value, size, "%.63s", line + strlen(field));
        }
        if (file)
            fclose(file);
    }
    closedir(tasks);
}

/* The loader's thread blocks all signals except faults. */
Test(loader, blocks_signals_in_its_thread)
{
    const int blocked[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGUSR1, SIGCHLD, SIGIO};
    const int open[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE};
    struct kymo_writer *writer = unit_writer("masks", &plain);
    struct kymo_loader *loader = loader_of("masks", 0);
    sigset_t before, after;
    unsigned long long mask;
    char value[64];

    publish_and_load(writer, loader); /* so that it has begun to run */
    read_thread("SigBlk:\t", value, sizeof(value));
    cr_assert_neq(value[0], 0);
    mask = strtoull(value, NULL, 16);
    for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
        cr_assert_eq(mask >> (blocked[i] - 1) & 1, 1, "signal %d", blocked[i]);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        cr_assert_eq(mask >> (open[i] - 1) & 1, 0, "signal %d", open[i]);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    kymo_loader_close(loader_of("masks", 0));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number <= 64; number++)
        cr_assert_eq(sigismember(&before, number), sigismember(&after, number));
    end(writer, loader);
    /* The thread has ended; /proc may list it a moment longer. */
    do
        read_thread("SigBlk:\t", value, sizeof(value));
    while (value[0]);
}

/* ---- deaths and generations ---- */

static int publish_and_die(void *name)
{
    struct kymo_writer *writer;

    if (kymo_writer_open(&writer, name, &plain) != 0 || try_publish(writer) != 0)
        return 1;
    /* Also during the next record. */
    testpoint_plan("PAYLOAD_COPIED", 0, testpoint_kill, NULL);
    return try_publish(writer) ? 2 : 3;
}

Test(loader, survives_writers)
{
    struct kymo_loader *loader;
    struct kymo_snapshot pinned;
    struct kymo_writer *writer;

    kymo_writer_close(unit_writer("killed", &plain));
    loader = loader_of("killed", 0);
    for (uint64_t round = 0; round < 20; round++) {
        cr_assert_eq(unit_child(publish_and_die, "killed"), -SIGKILL);
        cr_assert_eq(await_record(loader, round).record.pos, round);
        cr_assert_eq(kymo_loader_pin(loader, &pinned), 0);
        cr_assert(is_whole(&pinned));
        kymo_loader_unpin(loader, &pinned);
    }
    writer = unit_writer("killed", &plain);
    publish_and_load(writer, loader);
    cr_assert_eq(stats_of(loader).reopened, 0);
    end(writer, loader);
}

/* A new generation begins at position 0 again, and a wait returns its first load. */
Test(loader, follows_replaced_segment)
{
    struct kymo_options larger = plain, replacing = plain;
    struct kymo_writer *writer = unit_writer("replaced", &plain);
    struct kymo_loader *loader = loader_of("replaced", 0);
    struct kymo_snapshot old, found;

    larger.size *= 3; /* more than the loader's buffers hold */
    larger.existing = replacing.existing = KYMO_REPLACE;
    for (int i = 0; i < 30; i++)
        publish(writer);
    found = await_record(loader, 29);
    cr_assert_eq(kymo_loader_pin(loader, &old), 0);
    for (uint64_t generation = 1; generation <= 10; generation++) {
        const uint64_t seen = found.load;

        kymo_writer_close(writer);
        writer = unit_writer("replaced", generation % 2 ? &larger : &replacing);
        cr_assert_eq(kymo_loader_pin(loader, &found), 0, "the snapshot remains");
        cr_assert(is_whole(&found));
        kymo_loader_unpin(loader, &found);
        publish(writer);
        found = pin_after(loader, seen);
        cr_assert_eq(found.record.pos, 0);
        kymo_loader_unpin(loader, &found);
        cr_assert_eq(stats_of(loader).reopened, generation);
    }
    cr_assert_eq(old.record.pos, 29);
    cr_assert(is_whole(&old));
    kymo_loader_unpin(loader, &old);
    end(writer, loader);
}

Test(loader, waits_for_removed_segment_to_reappear)
{
    struct kymo_writer *writer = unit_writer("removed", &plain);
    struct kymo_loader *loader = loader_of("removed", 0);
    struct kymo_snapshot snapshot;
    uint64_t seen;

    publish_and_load(writer, loader);
    seen = await_record(loader, 0).load;
    cr_assert_eq(kymo_writer_remove(writer), 0);
    usleep(5000);
    cr_assert_eq(kymo_loader_pin(loader, &snapshot), 0, "the newest snapshot remains");
    kymo_loader_unpin(loader, &snapshot);
    cr_assert_eq(kymo_loader_pin_wait(loader, seen, in_ms(5), &snapshot), -ETIMEDOUT);
    writer = unit_writer("removed", &plain);
    publish(writer);
    snapshot = pin_after(loader, seen);
    cr_assert_eq(snapshot.record.pos, 0);
    kymo_loader_unpin(loader, &snapshot);
    end(writer, loader);

    /* If nothing was loaded before the removal, a pin fails and a wait waits. */
    writer = unit_writer("empty", &plain);
    loader = loader_of("empty", 0);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    while (kymo_loader_pin(loader, &snapshot) == -ENODATA)
        usleep(1000);
    cr_assert_eq(kymo_loader_pin(loader, &snapshot), -ENOENT);
    cr_assert_eq(kymo_loader_pin_wait(loader, 0, in_ms(5), &snapshot), -ETIMEDOUT);
    writer = unit_writer("empty", &plain);
    publish(writer);
    snapshot = pin_after(loader, 0);
    kymo_loader_unpin(loader, &snapshot);
    end(writer, loader);
}

/* Pins what was published before the call. Returns it unpinned. */
static struct kymo_snapshot pin_current(struct kymo_loader *loader)
{
    struct kymo_snapshot snapshot, found;

    cr_assert_eq(kymo_loader_pin_current(loader, test_deadline(), &snapshot), 0);
    cr_assert(is_whole(&snapshot));
    found = snapshot;
    kymo_loader_unpin(loader, &snapshot);
    return found;
}

Test(loader, pins_what_was_published_before_the_call)
{
    struct kymo_options replacing = plain;
    struct kymo_writer *writer = unit_writer("current", &plain);
    struct kymo_loader *loader = loader_of("current", 0);
    struct kymo_snapshot pinned[8], snapshot;

    replacing.existing = KYMO_REPLACE;
    cr_assert_eq(kymo_loader_pin_current(loader, test_deadline(), &snapshot), -ENODATA);
    for (uint64_t i = 0; i < 2000; i++) {
        publish(writer);
        cr_assert_eq(pin_current(loader).record.pos, i);
    }
    for (int generation = 0; generation < 20; generation++) {
        kymo_writer_close(writer);
        writer = unit_writer("current", &replacing);
        publish(writer);
        cr_assert_eq(pin_current(loader).record.pos, 0, "a record of the new generation");
        publish(writer);
    }
    cr_assert_eq(pin_current(loader).record.pos, 1);
    /* Nothing can be loaded while all buffers are pinned. */
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(kymo_loader_pin_current(loader, test_deadline(), &pinned[i]), 0);
        publish(writer);
    }
    cr_assert_eq(kymo_loader_pin_current(loader, in_ms(5), &snapshot), -ETIMEDOUT);
    for (int i = 0; i < 8; i++)
        kymo_loader_unpin(loader, &pinned[i]);
    cr_assert_eq(kymo_writer_remove(writer), 0);
    cr_assert_geq(pin_current(loader).record.pos, 8, "the newest of a removed segment");
    kymo_loader_close(loader);
}

/* Bytes of the mappings of this segment in memory, as the kernel counts them. */
static uint64_t resident(const char *name)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    uint64_t kilobytes, sum = 0;
    char line[512], end[64];
    int ours = 0;

    cr_assert_not_null(maps);
    snprintf(end, sizeof(end), "/%s\n", name);
    while (fgets(line, sizeof(line), maps)) {
        if (strchr(line, '-') && strstr(line, " r"))
            ours = strstr(line, end) != NULL;
        else if (ours && sscanf(line, "Rss: %lu", &kilobytes) == 1)
            sum += kilobytes * 1024;
    }
    fclose(maps);
    return sum;
}

Test(loader, unmaps_loaded_slots)
{
    const struct kymo_options frames = {.size = 1 << 20, .depth = 8};
    struct kymo_writer *writer = unit_writer("frames", &frames);
    struct kymo_loader *loader = loader_of("frames", 0);
    struct kymo_snapshot snapshot;
    static char frame[1 << 20];

    for (uint64_t i = 0; i < 8; i++) {
        cr_assert_eq(kymo_ring_publish(writer, frame, sizeof(frame), i, 0), 0);
        cr_assert_eq(kymo_loader_pin_current(loader, test_deadline(), &snapshot), 0);
        kymo_loader_unpin(loader, &snapshot);
    }
    kymo_writer_close(writer);
    /* The thread unmaps after it has published the load. */
    for (int tries = 0; tries < 1000 && resident("frames") > 1 << 19; tries++)
        usleep(1000);
    cr_assert_lt(resident("frames"), 1 << 19, "of 8 MiB that were read");
    kymo_loader_close(loader);
}

/* ---- shortage of memory ---- */

static uint32_t memory_is_short;
static uint64_t refusals;

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    /* Handles are small; their allocation succeeds. */
    if (size >= sizeof(struct frame) && kymo_load_relaxed32(&memory_is_short)) {
        kymo_fetch_add_relaxed(&refusals, 1);
        return NULL;
    }
    return __real_aligned_alloc(alignment, size);
}

static void await_refusal(void)
{
    const uint64_t before = kymo_load_relaxed(&refusals);

    while (kymo_load_relaxed(&refusals) < before + 2)
        usleep(1000);
}

Test(loader, continues_after_enomem)
{
    struct kymo_options larger = plain;
    struct kymo_writer *writer = unit_writer("short", &plain);
    struct kymo_loader *loader = loader_of("short", 0), *second;
    struct kymo_snapshot pinned, snapshot = {.payload = NULL};

    /* The first buffer is allocated at open, but none for larger records. */
    kymo_writer_close(writer);
    larger.size *= 2;
    larger.existing = KYMO_REPLACE;
    kymo_store_relaxed32(&memory_is_short, 1);
    cr_assert_eq(kymo_loader_open(&second, "short", 0), -ENOMEM);
    writer = unit_writer("short", &larger);
    publish(writer);
    await_refusal();
    cr_assert_eq(kymo_loader_pin(loader, &snapshot), -ENOMEM);
    cr_assert_eq(kymo_loader_pin_wait(loader, 0, KYMO_FOREVER, &snapshot), -ENOMEM);
    cr_assert_eq(stats_of(loader).buffers, 0);
    kymo_store_relaxed32(&memory_is_short, 0);
    while (kymo_loader_pin(loader, &snapshot) == -ENOMEM)
        usleep(1000);
    kymo_loader_unpin(loader, &snapshot);
    cr_assert_eq(await_record(loader, 0).record.pos, 0);

    /* It has two buffers; with two pinned it needs a third. */
    publish_and_load(writer, loader);
    cr_assert_eq(kymo_loader_pin(loader, &pinned), 0);
    publish_and_load(writer, loader);
    kymo_store_relaxed32(&memory_is_short, 1);
    publish(writer);
    await_refusal();
    cr_assert_eq(kymo_loader_pin(loader, &snapshot), 0);
    cr_assert_eq(snapshot.record.pos, 2, "the newest for which there was memory");
    cr_assert(is_whole(&snapshot));
    cr_assert(is_whole(&pinned));
    cr_assert_eq(stats_of(loader).buffers, 2);
    kymo_loader_unpin(loader, &snapshot);
    kymo_loader_unpin(loader, &pinned);
    cr_assert_eq(await_record(loader, 3).record.pos, 3, "a buffer is unpinned");
    kymo_store_relaxed32(&memory_is_short, 0);
    end(writer, loader);
}
