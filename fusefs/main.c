/*
 * main.c - kymofs: options, the mount, the threads that serve it, and its end.
 *
 * The main thread waits for signals. Workers receive requests and answer them; no request waits for
 * anything but the processor, so that a few are enough.
 */
#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "counters.h"
#include "log.h"
#include "mount.h"
#include "ops.h"
#include "stream.h"
#include "workers.h"

static const char help[] =
    "usage: kymofs [SOURCE] MOUNTPOINT [-f] [-o OPTION[,OPTION...]]\n"
    "\n"
    "Shows every kymo segment as a directory of files; MOUNTPOINT/README tells which.\n"
    "Returns when the mount answers.\n"
    "\n"
    "  -f                 stay in the foreground; what is skipped is told on stderr\n"
    "                     instead of the system's log\n"
    "  -d                 likewise, and print every request\n"
    "  -s                 one thread\n"
    "  -o allow_other     let others in; each sees what the segments' modes allow\n"
    "  -o poll=US         wait awake for so many microseconds (50) before sleeping\n"
    "  -o fsname=NAME     what mount(8) shows as source (SOURCE, else kymofs)\n"
    "  -o OPTION          any other option of mount(8) or FUSE\n"
    "  -h, --help         this page\n"
    "  -V, --version      the version\n"
    "\n"
    "Segments lie in $KYMO_DIR, else in /dev/shm. Unmount: fusermount3 -u MOUNTPOINT\n"
    "In /etc/fstab:     kymofs /mnt/kymo fuse.kymofs allow_other 0 0\n";

struct options {
    char *words[2]; /* what is no option: SOURCE and MOUNTPOINT, or MOUNTPOINT */
    int word_count;
    int foreground;
    int debug;
    int single;
    unsigned int poll; /* us */
    int help;
    int version;
};

#define OPTION(template, member)                      \
    {                                                 \
        template, offsetof(struct options, member), 1 \
    }
static const struct fuse_opt option_table[] = {
    OPTION("-f", foreground),
    OPTION("-s", single),
    OPTION("-d", debug),
    OPTION("debug", debug),
    OPTION("-h", help),
    OPTION("--help", help),
    OPTION("-V", version),
    OPTION("--version", version),
    {"poll=%u", offsetof(struct options, poll), 0},
    FUSE_OPT_END,
};

/* Keeps what is FUSE's, and takes the rest. */
static int take_option(void *data, const char *argument, int key, struct fuse_args *args)
{
    struct options *options = data;

    (void)args;
    if (key != FUSE_OPT_KEY_NONOPT)
        return 1;
    if (options->word_count == 2) {
        fprintf(stderr, "kymofs: %s: one mount point is enough; see kymofs --help\n", argument);
        return -1;
    }
    options->words[options->word_count] = strdup(argument);
    return options->words[options->word_count++] ? 0 : -1;
}

static void free_options(struct options *options)
{
    for (int i = 0; i < options->word_count; i++)
        free(options->words[i]);
}

static const char *point_of(const struct options *options)
{
    return options->words[options->word_count - 1];
}

/* Ours come first, where the user's overrule them, and last, where they must not. */
static int add_mount_options(struct fuse_args *args, const struct options *options)
{
    char *name = NULL;
    int failed;

    if (asprintf(&name, "-ofsname=%s,subtype=kymofs",
                 options->word_count == 2 ? options->words[0] : "kymofs") < 0)
        return -ENOMEM;
    failed = fuse_opt_insert_arg(args, 1, name) != 0 ||
             fuse_opt_add_arg(args, "-odefault_permissions,ro,nodev,nosuid,noatime") != 0 ||
             (options->debug && fuse_opt_add_arg(args, "-odebug") != 0);
    free(name);
    return failed ? -ENOMEM : 0;
}

/* ---- what is told ---- */

static int complain(const char *about, const char *what)
{
    log_line(LOG_LINE_ERROR, about, "%s", what);
    return 1;
}

/* Files are called whatever their owners like; a line of the log is ours, and no terminal obeys it.
 */
static void tell_skipped(void *context, const char *name, const char *reason)
{
    char harmless[NODE_NAME_LIMIT + 1] = {0};

    (void)context;
    for (size_t i = 0; name[i] && i < NODE_NAME_LIMIT; i++)
        harmless[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    log_line(LOG_LINE_INFO, harmless, "skipped: %s", reason);
}

/* ---- workers ---- */

/* Those that nobody answers as well: what the kernel asks costs its time all the same. */
static void count_request(const struct fuse_buf *request)
{
    const struct fuse_in_header *header = request->mem;

    if (request->size >= sizeof(*header) && !(request->flags & FUSE_BUF_IS_FD))
        counter_add_request(header->opcode);
}

/* Each worker's own. */
static __thread struct fuse_buf request;

static enum service_outcome receive_request(void *context)
{
    struct view *view = context;
    int len;

    if (fuse_session_exited(view->session))
        return SERVICE_ENDED;
    len = fuse_session_receive_buf(view->session, &request);
    if (len > 0)
        return SERVICE_RECEIVED;
    return len == -EINTR ? SERVICE_IDLE : SERVICE_ENDED;
}

static void answer_request(void *context)
{
    count_request(&request);
    ops_answer(context, &request);
}

/* Unmounted, or out of order: either way this is the end. */
static void end_serving(void *context)
{
    struct fuse_session *session = ((struct view *)context)->session;

    free(request.mem);
    if (!fuse_session_exited(session))
        fuse_session_exit(session);
    kill(getpid(), SIGTERM);
}

/* ---- the daemon ---- */

static sigset_t ending_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    return signals;
}

