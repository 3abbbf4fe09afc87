/*
 * ring.hpp - rings of one C++ type (ring.h, typed.h), and queries by time (series.h).
 *
 *     #include <kymo/ring.hpp>
 *
 *     inline void publish_twice(double value)
 *     {
 *         kymo::writer<double> writer("room");
 *
 *         writer.publish(value, kymo::now()).value();
 *         writer.publish(value, kymo::now()).value();
 *     }
 *
 *     inline double read_newest()
 *     {
 *         return kymo::reader<double>("room").latest()->data;
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_RING_HPP) && KYMO_IMPL_CXX17
#define KYMO_RING_HPP

#include <functional>

#include <kymo/key.hpp>
#include <kymo/record.hpp>
#include <kymo/segment.hpp>

namespace kymo
{

/* The next slot of a ring, to be written in place: aborted unless it is committed. */
class any_loan
{
  public:
    any_loan(any_loan &&other) noexcept
        : writer_(std::exchange(other.writer_, nullptr)), payload_(other.payload_)
    {
    }
    any_loan &operator=(any_loan &&other) noexcept
    {
        std::swap(writer_, other.writer_);
        std::swap(payload_, other.payload_);
        return *this;
    }
    ~any_loan()
    {
        abort();
    }
    /* Aborts before the destructor does. */
    void abort() noexcept
    {
        if (kymo_writer *writer = std::exchange(writer_, nullptr))
            kymo_ring_abort(writer);
    }

  protected:
    any_loan() noexcept = default;

    int take(kymo_writer *writer) noexcept
    {
        const int error = kymo_ring_loan(writer, &payload_);

        writer_ = error ? nullptr : writer;
        return error;
    }
    /* The loan remains outstanding after an error. */
    status publish(std::size_t len, std::uint64_t time, std::uint64_t tag) noexcept
    {
        if (KYMO_UNLIKELY(!writer_))
            return failure{-EINVAL};
        const int error = kymo_ring_commit(writer_, len, time, tag);
        if (KYMO_LIKELY(error == 0))
            writer_ = nullptr;
        return failure{error};
    }

    kymo_writer *writer_ = nullptr;
    void *payload_ = nullptr;
};

/* The slot's payload as a T without construction: it contains the bytes of an older record. */
template <typename T> class loan : public any_loan
{
  public:
    T *operator->() const noexcept
    {
        return static_cast<T *>(payload_);
    }
    T &operator*() const noexcept
    {
        return *static_cast<T *>(payload_);
    }
    /* Publishes it. The loan remains outstanding after an error. */
    KYMO_IMPL_HOT status commit(std::uint64_t time, std::uint64_t tag = 0) noexcept
    {
        return publish(sizeof(T), time, tag);
    }

  private:
    template <typename> friend class writer;
    template <typename> friend class result;
    loan() noexcept = default;
};

/* Publishes records of type T. */
template <typename T> class writer : public any_writer
{
  public:
    using value_type = typename detail::record_type<T>::type;

    writer() noexcept = default;
    explicit writer(const std::string &name, const options &how = {})
        : writer(open(name, how).value())
    {
    }
    /* As kymo_writer_open, with T's size, alignment and schema if the options leave them 0, and
     * the errors of typed.h. */
    static opened<writer> open(const std::string &name, const options &how = {}) noexcept
    {
        return {name, [&](writer &made, kymo_diagnostic *cause) {
                    return made.open_typed(name, &how.raw(), cause);
                }};
    }
    /* Opens an existing segment, of any depth and clock. */
    static opened<writer> open_existing(const std::string &name) noexcept
    {
        return {name, [&](writer &made, kymo_diagnostic *cause) {
                    return made.open_typed(name, nullptr, cause);
                }};
    }

    KYMO_IMPL_HOT status publish(const T &data, std::uint64_t time, std::uint64_t tag = 0) noexcept
    {
        return failure{kymo_ring_publish(raw(), &data, sizeof(T), time, tag)};
    }
    /* The next slot's payload; as kymo_ring_loan. */
    KYMO_IMPL_HOT result<kymo::loan<T>> loan() noexcept
    {
        return {detail::filled{}, [&](kymo::loan<T> &lent) { return lent.take(raw()); }};
    }

  protected:
    int open_typed(const std::string &name, const kymo_options *how,
                   kymo_diagnostic *cause) noexcept
    {
        const kymo_impl_type typed = detail::record_type<T>::typed();
        kymo_writer *made = nullptr;
        const int error =
            kymo_impl_typed_writer_open(&made, name.c_str(), how, &typed, KYMO_LAYOUT_MAJOR, cause);

        handle_.reset(made);
        return error;
    }
    /* With that kind instead of that of the options. */
    int open_kind(const std::string &name, options how, kymo_kind kind,
                  kymo_diagnostic *cause) noexcept
    {
        return open_typed(name, &how.kind(kind).raw(), cause);
    }
};

/* A record in place: its bytes may change at any time, and a result computed from them is valid
 * only if validate() succeeds afterwards. */
