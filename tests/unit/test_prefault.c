/*
 * test_prefault.c - prefault and locking of pages: the reported result agrees with the kernel's counters and with page faults.
 */
#include "unit.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Sanitizers ignore mlock; an emulator has no limit. */
#if defined(__SANITIZE_ADDRESS__) || KYMO_TSAN || defined(KYMO_EMULATED)
#define MLOCK_REACHES_THE_KERNEL 0
#else
#define MLOCK_REACHES_THE_KERNEL 1
#endif

/* qemu accepts madvise() and ignores it. */
#ifdef KYMO_EMULATED
#define NEEDS_ADVICE() cr_skip_test("the emulator does nothing for madvise")
#else
#define NEEDS_ADVICE() ((void)0)
#endif

#define DEPTH 1024
#define SIZE  4000

static struct kymo_writer *open_large(const char *name)
{
    const struct kymo_options options = {.clock = KYMO_USER, .depth = DEPTH, .size = SIZE};

    return unit_writer(name, &options);
}

static uint64_t faults(void)
{
    struct rusage usage;

    cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

/* mincore() does not show whether this process has mapped the page; a fault does. */
static uint64_t faults_by_reading(const struct kymo_reader *reader)
{
    static unsigned char buffer[SIZE];
    uint64_t before;

    faults();
    cr_assert_eq(kymo_ring_back(reader, 0, buffer, sizeof(buffer), NULL), 0);
    before = faults();
    for (uint64_t back = 0; back < DEPTH - 1; back++)
        if (kymo_ring_back(reader, back, buffer, sizeof(buffer), NULL) != 0)
            return UINT64_MAX;
    return faults() - before;
}

static uint64_t faults_by_publishing(struct kymo_writer *writer)
{
    static unsigned char buffer[SIZE];
    uint64_t before;

    memset(buffer, 1, sizeof(buffer));
    faults();
    cr_assert_eq(kymo_ring_publish(writer, buffer, sizeof(buffer), 0, 0), 0);
    before = faults();
    for (uint64_t i = 0; i < DEPTH; i++)
        if (kymo_ring_publish(writer, buffer, sizeof(buffer), 0, 0) != 0)
            return UINT64_MAX;
    return faults() - before;
}

/* The thread sanitizer's shadow memory faults on each access; the calls are still tested. */
Test(prefault, leaves_no_page_faults)
{
    struct kymo_writer *writer = open_large("prefault");
    struct kymo_residence residence;
    struct kymo_reader *reader;
    uint64_t first, then;

    NEEDS_ADVICE();
    cr_assert_gt(faults_by_publishing(writer), 0U, "without, each page faults once");
    reader = unit_reader("prefault");
    first = faults_by_reading(reader);
    cr_assert_gt(first, 0U);
    kymo_reader_close(reader);
    kymo_writer_close(writer);

    writer = open_large("prefault");
    cr_assert_eq(kymo_segment_prefault(writer->segment, KYMO_PREFAULT, &residence), KYMO_PREFAULT);
    cr_assert_eq(residence.mapped, unit_info(writer->segment).file_size);
    cr_assert_eq(residence.resident, residence.mapped);
    then = faults_by_publishing(writer);
    cr_assert(KYMO_TSAN || then == 0, "%ju faults", (uintmax_t)then);
    reader = unit_reader("prefault");
    cr_assert_eq(kymo_segment_prefault(reader->segment, KYMO_PREFAULT, &residence), KYMO_PREFAULT);
    cr_assert_eq(residence.resident, residence.mapped);
    then = faults_by_reading(reader);
    cr_assert(KYMO_TSAN || then == 0, "%ju faults", (uintmax_t)then);
    printf("a reader's first look at %u records: %ju faults without, %ju with\n", DEPTH,
           (uintmax_t)first, (uintmax_t)then);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* Only what was requested is done and reported. */
Test(prefault, does_only_what_was_requested)
{
    struct kymo_writer *writer = open_large("asked");
    struct kymo_reader *reader = unit_reader("asked");
    struct kymo_residence residence;

    cr_assert_eq(kymo_segment_prefault(reader->segment, 0, &residence), 0);
    cr_assert_eq(residence.mapped, unit_info(reader->segment).file_size);
    cr_assert_lt(residence.resident, residence.mapped / 2);
    cr_assert_eq(residence.locked, 0U);
    cr_assert_eq(residence.huge, 0U);
    cr_assert_eq(kymo_segment_prefault(reader->segment, 0, NULL), 0);
    cr_assert_eq(kymo_segment_prefault(reader->segment, 8, &residence), -EINVAL);
    cr_assert_eq(kymo_segment_prefault(reader->segment, 15, &residence), -EINVAL);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* ---- locked pages ---- */

/* With a limit of one locked page. */
static int lock_too_much(void *context)
{
    const struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    struct kymo_residence residence;
    struct kymo_reader *reader;
    int granted;

    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
        return 77;
    if (kymo_reader_open(&reader, context) != 0)
        return 1;
    granted = kymo_segment_prefault(reader->segment, KYMO_LOCKED | KYMO_PREFAULT, &residence);
    if (granted != KYMO_PREFAULT)
        return 2;
    return residence.locked == 0 && residence.resident == residence.mapped ? 0 : 3;
}

Test(prefault, reports_what_the_kernel_refused)
{
    struct kymo_writer *writer = open_large("locked");
    int status = MLOCK_REACHES_THE_KERNEL ? unit_child(lock_too_much, (void *)"locked") : 77;

    cr_assert_eq(kymo_writer_remove(writer), 0);
    if (status == 77)
        cr_skip_test("cannot become another user, or mlock is not the kernel's");
    cr_assert_eq(status, 0);
}

Test(prefault, locks_what_the_kernel_grants)
{
    struct kymo_writer *writer = open_large("granted");
    struct kymo_reader *reader = unit_reader("granted");
    struct kymo_residence residence;
    const int granted = kymo_segment_prefault(reader->segment, KYMO_LOCKED, &residence);

    /* Whether this much may be locked depends on the machine; the two reports must agree. */
    cr_assert(granted == KYMO_LOCKED || granted == 0);
    if (MLOCK_REACHES_THE_KERNEL)
        cr_assert_eq(residence.locked, granted ? residence.mapped : 0);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* ---- addresses ---- */

#define HUGE_PAGE  (UINT64_C(1) << 21)
#define CONGRUENCE (UINT64_C(1) << 28)

/* A cache hashes two mappings of a line equally only if their addresses agree in the low bits. */
Test(prefault, maps_again_at_cache_compatible_address)
{
    struct kymo_writer *writer = open_large("twin");
    struct kymo_reader *readers[3];

    for (int i = 0; i < 3; i++) {
        readers[i] = unit_reader("twin");
        cr_assert_neq(readers[i]->ring.slots, writer->ring.slots);
        cr_assert_eq((uintptr_t)(writer->ring.slots - readers[i]->ring.slots) % CONGRUENCE, 0U);
    }
    for (int i = 0; i < 3; i++)
        kymo_reader_close(readers[i]);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* The header takes the page before the writer's. */
Test(prefault, starts_on_huge_page_if_large_enough)
{
    struct kymo_writer *writer = open_large("large");
    struct kymo_reader *reader = unit_reader("large");
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    cr_assert_eq(((uintptr_t)writer->ring.control - page) % HUGE_PAGE, 0U);
    cr_assert_eq(((uintptr_t)reader->ring.control - page) % HUGE_PAGE, 0U);
    kymo_reader_close(reader);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* ---- huge pages ---- */

/* The kernel accepts the request on any mount; smaps shows the huge pages. */
Test(prefault, distinguishes_granted_from_obtained)
{
    const struct kymo_options options = {.clock = KYMO_USER, .depth = 4, .size = 4 << 20};
    struct kymo_writer *writer = unit_writer("huge", &options);
    struct kymo_residence residence;
    char setting[128] = "";
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "re");
    int granted =
        kymo_segment_prefault(writer->segment, KYMO_HUGE_PAGES | KYMO_PREFAULT, &residence);

    NEEDS_ADVICE();
    if (file && fgets(setting, sizeof(setting), file))
        setting[strcspn(setting, "\n")] = 0;
    if (file)
        fclose(file);
    printf("shmem_enabled is \"%s\": %s, %ju of %ju bytes are huge\n", setting,
           granted & KYMO_HUGE_PAGES ? "granted" : "refused", (uintmax_t)residence.huge,
           (uintmax_t)residence.mapped);
    cr_assert(granted & KYMO_PREFAULT);
    cr_assert_eq(residence.resident, residence.mapped);
    cr_assert_leq(residence.huge, residence.mapped);
    if (strstr(setting, "[deny]"))
        cr_assert_eq(residence.huge, 0U);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* ---- handles of a forked child ---- */

static int prefault_in_child(void *context)
{
    const struct kymo_writer *writer = context;

    return kymo_segment_prefault(writer->segment, KYMO_PREFAULT, NULL) == -EPERM ? 0 : 1;
}

Test(prefault, is_refused_in_forked_child)
{
    struct kymo_writer *writer = open_large("forked");

    cr_assert_eq(unit_child(prefault_in_child, writer), 0);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}

/* Each part of a mapping has its own protection, and a queue has the most parts. */
Test(prefault, counts_every_part_of_a_mapping)
{
    const struct kymo_options options = {.kind = KYMO_QUEUE,
                                         .clock = KYMO_USER,
                                         .depth = 256,
                                         .size = SIZE};
    struct kymo_writer *writer = unit_writer("parts", &options);
    struct kymo_residence residence;
    struct kymo_consumer *consumer;

    NEEDS_ADVICE();
    cr_assert_eq(kymo_consumer_open(&consumer, "parts"), 0);
    cr_assert_eq(kymo_segment_prefault(consumer->segment, KYMO_PREFAULT, &residence),
                 KYMO_PREFAULT);
    cr_assert_eq(residence.resident, residence.mapped);
    kymo_consumer_close(consumer);
    cr_assert_eq(kymo_writer_remove(writer), 0);
}