static void interrupt(int number)
{
    (void)number;
}

/* Signals that end us wait for the main thread; SIGUSR1 only cuts a worker's read short. */
static void set_signals(void)
{
    const struct sigaction cut = {.sa_handler = interrupt};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    const sigset_t signals = ending_signals();

    sigaction(SIGUSR1, &cut, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* Serves until a signal or the unmount. */
static int serve(struct view *view, const struct options *options)
{
    const struct service service = {view, fuse_session_fd(view->session), receive_request,
                                    answer_request, end_serving};
    struct workers *workers = NULL;
    const sigset_t signals = ending_signals();
    int number;
    int error = registry_start(view->registry);

    if (!error)
        error = workers_start(&workers, &service, options->single ? 1 : workers_default(),
                              options->poll);
    if (!error)
        sigwait(&signals, &number);
    log_notify("STOPPING=1");
    registry_stop(view->registry);
    fuse_session_exit(view->session);
    workers_stop(workers);
    return error;
}

static int mount_and_serve(struct view *view, struct fuse_args *args, const char *point,
                           const struct options *options)
{
    int error;

    if (!ops_session_new(args, view))
        return 2;
    if (fuse_session_mount(view->session, point) != 0) {
        fuse_session_destroy(view->session);
        return 1;
    }
    if (chdir("/") != 0)
        complain("/", strerror(errno));
    error = serve(view, options);
    ops_end(view);
    fuse_session_unmount(view->session);
    fuse_session_destroy(view->session);
    return error ? complain(point, strerror(-error)) : 0;
}

/* Who started us goes on: a shell, or a service manager. */
static void tell_ready(void *context)
{
    int *descriptor = context;

    if (*descriptor >= 0) {
        log_to_system(LOG_LINE_ERROR);
        mount_ready(*descriptor);
    }
    *descriptor = -1;
    if (log_notify("READY=1") != 0)
        complain("NOTIFY_SOCKET", "the service manager does not listen");
}

/* One descriptor a segment, and one or two mappings. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run(struct fuse_args *args, const char *point, const struct options *options)
{
    const int foreground = options->foreground || options->debug;
    int descriptor = foreground ? -1 : mount_background();
    struct view view = {.ready = tell_ready,
                        .context = &descriptor,
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    const struct registry_listener listener = {&view, ops_name_changed, ops_tidy, tell_skipped};
    int error;
    int status = 1;

    if (!foreground && descriptor < 0)
        return complain("fork", strerror(-descriptor));
    if (!foreground)
        log_to_system(LOG_LINE_INFO);
    set_signals();
    raise_limits();
    error = kymo_guard_install();
    if (!error)
        error = registry_open(&view.registry, &listener);
    if (!error)
        error = tree_open(&view.tree, view.registry);
    if (!error)
        error = streams_open(&view.streams, view.registry);
    if (error)
        complain(kymo_directory(), kymo_error_text(error));
    else
        status = mount_and_serve(&view, args, point, options);
    streams_close(view.streams);
    tree_close(view.tree);
    registry_close(view.registry);
    return status;
}

/* We leave the working directory, and core asks for the segments' again and again. */
static int fix_directory(void)
{
    char *directory = realpath(kymo_directory(), NULL);
    int failed = !directory || setenv("KYMO_DIR", directory, 1) != 0;

    free(directory);
    return failed ? complain(kymo_directory(), strerror(errno)) : 0;
}

static int start(struct fuse_args *args, const struct options *options)
{
    char *point = mount_point_resolve(point_of(options));
    int status = 1;
    int error;

    if (!point)
        return complain(point_of(options), strerror(errno));
    error = mount_point_clear(point);
    if (error == -EBUSY)
        complain(point, "a kymofs is mounted there; fusermount3 -u it first");
    else if (error == -ETIMEDOUT)
        complain(point, "the file system there does not answer; fusermount3 -u -z it first");
    else if (error == -ENOTCONN)
        complain(point, "the file system there has died; fusermount3 -u it first");
    else if (error)
        complain(point, "what a dead kymofs left there can't be unmounted");
    else if (fix_directory() == 0)
        status = run(args, point, options);
    free(point);
    return status;
}

static int answer(struct fuse_args *args, const struct options *options)
{
    if (options->help)
        return fputs(help, stdout) < 0;
    if (options->version)
        return printf("kymofs %s (libfuse %s)\n", kymo_version(), fuse_pkgversion()) < 0;
    if (options->word_count == 0) {
        fprintf(stderr, "kymofs: where to? See kymofs --help\n");
        return 2;
    }
    if (add_mount_options(args, options) != 0)
        return complain(point_of(options), strerror(ENOMEM));
    return start(args, options);
}

int main(int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    struct options options = {.poll = workers_poll_default()};
    int status = 2;

    if (fuse_opt_parse(&args, &options, option_table, take_option) == 0)
        status = answer(&args, &options);
    free_options(&options);
    fuse_opt_free_args(&args);
    return status;
}
