/*
 * explore_scheduler.c - runs the threads of one execution by turns.
 */
#include "explore_internal.h"

#include <stdarg.h>

/* ---- threads ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(EXPLORE_SWAP)

/* Sanitizers support swapcontext(), not jumps between stacks. */
static void switch_to(struct thread *thread)
{
    explorer.current = thread;
    swapcontext(&explorer.scheduler_context, &thread->context);
    explorer.current = NULL;
}

void switch_to_scheduler(void)
{
    struct thread *thread = explorer.current;

    swapcontext(&thread->context, &explorer.scheduler_context);
}

#else

/* Jumps, since swapcontext() makes a system call. */
static void switch_to(struct thread *thread)
{
    explorer.current = thread;
    if (_setjmp(explorer.scheduler_jump) == 0) {
        if (thread->started)
            _longjmp(thread->jump, 1);
        thread->started = 1;
        setcontext(&thread->context);
    }
    explorer.current = NULL;
}

void switch_to_scheduler(void)
{
    if (_setjmp(explorer.current->jump) == 0)
        _longjmp(explorer.scheduler_jump, 1);
}

#endif

static void run_body(void)
{
    struct thread *thread = explorer.current;

    explorer.scenario->body[thread->number](explorer.scenario);
    thread->state = DONE;
    for (;;)
        switch_to_scheduler();
}

static void reset_thread(struct thread *thread)
{
    memset(&thread->current_view, 0, sizeof(thread->current_view));
    thread->current_view.at[CLOCK(thread->number)] = 1;
    thread->acquire_view = thread->released_view = thread->current_view;
    memset(&thread->released_view, 0, sizeof(thread->released_view));
    thread->fenced_view = thread->released_view;
    thread->unfenced = 0;
    thread->state = READY;
    thread->futex_wait_count = thread->woken = 0;
    thread->may_crash = explorer.scenario->may_crash == thread->number + 1;
    thread->spurious_wakeups = explorer.scenario->spurious_wakeups;
    thread->started = 0;
    thread->context.uc_stack.ss_sp = thread->stack;
    thread->context.uc_stack.ss_size = STACK;
    thread->context.uc_link = NULL;
    makecontext(&thread->context, run_body, 0);
}

int explore_pick(int count)
{
    return choose(count);
}

int explore_is_running(void)
{
    return explorer.current != NULL;
}

static void record_fault(const char *format, va_list arguments)
{
    explorer.failed = 1;
    vsnprintf(explorer.fault, sizeof(explorer.fault), format, arguments);
}

void explore_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    record_fault(format, arguments);
    va_end(arguments);
    if (!explorer.current)
        abort_explorer(explorer.fault);
    for (;;)
        switch_to_scheduler();
}

static void fail_execution(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    record_fault(format, arguments);
    va_end(arguments);
}

void stop_at(enum thread_state state, struct word *word)
{
    explorer.current->state = state;
    explorer.current->at = word;
    switch_to_scheduler();
}

void count_step(void)
{
    if (++explorer.steps > STEPS)
        explore_fail("endless execution");
}

void trace_event(const char *what)
{
    if (explorer.trace)
        printf("%*s%d  %s\n", 4 * explorer.current->number, "", explorer.current->number, what);
}

void crash_point(void)
{
    struct thread *thread = explorer.current;

    if (!thread->may_crash || choose(2) == 0)
        return;
    trace_event("crashes");
    thread->may_crash = 0;
    explorer.crashed = 1;
    if (explorer.scenario->release_locks)
        explorer.scenario->release_locks(explorer.scenario);
    thread->state = DONE;
    for (;;)
        switch_to_scheduler();
}

void trace_step(const struct explore_site *site, uint64_t bits, const char *remark, int number)
{
    if (!explorer.trace)
        return;
    printf("%*s%d  %s:%d %s(%s)", 4 * explorer.current->number, "", explorer.current->number,
           site->function, site->line, site->operation, site->what);
    if (number >= 0)
        printf(" = %llu%s", (unsigned long long)bits, remark);
    if (number > 0)
        printf(", %d older than the newest", number);
    putchar('\n');
}

/* ---- scheduling ---- */

