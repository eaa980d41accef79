/* See average.h. */
#include "daemon/worker/net/average.h"
#include "daemon/worker/net/lanes.h"

#ifdef _OPENMP
int omp_get_thread_num(void);
#else
#define omp_get_thread_num() 0
#endif

/* first .. last-1: of windows or pixels. */
struct range {
    int first, last;
};

/* Pixels of a window that lie inside. */
static struct range pixels_of(const struct average *a, int window)
{
    int first = window * a->stride_px - a->pad_px, last = first + a->kernel_px;
    return (struct range){first > 0 ? first : 0, last < a->in_px ? last : a->in_px};
}

/* Windows that a pixel lies in. */
static struct range windows_of(const struct average *a, int pixel)
{
    int before = pixel + a->pad_px - a->kernel_px, last = (pixel + a->pad_px) / a->stride_px + 1;
    int first = before < 0 ? 0 : before / a->stride_px + 1;
    return (struct range){first, last < a->out_px ? last : a->out_px};
}

static float share_of(const struct average *a, int window)
{
    struct range pixels = pixels_of(a, window);
    return 1.0f / (float)(pixels.last - pixels.first);
}

size_t average_work_size(const struct average *a)
{
    return (size_t)(a->in_px > a->out_px ? a->in_px : a->out_px) * (size_t)a->channels + LANES;
}

static void add_row(float *restrict sum, const float *restrict row, long size, float factor)
{
    for (long i = 0; i < size; i++)
        sum[i] += factor * row[i];
}

/* A pixel: the sum of pixels range of a row of sums, times a factor each (NULL: 1) and `all`. */
static inline void sum_columns(const struct average *a, const float *row, struct range range,
                               const float *factors, float all, float *to)
{
    for (int g = 0; g < a->channels; g += LANES) {
        lanes sum = {0};
        for (int c = range.first; c < range.last; c++) {
            lanes value = lanes_load(row + (long)c * a->channels + g);
            sum = factors ? lanes_fma(lanes_all(factors[c]), value, sum) : sum + value;
        }
        int left = a->channels - g;
        lanes_store_first(to + g, sum * lanes_all(all), left < LANES ? left : LANES);
    }
}

static void forward_stamp(const struct average *a, const float *in, float *row, float *out)
{
    long size = (long)a->in_px * a->channels;
    for (int r = 0; r < a->out_px; r++) {
        struct range rows = pixels_of(a, r);
        memset(row, 0, (size_t)size * sizeof *row);
        for (int i = rows.first; i < rows.last; i++)
            add_row(row, in + i * size, size, 1);
        for (int c = 0; c < a->out_px; c++, out += a->channels)
            sum_columns(a, row, pixels_of(a, c), NULL, share_of(a, r) * share_of(a, c), out);
    }
}

static void backward_stamp(const struct average *a, const float *diff_out, const float *shares, float *row,
                           float *diff_in)
{
    long size = (long)a->out_px * a->channels;
    for (int i = 0; i < a->in_px; i++) {
        struct range windows = windows_of(a, i);
        memset(row, 0, (size_t)size * sizeof *row);
        for (int r = windows.first; r < windows.last; r++)
            add_row(row, diff_out + r * size, size, shares[r]);
        for (int c = 0; c < a->in_px; c++, diff_in += a->channels)
            sum_columns(a, row, windows_of(a, c), shares, 1, diff_in);
    }
}

static float *work_of(const struct average *a)
{
    return a->work + average_work_size(a) * (size_t)omp_get_thread_num();
}

void average_forward(const struct average *a, const float *in, int count, float *out)
{
    long in_size = (long)a->in_px * a->in_px * a->channels,
         out_size = (long)a->out_px * a->out_px * a->channels;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < count; n++)
        forward_stamp(a, in + n * in_size, work_of(a), out + n * out_size);
}

void average_backward(const struct average *a, const float *diff_out, int count, float *diff_in)
{
    long in_size = (long)a->in_px * a->in_px * a->channels,
         out_size = (long)a->out_px * a->out_px * a->channels;
    float shares[AVERAGE_OUT_MAX];
    for (int w = 0; w < a->out_px; w++)
        shares[w] = share_of(a, w);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < count; n++)
        backward_stamp(a, diff_out + n * out_size, shares, work_of(a), diff_in + n * in_size);
}
