/*
 * layout.h - every byte of a segment, layout version 2. LAYOUT.md has the same as tables.
 *
 *     #include <kymo/layout.h>
 *
 *     #include <string.h>
 *
 *     int is_segment(const struct kymo_header *header)
 *     {
 *         return memcmp(header->magic, KYMO_MAGIC, sizeof(header->magic)) == 0;
 *     }
 *
 * A segment is one file. Its pages are grouped by the process that may write them:
 *
 *     struct kymo_header     immutable   written once, before the name appears
 *     struct kymo_field[]    immutable   the schema, directly behind the header
 *     struct kymo_control    writer      head, state, heartbeat, counters, shared-writer lock
 *     struct kymo_bell       any waiter  futex word of blocked readers
 *     struct kymo_consumer   consumer    queues only; followed by a bell page of its own
 *     uint64_t times[depth]  writer      the time of each slot, dense, for searches
 *     struct kymo_slot[]     writer      depth slots, `stride` bytes apart
 *
 * Each group begins on a page. All numbers are in the byte order and word size of the machine that
 * made the segment; the header records both. Members named reserved are 0 and may get a meaning in
 * a later minor version; any other change needs a new major version.
 *
 * Promises (A to K): kymo(7).
 */
#ifndef KYMO_LAYOUT_H
#define KYMO_LAYOUT_H

#include <kymo/impl/compiler.h>

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define KYMO_LAYOUT_MAJOR 2
#define KYMO_LAYOUT_MINOR 0

#define KYMO_MAGIC      "kymoseg" /* 8 bytes with its terminating zero */
#define KYMO_BYTE_ORDER 0x01020304u

#define KYMO_CACHE_LINE     64u
#define KYMO_POSITION_LIMIT (UINT64_C(1) << 62) /* positions are below this */
#define KYMO_DEPTH_LIMIT    (UINT64_C(1) << 40)
#define KYMO_SIZE_LIMIT     (UINT32_C(1) << 30) /* largest payload of a slot, bytes */
#define KYMO_FIELD_LIMIT    1024u
#define KYMO_DIMENSIONS     4u

/* What a segment is used as; the slots are the same in all three. */
enum kymo_kind { KYMO_RING = 0, KYMO_VALUE = 1, KYMO_QUEUE = 2 };

/* The clock of a segment's times. KYMO_USER: the writer's own count, without a current time. */
enum kymo_clock {
    KYMO_MONOTONIC = 0,
    KYMO_REALTIME = 1,
    KYMO_BOOTTIME = 2,
    KYMO_TAI = 3,
    KYMO_USER = 4
};

/* A record whose time is before that of the newest one: reject it, or raise its time to that. */
enum kymo_time_policy { KYMO_REJECT = 0, KYMO_CLAMP = 1 };

/* Whether the writer enters the kernel to wake readers: when one waits, or at each publish. */
enum kymo_wake_policy { KYMO_WAKE_WAITERS = 0, KYMO_WAKE_ALWAYS = 1 };

/* Bits of kymo_header.flags. */
enum kymo_segment_flags { KYMO_SHARED_WRITER = 1, KYMO_SHARED_CONSUMER = 2 };

/* kymo_control.state */
enum kymo_state {
    KYMO_OPEN = 0,   /* has a writer, or its writer died without closing */
    KYMO_CLOSED = 1, /* its writer ended cleanly */
    KYMO_RETIRED = 2 /* replaced or removed: no record will be published here any more */
};

enum kymo_type {
    KYMO_U8 = 1,
    KYMO_U16 = 2,
    KYMO_U32 = 3,
    KYMO_U64 = 4,
    KYMO_I8 = 5,
    KYMO_I16 = 6,
    KYMO_I32 = 7,
    KYMO_I64 = 8,
    KYMO_F32 = 9,
    KYMO_F64 = 10,
    KYMO_CHAR = 11,
    KYMO_BOOL = 12
};

enum kymo_metric { KYMO_GAUGE = 0, KYMO_COUNTER = 1 };