class any_view
{
  public:
    const kymo_record &record() const noexcept
    {
        return view_.record;
    }
    /* Success if the record has not changed since the view was taken. */
    KYMO_IMPL_HOT status validate() const noexcept
    {
        return failure{kymo_ring_validate(reader_, &view_)};
    }

  protected:
    any_view() noexcept = default;

    const kymo_reader *reader_ = nullptr;
    kymo_view view_{};
};

template <typename T> class view : public any_view
{
  public:
    const T *operator->() const noexcept
    {
        return static_cast<const T *>(view_.payload);
    }
    const T &operator*() const noexcept
    {
        return *static_cast<const T *>(view_.payload);
    }
    /* The result of compute(const T &), if the record did not change while it ran. */
    template <typename Compute>
    result<std::decay_t<std::invoke_result_t<Compute, const T &>>> read(Compute &&compute) const
    {
        auto computed = std::forward<Compute>(compute)(**this);
        const status held = validate();

        if (!held)
            return failure{held.error()};
        return computed;
    }

  private:
    template <typename, typename> friend class reader;
    template <typename> friend class result;
    view() noexcept = default;
};

/* Reads each record once, in order. */
template <typename T> class cursor
{
  public:
    /* The next record. -ENODATA: no new record yet; -EIDRM: none will follow. */
    KYMO_IMPL_HOT result<record<T>> next() noexcept
    {
        return take([&](record<T> &found, std::uint64_t &missed) {
            return kymo_cursor_next(&cursor_, &found.data, sizeof(T), &found, &missed);
        });
    }
    /* The same, counted. */
    result<record<T>> next(kymo_stats &stats) noexcept
    {
        return take([&](record<T> &found, std::uint64_t &missed) {
            return kymo_stats_cursor_next(&cursor_, &found.data, sizeof(T), &found, &missed,
                                          &stats);
        });
    }
    /* Waits for the next record. */
    status wait(deadline until = deadline::forever()) const noexcept
    {
        return failure{kymo_ring_wait(cursor_.reader, cursor_.next, until.time())};
    }
    /* The position that next() returns, unless it is overwritten. */
    std::uint64_t pos() const noexcept
    {
        return cursor_.next;
    }
    /* Records that were overwritten before this cursor read them. */
    std::uint64_t missed() const noexcept
    {
        return missed_;
    }

  private:
    template <typename, typename> friend class reader;
    cursor() noexcept = default;

    template <typename Next> result<record<T>> take(Next &&next) noexcept
    {
        return {detail::filled{}, [&](record<T> &found) {
                    std::uint64_t missed = 0;
                    const int error = next(found, missed);

                    missed_ += missed;
                    return kymo_impl_typed_end(error, sizeof(T), &found, nullptr);
                }};
    }

    kymo_cursor cursor_{};
    std::uint64_t missed_ = 0;
};

/* Reads records of type T. With a policy, queries by time accept that policy's keys only, neither
 * integers nor other keys. */
