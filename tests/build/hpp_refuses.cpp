/*
 * hpp_refuses.cpp - uses of kymo.hpp that must not compile, one case at a time; the comment of a case is a
 * part of the expected error. Without a case the file compiles.
 */
#include <kymo/kymo.hpp>

#include <string>

struct reading {
    double temperature;
};
struct one_policy;
struct other_policy;

const kymo::reader<reading, one_policy> keyed;
const kymo::reader<reading> unkeyed;
const kymo::key<other_policy> *other = nullptr;
const kymo::key<one_policy> *one = nullptr;

#ifdef NOT_TRIVIAL /* must be trivially copyable */
kymo::writer<std::string> writer;
#endif

#ifdef NOT_STANDARD_LAYOUT /* must be of standard layout */
struct base {
    int x;
};
struct derived : base {
    int y;
};
kymo::reader<derived> reader;
#endif

#ifdef POINTER /* a pointer means nothing to another process */
kymo::consumer<const char *> consumer;
#endif

#ifdef CONSTANT /* neither const nor volatile */
kymo::value_writer<const int> writer;
#endif

#ifdef SNAPSHOT_OF_WHAT_IS_NOT_PLAIN /* must be trivially copyable */
const void *look(const kymo::snapshot &snapshot)
{
    return snapshot.as<std::string>();
}
#endif

#ifdef BARE_NUMBER_FOR_KEY /* closest */
auto found = keyed.closest(12345);
#endif

#ifdef OTHER_POLICYS_KEY /* closest */
auto found = keyed.closest(*other);
#endif

#ifdef KEY_FOR_NUMBER /* closest */
auto found = unkeyed.closest(*one);
#endif

#ifdef KEY_FROM_NUMBER /* private */
kymo::key<one_policy> key(12345);
#endif

#ifdef KEY_WITHOUT_RULE /* a key takes at least one rule */
auto key = kymo::key<one_policy>::make(12345);
#endif

#ifdef COPY /* deleted */
kymo::writer<reading> first;
kymo::writer<reading> second = first;
#endif

#ifdef DISTANCE_WITHOUT_UNIT /* closest */
auto found = unkeyed.closest(12345, 100);
#endif

#ifdef IGNORED_STATUS /* nodiscard */
void publish(kymo::writer<reading> &writer)
{
    writer.publish({20}, 0);
}
#endif

#ifdef OTHER_TYPE /* publish */
auto status = kymo::writer<reading>().publish(std::string("20"), 0);
#endif

#ifdef FIELD_OF_NO_NUMBER /* a kymo field is a number */
struct named {
    reading inner;
};
KYMO_SCHEMA_OF(named, KYMO_FIELD(named, inner, "", ""));
kymo::writer<named> writer("named");
#endif

int main()
{
    return keyed || unkeyed || other || one;
}
