/*
 * ops.c - FUSE requests, each handed on to the tree.
 *
 * Nothing here tells the kernel to forget a name. That would wait for the lock of the name's directory,
 * which whoever looks up or lists there holds until he is answered; were we killed meanwhile, the
 * thread that waits could not end, and so our end of the connection stay open, and the one who waits
 * for an answer wait for ever. Instead names live for a second, whoever opens one that leads elsewhere
 * by now is sent back to look again, and the tree forgets on its own.
 *
 * flush, access, xattr and statfs are left out on purpose: the kernel asks once, or never, and then
 * knows. So is write: the mount is read-only.
 */
#include "ops.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "stream.h"

/* Seconds for which the kernel may use an answer: what stat says may be this old. */
#define NAME_LIFE       1.0
#define ATTRIBUTES_LIFE 1.0

static struct view *view_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

/* What the request is about that this thread answers; held until that is done. */
static __thread struct node *subject;

/* NULL: the tree has forgotten it, and the request is answered with ESTALE, upon which the kernel walks
 * the path again. */
static struct node *node_of(fuse_req_t request, fuse_ino_t number)
{
    subject = tree_find(view_of(request)->tree, number);
    if (!subject)
        fuse_reply_err(request, ESTALE);
    return subject;
}

void ops_answer(struct view *view, const struct fuse_buf *request)
{
    fuse_session_process_buf(view->session, request);
    if (subject)
        tree_done(view->tree, subject);
    subject = NULL;
}

static struct caller caller_of(fuse_req_t request)
{
    const struct fuse_ctx *context = fuse_req_ctx(request);

    return (struct caller){(uint64_t)context->pid, context->uid, context->gid};
}

/* The names that can be asked for have no end, and content of any size is looked up anew for each
 * open: such names the kernel forgets at once. */
static void describe(struct view *view, struct node *node, struct fuse_entry_param *entry)
{
    memset(entry, 0, sizeof(*entry));
    entry->ino = tree_number(node);
    entry->entry_timeout = tree_is_passing(node) ? 0 : NAME_LIFE;
    entry->attr_timeout =
        tree_attributes(view->tree, node, NULL, &entry->attr) ? ATTRIBUTES_LIFE : 0;
}

static void view_init(void *data, struct fuse_conn_info *connection)
{
    struct view *view = data;

    connection->want |= connection->capable & FUSE_CAP_CACHE_SYMLINKS;
    if (view->ready)
        view->ready(view->context);
}

/* ---- names ---- */

static void view_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct view *view = view_of(request);
    struct fuse_entry_param entry;
    const struct caller caller = caller_of(request);
    struct node *directory = node_of(request, parent);
    struct node *node;
    int error;

    if (!directory)
        return;
    error = tree_lookup(view->tree, directory, name, &caller, &node);
    if (error) {
        fuse_reply_err(request, -error);
        return;
    }
    describe(view, node, &entry);
    if (fuse_reply_entry(request, &entry) != 0)
        tree_forget(view->tree, entry.ino, 1);
    tree_done(view->tree, node);
    if (tree_is_untidy(view->tree))
        registry_tidy_soon(view->registry);
}

static void view_forget(fuse_req_t request, fuse_ino_t number, uint64_t count)
{
    tree_forget(view_of(request)->tree, number, count);
    fuse_reply_none(request);
}

static void view_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        tree_forget(view_of(request)->tree, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(request);
}

static void view_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    const struct caller caller = caller_of(request);
    struct node *node = node_of(request, number);
    struct stat attributes;
    bool hold;

    (void)file;
    if (!node)
        return;
    hold = tree_attributes(view_of(request)->tree, node, &caller, &attributes);
    fuse_reply_attr(request, &attributes, hold ? ATTRIBUTES_LIFE : 0);
}

