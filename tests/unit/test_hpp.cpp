/*
 * test_hpp.cpp - the C++ handles: ownership, results equal to those of the C functions, and what C++ adds.
 */
#include <kymo/kymo.hpp>

#include "test.h"

#include <cstring>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

struct imu {
    float accel[3];
    std::uint32_t count;
    double temperature;
};

KYMO_SCHEMA_OF(imu, KYMO_FIELD(imu, accel, "m/s^2", "acceleration along x, y, z"),
               KYMO_FIELD_COUNTER(imu, count, "", "readings so far"),
               KYMO_FIELD(imu, temperature, "degC", "of the chip"));

/* As large as an imu, with other fields; and one without a default constructor. */
struct triple {
    double x, y, z;
};
KYMO_SCHEMA_OF(triple, KYMO_FIELD(triple, x, "", ""), KYMO_FIELD(triple, y, "", ""),
               KYMO_FIELD(triple, z, "", ""));

struct made {
    explicit made(int value) : number(value)
    {
    }
    int number;
};

struct wide {
    alignas(64) double x[8];
};

namespace
{

const kymo::options user = kymo::options().clock(KYMO_USER).depth(8);

imu reading(std::uint32_t number)
{
    const auto x = static_cast<float>(number);

    return {{x, -x, x / 2}, number, 20.0 + number};
}

/* Record `number` of every test: its time is 100 * number, its tag 7 * number. */
template <typename Writer> void publish(Writer &writer, std::uint32_t from, std::uint32_t to)
{
    for (std::uint32_t i = from; i < to; i++)
        cr_assert_eq(writer.publish(reading(i), 100 * i, 7 * i).error(), 0);
}

bool is_record(const kymo::record<imu> &found, std::uint32_t number)
{
    const imu expected = reading(number);

    return found.pos == number && found.time == 100 * number && found.tag == 7 * number &&
           found.len == sizeof(imu) && std::memcmp(&found.data, &expected, sizeof(imu)) == 0;
}

/* The result of opening a name: 0, or the error. */
template <typename Handle> int open_error(const char *name)
{
    return Handle::open(name).error();
}

} // namespace

/* ---- results ---- */

Test(hpp, results_hold_value_or_error)
{
    kymo::result<int> five = 5;
    const kymo::result<int> none = kymo::failure{-ENODATA};

    cr_assert(five);
    cr_assert(five.has_value());
    cr_assert_eq(*five, 5);
    cr_assert_eq(five.error(), 0);
    cr_assert_eq(five.value_or(7), 5);
    cr_assert_eq(five.value(), 5);
    *five = 6;
    cr_assert_eq(std::move(five).value(), 6);

    cr_assert(!none);
    cr_assert_eq(none.error(), -ENODATA);
    cr_assert_eq(none.value_or(7), 7);
    cr_assert_str_eq(none.message(), kymo_error_text(-ENODATA));
    cr_assert(none.code() == std::errc::no_message_available);
    cr_assert_str_eq(none.code().category().name(), "kymo");
    cr_assert(none.code().message() == kymo_error_text(-ENODATA));
}

Test(hpp, void_results_hold_success_or_error)
{
    const kymo::status good;
    const kymo::status bad = kymo::failure{-EBUSY};

    cr_assert(good);
    good.value();
    cr_assert(!bad);
    cr_assert_eq(bad.error(), -EBUSY);
    cr_assert_str_eq(bad.message(), kymo_error_text(-EBUSY));
    cr_assert(bad.code() == std::errc::device_or_resource_busy);
}

Test(hpp, value_throws_without_value)
{
    int caught = 0;

    try {
        static_cast<void>(kymo::result<int>(kymo::failure{-ESTALE}).value());
    } catch (const kymo::error &error) {
        caught += error.code().value() == ESTALE;
    }
    try {
        kymo::status(kymo::failure{-EACCES}).value();
    } catch (const std::system_error &error) {
        caught += error.code() == std::errc::permission_denied;
    }
    cr_assert_eq(caught, 2);
}

Test(hpp, results_move_noncopyable_values)
{
    kymo::result<std::unique_ptr<int>> owner = std::make_unique<int>(3);
    const std::unique_ptr<int> taken = *std::move(owner);

    cr_assert_eq(*taken, 3);
    cr_assert_null(owner->get());
    cr_assert_null(
        kymo::result<std::unique_ptr<int>>(kymo::failure{-EPERM}).value_or(nullptr).get());
}

/* ---- rings ---- */

