/* What every cmocka test includes. */
#ifndef DECOY_TESTS_CHECK_H
#define DECOY_TESTS_CHECK_H

#include <ftw.h>
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

/* Where the process's directories are, and whose it is: a child that was forked must not take them away. */
static struct {
    char path[4096];
    pid_t owner;
} check_scratch;

static inline int check_unlink(const char *path, const struct stat *unused, int kind, struct FTW *walk)
{
    (void)unused, (void)kind, (void)walk;
    remove(path);
    return 0;
}

static inline void check_clean(void)
{
    if (check_scratch.owner == getpid())
        nftw(check_scratch.path, check_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* A fresh directory, its name the caller's to free; under $TMPDIR or /tmp, and removed when the process ends. */
static inline char *check_directory(void)
{
    if (!check_scratch.owner) {
        const char *base = getenv("TMPDIR");
        snprintf(check_scratch.path, sizeof check_scratch.path, "%s/decoy-test-XXXXXX", base ? base : "/tmp");
        assert_non_null(mkdtemp(check_scratch.path));
        check_scratch.owner = getpid();
        atexit(check_clean);
    }
    char *path = malloc(sizeof check_scratch.path + 8);
    sprintf(path, "%s/XXXXXX", check_scratch.path);
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
