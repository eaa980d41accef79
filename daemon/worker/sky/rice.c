/* See rice.h. A tile is its first pixel in full, then for each block of pixels the number of split bits plus
 * 1 (0: all differences are 0; the largest: each is written in full), then each difference as zeros up to a
 * 1, followed by the split bits. Differences are folded: 0, -1, 1, -2, ... are 0, 1, 2, 3, ...
 *
 * The next bits stand left in a word of 64, at least 56 of them after a refill. A refill reads 8 bytes, from
 * within the tile's own on into its padding; further on there are only zeros. Whether more bits were taken than
 * the tile has is asked once a block, and in each long run of zeros. */
#include "daemon/worker/sky/rice.h"

#include <string.h>

enum { WORD = 64, FULL = 56, SHORT_RUN = 24 };

#define INLINE static inline __attribute__((always_inline)) /* into code for whichever processor */

struct bits {
    uint64_t word; /* the next ones, left; behind the first `have` stand some that are to come */
    unsigned have;
    const uint8_t *data;
    size_t at, size; /* the byte from which the next refill reads, and where the tile ends */
};

INLINE void refill(struct bits *bits)
{
    uint64_t more = 0;
    if (bits->at <= bits->size)
        memcpy(&more, bits->data + bits->at, sizeof more);
    bits->word |= __builtin_bswap64(more) >> bits->have;
    bits->at += (WORD - 1 - bits->have) / 8;
    bits->have |= FULL;
}

INLINE void drop(struct bits *bits, unsigned count)
{
    bits->word <<= count;
    bits->have -= count;
}

/* 1 to 32 bits of a word that has them. */
INLINE uint32_t take(struct bits *bits, unsigned count)
{
    uint32_t value = (uint32_t)(bits->word >> (WORD - count));
    drop(bits, count);
    return value;
}

/* Were more bits taken than there are? */
INLINE bool overdrawn(const struct bits *bits)
{
    return bits->at * 8 - bits->have > bits->size * 8;
}

/* Zeros of which a full word has too many; then the word is full again and begins with their 1. */
INLINE bool skip_long_run(struct bits *bits, uint32_t *skipped)
{
    *skipped = 0;
    while (!(bits->word >> (WORD - SHORT_RUN))) {
        *skipped += SHORT_RUN;
        drop(bits, SHORT_RUN);
        refill(bits);
        if (overdrawn(bits))
            return false;
    }
    return true;
}

INLINE uint32_t unfold(uint32_t folded)
{
    return folded >> 1 ^ -(folded & 1);
}

/* A block of differences: zeros, a 1 and `split` bits each. The last two are taken as one number. */
INLINE bool decode_split(struct bits *state, unsigned split, size_t count, uint32_t *last, int32_t *values)
{
    struct bits bits = *state;
    uint32_t value = *last;
    const unsigned need = SHORT_RUN + 1 + split;
    for (size_t i = 0; i < count; i++) {
        uint32_t skipped = 0;
        if (bits.have < need)
            refill(&bits);
        if (!(bits.word >> (WORD - SHORT_RUN)) && !skip_long_run(&bits, &skipped))
            return false;
        unsigned zeros = (unsigned)__builtin_clzll(bits.word), size = zeros + 1 + split;
        uint32_t low = (uint32_t)(bits.word >> (WORD - size)) - (1u << split);
        drop(&bits, size);
        value += unfold(((skipped + zeros) << split) + low);
        values[i] = (int32_t)value;
    }
    *state = bits;
    *last = value;
    return true;
}

INLINE void decode_full(struct bits *bits, unsigned pixel_bits, size_t count, uint32_t *last, int32_t *values)
{
    for (size_t i = 0; i < count; i++) {
        refill(bits);
        *last += unfold(take(bits, pixel_bits));
        values[i] = (int32_t)*last;
    }
}

INLINE void narrow(int bytes_per_pixel, size_t pixels, int32_t *values)
{
    for (size_t i = 0; i < pixels && bytes_per_pixel < 4; i++)
        values[i] = bytes_per_pixel == 2 ? (int16_t)values[i] : (uint8_t)values[i];
}

INLINE bool decode(const uint8_t *data, size_t size, size_t pixels, int block, int bytes_per_pixel,
                   int32_t *values)
{
    const unsigned code_bits = bytes_per_pixel == 4 ? 5 : bytes_per_pixel == 2 ? 4 : 3;
    const unsigned split_full = bytes_per_pixel == 4 ? 25 : bytes_per_pixel == 2 ? 14 : 6;
    const unsigned pixel_bits = (unsigned)bytes_per_pixel * 8;
    struct bits bits = {.data = data, .size = size};
    refill(&bits);
    uint32_t last = take(&bits, pixel_bits);
    for (size_t done = 0; done < pixels; done += (size_t)block) {
        size_t some = pixels - done < (size_t)block ? pixels - done : (size_t)block;
        refill(&bits);
        unsigned code = take(&bits, code_bits);
        if (code > split_full + 1 || overdrawn(&bits))
            return false;
        if (code == split_full + 1)
            decode_full(&bits, pixel_bits, some, &last, values + done);
        else if (code && !decode_split(&bits, code - 1, some, &last, values + done))
            return false;
        for (size_t i = 0; !code && i < some; i++)
            values[done + i] = (int32_t)last;
        if (overdrawn(&bits))
            return false;
    }
    narrow(bytes_per_pixel, pixels, values);
    return true;
}

#ifdef __x86_64__
__attribute__((target("lzcnt,bmi,bmi2"))) static bool decode_haswell(const uint8_t *data, size_t size,
                                                                     size_t pixels, int block,
                                                                     int bytes_per_pixel, int32_t *values)
{
    return decode(data, size, pixels, block, bytes_per_pixel, values);
}
#endif

bool rice_decode(const uint8_t *data, size_t size, size_t pixels, int block, int bytes_per_pixel,
                 int32_t *values)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) /* who has these has lzcnt, too */
        return decode_haswell(data, size, pixels, block, bytes_per_pixel, values);
#endif
    return decode(data, size, pixels, block, bytes_per_pixel, values);
}
