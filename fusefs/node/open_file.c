/*
 * open_file.c - snapshots: made, shared by opens, read. The table's lock covers references, and which
 * snapshot is whose content.
 */
#include "open_file.h"

#include <stdlib.h>

/* ---- snapshots ---- */

static void snapshot_free(struct snapshot *snapshot)
{
    kymo_text_free(&snapshot->text);
    history_close(snapshot->history);
    charge_release(&snapshot->charge);
    free(snapshot);
}

/* NULL stays NULL: the content is the snapshot's first member. */
static struct snapshot *snapshot_of(struct inode_content *content)
{
    return (struct snapshot *)content;
}

/* With the lock held. Returns the snapshot if it has to be freed, without the lock. */
static struct snapshot *unreference(struct inode_table *table, struct snapshot *snapshot)
{
    if (!snapshot || --snapshot->references > 0)
        return NULL;
    inode_content_remove(table, &snapshot->content);
    return snapshot;
}

void snapshot_release(struct inode_table *table, struct snapshot *snapshot)
{
    inode_lock(table);
    snapshot = unreference(table, snapshot);
    inode_unlock(table);
    if (snapshot)
        snapshot_free(snapshot);
}

static bool is_of_generation(const struct node_version *version, const struct request *request)
{
    return version->words[0] == request->segment->device &&
           version->words[1] == request->segment->inode;
}

/* The records that the lookup of this open has measured, so that the reported size is true; if it was
 * too long ago, those of now. */
static int find_span(struct inode_table *table, const struct inode *inode,
                     const struct request *request, struct snapshot *snapshot,
                     struct history_span *span)
{
    int error = node_find_span(request, span);
    bool is_recent;

    inode_lock(table);
    is_recent = inode->looked_up_at + PREPARED_LIFE > snapshot->made &&
                is_of_generation(&inode->looked_up, request);
    if (is_recent)
        snapshot->version = inode->looked_up;
    inode_unlock(table);
    if (is_recent && !error) {
        span->first = snapshot->version.words[2];
        span->end = snapshot->version.words[3];
    }
    return error;
}

static int make_history(struct inode_table *table, const struct inode *inode,
                        struct request *request, struct snapshot *snapshot)
{
    struct history_span span;
    int error = find_span(table, inode, request, snapshot, &span);

    if (!error)
        error = history_open(request, node_history_format(request), &span, &snapshot->history);
    if (!error)
        snapshot->size = history_size(snapshot->history);
    return error;
}

/* The text takes as much memory as it is long, and is charged for that. */
static int make_text(struct request *request, struct snapshot *snapshot)
{
    struct kymo_text *text = &snapshot->text;
    int error = node_render(request, text, &snapshot->modified);
    char *trimmed = error || !text->data ? NULL : realloc(text->data, text->len + 1);

    if (trimmed) {
        text->data = trimmed;
        text->capacity = text->len + 1;
    }
    snapshot->size = text->len;
    if (!error)
        error = budget_grow(&request->budget, text->capacity);
    return error;
}

/* Opens of a plain inode have snapshots of their own, which may be equal. Those of a versioned one
 * share theirs. */
static uint64_t identify(const struct snapshot *snapshot)
{
    static uint64_t count;
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    if (snapshot->history || snapshot->size > NODE_PAGE)
        return kymo_fetch_add_relaxed(&count, 1) * 2 + 2;
    for (size_t i = 0; i < snapshot->text.len; i++)
        hash = (hash ^ (unsigned char)snapshot->text.data[i]) * UINT64_C(0x100000001b3);
    return hash | 1;
}