Test(hpp, ring_reads_back_what_was_published)
{
    kymo::ring<imu>::writer writer("hpp", user);
    const kymo::ring<imu>::reader reader("hpp");

    cr_assert_eq(reader.latest().error(), -ENODATA);
    publish(writer, 0, 5);
    cr_assert(is_record(*reader.latest(), 4));
    cr_assert(is_record(*reader.back(3), 1));
    cr_assert(is_record(*reader.at(2), 2));
    cr_assert_eq(reader.at(5).error(), -ENODATA);
    cr_assert_eq(reader.latest()->data.count, 4);
    cr_assert_eq(reader.latest().value_or(reading(9)).data.count, 4);
    publish(writer, 5, 20);
    cr_assert_eq(reader.at(2).error(), -ESTALE);
    cr_assert_eq(reader.at(2).value_or(reading(9)).data.count, 9);
    cr_assert_eq(writer.publish(reading(0), 1899).error(), -EINVAL, "time went backwards");

    cr_assert_eq(reader.head(), 20);
    cr_assert_eq(writer.head(), 20);
    cr_assert_eq(reader.written(), 20);
    cr_assert_eq(reader.depth(), 8);
    cr_assert_eq(reader.available(), 7);
    cr_assert_eq(reader.clock(), KYMO_USER);
    cr_assert(writer.remove());
}

Test(hpp, constructors_throw_what_open_returns)
{
    bool caught = false;

    cr_assert_eq(open_error<kymo::reader<imu>>("nothing"), -ENOENT);
    try {
        const kymo::reader<imu> reader("nothing");
    } catch (const kymo::error &error) {
        caught = error.code() == std::errc::no_such_file_or_directory &&
                 std::strcmp(error.what(), "nothing: no such segment") == 0;
    }
    cr_assert(caught);
    cr_assert_eq(kymo::writer<imu>::open("a/b").error(), -EINVAL);
    cr_assert_eq(kymo::writer<imu>::open_existing("nothing").error(), -ENOENT);
    cr_assert_eq(open_error<kymo::loader>("nothing"), -ENOENT);
    cr_assert_eq(open_error<kymo::consumer<imu>>("nothing"), -ENOENT);
}

/* The message of a failed open, and what() of its exception with the segment's name. */
template <typename Open> static void expect_cause(Open &&open, int error, const std::string &cause)
{
    auto opened = open();
    std::string what;

    cr_assert_eq(opened.error(), error);
    cr_assert(cause == opened.message(), "%s", opened.message());
    try {
        static_cast<void>(open().value());
    } catch (const kymo::error &thrown) {
        what = thrown.what();
    }
    cr_assert(what == "cause: " + cause, "%s", what.c_str());
}

Test(hpp, opens_provide_their_diagnostic)
{
    const kymo_geometry odd = {3, 3, 3, KYMO_NV12, 0, {}};
    const kymo::writer<imu> writer("cause", user);

    expect_cause([] { return kymo::writer<imu>::open("cause", kymo::options(user).depth(3)); },
                 -EINVAL, "depth: 3 is not a power of two from 2 to 2^40 (0: the default)");
    expect_cause([] { return kymo::reader<triple>::open("cause"); }, -EPROTONOSUPPORT,
                 "field at offset 0: \"accel\" in the segment, \"x\" here");
    expect_cause([] { return kymo::consumer<imu>::open("cause"); }, -EINVAL,
                 "kind: the segment is a ring, and a consumer needs a queue");
    expect_cause([&] { return kymo::frame_writer::open("cause", odd); }, -EINVAL,
                 "geometry: 3 by 3 pixels: nv12 needs an even width and height");
    expect_cause([] { return kymo::loader::open("cause", 99); }, -EINVAL,
                 "max_buffers: 99 is not from 3 to 64 (0: 8)");
    const auto opened = kymo::reader<imu>::open("cause");

    cr_assert_str_eq(opened.message(), "");
    cr_assert_eq(opened.value().depth(), 8);
}

Test(hpp, moved_handles_are_empty)
{
    kymo::writer<imu> first("hpp", user);
    kymo::writer<imu> second = std::move(first);
    kymo::reader<imu> reader;

    static_assert(!std::is_copy_constructible_v<kymo::writer<imu>>, "it closes twice");
    static_assert(!std::is_copy_assignable_v<kymo::reader<imu>>, "it closes twice");
    static_assert(!std::is_copy_constructible_v<kymo::loan<imu>>, "it ends twice");
    static_assert(!std::is_copy_constructible_v<kymo::snapshot>, "it is unpinned twice");
    static_assert(std::is_nothrow_move_constructible_v<kymo::writer<imu>>, "moving throws");
    cr_assert(!first);
    cr_assert(second);
    cr_assert(!reader);
    publish(second, 0, 1);
    reader = kymo::reader<imu>("hpp");

    kymo::cursor<imu> cursor = reader.cursor_oldest();
    const kymo::view<imu> view = *reader.view_latest();
    const kymo::reader<imu> moved = std::move(reader);
    cr_assert(is_record(*cursor.next(), 0), "a cursor outlives the move of its reader");
    cr_assert_eq(view.validate().error(), 0);

    cr_assert_eq(open_error<kymo::writer<imu>>("hpp"), -EBUSY);
    second = kymo::writer<imu>();
    cr_assert_eq(kymo::writer<imu>::open_existing("hpp").error(), 0,
                 "assignment closes the previous handle");
    cr_assert_eq(*moved.liveness(), KYMO_LIVE_CLOSED);
    cr_assert(kymo::segment::remove("hpp"));
    first.close();
}

