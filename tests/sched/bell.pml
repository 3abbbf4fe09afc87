/*
 * bell.pml - the bell as a Promela model: waiters set their bit and sleep, a writer publishes and
 * wakes them, the kernel compares before a sleep (promise D).
 *
 * It models the ordered accesses of kymo_impl_ring_complete, kymo_bell_ring and
 * kymo_impl_ring_wait_slow in their total order (core/ORDERING.md, BELL-1). Every waiter must receive
 * every record: Spin reports an endless sleep as an invalid end state. Sleeps time out only after the
 * writer was killed.
 *
 *   -DKILL_WAITER   waiter 0 is killed before any of its steps: this costs one wake at most
 *   -DKILL_WRITER   the writer is killed before any of its steps: a sleep times out
 *   -DBREAK_x       one step is left out, and the model must fail
 */
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef WAITERS
#define WAITERS 2
#endif

#define WAITING 1
#define STEP    2

byte head;            /* records published */
byte word;            /* of the bell: bit 0 is the waiter bit, the rest counts rings */
bool asleep[WAITERS]; /* in the kernel */
bool kill_waiter, kill_writer;
bool waiter_killed, writer_killed;
byte rings_for_the_dead; /* begun after the only waiter was killed */

/* FUTEX_WAKE for all. */
inline wake()
{
    d_step {
        i = 0;
        do
        :: i < WAITERS -> asleep[i] = false; i++
        :: else -> break
        od;
        i = 0
    }
}

/* kymo_bell_ring: an exchange that is tried until it succeeds. */
inline ring()
{
    do
    :: seen_word = word;
        atomic {
            if
            :: word == seen_word ->
#if defined(BREAK_COUNT)
                word = word & ~WAITING;
#elif defined(BREAK_CLEAR)
                word = word + STEP;
#else
                word = (word + STEP) & ~WAITING;
#endif
                if
                :: WAITERS == 1 && waiter_killed -> rings_for_the_dead++
                :: else
                fi;
                break
            :: else
            fi
        }
    od;
    wake()
}

active proctype writer()
{
    byte published, seen_word, i;

    {
        do
        :: published < RECORDS ->
#ifdef BREAK_ORDER
            seen_word = word;
            head++;
#else
            head++;
            seen_word = word;
#endif
            published++;
            if
            :: seen_word & WAITING -> ring()
            :: else
            fi
        :: else -> break
        od
    } unless {
        kill_writer -> writer_killed = true
    }
    assert(rings_for_the_dead <= 1)
}

active [WAITERS] proctype waiter()
{
    byte id = _pid - 1;
    byte seen, my_word;

    {
        do
        :: head > seen -> seen = head
        :: head == seen && (seen == RECORDS || writer_killed) -> break
        :: head == seen && seen < RECORDS && !writer_killed ->
            atomic { word = word | WAITING; my_word = word }
#ifndef BREAK_LOOK
            if
            :: head > seen
            :: head == seen ->
#endif
                /* FUTEX_WAIT */
                atomic {
#ifndef BREAK_COMPARE
                    if
                    :: word == my_word -> asleep[id] = true
                    :: else
                    fi
#else
                    asleep[id] = true
#endif
                }
                if
                :: !asleep[id]
#ifndef BREAK_AGAIN
                :: writer_killed -> asleep[id] = false
#endif
                fi
#ifndef BREAK_LOOK
            fi
#endif
        od
    } unless {
        id == 0 && kill_waiter -> waiter_killed = true
    }
}

#if defined(KILL_WAITER) || defined(KILL_WRITER)
active proctype killer()
{
#ifdef KILL_WAITER
    kill_waiter = true;
#endif
#ifdef KILL_WRITER
    kill_writer = true
#endif
}
#endif
