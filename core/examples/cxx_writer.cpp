/*
 * cxx_writer.cpp - a joint's samples into a ring, its state as a value, its alarms into a queue.
 *
 * Start cxx_reader beside it.
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
    /* Whoever opens these names gets this type, or an error. A constructor throws what open()
     * would have returned. The value goes with its writer. */
    kymo::ring<sample>::writer ring("joint", kymo::options().depth(1024).existing(KYMO_REPLACE));
    kymo::owned<kymo::value_writer<sample>> state("joint.state");
    kymo::queue<sample>::producer alarms("joint.alarms", kymo::options().depth(4));

    for (std::uint32_t number = 0; number < 500; number++) {
        const sample now = measure(number);
        const auto time = kymo::time_of(std::chrono::steady_clock::now());

        /* value() throws where there was an error: here, none is expected. */
        ring.publish(now, time).value();
        state.store(now, time).value();
        if (number % 50 == 0)
            alarms.push(now, time, 0, 10s).value();
        std::this_thread::sleep_for(1ms);
    }

    /* In place: filled in the slot itself, given back unless it is committed. */
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
