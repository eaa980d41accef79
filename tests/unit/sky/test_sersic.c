#include "daemon/worker/sky/hankel.h"
#include "daemon/worker/sky/psf.h"
#include "daemon/worker/sky/sersic.h"
#include "tests/unit/check.h"

#include <math.h>

static struct hankel *hankel;

static int open_hankel(void **state)
{
    (void)state;
    return hankel_create(&hankel, NULL);
}

static int close_hankel(void **state)
{
    (void)state;
    hankel_destroy(hankel);
    return 0;
}

/* Flux within r, by the trapezoid rule in ln r. */
static double flux_within(double n, double r)
{
    double sum = 0, step = 0.002;
    for (double u = log(r) - 14; u < log(r); u += step)
        sum += 2 * M_PI * exp(2 * (u + 0.5 * step)) * sersic_brightness(n, exp(u + 0.5 * step)) * step;
    return sum;
}

static void half_the_flux_lies_within_the_half_light_radius(void **state)
{
    (void)state;
    static const double ns[] = {0.5, 0.8, 1, 1.7, 2.5, 4, 6};
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
        assert_near(flux_within(ns[i], 1), 0.5, ns[i] < 1 ? 2e-4 : 2e-5);
        assert_near(flux_within(ns[i], 3000), 1, 2e-3);
    }
}

static void radius_holds_all_but_the_fraction_asked_for(void **state)
{
    (void)state;
    static const double ns[] = {0.5, 1, 4};
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
        assert_near(1 - flux_within(ns[i], sersic_radius(ns[i], 0.01)), 0.01, 1e-3);
        assert_near(sersic_radius(ns[i], 0.5), 1, 0.03);
    }
}

static void transforms_of_gaussian_and_exponential_are_the_closed_forms(void **state)
{
    (void)state;
    struct sersic_transform gaussian, exponential;
    sersic_transform_fill(&gaussian, hankel, 0.5);
    sersic_transform_fill(&exponential, hankel, 1);
    double b_gaussian = sersic_b(0.5), b = sersic_b(1);
    for (double k = 1e-4; k < 300; k *= 1.07) {
        assert_near(sersic_transform_at(&gaussian, 2 * log(k)), exp(-k * k / (4 * b_gaussian)), 1e-5);
        assert_near(sersic_transform_at(&exponential, 2 * log(k)), pow(1 + k * k / (b * b), -1.5), 1e-5);
    }
}

/* The mean square radius, from which the transform of any n starts: Gamma(4n) / Gamma(2n) / b^2n. */
static void transform_begins_as_the_second_moment_says(void **state)
{
    (void)state;
    static const double ns[] = {0.7, 1.3, 2};
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
        struct sersic_transform transform;
        double n = ns[i], k = 0.02;
        double r2 = exp(lgamma(4 * n) - lgamma(2 * n) - 2 * n * log(sersic_b(n)));
        sersic_transform_fill(&transform, hankel, n);
        assert_near((1 - sersic_transform_at(&transform, 2 * log(k))) / (k * k * r2 / 4), 1, 0.01);
        assert_near(sersic_transform_at(&transform, -INFINITY), 1, 0);
    }
}

static void moffat_has_its_width_and_flux(void **state)
{
    (void)state;
    double fwhm = 4.3, sum = 0, step = 0.01;
    assert_near(psf_brightness(fwhm, fwhm / 2) / psf_brightness(fwhm, 0), 0.5, 1e-12);
    for (double r = step / 2; r < psf_radius(fwhm, 0.05); r += step)
        sum += 2 * M_PI * r * psf_brightness(fwhm, r) * step;
    assert_near(sum, 0.95, 1e-3);
}

static void moffat_transform_is_that_of_its_profile(void **state)
{
    (void)state;
    double profile[HANKEL_POINTS], fwhm = 3;
    for (int j = 0; j < HANKEL_POINTS; j++)
        profile[j] = 2 * M_PI * psf_brightness(fwhm, hankel_grid(j));
    hankel_transform(hankel, profile, profile);
    for (int j = 0; j < HANKEL_POINTS; j++) {
        double k = hankel_grid(j);
        if (k > 1e-3 && k < 20)
            assert_near(profile[j], psf_transform(k * psf_alpha(fwhm)), 1e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_the_flux_lies_within_the_half_light_radius),
        cmocka_unit_test(radius_holds_all_but_the_fraction_asked_for),
        cmocka_unit_test(transforms_of_gaussian_and_exponential_are_the_closed_forms),
        cmocka_unit_test(transform_begins_as_the_second_moment_says),
        cmocka_unit_test(moffat_has_its_width_and_flux),
        cmocka_unit_test(moffat_transform_is_that_of_its_profile),
    };
    return cmocka_run_group_tests(tests, open_hankel, close_hankel);
}
