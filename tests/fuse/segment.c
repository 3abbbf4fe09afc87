/*
 * segment.c - creates and writes segments for the scripts of this folder.
 *
 *     segment make NAME [OPTION=VALUE...]       publishes `count` records and ends cleanly
 *     segment run NAME [OPTION=VALUE...]        the same, then a record every `period` ns until killed
 *     segment churn PREFIX [OPTION=VALUE...]    creates, replaces and removes `many` segments in turn
 *     segment values NAME [OPTION=VALUE...]     publishes numbers from stdin, one line per record: the
 *                                               time, then all elements
 *     segment remove NAME
 *
 * Options: fields, size, depth, clock, mode (octal), count, first, period, time (of the first
 * record), step (from one time to the next), existing (continue, replace, create), many (make:
 * NAME0, NAME1, ...), help and unit (of each field), metric (of each: gauge, counter), image
 * (FORMAT:WIDTHxHEIGHT[+PADDING]; PADDING: bytes after the pixels of each row), short (bytes by which
 * each record is shorter than its slot).
 *
 * Every element of the record at position p is p modulo the range of its type; a text is one letter,
 * p modulo (size + 1) times; a byte of a record without fields is p modulo 256; for those of a frame see
 * fill_frame(). So a torn record is detected from its content.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kymo/kymo.h>

struct settings {
    struct kymo_options options;
    uint64_t count;
    uint64_t period;
    uint64_t time; /* of the first record; 0: now */
    uint64_t step; /* ns; 0: the current time of each record */
    uint64_t many;
    const char *help;
    const char *unit;
    struct kymo_geometry geometry;
    uint64_t lacking;
    enum kymo_metric metric;
};

static _Noreturn void fail(const char *what, int error)
{
    fprintf(stderr, "segment: %s: %s\n", what, kymo_error_text(error));
    exit(1);
}

static void set_existing(struct settings *settings, const char *value)
{
    if (strcmp(value, "replace") == 0)
        settings->options.existing = KYMO_REPLACE;
    else if (strcmp(value, "create") == 0)
        settings->options.existing = KYMO_CREATE_NEW;
}

/* Sets attributes that the text of a schema cannot express. */
static void describe(const struct settings *settings)
{
    const struct kymo_schema *schema = settings->options.schema;

    for (uint32_t i = 0; schema && i < schema->count; i++) {
        struct kymo_field *field = (struct kymo_field *)(uintptr_t)&schema->fields[i];

        if (settings->help)
            snprintf(field->help, sizeof(field->help), "%s", settings->help);
        if (settings->unit)
            snprintf(field->unit, sizeof(field->unit), "%s", settings->unit);
        if (settings->metric)
            field->metric = settings->metric;
    }
}

static int set_image(struct settings *settings, const char *value)
{
    char name[16] = "";
    unsigned int width = 0, height = 0, padding = 0;
    enum kymo_pixel_format format;
    int error = -EINVAL;

    if (sscanf(value, "%15[a-z0-9]:%ux%u+%u", name, &width, &height, &padding) >= 3)
        error = kymo_format_parse(name, &format);
    if (!error)
        error = kymo_image_geometry(format, width, height, 0, &settings->geometry);
    if (error)
        return error;
    settings->geometry.stride += padding;
    settings->options.geometry = &settings->geometry;
    settings->options.size = kymo_image_size(&settings->geometry);
    return 0;
}

