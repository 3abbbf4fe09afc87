/*
 * explored.c - explores every protocol under every interleaving and stale read that C11 allows, up to its bound (promises A: no torn record, D: no lost wake-up, G: exact queries). With any ordering weakened, or an exchange split into a load and a store, a promise must break.
 *
 * A failure prints a schedule. KYMO_REPLAY='SCHEDULE' repeats that execution and prints its steps.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "proc/process.h"
#include "test.h"

#include "explored.h"

/* Sanitizers are 30 times slower, and check the explorer only. */
#if defined(__SANITIZE_ADDRESS__)
#define EXECUTIONS 3000
#else
#define EXECUTIONS UINT64_MAX
#endif

/* A limit of executions that reaches every operation, and suffices where no failure is expected. */
#define FEW 3000

#define SCENARIOS 64

static const struct explore_scenario *scenarios[SCENARIOS];
static size_t scenario_count;

static void list_scenarios(void)
{
    static const struct explore_scenario *const lists[] = {explored_ring,   explored_queue,
                                                           explored_bell,   explored_lock,
                                                           explored_loader, explored_guard,
                                                           explored_state,  explored_any,
                                                           explored_shared};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct explore_scenario *one = lists[i]; one->name; one++)
            scenarios[scenario_count++] = one;
}

static const struct explore_scenario *find_scenario(const char *name)
{
    for (size_t i = 0; i < scenario_count; i++)
        if (strcmp(scenarios[i]->name, name) == 0)
            return scenarios[i];
    return NULL;
}

Test(explored, every_execution_keeps_the_promises, .init = list_scenarios)
{
    struct explore_result result;

    for (size_t i = 0; i < scenario_count; i++) {
        struct explore_scenario scenario = *scenarios[i];
        const int quick = scenario.quick_records && process_scale() < 1;

        if (quick)
            scenario.records = scenario.quick_records;
        explore_run(&scenario, EXECUTIONS, &result);
        cr_assert_eq(result.failed, 0, "%s: %s; KYMO_REPLAY='%s||%s' shows it", scenario.name,
                     result.fault, scenario.name, result.schedule);
        if (EXECUTIONS < UINT64_MAX)
            continue;
        cr_assert(result.complete);
        cr_assert_geq(result.executions, (uint64_t)2);
        printf("count: explored executions, %s: %llu, complete to %s%s\n", scenario.name,
               (unsigned long long)result.executions, scenario.bound,
               quick ? ", with fewer records" : "");
    }
}

/* ---- orderings, weakened ---- */

/*
 * The operation needs that order in that scenario: with any weaker one, an execution breaks a promise; with that one, none does. Every ordering operation is listed. IDs are those of core/ORDERING.md; a row without an ID needs no order, and a comment gives the reason.
 */
struct need {
    const char *id;
    const char *file, *function, *operation;
    int ordinal;
    enum explore_order order;
    const char *scenario;
};

#define RELAXED  EXPLORE_RELAXED
#define ACQUIRE  EXPLORE_ACQUIRE
#define RELEASE  EXPLORE_RELEASE
#define ORDERED  EXPLORE_ORDERED
#define EXCHANGE "compare_exchange_ordered32"

