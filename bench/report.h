/*
 * report.h - prints results as a table, JSON and CSV.
 */
#ifndef KYMO_BENCH_REPORT_H
#define KYMO_BENCH_REPORT_H

#include <stdio.h>

#include "harness.h"

enum bench_verdict { BENCH_NO_TARGET, BENCH_OK, BENCH_MISSED, BENCH_NO_FIGURE };

enum bench_verdict bench_judge(const struct bench_row *row, const struct bench_result *result);

/* "NAME/SIZE/DEPTH", for --list and --filter. Returns text. */
char *bench_row_text(const struct bench_row *row, char text[128]);

/* Progress line on a terminal. */
void bench_progress(unsigned int number, unsigned int count, const struct bench_row *row);
void bench_progress_end(void);

void bench_table_begin(FILE *file);
/* Prints the summary of targets. */
void bench_table_end(void);
void bench_table_row(const struct bench_row *row, const struct bench_result *result);

void bench_json_begin(FILE *file);
void bench_json_row(FILE *file, const struct bench_row *row, const struct bench_result *result);
void bench_json_end(FILE *file);

void bench_csv_begin(FILE *file);
void bench_csv_row(FILE *file, const struct bench_row *row, const struct bench_result *result);

#endif