static void view_readlink(fuse_req_t request, fuse_ino_t number)
{
    struct tree *tree = view_of(request)->tree;
    struct node *node = node_of(request, number);
    struct snapshot *target;
    int error;

    if (!node)
        return;
    error = tree_open_file(tree, node, NULL, &target);
    if (error) {
        fuse_reply_err(request, -error);
        return;
    }
    fuse_reply_readlink(request, target->text.data);
    tree_close_file(tree, target);
}

/* ---- files ---- */

static void open_snapshot(fuse_req_t request, struct node *node, struct fuse_file_info *file)
{
    const struct caller caller = caller_of(request);
    struct tree *tree = view_of(request)->tree;
    struct snapshot *snapshot;
    int error = tree_open_file(tree, node, &caller, &snapshot);

    if (error) {
        fuse_reply_err(request, -error);
        return;
    }
    file->fh = (uintptr_t)snapshot;
    file->direct_io = 1;
    tree_opened(tree, node);
    if (fuse_reply_open(request, file) == 0)
        return;
    tree_closed(tree, node);
    tree_close_file(tree, snapshot);
}

static void open_stream(fuse_req_t request, struct node *node)
{
    struct view *view = view_of(request);
    struct segment *segment;
    struct stream *stream;
    int error = tree_hold_segment(view->tree, node, &segment);

    if (!error)
        error = stream_open(view->streams, segment, &stream);
    if (error) {
        fuse_reply_err(request, -error);
        return;
    }
    tree_opened(view->tree, node);
    if (stream_reply_open(request, stream) == 0)
        return;
    tree_closed(view->tree, node);
    stream_close(view->streams, stream);
}

static void view_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct node *node = node_of(request, number);
    const struct caller caller = caller_of(request);

    if (!node)
        return;
    if (tree_sends_back(view_of(request)->tree, node, &caller))
        fuse_reply_err(request, ESTALE);
    else if (node_has(node, NODE_STREAM))
        open_stream(request, node);
    else
        open_snapshot(request, node, file);
}

/* Who has the reply may close the file before the call that sends it has returned, and is done with
 * the bytes. */
static void reply_part(fuse_req_t request, struct snapshot *snapshot, size_t size, off_t offset)
{
    struct tree *tree = view_of(request)->tree;
    const size_t len = snapshot->text.len;
    const size_t begin = (size_t)offset < len ? (size_t)offset : len;

    snapshot_hold(snapshot);
    /* Content of no bytes has no address. */
    fuse_reply_buf(request, len > 0 ? snapshot->text.data + begin : "",
                   size < len - begin ? size : len - begin);
    tree_close_file(tree, snapshot);
}

/*
 * sendfile and splice read through the page cache, which is told by the missing owner. When they
 * meet the end of a file before its size, the kernel takes that end for the size of the node, also
 * for opens that come later and have more to read. So nodes of that file become exact, and whoever
 * opens this one is sent back for another from before such a read returns.
 */
static void read_snapshot(fuse_req_t request, struct node *node, size_t size, off_t offset,
                          const struct fuse_file_info *file)
{
    struct snapshot *snapshot = (struct snapshot *)(uintptr_t)file->fh;

    if (file->lock_owner == 0 && !snapshot->exact)
        tree_make_exact(node);
    reply_part(request, snapshot, size, offset);
}

static struct stream *stream_of(const struct fuse_file_info *file)
{
    return (struct stream *)(uintptr_t)file->fh;
}

static void view_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                      struct fuse_file_info *file)
{
    struct node *node = node_of(request, number);

    if (!node)
        return;
    if (node_has(node, NODE_STREAM))
        stream_read(view_of(request)->streams, stream_of(file), request, size, file->flags);
    else
        read_snapshot(request, node, size, offset, file);
}

/* What is no stream is always there, as files are. */
static void view_poll(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file,
                      struct fuse_pollhandle *handle)
{
    struct node *node = node_of(request, number);

    if (node && node_has(node, NODE_STREAM)) {
        stream_poll(view_of(request)->streams, stream_of(file), request, handle);
        return;
    }
    if (handle)
        fuse_pollhandle_destroy(handle);
    if (node)
        fuse_reply_poll(request, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
}

static void view_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct view *view = view_of(request);
    struct node *node = node_of(request, number);