Test(hpp, ring_opens_only_its_own_layout)
{
    kymo::writer<imu> writer("hpp", user);
    kymo::options wrong = kymo::options().size(16);

    cr_assert_eq(open_error<kymo::reader<triple>>("hpp"), -EPROTONOSUPPORT);
    cr_assert_eq(open_error<kymo::reader<double>>("hpp"), -EMSGSIZE);
    cr_assert_eq(open_error<kymo::reader<imu>>("hpp"), 0);
    cr_assert_eq(kymo::writer<imu>::open("other", wrong).error(), -EINVAL);
    cr_assert(kymo_schema_same(&writer.info()->schema, kymo::schema_of<imu>::get()) == 1);
    cr_assert(writer.remove());

    kymo::writer<wide> aligned("wide");
    cr_assert_eq(reinterpret_cast<std::uintptr_t>(&**aligned.loan()) % 64, 0);
    cr_assert_eq(aligned.info()->alignment, 64);
    cr_assert(aligned.remove());
}

Test(hpp, ring_takes_types_without_a_default)
{
    kymo::writer<made> writer("hpp", user);
    const kymo::reader<made> reader("hpp");

    cr_assert_eq(reader.latest().value_or(made(2)).data.number, 2);
    cr_assert(writer.publish(made(3), 0));
    cr_assert_eq(reader.latest()->data.number, 3);
    cr_assert(writer.remove());
}

Test(hpp, loans_are_aborted_unless_committed)
{
    kymo::writer<imu> writer("hpp", user);
    const kymo::reader<imu> reader("hpp");

    {
        auto abandoned = writer.loan();
        cr_assert(abandoned);
        (*abandoned)->count = 9;
        cr_assert_eq(writer.publish(reading(0), 0).error(), -EINVAL, "a slot is loaned");
    }
    cr_assert_eq(reader.latest().error(), -ENODATA);

    kymo::loan<imu> lent = writer.loan().value();
    kymo::loan<imu> taken = std::move(lent);
    *taken = reading(0);
    cr_assert_eq(lent.commit(0).error(), -EINVAL, "it was moved from");
    cr_assert(taken.commit(0, 0));
    cr_assert_eq(taken.commit(0).error(), -EINVAL, "it was committed");
    cr_assert(is_record(*reader.latest(), 0));

    auto late = writer.loan();
    publish(writer, 1, 1);
    *late.value() = reading(1);
    cr_assert(late->commit(100, 7));
    auto early = writer.loan();
    cr_assert_eq(early->commit(99).error(), -EINVAL);
    cr_assert(early->commit(200), "the loan remains after an error");
    cr_assert_eq(writer.info()->aborted, 1);
    cr_assert(writer.remove());
}

Test(hpp, views_validate)
{
    kymo::writer<imu> writer("hpp", user);
    const kymo::reader<imu> reader("hpp");

    cr_assert_eq(reader.view_latest().error(), -ENODATA);
    publish(writer, 0, 4);
    const auto view = reader.view_back(1);
    cr_assert(view);
    cr_assert_eq((*view)->count, 2);
    cr_assert_eq(view->record().time, 200);
    cr_assert(view->validate());
    cr_assert_eq(*view->read([](const imu &now) { return now.count; }), 2);
    const auto lapped = view->read([&](const imu &now) {
        publish(writer, 4, 12);
        return now.count;
    });
    cr_assert_eq(lapped.error(), -ESTALE);
    cr_assert_eq(view->validate().error(), -ESTALE);
    cr_assert_eq(reader.view_at(2).error(), -ESTALE);
    cr_assert(writer.remove());
}

Test(hpp, cursors_count_what_they_missed)
{
    kymo::writer<imu> writer("hpp", user);
    const kymo::reader<imu> reader("hpp");

    publish(writer, 0, 2);
    kymo::cursor<imu> all = reader.cursor_oldest();
    kymo::cursor<imu> latest = reader.cursor_newest();
    kymo_stats stats = {};
    cr_assert_eq(latest.next().error(), -ENODATA);
    cr_assert(is_record(*all.next(), 0));
    cr_assert_eq(all.missed(), 0);
    cr_assert_eq(all.pos(), 1);
    publish(writer, 2, 22);
    const auto next = all.next(stats);
    cr_assert(next);
    cr_assert(is_record(*next, static_cast<std::uint32_t>(next->pos)));
    cr_assert_eq(all.missed(), next->pos - 1);
    cr_assert_eq(stats.reads, 1);
    cr_assert_eq(stats.missed, all.missed());
    cr_assert(all.wait(0ms));
    while (all.next())
        ;
    cr_assert_eq(all.wait(kymo::deadline::past()).error(), -ETIMEDOUT);
    cr_assert(writer.remove());
    cr_assert_eq(all.next().error(), -EIDRM);
    cr_assert(reader.retired());
}

