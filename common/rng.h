/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, SC'11, by the Random123 library).
 * A stream is a pure function of (seed, stream, index), so that any rank can draw the numbers of any
 * brick, epoch or sample without having drawn those before it. */
#ifndef DECOY_COMMON_RNG_H
#define DECOY_COMMON_RNG_H

#include <stdint.h>

struct rng {
    uint64_t seed;
    uint32_t stream;
    uint64_t index;
    uint32_t block;   /* how many blocks of four were drawn */
    uint32_t word[4]; /* the present block */
    unsigned left;    /* words of it not yet given out */
};

/* stream: what the numbers are for (one constant a purpose); index: which brick, epoch or sample. */
void rng_init(struct rng *rng, uint64_t seed, uint32_t stream, uint64_t index);

uint32_t rng_u32(struct rng *rng);
double rng_uniform(struct rng *rng);                         /* in (0, 1) */
double rng_range(struct rng *rng, double low, double high);  /* in (low, high) */
uint64_t rng_below(struct rng *rng, uint64_t n);             /* 0 .. n-1, unbiased; n > 0 */
double rng_normal(struct rng *rng);                          /* mean 0, variance 1 (Box-Muller) */
void rng_shuffle(struct rng *rng, uint64_t *items, uint64_t n); /* Fisher-Yates, in place */

#endif
