/*
 * reader.c - read-only handles: open, close, check a name.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int kymo_impl_reader_open(struct kymo_reader **out, const char *name, uint32_t major)
{
    struct kymo_reader *reader;
    struct kymo_file file;
    int directory;
    int error;

    *out = NULL;
    if (major != KYMO_LAYOUT_MAJOR)
        return -EPROTONOSUPPORT;
    directory = kymo_directory_open();
    if (directory < 0)
        return directory;
    error = kymo_file_open(directory, name, O_RDONLY, &file, NULL);
    close(directory);
    if (error)
        return error;
    reader = aligned_alloc(KYMO_CACHE_LINE, 2 * KYMO_CACHE_LINE);
    static_assert(sizeof(*reader) <= 2 * KYMO_CACHE_LINE, "two lines hold a reader");
    if (!reader) {
        kymo_file_close(&file);
        return -ENOMEM;
    }
    error = kymo_mapping_open(&reader->segment, name, &file, KYMO_READING, &reader->ring);
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
    int directory = kymo_directory_open();
    int error =
        directory < 0 ? directory : kymo_file_open(directory, name, O_RDONLY, &file, &diagnostic);

    if (!error)
        kymo_file_close(&file);
    if (directory >= 0)
        close(directory);
    if (error && !diagnostic.text[0])
        snprintf(diagnostic.text, sizeof(diagnostic.text), "%s", kymo_error_text(error));
    if (size > 0)
        snprintf(text, size, "%s", error ? diagnostic.text : "");
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
        /* It may have gone since the directory was read. */
        if (entry.error != -ENOENT)
            result = visit(context, &entry);
    }
    free(names);
    return result;
}
