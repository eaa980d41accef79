/* The input's loops against their definitions. What they make of whole stamps is test_input.c's. */
#include "daemon/worker/net/pixels.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <math.h>

enum { COUNT_MAX = 21, CHANNELS_MAX = 11, STRIDE = COUNT_MAX + 3 };

static void check_planes(size_t count, int channels)
{
    float pixels[COUNT_MAX * CHANNELS_MAX], planes[STRIDE * CHANNELS_MAX], back[COUNT_MAX * CHANNELS_MAX + 1];
    size_t size = count * (size_t)channels;
    for (size_t i = 0; i < size; i++)
        pixels[i] = (float)i;
    back[size] = -1;
    pixels_part(pixels, count, channels, planes, STRIDE);
    for (size_t i = 0; i < size; i++)
        assert_true(planes[i % (size_t)channels * STRIDE + i / (size_t)channels] == pixels[i]);
    pixels_join(planes, STRIDE, count, channels, back);
    assert_memory_equal(back, pixels, size * sizeof *back);
    assert_true(back[size] == -1);
}

static void planes_are_every_channels_pixels(void **state)
{
    (void)state;
    for (size_t count = 1; count <= COUNT_MAX; count++) {
        for (int channels = 1; channels <= CHANNELS_MAX; channels++)
            check_planes(count, channels);
    }
}

static int compare(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

/* spread: in powers of e */
static void check_median(struct rng *rng, size_t count, double spread, double bad)
{
    static float values[5000], positive[5000];
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] = rng_uniform(rng) < bad ? 0 : (float)exp(spread * rng_normal(rng));
        positive[good] = values[i];
        good += values[i] > 0;
    }
    qsort(positive, good, sizeof *positive, compare);
    assert_true(pixels_median(values, count) == (good ? positive[(good - 1) / 2] : 0));
}

static void median_is_the_middle_one_sorted(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3, 0, 0);
    for (size_t count = 1; count < 5000; count += 1 + count / 3) {
        check_median(&rng, count, 0, 0.1);
        check_median(&rng, count, 0.3, 0);
        check_median(&rng, count, 15, 0.5);
        check_median(&rng, count, 1, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_are_every_channels_pixels),
        cmocka_unit_test(median_is_the_middle_one_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