static const struct need needs[] = {
    {"SEQ-1", "seqlock.h", "kymo_impl_slot_write_begin", "fence_release", 1, RELEASE, "slot"},
    {"SEQ-1", "seqlock.h", "kymo_impl_slot_read_retry", "fence_acquire", 1, ACQUIRE, "slot"},
    {"SEQ-2", "seqlock.h", "kymo_impl_slot_write_end", "store_release", 1, RELEASE, "slot"},
    {"SEQ-2", "seqlock.h", "kymo_impl_slot_read_begin", "load_acquire", 1, ACQUIRE, "slot"},
    {"SEQ-1", "ring.h", "kymo_ring_loan", "fence_stores", 1, RELEASE, "loan"},
    {"SEQ-2", "ring.h", "kymo_ring_commit", "fence_stores", 1, RELEASE, "loan"},
    {"HEAD-1", "ring.h", "kymo_impl_ring_complete", "store_ordered", 1, RELEASE, "as of"},
    {"HEAD-1", "ring.h", "kymo_ring_head", "load_acquire", 1, ACQUIRE, "as of"},
    {"SER-1", "seqlock.h", "kymo_impl_slot_write_begin", "fence_release", 1, RELEASE, "range"},
    {"SER-1", "series.h", "kymo_impl_window_holds", "fence_acquire", 1, ACQUIRE, "range"},

    {"BELL-1", "ring.h", "kymo_impl_ring_complete", "store_ordered", 1, ORDERED, "wait"},
    {"BELL-1", "ring.h", "kymo_impl_ring_complete", "load_ordered32", 1, ORDERED, "wait"},
    {"BELL-1", "wait.c", "arm", "fetch_or_ordered32", 1, ORDERED, "wait"},
    {"BELL-1", "wait.c", "poll_ring", "load_ordered", 1, ORDERED, "wait"},
    {"BELL-1", "queue.c", "kymo_queue_wait", "fetch_or_ordered32", 1, ORDERED, "push and pop"},
    {"BELL-1", "queue.c", "poll_queue", "load_ordered", 1, ORDERED, "push and pop"},
    {"BELL-2", "futex.c", "kymo_bell_ring", EXCHANGE, 1, RELEASE, "retire"},
    {"BELL-2", "wait.c", "arm", "fetch_or_ordered32", 1, ACQUIRE, "retire"},
    {"BELL-2", "wait.c", "arm", "load_ordered32", 1, ACQUIRE, "retire, read-only"},
    {"BELL-3", "mapping.c", "kymo_mapping_bell", "store_release32", 1, RELEASE, "first wait"},
    {"BELL-3", "mapping.c", "kymo_mapping_bell", "load_acquire32", 1, ACQUIRE, "first wait"},

    {"STATE-1", "writer.c", "announce_owner", "store_release32", 2, RELEASE, "open"},
    {"STATE-1", "info.c", "describe_control", "load_acquire32", 1, ACQUIRE, "open"},
    {"STATE-1", "writer.c", "kymo_writer_close", "store_release32", 1, RELEASE, "close"},
    {"STATE-1", "writer.c", "kymo_writer_close", "store_release32", 1, RELEASE, "resume and query"},
    {"STATE-1", "writer.c", "close_shared", "store_release32", 1, RELEASE, "close shared"},
    {"STATE-1", "info.c", "describe_control", "load_acquire32", 1, ACQUIRE, "close"},
    {"STATE-1", "liveness.c", "kymo_segment_liveness", "load_acquire32", 2, ACQUIRE,
     "resume and query"},
    {"STATE-2", "mapping.c", "kymo_mapping_end", "store_release32", 1, RELEASE,
     "publish and retire"},
    {"STATE-2", "mapping.c", "kymo_mapping_end", "store_release32", 1, RELEASE, "pop and retire"},
    {"STATE-2", "ring.h", "kymo_ring_is_over", "load_acquire32", 1, ACQUIRE, "publish and retire"},
    {"STATE-2", "ring.h", "kymo_ring_is_over", "load_acquire32", 1, ACQUIRE, "pop and retire"},
    {"STATE-3", "writer.c", "announce_owner", "store_release32", 1, RELEASE, "open and query"},
    {"STATE-3", "liveness.c", "kymo_segment_liveness", "load_acquire32", 1, ACQUIRE,
     "open and query"},

    {"QUEUE-1", "queue.h", "kymo_queue_acknowledge", "store_ordered", 1, RELEASE, "in place"},
    {"QUEUE-1", "queue.c", "kymo_queue_find_limit", "load_acquire", 1, ACQUIRE, "in place"},
    {"QUEUE-2", "queue.h", "kymo_queue_acknowledge", "store_ordered", 1, ORDERED, "push and pop"},
    {"QUEUE-2", "queue.h", "kymo_queue_acknowledge", "load_ordered32", 1, ORDERED, "push and pop"},
    {"QUEUE-2", "queue.c", "wait_for_slot", "fetch_or_ordered32", 1, ORDERED, "push and pop"},
    {"QUEUE-2", "queue.c", "is_full", "load_ordered", 1, ORDERED, "push and pop"},

    {"LOCK-1", "robust_lock.c", "take_free", EXCHANGE, 1, ACQUIRE, "lock"},
    {"LOCK-1", "robust_lock.c", "kymo_robust_unlock", EXCHANGE, 1, RELEASE, "lock"},
    {"LOCK-1", "robust_lock.c", "kymo_robust_unlock", EXCHANGE, 2, RELEASE, "lock"},

    {"HEAD-1", "writer.c", "count_complete", "store_ordered", 1, RELEASE, "adopt"},

    {"LOADER-1", "loader.c", "publish", "store_ordered", 1, ORDERED, "pin"},
    {"LOADER-1", "loader.c", "find_idle", "load_ordered32", 1, ORDERED, "pin"},
    {"LOADER-1", "loader.c", "kymo_loader_pin", "fetch_add_ordered32", 1, ORDERED, "pin"},
    {"LOADER-1", "loader.c", "kymo_loader_pin", "load_ordered", 2, ORDERED, "pin"},
    {"LOADER-4", "loader.c", "publish", "store_ordered", 1, RELEASE, "pin once"},
    {"LOADER-4", "loader.c", "kymo_loader_pin", "load_ordered", 2, ORDERED, "pin"},
    {"LOADER-3", "loader.c", "kymo_loader_unpin", "fetch_add_ordered32", 1, RELEASE, "pin"},
    {"LOADER-3", "loader.c", "find_idle", "load_ordered32", 1, ORDERED, "pin"},
    {"LOADER-2", "loader.c", "publish", "store_ordered", 1, ORDERED, "pin and wait"},
    {"LOADER-2", "loader.c", "publish", "load_ordered32", 1, ORDERED, "pin and wait"},
    {"LOADER-2", "loader.c", "arm_bell", "fetch_or_ordered32", 1, ORDERED, "pin and wait"},
    {"LOADER-2", "loader.c", "kymo_loader_pin", "load_ordered", 1, ORDERED, "pin and wait"},

    {"GUARD-1", "guard.c", "grow", "store_release", 1, RELEASE, "guard chunk"},
    {"GUARD-1", "guard.c", "next_chunk", "load_acquire", 1, ACQUIRE, "guard chunk"},
    {"GUARD-2", "guard.c", "write_entry", "fence_release", 1, RELEASE, "guard entry"},
    {"GUARD-2", "guard.c", "read_entry", "fence_acquire", 1, ACQUIRE, "guard entry"},
    {"GUARD-3", "guard.c", "write_entry", "store_release", 1, RELEASE, "guard entry"},
    {"GUARD-3", "guard.c", "read_entry", "load_acquire", 1, ACQUIRE, "guard entry"},

    /* The slot's seq is checked after it (SEQ-2). */
    {"", "ring.h", "kymo_ring_latest", "load_acquire", 1, RELAXED, "latest"},
    /* Sets the waiter bit, atomically with the test of the owner (below); nothing else is ordered by it. */
    {"", "robust_lock.c", "kymo_robust_lock", EXCHANGE, 1, RELAXED, "lock"},
    /* Ordered by the kernel's lock, which reports the owner's death. */
    {"", "robust_lock.c", "take_over", EXCHANGE, 1, RELAXED, "takeover"},
    /* Releases a pin without a read of the buffer. */
    {"", "loader.c", "kymo_loader_pin", "fetch_add_ordered32", 2, RELAXED, "pin"},
};

