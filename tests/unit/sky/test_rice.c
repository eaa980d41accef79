#include "common/cleanup.h"
#include "common/rng.h"
#include "daemon/worker/sky/rice.h"
#include "tests/unit/check.h"

#include <fitsio.h>

enum { PIXELS = 1000, ROOM = PIXELS * 8, STREAM = 1, TRIALS = 300 };

/* CFITSIO's encoders, exported but not declared by fitsio.h. */
int fits_rcomp(int values[], int count, unsigned char *codes, int room, int block);
int fits_rcomp_short(short values[], int count, unsigned char *codes, int room, int block);
int fits_rcomp_byte(signed char values[], int count, unsigned char *codes, int room, int block);

/* Differences of every size, from none at all to those that are written in full. */
static void make_values(struct rng *rng, int bytes, int32_t *values)
{
    int64_t value = 0;
    for (int i = 0; i < PIXELS; i++) {
        unsigned bits = (unsigned)(i / 64 * 3 % 33);
        int64_t step = bits ? (int64_t)(rng_below(rng, 1ull << bits)) - (1ll << (bits - 1)) : 0;
        value += i % 50 == 49 ? step * 40 : step; /* and now and then a long run of zeros */
        values[i] = bytes == 4 ? (int32_t)value : bytes == 2 ? (int16_t)value : (uint8_t)value;
    }
}

static size_t encode(int bytes, int block, const int32_t *values, uint8_t *codes)
{
    static int ints[PIXELS];
    static short shorts[PIXELS];
    static signed char chars[PIXELS];
    for (int i = 0; i < PIXELS; i++) {
        ints[i] = values[i];
        shorts[i] = (short)values[i];
        chars[i] = (signed char)values[i];
    }
    int size = bytes == 4   ? fits_rcomp(ints, PIXELS, codes, ROOM, block)
               : bytes == 2 ? fits_rcomp_short(shorts, PIXELS, codes, ROOM, block)
                            : fits_rcomp_byte(chars, PIXELS, codes, ROOM, block);
    assert_true(size > 0);
    return (size_t)size;
}

static void what_cfitsio_encodes_is_decoded(void **state)
{
    (void)state;
    static const int blocks[] = {16, 32, 64};
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        int32_t values[PIXELS], decoded[PIXELS];
        uint8_t codes[ROOM + RICE_PADDING];
        struct rng rng;
        rng_init(&rng, 1, STREAM, trial);
        int bytes = 1 << trial % 3, block = blocks[trial / 3 % 3];
        make_values(&rng, bytes, values);
        size_t size = encode(bytes, block, values, codes);
        memset(codes + size, 0xff, RICE_PADDING);
        assert_true(rice_decode(codes, size, PIXELS, block, bytes, decoded));
        assert_memory_equal(decoded, values, sizeof values);
    }
}

/* Bytes in memory of just their size and padding, for a sanitizer to see. */
static bool decode_exact(const uint8_t *codes, size_t size, int block, int bytes)
{
    int32_t decoded[PIXELS];
    CLEANUP(free_ptr) uint8_t *exact = malloc(size + RICE_PADDING);
    memcpy(exact, codes, size);
    memset(exact + size, 0, RICE_PADDING);
    return rice_decode(exact, size, PIXELS, block, bytes, decoded);
}

static void codes_cut_short_are_noticed(void **state)
{
    (void)state;
    int32_t values[PIXELS];
    uint8_t codes[ROOM];
    struct rng rng;
    rng_init(&rng, 2, STREAM, 0);
    make_values(&rng, 4, values);
    size_t size = encode(4, 32, values, codes);
    assert_true(decode_exact(codes, size, 32, 4));
    for (size_t cut = 0; cut < size; cut++)
        assert_false(decode_exact(codes, cut, 32, 4));
}

static void any_bytes_are_survived(void **state)
{
    (void)state;
    for (uint64_t trial = 0; trial < 20 * TRIALS; trial++) {
        uint8_t codes[400];
        struct rng rng;
        rng_init(&rng, 3, STREAM, trial);
        size_t size = rng_below(&rng, sizeof codes);
        for (size_t i = 0; i < size; i++)
            codes[i] = trial % 2 ? (uint8_t)rng_below(&rng, 256) : (uint8_t)(rng_below(&rng, 60) == 0);
        decode_exact(codes, size, 32, 1 << trial % 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cfitsio_encodes_is_decoded),
        cmocka_unit_test(codes_cut_short_are_noticed),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
