/*
 * private_directory.c - linked into every test program: runs it with KYMO_DIR in a directory of its
 * own, which it removes at the end.
 *
 * A program started by hand could otherwise modify the segments in /dev/shm or in the caller's
 * KYMO_DIR. Before main(), the process forks: the child runs the program, the parent waits for it,
 * removes what it created and ends with the same status, also after a crash of the child.
 * tests/run-in-private-directory does the same for a command and sets KYMO_PRIVATE_DIRECTORY; this
 * file then does nothing. Use it to run a test program under a debugger.
 */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "KYMO_PRIVATE_DIRECTORY"

static char directory[256];
static pid_t program;

static _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "private_directory: %s: %s\n", what, strerror(errno));
    _exit(2);
}

/* Whether KYMO_DIR is the marked directory, or below it. */
static int is_private(void)
{
    const char *mark = getenv(MARK), *segments = getenv("KYMO_DIR");
    const size_t len = mark ? strlen(mark) : 0;

    return len > 0 && segments && strncmp(segments, mark, len) == 0 &&
           (segments[len] == '/' || segments[len] == '\0');
}

static void make_in(const char *parent)
{
    char segments[sizeof(directory) + 16];

    snprintf(directory, sizeof(directory), "%.200s/kymo-test-XXXXXX", parent);
    if (!mkdtemp(directory))
        refuse(directory);
    snprintf(segments, sizeof(segments), "%s/segments", directory);
    /* Other users have access, as in /dev/shm. */
    if (mkdir(segments, 0700) != 0 || chmod(directory, 0755) != 0 || chmod(segments, 01777) != 0 ||
        setenv("KYMO_DIR", segments, 1) != 0 || setenv(MARK, directory, 1) != 0)
        refuse(segments);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)at;
    return type == FTW_DP || type == FTW_DNR ? rmdir(path) : unlink(path);
}

static void pass_on(int number)
{
    kill(program, number);
}

/* Ends with the status or signal of the program. */
static _Noreturn void supervise(void)
{
    static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    int status = 0;

    for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
        signal(passed_on[i], pass_on);
    while (waitpid(program, &status, 0) < 0 && errno == EINTR)
        ;
    if (nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
        fprintf(stderr, "private_directory: %s is not removed: %s\n", directory, strerror(errno));
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Earlier than the constructors without a priority, which register tests. */
__attribute__((constructor(1000))) static void enter(void)
{
    const char *temporary = getenv("TMPDIR");

    if (is_private())
        return;
    if (access("/dev/shm", W_OK | X_OK) == 0)
        make_in("/dev/shm");
    else
        make_in(temporary ? temporary : "/tmp");
    /* Tests of one program share the directory: one after another. */
    setenv("CRITERION_JOBS", "1", 1);
    fflush(NULL);
    program = fork();
    if (program < 0)
        refuse("fork");
    if (program > 0)
        supervise();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}
