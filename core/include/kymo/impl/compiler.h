/*
 * compiler.h - what all headers need of the compiler: linkage, branch hints, test points.
 */
#ifndef KYMO_IMPL_COMPILER_H
#define KYMO_IMPL_COMPILER_H

/* One error for an older language: what follows compiles as C99, and the *.hpp are empty. */
#ifdef __cplusplus
#define KYMO_IMPL_CXX17 (__cplusplus >= 201703L)
#if !KYMO_IMPL_CXX17
#error "kymo requires C++17: compile with -std=c++17 or later"
#endif
#elif !defined(__STDC_VERSION__) || __STDC_VERSION__ < 201112L
#define static_assert _Static_assert
#error "kymo requires C11: compile with -std=c11 or later"
#endif

/* Positions and times are 64 bits wide, and loaded and stored as one word. */
#if !defined(__LP64__)
#error "kymo requires a 64-bit target"
#endif

#define KYMO_EXPORT __attribute__((visibility("default")))

/* inline.c compiles every inline body once more as a symbol, for bindings. */
#ifndef KYMO_INLINE
#define KYMO_INLINE static inline
#endif

/* A slow path: out of line, so that the compiler inlines the fast path that calls it. */
#define KYMO_IMPL_COLD static __attribute__((unused, noinline, cold))

#ifdef __cplusplus
#define KYMO_IMPL_NULL nullptr
#else
#define KYMO_IMPL_NULL NULL
#endif

/* A conversion of a number, or from void *, without a warning in either language. */
#ifdef __cplusplus
#define KYMO_IMPL_CAST(type, value) static_cast<type>(value)
#else
#define KYMO_IMPL_CAST(type, value) ((type)(value))
#endif

#define KYMO_LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define KYMO_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/*
 * A place where a test may stop, kill or count a process: directly after a side effect that another
 * process can see. Empty unless a test defines it; the layout never changes.
 */
#ifndef KYMO_TESTPOINT
#define KYMO_TESTPOINT(name) ((void)0)
#endif

/* 1 in a build for a thread sanitizer. */
#if defined(__SANITIZE_THREAD__)
#define KYMO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KYMO_TSAN 1
#endif
#endif
#ifndef KYMO_TSAN
#define KYMO_TSAN 0
#endif

#endif
