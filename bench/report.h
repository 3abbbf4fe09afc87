/*
 * report.h - rows as people and programs want them: a table as it fills, JSON, CSV.
 */
#ifndef KYMO_BENCH_REPORT_H
#define KYMO_BENCH_REPORT_H

#include <stdio.h>

#include "harness.h"

enum bench_verdict { BENCH_NO_TARGET, BENCH_OK, BENCH_SHORT, BENCH_NO_FIGURE };

enum bench_verdict bench_judge(const struct bench_row *row, const struct bench_result *result);

/* "NAME/SIZE/DEPTH", what --list shows and --filter matches. Returns text. */
char *bench_row_text(const struct bench_row *row, char text[128]);

/* The line that says what is being measured; it is wiped by the next. Only on a terminal. */
void bench_progress(unsigned int number, unsigned int count, const struct bench_row *row);
void bench_progress_end(void);

void bench_table_begin(FILE *file);
/* The targets, and what became of them. */
void bench_table_end(void);
void bench_table_row(const struct bench_row *row, const struct bench_result *result);

void bench_json_begin(FILE *file);
void bench_json_row(FILE *file, const struct bench_row *row, const struct bench_result *result);
void bench_json_end(FILE *file);

void bench_csv_begin(FILE *file);
void bench_csv_row(FILE *file, const struct bench_row *row, const struct bench_result *result);

#endif
