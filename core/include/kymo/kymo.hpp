/*
 * kymo.hpp - the library for C++17: handles that own, results that carry their error, and rings,
 * values and queues of one C++ type. Header only, over the same inline bodies as C.
 *
 *     struct imu { float accel[3]; double temperature; };
 *
 *     kymo::writer<imu> writer("imu", kymo::options().depth(256));
 *     writer.publish(reading, kymo::now()).value();
 *
 *     kymo::reader<imu> reader("imu");
 *     if (auto found = reader.closest(time, 5ms))
 *         use(found->data.temperature, found->time);
 *
 * A type T goes through shared memory as its bytes: it must be trivially copyable and of standard
 * layout, and hold no pointers.
 *
 * Errors. Every class that opens something has `open`, which returns a result, and a constructor,
 * which throws kymo::error (a std::system_error). Nothing else throws but value(), on a result
 * without one. Compiled without exceptions, these print their message and abort instead. Errors are
 * negative errno as in C: each function returns those of its namesake there.
 *
 * Handles move and do not copy; one that was moved from, or made by the default constructor, is
 * empty and good for nothing but assignment, close() and a look at operator bool. Views, loans,
 * cursors and snapshots must not outlive the handle that they came from; moving that handle is
 * fine. Who may use what beside whom is as in C: readers and loaders any number of threads at once,
 * everything else one thread at a time.
 *
 * Times are std::uint64_t, ns on the segment's clock, as in C; distances and ages are
 * std::chrono::nanoseconds, so that one can't be taken for the other; deadlines are kymo::deadline.
 */
#ifndef KYMO_KYMO_HPP
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