Test(hpp, ring_refuses_a_record_of_another_length)
{
    kymo::writer<imu> writer("hpp", user);
    const kymo::reader<imu> reader("hpp");

    cr_assert_eq(kymo_ring_publish(writer.raw(), "short", 5, 0, 0), 0);
    cr_assert_eq(reader.latest().error(), -EMSGSIZE);
    cr_assert_eq(reader.view_latest().error(), -EMSGSIZE);
    cr_assert_eq(reader.closest(0).error(), -EMSGSIZE);
    cr_assert_eq(reader.bracket(0).error(), -EMSGSIZE);
    kymo::aligned part(reader);
    cr_assert_eq(*kymo::align(0, part), 0);
    cr_assert_eq(part.error(), -EMSGSIZE);
    cr_assert(writer.remove());
}

/* ---- time ---- */

Test(hpp, queries_times)
{
    kymo::writer<imu> writer("hpp", user);
    const kymo::reader<imu> reader("hpp");

    publish(writer, 0, 6);
    cr_assert(is_record(*reader.closest(240), 2));
    cr_assert(is_record(*reader.closest(240, 40ns), 2));
    cr_assert_eq(reader.closest(240, 39ns).error(), -ERANGE);
    cr_assert(is_record(*reader.as_of(499), 4));
    cr_assert(is_record(*reader.fresh(500), 5));
    cr_assert_eq(reader.fresh(501).error(), -ETIME);
    const auto range = reader.range(100, 350);
    cr_assert_eq(range->first, 1);
    cr_assert_eq(range->count, 3);
    cr_assert_eq(range->truncated, 0);
    cr_assert_eq(reader.range(2, 1).error(), -EINVAL);
    cr_assert(writer.remove());
}

Test(hpp, searches_by_tag_and_key)
{
    kymo::writer<imu> writer("keys", user);
    kymo::reader<imu> reader("keys");

    cr_assert_eq(reader.find_tag(0).error(), -ENODATA);
    publish(writer, 0, 20); /* 13 to 19 remain */
    cr_assert_eq(reader.find_tag(7 * 15).value(), 15);
    cr_assert_eq(reader.at_tag(7 * 15)->data.count, 15);
    cr_assert_eq(reader.at_tag(7 * 15 + 1).error(), -ENOMSG);
    cr_assert_eq(reader.at_tag(7 * 20).error(), -ENODATA);
    cr_assert_eq(reader.at_tag(7 * 12).error(), -ESTALE);
    cr_assert_eq(reader.find_key(&imu::count, 16u).value(), 16);
    cr_assert_eq(reader.at_key(&imu::temperature, 37.0)->data.count, 17);
    cr_assert_eq(reader.at_key([](const imu &one) { return 2 * one.count; }, 28u)->pos, 14);
    cr_assert_eq(reader.at_key(&imu::temperature, 37.5).error(), -ENOMSG);
    cr_assert_eq(reader.at_key(&imu::count, 3u).error(), -ESTALE);
}

Test(hpp, brackets_interpolate)
{
    kymo::writer<imu> writer("hpp", user);
    const kymo::reader<imu> reader("hpp");

    publish(writer, 0, 6);
    const auto pair = reader.bracket(325);
    cr_assert(is_record(pair->before, 3));
    cr_assert(is_record(pair->after, 4));
    cr_assert_float_eq(pair->alpha, 0.25, 1e-9);
    cr_assert_float_eq(pair->interpolate(&imu::temperature), 23.25, 1e-9);
    cr_assert_float_eq(pair->interpolate(&imu::count), 3.25, 1e-9);
    cr_assert_float_eq(pair->interpolate([](const imu &at) { return at.accel[1]; }), -3.25, 1e-9);
    cr_assert_eq(reader.bracket(501).error(), -EDOM);
    cr_assert(writer.remove());
}

Test(hpp, times_convert)
{
    const auto steady = std::chrono::steady_clock::now();
    const auto system = std::chrono::system_clock::now();

    /* kymo::now() and the C++ clocks return the same time. */
    cr_assert_leq(kymo::time_of(steady), kymo::now());
    cr_assert_lt(kymo::now() - kymo::time_of(steady), 60000000000u);
    cr_assert_lt(kymo::now(KYMO_REALTIME) - kymo::time_of(system), 60000000000u);
    cr_assert(kymo::steady_time(kymo::time_of(steady)) == steady);
    cr_assert(kymo::system_time(kymo::time_of(system)) == system);
    cr_assert(kymo::duration_of(1500) == 1500ns);
    cr_assert(kymo::duration_of(UINT64_MAX) == std::chrono::nanoseconds::max());
    cr_assert_eq(kymo::time_of(std::chrono::system_clock::time_point(-1s)), 0);
}

