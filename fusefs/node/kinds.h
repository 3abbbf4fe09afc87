/*
 * kinds.h - the functions that rows of the table of kinds name. Only node/ includes it.
 */
#ifndef KYMOFS_KINDS_H
#define KYMOFS_KINDS_H

#include "node.h"

extern const struct node_kind *const node_segment;
extern const struct node_kind *const node_queries; /* closest/, interp/, fresh/, range/ */

/* ---- names.c ---- */

/* Copies the name without ".raw" if the kind has such files. Returns whether it was there. */
bool node_split_raw(const struct node_kind *kind, const char *name, char base[NODE_NAME_LIMIT + 1]);

/* ---- resolve.c ---- */

/* Checks that the caller may read the segment, then acquires it: before anything in it is looked at. */
int segment_enter(struct request *request);

/* ---- segments.c: above the segments ---- */

bool kind_is_any_name(const char *name);
bool kind_is_segment_name(const char *name);
int kind_resolve_instant(struct request *request, const struct node *node, const char *name);
int kind_resolve_segment(struct request *request, const struct node *node, const char *name);
int kind_list_segments(const struct request *request, const struct node_kind *kind,
                       struct listing *listing);

/* ---- records.c: history/ and field/ ---- */

bool kind_is_number(const char *name);
int kind_resolve_back(struct request *request, const struct node *node, const char *name);
int kind_list_history(const struct request *request, const struct node_kind *kind,
                      struct listing *listing);
int kind_find_latest(const struct request *request, uint64_t *pos);
int kind_find_back(const struct request *request, uint64_t *pos);
int kind_resolve_field(struct request *request, const struct node *node, const char *name);
int kind_list_fields(const struct request *request, const struct node_kind *kind,
                     struct listing *listing);

/* ---- queries.c ---- */

bool kind_is_query_directory(const char *name);
/* Whether the name in the directory is spelled as the query of that kind. */
bool kind_is_query_name(const struct node_kind *kind, const struct node *directory,
                        const char *name);
int kind_resolve_query(struct request *request, const struct node *node, const char *name);
int kind_find_closest(const struct request *request, uint64_t *pos);
int kind_find_tag(const struct request *request, uint64_t *pos);
int kind_find_fresh(const struct request *request, uint64_t *pos);

#endif
