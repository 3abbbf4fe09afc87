/*
 * kymo.c - entry point of the command line: finds the command and runs it.
 */
#include "command.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "suggest.h"

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
#define KYMO_COMMAND_ROW(name, summary) {#name, summary, command_##name},
    KYMO_COMMANDS(KYMO_COMMAND_ROW)
#undef KYMO_COMMAND_ROW
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "kymo %s (segment layout %d.%d)\n", kymo_version(), KYMO_LAYOUT_MAJOR,
            KYMO_LAYOUT_MINOR);
}

static void print_help(FILE *stream)
{
    fputs("kymo: shared memory with a history\n\nUsage: kymo COMMAND [ARGUMENT...]\n\n", stream);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-9s%s\n", commands[i].name, commands[i].summary);
    fputs("\n"
          "  kymo COMMAND --help   options of a command\n"
          "  kymo --version\n\n"
          "Segments are files in $KYMO_DIR (default /dev/shm).\n"
          "Exit status: 0; 1 on failure; 2 if the arguments are wrong.\n",
          stream);
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int report_unknown(const char *name)
{
    struct suggestion suggestion = {.word = name, .len = strlen(name)};

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        suggest_offer(&suggestion, commands[i].name);
    return report_usage(name, "unknown command: kymo --help lists the commands%s",
                        suggest_hint(&suggestion));
}

/* Keeps other files off closed standard descriptors; reads and writes of these still fail with
 * EBADF. */
static void reserve_descriptors(void)
{
    int fd;

    do
        fd = open("/", O_PATH | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Flushes stdio. A full disk is a failure, a closed pipe is not. */
static int print_end(int status)
{
    if (fflush(stdout) == 0 || status)
        return status;
    return print_status(-errno);
}

int main(int argc, char **argv)
{
    const struct command *command;
    char name[32];
    int error;

    reserve_descriptors();
    /* A killed writer would read DEAD: calls report EPIPE and EFBIG instead. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    argp_err_exit_status = STATUS_USAGE;
    argp_program_version_hook = print_version;
    if (argc < 2) {
        print_help(stderr);
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return print_end(0);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        print_version(stdout, NULL);
        return print_end(0);
    }
    command = command_find(argv[1]);
    if (!command)
        return report_unknown(argv[1]);
    error = kymo_guard_install();
    if (error)
        return report_errno("guard", error);
    snprintf(name, sizeof(name), "kymo %s", command->name);
    argv[1] = name;
    return print_end(command->run(argc - 1, argv + 1));
}
