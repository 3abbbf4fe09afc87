/*
 * test_skip_log.c - messages about files that are not shown are limited, and their number is logged;
 * deferred work runs once for each request.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kymo/kymo.h>

#include "daemon/deferred.h"
#include "daemon/skip_log.h"

static int suppressed;

static void count_suppressed(void)
{
    suppressed++;
}

/* The text written to stderr since the last call. */
static const char *read_messages(void)
{
    static char text[65536];
    static long offset;
    FILE *file = fdopen(dup(STDERR_FILENO), "r");
    size_t len;

    cr_assert_not_null(file);
    fseek(file, offset, SEEK_SET);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    offset += (long)len;
    fseek(file, 0, SEEK_END);
    fclose(file);
    return text;
}

static int count_lines(const char *text)
{
    int lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void add(int count)
{
    char name[32];

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "file%d", i);
        skip_log_add(name, "not a segment");
    }
}

static void open_log(void)
{
    FILE *file = tmpfile();

    cr_assert_not_null(file);
    cr_assert_geq(dup2(fileno(file), STDERR_FILENO), 0);
    skip_log_open(count_suppressed);
}

Test(skip_log, counts_lines_beyond_ten_a_minute)
{
    open_log();
    add(3);
    cr_assert_str_eq(read_messages(), "kymofs: file0: skipped: not a segment\n"
                                      "kymofs: file1: skipped: not a segment\n"
                                      "kymofs: file2: skipped: not a segment\n");
    skip_log_report();
    cr_assert_str_eq(read_messages(), "", "nothing to report");
    cr_assert_eq(suppressed, 0);
    add(8191);
    cr_assert_eq(count_lines(read_messages()), SKIP_LOG_LINES);
    cr_assert_eq(suppressed, 8181);
    skip_log_report();
    cr_assert_str_eq(read_messages(), "kymofs: 8181 more files are not segments\n");
    skip_log_report();
    cr_assert_str_eq(read_messages(), "");
    add(1);
    cr_assert_eq(count_lines(read_messages()), 1);
}

/* A file name may contain any byte except a slash and zero. */
Test(skip_log, prints_no_control_characters)
{
    open_log();
    skip_log_add("a\nb\033[2J\377", "not a segment");
    cr_assert_str_eq(read_messages(), "kymofs: a?b?[2J?: skipped: not a segment\n");
}

static int runs;

static void count_run(void *unused)
{
    (void)unused;
    runs++;
}

/* Returns the signal that was received within the time. */
static int receive(siginfo_t *info, long ms)
{
    const struct timespec timeout = {ms / 1000, ms % 1000 * 1000000};
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, DEFERRED_SIGNAL);
    return sigtimedwait(&signals, info, &timeout);
}

static void block_signal(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, DEFERRED_SIGNAL);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

Test(deferred, runs_once_for_many_requests, .timeout = 60)
{
    struct deferred one = {.run = count_run, .delay = 1};
    struct deferred other = {.run = count_run, .delay = 1};
    siginfo_t info;

    block_signal();
    cr_assert(deferred_open(&one) == 0 && deferred_open(&other) == 0);
    cr_assert_eq(receive(&info, 1200), -1, "no timer without a request");
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < 1000; i++)
            deferred_request(&one);
        deferred_request(&other);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(receive(&info, 30000), DEFERRED_SIGNAL);
            deferred_run(&info);
        }
        cr_assert_eq(runs, 2 * round);
        cr_assert_eq(receive(&info, 1200), -1, "no periodic timer");
    }
}

Test(deferred, ignores_signals_of_other_processes, .timeout = 60)
{
    siginfo_t info;

    block_signal();
    kill(getpid(), DEFERRED_SIGNAL);
    cr_assert_eq(receive(&info, 1000), DEFERRED_SIGNAL);
    deferred_run(&info);
}
