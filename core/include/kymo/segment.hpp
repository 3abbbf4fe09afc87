/*
 * segment.hpp - what all handles have in common, options to create segments, and segments by name
 * (segment.h).
 *
 *     #include <kymo/segment.hpp>
 *
 *     inline std::uint64_t records_in(const char *name)
 *     {
 *         return kymo::any_reader::open(name).value().written();
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_SEGMENT_HPP) && KYMO_IMPL_CXX17
#define KYMO_SEGMENT_HPP

#include <kymo/loader.h>
#include <kymo/queue.h>
#include <kymo/result.hpp>
#include <kymo/stats.h>
#include <kymo/time.hpp>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace kymo
{

/* How to create a segment: struct kymo_options, set by name. Set other members with raw(). Geometry
 * and schema must remain valid until the segment is open. */
class options
{
  public:
    options() noexcept = default;
    options(const kymo_options &raw) noexcept : raw_(raw)
    {
    }

    options &depth(std::uint64_t slots) noexcept
    {
        raw_.depth = slots;
        return *this;
    }
    options &size(std::uint32_t length) noexcept
    {
        raw_.size = length;
        return *this;
    }
    options &alignment(std::uint32_t multiple) noexcept
    {
        raw_.alignment = multiple;
        return *this;
    }
    options &clock(kymo_clock clock) noexcept
    {
        raw_.clock = clock;
        return *this;
    }
    options &time_policy(kymo_time_policy policy) noexcept
    {
        raw_.time_policy = policy;
        return *this;
    }
    options &wake_policy(kymo_wake_policy policy) noexcept
    {
        raw_.wake_policy = policy;
        return *this;
    }
    options &existing(kymo_existing what) noexcept
    {
        raw_.existing = what;
        return *this;
    }
    options &mode(std::uint32_t permissions) noexcept
    {
        raw_.mode = permissions;
        return *this;
    }
    options &shared_writer() noexcept
    {
        raw_.flags |= KYMO_SHARED_WRITER;
        return *this;
    }
    options &shared_consumer() noexcept
    {
        raw_.flags |= KYMO_SHARED_CONSUMER;
        return *this;
    }
    options &kind(kymo_kind kind) noexcept
    {
        raw_.kind = kind;
        return *this;
    }
    kymo_options &raw() noexcept
    {
        return raw_;
    }
    const kymo_options &raw() const noexcept
    {
        return raw_;
    }

  private:
    kymo_options raw_{};
};

/* ---- handles ---- */

namespace detail
{

struct closer {
    void operator()(kymo_writer *writer) const noexcept
    {
        kymo_writer_close(writer);
    }
    void operator()(kymo_reader *reader) const noexcept
    {
        kymo_reader_close(reader);
    }
    void operator()(kymo_consumer *consumer) const noexcept
    {
        kymo_consumer_close(consumer);
    }
    void operator()(kymo_loader *loader) const noexcept
    {
        kymo_loader_close(loader);
    }
};

inline result<kymo_info> info(const kymo_segment *segment) noexcept
{
    return {filled{}, [&](kymo_info &info) { return kymo_segment_info(segment, &info); }};
}

inline result<kymo_residence> prefault(kymo_segment *segment, unsigned int wanted) noexcept
{
    return {filled{}, [&](kymo_residence &residence) {
                const int granted = kymo_segment_prefault(segment, wanted, &residence);
                return granted < 0 ? granted : 0;
            }};
}

} // namespace detail