static int snapshot_make(struct inode_table *table, const struct inode *inode,
                         struct request *request, struct snapshot **out)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    int error;

    if (!snapshot)
        return -ENOMEM;
    snapshot->references = 1;
    snapshot->made = kymo_clock_now(KYMO_MONOTONIC);
    snapshot->thread = request->credentials.thread;
    snapshot->uid = request->credentials.uid;
    snapshot->gid = request->credentials.gid;
    /* First: content newer than its version is made again too early, never too late. */
    error = node_version(request, &snapshot->version);
    if (!error)
        error = node_is_history(request) ? make_history(table, inode, request, snapshot)
                                         : make_text(request, snapshot);
    if (!error) {
        snapshot->charge = request->budget.charge;
        request->budget.charge.bytes = 0;
        charge_shrink(&snapshot->charge, snapshot->text.capacity);
        snapshot->identity = identify(snapshot);
        inode_lock(table);
        inode_content_add(table, &snapshot->content);
        inode_unlock(table);
        *out = snapshot;
    } else {
        snapshot_free(snapshot);
    }
    return error;
}

/* ---- whose content it is, with the lock held ---- */

static bool is_for(const struct snapshot *snapshot, const struct request *request)
{
    const struct credentials *caller = &request->credentials;

    return !(request->kind->flags & NODE_PER_CALLER) ||
           (snapshot->thread == caller->thread && snapshot->uid == caller->uid &&
            snapshot->gid == caller->gid);
}

static bool has_generation(const struct request *request)
{
    return request->segment && request->kind->render != render_info;
}

/* What the caller of an open, a lookup or getattr compares. */
struct wanted {
    const struct request *request;
    struct node_version version;
    bool has_version; /* false: the content cannot be made now */
    bool is_lookup;
    bool is_getattr;
    uint64_t now;
};

static struct wanted want(const struct request *request, bool is_lookup)
{
    struct wanted wanted = {.request = request,
                            .is_lookup = is_lookup,
                            .now = kymo_clock_now(KYMO_MONOTONIC)};

    wanted.has_version = node_version(request, &wanted.version) == 0;
    return wanted;
}

static bool is_version(const struct snapshot *content, const struct wanted *wanted)
{
    return wanted->has_version && node_version_equal(&content->version, &wanted->version);
}

/* Whether the kernel repeats the lookup for which the content was made. */
static bool is_repetition(const struct inode *inode, const struct snapshot *content,
                          const struct wanted *wanted)
{
    return wanted->is_lookup && wanted->now < inode->repeat_until &&
           content->thread == wanted->request->credentials.thread;
}

/* The inode's content if it serves this request; NULL: none does. */
static struct snapshot *find_content(const struct inode *inode, const struct wanted *wanted)
{
    struct snapshot *content = snapshot_of(inode->content);

    if (!content)
        return NULL;
    /* fstat() does not tell for which open: of a plain inode, the newest counts. */
    if (wanted->is_getattr && inode->open_count > 0 &&
        (inode->versioned || wanted->now - content->made < PREPARED_LIFE))
        return content;
    if (!is_for(content, wanted->request))
        return NULL;
    if (is_version(content, wanted) || is_repetition(inode, content, wanted))
        return content;
    if (!inode->versioned || wanted->is_lookup ||
        (has_generation(wanted->request) && !is_of_generation(&content->version, wanted->request)))
        return NULL;
    return inode->open_count > 0 || wanted->now - content->made < PREPARED_LIFE ? content : NULL;
}

/* The snapshot becomes the content of the inode instead of the one before. */
static void attach(struct inode *inode, struct snapshot *snapshot)
{
    if (inode->content)
        inode->content->inode = NULL;
    inode->content = &snapshot->content;
    snapshot->content.inode = inode;
}

static bool may_keep(const struct inode *inode, const void *context)
{
    const struct wanted *wanted = context;
    const struct snapshot *content = snapshot_of(inode->content);

    if (inode->open_count == 0)
        return !content || is_for(content, wanted->request);
    return content && is_version(content, wanted) && is_for(content, wanted->request);
}

struct inode *file_look_up(struct inode_table *table, struct inode *parent, const struct node *node,
                           const struct request *request)
{
    struct wanted wanted;

    if (!node_is_large(request))
        return inode_look_up(table, parent, node, false, NULL, NULL);
    wanted = want(request, true);
    return inode_look_up(table, parent, node, true, may_keep, &wanted);
}

