/*
 * test_inode_table.c - which inodes exist, under which numbers, and for how long.
 */
#include "node/inode_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static struct inode_table *table;

static void open_table(void)
{
    cr_assert_eq(inode_table_open(&table), 0);
}

static void close_table(void)
{
    inode_table_close(table);
}

/* A lookup of the kernel, of which the reply has been sent. */
static struct inode *look_up(struct inode *parent, const char *name, bool versioned)
{
    struct node node;
    struct inode *inode;

    cr_assert_eq(node_init(&node, &parent->node, name), 0, "%s", name);
    inode = inode_look_up(table, parent, &node, versioned, NULL, NULL);
    cr_assert_not_null(inode);
    inode_release(table, inode);
    return inode;
}

static struct inode *root(void)
{
    struct inode *inode = inode_find(table, INODE_ROOT);

    inode_release(table, inode);
    return inode;
}

static bool exists(uint64_t number)
{
    struct inode *inode = inode_find(table, number);

    if (inode)
        inode_release(table, inode);
    return inode != NULL;
}

Test(inode_table, finds_a_name_under_the_same_number, .init = open_table, .fini = close_table)
{
    struct inode *segment = look_up(root(), "imu", false);
    const uint64_t latest = look_up(segment, "latest", false)->number;

    cr_expect_eq(look_up(root(), "imu", false), segment);
    cr_expect_eq(look_up(segment, "latest", false)->number, latest);
    cr_expect_neq(look_up(segment, "info", false)->number, latest);
    cr_expect_neq(look_up(look_up(root(), "gps", false), "latest", false)->number, latest);
}

Test(inode_table, keeps_an_inode_until_each_lookup_is_forgotten, .init = open_table,
     .fini = close_table)
{
    struct inode *segment = look_up(root(), "imu", false);
    const uint64_t number = look_up(segment, "latest", false)->number;

    look_up(segment, "latest", false);
    cr_expect_eq(inode_forget(table, number, 1), 0);
    cr_expect(exists(number));
    cr_expect_eq(inode_forget(table, number, 1), 1);
    cr_expect_not(exists(number));
}

Test(inode_table, never_reuses_a_number, .init = open_table, .fini = close_table)
{
    const uint64_t first = look_up(root(), "imu", false)->number;
    uint64_t second;

    inode_forget(table, first, 1);
    second = look_up(root(), "imu", false)->number;
    cr_expect_neq(second, first);
    cr_expect_eq(inode_forget(table, first, 1), 0, "a late forget");
    cr_expect(exists(second));
}

Test(inode_table, keeps_directories_of_known_files, .init = open_table, .fini = close_table)
{
    struct inode *segment = look_up(root(), "imu", false);
    const uint64_t number = segment->number;
    struct inode *file = look_up(segment, "latest", false);

    inode_forget(table, number, 1);
    cr_expect(exists(number));
    cr_expect_eq(inode_forget(table, file->number, 1), 2, "the file and its directory");
    cr_expect_not(exists(number));
}

Test(inode_table, derives_st_ino_from_the_path, .init = open_table, .fini = close_table)
{
    struct inode *segment = look_up(root(), "imu", false);
    const uint64_t ino = look_up(segment, "latest", false)->node.ino;

    cr_expect_eq(look_up(segment, "latest", true)->node.ino, ino);
    close_table();
    open_table();
    cr_expect_eq(look_up(look_up(root(), "imu", false), "latest", false)->node.ino, ino);
    cr_expect_neq(look_up(look_up(root(), "gps", false), "latest", false)->node.ino, ino);
}

static bool never(const struct inode *inode, const void *context)
{
    (void)inode;
    (void)context;
    return false;
}

Test(inode_table, replaces_a_version_that_may_not_be_kept, .init = open_table, .fini = close_table)
{
    struct inode *segment = look_up(root(), "imu", false);
    struct inode *old = look_up(segment, "history.csv", true);
    struct node node;
    struct inode *fresh;

    cr_assert_eq(node_init(&node, &segment->node, "history.csv"), 0);
    fresh = inode_look_up(table, segment, &node, true, never, NULL);
    inode_release(table, fresh);
    cr_expect_neq(fresh->number, old->number);
    cr_expect_eq(fresh->node.ino, old->node.ino);
    cr_expect(exists(old->number), "until the kernel forgets it");
    cr_expect_eq(look_up(segment, "history.csv", true), fresh);
}

static uint64_t look_up_query(struct inode *segment, unsigned int number)
{
    char name[64];

    snprintf(name, sizeof(name), "closest?t=%u", number);
    return look_up(segment, name, false)->number;
}

Test(inode_table, bounds_the_queries_and_keeps_the_newest, .init = open_table, .fini = close_table)
{
    struct inode *segment = look_up(root(), "imu", false);
    struct inode *listed = look_up(segment, "latest", false);
    const uint64_t first = look_up_query(segment, 0);
    uint64_t last = first;

    for (unsigned int i = 1; i <= INODE_QUERIES; i++)
        last = look_up_query(segment, i);
    cr_expect_not(exists(first));
    cr_expect(exists(last));
    cr_expect(exists(listed->number));
    cr_expect(exists(segment->number));
}

Test(inode_table, keeps_queries_that_are_in_use, .init = open_table, .fini = close_table)
{
    struct inode *segment = look_up(root(), "imu", false);
    const uint64_t first = look_up_query(segment, 0);
    struct inode *open = inode_find(table, first);

    for (unsigned int i = 1; i < 3 * INODE_QUERIES; i++)
        look_up_query(segment, i);
    cr_expect(exists(first));
    inode_release(table, open);
}

Test(inode_table, bounds_all_files_of_instants, .init = open_table, .fini = close_table)
{
    struct inode *at = look_up(root(), "at", false);
    uint64_t first = 0;
    char name[64];

    for (unsigned int i = 0; i <= INODE_QUERIES; i++) {
        struct inode *instant, *file;

        snprintf(name, sizeof(name), "%u", i);
        instant = look_up(at, name, false);
        file = look_up(look_up(instant, "imu", false), "latest", false);
        if (i == 0)
            first = file->number;
    }
    cr_expect_not(exists(first));
}
