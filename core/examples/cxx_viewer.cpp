/*
 * cxx_viewer.cpp - reads the newest frame of camera_writer in place, without a copy.
 *
 * The frame was written in place by a C program: run imu_writer and camera_writer first.
 */
#include <kymo/kymo.hpp>

#include <cstdio>

static double brightness(const kymo::frame &frame)
{
    double sum = 0;

    for (std::uint32_t y = 0; y < frame.geometry.height; y++)
        for (const std::byte pixel : frame.row(y))
            sum += std::to_integer<unsigned>(pixel);
    return sum / frame.geometry.width / frame.geometry.height;
}

int main()
{
    try {
        const kymo::frame_reader camera("camera");
        const auto view = camera.view_latest().value();
        const kymo::frame frame = camera.frame_of(view.payload());
        const double mean = brightness(frame);

        /* The camera may have overwritten the slot since: then this throws -ESTALE. */
        view.validate().value();
        std::printf("frame %u: %u x %u, brightness %.1f\n",
                    static_cast<unsigned>(view.record().tag), frame.geometry.width,
                    frame.geometry.height, mean);
    } catch (const std::system_error &error) {
        std::fprintf(stderr, "kymo: %s\n", error.what());
        return 1;
    }
    return 0;
}
