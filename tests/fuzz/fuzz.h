/*
 * fuzz.h - common functions of the fuzz targets: reads the input in pieces; a failed assertion ends
 * the process, so that libFuzzer keeps the input.
 *
 * A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput in it.
 */
#ifndef KYMO_FUZZ_H
#define KYMO_FUZZ_H

#include "test.h"

#include <kymo/kymo.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The rest of an input; zeros follow its end. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

void fuzz_take(struct fuzz_input *input, void *bytes, size_t size);
uint8_t fuzz_u8(struct fuzz_input *input);
uint16_t fuzz_u16(struct fuzz_input *input);
uint64_t fuzz_u64(struct fuzz_input *input);

/* Everything up to the next newline or zero byte, or to the end, as a string to free(). */
char *fuzz_line(struct fuzz_input *input);

/* A segment name of this process. */
const char *fuzz_name(void);

/* Unlinks the file of that name. */
void fuzz_unlink(const char *name);

#endif
