/*
 * typed_cxx.cpp - the same ring type from C++17.
 */
#include "typed_imu.h"

static int answer_latest(imu_reader *reader, imu_writer *writer)
{
    imu_reading reading;
    kymo_record record;
    int error = imu_latest(reader, &reading, &record);

    if (error)
        return error;
    reading.temperature += 1;
    return imu_publish(writer, &reading, record.time, record.tag);
}

extern "C" int typed_cxx_answer(const char *name, const char *answer)
{
    const kymo_options options = {};
    imu_reader *reader = nullptr;
    imu_writer *writer = nullptr;
    int error = imu_reader_open(&reader, name);

    if (!error)
        error = imu_writer_open(&writer, answer, &options);
    if (!error)
        error = answer_latest(reader, writer);
    imu_writer_close(writer);
    imu_reader_close(reader);
    return error;
}
