/* The normalisation of net/input.h in ONNX operators, all bands at once: planes of the images and of the invvars,
 * (N, bands, S, S), are scaled and put back between one another. A band that lacks its image reads zeros in its
 * place, one that lacks its invvar ones, as net/input.c does. */
#include "common/str.h"
#include "daemon/worker/export/network.h"

#include <string.h>

#define MOST 3e38f /* what is larger cannot be trusted: net/input.c, clean_band */

enum { CHANNELS_MAX = 4096 };

struct bands {
    struct onnx *onnx;
    const struct input *input;
    int count, channels, pixels;
    int64_t image[CHANNELS_MAX], invvar[CHANNELS_MAX]; /* channels; `channels`: zeros, `channels` + 1: ones */
    bool complete;                                     /* none lacks either */
};

#define READS(...) ((const char *[]){__VA_ARGS__, NULL})

static void add_band(struct bands *bands, int image, int invvar)
{
    bands->image[bands->count] = image < 0 ? bands->channels : image;
    bands->invvar[bands->count++] = invvar < 0 ? bands->channels + 1 : invvar;
    bands->complete &= image >= 0 && invvar >= 0;
}

static void find_bands(struct bands *bands)
{
    bool paired[CHANNELS_MAX] = {false};
    bands->complete = true;
    for (int c = 0; c < bands->channels; c++) {
        int invvar = input_is_invvar(bands->input, c) ? -1 : input_invvar_of(bands->input, c);
        if (invvar >= 0)
            paired[invvar] = true;
        if (!input_is_invvar(bands->input, c))
            add_band(bands, c, invvar);
    }
    for (int c = 0; c < bands->channels; c++) {
        if (input_is_invvar(bands->input, c) && !paired[c])
            add_band(bands, -1, c);
    }
}

/* Channels first, then the planes of bands that are not complete. Ends with "raw". */
static void take_planes(const struct bands *bands)
{
    struct onnx *onnx = bands->onnx;
    const char *name = bands->complete ? "raw" : "raw.given";
    onnx_add(onnx, "Transpose", name, READS("stamps"));
    onnx_set_ints(onnx, "perm", 4, (int64_t[]){0, 3, 1, 2});
    if (bands->complete)
        return;
    onnx_integers(onnx, "first", 1, 1, (int64_t[]){0});
    onnx_add(onnx, "Gather", "raw.first", READS(name, "first"));
    onnx_set_int(onnx, "axis", 1);
    onnx_add(onnx, "Shape", "raw.shape", READS("raw.first"));
    onnx_add(onnx, "ConstantOfShape", "raw.zeros", READS("raw.shape"));
    onnx_add(onnx, "Add", "raw.ones", READS("raw.zeros", "unit"));
    onnx_add(onnx, "Concat", "raw", READS(name, "raw.zeros", "raw.ones"));
    onnx_set_int(onnx, "axis", 1);
}

static void gather(const struct bands *bands, const char *name, const char *from, const char *places,
                   int count, const int64_t *channels)
{
    onnx_integers(bands->onnx, places, 1, count, channels);
    onnx_add(bands->onnx, "Gather", name, READS(from, places));
    onnx_set_int(bands->onnx, "axis", 1);
}

/* "good", and with it "image" and "invvar", 0 where they cannot be trusted. */
static void clean(const struct bands *bands)
{
    struct onnx *onnx = bands->onnx;
    gather(bands, "image.raw", "raw", "image.channels", bands->count, bands->image);
    gather(bands, "invvar.raw", "raw", "invvar.channels", bands->count, bands->invvar);
    onnx_number(onnx, "most", MOST);
    onnx_add(onnx, "Greater", "invvar.positive", READS("invvar.raw", "zero"));
    onnx_add(onnx, "LessOrEqual", "invvar.finite", READS("invvar.raw", "most"));
    onnx_add(onnx, "Abs", "image.size", READS("image.raw"));
    onnx_add(onnx, "LessOrEqual", "image.finite", READS("image.size", "most"));
    onnx_add(onnx, "And", "invvar.good", READS("invvar.positive", "invvar.finite"));
    onnx_add(onnx, "And", "good", READS("invvar.good", "image.finite"));
    onnx_add(onnx, "Where", "image", READS("good", "image.raw", "zero"));
    onnx_add(onnx, "Where", "invvar", READS("good", "invvar.raw", "zero"));
}

