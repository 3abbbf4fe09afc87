/*
 * explore_replay.c - depth-first search over all choices; schedules.
 */
#include "explore_internal.h"

struct explorer explorer;

_Noreturn void abort_explorer(const char *why)
{
    fprintf(stderr, "explore: %s: %s\n", explorer.scenario ? explorer.scenario->name : "", why);
    abort();
}

/* ---- choices ---- */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

int digit_of(char digit)
{
    const char *found = digit ? strchr(digits, digit) : NULL;

    if (!found)
        abort_explorer("invalid letter in the schedule");
    return (int)(found - digits);
}

int choose(int count)
{
    struct choice *choice = &explorer.choices[explorer.choice_next];

    if (count == 1)
        return 0;
    if (explorer.choice_next == explorer.choice_count) {
        if (++explorer.choice_count > CHOICES)
            abort_explorer("too many choices");
        *choice = (struct choice){0, (uint8_t)count};
    }
    explorer.choice_next++;
    /* A schedule does not contain the number of alternatives. */
    if (choice->count == 0)
        choice->count = (uint8_t)count;
    if (choice->count != count || choice->chosen >= count)
        abort_explorer("the execution is not repeatable");
    return choice->chosen;
}

/* Prepares the next execution, depth first. Returns 0 after the last. */
static int advance(void)
{
    while (explorer.choice_count > 0) {
        struct choice *last = &explorer.choices[explorer.choice_count - 1];

        if (++last->chosen < last->count)
            return 1;
        explorer.choice_count--;
    }
    return 0;
}

static void write_schedule(char *schedule, size_t size)
{
    size_t length = 0;

    for (int i = 0; i < explorer.touched_count && length + 3 < size; i++) {
        schedule[length++] = digits[explorer.touched[i]->storers_before];
        schedule[length++] = digits[explorer.touched[i]->orderers_before];
    }
    schedule[length++] = '.';
    for (int i = 0; i < explorer.choice_next && length + 1 < size; i++)
        schedule[length++] = digits[explorer.choices[i].chosen];
    schedule[length] = 0;
}

static void read_schedule(const char *schedule)
{
    const char *digit = strchr(schedule, '.');

    explorer.schedule_words = schedule;
    for (digit = digit ? digit + 1 : schedule; *digit; digit++) {
        if (explorer.choice_count == CHOICES)
            abort_explorer("the schedule is too long");
        explorer.choices[explorer.choice_count++] = (struct choice){(uint8_t)digit_of(*digit), 0};
    }
}

/* ---- all executions ---- */

static void begin(const struct explore_scenario *scenario)
{
    explorer.scenario = scenario;
    explorer.region_count = 0;
    explorer.lowest = explorer.size = 0;
    explorer.word_count = 0;
    explorer.thread_count = 0;
    explorer.choice_count = 0;
    explorer.schedule_words = NULL;
    explorer.all_steps = 0;
    while (explorer.thread_count < EXPLORE_THREADS && scenario->body[explorer.thread_count]) {
        struct thread *thread = &explorer.threads[explorer.thread_count];

        thread->number = explorer.thread_count++;
        if (!thread->stack) {
            thread->stack = malloc(STACK);
            getcontext(&thread->context);
        }
    }
    scenario->open(scenario);
}

static void end(struct explore_result *result)
{
    result->steps = explorer.all_steps;
    if (result->failed)
        memcpy(result->fault, explorer.fault, sizeof(result->fault));
    if (explorer.scenario->close)
        explorer.scenario->close(explorer.scenario);
}

void explore_run(const struct explore_scenario *scenario, uint64_t limit,
                 struct explore_result *result)
{
    memset(result, 0, sizeof(*result));
    begin(scenario);
    do {
        enum ending ending;

        explorer.learned = 0;
        ending = execute();
        result->executions += ending == COMPLETE;
        if (ending == FAILED) {
            result->failed = 1;
            write_schedule(result->schedule, sizeof(result->schedule));
            break;
        }
        if (explorer.learned) {
            /* The reduction relied on fewer accesses: start again. */
            explorer.choice_count = 0;
            result->executions = 0;
            continue;
        }
        if (!advance()) {
            result->complete = 1;
            break;
        }
    } while (result->executions < limit);
    end(result);
}

void explore_replay(const struct explore_scenario *scenario, const char *schedule, int trace,
                    struct explore_result *result)
{
    memset(result, 0, sizeof(*result));
    begin(scenario);
    read_schedule(schedule);
    explorer.trace = trace;
    result->failed = execute() == FAILED;
    explorer.trace = 0;
    end(result);
}
