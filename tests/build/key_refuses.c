/*
 * key_refuses.c - wrong types of keys and handles, which must not compile, one case at a time; the comment
 * of a case is a part of the expected error. Without a case the file compiles.
 */
#include <kymo/kymo.h>

KYMO_KEY_POLICY(imu);
KYMO_KEY_POLICY(camera);

struct reading {
    double temperature;
};
struct other_reading {
    double temperature;
};

KYMO_RING_TYPE(reading, struct reading);
KYMO_RING_TYPE(other_reading, struct other_reading);

int query(const struct kymo_reader *reader, struct imu_key imu, struct camera_key camera);
int query(const struct kymo_reader *reader, struct imu_key imu, struct camera_key camera)
{
    const uint64_t time = 12345;
    struct kymo_bracket bracket;
    struct kymo_record record;
    struct kymo_range range;
    struct reading one, other;
    int error = imu_key_closest(reader, imu, 10, &one, sizeof(one), &record) +
                camera_key_as_of(reader, camera, &one, sizeof(one), &record) +
                imu_key_bracket(reader, imu, &one, &other, sizeof(one), &bracket) +
                imu_key_range(reader, imu, imu, &range);

#ifdef BARE_NUMBER_TO_CLOSEST /* imu_key */
    error += imu_key_closest(reader, time, 10, &one, sizeof(one), &record);
#endif
#ifdef LITERAL_TO_CLOSEST /* imu_key */
    error += imu_key_closest(reader, 0, 10, &one, sizeof(one), &record);
#endif
#ifdef BARE_NUMBER_TO_AS_OF /* imu_key */
    error += imu_key_as_of(reader, time, &one, sizeof(one), &record);
#endif
#ifdef BARE_NUMBER_TO_BRACKET /* imu_key */
    error += imu_key_bracket(reader, time, &one, &other, sizeof(one), &bracket);
#endif
#ifdef BARE_NUMBER_TO_FRESH /* imu_key */
    error += imu_key_fresh(reader, time, &one, sizeof(one), &record);
#endif
#ifdef BARE_NUMBER_TO_RANGE /* imu_key */
    error += imu_key_range(reader, imu, time, &range);
#endif
#ifdef OTHER_POLICYS_KEY_TO_CLOSEST /* imu_key */
    error += imu_key_closest(reader, camera, 10, &one, sizeof(one), &record);
#endif
#ifdef OTHER_POLICYS_KEY_TO_AS_OF /* camera_key */
    error += camera_key_as_of(reader, imu, &one, sizeof(one), &record);
#endif
#ifdef OTHER_POLICYS_KEY_TO_RANGE /* imu_key */
    error += imu_key_range(reader, imu, camera, &range);
#endif
#ifdef KEY_FOR_A_NUMBER /* uint64_t|unsigned long */
    error += kymo_series_closest(reader, imu, 10, &one, sizeof(one), &record);
#endif
#ifdef KEY_MADE_FOR_ANOTHER_POLICY /* imu_key */
    error += imu_key_make(NULL, time, &camera);
#endif
#ifdef ASSIGNED_FROM_ANOTHER_POLICY /* imu_key|camera_key */
    imu = camera;
#endif
#ifdef READER_OF_ANOTHER_TYPE /* reading_reader */
    error += reading_latest((struct other_reading_reader *)0, &one, &record);
#endif
#ifdef RECORD_OF_ANOTHER_TYPE /* reading */
    error += other_reading_latest((struct other_reading_reader *)0, &one, &record);
#endif
#ifdef UNTYPED_READER /* reading_reader */
    error += reading_latest(reader, &one, &record);
#endif
    return error + (time == 0);
}

#ifdef TOO_STRICTLY_ALIGNED /* the largest alignment of a slot is a page */
struct strict {
    char bytes[8192];
} __attribute__((aligned(8192)));
KYMO_RING_TYPE(strict, struct strict);
#endif