/* "v0": (N, bands, 1, 1), the lower median of a band's good invvar pixels; 0 where there is none. Those that are
 * not good are sorted to the end. */
static void find_median(const struct bands *bands)
{
    struct onnx *onnx = bands->onnx;
    onnx_integers(onnx, "flat", 1, 3, (int64_t[]){0, bands->count, bands->pixels});
    onnx_integers(onnx, "all", 1, 1, (int64_t[]){bands->pixels});
    onnx_integers(onnx, "along", 1, 1, (int64_t[]){2});
    onnx_integers(onnx, "none", 0, 1, (int64_t[]){0});
    onnx_integers(onnx, "one", 0, 1, (int64_t[]){1});
    onnx_integers(onnx, "two", 0, 1, (int64_t[]){2});
    onnx_integers(onnx, "last", 1, 1, (int64_t[]){3});
    onnx_number(onnx, "beyond", 3.4e38f);
    onnx_add(onnx, "Where", "v0.candidates", READS("good", "invvar.raw", "beyond"));
    onnx_add(onnx, "Reshape", "v0.row", READS("v0.candidates", "flat"));
    onnx_add(onnx, "TopK", "v0.sorted", READS("v0.row", "all"));
    onnx_also_makes(onnx, "v0.order");
    onnx_set_int(onnx, "axis", 2);
    onnx_set_int(onnx, "largest", 0);
    onnx_add(onnx, "Reshape", "v0.good", READS("good", "flat"));
    onnx_add(onnx, "Cast", "v0.ones", READS("v0.good"));
    onnx_set_int(onnx, "to", ONNX_INT64);
    onnx_add(onnx, "ReduceSum", "v0.count", READS("v0.ones", "along"));
    onnx_set_int(onnx, "keepdims", 1);
    onnx_add(onnx, "Sub", "v0.before", READS("v0.count", "one"));
    onnx_add(onnx, "Max", "v0.least", READS("v0.before", "none"));
    onnx_add(onnx, "Div", "v0.place", READS("v0.least", "two"));
    onnx_add(onnx, "GatherElements", "v0.middle", READS("v0.sorted", "v0.place"));
    onnx_set_int(onnx, "axis", 2);
    onnx_add(onnx, "Greater", "v0.any", READS("v0.count", "none"));
    onnx_add(onnx, "Where", "v0.flat", READS("v0.any", "v0.middle", "zero"));
    onnx_add(onnx, "Unsqueeze", "v0", READS("v0.flat", "last"));
}

/* By a factor and an offset of each band's own: (x - mean) / deviation, or x / median. */
static const char *stretch(const struct bands *bands, bool image, bool median)
{
    enum { NAMES = 4 };
    static const char *const ENDS[NAMES] = {"factor", "offset", "stretched", "scaled"};
    const char *plane = image ? "image" : "invvar";
    const int64_t *channels = image ? bands->image : bands->invvar;
    char names[NAMES][32];
    float factors[CHANNELS_MAX], offsets[CHANNELS_MAX];
    const long shape[] = {1, bands->count, 1, 1};
    for (int i = 0; i < NAMES; i++)
        snprintf(names[i], sizeof names[i], "%s.%s", plane, ENDS[i]);
    for (int b = 0; b < bands->count; b++) {
        bool there = channels[b] < bands->channels;
        struct input_channel of = input_channel(bands->input, there ? (int)channels[b] : 0);
        factors[b] = !there ? 1 : (float)(1 / (median ? of.median : of.deviation));
        offsets[b] = !there || median ? 0 : (float)(-of.mean / of.deviation);
    }
    onnx_tensor(bands->onnx, names[0], 4, shape, factors);
    onnx_tensor(bands->onnx, names[1], 4, shape, offsets);
    onnx_add(bands->onnx, "Mul", names[2], READS(plane, names[0]));
    onnx_add(bands->onnx, "Add", names[3], READS(names[2], names[1]));
    return image ? "image.scaled" : "invvar.scaled";
}

