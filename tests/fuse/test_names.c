/*
 * test_names.c - the table of node kinds: which names exist, and in which directories.
 */
#include "node/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

#define DEPTH 8

/* The node kinds of a path from the root, one per part. */
struct path {
    struct node nodes[DEPTH];
    char names[DEPTH][NODE_NAME_LIMIT + 1];
    size_t count;
};

/* Returns 0 or the error of the part that is not a name in its directory. */
static int walk(struct path *path, const char *text)
{
    path->nodes[0] = (struct node){.kind = node_root, .name = "", .ino = 1};
    path->count = 1;
    while (*text) {
        const size_t len = strcspn(text, "/");
        char *name = path->names[path->count];
        int error;

        snprintf(name, sizeof(path->names[0]), "%.*s", (int)len, text);
        error = node_init(&path->nodes[path->count], &path->nodes[path->count - 1], name);
        if (error)
            return error;
        path->count++;
        text += len + (text[len] == '/');
    }
    return 0;
}

static const struct node_kind *kind_of(const char *text)
{
    struct path path;

    return walk(&path, text) == 0 ? path.nodes[path.count - 1].kind : NULL;
}

Test(names, both_forms_of_a_query_have_the_same_kind)
{
    const char *const spellings[][2] = {
        {"imu/closest?t=5&max=1s", "imu/closest/5"},  {"imu/interp?t=5", "imu/interp/5"},
        {"imu/fresh?max_age=1s", "imu/fresh/1s"},     {"imu/range?from=1&to=2", "imu/range/1..2"},
        {"imu/closest?t=5.raw", "imu/closest/5.raw"},
    };

    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        cr_expect_not_null(kind_of(spellings[i][0]), "%s", spellings[i][0]);
        cr_expect_eq(kind_of(spellings[i][0]), kind_of(spellings[i][1]), "%s", spellings[i][1]);
    }
}

Test(names, do_not_exist_outside_the_directory_of_their_kind)
{
    const char *const names[] = {"latest",          "imu/nope",      "imu/latest.txt",
                                 "imu/info.raw",    "imu/history/x", "imu/history/01",
                                 "imu/history/-1",  "imu/closest",   "closest/5",
                                 "imu/other/5",     "at/1/raw",      "at/1/README",
                                 "at/1/imu/stream", "at/1/imu/raw",  ".hidden",
                                 "with space"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct node_kind *kind = kind_of(names[i]);

        cr_expect(!kind || kind->type == NODE_DIRECTORY, "%s", names[i]);
    }
}

Test(names, below_at_equal_those_of_the_segment)
{
    const char *const names[] = {"latest", "history/3.raw", "history.csv",      "field/x",
                                 "info",   "closest/5",     "range?from=1&to=2"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char present[64], then[64];

        snprintf(present, sizeof(present), "imu/%s", names[i]);
        snprintf(then, sizeof(then), "at/-2s/imu/%s", names[i]);
        cr_expect_not_null(kind_of(present), "%s", present);
        cr_expect_eq(kind_of(present), kind_of(then), "%s", then);
    }
}

Test(names, that_are_too_long_are_refused)
{
    char name[NODE_NAME_LIMIT + 8];
    struct node node, root = {.kind = node_root, .name = "", .ino = 1};

    memset(name, 'a', sizeof(name));
    name[NODE_NAME_LIMIT + 1] = '\0';
    cr_expect_eq(node_init(&node, &root, name), -ENAMETOOLONG);
}

Test(names, have_different_inode_numbers)
{
    struct path one, other;

    cr_assert_eq(walk(&one, "imu/latest"), 0);
    cr_assert_eq(walk(&other, "imu/latest.raw"), 0);
    cr_expect_neq(one.nodes[2].ino, other.nodes[2].ino);
    cr_assert_eq(walk(&other, "at/now/imu/latest"), 0);
    cr_expect_neq(one.nodes[2].ino, other.nodes[4].ino);
}

Test(kinds, each_row_is_complete)
{
    for (size_t i = 0; i < node_kind_count; i++) {
        const struct node_kind *kind = &node_kinds[i];
        const bool has_content = kind->render || kind->flags & (NODE_PER_CALLER | NODE_STREAM) ||
                                 (kind->flags & NODE_LARGE);

        cr_expect_not_null(kind->name, "row %zu", i);
        cr_expect((kind == node_root) == !kind->parent, "%s", kind->name);
        cr_expect((kind->type != NODE_DIRECTORY) == has_content, "%s", kind->name);
        cr_expect(!kind->path_name || (kind->resolve && strchr(kind->name, '?')), "%s", kind->name);
        cr_expect(!kind->find || kind->render, "%s", kind->name);
    }
}
