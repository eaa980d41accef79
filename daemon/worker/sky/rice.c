/* See rice.h. A tile is its first pixel in full, then for each block of pixels the number of split bits plus
 * 1 (0: all differences are 0; the largest: each is written in full), then each difference as zeros up to a
 * 1, followed by the split bits. */
#include "daemon/worker/sky/rice.h"

enum { BITS = 8 };

struct walk {
    const uint8_t *data;
    size_t at, end; /* in bits */
};

/* Moves behind `count` (at most 8) bits and gives their value; past the end the walk stays past the end. */
static unsigned take_bits(struct walk *walk, unsigned count)
{
    unsigned value = 0;
    for (unsigned i = 0; i < count && walk->at < walk->end; i++, walk->at++)
        value = value << 1 | (walk->data[walk->at / BITS] >> (BITS - 1 - walk->at % BITS) & 1);
    return value;
}

/* Moves behind the next 1; false when there is none. */
static bool skip_zeros(struct walk *walk)
{
    if (walk->at >= walk->end)
        return false;
    unsigned byte = walk->data[walk->at / BITS] & (0xffu >> walk->at % BITS);
    size_t base = walk->at / BITS;
    while (!byte) {
        if (++base >= walk->end / BITS)
            return false;
        byte = walk->data[base];
    }
    walk->at = base * BITS + (size_t)__builtin_clz(byte) - 24 + 1;
    return true;
}

bool rice_complete(const uint8_t *data, size_t size, size_t pixels, int block, int bytes_per_pixel)
{
    unsigned split_bits = bytes_per_pixel == 4 ? 5 : bytes_per_pixel == 2 ? 4 : 3;
    unsigned split_full = bytes_per_pixel == 4 ? 25 : bytes_per_pixel == 2 ? 14 : 6;
    unsigned pixel_bits = (unsigned)bytes_per_pixel * BITS;
    struct walk walk = {data, pixel_bits, size * BITS};
    for (size_t done = 0; done < pixels; done += (size_t)block) {
        size_t some = pixels - done < (size_t)block ? pixels - done : (size_t)block;
        if (walk.at + split_bits > walk.end)
            return false;
        unsigned split = take_bits(&walk, split_bits);
        if (split > split_full + 1)
            return false;
        if (split == split_full + 1) {
            walk.at += some * pixel_bits;
        } else if (split > 0) {
            for (size_t i = 0; i < some; i++) {
                if (!skip_zeros(&walk))
                    return false;
                walk.at += split - 1;
            }
        }
        if (walk.at > walk.end)
            return false;
    }
    return true;
}
