/*
 * main.c - kymofs: options, the mount, the threads that serve it, and the end.
 *
 * The main thread waits for signals: those that end the daemon, and those of deferred work. Workers
 * receive requests and process them; work that takes long has threads of its own (base/bulk.h).
 */
#include <errno.h>
#include <fuse_lowlevel.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "deferred.h"
#include "fuse/session.h"
#include "mount.h"
#include "registry/registry.h"
#include "skip_log.h"
#include "workers.h"

static const char help[] =
    "usage: kymofs [SOURCE] MOUNTPOINT [-f] [-o OPTION[,OPTION...]]\n"
    "\n"
    "Shows every kymo segment as a directory of files; MOUNTPOINT/README lists them.\n"
    "Returns when the mount serves requests.\n"
    "\n"
    "  SOURCE             with a slash: the directory of the segments; else a name\n"
    "  -f                 stay in the foreground, with messages on stderr instead of\n"
    "                     the system's log\n"
    "  -d                 the same, and print each request\n"
    "  -s                 one thread for requests\n"
    "  -o allow_other     admit other users; each sees what the segments' modes allow\n"
    "  -o poll=US         busy-poll for up to US microseconds (50) before sleeping\n"
    "  -o fsname=NAME     the source that mount(8) shows (default: SOURCE or kymofs)\n"
    "  -o OPTION          any other option of mount(8) or FUSE\n"
    "  -h, --help         print this help\n"
    "  -V, --version      print the version\n"
    "\n"
    "The segments are in SOURCE/, else in $KYMO_DIR, else in /dev/shm.\n"
    "Unmount with:      fusermount3 -u MOUNTPOINT\n"
    "In /etc/fstab:     kymofs /mnt/kymo fuse.kymofs allow_other 0 0\n";

/* ---- options ---- */

struct options {
    char *words[2]; /* [SOURCE] MOUNTPOINT */
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

/* Returns 1 for options of FUSE, which remain in args. */
static int take_option(void *data, const char *argument, int key, struct fuse_args *args)
{
    struct options *options = data;

    (void)args;
    if (key != FUSE_OPT_KEY_NONOPT)
        return 1;
    if (options->word_count == 2) {
        fprintf(stderr, "kymofs: %s: more than one mount point; see kymofs --help\n", argument);
        return -1;
    }
    options->words[options->word_count] = strdup(argument);
    return options->words[options->word_count++] ? 0 : -1;
}

static const char *mount_point_of(const struct options *options)
{
    return options->words[options->word_count - 1];
}

/* The user's options override the first, but not the last. Without default_permissions: the daemon
 * checks each caller itself (K: the current state, the same for all callers that may read it). */
static int add_mount_options(struct fuse_args *args, const struct options *options)
{
    char *name = NULL;
    int failed;

    if (asprintf(&name, "-ofsname=%s,subtype=kymofs",
                 options->word_count == 2 ? options->words[0] : "kymofs") < 0)
        return -ENOMEM;
    failed = fuse_opt_insert_arg(args, 1, name) != 0 ||
             fuse_opt_add_arg(args, "-oro,nodev,nosuid,noatime") != 0 ||
             (options->debug && fuse_opt_add_arg(args, "-odebug") != 0);
    free(name);
    return failed ? -ENOMEM : 0;
}

static int report(const char *about, const char *what)
{
    log_line(LOG_LINE_ERROR, about, "%s", what);
    return 1;
}

/* ---- deferred work ---- */

/* Memory is returned to the system some time after a large request: until then the next one may use
 * it. */
static void trim_memory(void *registry)
{
    registry_unmap_unused(registry);
    malloc_trim(0);
}

static void report_skipped(void *unused)
{
    (void)unused;
    skip_log_report();
}

static struct deferred trim = {.run = trim_memory, .delay = 5};
static struct deferred skip_report = {.run = report_skipped, .delay = SKIP_LOG_PERIOD};

static void request_trim(void *context)
{
    (void)context;
    deferred_request(&trim);
}

static void request_skip_report(void)
{
    deferred_request(&skip_report);
}

/* ---- signals ---- */

static sigset_t awaited_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, DEFERRED_SIGNAL);
    return signals;
}

static void interrupt(int number)
{
    (void)number;
}

