/* See input.h. A band is taken out of the stamp into planes, scaled there in loops that vectorise, and put
 * back between its neighbours. */
#include "daemon/worker/net/input.h"
#include "common/str.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum image_scale { IMAGE_ASINH, IMAGE_SNR, IMAGE_STANDARD, IMAGE_NONE, IMAGE_MAX };
enum invvar_scale { INVVAR_RELATIVE, INVVAR_GLOBAL, INVVAR_STANDARD, INVVAR_NONE, INVVAR_MAX };

static const char *const IMAGE_SCALES[IMAGE_MAX] = {"asinh", "snr", "standard", "none"};
static const char *const INVVAR_SCALES[INVVAR_MAX] = {"relative", "global", "standard", "none"};

struct channel {
    char *name;
    int image;  /* of an invvar channel: its image channel, or -1 */
    int invvar; /* of an image channel: its invvar channel, or -1 */
    bool is_invvar;
    double median, mean, deviation;
};

struct input {
    enum image_scale image_scale;
    enum invvar_scale invvar_scale;
    int stamp_px, channel_count;
    struct channel *channels;
    float *image, *invvar; /* work: planes of one band */
    uint32_t *bits;        /* and room for the median */
};

static int find_text(const char *const *texts, int count, const char *text, int *index)
{
    for (*index = 0; *index < count; ++*index) {
        if (text && strcmp(texts[*index], text) == 0)
            return 0;
    }
    return -EINVAL;
}

static int find_channel(const struct input *input, const char *name)
{
    for (int c = 0; c < input->channel_count; c++) {
        if (strcmp(input->channels[c].name, name) == 0)
            return c;
    }
    return -1;
}

static int check_channel(const struct input *input, const struct channel *channel, struct err *err)
{
    enum image_scale image = input->image_scale;
    bool sigma = image == IMAGE_ASINH || image == IMAGE_SNR;
    bool standard = channel->is_invvar ? input->invvar_scale == INVVAR_STANDARD : image == IMAGE_STANDARD;
    if (!channel->is_invvar && channel->invvar < 0 && sigma)
        return err_set(err, -EINVAL, "channel %s has no ivar_%s, which image_scale %s needs", channel->name,
                       channel->name, IMAGE_SCALES[image]);
    if (channel->is_invvar && input->invvar_scale == INVVAR_GLOBAL && !(channel->median > 0))
        return err_set(err, -EINVAL, "channel %s has no positive median, which invvar_scale global needs",
                       channel->name);
    if (standard && (!(channel->deviation > 0) || !isfinite(channel->mean)))
        return err_set(err, -EINVAL, "channel %s does not vary, which scale standard needs", channel->name);
    return 0;
}

static int pair_channels(struct input *input, struct err *err)
{
    int code = 0;
    for (int c = 0; c < input->channel_count && !code; c++) {
        struct channel *channel = &input->channels[c];
        channel->is_invvar = strncmp(channel->name, "ivar_", 5) == 0;
        CLEANUP(free_ptr)
        char *other =
            channel->is_invvar ? str_format("%s", channel->name + 5) : str_format("ivar_%s", channel->name);
        int partner = find_channel(input, other);
        channel->image = channel->is_invvar ? partner : -1;
        channel->invvar = channel->is_invvar ? -1 : partner;
        code = check_channel(input, channel, err);
    }
    return code;
}

static int fill_channels(struct input *input, const struct input_channel *channels, struct err *err)
{
    size_t plane = (size_t)input->stamp_px * (size_t)input->stamp_px;
    input->channels = calloc((size_t)input->channel_count, sizeof *input->channels);
    input->image = calloc(plane, sizeof(float));
    input->invvar = calloc(plane, sizeof(float));
    input->bits = calloc(plane, sizeof *input->bits);
    if (!input->channels || !input->image || !input->invvar || !input->bits)
        return err_set(err, -ENOMEM, "out of memory");
    for (int c = 0; c < input->channel_count; c++)
        input->channels[c] = (struct channel){.name = str_format("%s", channels[c].name),
                                              .median = channels[c].median,
                                              .mean = channels[c].mean,
                                              .deviation = channels[c].deviation};
    return pair_channels(input, err);
}

int input_create(struct input **out, const char *image_scale, const char *invvar_scale, int stamp_px,
                 int count, const struct input_channel *channels, struct err *err)
{
    int image, invvar;
    if (find_text(IMAGE_SCALES, IMAGE_MAX, image_scale, &image) != 0)
        return err_set(err, -EINVAL, "image_scale is not one of asinh, snr, standard, none");
    if (find_text(INVVAR_SCALES, INVVAR_MAX, invvar_scale, &invvar) != 0)
        return err_set(err, -EINVAL, "invvar_scale is not one of relative, global, standard, none");
    if (stamp_px < 1 || stamp_px > 4096 || count < 1 || count > 4096)
        return err_set(err, -EINVAL, "a stamp of %d px and %d channels is out of bounds", stamp_px, count);
    struct input *input = calloc(1, sizeof *input);
    if (!input)
        return err_set(err, -ENOMEM, "out of memory");
    input->image_scale = (enum image_scale)image;
    input->invvar_scale = (enum invvar_scale)invvar;
    input->stamp_px = stamp_px;
    input->channel_count = count;
    int code = fill_channels(input, channels, err);
    if (code) {
        input_destroy(input);
        return code;
    }
    *out = input;
    return 0;
}

