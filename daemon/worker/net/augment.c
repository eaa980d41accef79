/* See augment.h. */
#include "daemon/worker/net/augment.h"

#include <math.h>
#include <string.h>

bool augment_is_on(const struct augment *augment)
{
    return augment->symmetries || augment->shift_px || augment->noise > 0;
}

/* Where a pixel of the changed stamp is taken from: a transposition first, then flips, then a shift. */
struct move {
    bool transposed, flipped_rows, flipped_columns;
    int down_px, right_px;
};

static struct move draw_move(const struct augment *augment, struct rng *rng)
{
    struct move move = {0};
    if (augment->symmetries) {
        uint32_t which = rng_u32(rng) & 7;
        move.transposed = which & 1;
        move.flipped_rows = which & 2;
        move.flipped_columns = which & 4;
    }
    if (augment->shift_px) {
        uint64_t choices = 2 * (uint64_t)augment->shift_px + 1;
        move.down_px = (int)rng_below(rng, choices) - augment->shift_px;
        move.right_px = (int)rng_below(rng, choices) - augment->shift_px;
    }
    return move;
}

static void move_stamp(struct move move, int side, size_t channels, const float *pixels, float *changed)
{
    for (int r = 0; r < side; r++) {
        for (int c = 0; c < side; c++) {
            int row = r - move.down_px, column = c - move.right_px;
            float *to = changed + ((size_t)r * (size_t)side + (size_t)c) * channels;
            if (row < 0 || row >= side || column < 0 || column >= side) {
                memset(to, 0, channels * sizeof *to);
                continue;
            }
            row = move.flipped_rows ? side - 1 - row : row;
            column = move.flipped_columns ? side - 1 - column : column;
            int from = move.transposed ? column * side + row : row * side + column;
            memcpy(to, pixels + (size_t)from * channels, channels * sizeof *to);
        }
    }
}

static void add_noise(double noise, int image, int invvar, size_t count, size_t channels, struct rng *rng,
                      float *stamp)
{
    for (size_t i = 0; i < count; i++) {
        float *x = stamp + i * channels + image, *v = stamp + i * channels + invvar;
        double drawn = rng_normal(rng);
        if (!(*v > 0))
            continue;
        *x += (float)(noise * drawn / sqrt((double)*v));
        *v = (float)((double)*v / (1 + noise * noise));
    }
}

void augment_stamp(const struct augment *augment, const struct input *input, struct rng *rng,
                   const float *pixels, float *changed)
{
    int side = input_stamp(input), channels = input_channels(input);
    move_stamp(draw_move(augment, rng), side, (size_t)channels, pixels, changed);
    for (int c = 0; augment->noise > 0 && c < channels; c++) {
        int invvar = input_invvar_of(input, c);
        if (invvar >= 0)
            add_noise(augment->noise, c, invvar, (size_t)side * (size_t)side, (size_t)channels, rng, changed);
    }
}
