/*
 * seeds.c - writes the inputs that fuzzing starts from: valid segments, and texts with every
 * construct of the grammars.
 *
 *     fuzz_seeds TARGET DIRECTORY
 */
#include "compact.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char *directory;
static int count;

static void put(const void *bytes, size_t size)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/seed-%03d", directory, count++);
    file = fopen(path, "wb");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* ---- segments ---- */

static void put_segment(const char *name)
{
    unsigned char file[COMPACT_LIMIT];
    static const uint8_t repairs[] = {COMPACT_ALL, COMPACT_ALL & ~COMPACT_SEQUENCE,
                                      COMPACT_SIGN | COMPACT_VERSION, 0};
    char path[4096];
    unsigned char *bytes;
    size_t size;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && read(fd, file, sizeof(file)) > 0);
    close(fd);
    for (size_t i = 0; i < sizeof(repairs); i++) {
        bytes = compact_from_file(file, repairs[i], &size);
        put(bytes, size);
        free(bytes);
    }
}

static void put_segments(void)
{
    static const char *const fields[] = {"x:u64",
                                         "accel:f32[3],temp:f64:angle,on:bool,name:char[8]",
                                         "m:i16[2][3]:previous,count:u32:none"};
    static const struct kymo_geometry geometry = {
        .width = 2, .height = 2, .stride = 6, .format = KYMO_RGB8, .pixels_offset = 12};
    static const struct kymo_origin origin = {.uuid = {1},
                                              .first = 100,
                                              .clock = KYMO_REALTIME,
                                              .host = "far"};

    for (unsigned int i = 0; i < 12; i++) {
        struct kymo_options options = {.kind = i % 4 == 3 ? KYMO_QUEUE : KYMO_RING,
                                       .clock = (enum kymo_clock)(i % 5),
                                       .time_policy = i & 1 ? KYMO_CLAMP : KYMO_REJECT,
                                       .wake_policy = i & 2 ? KYMO_WAKE_ALWAYS : KYMO_WAKE_WAITERS,
                                       .existing = KYMO_CREATE_NEW,
                                       .depth = UINT64_C(2) << i % 3,
                                       .alignment = i % 5 == 1 ? 64 : 0};
        struct kymo_schema *schema = NULL;
        struct kymo_writer *writer;
        unsigned char payload[64] = {0};

        options.origin = i % 3 == 0 ? &origin : NULL;
        if (i == 8)
            options.geometry = &geometry;
        else if (i % 4 == 0)
            options.size = 24;
        else
            cr_assert_eq(kymo_schema_parse(&schema, fields[i % 3], NULL), 0);
        options.schema = schema;
        options.flags = i % 6 == 5 ? KYMO_SHARED_WRITER : 0;
        options.flags |= i == 7 ? KYMO_SHARED_CONSUMER : 0;
        cr_assert_eq(kymo_writer_open(&writer, fuzz_name(), &options), 0);
        for (uint64_t pos = 0; pos < i + 1; pos++) {
            memset(payload, (int)pos, sizeof(payload));
            kymo_ring_publish(writer, payload, writer->ring.size, 10 * pos + 5, pos);
        }
        kymo_writer_close(writer);
        put_segment(fuzz_name());
        /* A queue with records is not replaced. */
        cr_assert_eq(kymo_segment_remove(fuzz_name()), 0);
        kymo_schema_free(schema);
    }
}

/* Input of fuzz_mapped: the kind, then numbers of steps and changes in turn. */
static void put_steps(void)
{
    unsigned char bytes[256];

    for (unsigned int kind = 0; kind < 12; kind++) {
        for (unsigned int i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)(i % 13 == 0 ? 128 + (i + kind) : (i * 7 * (kind + 1)) % 128);
        bytes[0] = (unsigned char)(kind * 5);
        put(bytes, sizeof(bytes));
    }
}

/* ---- texts ---- */

static void put_texts(const char *const *texts, size_t prefix)
{
    for (; *texts; texts++) {
        char bytes[1024] = {0};

        memcpy(bytes + prefix, *texts, strlen(*texts));
        put(bytes, prefix + strlen(*texts));
    }
}

