/* See channels.h. Sums are taken in one order, so that every rank gets the same bits. */
#include "daemon/worker/train/channels.h"

#include <errno.h>
#include <math.h>

enum { EXAMPLES_MAX = 1024 };

struct sums {
    double count, sum, square;
};

static void add_stamp(const float *pixels, size_t count, int channels, struct sums *sums)
{
    for (size_t i = 0; i < count; i++) {
        for (int c = 0; c < channels; c++) {
            double x = (double)pixels[i * (size_t)channels + (size_t)c];
            if (!isfinite(x))
                continue;
            sums[c].count++;
            sums[c].sum += x;
            sums[c].square += x * x;
        }
    }
}

static int measure(struct dataset *dataset, struct input_channel *channels, struct err *err)
{
    struct sums sums[DATASET_CHANNELS_MAX] = {{0}};
    size_t count = dataset_count(dataset, DATASET_TRAIN), side = (size_t)dataset_stamp(dataset);
    size_t examples = count < EXAMPLES_MAX ? count : EXAMPLES_MAX;
    for (size_t i = 0; i < examples; i++) {
        const float *pixels = dataset_pixels(dataset, DATASET_TRAIN, i * count / examples, err);
        if (!pixels)
            return -EIO;
        add_stamp(pixels, side * side, dataset_channels(dataset), sums);
    }
    for (int c = 0; c < dataset_channels(dataset); c++) {
        channels[c].mean = sums[c].sum / fmax(sums[c].count, 1);
        double variance = sums[c].square / fmax(sums[c].count, 1) - channels[c].mean * channels[c].mean;
        channels[c].deviation = sqrt(fmax(variance, 0));
    }
    return 0;
}

int channels_describe(struct dataset *dataset, bool measured, struct input_channel *channels, struct err *err)
{
    for (int c = 0; c < dataset_channels(dataset); c++)
        channels[c] = (struct input_channel){.name = dataset_channel_name(dataset, c),
                                             .median = dataset_channel_median(dataset, c)};
    return measured ? measure(dataset, channels, err) : 0;
}
