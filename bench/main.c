/*
 * main.c - kymo-bench: selects rows, measures them in sequence, prints the results.
 */
#include <argp.h>
#include <errno.h>
#include <ftw.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "rows.h"

static const struct bench_row *const tables[] = {
    bench_memory_rows, bench_ring_rows, bench_series_rows, bench_queue_rows,
    bench_wake_rows,   bench_peer_rows, bench_fuse_rows,   bench_fuse_load_rows,
};

struct arguments {
    const char *json;
    const char *csv;
    regex_t filter;
    int filtered;
    int list;
    struct bench_settings settings;
};

static char directory[64];
static volatile sig_atomic_t stopped;

static const struct argp_option options[] = {
    {"json", 'j', "FILE", 0,
     "Write the rows as JSON; - is standard output; the table then goes to standard error", 0},
    {"csv", 'c', "FILE", 0, "Write the rows as CSV; - as above", 0},
    {"filter", 'f', "RE", 0, "Only rows NAME/SIZE/DEPTH that match the regular expression", 0},
    {"list", 'l', NULL, 0, "List the rows without measuring them", 0},
    {"quick", 'q', NULL, 0, "Few and short rounds: a smoke test, not a measurement", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    switch (key) {
    case 'j':
        arguments->json = argument;
        return 0;
    case 'c':
        arguments->csv = argument;
        return 0;
    case 'f':
        if (regcomp(&arguments->filter, argument, REG_EXTENDED | REG_NOSUB) != 0)
            argp_error(state, "%s: not a regular expression", argument);
        arguments->filtered = 1;
        return 0;
    case 'l':
        arguments->list = 1;
        return 0;
    case 'q':
        arguments->settings = (struct bench_settings){.rounds = 9, .slice = 100 * 1000};
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int is_selected(const struct arguments *arguments, const struct bench_row *row)
{
    char text[128];

    return !arguments->filtered ||
           regexec(&arguments->filter, bench_row_text(row, text), 0, NULL, 0) == 0;
}

/* Calls visit for each selected row. Returns their number. */
static unsigned int each_row(const struct arguments *arguments,
                             void (*visit)(const struct bench_row *row, unsigned int number,
                                           void *context),
                             void *context)
{
    unsigned int number = 0;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct bench_row *row = tables[i]; row->name && !stopped; row++)
            if (is_selected(arguments, row))
                visit(row, ++number, context);
    return number;
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status, (void)flag, (void)walk;
    return remove(path);
}

static void remove_directory(void)
{
    if (directory[0])
        nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A private segment directory: other segments are not touched. */
static void make_directory(void)
{
    strcpy(directory, "/dev/shm/kymo-bench-XXXXXX");
    bench_require(mkdtemp(directory) ? 0 : -errno, directory);
    atexit(remove_directory);
    setenv("KYMO_DIR", directory, 1);
}

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static void list_row(const struct bench_row *row, unsigned int number, void *context)
{
    char text[128];

    (void)number;
    (void)context;
    puts(bench_row_text(row, text));
}

struct run {
    const struct arguments *arguments;
    FILE *json;
    FILE *csv;
    FILE *table;
    unsigned int count;  /* selected rows */
    unsigned int missed; /* missed targets */
};

static void count_row(const struct bench_row *row, unsigned int number, void *context)
{
    (void)row;
    *(unsigned int *)context = number;
}

static void run_row(const struct bench_row *row, unsigned int number, void *context)
{
    struct run *run = context;
    struct bench_result result;

    bench_progress(number, run->count, row);
    bench_measure(row, &run->arguments->settings, &result);
    bench_progress_end();
    bench_table_row(row, &result);
    if (run->json)
        bench_json_row(run->json, row, &result);
    if (run->csv)
        bench_csv_row(run->csv, row, &result);
    run->missed += bench_judge(row, &result) == BENCH_MISSED;
}

/* NULL without a path. */
static FILE *open_output(const char *path)
{
    FILE *file;

    if (!path)
        return NULL;
    file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    bench_require(file ? 0 : -errno, path);
    return file;
}

static void close_output(FILE *file, const char *path)
{
    if (file)
        bench_require(fflush(file) == 0 && !ferror(file) ? 0 : -EIO, path);
}

static void run_all(struct run *run)
{
    run->json = open_output(run->arguments->json);
    run->csv = open_output(run->arguments->csv);
    run->table = run->json == stdout || run->csv == stdout ? stderr : stdout;
    if (run->json)
        bench_json_begin(run->json);
    if (run->csv)
        bench_csv_begin(run->csv);
    bench_table_begin(run->table);
    each_row(run->arguments, run_row, run);
    if (run->json)
        bench_json_end(run->json);
    close_output(run->json, run->arguments->json);
    close_output(run->csv, run->arguments->csv);
    bench_table_end();
    fprintf(run->table, "%u rows, %u missed targets; checksum of the data read: %016llx\n",
            run->count, run->missed, (unsigned long long)bench_checksum());
}

int main(int argc, char **argv)
{
    static const struct argp parser = {
        options, parse,
        NULL,    "Measures kymo against baselines of the machine: medians of alternating rounds.",
        NULL,    NULL,
        NULL};
    struct arguments arguments = {.settings = {.rounds = 201, .slice = 300 * 1000}};
    struct run run = {.arguments = &arguments};

    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    if (arguments.list) {
        each_row(&arguments, list_row, NULL);
        return 0;
    }
    each_row(&arguments, count_row, &run.count);
    if (run.count == 0) {
        fputs("kymo-bench: --filter: no row matches: --list prints all rows\n", stderr);
        return 2;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    signal(SIGPIPE, stop);
    make_directory();
    if (bench_pin(0) < 2)
        fputs("kymo-bench: only one CPU: both threads of a row share it\n", stderr);
    run_all(&run);
    return stopped ? 1 : 0;
}
