#include "common/rng.h"
#include "tests/unit/check.h"

#include <math.h>

static void rng_is_philox_with_the_published_vector(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 0, 0, 0); /* known-answer test of Random123: philox4x32 10, counter 0, key 0 */
    assert_int_equal(rng_u32(&rng), 0x6627e8d5);
    assert_int_equal(rng_u32(&rng), 0xe169c58d);
    assert_int_equal(rng_u32(&rng), 0xbc57ac4c);
    assert_int_equal(rng_u32(&rng), 0x9b00dbd8);
}

static void rng_normal_has_unit_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct rng rng;
    double sum = 0, squares = 0, fourth = 0;
    rng_init(&rng, 7, 1, 2);
    for (int i = 0; i < N; i++) {
        double x = rng_normal(&rng);
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
    }
    assert_near(sum / N, 0, 5 / sqrt(N));
    assert_near(squares / N, 1, 5 * sqrt(2.0 / N));
    assert_near(fourth / N, 3, 5 * sqrt(96.0 / N));
}

static void rng_below_is_uniform(void **state)
{
    (void)state;
    struct rng rng;
    int count[7] = {0};
    rng_init(&rng, 1, 2, 3);
    for (int i = 0; i < 70000; i++)
        count[rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_near(count[i], 10000, 5 * sqrt(10000));
}

static void rng_shuffle_keeps_every_item(void **state)
{
    (void)state;
    struct rng rng;
    uint64_t items[100], seen = 0;
    for (uint64_t i = 0; i < 100; i++)
        items[i] = i;
    rng_init(&rng, 9, 0, 0);
    rng_shuffle(&rng, items, 100);
    for (int i = 0; i < 100; i++)
        seen += items[i] * items[i];
    assert_int_equal(seen, 328350);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng_is_philox_with_the_published_vector),
        cmocka_unit_test(rng_normal_has_unit_moments),
        cmocka_unit_test(rng_below_is_uniform),
        cmocka_unit_test(rng_shuffle_keeps_every_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