/* A writer of any records: the operations of all writers. */
class any_writer
{
  public:
    explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    /* For functions of the C headers without a counterpart here. */
    kymo_writer *raw() const noexcept
    {
        return handle_.get();
    }
    /* Closes cleanly: the segment remains, with state CLOSED. */
    void close() noexcept
    {
        handle_.reset();
    }
    /* Removes the segment and closes the handle; as kymo_writer_remove. */
    status remove() noexcept
    {
        return failure{kymo_writer_remove(handle_.release())};
    }
    status heartbeat() noexcept
    {
        return failure{kymo_writer_heartbeat(raw())};
    }
    /* Shared writers: how long a publish may wait for another live writer. */
    status set_lock_timeout(std::chrono::nanoseconds timeout) noexcept
    {
        return failure{kymo_writer_set_lock_timeout(raw(), detail::ns(timeout))};
    }
    result<kymo_info> info() const noexcept
    {
        return detail::info(raw()->segment);
    }
    /* Requests bits of enum kymo_prefault, and returns what was obtained. */
    result<kymo_residence> prefault(unsigned int wanted) noexcept
    {
        return detail::prefault(raw()->segment, wanted);
    }
    /* The next position. */
    std::uint64_t head() const noexcept
    {
        return kymo_ring_head(&raw()->ring);
    }

  protected:
    int open_raw(const std::string &name, const kymo_options *how, kymo_diagnostic *cause) noexcept
    {
        kymo_writer *made = nullptr;
        const int error = kymo_writer_open_diagnosed(&made, name.c_str(), how, cause);

        handle_.reset(made);
        return error;
    }

    std::unique_ptr<kymo_writer, detail::closer> handle_;
};

/* A reader of any records: the operations of all readers. */
class any_reader
{
  public:
    any_reader() noexcept = default;
    explicit any_reader(const std::string &name) : any_reader(open(name).value())
    {
    }
    static opened<any_reader> open(const std::string &name) noexcept
    {
        return {name, [&](any_reader &made, kymo_diagnostic *cause) {
                    return made.open_raw(name, cause);
                }};
    }

    explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    /* For functions of the C headers without a counterpart here. */
    const kymo_reader *raw() const noexcept
    {
        return handle_.get();
    }
    void close() noexcept
    {
        handle_.reset();
    }
    result<kymo_info> info() const noexcept
    {
        return detail::info(raw()->segment);
    }
    /* The state of the writer (H: liveness by a kernel lock); STALLED if its last heartbeat and
     * record are older than the limit. */
    result<kymo_liveness> liveness(std::chrono::nanoseconds limit = any_distance) const noexcept
    {
        const int state = kymo_segment_liveness(raw()->segment, detail::ns(limit));

        if (state < 0)
            return failure{state};
        return static_cast<kymo_liveness>(state);
    }
    result<kymo_residence> prefault(unsigned int wanted) noexcept
    {
        return detail::prefault(raw()->segment, wanted);
    }
    kymo_clock clock() const noexcept
    {
        return kymo_segment_clock(raw()->segment);
    }
    /* The times count from another boot than this one, and have no age. */
    bool is_of_other_boot() const noexcept
    {
        return kymo_segment_is_of_other_boot(raw()->segment) != 0;
    }
    std::uint64_t depth() const noexcept
    {
        return kymo_ring_depth(&raw()->ring);
    }
    /* The next position; records published so far; those of them that a query may use. */
    std::uint64_t head() const noexcept
    {
        return kymo_ring_head(&raw()->ring);
    }
    std::uint64_t written() const noexcept
    {
        return kymo_ring_written(&raw()->ring);
    }
    std::uint64_t available() const noexcept
    {
        return kymo_ring_available(&raw()->ring);
    }
    /* True once this generation was replaced or removed. */
    bool retired() const noexcept
    {
        return kymo_ring_retired(&raw()->ring) != 0;
    }
    /* Waits until head() > seen. */
    KYMO_IMPL_HOT status wait(std::uint64_t seen,
                              deadline until = deadline::forever()) const noexcept
    {
        return failure{kymo_ring_wait(raw(), seen, until.time())};
    }
    /* The same, counted. */
    status wait(std::uint64_t seen, deadline until, kymo_stats &stats) const noexcept
    {
        return failure{kymo_stats_wait(raw(), seen, until.time(), &stats)};
    }