static const char *scale_images(const struct bands *bands)
{
    struct onnx *onnx = bands->onnx;
    const char *scale = input_image_scale(bands->input);
    if (strcmp(scale, "none") == 0)
        return "image";
    if (strcmp(scale, "standard") == 0)
        return stretch(bands, true, false);
    onnx_add(onnx, "Sqrt", "image.precision", READS("v0"));
    onnx_add(onnx, "Mul", "image.snr", READS("image", "image.precision"));
    if (strcmp(scale, "snr") == 0)
        return "image.snr";
    onnx_number(onnx, "image.least", -1e15f);
    onnx_number(onnx, "image.most", 1e15f);
    onnx_number(onnx, "half", 0.5f);
    onnx_add(onnx, "Clip", "image.bounded", READS("image.snr", "image.least", "image.most"));
    onnx_add(onnx, "Asinh", "image.asinh", READS("image.bounded"));
    onnx_add(onnx, "Mul", "image.scaled", READS("image.asinh", "half"));
    return "image.scaled";
}

static const char *scale_invvars(const struct bands *bands)
{
    struct onnx *onnx = bands->onnx;
    const char *scale = input_invvar_scale(bands->input);
    if (strcmp(scale, "none") == 0)
        return "invvar";
    if (strcmp(scale, "relative") != 0)
        return stretch(bands, false, strcmp(scale, "global") == 0);
    onnx_number(onnx, "four", 4);
    onnx_add(onnx, "Greater", "invvar.seen", READS("v0", "zero"));
    onnx_add(onnx, "Where", "invvar.offset", READS("invvar.seen", "four", "zero"));
    onnx_add(onnx, "Where", "invvar.unit", READS("invvar.seen", "v0", "unit"));
    onnx_add(onnx, "Div", "invvar.factor", READS("invvar.offset", "invvar.unit"));
    onnx_add(onnx, "Mul", "invvar.stretched", READS("invvar", "invvar.factor"));
    onnx_add(onnx, "Sub", "invvar.scaled", READS("invvar.stretched", "invvar.offset"));
    return "invvar.scaled";
}

/* "input": the channels in their own order again. */
static void put_planes(const struct bands *bands, const char *image, const char *invvar)
{
    int64_t places[CHANNELS_MAX];
    for (int b = 0; b < bands->count; b++) {
        if (bands->image[b] < bands->channels)
            places[bands->image[b]] = b;
        if (bands->invvar[b] < bands->channels)
            places[bands->invvar[b]] = bands->count + b;
    }
    onnx_add(bands->onnx, "Concat", "scaled", READS(image, invvar));
    onnx_set_int(bands->onnx, "axis", 1);
    gather(bands, "input", "scaled", "input.channels", bands->channels, places);
}

/* "input.shown": what a network that sees a part of the stamps is shown; else all. */
static const char *show(const struct bands *bands)
{
    const int side = input_stamp(bands->input);
    const long shape[] = {1, bands->channels, side, side};
    if (input_sight(bands->input) == SIGHT_ALL)
        return "input";
    float *shown = calloc((size_t)bands->channels * (size_t)bands->pixels, sizeof *shown);
    if (!shown)
        abort();
    for (int i = 0; i < bands->channels * bands->pixels; i++)
        shown[i] = input_shows(bands->input, i % side, i / side % side, i / bands->pixels) ? 1 : 0;
    onnx_tensor(bands->onnx, "input.sight", 4, shape, shown);
    onnx_add(bands->onnx, "Mul", "input.shown", READS("input", "input.sight"));
    free(shown);
    return "input.shown";
}

const char *onnx_input_layers(struct onnx *onnx, const struct input *input)
{
    int side = input_stamp(input);
    struct bands *bands = calloc(1, sizeof *bands);
    if (!bands)
        abort();
    *bands = (struct bands){
        .onnx = onnx, .input = input, .channels = input_channels(input), .pixels = side * side};
    find_bands(bands);
    onnx_number(onnx, "zero", 0);
    bool relative = strcmp(input_invvar_scale(input), "relative") == 0;
    if (relative || !bands->complete)
        onnx_number(onnx, "unit", 1);
    take_planes(bands);
    clean(bands);
    if (strcmp(input_image_scale(input), "asinh") == 0 || strcmp(input_image_scale(input), "snr") == 0 ||
        relative)
        find_median(bands);
    put_planes(bands, scale_images(bands), scale_invvars(bands));
    const char *shown = show(bands);
    free(bands);
    return shown;
}
