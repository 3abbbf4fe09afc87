/*
 * queue.hpp - a bounded, lossless queue (queue.h).
 *
 *     #include <kymo/queue.hpp>
 *
 *     inline void hand_over(kymo::producer<int> &jobs, int job)
 *     {
 *         jobs.push(job, kymo::now()).value();
 *     }
 *
 *     inline int take(kymo::consumer<int> &jobs)
 *     {
 *         return jobs.pop().value().data;
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_QUEUE_HPP) && KYMO_IMPL_CXX17
#define KYMO_QUEUE_HPP

#include <kymo/ring.hpp>

namespace kymo
{

/* The handle that pushes. */
template <typename T> class producer : public writer<T>
{
  public:
    producer() noexcept = default;
    explicit producer(const std::string &name, const options &how = {})
        : producer(open(name, how).value())
    {
    }
    static opened<producer> open(const std::string &name, const options &how = {}) noexcept
    {
        return {name, [&](producer &made, kymo_diagnostic *cause) {
                    return made.open_kind(name, how, KYMO_QUEUE, cause);
                }};
    }
    /* Waits for a free slot; as kymo_queue_push. */
    status push(const T &data, std::uint64_t time, std::uint64_t tag = 0,
                deadline until = deadline::forever()) noexcept
    {
        return failure{kymo_queue_push(this->raw(), &data, sizeof(T), time, tag, until.time())};
    }
};

/* The handle that receives. Each function as in queue.h. */
template <typename T> class consumer
{
  public:
    using value_type = typename detail::record_type<T>::type;

    consumer() noexcept = default;
    explicit consumer(const std::string &name) : consumer(open(name).value())
    {
    }
    static opened<consumer> open(const std::string &name) noexcept
    {
        return {name, [&](consumer &made, kymo_diagnostic *cause) {
                    return made.open_typed(name, cause);
                }};
    }

    explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    kymo_consumer *raw() const noexcept
    {
        return handle_.get();
    }
    /* Leaves the unacknowledged records to the next consumer. */
    void close() noexcept
    {
        handle_.reset();
    }

    KYMO_IMPL_HOT result<record<T>> receive() noexcept
    {
        return {detail::filled{}, [&](record<T> &found) {
                    const int error = kymo_queue_receive(raw(), &found.data, sizeof(T), &found);

                    return kymo_impl_typed_end(error, sizeof(T), &found, nullptr);
                }};
    }
    /* Consumes every record received so far. */
    KYMO_IMPL_HOT void acknowledge() noexcept
    {
        kymo_queue_acknowledge(raw());
    }
    result<record<T>> pop(deadline until = deadline::forever()) noexcept
    {
        return {detail::filled{}, [&](record<T> &found) {
                    const int error =
                        kymo_queue_pop(raw(), &found.data, sizeof(T), &found, until.time());

                    return kymo_impl_typed_end(error, sizeof(T), &found, nullptr);
                }};
    }
    status wait(deadline until = deadline::forever()) noexcept
    {
        return failure{kymo_queue_wait(raw(), until.time())};
    }
    /* Instead of -EPIPE after the end of the producer. */
    status wait_for_producer(bool is_waiting = true) noexcept
    {
        return failure{kymo_consumer_wait_for_producer(raw(), is_waiting)};
    }
    std::uint64_t waiting() const noexcept
    {
        return kymo_queue_waiting(raw());
    }

  private:
    int open_typed(const std::string &name, kymo_diagnostic *cause) noexcept
    {
        const kymo_impl_type typed = detail::record_type<T>::typed();
        kymo_consumer *made = nullptr;
        const int error =
            kymo_impl_typed_consumer_open(&made, name.c_str(), &typed, KYMO_LAYOUT_MAJOR, cause);

        handle_.reset(made);
        return error;
    }

    std::unique_ptr<kymo_consumer, detail::closer> handle_;
};

template <typename T> struct queue {
    using producer = kymo::producer<T>;
    using consumer = kymo::consumer<T>;
    using record = kymo::record<T>;
};

} // namespace kymo

#endif