/* Runs each ready thread up to its next stop. */
static void run_ready_threads(void)
{
    for (int i = 0; i < explorer.thread_count && !explorer.failed; i++) {
        if (explorer.threads[i].state != READY)
            continue;
        switch_to(&explorer.threads[i]);
        i = -1;
    }
}

static int resume_reader(void)
{
    for (int i = 0; i < explorer.thread_count; i++)
        if (explorer.threads[i].state == AT_LOAD && choose_value(&explorer.threads[i]))
            return 1;
    return 0;
}

static int resume_awaiting(void)
{
    int ended = 0;

    for (int i = 0; i < explorer.thread_count; i++) {
        struct thread *thread = &explorer.threads[i];

        if (thread->state != AWAITING || *known(thread, thread->at) == thread->at->count - 1)
            continue;
        ++*known(thread, thread->at);
        thread->state = READY;
        ended = 1;
    }
    return ended;
}

/* After a crash, the wake may be missing: timeouts end all sleeps. */
static int time_out_waits(void)
{
    int woken = 0;

    for (int i = 0; explorer.crashed && i < explorer.thread_count; i++) {
        if (explorer.threads[i].state != SLEEPING)
            continue;
        wake_thread(&explorer.threads[i]);
        woken = 1;
    }
    return woken;
}

/* Chooses a thread at its turn. The alternatives before it enter the sleep set until an access to
 * their word. Returns 0 if there is none. */
static int take_turn(void)
{
    struct thread *runnable[EXPLORE_THREADS];
    int count = 0;
    int choice;

    for (int i = 0; i < explorer.thread_count; i++)
        if (explorer.threads[i].state == AT_TURN && !(explorer.sleep_set & (1U << i)))
            runnable[count++] = &explorer.threads[i];
    if (count == 0)
        return 0;
    choice = choose(count);
    for (int i = 0; i < choice; i++)
        explorer.sleep_set |= bit(runnable[i]);
    wake_sleep_set(runnable[choice]->at);
    runnable[choice]->state = READY;
    return 1;
}

static int count_in(enum thread_state state)
{
    int count = 0;

    for (int i = 0; i < explorer.thread_count; i++)
        count += explorer.threads[i].state == state;
    return count;
}

/* Called if no thread can continue. */
static enum ending classify_end(void)
{
    if (count_in(DONE) == explorer.thread_count)
        return COMPLETE;
    /* Equal to another execution, in which the load reads an older value, or the thread in the sleep
     * set goes first. */
    if (count_in(AT_LOAD) || count_in(AT_TURN))
        return REPEATED;
    fail_execution("%d of %d threads wait for ever", explorer.thread_count - count_in(DONE),
                   explorer.thread_count);
    return FAILED;
}

static void finish(const struct explore_scenario *scenario)
{
    const char *fault;

    explorer.over = 1;
    fault = scenario->finish(scenario);
    explorer.over = 0;
    if (fault)
        fail_execution("%s", fault);
}

/* Lets a thread continue, by a timeout if need be. A thread at a load may be delayed by that long,
 * but not endlessly. */
static int make_progress(void)
{
    if (resume_reader() || resume_awaiting() || take_turn())
        return 1;
    if (count_in(AT_TURN) || (count_in(AT_LOAD) && ++explorer.timeouts > 2))
        return 0;
    return time_out_waits();
}

enum ending execute(void)
{
    const struct explore_scenario *scenario = explorer.scenario;
    enum ending ending = COMPLETE;

    explorer.choice_next = 0;
    explorer.touched_count = 0;
    explorer.sleep_set = 0;
    explorer.steps = 0;
    explorer.failed = 0;
    explorer.crashed = scenario->crashed_before;
    explorer.timeouts = 0;
    if (scenario->reset)
        scenario->reset(scenario);
    for (int i = 0; i < explorer.word_count; i++)
        reset_word(&explorer.words[i]);
    for (int i = 0; i < explorer.thread_count; i++)
        reset_thread(&explorer.threads[i]);
    do
        run_ready_threads();
    while (!explorer.failed && make_progress());
    if (!explorer.failed)
        ending = classify_end();
    if (ending == COMPLETE && !explorer.failed && scenario->finish)
        finish(scenario);
    explorer.all_steps += explorer.steps;
    return explorer.failed ? FAILED : ending;
}
