/* Rounding to bfloat16 against the same in integers. */
#include "daemon/worker/net/bf16.h"
#include "common/rng.h"
#include "daemon/worker/net/network.h"
#include "tests/unit/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 4000 };

static uint16_t round_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40);
    if (!isnormal(value) && !isinf(value))
        return (uint16_t)(bits >> 31 << 15);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void fill_any(float *values, size_t count, uint64_t index)
{
    struct rng rng;
    rng_init(&rng, 9, 1, index);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = rng_u32(&rng);
        if (i % 4 == 0) /* a tie */
            bits = (bits & 0xffff0000u) | 0x8000;
        memcpy(values + i, &bits, sizeof bits);
    }
    const float SPECIAL[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 1, -1, 3.4e38f};
    memcpy(values, SPECIAL, sizeof SPECIAL);
}

static void bf16_rounds_to_the_nearest(void **state)
{
    (void)state;
    if (!network_has_bf16()) {
        puts("skipped: this processor has no bfloat16 (avx512_bf16)");
        skip();
    }
    float values[COUNT], gate[COUNT];
    _Alignas(64) uint16_t rounded[COUNT + 1];
    fill_any(values, COUNT, 1);
    fill_any(gate, COUNT, 2);
    for (size_t count = COUNT - 40; count <= COUNT; count++) {
        for (int gated = 0; gated < 2; gated++) {
            rounded[count] = 0xabcd;
            bf16_round(values, gated ? gate : NULL, count, rounded);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(rounded[i], gated && !(gate[i] > 0) ? 0 : round_bits(values[i]));
            assert_int_equal(rounded[count], 0xabcd);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bf16_rounds_to_the_nearest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