static const char *const schemas[] = {"x:f64",
                                      "a:u8,b:u16,c:u32,d:u64",
                                      "a:i8, b:i16 ,c:i32,d:i64",
                                      "accel:f32[3],temp:f64",
                                      "m:f32[2][3][4][5]",
                                      "name:char[16],on:bool,flags:bool[8]",
                                      "\t x : u8 [ 3 ] , y : char",
                                      "x:u8[1073741824]",
                                      "a:f64:angle,b:u8[2]:previous , c:f32 : none,d:i8:linear",
                                      "a:f64:",
                                      "a:f64:angle:none",
                                      "a_total:u64,a:u64,a_total_value:u64",
                                      "x:u9",
                                      "x:f64,x:f64",
                                      "",
                                      ",",
                                      "x",
                                      "x:f64[0]",
                                      "x:f64[",
                                      "x:f64[4294967297]",
                                      NULL};

static const char *const times[] = {"0",
                                    "1234567",
                                    "12.5s",
                                    "1500ms",
                                    "now",
                                    "-2s",
                                    "now-250ms",
                                    "now+1s",
                                    "1h",
                                    "3min",
                                    "2d",
                                    "2026-01-31T23:59:59.5Z",
                                    "2026-01-31 23:59:59+02:00",
                                    "1970-01-01T00:00:00Z",
                                    "-0.0000000001s",
                                    "18446744073709551615",
                                    "18446744073709551616",
                                    "0.5",
                                    "1e9",
                                    "t=now&max=10ms",
                                    "t=-2s",
                                    "max=1s&t=5",
                                    "t=&max=",
                                    "t=1&t=2",
                                    "t=now-1.5h&max=0",
                                    NULL};

/* Fields, a byte, and lines of JSON ("0") or a table ("1"). */
static const char *const inputs[] = {
    "x:f64\n0{\"x\":1.5}\n[2.5]\n3\nnull\n{\"x\":1e400}\n{\"y\":1}\n",
    "a:u64,b:i64\n0{\"a\":18446744073709551615,\"b\":-9223372036854775808}\n[1,2]\n"
    "{\"time\":5,\"tag\":7,\"data\":{\"a\":1,\"b\":2}}\n",
    "m:i16[2][3],s:char[4],on:bool\n0{\"m\":[[1,2,3],[4,5,6]],\"s\":\"\\u00e9x\",\"on\":true}\n"
    "[1,2,3,4,5,6,\"ab\",false]\n",
    "f:f32\n0{\"f\":0.1}\n{\"f\":1e39}\n{\"f\":-0.0}\n{\"f\":16777217}\n{\"f\":1e-46}\n",
    "x:f64,y:u8\n1x,y\n1.5,2\n,3\n\"4\",\"5\"\n",
    "a:f32[2],s:char[8]\n1pos,time,tag,a.0,a.1,s\n0,10,1,0.5,,\"a "
    "\"\"b\"\"\"\n1,20,2,1,2,\"x,y\"\n",
    "n:u64,on:bool\n1on,n\ntrue,18446744073709551615\n0,1\nfalse,-1\n",
    NULL};

/* Fields, units and helps, and payloads. */
static const char *const renders[] = {
    "x:f64\nm/s\nspeed\n\1\2\3\4abcdefghijklmnop",
    "a:u64,a_total:u64,a_total_value:u64\ns\nhelp \\ \" more\n\n\n\n\n\1\1\0",
    "up:u8\n\n\n\1\1\1",
    "total:u64\n\n\n\1\1\1",
    "seconds:f64\n\n\n\0\0\3",
    "s:char[16],on:bool,m:f32[2][2]\n\xff\xfe\nx\xc3\xa9\n\n\n\n\n12345678901234567890",
    NULL};

int main(int argc, char **argv)
{
    const char *target = argc == 3 ? argv[1] : "";

    directory = argv[argc - 1];
    if (strcmp(target, "segment") == 0)
        put_segments();
    else if (strcmp(target, "mapped") == 0)
        put_steps();
    else if (strcmp(target, "schema") == 0)
        put_texts(schemas, 0);
    else if (strcmp(target, "time") == 0)
        put_texts(times, 8);
    else if (strcmp(target, "pub") == 0)
        put_texts(inputs, 0);
    else if (strcmp(target, "render") == 0)
        put_texts(renders, 0);
    cr_assert_gt(count, 0, "there are no seeds for %s", target);
    return 0;
}
