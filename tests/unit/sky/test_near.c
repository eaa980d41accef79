#include "daemon/worker/sky/near.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <math.h>

enum { COUNT = 1500 };

static struct near_place places[COUNT], sorted[COUNT];
static uint8_t met[COUNT][COUNT];

static void note(void *context, uint32_t one, uint32_t two)
{
    *(size_t *)context += 1;
    met[one < two ? one : two][one < two ? two : one]++;
}

/* By vectors, another way than near.c's. */
static bool are_near(const struct near_place *a, const struct near_place *b, double arcsec)
{
    double apart = 0, radian = M_PI / 180;
    double one[] = {cos(a->dec_deg * radian) * cos(a->ra_deg * radian),
                    cos(a->dec_deg * radian) * sin(a->ra_deg * radian), sin(a->dec_deg * radian)};
    double two[] = {cos(b->dec_deg * radian) * cos(b->ra_deg * radian),
                    cos(b->dec_deg * radian) * sin(b->ra_deg * radian), sin(b->dec_deg * radian)};
    for (int k = 0; k < 3; k++)
        apart += (one[k] - two[k]) * (one[k] - two[k]);
    return sqrt(apart) / radian * 3600 <= arcsec;
}

/* Every pair of places in a field is met once if it is near, and never else. Those within a thousandth of the limit, which
 * rounding could decide, do not count. */
static void check_field(double ra_deg, double dec_deg, double side_arcsec)
{
    struct rng rng;
    rng_init(&rng, 5, 6, (uint64_t)(dec_deg + 90));
    size_t calls = 0, near = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        double up = rng_range(&rng, 0, side_arcsec / 3600), dec = dec_deg > 0 ? dec_deg - up : dec_deg + up;
        double wide = fmin(180, side_arcsec / 3600 / cos(dec * (M_PI / 180)));
        places[i] = sorted[i] = (struct near_place){ra_deg + rng_range(&rng, -wide, wide), dec, i};
    }
    memset(met, 0, sizeof met);
    near_pairs(sorted, COUNT, 1, note, &calls);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = i + 1; j < COUNT; j++) {
            bool sure = are_near(&places[i], &places[j], 1 - 1e-3),
                 no = !are_near(&places[i], &places[j], 1 + 1e-3);
            if (sure || no)
                assert_int_equal(met[i][j], sure);
            near += sure;
        }
    }
    assert_true(near > 200 && calls >= near);
}

static void all_near_pairs_are_met_once(void **state)
{
    (void)state;
    check_field(150, 20, 30);
    check_field(150, -0.005, 30); /* across the equator */
}

static void right_ascension_goes_round(void **state)
{
    (void)state;
    check_field(0, 33, 30);
    check_field(360, -12, 30);
    check_field(-180, 5, 30); /* given from -180 to 180 */
}

static void at_a_pole_all_right_ascensions_are_near(void **state)
{
    (void)state;
    check_field(10, 89.999, 30);
    check_field(10, -89.999, 30);
}

static void few_places_are_no_pairs(void **state)
{
    (void)state;
    size_t calls = 0;
    struct near_place one = {0, 90, 0};
    near_pairs(&one, 0, 1, note, &calls);
    near_pairs(&one, 1, 1, note, &calls);
    assert_int_equal(calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_near_pairs_are_met_once),
        cmocka_unit_test(right_ascension_goes_round),
        cmocka_unit_test(at_a_pole_all_right_ascensions_are_near),
        cmocka_unit_test(few_places_are_no_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