/* ---- sizes ---- */

static int measure_history(struct request *request, const struct wanted *wanted, uint64_t *size)
{
    struct history_span span;
    int error = node_find_span(request, &span);

    span.first = wanted->version.words[2];
    span.end = wanted->version.words[3];
    return error ? error : history_measure(request, node_history_format(request), &span, size);
}

/* Keeps the content for the open that follows. The reference passes on. */
static void prepare(struct inode_table *table, struct inode *inode, struct snapshot *snapshot)
{
    struct inode_prepared before = {&snapshot->content, NULL};

    inode_lock(table);
    if (inode->open_count == 0) {
        attach(inode, snapshot);
        before = inode_keep_prepared(table, (struct inode_prepared){&snapshot->content, inode});
    }
    snapshot = unreference(table, snapshot_of(before.content));
    inode_unlock(table);
    if (snapshot)
        snapshot_free(snapshot);
    if (before.inode)
        inode_release(table, before.inode);
}

static int measure(struct inode_table *table, struct inode *inode, const struct wanted *wanted,
                   struct request *request, uint64_t *size, uint64_t *modified)
{
    struct snapshot *snapshot;
    int error;

    if (node_is_history(request))
        return measure_history(request, wanted, size);
    error = snapshot_make(table, inode, request, &snapshot);
    if (error)
        return error;
    *size = snapshot->size;
    *modified = snapshot->modified;
    if (inode->versioned)
        prepare(table, inode, snapshot);
    else
        snapshot_release(table, snapshot);
    return 0;
}

int file_size(struct inode_table *table, struct inode *inode, struct request *request,
              bool is_lookup, uint64_t *size, uint64_t *modified)
{
    struct wanted wanted = want(request, is_lookup);
    const struct snapshot *content;
    int error = 0;

    wanted.is_getattr = !is_lookup;
    *size = *modified = 0;
    inode_lock(table);
    content = find_content(inode, &wanted);
    if (content) {
        *size = content->size;
        *modified = content->modified;
    }
    inode_unlock(table);
    if (!content)
        error = measure(table, inode, &wanted, request, size, modified);
    inode_lock(table);
    inode->repeat_until =
        is_lookup && inode->is_replacement ? kymo_clock_now(KYMO_MONOTONIC) + REPEAT_LIFE : 0;
    inode->is_replacement = false;
    inode->reported_size = *size;
    if (is_lookup && inode->versioned) {
        inode->looked_up = wanted.version;
        inode->looked_up_at = wanted.now;
        inode->lookup_error = error;
    }
    inode_unlock(table);
    return error == -EINTR ? error : 0;
}

/* ---- open and close ---- */

/* Counts an open whose content is known now. */
static void count_identity(struct inode *inode, uint64_t identity)
{
    if (inode->open_count == 1 || inode->equal_count == 0) {
        inode->open_identity = identity;
        inode->equal_count = 1;
    } else if (inode->open_identity == identity) {
        inode->equal_count++;
    }
}

/* The lookup before this open has reported size 0, and this error is why. */
static int recent_error(const struct inode *inode, const struct wanted *wanted)
{
    return inode->versioned && inode->looked_up_at + PREPARED_LIFE > wanted->now
               ? inode->lookup_error
               : 0;
}

/* Counts the open. Returns the content that it shares, referenced, or NULL. */
static struct snapshot *begin_open(struct inode_table *table, struct inode *inode,
                                   const struct wanted *wanted, int *error)
{
    struct snapshot *content;

    inode_lock(table);
    inode->repeat_until = 0;
    content = find_content(inode, wanted);
    if (content)
        content->references++;
    else if (recent_error(inode, wanted))
        *error = inode->lookup_error;
    else if (inode->versioned && inode->open_count > 0 && inode->content &&
             has_generation(wanted->request) &&
             !is_of_generation(&snapshot_of(inode->content)->version, wanted->request))
        *error = -ENOENT;
    if (!*error) {
        inode->open_count++;
        inode->references++;
    }
    if (content)
        count_identity(inode, content->identity);
    inode_unlock(table);
    return content;
}

