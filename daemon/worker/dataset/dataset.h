/* A dataset as split wrote it: manifest, index and shards, mapped read-only. Label 1 is fake, 0 is real.
 * A stamp is float32 (side, side, channels), channels last, as oneDNN's nhwc wants it.
 *
 * Files of a dataset: x<part>_<k>.npy float32 (n, side, side, channels), y<part>_<k>.npy int64 (n), or both as
 * .h5 with one dataset x or y; part train, valid or test, k from 1, every shard of a part full but its last;
 * index.h5, one row an example in the order train, valid, test, then shard, then row; and manifest.json, written
 * last:
 *
 *     {"v": 1, "decoy": "0.1.0", "seed", "by": "brick", "rule": "a sentence", "counts": "balanced",
 *      "classes": ["real", "fake"], "format": "npy", "axes": "yx" (of a stamp; "xy": the original's order),
 *      "stamp", "shard_examples", "channels": ["g", "ivar_g", ...], "fractions": {"test", "valid"},
 *      "parts": {"train": {"examples", "real", "fake", "dropped": {"real", "fake"}, "bricks": [...]}, ...},
 *      "left_out": stamps that went to no part; "copies": those of them whose galaxy another part has,
 *      "normalisation": {"g": {"median"}, ...},
 *      "provenance": {"real": {"compression": [{"value", "files"}], ...}, "fake": {...}},
 *      "selection": {"real": the class's counts in cutouts.json, "fake"},
 *      "shards": [{"part", "k", "examples", "x": {"bytes", "xxh3": "16 hex digits"}, "y": {...}}, ...],
 *      "index": {"bytes", "xxh3"}}
 *
 * Nothing in it depends on when, where or on how many ranks it was made.
 *
 * A directory without a manifest is opened when it holds what the original's split_testtrain wrote,
 * [testtrain/]<AAA>/<brick>/[xy]{train,test}_<k>.npy: no validation part, axes "xy", channels g ivar_g r ivar_r z
 * ivar_z, no index (of its columns there is brickname alone, from the directories). Its manifest is made up here:
 * the same members, with "foreign": true, without "provenance", "selection" and "index", medians from a sample of
 * FOREIGN_SAMPLE training examples, and "shards" of 512 examples that stand for no files: they have no x and y. */
#ifndef DECOY_DATASET_DATASET_H
#define DECOY_DATASET_DATASET_H

#include "common/cleanup.h"
#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATASET_CHANNELS_MAX = 64, FOREIGN_SAMPLE = 256 };

enum dataset_part { DATASET_TRAIN, DATASET_VALID, DATASET_TEST, DATASET_PART_MAX };

const char *dataset_part_name(enum dataset_part part); /* "train", "valid", "test" */

/* "<directory>/<which><part>_<k>.npy" (or .h5), which is 'x' or 'y'; the caller's to free. */
char *dataset_shard_path(const char *directory, char which, enum dataset_part part, size_t k, bool hdf5);

struct dataset;

/* Reads the manifest and maps the shards it names; a missing or wrongly sized one is an error. -ENOENT when the
 * directory is no dataset. */
int dataset_open(struct dataset **out, const char *directory, struct err *err);
void dataset_close(struct dataset *dataset);
CLEANUP_DEFINE(dataset_close_ptr, struct dataset, dataset_close)

size_t dataset_count(const struct dataset *dataset, enum dataset_part part);
int dataset_stamp(const struct dataset *dataset); /* px a side */
int dataset_channels(const struct dataset *dataset);
size_t dataset_stamp_bytes(const struct dataset *dataset);
const char *dataset_channel_name(const struct dataset *dataset, int channel); /* "g", "ivar_g", ... */
bool dataset_is_transposed(
    const struct dataset *dataset); /* stamps are (x, y, channel), not (y, x, channel) */

/* A stamp of the dataset, or what has the shape of one, as (y, x, channel), whatever the dataset's order. */
void dataset_turn_upright(const struct dataset *dataset, const float *stamp, float *upright);
const json_t *dataset_manifest(const struct dataset *dataset); /* borrowed */

/* The path of one of our shards (not of a foreign dataset's), as dataset_shard_path. */
char *dataset_file(const struct dataset *dataset, char which, enum dataset_part part, size_t k);
uint64_t
dataset_fingerprint(const struct dataset *dataset); /* of the manifest: equal datasets, equal numbers */

/* Example i of a part: its pixels in the mapped shard (valid until close) and its label. */
const float *dataset_pixels(const struct dataset *dataset, enum dataset_part part, size_t i);
uint8_t dataset_label(const struct dataset *dataset, enum dataset_part part, size_t i);

/* Asks the kernel to read the pixels of examples first .. first+count-1 into the page cache, and goes on. */
void dataset_prefetch(const struct dataset *dataset, enum dataset_part part, size_t first, size_t count);

/* How many examples in a row of dataset_order come from the same few shards: what is worth reading at once. */
size_t dataset_window(const struct dataset *dataset);

/* Median over the training part of a channel's positive pixels (manifest: normalisation). */
double dataset_channel_median(const struct dataset *dataset, int channel);

/* The order of the part's examples in an epoch: a permutation, a pure function of (seed, epoch). order has
 * dataset_count items. Shards are shuffled, then examples within a window of shards. */
void dataset_order(const struct dataset *dataset, enum dataset_part part, uint64_t seed, uint64_t epoch,
                   uint64_t *order);

/* A numeric column of index.h5 ("mag_g", "rhalf", ...), one value an example of the part, in its order.
 * -ENOENT when absent, or when the dataset has no index. */
int dataset_column(const struct dataset *dataset, enum dataset_part part, const char *name, double *values,
                   struct err *err);
/* A text column ("brickname"): values is count x width, NUL-padded. */
int dataset_text_column(const struct dataset *dataset, enum dataset_part part, const char *name, size_t width,
                        char *values, struct err *err);

#endif
