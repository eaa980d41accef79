/* The spectra of kernels, and kernels from their spectra. Few taps of a kernel of L px are not 0, so both directions
 * go as the definition says, with the taps at distance j before and behind the kernel's origin taken together:
 *
 *   a(j) e^(ikj) + a(-j) e^(-ikj) = (a(j) + a(-j)) cos kj + i (a(j) - a(-j)) sin kj
 *
 * A series is folded when it is its `reach` + 1 sums (the first of them the tap at the origin) and then its `reach`
 * differences. A folded series' transform at k and at -k are C + i S and C - i S. */
#include "daemon/worker/net/spectral_private.h"

enum { REACH_MAX = SPECTRAL_KERNEL_MAX - 1, FOLDED_MAX = 2 * REACH_MAX + 1, HALF_MAX = LONGEST / 2 + 1 };

/* cos and sin of 2 pi k j / L at [k][j]; of j = 0 nothing is asked. */
struct phases {
    int reach, half; /* half: L / 2 */
    float cosine[HALF_MAX][REACH_MAX + 1], sine[HALF_MAX][REACH_MAX + 1];
};

static void find_phases(const struct spectral *spectral, struct phases *phases)
{
    const struct fourier *fourier = &spectral->fourier;
    int before = spectral->pad_px, behind = spectral->kernel_px - 1 - spectral->pad_px;
    phases->reach = before > behind ? before : behind;
    phases->half = fourier->length / 2;
    for (int k = 0; k <= phases->half; k++) {
        for (int j = 1; j <= phases->reach; j++) {
            phases->cosine[k][j] = fourier->cosine[k * j % fourier->length];
            phases->sine[k][j] = fourier->sine[k * j % fourier->length];
        }
    }
}

/* A tap at distance j from the origin; 0 outside of the kernel. */
INLINE lanes tap_at(const struct spectral *spectral, const float *taps, long stride, int j)
{
    int at = j + spectral->pad_px;
    return at >= 0 && at < spectral->kernel_px ? lanes_load(taps + at * stride) : (lanes){0};
}

INLINE void fold(const struct spectral *spectral, int reach, const float *taps, long stride, float *folded,
                 long folded_stride)
{
    lanes_store(folded, tap_at(spectral, taps, stride, 0));
    for (int j = 1; j <= reach; j++) {
        lanes behind = tap_at(spectral, taps, stride, j), before = tap_at(spectral, taps, stride, -j);
        lanes_store(folded + j * folded_stride, behind + before);
        lanes_store(folded + (reach + j) * folded_stride, behind - before);
    }
}

/* taps (K, K) to folded [column][row], each of 2 reach + 1. */
INLINE void fold_taps(const struct spectral *spectral, int reach, const float *taps, float *folded)
{
    float columns[FOLDED_MAX * SPECTRAL_KERNEL_MAX * LANES] __attribute__((aligned(64)));
    int kernel = spectral->kernel_px, size = 2 * reach + 1;
    for (int u = 0; u < kernel; u++)
        fold(spectral, reach, taps + (long)u * kernel * LANES, LANES, columns + u * LANES,
             (long)kernel * LANES);
    for (int c = 0; c < size; c++)
        fold(spectral, reach, columns + (long)c * kernel * LANES, LANES, folded + (long)c * size * LANES,
             LANES);
}

/* Each folded column at row k of the frequencies: re, im. */
INLINE void transform_columns(const int reach, const struct phases *phases, int k, const float *folded,
                              lanes *re, lanes *im)
{
    const float *cosine = phases->cosine[k], *sine = phases->sine[k];
#pragma GCC unroll 9
    for (int c = 0; c <= 2 * reach; c++, folded += (2 * reach + 1) * LANES) {
        re[c] = lanes_load(folded);
        im[c] = (lanes){0};
#pragma GCC unroll 4
        for (int j = 1; j <= reach; j++) {
            re[c] = lanes_fma(lanes_all(cosine[j]), lanes_load(folded + j * LANES), re[c]);
            im[c] = lanes_fma(lanes_all(sine[j]), lanes_load(folded + (reach + j) * LANES), im[c]);
        }
    }
}

INLINE void put(const bool far, float *to, lanes re, lanes im)
{
    if (far) {
        lanes_store_far(to, re);
        lanes_store_far(to + LANES, im);
    } else {
        lanes_store(to, re);
        lanes_store(to + LANES, im);
    }
}