#define NEEDS (sizeof(needs) / sizeof(needs[0]))

/*
 * What must be atomic: split into two steps, it breaks a promise. An exchange is split into a load and a store, a futex wait into the comparison and the sleep. `order` is SPLIT_RMW if it must be atomic, and ORDERED if two steps suffice, for the reason in the comment.
 */
#define SPLIT_RMW EXPLORE_SPLIT_RMW
#define OR        "fetch_or_ordered32"
#define ADD       "fetch_add_ordered32"

static const struct need steps[] = {
    {"LOCK-1", "robust_lock.c", "take_free", EXCHANGE, 1, SPLIT_RMW, "lock"},
    {"LOCK-2", "robust_lock.c", "kymo_robust_unlock", EXCHANGE, 1, SPLIT_RMW, "lock of three"},
    {"LOCK-2", "robust_lock.c", "kymo_robust_lock", EXCHANGE, 1, SPLIT_RMW, "lock"},
    {"LOCK-2", "kernel", "futex_wait", "comparison", 1, SPLIT_RMW, "lock"},
    {"BELL-1", "kernel", "futex_wait", "comparison", 1, SPLIT_RMW, "wait"},
    {"BELL-1", "wait.c", "arm", OR, 1, SPLIT_RMW, "wait both"},
    {"BELL-2", "kernel", "futex_wait", "comparison", 1, SPLIT_RMW, "retire"},
    {"BELL-2", "wait.c", "arm", OR, 1, SPLIT_RMW, "retire"},
    {"BELL-2", "queue.c", "kymo_queue_wait", OR, 1, SPLIT_RMW, "pop and retire"},
    {"QUEUE-2", "kernel", "futex_wait", "comparison", 1, SPLIT_RMW, "push and pop"},
    {"LOADER-1", "loader.c", "kymo_loader_pin", ADD, 1, SPLIT_RMW, "pin both"},
    {"LOADER-1", "loader.c", "kymo_loader_pin", ADD, 2, SPLIT_RMW, "pin both"},
    {"LOADER-3", "loader.c", "kymo_loader_unpin", ADD, 1, SPLIT_RMW, "pin both"},
    {"LOADER-2", "kernel", "futex_wait", "comparison", 1, SPLIT_RMW, "pin and wait"},

    /* One thread at a time does this; others only set the waiter bit, which this sets too. */
    {"", "robust_lock.c", "take_over", EXCHANGE, 1, ORDERED, "takeover"},
    /* A counter with one writer at a time. */
    {"", "robust_lock.c", "take_over", "fetch_add_relaxed", 1, ORDERED, "takeover"},
    /* No thread changes a lock that is held and has the waiter bit. */
    {"", "robust_lock.c", "kymo_robust_unlock", EXCHANGE, 2, ORDERED, "lock of three"},
    /* A waiter that sets the bit in between finds another word, or is woken with all others. */
    {"", "futex.c", "kymo_bell_ring", EXCHANGE, 1, ORDERED, "wait both"},
    /* It loads tail, or newest, after its store. */
    {"", "queue.c", "wait_for_slot", OR, 1, ORDERED, "push and pop"},
    {"", "loader.c", "arm_bell", OR, 1, ORDERED, "pin and wait"},
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

static const char *const order_names[] = {"relaxed", "acquire", "release",
                                          "both",    "ordered", "split"};

static int is_site(const struct need *need, const struct explore_site *site)
{
    return need->ordinal == site->ordinal && strcmp(need->file, site->file) == 0 &&
           strcmp(need->function, site->function) == 0 &&
           strcmp(need->operation, site->operation) == 0;
}

static const struct explore_site *find_site(const struct need *need)
{
    for (const struct explore_site *site = explore_sites(); site; site = site->next)
        if (is_site(need, site))
            return site;
    return NULL;
}

/* Whether `order` gives all that `least` does. */
static int suffices(enum explore_order order, enum explore_order least)
{
    return order == least || order == EXPLORE_ORDERED || least == EXPLORE_RELAXED ||
           (order == EXPLORE_BOTH && least != EXPLORE_ORDERED);
}

/* Whether the operation could be written with that order in C11. */
static int is_possible(const struct explore_site *site, enum explore_order order)
{
    if (strncmp(site->operation, "load", 4) == 0)
        return order == EXPLORE_RELAXED || order == EXPLORE_ACQUIRE;
    if (strncmp(site->operation, "store", 5) == 0)
        return order == EXPLORE_RELAXED || order == EXPLORE_RELEASE;
    return strncmp(site->operation, "fence", 5) != 0 || order == EXPLORE_RELAXED;
}

/* Whether the operation is more than one load, store or fence. */
static int is_change(const struct explore_site *site)
{
    return strncmp(site->operation, "load", 4) != 0 && strncmp(site->operation, "store", 5) != 0 &&
           strncmp(site->operation, "fence", 5) != 0 && strncmp(site->operation, "copy", 4) != 0;
}

static unsigned int caught, replayed;

/* The schedule must repeat the failure. */
static void check_replay(const struct need *need, const struct explore_result *failed)
{
    struct explore_result again;

    explore_replay(find_scenario(need->scenario), failed->schedule, 0, &again);
    cr_assert(again.failed && strcmp(again.fault, failed->fault) == 0,
              "%s: the schedule %s gives: %s", failed->fault, failed->schedule, again.fault);
    replayed++;
}

static void weaken(const struct need *need, const struct explore_site *site,
                   enum explore_order order)
{
    const struct explore_scenario *scenario = find_scenario(need->scenario);
    const int breaks =
        order == SPLIT_RMW ? need->order == SPLIT_RMW : !suffices(order, need->order);
    struct explore_result result;

    cr_assert_not_null(scenario, "%s", need->scenario);
    explore_weaken(site, order);
    explore_run(scenario, breaks ? UINT64_MAX : FEW, &result);
    cr_assert_eq(result.failed, breaks, "%s: %s in %s made %s, in '%s': %s", need->id,
                 need->operation, need->function, order_names[order], need->scenario,
                 result.failed ? result.fault : "not caught");
    if (breaks) {
        check_replay(need, &result);
        caught++;
    }
    explore_weaken(NULL, EXPLORE_RELAXED);
}

static void reach_all_sites(void)
{
    struct explore_result result;

    list_scenarios();
    for (size_t i = 0; i < scenario_count; i++)
        explore_run(scenarios[i], FEW, &result);
}

Test(explored, every_weakened_ordering_is_caught, .init = reach_all_sites)
{
    for (size_t i = 0; i < NEEDS; i++) {
        const struct explore_site *site = find_site(&needs[i]);

        cr_assert_not_null(site, "%s in %s is not reached", needs[i].operation, needs[i].function);
        for (enum explore_order order = EXPLORE_RELAXED; order < EXPLORE_ORDERED; order++)
            if (order != site->order && is_possible(site, order) &&
                (order == needs[i].order || !suffices(order, needs[i].order)))
                weaken(&needs[i], site, order);
    }
    cr_assert_eq(replayed, caught);
    printf("count: weakened orderings: %u of %u caught, each by a schedule that repeats it\n",
           caught, caught);
}

Test(explored, every_split_exchange_is_caught, .init = reach_all_sites)
{
    unsigned int whole = 0;

    for (size_t i = 0; i < STEPS; i++) {
        const struct explore_site *site = find_site(&steps[i]);

        cr_assert_not_null(site, "%s in %s is not reached", steps[i].operation, steps[i].function);
        weaken(&steps[i], site, SPLIT_RMW);
        whole += steps[i].order == SPLIT_RMW;
    }
    cr_assert_eq(replayed, caught);
    cr_assert_eq(caught, whole);
    printf("count: split exchanges: %u of %u caught; %zu more need not be atomic\n", caught, whole,
           STEPS - whole);
}

/* An operation that is not in the tables was not weakened. */
Test(explored, every_ordering_is_listed, .init = reach_all_sites)
{
    unsigned int sites = 0;

    for (const struct explore_site *site = explore_sites(); site; site = site->next) {
        int found = site->order == EXPLORE_RELAXED || strcmp(site->file, "kernel") == 0;
        int stepped = !is_change(site);

        for (size_t i = 0; i < NEEDS; i++)
            found |= is_site(&needs[i], site);
        for (size_t i = 0; i < STEPS; i++)
            stepped |= is_site(&steps[i], site);
        found &= stepped;
        cr_assert(found, "%s:%d: %s in %s, number %d, is not in the table", site->file, site->line,
                  site->operation, site->function, site->ordinal);
        sites++;
    }
    cr_assert_geq(sites, 60U);
}

/*
 * Operations that no scenario reaches, with the reason.
 */
static struct {
    const char *file, *operation;
    int found;
} unexplored[] = {
    /* kymo_robust_unlock's last try is for a corrupted word. */
    {.file = "robust_lock.c", .operation = "compare_exchange_ordered32"},
    /* A consumer's announce_owner, and kymo_consumer_close: this state is not read yet. */
    {.file = "queue.c", .operation = "store_release32"},
    {.file = "queue.c", .operation = "store_release32"},
};

#define UNEXPLORED (sizeof(unexplored) / sizeof(unexplored[0]))

static int is_unexplored(const char *file, const char *operation, size_t length)
{
    for (size_t i = 0; i < UNEXPLORED; i++)
        if (!unexplored[i].found && strcmp(unexplored[i].file, file) == 0 &&
            strlen(unexplored[i].operation) == length &&
            memcmp(unexplored[i].operation, operation, length) == 0)
            return unexplored[i].found = 1;
    return 0;
}

/* A call's line is that of its name, or of the end of its arguments. */
static int is_reached(const char *file, const char *operation, size_t length, int line)
{
    for (const struct explore_site *site = explore_sites(); site; site = site->next)
        if (strcmp(site->file, file) == 0 && strlen(site->operation) == length &&
            memcmp(site->operation, operation, length) == 0 && site->line >= line &&
            site->line <= line + 3)
            return 1;
    return 0;
}

/* Returns the number of ordering operations in a line of code that no scenario reached. */
static unsigned int count_unreached(const char *file, const char *text, int line)
{
    static const char *const ordering[] = {"load_acquire",      "load_ordered", "store_release",
                                           "store_ordered",     "fence_",       "fetch_or_ordered",
                                           "fetch_add_ordered", "compare_"};
    unsigned int unreached = 0;

    if (text[strspn(text, " ")] == '*' || text[strspn(text, " ")] == '/')
        return 0;
    while ((text = strstr(text, "kymo_")) != NULL) {
        text += strlen("kymo_");
        for (size_t i = 0; i < sizeof(ordering) / sizeof(ordering[0]); i++) {
            const size_t length = strcspn(text, "(");

            if (strncmp(text, ordering[i], strlen(ordering[i])) != 0 ||
                is_reached(file, text, length, line) || is_unexplored(file, text, length))
                continue;
            printf("%s:%d: %.*s is not reached\n", file, line, (int)length, text);
            unreached++;
        }
    }
    return unreached;
}

static unsigned int read_source(const char *folder, const char *file)
{
    char path[1000], line[1000];
    unsigned int unreached = 0;
    FILE *source;

    snprintf(path, sizeof(path), "%s/%s", folder, file);
    source = fopen(path, "r");
    cr_assert_not_null(source, "%s", path);
    for (int number = 1; fgets(line, sizeof(line), source); number++)
        unreached += count_unreached(file, line, number);
    fclose(source);
    return unreached;
}

/* Each ordering operation of the source is reached by a scenario. */
Test(explored, every_ordering_of_the_source_is_reached, .init = reach_all_sites)
{
    static const char *const folders[] = {CORE_FOLDER "/src", CORE_FOLDER "/include/kymo",
                                          CORE_FOLDER "/include/kymo/impl"};
    unsigned int unreached = 0, files = 0;

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        DIR *folder = opendir(folders[i]);

        cr_assert_not_null(folder, "%s", folders[i]);
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            const char *end = strrchr(entry->d_name, '.');

            if (!end || strcmp(entry->d_name, "atomic.h") == 0 ||
                (strcmp(end, ".c") != 0 && strcmp(end, ".h") != 0))
                continue;
            unreached += read_source(folders[i], entry->d_name);
            files++;
        }
        closedir(folder);
    }
    cr_assert_geq(files, 40U);
    cr_assert_eq(unreached, 0U, "%u operations are not reached", unreached);
    for (size_t i = 0; i < UNEXPLORED; i++)
        cr_assert(unexplored[i].found, "%s in %s does not exist", unexplored[i].operation,
                  unexplored[i].file);
}