/* SIGUSR1 only interrupts a worker's system call. */
static void set_signals(void)
{
    const struct sigaction end_call = {.sa_handler = interrupt};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    const sigset_t signals = awaited_signals();

    sigaction(SIGUSR1, &end_call, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static void wait_for_end(void)
{
    const sigset_t signals = awaited_signals();
    siginfo_t info;
    int number;

    while ((number = sigwaitinfo(&signals, &info)) == DEFERRED_SIGNAL || number < 0) {
        if (number > 0)
            deferred_run(&info);
    }
}

/* ---- workers ---- */

static enum receive_result receive(void *context, void *buffer)
{
    struct session *session = context;
    int error;

    if (session_exited(session))
        return RECEIVE_END;
    error = session_receive(session, buffer);
    if (!error)
        return RECEIVE_REQUEST;
    return error == -EINTR ? RECEIVE_NONE : RECEIVE_END;
}

static void process(void *context, void *buffer)
{
    session_process(context, buffer);
}

/* Unmounted, or a fatal error. */
static void end_worker(void *context, void *buffer)
{
    free(((struct fuse_buf *)buffer)->mem);
    session_exit(context);
    kill(getpid(), SIGTERM);
}

/* ---- the daemon ---- */

struct daemon {
    struct registry *registry;
    struct session *session;
    int ready; /* descriptor for mount_ready(), or -1 */
};

/* The process that started this one continues: a shell, or a service manager. */
static void announce_ready(void *context)
{
    struct daemon *daemon = context;

    if (daemon->ready >= 0) {
        log_to_system(LOG_LINE_ERROR);
        mount_ready(daemon->ready);
    }
    daemon->ready = -1;
    if (log_notify("READY=1") != 0)
        report("NOTIFY_SOCKET", "the service manager does not receive messages");
}

static void names_changed(void *context, const char *name)
{
    session_names_changed(((struct daemon *)context)->session, name);
}

static void file_skipped(void *context, const char *name, const char *reason)
{
    (void)context;
    skip_log_add(name, reason);
}

/* Serves until a signal or the unmount. */
static int serve(struct daemon *daemon, const struct options *options)
{
    const struct service service = {daemon->session,
                                    session_descriptor(daemon->session),
                                    sizeof(struct fuse_buf),
                                    receive,
                                    process,
                                    end_worker};
    struct workers *workers = NULL;
    int error = registry_start(daemon->registry);

    if (!error)
        error = workers_start(&workers, &service, options->single ? 1 : workers_default_count(),
                              options->poll);
    if (!error)
        wait_for_end();
    log_notify("STOPPING=1");
    registry_stop(daemon->registry);
    session_exit(daemon->session);
    workers_stop(workers);
    return error;
}

static int mount_and_serve(struct daemon *daemon, struct fuse_args *args, const char *point,
                           const struct options *options)
{
    const struct session_options session_options = {daemon->registry, announce_ready, daemon,
                                                    request_trim};
    int error = session_open(&daemon->session, args, &session_options);

    if (error == -EINVAL)
        return 2;
    if (error)
        return report(point, strerror(-error));
    if (session_mount(daemon->session, point) != 0)
        return 1;
    if (chdir("/") != 0)
        report("/", strerror(errno));
    error = serve(daemon, options);
    if (error)
        log_line(LOG_LINE_ERROR, point, "cannot start threads: %s", strerror(-error));
    return error ? 1 : 0;
}

/* A few descriptors for each segment in use. */
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
    struct daemon daemon = {.ready = foreground ? -1 : mount_background()};
    const struct registry_listener listener = {&daemon, names_changed, file_skipped};
    int status = 1;
    int error;

    if (!foreground && daemon.ready < 0)
        return report("fork", strerror(-daemon.ready));
    if (!foreground)
        log_to_system(LOG_LINE_INFO);
    set_signals();
    raise_limits();
    /* Each thread would have an arena of its own, from which no other could use freed memory. */
    mallopt(M_ARENA_MAX, 2);
    skip_log_open(request_skip_report);
    error = deferred_open(&trim);
    if (!error)
        error = deferred_open(&skip_report);
    if (!error)
        error = kymo_guard_install();
    if (!error)
        error = registry_open(&daemon.registry, &listener);
    trim.context = daemon.registry;
    if (error)
        report(kymo_directory(), kymo_error_text(error));
    else
        status = mount_and_serve(&daemon, args, point, options);
    session_close(daemon.session);
    registry_close(daemon.registry);
    return status;
}

/* An absolute path: the daemon leaves the working directory, and core reads KYMO_DIR repeatedly. */
static int set_directory(const struct options *options)
{
    const bool is_given = options->word_count == 2 && strchr(options->words[0], '/');
    const char *name = is_given ? options->words[0] : kymo_directory();
    char *directory = realpath(name, NULL);
    int failed = !directory || setenv("KYMO_DIR", directory, 1) != 0;

    free(directory);
    return failed ? report(name, strerror(errno)) : 0;
}

static int start(struct fuse_args *args, const struct options *options)
{
    char *point = mount_point_resolve(mount_point_of(options));
    int status = 1;
    int error;

    if (!point)
        return report(mount_point_of(options), strerror(errno));
    error = mount_point_clear(point);
    if (error)
        report(point, mount_error_text(error));
    else if (set_directory(options) == 0)
        status = run(args, point, options);
    free(point);
    return status;
}

static int run_command(struct fuse_args *args, const struct options *options)
{
    if (options->help)
        return fputs(help, stdout) < 0;
    if (options->version)
        return printf("kymofs %s (libfuse %s)\n", kymo_version(), fuse_pkgversion()) < 0;
    if (options->word_count == 0) {
        fprintf(stderr, "kymofs: missing mount point; see kymofs --help\n");
        return 2;
    }
    if (add_mount_options(args, options) != 0)
        return report(mount_point_of(options), strerror(ENOMEM));
    return start(args, options);
}

int main(int argc, char **argv)
{
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    struct options options = {.poll = workers_default_poll()};
    int status = 2;

    if (mount_open_standard_descriptors() != 0)
        return 1;
    if (fuse_opt_parse(&args, &options, option_table, take_option) == 0)
        status = run_command(&args, &options);
    for (int i = 0; i < options.word_count; i++)
        free(options.words[i]);
    fuse_opt_free_args(&args);
    return status;
}
