/*
 * result.hpp - a value, or the error that explains its absence; and the exception that constructors
 * throw.
 *
 *     #include <kymo/result.hpp>
 *
 *     inline int value_or_zero(const kymo::result<int> &found)
 *     {
 *         return found ? *found : 0;
 *     }
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_RESULT_HPP) && KYMO_IMPL_CXX17
#define KYMO_RESULT_HPP

#include <kymo/segment.h>

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

/* Hot functions: compile every inline body into them, with its constants. */
#define KYMO_IMPL_HOT [[gnu::flatten]]

namespace kymo
{

/* The category of the library's errors: messages, and comparison with std::errc. */
inline const std::error_category &category() noexcept
{
    struct sentences final : std::error_category {
        const char *name() const noexcept override
        {
            return "kymo";
        }
        std::string message(int value) const override
        {
            return kymo_error_text(value);
        }
        std::error_condition default_error_condition(int value) const noexcept override
        {
            return {value, std::generic_category()};
        }
    };
    static const sentences instance;
    return instance;
}

/* What constructors and value() throw: code() in category(); what() is "SUBJECT: CAUSE", of an open
 * the segment's name and the diagnostic. */
class error : public std::system_error
{
  public:
    error(int negative, const char *subject, const char *cause)
        : std::system_error(std::error_code(-negative, category()))
    {
        std::snprintf(what_, sizeof(what_), "%s: %s", subject, cause);
    }
    const char *what() const noexcept override
    {
        return what_;
    }

  private:
    char what_[KYMO_NAME_LIMIT + sizeof(kymo_diagnostic) + 2];
};

namespace detail
{

[[noreturn]] inline void raise([[maybe_unused]] int negative, const char *subject,
                               const char *cause)
{
#ifdef __cpp_exceptions
    throw error(negative, subject, cause);
#else
    std::fprintf(stderr, "kymo: %s: %s\n", subject, cause);
    std::abort();
#endif
}

/* Selects the constructor of a result whose argument is a function that fills in the value and
 * returns the error: hot functions return without copying the value. */
struct filled {
};

/* Why an open failed. */
struct open_cause {
    kymo_diagnostic cause_ = {};
    char name_[KYMO_NAME_LIMIT + 1] = {};
};

} // namespace detail

/* Makes a result of an error: return kymo::failure{-ENODATA}; */
struct failure {
    int error;
};

/* A value, or the negative errno that explains its absence. */
template <typename T> class [[nodiscard]] result
{
  public:
    using value_type = T;

    result(T value) : value_(std::move(value))
    {
    }
    result(failure why) noexcept : error_(why.error)
    {
        assert(why.error < 0);
    }
    template <typename Fill> result(detail::filled, Fill &&fill)
    {
        error_ = fill(value_);
    }

    bool has_value() const noexcept
    {
        return error_ == 0;
    }
    explicit operator bool() const noexcept
    {
        return has_value();
    }
    /* 0, or a negative errno. */
    int error() const noexcept
    {
        return error_;
    }
    /* The error as a sentence: what is wrong and what to do. */
    const char *message() const noexcept
    {
        return kymo_error_text(error_);
    }
    std::error_code code() const noexcept
    {
        return {-error_, category()};
    }

    /* As std::optional: undefined without a value. */
    T *operator->() noexcept
    {
        assert(has_value());
        return &value_;
    }
    const T *operator->() const noexcept
    {
        assert(has_value());
        return &value_;
    }
    T &operator*() &noexcept
    {
        assert(has_value());
        return value_;
    }
    const T &operator*() const &noexcept
    {
        assert(has_value());
        return value_;
    }
    T &&operator*() &&noexcept
    {
        assert(has_value());
        return std::move(value_);
    }

    /* The value; throws kymo::error if there is none. */
    T &value() &
    {
        return require();
    }
    const T &value() const &
    {
        return const_cast<result *>(this)->require();
    }
    T &&value() &&
    {
        return std::move(require());
    }

    template <typename Other> T value_or(Other &&other) const &
    {
        return has_value() ? value_ : static_cast<T>(std::forward<Other>(other));
    }
    template <typename Other> T value_or(Other &&other) &&
    {
        return has_value() ? std::move(value_) : static_cast<T>(std::forward<Other>(other));
    }

  private:
    T &require()
    {
        if (KYMO_UNLIKELY(error_))
            detail::raise(error_, "no value", message());
        return value_;
    }

    T value_;
    int error_ = 0;
};

/* The result of functions without a value. */
template <> class [[nodiscard]] result<void>
{
  public:
    result() noexcept = default;
    result(failure why) noexcept : error_(why.error)
    {
    }

    bool has_value() const noexcept
    {
        return error_ == 0;
    }
    explicit operator bool() const noexcept
    {
        return has_value();
    }
    int error() const noexcept
    {
        return error_;
    }
    const char *message() const noexcept
    {
        return kymo_error_text(error_);
    }
    std::error_code code() const noexcept
    {
        return {-error_, category()};
    }
    /* Throws kymo::error on failure. */
    void value() const
    {
        if (KYMO_UNLIKELY(error_))
            detail::raise(error_, "failed", message());
    }

  private:
    int error_ = 0;
};

using status = result<void>;

/* A handle, or the error of its open with the cause: the option or field, its value, what is
 * allowed. A copy as a result<T> has only the error. */
template <typename T> class [[nodiscard]] opened : private detail::open_cause, public result<T>
{
  public:
    /* open: int(T &, kymo_diagnostic *) */
    template <typename Open>
    opened(const std::string &name, Open &&open)
        : result<T>(detail::filled{}, [&](T &handle) { return open(handle, &cause_); })
    {
        std::snprintf(name_, sizeof(name_), "%s", name.c_str());
    }
    /* The cause as a sentence; after a success "", or why a new generation replaced the old one
     * (kymo_writer_open_diagnosed). */
    const char *message() const noexcept
    {
        return cause_.text;
    }
    /* The handle; throws kymo::error with the segment's name and the cause if there is none. */
    T &value() &
    {
        require();
        return **this;
    }
    const T &value() const &
    {
        require();
        return **this;
    }
    T &&value() &&
    {
        require();
        return std::move(**this);
    }

  private:
    void require() const
    {
        if (!*this)
            detail::raise(this->error(), name_, message());
    }
};

} // namespace kymo

#endif
