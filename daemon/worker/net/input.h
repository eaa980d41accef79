/* From a stamp's raw pixels to what the network sees. Channels come in pairs by name: `g` (image,
 * nanomaggies) and `ivar_g` (its inverse variance).
 *
 * v0 is the median of the stamp's positive invvar pixels in a band (of an even number the lower middle one),
 * and sigma = 1 / sqrt(v0): one noise for the whole stamp, so that an image channel knows nothing of the
 * invvar's shape but where it is 0. A pixel whose invvar is not positive, or that is not finite, becomes 0 in
 * the image channel; a band without any good pixel is 0 in both of its channels.
 *
 *   image_scale:  asinh     asinh(x / sigma) / 2       (Lupton, Gunn & Szalay 1999, to the eye of a network)
 *                 snr       x / sigma
 *                 standard  (x - mean) / standard deviation of the channel over the training part
 *                 none      x
 *   invvar_scale: relative  4 (v / v0 - 1)             (measured: it sees a dip that `global` does not)
 *                 global    v / median of the training part
 *                 standard  (v - mean) / standard deviation over the training part
 *                 none      v
 */
#ifndef DECOY_NET_INPUT_H
#define DECOY_NET_INPUT_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/net/sight.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct input;

/* A channel over the training part. median: of its positive pixels, for `global`; mean and deviation: for
 * `standard`. The others use none of them. */
struct input_channel {
    const char *name;
    double median, mean, deviation;
};

int input_create(struct input **out, const char *image_scale, const char *invvar_scale, int stamp_px,
                 int count, const struct input_channel *channels, struct err *err);
void input_destroy(struct input *input);
CLEANUP_DEFINE(input_destroy_ptr, struct input, input_destroy)

/* What a network is to see of the stamp; SIGHT_ALL unless set. */
void input_show(struct input *input, enum sight sight);
enum sight input_sight(const struct input *input);
bool input_shows(const struct input *input, int x, int y, int channel);

/* input.json of a train job, but for the `fingerprint` of the dataset, which train adds. */
json_t *input_to_json(const struct input *input);
int input_from_json(struct input **out, const json_t *file, struct err *err);

int input_stamp(const struct input *input); /* px a side */
int input_channels(const struct input *input);
int input_invvar_of(const struct input *input, int channel); /* an image channel's invvar channel; -1: none */
bool input_is_invvar(const struct input *input, int channel);
const char *input_image_scale(const struct input *input); /* as given to input_create, as is the next */
const char *input_invvar_scale(const struct input *input);
struct input_channel input_channel(const struct input *input, int channel); /* its name is the input's */
size_t input_size(const struct input *input); /* floats a stamp: side x side x channels */

/* One stamp, (S, S, C) to (S, S, C). Uses a work space of its own inside `input`: one thread at a time. */
void input_convert(struct input *input, const float *pixels, float *converted);

/* The same in two, for two threads: into planes, one a channel, of input_planes_size floats in all, and from there to
 * (S, S, C), which is one copy less than handing over what is ready. */
size_t input_planes_size(const struct input *input);
void input_convert_planes(struct input *input, const float *pixels, float *planes);
void input_join_planes(const struct input *input, const float *planes, float *converted);

#endif
