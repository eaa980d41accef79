/* See rng.h. The Philox key is the seed, its counter is (block, stream, index). */
#include "common/rng.h"

#include <Random123/philox.h>
#include <math.h>
#include <string.h>

void rng_init(struct rng *rng, uint64_t seed, uint32_t stream, uint64_t index)
{
    memset(rng, 0, sizeof *rng);
    rng->seed = seed;
    rng->stream = stream;
    rng->index = index;
}

static void draw_block(struct rng *rng)
{
    philox4x32_ctr_t counter = {{rng->block++, rng->stream, (uint32_t)rng->index, (uint32_t)(rng->index >> 32)}};
    philox4x32_key_t key = {{(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)}};
    philox4x32_ctr_t out = philox4x32_R(10, counter, key);
    memcpy(rng->word, out.v, sizeof rng->word);
    rng->left = 4;
}

uint32_t rng_u32(struct rng *rng)
{
    if (!rng->left)
        draw_block(rng);
    return rng->word[4 - rng->left--];
}

static uint64_t draw_u64(struct rng *rng)
{
    uint64_t low = rng_u32(rng);
    return low | (uint64_t)rng_u32(rng) << 32;
}

double rng_uniform(struct rng *rng)
{
    return ((double)(draw_u64(rng) >> 11) + 0.5) * 0x1p-53;
}

double rng_range(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_uniform(rng);
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t drawn;
    do
        drawn = draw_u64(rng);
    while (drawn >= limit);
    return drawn % n;
}

double rng_normal(struct rng *rng)
{
    double radius = sqrt(-2.0 * log(rng_uniform(rng)));
    return radius * cos(2.0 * M_PI * rng_uniform(rng));
}

void rng_shuffle(struct rng *rng, uint64_t *items, uint64_t n)
{
    for (uint64_t i = n; i > 1; i--) {
        uint64_t j = rng_below(rng, i);
        uint64_t item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}
