/*
 * kymo.hpp - the library for C++17: handles that own, results that carry their error, and rings,
 * values and queues of one C++ type. Header only, over the same inline bodies as C.
 *
 *     #include <kymo/kymo.hpp>
 *
 *     struct imu {
 *         float accel[3];
 *         double temperature;
 *     };
 *
 *     inline double temperature_near(std::uint64_t time)
 *     {
 *         kymo::reader<imu> reader("imu");
 *         const auto found = reader.closest(time, std::chrono::milliseconds(5));
 *
 *         return found ? found->data.temperature : 0;
 *     }
 *
 * A type T is copied through shared memory as bytes: it must be trivially copyable and of standard
 * layout, and contain no pointers.
 *
 * Errors. Every class that opens something has `open`, which returns a result, and a constructor,
 * which throws kymo::error (a std::system_error). The only other function that throws is value(),
 * on a result without a value. Compiled without exceptions, both print the message and abort
 * instead. Errors are negative errno as in C: each function returns those of the C function of that
 * name.
 *
 * Handles are movable and not copyable; a moved-from or default-constructed handle is empty, and
 * only assignment, close() and operator bool are allowed. Views, loans, cursors and snapshots must
 * not outlive their handle; moving that handle is allowed. Concurrency is as in C: any number of
 * threads may use a reader or a loader at once; every other object belongs to one thread at a time.
 *
 * Times are std::uint64_t, ns on the segment's clock, as in C; distances and ages are
 * std::chrono::nanoseconds, so that one cannot be passed for the other; deadlines are
 * kymo::deadline.
 *
 * Promises (A to K): kymo(7).
 */
#include <kymo/impl/compiler.h>

#if !defined(KYMO_KYMO_HPP) && KYMO_IMPL_CXX17
#define KYMO_KYMO_HPP

#include <kymo/align.hpp>
#include <kymo/bytes.hpp>
#include <kymo/image.hpp>
#include <kymo/key.hpp>
#include <kymo/kymo.h>
#include <kymo/loader.hpp>
#include <kymo/queue.hpp>
#include <kymo/record.hpp>
#include <kymo/result.hpp>
#include <kymo/ring.hpp>
#include <kymo/segment.hpp>
#include <kymo/time.hpp>
#include <kymo/value.hpp>

#endif
