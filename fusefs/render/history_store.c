/*
 * history_store.c - lengths of rows, and shared blocks of records.
 */
#include "history_store.h"

#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* At most, and as long as their payloads do not exceed GROUP_BYTES and BLOCK_BYTES. A block is copied
 * within about 50 us. */
#define GROUP_SHIFT 6u
#define BLOCK_SHIFT 11u
#define BLOCK_BYTES 65536u

/* Groups whose lengths are remembered, in 64 MiB at most; of deeper rings some are measured again. */
#define GROUPS_LIMIT (UINT64_C(1) << 22)

/* Lengths that are added up in one critical section. */
#define GROUPS_AT_ONCE 512

/* Larger amounts are mapped, so that free() returns them to the system. */
#define MAP_LEAST 16384u

/* Bytes of a ring that are unmapped at a time: a multiple of the page. */
#define UNMAP_PART (UINT64_C(1) << 20)

/* ---- memory ---- */

static void *memory_get(size_t size)
{
    void *memory;

    if (size < MAP_LEAST)
        return malloc(size + 1);
    memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void memory_free(void *memory, size_t size)
{
    if (size < MAP_LEAST)
        free(memory);
    else
        munmap(memory, size);
}

/* ---- the store ---- */

static void store_free(struct segment_cache *cache)
{
    struct history_store *store = (struct history_store *)cache;

    for (int format = 0; format < HISTORY_FORMATS; format++)
        free(store->lengths[format]);
    pthread_mutex_destroy(&store->lock);
    row_layout_free(&store->layout);
    free(store);
}

static struct history_store *store_create(const struct request *request)
{
    struct history_store *store = calloc(1, sizeof(*store));
    uint64_t copy, groups;

    if (!store || row_layout_init(&store->layout, request)) {
        free(store);
        return NULL;
    }
    copy = ROW_COPY_REST + (uint64_t)store->layout.payload_limit;
    while (store->block_shift < BLOCK_SHIFT && copy << (store->block_shift + 1) <= BLOCK_BYTES)
        store->block_shift++;
    store->group_shift = store->block_shift < GROUP_SHIFT ? store->block_shift : GROUP_SHIFT;
    groups = kymo_ring_depth(request_ring(request)) >> store->group_shift;
    groups = groups > 0 ? groups : 1;
    store->group_mask = (groups < GROUPS_LIMIT ? groups : GROUPS_LIMIT) - 1;
    store->cache.free = store_free;
    pthread_mutex_init(&store->lock, NULL);
    return store;
}

int store_get(const struct request *request, struct history_store **store)
{
    struct segment_cache *cache = segment_cache_set(request->segment, NULL);
    struct history_store *created;

    if (!cache) {
        created = store_create(request);
        if (!created)
            return -ENOMEM;
        cache = segment_cache_set(request->segment, &created->cache);
        if (cache != &created->cache)
            store_free(&created->cache);
    }
    *store = (struct history_store *)cache;
    return 0;
}

/* ---- lengths ---- */

bool store_find_length(struct history_store *store, enum history_format format, uint64_t number,
                       struct row_group *group)
{
    const struct row_group *table;
    bool found = false;

    pthread_mutex_lock(&store->lock);
    table = store->lengths[format];
    if (table) {
        *group = table[number & store->group_mask];
        found = group->end > 0 && group->number == number;
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

/* The table of a sparse segment with many slots takes memory only where lengths are stored. Without
 * memory, rows are measured again. */
void store_set_length(struct history_store *store, enum history_format format,
                      const struct row_group *group)
{
    struct row_group **table = &store->lengths[format];

    pthread_mutex_lock(&store->lock);
    if (!*table)
        *table = calloc(store->group_mask + 1, sizeof(**table));
    if (*table)
        (*table)[group->number & store->group_mask] = *group;
    pthread_mutex_unlock(&store->lock);
}

uint64_t store_add_lengths(struct history_store *store, enum history_format format, uint64_t pos,
                           uint64_t end, uint64_t *sum)
{
    const uint64_t rows = UINT64_C(1) << store->group_shift;
    const struct row_group *table;

    pthread_mutex_lock(&store->lock);
    table = store->lengths[format];
    for (int i = 0; table && i < GROUPS_AT_ONCE && pos % rows == 0 && end - pos >= rows; i++) {
        const struct row_group *group = &table[(pos >> store->group_shift) & store->group_mask];

        if (group->number != pos >> store->group_shift || group->first > 0 || group->end != rows)
            break;
        *sum += group->length;
        pos += rows;
    }
    pthread_mutex_unlock(&store->lock);
    return pos;
}

/* ---- blocks ---- */

static int compare_blocks(const void *one, const void *other)
{
    const uint64_t first = ((const struct block *)one)->number;
    const uint64_t second = ((const struct block *)other)->number;

    return (first > second) - (first < second);
}

/* The lock is held. */
static struct block *find_block(struct history_store *store, uint64_t number)
{
    const struct block key = {.number = number};
    void *node = tfind(&key, &store->blocks, compare_blocks);

    return node ? *(struct block **)node : NULL;
}

struct row_cursor block_seek(const struct history_store *store, const struct block *block,
                             uint64_t pos)
{
    const uint64_t groups = (UINT64_C(1) << (store->block_shift - store->group_shift)) - 1;
    const uint64_t group = pos >> store->group_shift;
    const uint64_t begin = group << store->group_shift;
    struct row_cursor cursor = {block->data + block->starts[group & groups],
                                begin > block->first ? begin : block->first};

    rows_skip(&store->layout, &cursor, pos);
    return cursor;
}

static void block_find_starts(const struct history_store *store, struct block *block)
{
    const uint64_t group_rows = UINT64_C(1) << store->group_shift;
    const uint64_t base = block->number << store->block_shift;
    const uint64_t end = (block->number + 1) << store->block_shift;
    struct row_cursor cursor = {block->data, block->first};

    for (uint64_t pos = base; pos < end && pos < block->end; pos += group_rows) {
        rows_skip(&store->layout, &cursor, pos);
        block->starts[(pos - base) >> store->group_shift] = (uint32_t)(cursor.at - block->data);
    }
}

static void block_free(struct block *block)
{
    if (block->data)
        memory_free(block->data, block->size);
    charge_release(&block->owner);
    free(block);
}

/* Charges the user for the block. As charge_grow(), the first bytes of a history are not refused. */
static int block_charge(struct block *block, struct copying *copying, uint64_t bytes)
{
    struct shares *shares = copying->request->budget.charge.shares;
    const uint32_t uid = copying->request->budget.charge.uid;

    copying->charged += bytes;
    if (shares && copying->charged <= CHARGE_SMALL)
        shares_force(shares, uid, bytes);
    else if (shares && !shares_take(shares, uid, bytes))
        return -ENOMEM;
    block->owner = (struct charge){shares, uid, bytes};
    return 0;
}

/* A block with the buffer's records. */
static int block_create(struct copying *copying, uint64_t first, uint64_t end, struct block **out)
{
    const struct history_store *store = copying->store;
    const struct row_buffer *buffer = &copying->buffer;
    const size_t groups = (size_t)1 << (store->block_shift - store->group_shift);
    const size_t head = sizeof(struct block) + groups * sizeof(uint32_t);
    struct block *block = calloc(1, head);
    int error = block ? block_charge(block, copying, head + buffer->len) : -ENOMEM;

    if (error) {
        free(block);
        return error;
    }
    block->number = first >> store->block_shift;
    block->first = first;
    block->end = end;
    block->users = 1;
    block->size = buffer->len;
    block->data = memory_get(buffer->len);
    if (!block->data) {
        block_free(block);
        return -ENOMEM;
    }
    memcpy(block->data, buffer->data, buffer->len);
    block_find_starts(store, block);
    *out = block;
    return 0;
}

/* Mapped pages of the ring count as this daemon's memory. Once the copy has passed a part of the slots,
 * its pages are unmapped; another access maps them again. Only whole pages of slots: what is mapped
 * beside them may be private memory, which would be lost. */
static void unmap_passed(const struct kymo_ring *ring, uint64_t from, uint64_t to)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t slots = (uintptr_t)ring->slots;
    const uintptr_t begin = slots + (from & ring->mask) * ring->stride;
    const uintptr_t end = slots + (to & ring->mask) * ring->stride;
    uintptr_t low = begin / UNMAP_PART * UNMAP_PART;
    uintptr_t high = low + UNMAP_PART;
    const uintptr_t first = (slots + page - 1) / page * page;
    const uintptr_t last = (slots + (ring->mask + 1) * ring->stride) / page * page;

    low = low > first ? low : first;
    high = high < last ? high : last;
    if (begin / UNMAP_PART != end / UNMAP_PART && low < high)
        madvise((void *)low, high - low, MADV_DONTNEED);
}

int copy_records(struct copying *copying, uint64_t from, uint64_t to)
{
    int error = 0;

    copying->buffer.len = 0;
    for (uint64_t pos = from; pos < to && !error; pos++) {
        copying->lost = pos;
        error = rows_copy(&copying->store->layout, copying->request, pos, &copying->buffer);
    }
    unmap_passed(&copying->request->segment->reader->ring, from, to);
    return error;
}

/* The store's block that has those records, with one more user, or NULL. The lock is held. */
static struct block *use_block(struct history_store *store, uint64_t from, uint64_t to)
{
    struct block *block = find_block(store, from >> store->block_shift);

    if (!block || from < block->first || to > block->end)
        return NULL;
    block->users++;
    return block;
}

/* Offers the block to later histories, unless another thread was faster: then returns that one's. */
static struct block *publish_block(struct history_store *store, struct block *block)
{
    struct block *other;

    pthread_mutex_lock(&store->lock);
    other = use_block(store, block->first, block->end);
    if (!other) {
        struct block *old = find_block(store, block->number);

        if (old) {
            tdelete(old, &store->blocks, compare_blocks);
            old->is_current = false;
        }
        block->is_current = tsearch(block, &store->blocks, compare_blocks) != NULL;
    }
    pthread_mutex_unlock(&store->lock);
    if (other)
        block_free(block);
    return other ? other : block;
}

int block_get(struct copying *copying, uint64_t from, uint64_t to, struct block **block)
{
    struct history_store *store = copying->store;
    int error;

    pthread_mutex_lock(&store->lock);
    *block = use_block(store, from, to);
    pthread_mutex_unlock(&store->lock);
    if (*block)
        return 0;
    error = copy_records(copying, from, to);
    if (!error)
        error = block_create(copying, from, to, block);
    if (!error)
        *block = publish_block(store, *block);
    return error;
}

void block_put(struct history_store *store, struct block *block)
{
    bool is_unused;

    pthread_mutex_lock(&store->lock);
    is_unused = --block->users == 0;
    if (is_unused && block->is_current)
        tdelete(block, &store->blocks, compare_blocks);
    pthread_mutex_unlock(&store->lock);
    if (is_unused)
        block_free(block);
}