static void set_text(struct settings *settings, const char *key, const char *value)
{
    struct kymo_schema *schema;
    int error = 0;

    if (strcmp(key, "help") == 0)
        settings->help = value;
    else if (strcmp(key, "unit") == 0)
        settings->unit = value;
    else if (strcmp(key, "image") == 0)
        error = set_image(settings, value);
    else if (strcmp(key, "metric") == 0)
        settings->metric = strcmp(value, "counter") == 0 ? KYMO_COUNTER : KYMO_GAUGE;
    else if (strcmp(key, "fields") == 0) {
        error = kymo_schema_parse(&schema, value, NULL);
        settings->options.schema = schema;
    } else if (strcmp(key, "clock") == 0) {
        error = kymo_clock_parse(value, &settings->options.clock);
    } else if (strcmp(key, "mode") == 0) {
        settings->options.mode = (uint32_t)strtoul(value, NULL, 8);
        error = 0;
    } else if (strcmp(key, "existing") == 0) {
        set_existing(settings, value);
        error = 0;
    } else {
        error = -EINVAL;
    }
    if (error)
        fail(key, error);
}

static void set(struct settings *settings, char *option)
{
    char *value = strchr(option, '=');
    const struct {
        const char *key;
        uint64_t *number;
    } numbers[] = {
        {"depth", &settings->options.depth}, {"first", &settings->options.first},
        {"count", &settings->count},         {"period", &settings->period},
        {"time", &settings->time},           {"step", &settings->step},
        {"many", &settings->many},           {"short", &settings->lacking},
    };

    if (!value)
        fail(option, -EINVAL);
    *value++ = '\0';
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(option, numbers[i].key) == 0) {
            *numbers[i].number = strtoull(value, NULL, 10);
            return;
        }
    }
    if (strcmp(option, "size") == 0)
        settings->options.size = (uint32_t)strtoul(value, NULL, 10);
    else
        set_text(settings, option, value);
}

static void fill_element(const struct kymo_field *field, uint32_t element, unsigned char *at,
                         uint64_t pos)
{
    const float single = (float)pos;
    const double real = (double)pos;

    if (field->type == KYMO_F32)
        memcpy(at, &single, sizeof(single));
    else if (field->type == KYMO_F64)
        memcpy(at, &real, sizeof(real));
    else if (field->type == KYMO_CHAR)
        *at = element < pos % (field->count + 1) ? (unsigned char)('a' + pos % 26) : 0;
    else if (field->type == KYMO_BOOL)
        *at = pos & 1;
    else
        memcpy(at, &pos, kymo_type_size(field->type)); /* little-endian machines only */
}

/* Bytes of a frame; all rows differ. */
static void fill_frame(unsigned char *payload, size_t size, uint64_t pos)
{
    for (size_t i = 0; i < size; i++)
        payload[i] = (unsigned char)(i * 7 + (i >> 6) * 31 + pos * 13);
}

static void fill(const struct kymo_schema *schema, unsigned char *payload, size_t size,
                 uint64_t pos)
{
    memset(payload, schema ? 0 : (int)(pos & 0xff), size);
    for (uint32_t i = 0; schema && i < schema->count; i++) {
        const struct kymo_field *field = &schema->fields[i];

        for (uint32_t element = 0; element < field->count; element++)
            fill_element(field, element,
                         payload + field->offset + (size_t)element * kymo_type_size(field->type),
                         pos);
    }
}

static uint64_t time_of(const struct settings *settings, uint64_t number)
{
    if (settings->step == 0)
        return settings->time ? settings->time : kymo_clock_now(settings->options.clock);
    return settings->time + number * settings->step;
}

static void publish(struct kymo_writer *writer, const struct settings *settings, uint64_t number)
{
    const uint32_t size = writer->ring.size;
    const uint64_t pos = kymo_ring_head(&writer->ring);
    void *payload;
    int error = kymo_ring_loan(writer, &payload);

    if (error)
        fail("loan", error);
    if (settings->options.geometry)
        fill_frame(payload, size, pos);
    else
        fill(settings->options.schema, payload, size, pos);
    error = kymo_ring_commit(writer, size - settings->lacking, time_of(settings, number), pos);
    if (error)
        fail("commit", error);
}

static struct kymo_writer *make(const char *name, const struct settings *settings)
{
    struct kymo_writer *writer;
    int error = kymo_writer_open(&writer, name, &settings->options);

