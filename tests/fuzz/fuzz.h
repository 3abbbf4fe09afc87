/*
 * fuzz.h - common functions of the fuzz targets: reads the input in pieces; a failed assertion ends
 * the process, so that libFuzzer keeps the input.
 *
 * A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput in it. Included once a program.
 */
#ifndef KYMO_FUZZ_H
#define KYMO_FUZZ_H

#include "test.h"

#include <kymo/kymo.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The assertions of test.h: a failure is a finding. */
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

/* The rest of an input; zeros follow its end. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline void fuzz_take(struct fuzz_input *input, void *bytes, size_t size)
{
    const size_t some = size < input->left ? size : input->left;

    memset(bytes, 0, size);
    if (some > 0)
        memcpy(bytes, input->at, some);
    input->at += some;
    input->left -= some;
}

static inline uint8_t fuzz_u8(struct fuzz_input *input)
{
    uint8_t value;

    fuzz_take(input, &value, sizeof(value));
    return value;
}

static inline uint16_t fuzz_u16(struct fuzz_input *input)
{
    uint16_t value;

    fuzz_take(input, &value, sizeof(value));
    return value;
}

static inline uint64_t fuzz_u64(struct fuzz_input *input)
{
    uint64_t value;

    fuzz_take(input, &value, sizeof(value));
    return value;
}

/* Everything up to the next newline or zero byte, or to the end, as a string to free(). */
static inline char *fuzz_line(struct fuzz_input *input)
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

/* A segment name of this process. */
static inline const char *fuzz_name(void)
{
    static char name[32];

    snprintf(name, sizeof(name), "fuzz-%d", (int)getpid());
    return name;
}

/* Unlinks the file of that name. */
static inline void fuzz_unlink(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", kymo_directory(), name);
    unlink(path);
}

#endif
