/*
 * reader.c - read-only handles: open, close, check a name.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int make_reader(struct kymo_reader **out, const char *name, struct kymo_file *file)
{
    struct kymo_reader *reader = aligned_alloc(KYMO_CACHE_LINE, 2 * KYMO_CACHE_LINE);
    int error;

    static_assert(sizeof(*reader) <= 2 * KYMO_CACHE_LINE, "two lines hold a reader");
    if (!reader) {
        kymo_file_close(file);
        return -ENOMEM;
    }
    error = kymo_mapping_open(&reader->segment, name, file, KYMO_READING, &reader->ring);
    if (!error && kymo_ring_retired(&reader->ring)) {
        kymo_mapping_close(reader->segment);
        error = -EIDRM;
    }
    if (error)
        free(reader);
    else
        *out = reader;
    return error;
}

static int open_file(const char *name, struct kymo_file *file, struct kymo_diagnostic *diagnostic)
{
    const int directory = kymo_directory_open();
    int error;

    if (directory < 0)
        return kymo_report_directory(diagnostic, directory);
    error = kymo_file_open(directory, name, O_RDONLY, file, diagnostic);
    close(directory);
    return error;
}

int kymo_impl_reader_open(struct kymo_reader **out, const char *name, uint32_t major,
                          struct kymo_diagnostic *diagnostic)
{
    struct kymo_file file;
    int error;

    *out = NULL;
    kymo_report_begin(diagnostic);
    if (major != KYMO_LAYOUT_MAJOR)
        return kymo_report_major(diagnostic, major);
    error = open_file(name, &file, diagnostic);
    if (!error)
        error = make_reader(out, name, &file);
    return kymo_report_end(diagnostic, error);
}

void kymo_reader_close(struct kymo_reader *reader)
{
    if (!reader)
        return;
    kymo_mapping_close(reader->segment);
    free(reader);
}

int kymo_segment_check(const char *name, char *text, size_t size)
{
    struct kymo_diagnostic diagnostic = {""};
    struct kymo_file file;
    int error = open_file(name, &file, &diagnostic);

    if (!error)
        kymo_file_close(&file);
    kymo_report_end(&diagnostic, error);
    if (size > 0)
        snprintf(text, size, "%s", diagnostic.text);
    return error;
}

int kymo_segment_exists(const char *name)
{
    int error = kymo_segment_check(name, NULL, 0);

    if (error == -ENOENT)
        return 0;
    return error ? error : 1;
}

int kymo_segment_list(int (*visit)(void *context, const struct kymo_entry *entry), void *context)
{
    char reason[sizeof(struct kymo_diagnostic)];
    char **names;
    size_t count;
    int result = kymo_directory_names(&names, &count);

    for (size_t i = 0; i < count && result == 0; i++) {
        struct kymo_entry entry = {.name = names[i], .reason = reason};

        entry.error = kymo_segment_check(names[i], reason, sizeof(reason));
        /* Skip files that were removed after the directory was read. */
        if (entry.error != -ENOENT)
            result = visit(context, &entry);
    }
    free(names);
    return result;
}
