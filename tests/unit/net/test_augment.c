#include "daemon/worker/net/augment.h"
#include "tests/unit/check.h"

#include <math.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, CHANNELS = 2, DRAWS = 2000 };

static float stamp[PIXELS * CHANNELS], changed[PIXELS * CHANNELS];

static struct input *make_input(void)
{
    static const struct input_channel channels[] = {{.name = "g"}, {.name = "ivar_g"}};
    struct input *input;
    struct err err = {0};
    if (input_create(&input, "asinh", "relative", SIDE, CHANNELS, channels, &err) != 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < PIXELS; i++) { /* each pixel is another; invvar is its image + 1000 */
        stamp[2 * i] = (float)i;
        stamp[2 * i + 1] = (float)i + 1000;
    }
    return input;
}

static void change(const struct augment *augment, const struct input *input, uint64_t draw)
{
    struct rng rng;
    rng_init(&rng, 5, 6, draw);
    augment_stamp(augment, input, &rng, stamp, changed);
}

/* The pixel that the changed stamp shows at (row, column), -1: none; image and invvar must agree on it. */
static int shown_at(int row, int column)
{
    int i = row * SIDE + column;
    if (changed[2 * i + 1] == 0) {
        assert_true(changed[2 * i] == 0);
        return -1;
    }
    assert_true(changed[2 * i + 1] == changed[2 * i] + 1000);
    return (int)changed[2 * i];
}

static void symmetries_are_the_eight_of_the_square_equally_often(void **state)
{
    (void)state;
    const struct augment augment = {.symmetries = true};
    struct input *input = make_input();
    int seen[8] = {0};
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        change(&augment, input, draw);
        bool known = false;
        for (int which = 0; which < 8; which++) {
            bool same = true;
            for (int i = 0; i < PIXELS; i++) {
                int row = i / SIDE, column = i % SIDE;
                int r = which & 2 ? SIDE - 1 - row : row, c = which & 4 ? SIDE - 1 - column : column;
                same = same && shown_at(row, column) == (which & 1 ? c * SIDE + r : r * SIDE + c);
            }
            seen[which] += same;
            known = known || same;
        }
        assert_true(known);
    }
    for (int which = 0; which < 8; which++)
        assert_near(seen[which], DRAWS / 8, 5 * sqrt(DRAWS / 8));
    input_destroy(input);
}

static void shifts_bring_in_pixels_without_data(void **state)
{
    (void)state;
    const struct augment augment = {.shift_px = 2};
    struct input *input = make_input();
    int seen[5][5] = {{0}};
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        change(&augment, input, draw);
        int middle = shown_at(4, 4), down = 4 - middle / SIDE, right = 4 - middle % SIDE;
        assert_true(abs(down) <= 2 && abs(right) <= 2);
        seen[down + 2][right + 2]++;
        for (int i = 0; i < PIXELS; i++) {
            int row = i / SIDE - down, column = i % SIDE - right;
            bool inside = row >= 0 && row < SIDE && column >= 0 && column < SIDE;
            assert_int_equal(shown_at(i / SIDE, i % SIDE), inside ? row * SIDE + column : -1);
        }
    }
    for (int i = 0; i < 25; i++)
        assert_near(seen[i / 5][i % 5], DRAWS / 25, 5 * sqrt(DRAWS / 25));
    input_destroy(input);
}

static void noise_is_as_large_as_the_invvar_then_says(void **state)
{
    (void)state;
    const struct augment augment = {.noise = 2};
    struct input *input = make_input();
    double sum = 0, square = 0;
    stamp[2 * 7 + 1] = 0;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        change(&augment, input, draw);
        assert_true(changed[2 * 7] == 7 && changed[2 * 7 + 1] == 0);
        for (int i = 8; i < PIXELS; i++) {
            double drawn = (changed[2 * i] - stamp[2 * i]) * sqrt((double)stamp[2 * i + 1]);
            assert_near(changed[2 * i + 1], stamp[2 * i + 1] / 5, 1e-3);
            sum += drawn;
            square += drawn * drawn;
        }
    }
    double n = (double)DRAWS * (PIXELS - 8);
    assert_near(sum / n, 0, 5 * 2 / sqrt(n));
    assert_near(square / n, 4, 5 * 4 * sqrt(2 / n));
    input_destroy(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symmetries_are_the_eight_of_the_square_equally_often),
        cmocka_unit_test(shifts_bring_in_pixels_without_data),
        cmocka_unit_test(noise_is_as_large_as_the_invvar_then_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