/* `identity`: of the open's content; 0: it has none. */
static void end_open(struct inode_table *table, struct inode *inode, uint64_t identity)
{
    inode_lock(table);
    inode->open_count--;
    if (identity == inode->open_identity && inode->equal_count > 0)
        inode->equal_count--;
    inode_unlock(table);
    inode_release(table, inode);
}

/* The content that was made for this open. Where another open of a versioned inode was faster, its
 * content is taken if it was begun later than this open. */
static struct snapshot *attach_or_share(struct inode_table *table, struct inode *inode,
                                        const struct wanted *wanted, struct snapshot *made)
{
    struct snapshot *unused = NULL;
    struct snapshot *content;

    inode_lock(table);
    content = snapshot_of(inode->content);
    if (inode->versioned && content && inode->open_count > 1 && is_for(content, wanted->request)) {
        if (content->made >= wanted->now) {
            content->references++;
            unused = unreference(table, made);
            made = content;
        }
    } else {
        attach(inode, made);
    }
    count_identity(inode, made->identity);
    inode_unlock(table);
    if (unused)
        snapshot_free(unused);
    return made;
}

int file_open(struct inode_table *table, struct inode *inode, struct request *request,
              struct snapshot **snapshot)
{
    const struct wanted wanted = want(request, false);
    int error = 0;

    *snapshot = begin_open(table, inode, &wanted, &error);
    if (error || *snapshot)
        return error;
    error = snapshot_make(table, inode, request, snapshot);
    if (error)
        end_open(table, inode, 0);
    else
        *snapshot = attach_or_share(table, inode, &wanted, *snapshot);
    return error;
}

void file_close(struct inode_table *table, struct inode *inode, struct snapshot *snapshot)
{
    const uint64_t identity = snapshot->identity;

    snapshot_release(table, snapshot);
    end_open(table, inode, identity);
}

/* ---- reads ---- */

static int check_page_cache(struct inode_table *table, const struct inode *inode,
                            const struct snapshot *snapshot)
{
    bool is_only, fits;

    inode_lock(table);
    is_only = inode->open_count == 1 || (inode->equal_count == inode->open_count &&
                                         inode->open_identity == snapshot->identity);
    fits = is_only && snapshot->size == inode->reported_size;
    inode_unlock(table);
    return fits ? 0 : -EINVAL;
}

int file_read(struct inode_table *table, struct inode *inode, struct snapshot *snapshot,
              bool is_page_cache, struct budget *budget, uint64_t offset, size_t size,
              struct kymo_text *text, const char **data, size_t *len)
{
    const uint64_t begin = offset < snapshot->size ? offset : snapshot->size;
    int error = is_page_cache ? check_page_cache(table, inode, snapshot) : 0;

    if (error)
        return error;
    if (snapshot->history) {
        error = history_read(snapshot->history, budget, begin, size, text);
        *data = text->data;
        *len = text->len;
        return error ? error : text->error;
    }
    *len = size < snapshot->size - begin ? size : (size_t)(snapshot->size - begin);
    *data = *len > 0 ? snapshot->text.data + begin : NULL;
    return 0;
}

void snapshot_reference(struct inode_table *table, struct snapshot *snapshot)
{
    inode_lock(table);
    snapshot->references++;
    inode_unlock(table);
}

void file_close_all(struct inode_table *table)
{
    struct snapshot *snapshot;

    do {
        inode_lock(table);
        snapshot = snapshot_of(inode_content_first(table));
        if (snapshot)
            inode_content_remove(table, &snapshot->content);
        inode_unlock(table);
        if (snapshot)
            snapshot_free(snapshot);
    } while (snapshot);
}