/* And the folded row (re, im) at all frequencies. far: past the caches. */
INLINE void transform_row(const int reach, const struct phases *phases, const lanes *re, const lanes *im,
                          const bool far, float *to, long stride)
{
    int half = phases->half;
    for (int m = 0; m <= half; m++) {
        const float *cosine = phases->cosine[m], *sine = phases->sine[m];
        lanes c_re = re[0], c_im = im[0], s_re = {0}, s_im = {0};
#pragma GCC unroll 4
        for (int j = 1; j <= reach; j++) {
            lanes cos_j = lanes_all(cosine[j]), sin_j = lanes_all(sine[j]);
            c_re = lanes_fma(cos_j, re[j], c_re);
            c_im = lanes_fma(cos_j, im[j], c_im);
            s_re = lanes_fma(sin_j, re[reach + j], s_re);
            s_im = lanes_fma(sin_j, im[reach + j], s_im);
        }
        put(far, to + m * stride, c_re - s_im, c_im + s_re);
        if (!m || m == half)
            continue;
        put(far, to + (2 * half - m) * stride, c_re + s_im, c_im - s_re);
    }
}

INLINE void gather_taps(const struct spectral *spectral, const float *weights, bool swap, int row, int group,
                        float scale, float *taps)
{
    int area = spectral->kernel_px * spectral->kernel_px, inputs = spectral->inputs;
    int valid = lanes_in(swap ? inputs : spectral->outputs, group);
    memset(taps, 0, (size_t)area * LANES * sizeof *taps);
    for (int l = 0; l < valid; l++) {
        long lane = group * LANES + l;
        const float *from = weights + (swap ? (long)row * inputs + lane : lane * inputs + row) * area;
        for (int t = 0; t < area; t++)
            taps[t * LANES + l] = scale * from[t];
    }
}

INLINE void kernel_lines(const struct spectral *spectral, const int reach, const struct phases *phases,
                         const float *folded, void *spectrum, struct steps steps)
{
    float line[WIDTH * LONGEST] __attribute__((aligned(64)));
    lanes re[FOLDED_MAX], im[FOLDED_MAX];
    for (int k = 0; k <= phases->half; k++) {
        void *to = place_in(spectral, spectrum, k * steps.line);
        transform_columns(reach, phases, k, folded, re, im);
        if (spectral->bf16) {
            transform_row(reach, phases, re, im, false, line, WIDTH);
            spectral_round_line(line, 2 * phases->half, to, steps.column);
        } else {
            transform_row(reach, phases, re, im, true, to, steps.column);
        }
    }
    lanes_end_far();
}

static void kernel_part(const struct spectral *spectral, const struct phases *phases, const float *taps,
                        void *spectrum, struct steps steps)
{
    float folded[FOLDED_MAX * FOLDED_MAX * LANES] __attribute__((aligned(64)));
    fold_taps(spectral, phases->reach, taps, folded);
    if (phases->reach == 2)
        kernel_lines(spectral, 2, phases, folded, spectrum, steps);
    else if (phases->reach == 3)
        kernel_lines(spectral, 3, phases, folded, spectrum, steps);
    else
        kernel_lines(spectral, phases->reach, phases, folded, spectrum, steps);
}

void spectral_kernel(const struct spectral *spectral, const float *weights, bool exchange, void *spectrum)
{
    int length = spectral->fourier.length;
    int rows = exchange ? spectral->outputs : spectral->inputs;
    int groups = groups_of(exchange ? spectral->inputs : spectral->outputs);
    struct steps steps = steps_of(spectral, rows, exchange ? spectral->inputs : spectral->outputs);
    struct phases phases;
    find_phases(spectral, &phases);
#pragma omp parallel for schedule(static)
    for (int part = 0; part < rows * groups; part++) {
        float taps[TAPS_MAX * LANES] __attribute__((aligned(64)));
        gather_taps(spectral, weights, exchange, part / groups, part % groups,
                    1.0f / (float)(length * length), taps);
        kernel_part(spectral, &phases, taps,
                    place_in(spectral, spectrum, part / groups * steps.row + part % groups * WIDTH), steps);
    }
}

/* The opposite of transform_row, of either the real or the imaginary parts: sums over frequencies of
 * (x(m) + x(-m)) cos mj, then of (x(m) - x(-m)) sin mj. */
INLINE void gather_row(const int reach, const struct phases *phases, const float *from, long stride,
                       lanes *sums)
{
    int half = phases->half;
    lanes first = lanes_load(from), last = lanes_load(from + half * stride);
    sums[0] = first + last;
#pragma GCC unroll 4
    for (int j = 1; j <= reach; j++) {
        sums[j] = lanes_fma(lanes_all(phases->cosine[half][j]), last, first);
        sums[reach + j] = (lanes){0};
    }
    for (int m = 1; m < half; m++) {
        lanes here = lanes_load(from + m * stride), there = lanes_load(from + (2 * half - m) * stride);
        lanes sum = here + there, difference = here - there;
        sums[0] += sum;
#pragma GCC unroll 4
        for (int j = 1; j <= reach; j++) {
            sums[j] = lanes_fma(lanes_all(phases->cosine[m][j]), sum, sums[j]);
            sums[reach + j] = lanes_fma(lanes_all(phases->sine[m][j]), difference, sums[reach + j]);
        }
    }
}

