/*
 * fuzz.c - input of a fuzz target, piece by piece; an assertion of test.h that does not hold is a finding.
 */
#include "fuzz.h"

#include <stdarg.h>

void plain_check(int holds, const char *file, int line, const char *expression, const char *format,
                 ...)
{
    va_list arguments;

    if (holds)
        return;
    fprintf(stderr, "%s:%d: %s ", file, line, expression);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    abort();
}

void fuzz_take(struct fuzz_input *input, void *bytes, size_t size)
{
    const size_t some = size < input->left ? size : input->left;

    memset(bytes, 0, size);
    if (some > 0)
        memcpy(bytes, input->at, some);
    input->at += some;
    input->left -= some;
}

uint8_t fuzz_u8(struct fuzz_input *input)
{
    uint8_t value;

    fuzz_take(input, &value, sizeof(value));
    return value;
}

uint16_t fuzz_u16(struct fuzz_input *input)
{
    uint16_t value;

    fuzz_take(input, &value, sizeof(value));
    return value;
}

uint64_t fuzz_u64(struct fuzz_input *input)
{
    uint64_t value;

    fuzz_take(input, &value, sizeof(value));
    return value;
}

char *fuzz_line(struct fuzz_input *input)
{
    size_t len = 0;
    char *line;

    while (len < input->left && input->at[len] != '\n' && input->at[len] != '\0')
        len++;
    line = malloc(len + 1);
    cr_assert_not_null(line);
    fuzz_take(input, line, len);
    line[len] = '\0';
    if (input->left > 0) {
        input->at++;
        input->left--;
    }
    return line;
}

const char *fuzz_name(void)
{
    static char name[32];

    snprintf(name, sizeof(name), "fuzz-%d", (int)getpid());
    return name;
}

void fuzz_unlink(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    unlink(path);
}
