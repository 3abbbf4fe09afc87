/*
 * cxx_writer.cpp - publishes a joint's samples into a ring, its state as a value, its alarms into a
 * queue.
 *
 * Run cxx_reader beside it.
 */
#include "sensor.hpp"

#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

static sample measure(std::uint32_t number)
{
    return {0.001 * number, {1.0f, 2.0f, 0.5f}, number};
}

static void run()
{
    /* A reader of these names must open this type, or gets an error. A constructor throws the error
     * that open() would return. The destructor of `owned` removes the value's segment. */
    kymo::ring<sample>::writer ring("joint", kymo::options().depth(1024).existing(KYMO_REPLACE));
    kymo::owned<kymo::value_writer<sample>> state("joint.state");
    kymo::queue<sample>::producer alarms("joint.alarms", kymo::options().depth(4));

    for (std::uint32_t number = 0; number < 500; number++) {
        const sample now = measure(number);
        const auto time = kymo::time_of(std::chrono::steady_clock::now());

        /* value() throws on an error; none is expected here. */
        ring.publish(now, time).value();
        state.store(now, time).value();
        if (number % 50 == 0)
            alarms.push(now, time, 0, 10s).value();
        std::this_thread::sleep_for(1ms);
    }

    /* Filled in place, in the slot; the destructor aborts a loan that is not committed. */
    kymo::loan<sample> last = ring.loan().value();
    *last = measure(500);
    last.commit(kymo::now()).value();
}

int main()
{
    try {
        run();
    } catch (const std::system_error &error) {
        std::fprintf(stderr, "kymo: %s\n", error.what());
        return 1;
    }
    return 0;
}
