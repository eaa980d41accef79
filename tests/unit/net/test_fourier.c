/* Every length against the sum of the definition, in double precision. */
#include "daemon/worker/net/fourier.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <math.h>

enum { WIDTH = FOURIER_WIDTH };

static void fill(float *values, int count)
{
    struct rng rng;
    rng_init(&rng, 1, 1, (uint64_t)count);
    for (int i = 0; i < count; i++)
        values[i] = (float)rng_normal(&rng);
}

static void sum_of_definition(const float *x, int length, int k, int lane, double *re, double *im)
{
    *re = *im = 0;
    for (int n = 0; n < length; n++) {
        double c = cos(2 * M_PI * n * k / length), s = -sin(2 * M_PI * n * k / length);
        *re += x[n * WIDTH + lane] * c - x[n * WIDTH + 8 + lane] * s;
        *im += x[n * WIDTH + lane] * s + x[n * WIDTH + 8 + lane] * c;
    }
}

static void check_length(int length)
{
    static float in[WIDTH * FOURIER_LENGTH_MAX], out[WIDTH * FOURIER_LENGTH_MAX];
    struct fourier fourier;
    fourier_init(&fourier, length);
    fill(in, WIDTH * length);
    fourier_forward(&fourier, in, WIDTH, out, WIDTH);
    for (int k = 0; k < length; k++) {
        for (int lane = 0; lane < 8; lane++) {
            double re, im;
            sum_of_definition(in, length, k, lane, &re, &im);
            assert_near(out[k * WIDTH + lane], re, 1e-6 * sqrt(length));
            assert_near(out[k * WIDTH + 8 + lane], im, 1e-6 * sqrt(length));
        }
    }
}

static bool able(void)
{
#if defined __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return true;
#endif
}

static void fourier_equals_the_definition(void **state)
{
    (void)state;
    if (!able())
        skip();
    int lengths = 0;
    for (int length = fourier_length(4); length; length = fourier_length(length + 1), lengths++)
        check_length(length);
    assert_int_equal(lengths, 37); /* even, up to 256, with the factors 2, 3 and 5 */
}

static void fourier_inverse_goes_back(void **state)
{
    (void)state;
    if (!able())
        skip();
    enum { LENGTH = 72 };
    float x[WIDTH * LENGTH], spectrum[WIDTH * LENGTH], back[WIDTH * LENGTH];
    struct fourier fourier;
    fourier_init(&fourier, LENGTH);
    fill(x, WIDTH * LENGTH);
    fourier_forward(&fourier, x, WIDTH, spectrum, WIDTH);
    fourier_inverse(&fourier, spectrum, WIDTH, back, WIDTH);
    for (int i = 0; i < WIDTH * LENGTH; i++)
        assert_near(back[i] / LENGTH, x[i], 2e-6);
}

static void fourier_length_is_the_next_that_can_be_done(void **state)
{
    (void)state;
    assert_int_equal(fourier_length(67), 72);
    assert_int_equal(fourier_length(35), 36);
    assert_int_equal(fourier_length(19), 20);
    assert_int_equal(fourier_length(256), 256);
    assert_int_equal(fourier_length(257), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fourier_equals_the_definition),
        cmocka_unit_test(fourier_inverse_goes_back),
        cmocka_unit_test(fourier_length_is_the_next_that_can_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