/* Adds re cos kj and, to the differences, im sin kj: what a row of frequencies gives to a folded column. */
INLINE void add_column(const int reach, const float *cosine, const float *sine, lanes re, lanes im,
                       float *folded)
{
    lanes_store(folded, lanes_load(folded) + re);
#pragma GCC unroll 4
    for (int j = 1; j <= reach; j++) {
        float *sum = folded + j * LANES, *difference = folded + (reach + j) * LANES;
        lanes_store(sum, lanes_fma(lanes_all(cosine[j]), re, lanes_load(sum)));
        lanes_store(difference, lanes_fnma(lanes_all(sine[j]), im, lanes_load(difference)));
    }
}

/* Rows but the first and the last stand for their conjugates too. folded: as of fold_taps, but unfolded a sum and a
 * difference are added for a tap behind the origin, subtracted for one before it. */
INLINE void gather_lines(const int reach, const struct phases *phases, const float *spectrum,
                         struct steps steps, float *folded)
{
    lanes re[FOLDED_MAX], im[FOLDED_MAX];
    for (int k = 0; k <= phases->half; k++) {
        const float *cosine = phases->cosine[k], *sine = phases->sine[k];
        lanes weight = lanes_all(k && k != phases->half ? 2 : 1);
        gather_row(reach, phases, spectrum + k * steps.line, steps.column, re);
        gather_row(reach, phases, spectrum + k * steps.line + LANES, steps.column, im);
#pragma GCC unroll 9
        for (int c = 0; c <= 2 * reach; c++) /* differences are turned by i */
            add_column(reach, cosine, sine, weight * (c <= reach ? re[c] : -im[c]),
                       weight * (c <= reach ? im[c] : re[c]), folded + c * (2 * reach + 1) * LANES);
    }
}

/* The tap at row u and column v (distances from the origin) of what gather_lines has summed. */
INLINE lanes unfold(const float *folded, int reach, int u, int v)
{
    int size = 2 * reach + 1, row = u < 0 ? -u : u, column = v < 0 ? -v : v;
    const float *sums = folded + (long)column * size * LANES,
                *differences = folded + (long)(reach + column) * size * LANES;
    lanes tap = lanes_load(sums + row * LANES), turned = {0};
    if (column)
        turned = lanes_load(differences + row * LANES);
    tap = v < 0 ? tap - turned : tap + turned;
    if (!row)
        return tap;
    lanes odd = lanes_load(sums + (reach + row) * LANES);
    if (column)
        turned = lanes_load(differences + (reach + row) * LANES);
    odd = v < 0 ? odd - turned : odd + turned;
    return u < 0 ? tap - odd : tap + odd;
}

static void gather_part(const struct spectral *spectral, const struct phases *phases, const float *spectrum,
                        struct steps steps, float *taps)
{
    float folded[FOLDED_MAX * FOLDED_MAX * LANES] __attribute__((aligned(64)));
    int kernel = spectral->kernel_px, size = 2 * phases->reach + 1;
    memset(folded, 0, (size_t)(size * size) * LANES * sizeof *folded);
    if (phases->reach == 2)
        gather_lines(2, phases, spectrum, steps, folded);
    else if (phases->reach == 3)
        gather_lines(3, phases, spectrum, steps, folded);
    else
        gather_lines(phases->reach, phases, spectrum, steps, folded);
    for (int t = 0; t < kernel * kernel; t++)
        lanes_store(taps + t * LANES, unfold(folded, phases->reach, t / kernel - spectral->pad_px,
                                             t % kernel - spectral->pad_px));
}

void spectral_restore_kernel(const struct spectral *spectral, const float *spectrum, float *gradient)
{
    int length = spectral->fourier.length, area = spectral->kernel_px * spectral->kernel_px;
    int groups = groups_of(spectral->outputs), inputs = spectral->inputs;
    struct steps steps = steps_of(spectral, inputs, spectral->outputs);
    float scale = 1.0f / (float)(length * length);
    struct phases phases;
    find_phases(spectral, &phases);
#pragma omp parallel for schedule(static)
    for (int part = 0; part < inputs * groups; part++) {
        float taps[TAPS_MAX * LANES] __attribute__((aligned(64)));
        gather_part(spectral, &phases, spectrum + part / groups * steps.row + part % groups * WIDTH, steps,
                    taps);
        for (int l = 0; l < lanes_in(spectral->outputs, part % groups); l++) {
            float *to = gradient + ((long)(part % groups * LANES + l) * inputs + part / groups) * area;
            for (int t = 0; t < area; t++)
                to[t] = scale * taps[t * LANES + l];
        }
    }
}