/* The value of a field between two records. Text and bools are never interpolated. */
enum kymo_interp {
    KYMO_INTERP_LINEAR = 0,   /* on the straight line between both */
    KYMO_INTERP_PREVIOUS = 1, /* that of the earlier record */
    KYMO_INTERP_ANGLE = 2,    /* on the shorter arc; a turn is 360 for the unit deg, else 2 pi */
    KYMO_INTERP_NONE = 3      /* none: null */
};

/* One named member of the payload. Texts are UTF-8 and end with a zero byte. */
struct kymo_field {
    char name[64]; /* [A-Za-z_][A-Za-z0-9_]* */
    char unit[32]; /* "m/s^2"; empty if there is none */
    char help[112];
    uint32_t type;   /* enum kymo_type */
    uint32_t metric; /* enum kymo_metric */
    uint32_t offset; /* bytes from the payload's first */
    uint32_t count;  /* elements: the product of shape, 1 for a scalar */
    uint32_t dimensions;
    uint32_t shape[KYMO_DIMENSIONS]; /* outermost first; unused ones are 0 */
    uint32_t interp;                 /* enum kymo_interp */
    uint32_t reserved[2];
};

/* The frames of an image segment; all 0 in others. */
struct kymo_geometry {
    uint32_t width;         /* pixels */
    uint32_t height;        /* pixels */
    uint32_t stride;        /* bytes from one row to the next, of the first plane */
    uint32_t format;        /* enum kymo_pixel_format */
    uint32_t pixels_offset; /* bytes of a header of the user's own before the first pixel */
    uint32_t reserved[3];
};

/* The generation that a copy (replay, import from another machine) was made from; all 0 in a
 * segment that is no copy. */
struct kymo_origin {
    uint8_t uuid[16]; /* of the origin's generation */
    uint64_t first;   /* the origin's position of the record at the copy's first position */
    uint32_t clock;   /* enum kymo_clock: of the origin's times */
    uint32_t reserved;
    char host[64]; /* the origin's host name */
};

struct kymo_header {
    char magic[8];
    uint32_t byte_order;
    uint16_t layout_major;
    uint16_t layout_minor;
    uint32_t
        header_size;    /* bytes: this struct and the fields behind it; what the checksum covers */
    uint32_t page_size; /* bytes */
    uint32_t word_size; /* bytes of a pointer */
    uint32_t kind;
    uint32_t clock;
    uint32_t wake_policy;
    uint32_t flags;
    uint32_t alignment;   /* bytes: what every payload's address is a multiple of */
    uint64_t depth;       /* slots, a power of two, at least 2 */
    uint64_t stride;      /* bytes from one slot to the next */
    uint32_t size;        /* bytes: the largest payload */
    uint32_t schema_size; /* bytes of payload that the fields describe */
    uint64_t first;       /* the first record's position */
    uint64_t file_size;   /* bytes; the file has exactly this size */
    uint64_t control_offset;
    uint64_t bell_offset;
    uint64_t consumer_offset; /* 0 unless the segment is a queue */
    uint64_t consumer_bell_offset;
    uint64_t times_offset;
    uint64_t slots_offset;
    uint32_t fields_offset;
    uint32_t field_size;
    uint32_t field_count;
    uint32_t reserved0;
    uint64_t type_id; /* of a payload type without fields (kymo_type_id); 0: unknown */
    struct kymo_geometry geometry;
    uint64_t created_monotonic; /* ns */
    uint64_t created_realtime;  /* ns since 1970 */
    uint32_t creator_pid;
    uint32_t creator_uid;
    char creator[16]; /* the creating program's name, truncated to 15 bytes */
    uint8_t uuid[16]; /* of this generation */
    char boot_id[40]; /* of the running kernel, as in /proc/sys/kernel/random/boot_id */
    char host[64];
    struct kymo_origin origin;
    uint8_t reserved[568];
    uint64_t checksum; /* FNV-1a 64 over header_size bytes, this field taken as 0 */
};

