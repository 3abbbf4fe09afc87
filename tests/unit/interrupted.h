/*
 * interrupted.h - a signal each millisecond, which interrupts system calls: a wait must still keep
 * its deadline (promise E: no endless wait).
 */
#ifndef KYMO_TEST_INTERRUPTED_H
#define KYMO_TEST_INTERRUPTED_H

#include <signal.h>

/* The number of signals. */
extern volatile sig_atomic_t interruptions;

void interrupt_every_ms(int on);

#endif