template <typename T, typename Policy = unchecked> class reader : public any_reader
{
  public:
    using value_type = typename detail::record_type<T>::type;
    using instant = typename detail::instant<Policy>::type;

    reader() noexcept = default;
    explicit reader(const std::string &name) : reader(open(name).value())
    {
    }
    /* As kymo_reader_open, and the errors of typed.h. */
    static opened<reader> open(const std::string &name) noexcept
    {
        return {name,
                [&](reader &made, kymo_diagnostic *cause) { return made.open_typed(name, cause); }};
    }

    /* The newest; `behind` records before it; the one at pos. As in ring.h. */
    KYMO_IMPL_HOT result<record<T>> latest() const noexcept
    {
        return back(0);
    }
    KYMO_IMPL_HOT result<record<T>> back(std::uint64_t behind) const noexcept
    {
        return read([&](record<T> &found) {
            return kymo_ring_back(raw(), behind, &found.data, sizeof(T), &found);
        });
    }
    KYMO_IMPL_HOT result<record<T>> at(std::uint64_t pos) const noexcept
    {
        return read([&](record<T> &found) {
            return kymo_ring_at(raw(), pos, &found.data, sizeof(T), &found);
        });
    }
    /* The newest, counted (stats.h). */
    result<record<T>> latest(kymo_stats &stats) const noexcept
    {
        return read([&](record<T> &found) {
            return kymo_stats_latest(raw(), &found.data, sizeof(T), &found, &stats);
        });
    }

    KYMO_IMPL_HOT result<view<T>> view_latest() const noexcept
    {
        return view_back(0);
    }
    KYMO_IMPL_HOT result<view<T>> view_back(std::uint64_t behind) const noexcept
    {
        return view_by(
            [&](kymo_view &found) { return kymo_ring_view_back(raw(), behind, &found); });
    }
    KYMO_IMPL_HOT result<view<T>> view_at(std::uint64_t pos) const noexcept
    {
        return view_by([&](kymo_view &found) { return kymo_ring_view(raw(), pos, &found); });
    }

    /* Cursors that start with the next record to be published, and with the oldest that remains. */
    cursor<T> cursor_newest() const noexcept
    {
        cursor<T> made;

        kymo_cursor_newest(&made.cursor_, raw());
        return made;
    }
    cursor<T> cursor_oldest() const noexcept
    {
        cursor<T> made;

        kymo_cursor_oldest(&made.cursor_, raw());
        return made;
    }

    /* Queries by time; as in series.h. */
    KYMO_IMPL_HOT result<record<T>>
    closest(instant time, std::chrono::nanoseconds max_distance = any_distance) const noexcept
    {
        return read([&](record<T> &found) {
            return kymo_series_closest(raw(), detail::ns(time), detail::ns(max_distance),
                                       &found.data, sizeof(T), &found);
        });
    }
    KYMO_IMPL_HOT result<record<T>> as_of(instant time) const noexcept
    {
        return read([&](record<T> &found) {
            return kymo_series_as_of(raw(), detail::ns(time), &found.data, sizeof(T), &found);
        });
    }
    KYMO_IMPL_HOT result<kymo::bracket<T>> bracket(instant time) const noexcept
    {
        return {detail::filled{}, [&](kymo::bracket<T> &pair) {
                    kymo_bracket found;
                    int error = kymo_series_bracket(raw(), detail::ns(time), &pair.before.data,
                                                    &pair.after.data, sizeof(T), &found);

                    if (KYMO_UNLIKELY(error))
                        return error;
                    pair.alpha = found.alpha;
                    error = kymo_impl_typed_end(0, sizeof(T), &found.before, &pair.before);
                    return error ? error
                                 : kymo_impl_typed_end(0, sizeof(T), &found.after, &pair.after);
                }};
    }
    KYMO_IMPL_HOT result<record<T>> fresh(instant min_time) const noexcept
    {
        return read([&](record<T> &found) {
            return kymo_series_fresh(raw(), detail::ns(min_time), &found.data, sizeof(T), &found);
        });
    }
    result<kymo_range> range(instant from, instant to) const noexcept
    {
        return {detail::filled{}, [&](kymo_range &found) {
                    return kymo_series_range(raw(), detail::ns(from), detail::ns(to), &found);
                }};
    }

    /* By tag; as kymo_series_find_tag. */
    result<std::uint64_t> find_tag(std::uint64_t tag) const noexcept
    {
        return {detail::filled{},
                [&](std::uint64_t &pos) { return kymo_series_find_tag(raw(), tag, &pos); }};
    }
    result<record<T>> at_tag(std::uint64_t tag) const noexcept
    {
        return read_found(find_tag(tag));
    }
    /* By a key of the payload that never decreases; as kymo_series_find_key. key_of: a member, such
     * as &frame::number, or a function of a const T &, which must not throw and may be called with
     * a record that is overwritten at that moment. Keys are compared with <. */
    template <typename KeyOf, typename Key>
    result<std::uint64_t> find_key(KeyOf &&key_of, const Key &key) const noexcept
    {
        using keys = std::pair<std::remove_reference_t<KeyOf> &, const Key &>;
        const keys wanted(key_of, key);
        const auto compare = [](const kymo_view *view, const void *context) noexcept -> int {
            const auto &[of, sought] = *static_cast<const keys *>(context);
            const auto found = std::invoke(of, *static_cast<const T *>(view->payload));

            return found < sought ? -1 : sought < found;
        };

        return {detail::filled{}, [&](std::uint64_t &pos) {
                    return kymo_series_find_key(raw(), compare, &wanted, &pos);
                }};
    }
    template <typename KeyOf, typename Key>
    result<record<T>> at_key(KeyOf &&key_of, const Key &key) const noexcept
    {
        return read_found(find_key(std::forward<KeyOf>(key_of), key));
    }

  protected:
    int open_typed(const std::string &name, kymo_diagnostic *cause) noexcept
    {
        const kymo_impl_type typed = detail::record_type<T>::typed();
        kymo_reader *made = nullptr;
        const int error =
            kymo_impl_typed_reader_open(&made, name.c_str(), &typed, KYMO_LAYOUT_MAJOR, cause);

        handle_.reset(made);
        return error;
    }
    template <typename Read> static result<record<T>> read(Read &&read) noexcept
    {
        return {detail::filled{}, [&](record<T> &found) {
                    return kymo_impl_typed_end(read(found), sizeof(T), &found, nullptr);
                }};
    }

  private:
    result<record<T>> read_found(const result<std::uint64_t> &pos) const noexcept
    {
        if (!pos)
            return failure{pos.error()};
        return at(*pos);
    }
    template <typename Take> result<view<T>> view_by(Take &&take) const noexcept
    {
        return {detail::filled{}, [&](view<T> &found) {
                    found.reader_ = raw();
                    return kymo_impl_typed_end(take(found.view_), sizeof(T), &found.view_.record,
                                               nullptr);
                }};
    }
};

template <typename T> struct ring {
    using writer = kymo::writer<T>;
    using reader = kymo::reader<T>;
    using cursor = kymo::cursor<T>;
    using record = kymo::record<T>;
    using view = kymo::view<T>;
};

} // namespace kymo

#endif