/* The writer's page, by how often each cache line changes. */
struct kymo_control {
    /* With every record. */
    uint64_t head;  /* the next position; everything below it was published */
    uint32_t state; /* enum kymo_state: on the line of head, which every read loads anyway */
    uint32_t reserved0[13];

    /* With every open and heartbeat. */
    uint64_t heartbeat;   /* CLOCK_MONOTONIC ns of the newest heartbeat, 0 if there was none */
    uint64_t opened;      /* CLOCK_MONOTONIC ns when the present writer opened */
    uint32_t writer_pid;  /* for display; the lock decides whether the writer is alive */
    uint32_t writers;     /* how many writers have opened this generation so far */
    uint32_t time_policy; /* enum kymo_time_policy of the writer that opened last */
    uint32_t writer_pid_namespace; /* inode of /proc/self/ns/pid of that writer; 0: unknown */
    uint32_t reserved1[8];

    /* Rarely. */
    uint64_t rejected; /* records rejected because time went backwards */
    uint64_t clamped;  /* records whose time was raised to the newest one's */
    uint64_t aborted;  /* loans aborted */
    uint64_t wakes;    /* times the bell was rung while a thread waited */
    uint64_t adopted;  /* records a dead writer had completed but not counted */
    uint64_t reserved2[3];

    /* Shared-writer segments: under contention. */
    uint32_t lock; /* futex word: 0 free, else the owner's lock slot + 1; top bit: a thread waits */
    uint32_t reserved3;
    uint64_t takeovers; /* locks taken from a dead owner */
    uint64_t reserved4[6];

    /* Frozen copies: written once, by the process that makes the copy. */
    uint64_t frozen_realtime; /* ns since 1970 when the copy was made; 0: this is no frozen copy */
    uint64_t frozen_time;     /* ns at the same instant, on the segment's clock; 0 on KYMO_USER */
    uint64_t frozen_missing;  /* records overwritten while the copy was made */
    uint64_t reserved5[5];
};

/* Alone in its page, since blocked readers write it: a bug in one can't reach a record. */
struct kymo_bell {
    uint32_t word; /* futex word: bit 0 is set while a thread waits, the rest counts rings */
    uint32_t reserved[15];
};

#define KYMO_BELL_WAITING 1u
#define KYMO_BELL_STEP    2u

struct kymo_consumer_control {
    uint64_t tail;         /* the next position to be consumed; everything below it was */
    uint32_t state;        /* enum kymo_state: KYMO_OPEN or KYMO_CLOSED */
    uint32_t consumer_pid; /* for display */
    uint64_t opened;       /* CLOCK_MONOTONIC ns */
    uint32_t lock;         /* as kymo_control.lock, if several consumers share the queue */
    uint32_t reserved0;
    uint64_t takeovers;
    uint64_t reserved1[3];
};

/*
 * One slot of the ring. seq is 2*pos+1 while the record at pos is being written, 2*pos+2 when it
 * is complete, 0 before the first. Slot i is at slots_offset + i * stride, its payload 32 bytes
 * further; for alignments above 32, slots_offset is such that the payload is aligned.
 *
 * flags is 0, except in a copy (kymo_header.origin): there it is how far the origin's position is
 * ahead of pos, modulo 2^32. Each record that the copy lacks raises it by one.
 */
struct kymo_slot {
    uint64_t seq;
    uint64_t time; /* ns on the segment's clock */
    uint64_t tag;
    uint32_t len; /* bytes of payload in use */
    uint32_t flags;
};

#define KYMO_PAYLOAD_OFFSET 32u

/* Bytes of the file that OFD locks name. They need not exist, and hold no data. */
#define KYMO_LOCK_WRITER         UINT64_C(0) /* shared writers hold it shared */
#define KYMO_LOCK_CONSUMER       UINT64_C(1) /* shared consumers likewise */
#define KYMO_LOCK_SLOT_CLAIM     UINT64_C(2) /* while a lock slot or a dead owner's lock is taken */
#define KYMO_LOCK_WRITER_SLOTS   UINT64_C(4096)
#define KYMO_LOCK_CONSUMER_SLOTS UINT64_C(8192)
#define KYMO_LOCK_SLOTS          UINT64_C(1024)