Test(hpp, deadlines_are_absolute)
{
    const auto point = std::chrono::steady_clock::now() + 3s;
    const std::uint64_t before = kymo::now();
    const kymo::deadline soon = 5ms;

    cr_assert_geq(soon.time(), before + 5000000);
    cr_assert_leq(soon.time(), kymo::now() + 5000000);
    cr_assert_eq(kymo::deadline(point).time(), kymo::time_of(point));
    cr_assert_eq(kymo::deadline::forever().time(), KYMO_FOREVER);
    cr_assert_eq(kymo::deadline::past().time(), 0);
    cr_assert_eq(kymo::deadline(-5s).time(), 0);
    cr_assert_eq(kymo::deadline(std::chrono::hours::max()).time(), KYMO_FOREVER);
    cr_assert_eq(kymo::deadline(std::chrono::nanoseconds::max()).time(), KYMO_FOREVER);
}

Test(hpp, wait_any_returns_the_index)
{
    kymo::writer<imu> one("one", user), two("two", user);
    const kymo::reader<imu> first("one"), second("two");

    cr_assert_eq(kymo::wait_any({{first, 0}, {second, 0}}, 0ms).error(), -ETIMEDOUT);
    publish(two, 0, 1);
    cr_assert_eq(*kymo::wait_any({{first, 0}, {second, 0}}), 1);
    cr_assert_eq(kymo::wait_any({}, 0ms).error(), -EINVAL);
    cr_assert(one.remove());
    cr_assert(two.remove());
}

Test(hpp, align_queries_several_rings)
{
    kymo::writer<imu> motion("motion", user);
    kymo::writer<double> height("height", user);
    const kymo::reader<imu> motions("motion");
    const kymo::reader<double> heights("height");

    publish(motion, 0, 6);
    cr_assert(height.publish(1.5, 150));
    cr_assert(height.publish(2.5, 290));
    kymo::aligned pair(motions, KYMO_ALIGN_BRACKET);
    kymo::aligned closest(heights, KYMO_ALIGN_CLOSEST, 50ns);
    kymo::aligned as_of(heights, KYMO_ALIGN_AS_OF);
    cr_assert(!pair, "no query yet");
    cr_assert_eq(*kymo::align(240, pair, closest, as_of), 3);
    cr_assert(is_record(pair.pair().before, 2));
    cr_assert(is_record(pair.pair().after, 3));
    cr_assert_float_eq(pair.pair().interpolate(&imu::temperature), 22.4, 1e-9);
    cr_assert(pair.distance() == 60ns);
    cr_assert_float_eq(closest->data, 2.5, 0);
    cr_assert(closest.distance() == 50ns);
    cr_assert_float_eq(as_of->data, 1.5, 0);
    cr_assert_eq(*kymo::align(1000, pair, closest, as_of), 1);
    cr_assert_eq(pair.error(), -EDOM);
    cr_assert_eq(closest.error(), -ERANGE);
    cr_assert(as_of);

    kymo::writer<imu> other("other", kymo::options().clock(KYMO_REALTIME));
    const kymo::reader<imu> others("other");
    kymo::aligned stranger(others);
    cr_assert_eq(kymo::align(240, pair, stranger).error(), -EINVAL, "two clocks");
    cr_assert(motion.remove());
    cr_assert(height.remove());
    cr_assert(other.remove());
}

/* ---- keys ---- */

struct strict;

Test(hpp, keys_validate_their_times)
{
    using key = kymo::key<strict>;
    namespace rule = kymo::validator;
    const auto plausible = rule::plausible(KYMO_MONOTONIC, 1h, 1s);

    cr_assert(key::make(kymo::now(), plausible));
    cr_assert_eq(key::make(kymo::now() + 60000000000u, plausible).error(), -ERANGE);
    cr_assert_eq(key::make(kymo::now(KYMO_REALTIME), plausible).error(), -ERANGE);
    cr_assert_eq(key::make(5, rule::range(1, 5))->time(), 5);
    cr_assert_eq(key::make(6, rule::range(1, 5)).error(), -ERANGE);
    cr_assert(key::make(90, rule::proximity(100, 10ns)));
    cr_assert_eq(key::make(111, rule::proximity(100, 10ns)).error(), -ERANGE);

    const auto even = [](std::uint64_t time) { return time % 2 == 0; };
    const auto denied = [](std::uint64_t) { return -EPERM; };
    cr_assert(key::make(4, even));
    cr_assert_eq(key::make(5, even).error(), -ERANGE);
    cr_assert_eq(key::make(4, denied).error(), -EPERM);
    cr_assert(key::make(4, even, rule::range(1, 5)));
    cr_assert_eq(key::make(6, even, rule::range(1, 5)).error(), -ERANGE);
    cr_assert(key::make(4, rule::all_of(even, rule::range(1, 5))));
    cr_assert_eq(key::make(5, rule::all_of(even, denied)).error(), -ERANGE, "the first error");
    cr_assert_eq(key::make(4, rule::all_of(even, denied)).error(), -EPERM);
}

