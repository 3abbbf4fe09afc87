/*
 * interrupted.c - the timer and its handler.
 */
#include "interrupted.h"

#include "test.h"

#include <sys/time.h>

volatile sig_atomic_t interruptions;

static void on_alarm(int number)
{
    (void)number;
    interruptions++;
}

void interrupt_every_ms(int on)
{
    const struct sigaction action = {.sa_handler = on_alarm}; /* not SA_RESTART */
    const struct itimerval every = {.it_interval.tv_usec = on ? 1000 : 0,
                                    .it_value.tv_usec = on ? 1000 : 0};

    cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
    cr_assert_eq(setitimer(ITIMER_REAL, &every, NULL), 0);
}
