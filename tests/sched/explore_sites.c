/*
 * explore_sites.c - the list of operations that were reached, and their weakening.
 */
#include "explore_internal.h"

/* ---- sites ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int explore_same_site(const struct explore_site *one, const struct explore_site *other)
{
    return one->line == other->line && strcmp(one->file, other->file) == 0 &&
           strcmp(one->operation, other->operation) == 0;
}

static int is_alike(const struct explore_site *one, const struct explore_site *other)
{
    return strcmp(one->file, other->file) == 0 && strcmp(one->function, other->function) == 0 &&
           strcmp(one->operation, other->operation) == 0;
}

/* Ordinals follow the lines, not the order in which sites were reached. */
static void count_ordinals(const struct explore_site *like)
{
    for (struct explore_site *site = explorer.sites; site; site = site->next) {
        int ordinal = 1;

        if (!is_alike(site, like))
            continue;
        for (struct explore_site *other = explorer.sites; other; other = other->next) {
            int twin = 0;

            if (!is_alike(other, like) || other->line >= site->line)
                continue;
            for (struct explore_site *before = explorer.sites; before != other;
                 before = before->next)
                twin |= explore_same_site(before, other);
            ordinal += !twin;
        }
        site->ordinal = ordinal;
    }
}

static void apply_weakening(struct explore_site *site)
{
    const struct explore_site *weakened = &explorer.weakened;

    site->now = site->order;
    if (weakened->function && explore_same_site(weakened, site))
        site->now = weakened->now;
}

static void learn_site(struct explore_site *site)
{
    site->known = 1;
    site->file = last_part(site->file);
    site->next = explorer.sites;
    explorer.sites = site;
    count_ordinals(site);
    apply_weakening(site);
}

void reach_site(struct explore_site *site)
{
    if (!site->known)
        learn_site(site);
    site->reached |= explorer.mark;
}

void explore_mark(uint64_t mark)
{
    explorer.mark = mark;
}

struct explore_site *explore_sites(void)
{
    return explorer.sites;
}

void explore_weaken(const struct explore_site *weakened, enum explore_order order)
{
    explorer.weakened = (struct explore_site){0};
    if (weakened) {
        explorer.weakened = *weakened;
        explorer.weakened.now = order;
    }
    for (struct explore_site *site = explorer.sites; site; site = site->next)
        apply_weakening(site);
}