/* The number of rows with this ID. */
static int count_rows(const struct need *table, size_t rows, const char *id, size_t length)
{
    int count = 0;

    for (size_t i = 0; i < rows; i++)
        count += strlen(table[i].id) == length && memcmp(table[i].id, id, length) == 0;
    return count;
}

/* Every ID of ORDERING.md, on both of its sides. */
Test(explored, every_id_is_weakened_on_both_sides)
{
    FILE *file = fopen(ORDERING_FILE, "r");
    unsigned int ids = 0;
    char line[1000];

    cr_assert_not_null(file);
    while (fgets(line, sizeof(line), file)) {
        const char *end = line[0] == '|' ? strchr(line + 1, '|') : NULL;

        for (const char *id = line + 1; end && id < end; id += strcspn(id, ", |")) {
            int sides;
            size_t length;

            id += strspn(id, ", ");
            length = strcspn(id, ", |");
            if (!memchr(id, '-', length) || *id < 'A' || *id > 'Z')
                continue;
            sides = count_rows(needs, NEEDS, id, length) + count_rows(steps, STEPS, id, length);
            cr_assert_geq(sides, 2, "%.*s is explored on %d sides", (int)length, id, sides);
            ids++;
        }
    }
    fclose(file);
    cr_assert_geq(ids, 18U);
}