Test(hpp, readers_with_a_policy_take_its_keys)
{
    using key = kymo::key<strict>;
    kymo::writer<imu> writer("hpp", user);
    const kymo::reader<imu, strict> reader("hpp");

    publish(writer, 0, 6);
    const key at = *key::make(240, kymo::validator::range(0, 500));
    cr_assert(is_record(*reader.closest(at), 2));
    cr_assert(is_record(*reader.as_of(at), 2));
    cr_assert(is_record(reader.bracket(at)->before, 2));
    cr_assert(is_record(*reader.fresh(at), 5));
    cr_assert_eq(reader.range(at, at)->count, 0);
    cr_assert(is_record(*reader.latest(), 5));
    kymo::aligned part(reader);
    cr_assert_eq(*kymo::align(at, part), 1);
    cr_assert(is_record(*part, 2));
    cr_assert(writer.remove());
}

/* ---- values and queues ---- */

Test(hpp, values_are_stored_and_loaded)
{
    kymo::value<imu>::writer writer("hpp");
    const kymo::value<imu>::reader reader("hpp");

    cr_assert_eq(reader.load_wait(0, 0ms).error(), -ETIMEDOUT);
    cr_assert(writer.store(reading(1), 1));
    cr_assert_eq(reader.load()->data.count, 1);
    cr_assert(writer.store(reading(2), 2));
    cr_assert_eq(reader.load_wait(1)->data.count, 2);
    cr_assert_eq(reader.load_wait(2, 1ms).error(), -ETIMEDOUT);
    cr_assert_eq(reader.info()->kind, KYMO_VALUE);
    cr_assert_eq(reader.depth(), 2);
    cr_assert(writer.remove());
}

Test(hpp, values_wake_another_process)
{
    kymo::value_writer<imu> writer("hpp");
    const pid_t child = fork();
    int status = -1;

    if (child == 0) {
        const auto reader = kymo::value_reader<imu>::open("hpp");
        std::uint64_t seen = 0;

        while (reader && seen < 50) {
            const auto found = reader->load_wait(seen, 30s);
            if (!found || found->data.count != found->pos)
                _exit(1);
            seen = found->pos + 1;
        }
        _exit(seen == 50 ? 0 : 2);
    }
    for (std::uint32_t i = 0; i < 50; i++)
        cr_assert(writer.store(reading(i), i));
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert(writer.remove());
}

Test(hpp, queues_hand_over_everything)
{
    kymo::queue<imu>::producer producer("hpp", user);
    kymo::queue<imu>::consumer consumer("hpp");
    kymo_info info = *producer.info();

    cr_assert_eq(info.kind, KYMO_QUEUE);
    cr_assert_eq(consumer.receive().error(), -ENODATA);
    cr_assert_eq(consumer.wait(0ms).error(), -ETIMEDOUT);
    for (std::uint32_t i = 0; i < 8; i++)
        cr_assert(producer.push(reading(i), 100 * i, 7 * i));
    cr_assert_eq(producer.push(reading(8), 800, 0, 0ms).error(), -ETIMEDOUT, "full");
    cr_assert_eq(producer.publish(reading(8), 800).error(), -EAGAIN, "full");
    cr_assert(is_record(*consumer.receive(), 0));
    cr_assert(is_record(*consumer.receive(), 1));
    cr_assert(consumer.wait_for_producer(false));
    cr_assert_eq(consumer.waiting(), 8);
    consumer.acknowledge();
    cr_assert_eq(consumer.waiting(), 6);
    cr_assert(is_record(*consumer.pop(), 2));
    cr_assert(is_record(*consumer.receive(), 3));

    consumer = kymo::consumer<imu>();
    cr_assert_eq(open_error<kymo::consumer<triple>>("hpp"), -EPROTONOSUPPORT);
    cr_assert_eq(open_error<kymo::consumer<double>>("hpp"), -EMSGSIZE);
    consumer = kymo::consumer<imu>("hpp");
    cr_assert(is_record(*consumer.pop(), 3), "an unacknowledged record is delivered again");
    producer.close();
    for (std::uint32_t i = 4; i < 8; i++)
        cr_assert(is_record(*consumer.pop(), i));
    cr_assert_eq(consumer.pop(10s).error(), -EPIPE);
    consumer.close();
    cr_assert(kymo::segment::remove("hpp"));
}

/* ---- bytes, frames, loaders ---- */