void input_destroy(struct input *input)
{
    if (!input)
        return;
    for (int c = 0; input->channels && c < input->channel_count; c++)
        free(input->channels[c].name);
    free(input->channels);
    free(input->image);
    free(input->invvar);
    free(input->bits);
    free(input);
}

json_t *input_to_json(const struct input *input)
{
    json_t *channels = json_array();
    for (int c = 0; c < input->channel_count; c++)
        json_array_append_new(channels, json_pack("{ss sf sf sf}", "name", input->channels[c].name, "median",
                                                  input->channels[c].median, "mean", input->channels[c].mean,
                                                  "deviation", input->channels[c].deviation));
    return json_pack("{si si ss ss so}", "version", 1, "stamp", input->stamp_px, "image_scale",
                     IMAGE_SCALES[input->image_scale], "invvar_scale", INVVAR_SCALES[input->invvar_scale],
                     "channels", channels);
}

/* -EINVAL without a name; what a scale needs of the numbers, input_create looks at. */
static int read_channel(const json_t *from, struct input_channel *channel)
{
    *channel = (struct input_channel){
        .name = json_string_value(json_object_get(from, "name")),
        .median = json_number_value(json_object_get(from, "median")),
        .mean = json_number_value(json_object_get(from, "mean")),
        .deviation = json_number_value(json_object_get(from, "deviation")),
    };
    return channel->name ? 0 : -EINVAL;
}

int input_from_json(struct input **out, const json_t *file, struct err *err)
{
    const json_t *list = json_object_get(file, "channels");
    size_t count = json_array_size(list);
    CLEANUP(free_ptr) struct input_channel *channels = calloc(count + 1, sizeof *channels);
    if (!channels)
        return err_set(err, -ENOMEM, "out of memory");
    if (json_integer_value(json_object_get(file, "version")) != 1)
        return err_set(err, -EINVAL, "not an input description of version 1");
    for (size_t c = 0; c < count; c++) {
        if (read_channel(json_array_get(list, c), &channels[c]) != 0)
            return err_set(err, -EINVAL, "channel %zu has no name", c);
    }
    return input_create(out, json_string_value(json_object_get(file, "image_scale")),
                        json_string_value(json_object_get(file, "invvar_scale")),
                        (int)json_integer_value(json_object_get(file, "stamp")), (int)count, channels, err);
}

int input_stamp(const struct input *input)
{
    return input->stamp_px;
}

int input_channels(const struct input *input)
{
    return input->channel_count;
}

int input_invvar_of(const struct input *input, int channel)
{
    return input->channels[channel].invvar;
}

bool input_is_invvar(const struct input *input, int channel)
{
    return input->channels[channel].is_invvar;
}

const char *input_image_scale(const struct input *input)
{
    return IMAGE_SCALES[input->image_scale];
}

const char *input_invvar_scale(const struct input *input)
{
    return INVVAR_SCALES[input->invvar_scale];
}

struct input_channel input_channel(const struct input *input, int channel)
{
    const struct channel *from = &input->channels[channel];
    return (struct input_channel){from->name, from->median, from->mean, from->deviation};
}

size_t input_size(const struct input *input)
{
    return (size_t)input->stamp_px * (size_t)input->stamp_px * (size_t)input->channel_count;
}

/* Positive floats order as their bits do, so the k-th smallest is found among these: counted in bins over their
 * range, then, in the bin that holds it, again. A stamp's invvar spreads over a first range so evenly that few
 * are left for a second. bits is used up. */
static uint32_t select_bits(uint32_t *bits, size_t count, size_t k)
{
    enum { BINS_LOG2 = 11, BINS = 1 << BINS_LOG2 };
    uint32_t low = UINT32_MAX, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = bits[i] < low ? bits[i] : low;
        high = bits[i] > high ? bits[i] : high;
    }
    while (low < high) {
        uint32_t counts[BINS] = {0}, bin = 0;
        int length = 32 - __builtin_clz(high - low), shift = length > BINS_LOG2 ? length - BINS_LOG2 : 0;
        for (size_t i = 0; i < count; i++)
            counts[(bits[i] - low) >> shift]++;
        while (k >= counts[bin])
            k -= counts[bin++];
        size_t kept = 0;
        for (size_t i = 0; i < count && shift; i++) {
            uint32_t value = bits[i];
            bits[kept] = value;
            kept += (value - low) >> shift == bin;
        }
        count = kept;
        low += bin << shift;
        high = low + (1u << shift) - 1;
    }
    return low;
}

/* 0 when no pixel is good. work: room for count values. */
static float median_positive(const float *invvar, uint32_t *work, size_t count)
{
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(&work[good], &invvar[i], sizeof *work);
        good += invvar[i] > 0;
    }
    float median = 0;
    uint32_t bits = good ? select_bits(work, good, (good - 1) / 2) : 0;
    memcpy(&median, &bits, sizeof median);
    return median;
}

