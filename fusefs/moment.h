/*
 * moment.h - the tree as of one instant: what was there then, and nothing that came after.
 *
 * A moment is an instant on every clock, pinned when at/TIME is looked up: at/-2s means the same
 * two seconds ago for all segments and for as long as somebody is in there. Every node below it
 * carries it. What such a node shows is made by the same functions as always, from a reader that
 * ends where the moment does.
 */
#ifndef KYMOFS_MOMENT_H
#define KYMOFS_MOMENT_H

#include <stdbool.h>

#include <kymo/kymo.h>

struct node;

#define MOMENT_CLOCKS (KYMO_USER + 1)

struct moment {
    uint32_t holders;
    int error[MOMENT_CLOCKS];     /* 0, or why the instant means nothing on that clock */
    uint64_t time[MOMENT_CLOCKS]; /* ns on that clock */
};

/* Pins TIME as of now. -EINVAL: it is none; -ERANGE; -ENOMEM. One holder. */
int moment_pin(const char *text, struct moment **moment);
void moment_hold(struct moment *moment); /* NULL is fine, also below */
void moment_drop(struct moment *moment);
bool moment_same(const struct moment *one, const struct moment *other);

/*
 * The records that a node's segment had at its moment and still has, or without a moment those that
 * a query may use now: low up to, not including, high. Where nothing was there yet both are the
 * first position. -ESTALE: what was there has been overwritten; -EIDRM, -EBADMSG: as reads.
 */
int moment_window(const struct node *node, struct kymo_window *window);

/* As the row's render, as of the node's moment. */
int moment_render(const struct node *node, struct kymo_text *text);

#endif