Test(hpp, publishes_bytes_of_any_length)
{
    kymo::options how = user;
    kymo::bytes_writer writer("hpp", how.size(64));
    const kymo::bytes_reader reader("hpp");
    const std::string hello = "hello", longest(64, 'x');
    std::vector<char> buffer(64);

    cr_assert(writer.publish(hello, 1, 9));
    const auto record = reader.latest(buffer);
    cr_assert_eq(record->len, 5);
    cr_assert_eq(record->tag, 9);
    cr_assert_eq(std::string(buffer.data(), record->len), hello);
    cr_assert_eq(reader.latest(kymo::mutable_bytes(buffer).part(0, 4)).error(), -EMSGSIZE);
    cr_assert(writer.publish(longest, 2));
    cr_assert_eq(writer.publish(longest + "x", 3).error(), -EMSGSIZE);
    cr_assert_eq(reader.back(1, buffer)->time, 1);
    cr_assert_eq(reader.at(1, buffer)->len, 64);

    auto loan = writer.loan();
    cr_assert_eq(loan->room().size(), 64);
    loan->room()[0] = std::byte{7};
    cr_assert_eq(loan->commit(65, 4).error(), -EMSGSIZE);
    cr_assert(loan->commit(1, 4));
    const auto view = reader.view_latest();
    cr_assert_eq(view->payload().size(), 1);
    cr_assert(view->payload()[0] == std::byte{7});
    cr_assert(view->validate());
    cr_assert_eq(*reader.find_closest(3, 1ns), 1);
    cr_assert_eq(reader.find_closest(9, 1ns).error(), -ERANGE);
    cr_assert_eq(*reader.find_as_of(3), 1);
    cr_assert_eq(reader.view_at(1)->record().len, 64);
    cr_assert_eq(reader.range(2, 4)->count, 2);
    cr_assert(writer.remove());
}

Test(hpp, spans_stay_within_their_bytes)
{
    const double numbers[2] = {1, 2};
    const kymo::bytes all(reinterpret_cast<const std::byte *>(numbers), sizeof(numbers));

    cr_assert_eq(all.part(8, 100).size(), 8);
    cr_assert_eq(all.part(8, 100).data(), all.data() + 8);
    cr_assert_eq(all.part(17, 1).size(), 0);
    cr_assert(kymo::bytes().empty());
    cr_assert_eq(kymo::bytes(std::vector<double>(3)).size(), 24);
    cr_assert_eq(all.end() - all.begin(), 16);
}

Test(hpp, frames_have_rows)
{
    const kymo_geometry geometry = kymo::geometry(KYMO_NV12, 6, 4, 8).value();
    kymo::frame_writer writer("hpp", geometry, user);
    const kymo::frame_reader reader("hpp");

    cr_assert_eq(kymo::geometry(KYMO_NV12, 5, 4).error(), -EINVAL);
    cr_assert_eq(kymo::frame_writer::open("none", {}).error(), -EINVAL);
    auto loan = writer.loan();
    const kymo::mutable_frame &frame = loan->frame();
    cr_assert_eq(reinterpret_cast<std::uintptr_t>(frame.pixels.data()) % 4096, 0);
    cr_assert_eq(frame.planes(), 2);
    for (std::uint32_t y = 0; y < 4; y++)
        for (std::byte &pixel : frame.row(y))
            pixel = std::byte(y);
    for (std::byte &pixel : frame.row(1, 1))
        pixel = std::byte{99};
    cr_assert(loan->commit(5, 17));

    const auto view = reader.view_latest();
    const kymo::frame seen = reader.frame_of(view->payload());
    cr_assert_eq(view->record().tag, 17);
    cr_assert_eq(seen.geometry.width, 6);
    cr_assert_eq(seen.row(3).size(), 6);
    cr_assert(seen.row(3)[5] == std::byte{3});
    cr_assert_eq(seen.row(1, 1).data(), seen.pixels.data() + 4 * 8 + 8);
    cr_assert(seen.row(1, 1)[0] == std::byte{99});
    cr_assert(seen.row(4).empty());
    cr_assert(seen.row(0, 2).empty());
    cr_assert(view->validate());
    cr_assert(writer.remove());

    kymo::writer<imu> no_image("imu");
    cr_assert_eq(open_error<kymo::frame_reader>("imu"), -EPROTONOSUPPORT);
    cr_assert(no_image.remove());
}

Test(hpp, snapshots_do_not_change)
{
    kymo::writer<imu> writer("hpp", user);
    kymo::loader loader("hpp");

    cr_assert_eq(loader.pin().error(), -ENODATA);
    cr_assert_eq(loader.pin_wait(0, 1ms).error(), -ETIMEDOUT);
    publish(writer, 0, 1);
    kymo::snapshot first = *loader.pin_current(10s);
    publish(writer, 1, 30);
    kymo::snapshot last = *loader.pin_wait(first.load(), 10s);
    while (last.record().pos < 29)
        last = *loader.pin_wait(last.load(), 10s);
    cr_assert_gt(last.load(), first.load());
    cr_assert_eq(first.as<imu>()->count, 0);
    cr_assert_eq(first.record().pos, 0);
    cr_assert_eq(last.as<imu>()->count, 29);
    cr_assert_eq(last.payload().size(), sizeof(imu));
    cr_assert_null(last.as<double>());
    kymo::snapshot moved = std::move(last);
    cr_assert_eq(moved.as<imu>()->count, 29);
    first.unpin();
    moved = std::move(first);
    cr_assert_geq(loader.stats().loaded, 2);
    cr_assert_eq(kymo::loader::open("hpp", 2).error(), -EINVAL);
    cr_assert(writer.remove());
}