  protected:
    int open_raw(const std::string &name, kymo_diagnostic *cause) noexcept
    {
        kymo_reader *made = nullptr;
        const int error = kymo_reader_open_diagnosed(&made, name.c_str(), cause);

        handle_.reset(made);
        return error;
    }

    std::unique_ptr<kymo_reader, detail::closer> handle_;
};

/* One of the rings of wait_any: waits for head() > seen. */
struct awaited {
    const any_reader &reader;
    std::uint64_t seen;
};

/* The index of the first ring with a new record; as kymo_ring_wait_any. */
inline result<std::size_t> wait_any(std::initializer_list<awaited> rings,
                                    deadline until = deadline::forever()) noexcept
{
    const kymo_reader *readers[KYMO_WAIT_LIMIT];
    std::uint64_t seen[KYMO_WAIT_LIMIT];
    std::size_t count = 0;

    if (rings.size() > KYMO_WAIT_LIMIT)
        return failure{-EINVAL};
    for (const awaited &ring : rings) {
        readers[count] = ring.reader.raw();
        seen[count++] = ring.seen;
    }
    const int first = kymo_ring_wait_any(readers, seen, count, until.time());
    if (first < 0)
        return failure{first};
    return static_cast<std::size_t>(first);
}

/* A writer whose destructor removes the segment: kymo::owned<kymo::writer<config>>. */
template <typename Writer> class owned : public Writer
{
  public:
    using Writer::Writer;
    owned(Writer &&writer) noexcept : Writer(std::move(writer))
    {
    }
    owned(owned &&) noexcept = default;
    owned &operator=(owned &&other) noexcept
    {
        destroy_handle();
        Writer::operator=(std::move(other));
        return *this;
    }
    ~owned()
    {
        destroy_handle();
    }

  private:
    void destroy_handle() noexcept
    {
        if (*this)
            static_cast<void>(this->remove());
    }
};

/* ---- segments by name ---- */

namespace segment
{

/* One file of the directory; error and reason are those of opening it. */
struct entry {
    std::string name;
    int error;
    std::string reason;
};

/* All files whose names begin with the prefix, in order of name, valid segments or not. */
inline result<std::vector<entry>> list(const std::string &prefix = {})
{
    struct collected {
        const std::string &prefix;
        std::vector<entry> entries;
    };
    collected all = {prefix, {}};
    const auto visit = [](void *context, const kymo_entry *found) noexcept -> int {
        auto &to = *static_cast<collected *>(context);

        if (std::string(found->name).compare(0, to.prefix.size(), to.prefix) == 0)
            to.entries.push_back({found->name, found->error, found->reason});
        return 0;
    };
    const int error = kymo_segment_list(visit, &all);

    if (error)
        return failure{error};
    return std::move(all.entries);
}

/* True if the name is a valid segment, false if it does not exist, else an error. */
inline result<bool> exists(const std::string &name) noexcept
{
    const int found = kymo_segment_exists(name.c_str());

    if (found < 0)
        return failure{found};
    return found == 1;
}

/* Removes a segment without a live writer. */
inline status remove(const std::string &name) noexcept
{
    return failure{kymo_segment_remove(name.c_str())};
}

/* Removes it if its writer is DEAD; returns true if so. */
inline result<bool> reap(const std::string &name) noexcept
{
    const int reaped = kymo_segment_reap(name.c_str());

    if (reaped < 0)
        return failure{reaped};
    return reaped == 1;
}

} // namespace segment

/* Handles truncation of a mapped file (F: any content is handled safely) during its life; for
 * programs, not for libraries. */
class guard
{
  public:
    guard()
    {
        const int error = kymo_guard_install();

        if (error)
            detail::raise(error, "guard", kymo_error_text(error));
    }
    guard(const guard &) = delete;
    guard &operator=(const guard &) = delete;
    ~guard()
    {
        kymo_guard_remove();
    }
    /* Faults handled in this process. */
    static std::uint64_t caught() noexcept
    {
        return kymo_guard_caught();
    }
};

} // namespace kymo

#endif
