#include "common/rng.h"
#include "daemon/worker/cutouts/match.h"
#include "tests/unit/check.h"

#include <math.h>

enum { COUNT = 300, STREAM = 1 };

static void draw(uint64_t index, size_t count, double side, double *x, double *y)
{
    struct rng rng;
    rng_init(&rng, 7, STREAM, index);
    for (size_t i = 0; i < count; i++) {
        x[i] = rng_range(&rng, 0, side);
        y[i] = rng_range(&rng, 0, side);
    }
}

/* Of all pairs left, the nearest: the definition, in cubic time. */
static void match_slowly(const double *ax, const double *ay, const double *bx, const double *by,
                         double radius, long *partner)
{
    bool taken[COUNT] = {false};
    for (int i = 0; i < COUNT; i++)
        partner[i] = -1;
    for (;;) {
        double best = radius;
        int from = -1, to = -1;
        for (int i = 0; i < COUNT; i++) {
            for (int k = 0; partner[i] < 0 && k < COUNT; k++) {
                double apart = hypot(ax[i] - bx[k], ay[i] - by[k]);
                if (!taken[k] && apart <= best && (from < 0 || apart < best)) {
                    best = apart;
                    from = i;
                    to = k;
                }
            }
        }
        if (from < 0)
            return;
        partner[from] = to;
        taken[to] = true;
    }
}

static void nearest_pairs_are_taken_first_and_once(void **state)
{
    (void)state;
    for (uint64_t trial = 0; trial < 4; trial++) {
        double ax[COUNT], ay[COUNT], bx[COUNT], by[COUNT], separation[COUNT];
        long partner[COUNT], expected[COUNT];
        draw(2 * trial, COUNT, 100, ax, ay);
        draw(2 * trial + 1, COUNT, 100, bx, by);
        struct points from = {COUNT, ax, ay, NULL}, to = {COUNT, bx, by, NULL};
        assert_int_equal(match_nearest(&from, &to, 5, partner, separation, NULL), 0);
        match_slowly(ax, ay, bx, by, 5, expected);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(partner[i], expected[i]);
            if (partner[i] >= 0)
                assert_near(separation[i], hypot(ax[i] - bx[partner[i]], ay[i] - by[partner[i]]), 0);
            else
                assert_true(isnan(separation[i]));
        }
    }
}

static void unusable_and_unplaced_points_match_nothing(void **state)
{
    (void)state;
    const double ax[] = {1, NAN, 5}, ay[] = {1, 1, 5}, bx[] = {1, 1.5, NAN}, by[] = {1, 1, 5};
    const bool usable[] = {false, true, true};
    struct points from = {3, ax, ay, NULL}, to = {3, bx, by, usable};
    long partner[3];
    double separation[3];
    assert_int_equal(match_nearest(&from, &to, 2, partner, separation, NULL), 0);
    assert_true(partner[0] == 1 && partner[1] == -1 && partner[2] == -1);
}

static void neighbours_are_the_nearest_other_point(void **state)
{
    (void)state;
    double x[COUNT], y[COUNT], distance[COUNT];
    draw(99, COUNT, 50, x, y);
    x[10] = x[20];
    y[10] = y[20];
    struct points points = {COUNT, x, y, NULL};
    assert_int_equal(match_neighbours(&points, distance, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        double best = INFINITY;
        for (int k = 0; k < COUNT; k++)
            best = k == i ? best : fmin(best, hypot(x[i] - x[k], y[i] - y[k]));
        assert_near(distance[i], best, 0);
    }
    points.count = 1;
    assert_int_equal(match_neighbours(&points, distance, NULL), 0);
    assert_true(isnan(distance[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_pairs_are_taken_first_and_once),
        cmocka_unit_test(unusable_and_unplaced_points_match_nothing),
        cmocka_unit_test(neighbours_are_the_nearest_other_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