/* ---- segments ---- */

Test(hpp, manages_segments_by_name)
{
    {
        kymo::owned<kymo::writer<imu>> gone("prefix.gone", user);
        kymo::owned<kymo::writer<imu>> moved = std::move(gone);
        kymo::writer<imu> stays("prefix.stays", user);
        const kymo::any_reader reader("prefix.stays");

        cr_assert(*kymo::segment::exists("prefix.gone"));
        const auto listed = kymo::segment::list("prefix.");
        cr_assert_eq(listed->size(), 2);
        cr_assert_str_eq((*listed)[1].name.c_str(), "prefix.stays");
        cr_assert_eq((*listed)[1].error, 0);
        cr_assert_eq(kymo::segment::list("none")->size(), 0);
        cr_assert_eq(*reader.liveness(), KYMO_LIVE_ALIVE);
        cr_assert(stays.heartbeat());
        cr_assert_neq(reader.info()->heartbeat, 0);
        cr_assert_eq(kymo::segment::remove("prefix.stays").error(), -EBUSY);
    }
    cr_assert_not(*kymo::segment::exists("prefix.gone"), "it was removed by its owner");
    cr_assert_eq(*kymo::segment::reap("prefix.stays"), false, "its writer ended cleanly");
    cr_assert(kymo::segment::remove("prefix.stays"));
    cr_assert_eq(kymo::segment::remove("prefix.stays").error(), -ENOENT);
    cr_assert_eq(kymo::segment::exists("a/b").error(), -EINVAL);
}

Test(hpp, dead_segments_are_reaped)
{
    const pid_t child = fork();
    int status = 0;

    if (child == 0) {
        kymo::writer<imu> writer("hpp", user);
        _exit(writer.publish(reading(0), 0).error());
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(*kymo::any_reader("hpp").liveness(), KYMO_LIVE_DEAD);
    cr_assert(*kymo::segment::reap("hpp"));
    cr_assert_not(*kymo::segment::exists("hpp"));
}

Test(hpp, guard_catches_truncation)
{
    const kymo::guard guard;
    kymo::writer<imu> writer("hpp", user);
    const kymo::reader<imu> reader("hpp");
    const std::string path = std::string(kymo_directory()) + "/hpp";

    publish(writer, 0, 1);
    writer.close();
    cr_assert_eq(truncate(path.c_str(), 0), 0);
    cr_assert_eq(reader.latest().error(), -EBADMSG);
    cr_assert_geq(kymo::guard::caught(), 1);
    unlink(path.c_str());
}

Test(hpp, counters_and_prefault_are_available)
{
    kymo::writer<imu> writer("hpp", user);
    kymo::reader<imu> reader("hpp");
    kymo_stats stats = {};

    cr_assert_eq(reader.latest(stats).error(), -ENODATA);
    publish(writer, 0, 1);
    cr_assert(reader.latest(stats));
    cr_assert_eq(reader.wait(1, 1ms, stats).error(), -ETIMEDOUT);
    cr_assert_eq(stats.reads, 1);
    cr_assert_eq(stats.failures, 1);
    cr_assert_eq(stats.timeouts, 1);
    cr_assert_gt(reader.prefault(KYMO_PREFAULT)->resident, 0);
    cr_assert_eq(writer.prefault(1u << 31).error(), -EINVAL);
    cr_assert_eq(writer.set_lock_timeout(1s).error(), -EINVAL, "it does not share");
    cr_assert(writer.remove());
}

Test(hpp, writers_share)
{
    const kymo::options shared = kymo::options(user).shared_writer().time_policy(KYMO_CLAMP);
    kymo::writer<imu> one("hpp", shared), two("hpp", shared);

    cr_assert(one.set_lock_timeout(2s));
    cr_assert(one.publish(reading(0), 0));
    cr_assert(two.publish(reading(1), 1));
    cr_assert(one.publish(reading(2), 2));
    cr_assert_eq(one.head(), 3);
    two.close();
    cr_assert(one.remove());
}

Test(hpp, records_render_as_json)
{
    kymo::writer<triple> writer("hpp", user);

    cr_assert(writer.publish({1, 2.5, -3}, 5, 6));
    const auto record = kymo::reader<triple>("hpp").latest();
    cr_assert(kymo::to_json(*record) ==
              "{\"pos\":0,\"time\":5,\"tag\":6,\"data\":{\"x\":1,\"y\":2.5,\"z\":-3}}");
    cr_assert(writer.remove());
}
