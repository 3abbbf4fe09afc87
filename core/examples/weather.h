/*
 * weather.h - the value that value_writer publishes and value_reader reads.
 */
#ifndef KYMO_EXAMPLE_WEATHER_H
#define KYMO_EXAMPLE_WEATHER_H

#include <kymo/kymo.h>

struct weather {
    double temperature;
    double pressure;
    uint32_t station;
};

/* The fields let other programs decode the segment: kymo get weather, or the files of kymofs. */
static const struct kymo_field weather_fields[] = {
    KYMO_FIELD(struct weather, temperature, "degC", "outdoors, in the shade"),
    KYMO_FIELD(struct weather, pressure, "hPa", "reduced to sea level"),
    KYMO_FIELD(struct weather, station, "", "number of the station"),
};
static const struct kymo_schema weather_schema = KYMO_SCHEMA(struct weather, weather_fields);

#endif
