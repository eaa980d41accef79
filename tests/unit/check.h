/* What every cmocka test includes. */
#ifndef DECOY_TESTS_CHECK_H
#define DECOY_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A fresh directory, the caller's to free; under $TMPDIR or /tmp. */
static inline char *check_directory(void)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(4096);
    snprintf(path, 4096, "%s/decoy-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

#define assert_contains(text, part)                                                                          \
    do {                                                                                                     \
        if (!strstr((text), (part)))                                                                         \
            fail_msg("\"%s\" does not contain \"%s\"", (text), (part));                                      \
    } while (0)

#define assert_near(a, b, tolerance)                                                                         \
    do {                                                                                                     \
        double a_ = (a), b_ = (b);                                                                           \
        if (!(a_ - b_ <= (tolerance) && b_ - a_ <= (tolerance)))                                             \
            fail_msg("%s = %.12g is not within %g of %.12g", #a, a_, (double)(tolerance), b_);               \
    } while (0)

#endif
