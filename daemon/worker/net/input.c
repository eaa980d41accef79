/* See input.h. A stamp is taken apart into planes, scaled there band by band, and put together again. */
#include "daemon/worker/net/input.h"
#include "common/str.h"
#include "daemon/worker/net/pixels.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
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
    enum sight sight;
    int stamp_px, channel_count;
    struct channel *channels;
    float *planes, *converted; /* work: a plane of each channel, as it is given and as the network sees it */
    float *spare;              /* a plane for what a band lacks */
};

static size_t plane_size(const struct input *input)
{
    return (size_t)input->stamp_px * (size_t)input->stamp_px;
}

/* Planes a power of two apart would get into each other's way in the first cache. */
static size_t plane_stride(const struct input *input)
{
    return plane_size(input) + 32;
}

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
    size_t plane = plane_size(input), planes = plane_stride(input) * (size_t)input->channel_count;
    input->channels = calloc((size_t)input->channel_count, sizeof *input->channels);
    input->planes = calloc(planes, sizeof(float));
    input->converted = calloc(planes, sizeof(float));
    input->spare = calloc(plane, sizeof(float));
    if (!input->channels || !input->planes || !input->converted || !input->spare)
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
    free(input->planes);
    free(input->converted);
    free(input->spare);
    free(input);
}

json_t *input_to_json(const struct input *input)
{
    json_t *channels = json_array();
    for (int c = 0; c < input->channel_count; c++)
        json_array_append_new(channels, json_pack("{ss sf sf sf}", "name", input->channels[c].name, "median",
                                                  input->channels[c].median, "mean", input->channels[c].mean,
                                                  "deviation", input->channels[c].deviation));
    return json_pack("{si si ss ss ss so}", "version", 1, "stamp", input->stamp_px, "sees",
                     sight_name(input->sight), "image_scale", IMAGE_SCALES[input->image_scale],
                     "invvar_scale", INVVAR_SCALES[input->invvar_scale], "channels", channels);
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
    const json_t *sees = json_object_get(file, "sees"); /* a file from before there was a choice has none */
    enum sight sight = sees ? sight_find(json_string_value(sees)) : SIGHT_ALL;
    if (sight == SIGHT_MAX)
        return err_set(err, -EINVAL, "sees is not one of all, image, invvar, background");
    int code =
        input_create(out, json_string_value(json_object_get(file, "image_scale")),
                     json_string_value(json_object_get(file, "invvar_scale")),
                     (int)json_integer_value(json_object_get(file, "stamp")), (int)count, channels, err);
    if (!code)
        input_show(*out, sight);
    return code;
}

void input_show(struct input *input, enum sight sight)
{
    input->sight = sight;
}

enum sight input_sight(const struct input *input)
{
    return input->sight;
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

static void standardise(const struct channel *channel, float *values, size_t count)
{
    pixels_scale(values, count, (float)(1 / channel->deviation),
                 (float)(-channel->mean / channel->deviation));
}

static void scale_image(const struct input *input, const struct channel *channel, float *image, size_t count,
                        float v0)
{
    if (input->image_scale == IMAGE_STANDARD)
        standardise(channel, image, count);
    if (input->image_scale == IMAGE_ASINH || input->image_scale == IMAGE_SNR)
        pixels_scale(image, count, sqrtf(v0), 0);
    if (input->image_scale == IMAGE_ASINH)
        pixels_half_asinh(image, count);
}

static void scale_invvar(const struct input *input, const struct channel *channel, float *invvar,
                         size_t count, float v0)
{
    if (input->invvar_scale == INVVAR_STANDARD)
        standardise(channel, invvar, count);
    if (input->invvar_scale == INVVAR_RELATIVE)
        pixels_scale(invvar, count, v0 > 0 ? 4 / v0 : 0, v0 > 0 ? -4 : 0);
    if (input->invvar_scale == INVVAR_GLOBAL)
        pixels_scale(invvar, count, (float)(1 / channel->median), 0);
}

/* image or invvar is -1 where a band has only the other. */
static void convert_band(struct input *input, int image, int invvar, float *planes)
{
    size_t count = plane_size(input), stride = plane_stride(input);
    float *x = image >= 0 ? planes + (size_t)image * stride : input->spare;
    float *v = invvar >= 0 ? planes + (size_t)invvar * stride : input->spare;
    pixels_clean(image >= 0 ? input->planes + (size_t)image * stride : NULL,
                 invvar >= 0 ? input->planes + (size_t)invvar * stride : NULL, count, x, v);
    float v0 = pixels_median(v, count);
    if (image >= 0)
        scale_image(input, &input->channels[image], x, count, v0);
    if (invvar >= 0)
        scale_invvar(input, &input->channels[invvar], v, count, v0);
}

bool input_shows(const struct input *input, int x, int y, int channel)
{
    switch (input->sight) {
    case SIGHT_IMAGE:
        return !input->channels[channel].is_invvar;
    case SIGHT_INVVAR:
        return input->channels[channel].is_invvar;
    case SIGHT_BACKGROUND:
        return !sight_is_middle(input->stamp_px, x, y);
    default:
        return true;
    }
}

static void hide(const struct input *input, float *converted)
{
    for (int y = 0; y < input->stamp_px; y++) {
        for (int x = 0; x < input->stamp_px; x++) {
            for (int c = 0; c < input->channel_count; c++, converted++)
                *converted = input_shows(input, x, y, c) ? *converted : 0;
        }
    }
}

size_t input_planes_size(const struct input *input)
{
    return plane_stride(input) * (size_t)input->channel_count;
}

void input_convert_planes(struct input *input, const float *pixels, float *planes)
{
    pixels_part(pixels, plane_size(input), input->channel_count, input->planes, plane_stride(input));
    for (int c = 0; c < input->channel_count; c++) {
        const struct channel *channel = &input->channels[c];
        if (!channel->is_invvar)
            convert_band(input, c, channel->invvar, planes);
        else if (channel->image < 0)
            convert_band(input, -1, c, planes);
    }
}

void input_join_planes(const struct input *input, const float *planes, float *converted)
{
    pixels_join(planes, plane_stride(input), plane_size(input), input->channel_count, converted);
    if (input->sight != SIGHT_ALL)
        hide(input, converted);
}

void input_convert(struct input *input, const float *pixels, float *converted)
{
    input_convert_planes(input, pixels, input->converted);
    input_join_planes(input, input->converted, converted);
}