/* asinh(x) / 2 in place, to 2e-7 absolute: log(|x| + sqrt(x^2 + 1)) with the polynomial of Cephes' logf
 * (Moshier 1992), written so that it vectorises. |x| above 1e15 counts as 1e15. */
static void half_asinh(float *restrict values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float x = values[i], a = fabsf(x);
        a = a < 1e15f ? a : 1e15f;
        float t = a + sqrtf(a * a + 1.0f);
        int32_t bits, fraction;
        memcpy(&bits, &t, sizeof bits);
        int32_t exponent = (bits - 0x3f3504f3) >> 23; /* so that the mantissa is in sqrt(1/2) .. sqrt(2) */
        fraction = bits - (exponent << 23);
        float m, e = (float)exponent;
        memcpy(&m, &fraction, sizeof m);
        m -= 1.0f;
        float square = m * m;
        float p = 7.0376836292e-2f;
        p = p * m - 1.1514610310e-1f;
        p = p * m + 1.1676998740e-1f;
        p = p * m - 1.2420140846e-1f;
        p = p * m + 1.4249322787e-1f;
        p = p * m - 1.6668057665e-1f;
        p = p * m + 2.0000714765e-1f;
        p = p * m - 2.4999993993e-1f;
        p = p * m + 3.3333331174e-1f;
        float logarithm = m * square * p - 2.12194440e-4f * e - 0.5f * square + m + 0.693359375f * e;
        values[i] = copysignf(0.5f * logarithm, x);
    }
}

/* What cannot be trusted becomes invvar 0 and image 0. */
static void clean_band(float *restrict image, float *restrict invvar, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool good = invvar[i] > 0 && invvar[i] <= 3e38f && fabsf(image[i]) <= 3e38f;
        invvar[i] = good ? invvar[i] : 0;
        image[i] = good ? image[i] : 0;
    }
}

static void scale_plane(float *restrict values, size_t count, float factor, float offset)
{
    for (size_t i = 0; i < count; i++)
        values[i] = values[i] * factor + offset;
}

static void standardise(const struct channel *channel, float *values, size_t count)
{
    scale_plane(values, count, (float)(1 / channel->deviation), (float)(-channel->mean / channel->deviation));
}

static void scale_image(const struct input *input, const struct channel *channel, float *image, size_t count,
                        float v0)
{
    if (input->image_scale == IMAGE_STANDARD)
        standardise(channel, image, count);
    if (input->image_scale == IMAGE_ASINH || input->image_scale == IMAGE_SNR)
        scale_plane(image, count, sqrtf(v0), 0);
    if (input->image_scale == IMAGE_ASINH)
        half_asinh(image, count);
}

static void scale_invvar(const struct input *input, const struct channel *channel, float *invvar,
                         size_t count, float v0)
{
    if (input->invvar_scale == INVVAR_STANDARD)
        standardise(channel, invvar, count);
    if (input->invvar_scale == INVVAR_RELATIVE)
        scale_plane(invvar, count, v0 > 0 ? 4 / v0 : 0, v0 > 0 ? -4 : 0);
    if (input->invvar_scale == INVVAR_GLOBAL)
        scale_plane(invvar, count, (float)(1 / channel->median), 0);
}

static void take_plane(float *restrict plane, const float *restrict pixels, size_t count, size_t channels)
{
    for (size_t i = 0; i < count; i++)
        plane[i] = pixels[i * channels];
}

static void put_plane(const float *restrict plane, float *restrict pixels, size_t count, size_t channels)
{
    for (size_t i = 0; i < count; i++)
        pixels[i * channels] = plane[i];
}

/* image or invvar is -1 where a band has only the other. */
static void convert_band(struct input *input, const float *pixels, float *converted, int image, int invvar)
{
    size_t count = (size_t)input->stamp_px * (size_t)input->stamp_px, channels = (size_t)input->channel_count;
    float *x = input->image, *v = input->invvar;
    if (image >= 0)
        take_plane(x, pixels + image, count, channels);
    else
        memset(x, 0, count * sizeof *x);
    if (invvar >= 0)
        take_plane(v, pixels + invvar, count, channels);
    for (size_t i = 0; invvar < 0 && i < count; i++)
        v[i] = 1;
    clean_band(x, v, count);
    float v0 = median_positive(v, input->bits, count);
    if (image >= 0) {
        scale_image(input, &input->channels[image], x, count, v0);
        put_plane(x, converted + image, count, channels);
    }
    if (invvar >= 0) {
        scale_invvar(input, &input->channels[invvar], v, count, v0);
        put_plane(v, converted + invvar, count, channels);
    }
}

void input_convert(struct input *input, const float *pixels, float *converted)
{
    for (int c = 0; c < input->channel_count; c++) {
        const struct channel *channel = &input->channels[c];
        if (!channel->is_invvar)
            convert_band(input, pixels, converted, c, channel->invvar);
        else if (channel->image < 0)
            convert_band(input, pixels, converted, -1, c);
    }
}
