/*
 * cxx_reader.cpp - reads the segments of cxx_writer: waits for values, consumes alarms, and searches the
 * ring with validated times.
 */
#include "sensor.hpp"

#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

/* Opens a segment; waits up to 10 s for the writer to create it. */
template <typename Handle> Handle open(const char *name)
{
    auto handle = Handle::open(name);

    for (int tries = 0; handle.error() == -ENOENT && tries < 1000; tries++) {
        std::this_thread::sleep_for(10ms);
        handle = Handle::open(name);
    }
    return std::move(handle).value();
}

static void watch(const kymo::value_reader<sample> &state)
{
    std::uint64_t seen = 0;
    int loads = 0;

    /* Each result is a value or an error; here -EIDRM, once the writer's `owned` has removed the
     * segment. */
    auto latest = state.load_wait(seen, 10s);
    for (; latest; latest = state.load_wait(seen, 10s)) {
        seen = latest->pos + 1;
        loads++;
    }
    std::printf("state: %s, the last load after %s\n", loads > 0 ? "seen" : "never seen",
                latest.error() == -EIDRM ? "removal" : latest.message());
}

static void consume_alarms()
{
    auto alarms = open<kymo::consumer<sample>>("joint.alarms");
    int count = 0;

    for (auto alarm = alarms.pop(10s); alarm; alarm = alarms.pop(10s))
        count++;
    std::printf("alarms: %d\n", count);
}

static void query()
{
    using key = kymo::key<joint_time>;
    const kymo::reader<sample, joint_time> ring("joint");
    const auto first = ring.cursor_oldest().next().value();
    const auto newest = ring.latest().value();
    const auto middle = first.time + (newest.time - first.time) / 2;

    /* Only a validated time compiles in the queries below; a time in ms or of another clock is
     * rejected here. */
    const auto plausible = kymo::validator::plausible(KYMO_MONOTONIC, 10s, 1s);
    const key then = key::make(middle, plausible).value();
    std::printf("milliseconds: %s\n",
                key::make(middle / 1000000, plausible) ? "accepted" : "rejected");

    if (const auto closest = ring.closest(then, 50ms))
        std::printf("closest: found\n");
    if (const auto pair = ring.bracket(then)) {
        const double angle = pair->interpolate(&sample::angle);

        std::printf("bracket: %s\n",
                    pair->before.data.angle <= angle && angle <= pair->after.data.angle
                        ? "the angle is between"
                        : "the angle is outside");
    }
    std::printf("newest: %u\n", newest.data.number);
}

int main()
{
    try {
        const auto state = open<kymo::value_reader<sample>>("joint.state");
        std::thread consumer(consume_alarms);

        watch(state);
        consumer.join();
        query();
    } catch (const std::system_error &error) {
        std::fprintf(stderr, "kymo: %s\n", error.what());
        return 1;
    }
    return 0;
}
