#include "daemon/worker/inject/fakes.h"
#include "tests/unit/check.h"

#include <math.h>

/* Draws places; asserts that all lie inside and apart. */
static size_t draw(long width, long height, double separation, size_t wanted, uint64_t index, double **x,
                   double **y)
{
    struct rng rng;
    rng_init(&rng, 11, 1, index);
    size_t count = places_draw(width, height, separation, wanted, &rng, x, y);
    for (size_t i = 0; i < count; i++) {
        assert_true((*x)[i] >= -0.5 && (*x)[i] <= (double)width - 0.5);
        assert_true((*y)[i] >= -0.5 && (*y)[i] <= (double)height - 0.5);
        for (size_t k = 0; k < i; k++)
            assert_true(fmax(fabs((*x)[i] - (*x)[k]), fabs((*y)[i] - (*y)[k])) > separation - 1e-6);
    }
    return count;
}

static void as_many_as_fit_keep_their_distance(void **state)
{
    (void)state;
    CLEANUP(free_ptr) double *x = NULL;
    CLEANUP(free_ptr) double *y = NULL;
    assert_int_equal(draw(1024, 600, 49.6, 0, 1, &x, &y), 20 * 11);
}

static void no_more_than_wanted(void **state)
{
    (void)state;
    for (size_t wanted = 1; wanted < 400; wanted += 57) {
        CLEANUP(free_ptr) double *x = NULL;
        CLEANUP(free_ptr) double *y = NULL;
        assert_int_equal(draw(1024, 1024, 49.6, wanted, wanted, &x, &y), wanted);
    }
}

static void a_separation_larger_than_the_brick_leaves_one(void **state)
{
    (void)state;
    CLEANUP(free_ptr) double *x = NULL;
    CLEANUP(free_ptr) double *y = NULL;
    assert_int_equal(draw(100, 100, 5000, 0, 1, &x, &y), 1);
}

/* chi^2 of 10 bins in x and y, and of the sub-pixel phase, over many bricks. */
static void every_place_is_as_likely(void **state)
{
    (void)state;
    enum { BINS = 10, BRICKS = 200 };
    double bins_x[BINS] = {0}, bins_y[BINS] = {0}, phases[BINS] = {0}, total = 0;
    for (uint64_t brick = 0; brick < BRICKS; brick++) {
        CLEANUP(free_ptr) double *x = NULL;
        CLEANUP(free_ptr) double *y = NULL;
        size_t count = draw(512, 512, 49.6, 0, brick, &x, &y);
        for (size_t i = 0; i < count; i++) {
            bins_x[(int)((x[i] + 0.5) / 512 * BINS) % BINS]++;
            bins_y[(int)((y[i] + 0.5) / 512 * BINS) % BINS]++;
            phases[(int)((x[i] + 0.5 - floor(x[i] + 0.5)) * BINS) % BINS]++;
            total++;
        }
    }
    for (int i = 0; i < BINS; i++) {
        double expected = total / BINS, room = 4.5 * sqrt(expected);
        assert_near(bins_x[i], expected, room);
        assert_near(bins_y[i], expected, room);
        assert_near(phases[i], expected, 4.5 * sqrt(10 * expected)); /* a lattice shares its phase */
    }
}

/* Also where the separation divides the side: 1300 px of the KiDS bricks are 26 times 50. */
static void one_brick_has_every_subpixel_phase(void **state)
{
    (void)state;
    enum { BINS = 4 };
    double phases[BINS] = {0};
    CLEANUP(free_ptr) double *x = NULL;
    CLEANUP(free_ptr) double *y = NULL;
    size_t count = draw(1300, 1300, 50, 0, 3, &x, &y);
    for (size_t i = 0; i < count; i++)
        phases[(int)((x[i] + 0.5 - floor(x[i] + 0.5)) * BINS) % BINS]++;
    for (int i = 0; i < BINS; i++)
        assert_near(phases[i], (double)count / BINS, 4.5 * sqrt((double)count / BINS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_fit_keep_their_distance),
        cmocka_unit_test(no_more_than_wanted),
        cmocka_unit_test(a_separation_larger_than_the_brick_leaves_one),
        cmocka_unit_test(every_place_is_as_likely),
        cmocka_unit_test(one_brick_has_every_subpixel_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
