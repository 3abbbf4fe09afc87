/*
 * tree.h - the nodes that somebody outside knows by number, and the contents that are open.
 *
 * A node is known from a tree_lookup or tree_take on: each counts once, tree_forget takes counts
 * back. Open files and directories, requests, and known children keep it as well. Of the others the
 * tree may forget some before it is told to (tree_tidy): their numbers lead nowhere from then on,
 * which is to be answered with -ESTALE. All functions may be called from any thread.
 *
 * A node whose segment has been replaced stands for the file of that name in the generation that
 * its name leads to now, provided that the same people may read both; else the answer is -ESTALE,
 * upon which the kernel walks the path again and asks about permissions anew. Other errors are
 * negative errnos as a user should see them: a segment that has gone, and a record that has been
 * overwritten, are -ENOENT.
 *
 * Whoever walks through the view, that is lists the root and goes on from there, is spared these:
 * to him, a segment that vanished meanwhile is still there, as far as he has come; its directories
 * are empty when he lists them, and its files hold what they held last. He walks as long as he asks
 * or opens something each second, nothing twice, and for a minute at most: who looks at the same
 * files again and again wants to know what has gone.
 *
 * `caller`: who asks; NULL: nobody in particular, who may read nothing that is personal.
 */
#ifndef KYMOFS_TREE_H
#define KYMOFS_TREE_H

#include "node.h"

struct tree;

/* What an open file reads from, whatever is published meanwhile (K). */
struct snapshot {
    struct kymo_text text;
    /* The tree's own: */
    struct caller caller;
    uint64_t modified; /* ns since 1970; 0: as its node */
    uint64_t version;
    uint32_t holders;
    bool exact; /* stat says its true size */
    struct snapshot *previous;
    struct snapshot *next;
    uint64_t charge;      /* bytes that count against the tree's memory */
    struct known *keeper; /* the node that keeps it for its next open, or NULL */
    struct snapshot *older;
    struct snapshot *newer;
};

/*
 * Content takes memory while it is made, open, or kept by a node that was looked up. All of it
 * together takes no more than this, bytes, unless told otherwise; an open beyond that is -ENOMEM.
 * It counts as it grows, for what it is and not for what it might become.
 * Content of up to TREE_SMALL bytes is always made.
 */
#define TREE_MEMORY (UINT64_C(1) << 30)
#define TREE_SMALL  (UINT64_C(64) << 10)

/* 0, or -ENOMEM. The registry outlives the tree. */
int tree_open(struct tree **tree, struct registry *registry);
void tree_limit_memory(struct tree *tree, uint64_t bytes); /* before anything is looked up */
void tree_close(struct tree *tree); /* what is still known or open ends with it; NULL is fine */

/* Known for ever. */
struct node *tree_root(struct tree *tree);

/* The root's number is 1; no other is ever given twice. */
#define TREE_ROOT_NUMBER 1
uint64_t tree_number(const struct node *node);

/* The node of that number, for as long as a request about it is being answered; NULL: it is not known
 * any more. */
struct node *tree_find(struct tree *tree, uint64_t number);
void tree_done(struct tree *tree, struct node *node);

/* The node of that name, which now is known once more; tree_done when the request is. -ENOENT,
 * -ESTALE, -EINVAL for a malformed query, for a segment also as registry_find. */
int tree_lookup(struct tree *tree, struct node *directory, const char *name,
                const struct caller *caller, struct node **node);

/* The same for an entry of the directory's listing. tree_done. 0, or -ENOMEM. */
int tree_take(struct tree *tree, struct node *directory, const struct listing_entry *entry,
              struct node **node);

/* A number that is not known any more is fine. */
void tree_forget(struct tree *tree, uint64_t number, uint64_t count);

/* The node is open once more, or once less: by a descriptor of a file or a directory. */
void tree_opened(struct tree *tree, struct node *node);
void tree_closed(struct tree *tree, struct node *node);

/*
 * The kernel keeps names until it lacks memory, and we would keep what they stand for. Asking it to
 * forget a name waits for whoever lists the directory, who waits for us; were we killed meanwhile, all
 * would wait for ever. So the tree looks after itself, and asks nobody. Nodes of segments that have
 * gone let go of the mapping. Nodes that nobody comes by twice, since their segments have gone or they
 * were found by asking alone, are forgotten where there are many: files that were not asked about for
 * seconds, directories for a minute, but none that is in use.
 * Returns whether something is left to be done later. Never called by two threads at a time.
 */
bool tree_tidy(struct tree *tree);

/* Whether it is time to do that before any segment goes. */
bool tree_is_untidy(const struct tree *tree);

/*
 * Whether the caller, who is about to open the node, came by a name that leads elsewhere by now: the
 * kernel has not been told yet, or only while he was on his way. The answer to him is -ESTALE, upon
 * which the kernel walks the path again, and asks for each name. Nobody is sent back twice in a row,
 * or he would be told ESTALE: where that walk ends at the same node, it is his working directory or
 * below, or was replaced once more, and he has what the name leads to now, under the old node.
 * Nor is who walks through the view, or who is unknown; but from a node that has been outgrown
 * (tree_make_exact) these are, too: his name leads to a better one.
 */
bool tree_sends_back(struct tree *tree, struct node *node, const struct caller *caller);

/*
 * Two kinds of files. Most are listed and small: they keep their node, and each open makes its own
 * content, which is not longer than the size they report. Nodes of the others are exact: their
 * content is made when they are looked up, never changes, and has the size that is reported. A
 * lookup returns the same exact node only as long as that content is still the newest. Personal
 * content is made when the node's attributes are asked for or it is opened, whichever comes first.
 */
bool tree_is_exact(const struct node *node);

/* Whether the node and the name belong together only for this once. */
bool tree_is_passing(const struct node *node);

/*
 * Somebody reads the node's content through the kernel's page cache (sendfile, splice, mmap), which
 * believes in one size for all opens of a node. From the next lookup on its file has nodes that are
 * exact, and whoever opens this one is sent back for one.
 */
void tree_make_exact(struct node *node);

/* Returns whether they hold until somebody writes to the segment, not only for this once. */
bool tree_attributes(struct tree *tree, struct node *node, const struct caller *caller,
                     struct stat *attributes);

/* Into an empty listing. -ESTALE, -ENOMEM. A directory whose segment has gone is empty: whoever
 * walks the tree meanwhile goes on. */
int tree_list(struct tree *tree, struct node *directory, const struct caller *caller,
              struct listing *listing);

/* The content: of an exact node as of its lookup, else as of now. As the row's render, but for the
 * errors above. */
int tree_open_file(struct tree *tree, struct node *node, const struct caller *caller,
                   struct snapshot **snapshot);

/* The generation that the name of the node's segment leads to now, to be dropped. Errors as above. */
int tree_hold_segment(struct tree *tree, const struct node *node, struct segment **segment);

/* One more to close it. */
void snapshot_hold(struct snapshot *snapshot);
void tree_close_file(struct tree *tree, struct snapshot *snapshot);

#endif