    if (!node)
        return;
    if (node_has(node, NODE_STREAM))
        stream_close(view->streams, stream_of(file));
    else
        tree_close_file(view->tree, (struct snapshot *)(uintptr_t)file->fh);
    tree_closed(view->tree, node);
    fuse_reply_err(request, 0);
}

/* ---- directories ---- */

struct directory {
    struct listing listing;
    bool is_fresh; /* nobody has read it yet */
    struct directory *previous;
    struct directory *next;
};

/* All that are open, since nobody closes them when the mount goes. */
static void directory_link(struct view *view, struct directory *directory)
{
    pthread_mutex_lock(&view->lock);
    directory->next = view->directories;
    if (directory->next)
        directory->next->previous = directory;
    view->directories = directory;
    pthread_mutex_unlock(&view->lock);
}

static void directory_unlink(struct view *view, struct directory *directory)
{
    pthread_mutex_lock(&view->lock);
    if (directory->next)
        directory->next->previous = directory->previous;
    if (directory->previous)
        directory->previous->next = directory->next;
    else
        view->directories = directory->next;
    pthread_mutex_unlock(&view->lock);
}

static void directory_close(struct view *view, struct directory *directory)
{
    directory_unlink(view, directory);
    listing_free(&directory->listing);
    free(directory);
}

static int directory_open(fuse_req_t request, struct node *node, struct directory **out)
{
    struct view *view = view_of(request);
    struct directory *directory = calloc(1, sizeof(*directory));
    const struct caller caller = caller_of(request);
    int error;

    if (!directory)
        return -ENOMEM;
    directory->is_fresh = true;
    directory_link(view, directory);
    error = tree_list(view->tree, node, &caller, &directory->listing);
    if (error)
        directory_close(view, directory);
    else
        *out = directory;
    return error;
}

static void view_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct view *view = view_of(request);
    struct node *node = node_of(request, number);
    const struct caller caller = caller_of(request);
    struct directory *directory;
    int error;

    if (!node)
        return;
    error = tree_sends_back(view->tree, node, &caller) ? -ESTALE
                                                       : directory_open(request, node, &directory);
    if (error) {
        fuse_reply_err(request, -error);
        return;
    }
    file->fh = (uintptr_t)directory;
    tree_opened(view->tree, node);
    if (fuse_reply_open(request, file) == 0)
        return;
    tree_closed(view->tree, node);
    directory_close(view, directory);
}

static void view_releasedir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
    struct view *view = view_of(request);
    struct node *node = node_of(request, number);

    if (!node)
        return;
    directory_close(view, (struct directory *)(uintptr_t)file->fh);
    tree_closed(view->tree, node);
    fuse_reply_err(request, 0);
}

/* From the start again, after rewinddir, means as it is now. */
static int refresh(fuse_req_t request, struct node *node, struct directory *directory)
{
    const struct caller caller = caller_of(request);

    if (directory->is_fresh) {
        directory->is_fresh = false;
        return 0;
    }
    listing_free(&directory->listing);
    return tree_list(view_of(request)->tree, node, &caller, &directory->listing);
}

/* A reply that is being filled with directory entries. */
struct page {
    fuse_req_t request;
    struct node *directory;
    bool plus; /* with attributes */
    char *data;
    size_t size;
    size_t len;
};

static mode_t type_of(const struct node_key *key)
{
    switch (key->kind->type) {
    case NODE_DIRECTORY:
        return S_IFDIR;
    case NODE_LINK:
        return S_IFLNK;
    default:
        return S_IFREG;
    }
}

/* Appends an entry. Returns false where it does not fit. */
static bool page_add(struct page *page, const char *name, const struct fuse_entry_param *entry,
                     off_t next)
{
    char *at = page->data + page->len;
    const size_t room = page->size - page->len;
    const size_t len = page->plus
                           ? fuse_add_direntry_plus(page->request, at, room, name, entry, next)
                           : fuse_add_direntry(page->request, at, room, name, &entry->attr, next);

    if (len > room)
        return false;
    page->len += len;
    return true;
}

