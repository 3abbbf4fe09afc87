/*
 * main.c - kymo-bench: picks rows, measures them one after another, reports.
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
    bench_wake_rows,   bench_peer_rows, bench_fuse_rows,
};

struct choice {
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
     "Write the rows as JSON; - is standard output, the table then goes to standard error", 0},
    {"csv", 'c', "FILE", 0, "Write the rows as CSV, likewise", 0},
    {"filter", 'f', "RE", 0, "Only rows NAME/SIZE/DEPTH that match the regular expression", 0},
    {"list", 'l', NULL, 0, "List the rows and measure nothing", 0},
    {"quick", 'q', NULL, 0, "Few and short rounds: to see that it runs, not to quote", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct choice *choice = state->input;

    switch (key) {
    case 'j':
        choice->json = argument;
        return 0;
    case 'c':
        choice->csv = argument;
        return 0;
    case 'f':
        if (regcomp(&choice->filter, argument, REG_EXTENDED | REG_NOSUB) != 0)
            argp_error(state, "%s: not a regular expression", argument);
        choice->filtered = 1;
        return 0;
    case 'l':
        choice->list = 1;
        return 0;
    case 'q':
        choice->settings = (struct bench_settings){.rounds = 9, .slice = 100 * 1000};
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int chosen(const struct choice *choice, const struct bench_row *row)
{
    char text[128];

    return !choice->filtered ||
           regexec(&choice->filter, bench_row_text(row, text), 0, NULL, 0) == 0;
}

/* Calls visit for each chosen row. Returns how many there were. */
static unsigned int each_row(const struct choice *choice,
                             void (*visit)(const struct bench_row *row, unsigned int number,
                                           void *context),
                             void *context)
{
    unsigned int number = 0;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct bench_row *row = tables[i]; row->name && !stopped; row++)
            if (chosen(choice, row))
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

/* Segments of this run only: nothing of the machine's is seen or touched. */
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
    const struct choice *choice;
    FILE *json;
    FILE *csv;
    FILE *table;
    unsigned int count;  /* rows chosen */
    unsigned int missed; /* targets */
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
    bench_measure(row, &run->choice->settings, &result);
    bench_progress_end();
    bench_table_row(row, &result);
    if (run->json)
        bench_json_row(run->json, row, &result);
    if (run->csv)
        bench_csv_row(run->csv, row, &result);
    run->missed += bench_judge(row, &result) == BENCH_SHORT;
}

/* NULL where no file was asked for. */
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
    run->json = open_output(run->choice->json);
    run->csv = open_output(run->choice->csv);
    run->table = run->json == stdout || run->csv == stdout ? stderr : stdout;
    if (run->json)
        bench_json_begin(run->json);
    if (run->csv)
        bench_csv_begin(run->csv);
    bench_table_begin(run->table);
    each_row(run->choice, run_row, run);
    if (run->json)
        bench_json_end(run->json);
    close_output(run->json, run->choice->json);
    close_output(run->csv, run->choice->csv);
    bench_table_end();
    fprintf(run->table, "%u rows, %u short of their target; checksum of what was read: %016llx\n",
            run->count, run->missed, (unsigned long long)bench_checksum());
}

int main(int argc, char **argv)
{
    static const struct argp parser = {
        options,
        parse,
        NULL,
        "Measures kymo against what the machine does without it: medians of alternating rounds.",
        NULL,
        NULL,
        NULL};
    struct choice choice = {.settings = {.rounds = 201, .slice = 300 * 1000}};
    struct run run = {.choice = &choice};

    argp_parse(&parser, argc, argv, 0, NULL, &choice);
    if (choice.list) {
        each_row(&choice, list_row, NULL);
        return 0;
    }
    each_row(&choice, count_row, &run.count);
    if (run.count == 0) {
        fputs("kymo-bench: no such row: --list shows all of them\n", stderr);
        return 2;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    signal(SIGPIPE, stop);
    make_directory();
    if (bench_pin(0) < 2)
        fputs("kymo-bench: one CPU: what needs two runs on it in turn\n", stderr);
    run_all(&run);
    return stopped ? 1 : 0;
}