/* kymo_control.lock */
#define KYMO_LOCK_WAITING UINT32_C(0x80000000)

#define KYMO_ASSERT_AT(type, member, bytes) \
    static_assert(offsetof(struct type, member) == (bytes), #type "." #member " moved")
#define KYMO_ASSERT_SIZE(type, bytes) \
    static_assert(sizeof(struct type) == (bytes), #type " changed its size")

KYMO_ASSERT_AT(kymo_field, name, 0);
KYMO_ASSERT_AT(kymo_field, unit, 64);
KYMO_ASSERT_AT(kymo_field, help, 96);
KYMO_ASSERT_AT(kymo_field, type, 208);
KYMO_ASSERT_AT(kymo_field, metric, 212);
KYMO_ASSERT_AT(kymo_field, offset, 216);
KYMO_ASSERT_AT(kymo_field, count, 220);
KYMO_ASSERT_AT(kymo_field, dimensions, 224);
KYMO_ASSERT_AT(kymo_field, shape, 228);
KYMO_ASSERT_AT(kymo_field, interp, 244);
KYMO_ASSERT_AT(kymo_field, reserved, 248);
KYMO_ASSERT_SIZE(kymo_field, 256);

KYMO_ASSERT_AT(kymo_geometry, width, 0);
KYMO_ASSERT_AT(kymo_geometry, height, 4);
KYMO_ASSERT_AT(kymo_geometry, stride, 8);
KYMO_ASSERT_AT(kymo_geometry, format, 12);
KYMO_ASSERT_AT(kymo_geometry, pixels_offset, 16);
KYMO_ASSERT_AT(kymo_geometry, reserved, 20);
KYMO_ASSERT_SIZE(kymo_geometry, 32);

KYMO_ASSERT_AT(kymo_origin, uuid, 0);
KYMO_ASSERT_AT(kymo_origin, first, 16);
KYMO_ASSERT_AT(kymo_origin, clock, 24);
KYMO_ASSERT_AT(kymo_origin, reserved, 28);
KYMO_ASSERT_AT(kymo_origin, host, 32);
KYMO_ASSERT_SIZE(kymo_origin, 96);

KYMO_ASSERT_AT(kymo_header, magic, 0);
KYMO_ASSERT_AT(kymo_header, byte_order, 8);
KYMO_ASSERT_AT(kymo_header, layout_major, 12);
KYMO_ASSERT_AT(kymo_header, layout_minor, 14);
KYMO_ASSERT_AT(kymo_header, header_size, 16);
KYMO_ASSERT_AT(kymo_header, page_size, 20);
KYMO_ASSERT_AT(kymo_header, word_size, 24);
KYMO_ASSERT_AT(kymo_header, kind, 28);
KYMO_ASSERT_AT(kymo_header, clock, 32);
KYMO_ASSERT_AT(kymo_header, wake_policy, 36);
KYMO_ASSERT_AT(kymo_header, flags, 40);
KYMO_ASSERT_AT(kymo_header, alignment, 44);
KYMO_ASSERT_AT(kymo_header, depth, 48);
KYMO_ASSERT_AT(kymo_header, stride, 56);
KYMO_ASSERT_AT(kymo_header, size, 64);
KYMO_ASSERT_AT(kymo_header, schema_size, 68);
KYMO_ASSERT_AT(kymo_header, first, 72);
KYMO_ASSERT_AT(kymo_header, file_size, 80);
KYMO_ASSERT_AT(kymo_header, control_offset, 88);
KYMO_ASSERT_AT(kymo_header, bell_offset, 96);
KYMO_ASSERT_AT(kymo_header, consumer_offset, 104);
KYMO_ASSERT_AT(kymo_header, consumer_bell_offset, 112);
KYMO_ASSERT_AT(kymo_header, times_offset, 120);
KYMO_ASSERT_AT(kymo_header, slots_offset, 128);
KYMO_ASSERT_AT(kymo_header, fields_offset, 136);
KYMO_ASSERT_AT(kymo_header, field_size, 140);
KYMO_ASSERT_AT(kymo_header, field_count, 144);
KYMO_ASSERT_AT(kymo_header, reserved0, 148);
KYMO_ASSERT_AT(kymo_header, type_id, 152);
KYMO_ASSERT_AT(kymo_header, geometry, 160);
KYMO_ASSERT_AT(kymo_header, created_monotonic, 192);
KYMO_ASSERT_AT(kymo_header, created_realtime, 200);
KYMO_ASSERT_AT(kymo_header, creator_pid, 208);
KYMO_ASSERT_AT(kymo_header, creator_uid, 212);
KYMO_ASSERT_AT(kymo_header, creator, 216);
KYMO_ASSERT_AT(kymo_header, uuid, 232);
KYMO_ASSERT_AT(kymo_header, boot_id, 248);
KYMO_ASSERT_AT(kymo_header, host, 288);
KYMO_ASSERT_AT(kymo_header, origin, 352);
KYMO_ASSERT_AT(kymo_header, reserved, 448);
KYMO_ASSERT_AT(kymo_header, checksum, 1016);
KYMO_ASSERT_SIZE(kymo_header, 1024);

KYMO_ASSERT_AT(kymo_control, head, 0);
KYMO_ASSERT_AT(kymo_control, state, 8);
KYMO_ASSERT_AT(kymo_control, heartbeat, 64);
KYMO_ASSERT_AT(kymo_control, opened, 72);
KYMO_ASSERT_AT(kymo_control, writer_pid, 80);
KYMO_ASSERT_AT(kymo_control, writers, 84);
KYMO_ASSERT_AT(kymo_control, time_policy, 88);
KYMO_ASSERT_AT(kymo_control, writer_pid_namespace, 92);
KYMO_ASSERT_AT(kymo_control, rejected, 128);
KYMO_ASSERT_AT(kymo_control, clamped, 136);
KYMO_ASSERT_AT(kymo_control, aborted, 144);
KYMO_ASSERT_AT(kymo_control, wakes, 152);
KYMO_ASSERT_AT(kymo_control, adopted, 160);
KYMO_ASSERT_AT(kymo_control, lock, 192);
KYMO_ASSERT_AT(kymo_control, takeovers, 200);
KYMO_ASSERT_AT(kymo_control, frozen_realtime, 256);
KYMO_ASSERT_AT(kymo_control, frozen_time, 264);
KYMO_ASSERT_AT(kymo_control, frozen_missing, 272);
KYMO_ASSERT_SIZE(kymo_control, 320);

KYMO_ASSERT_AT(kymo_bell, word, 0);
KYMO_ASSERT_SIZE(kymo_bell, 64);

KYMO_ASSERT_AT(kymo_consumer_control, tail, 0);
KYMO_ASSERT_AT(kymo_consumer_control, state, 8);
KYMO_ASSERT_AT(kymo_consumer_control, consumer_pid, 12);
KYMO_ASSERT_AT(kymo_consumer_control, opened, 16);
KYMO_ASSERT_AT(kymo_consumer_control, lock, 24);
KYMO_ASSERT_AT(kymo_consumer_control, takeovers, 32);
KYMO_ASSERT_SIZE(kymo_consumer_control, 64);

KYMO_ASSERT_AT(kymo_slot, seq, 0);
KYMO_ASSERT_AT(kymo_slot, time, 8);
KYMO_ASSERT_AT(kymo_slot, tag, 16);
KYMO_ASSERT_AT(kymo_slot, len, 24);
KYMO_ASSERT_AT(kymo_slot, flags, 28);
KYMO_ASSERT_SIZE(kymo_slot, KYMO_PAYLOAD_OFFSET);

#endif