static bool page_add_dot(struct page *page, const char *name, const struct node *node, off_t next)
{
    const struct fuse_entry_param entry = {.attr = {.st_ino = node->inode, .st_mode = S_IFDIR}};

    return page_add(page, name, &entry, next);
}

/*
 * Attributes go with the entries, and save a request for each, but where content would have to be
 * made for them; without a number the kernel asks for those it wants.
 */
static bool page_add_entry(struct page *page, const struct listing_entry *listed, off_t next)
{
    struct view *view = view_of(page->request);
    struct fuse_entry_param entry = {
        .attr = {.st_ino = listed->inode, .st_mode = type_of(&listed->key)}};
    const struct node stranger = {listed->key, page->directory, listed->inode, listed->name};
    struct node *node = NULL;
    bool fits;

    if (page->plus && !tree_is_passing(&stranger) &&
        tree_take(view->tree, page->directory, listed, &node) == 0)
        describe(view, node, &entry);
    fits = page_add(page, listed->name, &entry, next);
    if (!fits && node)
        tree_forget(view->tree, entry.ino, 1);
    if (node)
        tree_done(view->tree, node);
    return fits;
}

/* Entries 0 and 1 are the dots. */
static void page_fill(struct page *page, const struct listing *listing, size_t from)
{
    const struct node *parent = page->directory->parent;
    bool fits = true;

    for (size_t i = from; fits && i < listing->count + 2; i++) {
        if (i == 0)
            fits = page_add_dot(page, ".", page->directory, 1);
        else if (i == 1)
            fits = page_add_dot(page, "..", parent ? parent : page->directory, 2);
        else
            fits = page_add_entry(page, &listing->entries[i - 2], (off_t)i + 1);
    }
}

static void read_directory(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                           struct fuse_file_info *file, bool plus)
{
    struct directory *directory = (struct directory *)(uintptr_t)file->fh;
    struct node *node = node_of(request, number);
    struct page page = {request, node, plus, node ? malloc(size) : NULL, size, 0};
    int error = page.data ? 0 : -ENOMEM;

    if (!node)
        return;
    if (!error && offset == 0)
        error = refresh(request, page.directory, directory);
    if (error) {
        fuse_reply_err(request, -error);
    } else {
        page_fill(&page, &directory->listing, (size_t)offset);
        fuse_reply_buf(request, page.data, page.len);
    }
    free(page.data);
}

static void view_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                         struct fuse_file_info *file)
{
    read_directory(request, number, size, offset, file, false);
}

static void view_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                             struct fuse_file_info *file)
{
    read_directory(request, number, size, offset, file, true);
}

/* ---- the session ---- */

static const struct fuse_lowlevel_ops operations = {
    .init = view_init,
    .lookup = view_lookup,
    .forget = view_forget,
    .forget_multi = view_forget_multi,
    .getattr = view_getattr,
    .readlink = view_readlink,
    .open = view_open,
    .read = view_read,
    .poll = view_poll,
    .release = view_release,
    .opendir = view_opendir,
    .readdir = view_readdir,
    .readdirplus = view_readdirplus,
    .releasedir = view_releasedir,
};

struct fuse_session *ops_session_new(struct fuse_args *args, struct view *view)
{
    view->session = fuse_session_new(args, &operations, sizeof(operations), view);
    return view->session;
}

/* The kernel may go on to use the name for a second: opens find out. */
void ops_name_changed(void *context, const char *name)
{
    struct view *view = context;

    (void)name;
    streams_changed(view->streams);
}

bool ops_tidy(void *context)
{
    struct view *view = context;

    return tree_tidy(view->tree);
}

void ops_end(struct view *view)
{
    streams_close(view->streams);
    view->streams = NULL;
    while (view->directories)
        directory_close(view, view->directories);
}
