/*
 * test_main.c - the small runner of test.h where Criterion cannot run: each test in a forked child, one after another, with its time limit; then a summary.
 */
#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit status of a skipped test, as of ctest's scripts. */
#define SKIPPED 77

static struct plain_test *first;
static struct plain_test **last = &first;

void plain_register(struct plain_test *test)
{
    *last = test;
    last = &test->next;
}

void plain_check(int holds, const char *file, int line, const char *expression, const char *format,
                 ...)
{
    va_list arguments;

    if (holds)
        return;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: %s: ", file, line, expression);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(NULL);
    _exit(1);
}

void plain_skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("skipped: ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    exit(SKIPPED);
}

/* exit(), not _exit(): sanitizers report at exit. */
static _Noreturn void run_in_child(const struct plain_test *test)
{
    const struct plain_options *options = &test->options;

    if (options->timeout > 0)
        alarm((unsigned int)options->timeout + 1);
    if (options->init)
        options->init();
    test->run();
    if (options->fini)
        options->fini();
    exit(0);
}

/* Returns whether the test ended as expected. */
static int run(const struct plain_test *test)
{
    const struct plain_options *options = &test->options;
    int status = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0)
        run_in_child(test);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 0;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == options->signal;
    if (WEXITSTATUS(status) == SKIPPED)
        return 1;
    return options->signal == 0 && WEXITSTATUS(status) == options->exit_code;
}

/* Arguments are suites to run; none: all. */
static int chosen(const struct plain_test *test, int count, char **suites)
{
    for (int i = 0; i < count; i++)
        if (strcmp(test->suite, suites[i]) == 0)
            return !test->options.disabled;
    return count == 0 && !test->options.disabled;
}

int main(int argc, char **argv)
{
    unsigned int passed = 0, failed = 0;

    for (const struct plain_test *test = first; test; test = test->next) {
        if (!chosen(test, argc - 1, argv + 1))
            continue;
        if (run(test)) {
            passed++;
        } else {
            failed++;
            printf("FAILED %s.%s\n", test->suite, test->name);
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
