/*
 * test.h - the include file of all tests: Criterion, or a small runner with the same macros where Criterion cannot run (with ThreadSanitizer, on emulated machines).
 *
 * Tests use only the macros below. Each test runs in a separate process, one after another; KYMO_DIR is private to the program (private_directory.c). In C++ a test has no options.
 */
#ifndef KYMO_TEST_H
#define KYMO_TEST_H

#ifndef KYMO_PLAIN_TESTS

#include <criterion/criterion.h>

#else

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct plain_options {
    void (*init)(void); /* run before the test, in its process */
    void (*fini)(void); /* and after it */
    double timeout;     /* seconds; 0: none */
    int signal;         /* the test must end by this signal */
    int exit_code;      /* or with this status */
    int disabled;
    int end; /* ends the list of a test's options, so that it may be empty */
};

struct plain_test {
    const char *suite;
    const char *name;
    void (*run)(void);
    struct plain_options options;
    struct plain_test *next;
};

/* test_main.c: adds the test, in order of definition. */
void plain_register(struct plain_test *test);
/* Fails and ends the test unless `holds`. Prints the expression and the message. */
void plain_check(int holds, const char *file, int line, const char *expression, const char *format,
                 ...);
/* Skips and ends the test. */
__attribute__((noreturn)) void plain_skip(const char *format, ...);

#ifdef __cplusplus
} /* extern "C" */

/* Without options: C++17 has no designated initializers. */
#define Test(suite_, name_)                                                                        \
    static void suite_##_##name_##_run();                                                          \
    static plain_test suite_##_##name_##_test = {#suite_, #name_, suite_##_##name_##_run, {}, {}}; \
    __attribute__((constructor)) static void suite_##_##name_##_register()                         \
    {                                                                                              \
        plain_register(&suite_##_##name_##_test);                                                  \
    }                                                                                              \
    static void suite_##_##name_##_run()

#else

#define Test(...) PLAIN_TEST(__VA_ARGS__, .end = 0)
#define PLAIN_TEST(suite_, name_, ...)                                         \
    static void suite_##_##name_##_run(void);                                  \
    static struct plain_test suite_##_##name_##_test = {                       \
        .suite = #suite_,                                                      \
        .name = #name_,                                                        \
        .run = suite_##_##name_##_run,                                         \
        .options = {__VA_ARGS__},                                              \
    };                                                                         \
    __attribute__((constructor)) static void suite_##_##name_##_register(void) \
    {                                                                          \
        plain_register(&suite_##_##name_##_test);                              \
    }                                                                          \
    static void suite_##_##name_##_run(void)

#endif

/* The empty string after each list is the message if there is none, and an unused argument otherwise. */
#define PLAIN_IS(condition, ...) \
    plain_check(!!(condition), __FILE__, __LINE__, #condition, __VA_ARGS__)
#define PLAIN_COMPARE(relation, one, other, ...)                                         \
    plain_check((one)relation(other), __FILE__, __LINE__, #one " " #relation " " #other, \
                __VA_ARGS__)
#define PLAIN_STRINGS(relation, one, other, ...) \
    PLAIN_IS(strcmp(one, other) relation 0, __VA_ARGS__)
#define PLAIN_BYTES(one, other, size, ...) PLAIN_IS(memcmp(one, other, size) == 0, __VA_ARGS__)
#define PLAIN_FLOATS(one, other, epsilon, ...) \
    PLAIN_IS((one) - (other) <= (epsilon) && (other) - (one) <= (epsilon), __VA_ARGS__)

#define cr_assert(...)          PLAIN_IS(__VA_ARGS__, "")
#define cr_assert_not(...)      PLAIN_IS(!__VA_ARGS__, "")
#define cr_assert_null(...)     PLAIN_IS(NULL == __VA_ARGS__, "")
#define cr_assert_not_null(...) PLAIN_IS(NULL != __VA_ARGS__, "")
#define cr_assert_eq(...)       PLAIN_COMPARE(==, __VA_ARGS__, "")
#define cr_assert_neq(...)      PLAIN_COMPARE(!=, __VA_ARGS__, "")
#define cr_assert_lt(...)       PLAIN_COMPARE(<, __VA_ARGS__, "")
#define cr_assert_leq(...)      PLAIN_COMPARE(<=, __VA_ARGS__, "")
#define cr_assert_gt(...)       PLAIN_COMPARE(>, __VA_ARGS__, "")
#define cr_assert_geq(...)      PLAIN_COMPARE(>=, __VA_ARGS__, "")
#define cr_assert_str_eq(...)   PLAIN_STRINGS(==, __VA_ARGS__, "")
#define cr_assert_str_neq(...)  PLAIN_STRINGS(!=, __VA_ARGS__, "")
#define cr_assert_arr_eq(...)   PLAIN_BYTES(__VA_ARGS__, "")
#define cr_assert_float_eq(...) PLAIN_FLOATS(__VA_ARGS__, "")
#define cr_expect               cr_assert
#define cr_expect_not           cr_assert_not
#define cr_expect_not_null      cr_assert_not_null
#define cr_expect_eq            cr_assert_eq
#define cr_expect_neq           cr_assert_neq
#define cr_assert_fail(...)     plain_check(0, __FILE__, __LINE__, "failed", __VA_ARGS__)
#define cr_skip_test(...)       plain_skip(__VA_ARGS__)

#endif
#endif
