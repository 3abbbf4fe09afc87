/*
 * unit.c - the helpers of unit tests; a failure ends the test.
 */
#include "unit.h"

struct unit_payload unit_payload(uint64_t pos)
{
    return (struct unit_payload){.pos = pos, .inverse = ~pos};
}

struct kymo_writer *unit_writer(const char *name, const struct kymo_options *options)
{
    struct kymo_writer *writer = NULL;
    int error = kymo_writer_open(&writer, name, options);

    cr_assert_eq(error, 0, "opening %s for writing: %s", name, kymo_error_text(error));
    return writer;
}

struct kymo_writer *unit_writer_of_depth(const char *name, uint64_t depth)
{
    const struct kymo_options options = {.clock = KYMO_USER,
                                         .depth = depth,
                                         .size = sizeof(struct unit_payload)};

    return unit_writer(name, &options);
}

struct kymo_reader *unit_reader(const char *name)
{
    struct kymo_reader *reader = NULL;
    int error = kymo_reader_open(&reader, name);

    cr_assert_eq(error, 0, "opening %s for reading: %s", name, kymo_error_text(error));
    return reader;
}

void unit_publish(struct kymo_writer *writer, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct unit_payload payload = unit_payload(writer->pos);
        int error =
            kymo_ring_publish(writer, &payload, sizeof(payload), 10 * payload.pos, payload.pos + 7);

        cr_assert_eq(error, 0, "publishing: %s", kymo_error_text(error));
    }
}

struct kymo_info unit_info(const struct kymo_segment *segment)
{
    struct kymo_info info;
    int error = kymo_segment_info(segment, &info);

    cr_assert_eq(error, 0, "info: %s", kymo_error_text(error));
    return info;
}

const char *unit_path(const char *name, char path[UNIT_PATH])
{
    snprintf(path, UNIT_PATH, "%s/%s", kymo_directory(), name);
    return path;
}

void unit_directory(const char *name)
{
    char path[UNIT_PATH];

    cr_assert_eq(mkdir(unit_path(name, path), 0755), 0, "mkdir %s: %s", path, strerror(errno));
    cr_assert_eq(setenv("KYMO_DIR", path, 1), 0);
}

unsigned char *unit_file(const char *name, size_t *size)
{
    char path[UNIT_PATH];
    FILE *file = fopen(unit_path(name, path), "rb");
    unsigned char *bytes;
    struct stat status;

    cr_assert_not_null(file, "%s: %s", path, strerror(errno));
    cr_assert_eq(fstat(fileno(file), &status), 0);
    *size = (size_t)status.st_size;
    bytes = malloc(*size + 1);
    cr_assert_not_null(bytes);
    cr_assert_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

int unit_child(int (*run)(void *context), void *context)
{
    int status = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0)
        _exit(run(context));
    cr_assert_gt(child, 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