/* ---- one execution ---- */

/* "file:function:operation:ordinal:order" */
static void weaken_by_text(char *text)
{
    struct need need = {0};
    char *parts[5] = {NULL};
    size_t count = 0;

    for (char *part = strtok(text, ":"); part && count < 5; part = strtok(NULL, ":"))
        parts[count++] = part;
    if (count < 5)
        return;
    need.file = parts[0];
    need.function = parts[1];
    need.operation = parts[2];
    need.ordinal = atoi(parts[3]);
    cr_assert_not_null(find_site(&need), "no such operation");
    for (enum explore_order order = EXPLORE_RELAXED; order < EXPLORE_ORDERED; order++)
        if (strcmp(order_names[order], parts[4]) == 0)
            explore_weaken(find_site(&need), order);
}

/* KYMO_REPLAY='SCENARIO|WEAKENED|SCHEDULE' */
Test(explored, replays_a_schedule)
{
    const char *replay = getenv("KYMO_REPLAY");
    char text[2000];
    char *weakened, *schedule;
    struct explore_result result;

    if (!replay)
        return;
    reach_all_sites();
    snprintf(text, sizeof(text), "%s", replay);
    weakened = strchr(text, '|');
    schedule = weakened ? strchr(weakened + 1, '|') : NULL;
    cr_assert_not_null(schedule, "KYMO_REPLAY is SCENARIO|WEAKENED|SCHEDULE");
    *weakened++ = *schedule++ = 0;
    cr_assert_not_null(find_scenario(text), "%s", text);
    weaken_by_text(weakened);
    explore_replay(find_scenario(text), schedule, 1, &result);
    cr_assert_eq(result.failed, 0, "%s", result.fault);
}