    if (error)
        fail(name, error);
    for (uint64_t i = 0; i < settings->count; i++)
        publish(writer, settings, i);
    return writer;
}

static void make_many(const char *prefix, const struct settings *settings)
{
    char name[KYMO_NAME_LIMIT + 1];

    for (uint64_t i = 0; i < settings->many; i++) {
        snprintf(name, sizeof(name), "%s%llu", prefix, (unsigned long long)i);
        kymo_writer_close(make(name, settings));
    }
}

static _Noreturn void run(const char *name, const struct settings *settings)
{
    const struct timespec pause = {(time_t)(settings->period / 1000000000),
                                   (long)(settings->period % 1000000000)};
    struct kymo_writer *writer = make(name, settings);

    puts("running");
    fflush(stdout);
    for (uint64_t number = settings->count;; number++) {
        publish(writer, settings, number);
        if (settings->period)
            nanosleep(&pause, NULL);
    }
}

/* Creates, replaces and removes segments; one step every `period`. */
static _Noreturn void churn(const char *prefix, struct settings *settings)
{
    const struct timespec pause = {0, (long)settings->period};
    char name[KYMO_NAME_LIMIT + 1];

    puts("running");
    fflush(stdout);
    settings->options.existing = KYMO_REPLACE;
    for (uint64_t step = 0;; step++) {
        struct kymo_writer *writer;

        snprintf(name, sizeof(name), "%s%llu", prefix, (unsigned long long)(step % settings->many));
        writer = make(name, settings);
        if (step / settings->many % 2)
            kymo_writer_remove(writer);
        else
            kymo_writer_close(writer);
        nanosleep(&pause, NULL);
    }
}

static void put_number(const struct kymo_field *field, uint32_t element, unsigned char *payload,
                       double number)
{
    unsigned char *at = payload + field->offset + (size_t)element * kymo_type_size(field->type);

    if (field->type == KYMO_F64) {
        memcpy(at, &number, sizeof(number));
    } else if (field->type == KYMO_F32) {
        const float single = (float)number;

        memcpy(at, &single, sizeof(single));
    } else {
        const int64_t whole = (int64_t)number;

        memcpy(at, &whole, kymo_type_size(field->type));
    }
}

static void publish_line(struct kymo_writer *writer, const struct kymo_schema *schema, char *line)
{
    const uint64_t time = strtoull(line, &line, 10);
    void *payload;
    int error = kymo_ring_loan(writer, &payload);

    if (error)
        fail("loan", error);
    for (uint32_t i = 0; i < schema->count; i++) {
        for (uint32_t element = 0; element < schema->fields[i].count; element++)
            put_number(&schema->fields[i], element, payload, strtod(line, &line));
    }
    error = kymo_ring_commit(writer, schema->size, time, 0);
    if (error)
        fail("commit", error);
}

static void publish_values(const char *name, const struct settings *settings)
{
    struct kymo_writer *writer = make(name, settings);
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0)
        publish_line(writer, settings->options.schema, line);
    free(line);
    kymo_writer_close(writer);
}

int main(int argc, char **argv)
{
    struct settings settings = {.period = 1000000};

    if (argc < 3)
        fail("arguments", -EINVAL);
    for (int i = 3; i < argc; i++)
        set(&settings, argv[i]);
    describe(&settings);
    if (strcmp(argv[1], "remove") == 0)
        return kymo_segment_remove(argv[2]) != 0;
    if (!settings.options.schema && !settings.options.size)
        settings.options.size = 8;
    if (strcmp(argv[1], "run") == 0)
        run(argv[2], &settings);
    if (strcmp(argv[1], "churn") == 0)
        churn(argv[2], &settings);
    if (strcmp(argv[1], "values") == 0)
        publish_values(argv[2], &settings);
    else if (settings.many)
        make_many(argv[2], &settings);
    else
        kymo_writer_close(make(argv[2], &settings));
    kymo_schema_free((struct kymo_schema *)(uintptr_t)settings.options.schema);
    return 0;
}
