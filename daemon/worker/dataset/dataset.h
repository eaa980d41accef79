/* A dataset as split wrote it: manifest, index and shards, mapped read-only when they are asked for: a survey has
 * 100,000 of them, more than a process may map at once, and each rank looks at few. Label 1 is fake, 0 is real.
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
 * FOREIGN_SAMPLE training examples, and no "shards". */
#ifndef DECOY_DATASET_DATASET_H
#define DECOY_DATASET_DATASET_H

#include "common/cleanup.h"
#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATASET_CHANNELS_MAX = 64, FOREIGN_SAMPLE = 256 };
/* Shards at once: 65,530 is what Linux grants, and what is mapped counts as memory where Slurm looks. */
enum { DATASET_MAPPED = 512 };

enum dataset_part { DATASET_TRAIN, DATASET_VALID, DATASET_TEST, DATASET_PART_MAX };

const char *dataset_part_name(enum dataset_part part); /* "train", "valid", "test" */

/* "<directory>/<which><part>_<k>.npy" (or .h5), which is 'x' or 'y'; the caller's to free. */
char *dataset_shard_path(const char *directory, char which, enum dataset_part part, size_t k, bool hdf5);

struct dataset;

/* Reads the manifest. -ENOENT when the directory is no dataset. */
int dataset_open(struct dataset **out, const char *directory, struct err *err);
void dataset_close(struct dataset *dataset);
CLEANUP_DEFINE(dataset_close_ptr, struct dataset, dataset_close)

/* Whether every `turns`-th shard of the parts, from number `turn` on, has its files, with the sizes of the manifest: ranks
 * share the looking, so that what is missing is told before the work begins and not when it comes to it. */
int dataset_check(const struct dataset *dataset, size_t turn, size_t turns, struct err *err);

/* Copies the pixels of the shards of training and validation to a directory of this host's own, as far as there is
 * room, and has them read there from now on; copies of an earlier time are used. Every `turns`-th shard, from number
 * `turn` on: a host's ranks share the copying. *there of the *wanted shards of this share are copies now. Each copy's
 * bytes are those that split wrote, by their checksum. -ECANCELED when `tell` said so; -EINVAL for a foreign dataset. */
struct dataset_caching {
    size_t turn, turns;
    bool (*tell)(void *context, size_t done, size_t all); /* after a shard, of this share and of all; true: stop */
    void *context;
};

int dataset_cache(struct dataset *dataset, const char *directory, const struct dataset_caching *how,
                  size_t *there, size_t *wanted, struct err *err);

/* A shard's file as the manifest has it; bytes 0: the dataset is foreign. */
struct dataset_file {
    size_t bytes;
    uint64_t xxh3;
};

/* Shard i of all parts', in the order train, valid, test. Those of a foreign dataset are 512 examples, not files. */
struct dataset_shard {
    enum dataset_part part;
    size_t k;            /* from 1 */
    size_t first, count; /* of the part's examples */
    struct dataset_file x, y;
};

size_t dataset_shard_count(const struct dataset *dataset);
struct dataset_shard dataset_shard(const struct dataset *dataset, size_t i);

size_t dataset_count(const struct dataset *dataset, enum dataset_part part);
int dataset_stamp(const struct dataset *dataset); /* px a side */
int dataset_channels(const struct dataset *dataset);
size_t dataset_stamp_bytes(const struct dataset *dataset);
const char *dataset_channel_name(const struct dataset *dataset, int channel); /* "g", "ivar_g", ... */
bool dataset_is_transposed(
    const struct dataset *dataset); /* stamps are (x, y, channel), not (y, x, channel) */

/* A stamp of the dataset, or what has the shape of one, as (y, x, channel), whatever the dataset's order. */
void dataset_turn_upright(const struct dataset *dataset, const float *stamp, float *upright);
const json_t *dataset_manifest(const struct dataset *dataset); /* borrowed; without its shards */

/* The path of one of our shards (not of a foreign dataset's), as dataset_shard_path. */
char *dataset_file(const struct dataset *dataset, char which, enum dataset_part part, size_t k);
uint64_t
dataset_fingerprint(const struct dataset *dataset); /* of the manifest: equal datasets, equal numbers */

/* Example i of a part: its pixels in the mapped shard, until DATASET_MAPPED other shards have been asked for; NULL: an
 * error. Any thread may ask. */
const float *dataset_pixels(struct dataset *dataset, enum dataset_part part, size_t i, struct err *err);

/* The labels of examples first .. first+count-1. Any thread may ask. */
int dataset_labels(struct dataset *dataset, enum dataset_part part, size_t first, size_t count,
                   uint8_t *labels, struct err *err);

/* From now on labels are drawn by lot, a function of seed and example that knows nothing of the classes: what is learnt
 * of them is worth nothing on other examples. */
void dataset_draw_labels(struct dataset *dataset, uint64_t seed);

/* Asks the kernel to read the pixels of examples first .. first+count-1 into the page cache, and goes on. */
void dataset_prefetch(struct dataset *dataset, enum dataset_part part, size_t first, size_t count);

/* How many examples in a row of dataset_order come from the same few shards: what is worth reading at once. */
size_t dataset_window(const struct dataset *dataset);

/* Median over the training part of a channel's positive pixels (manifest: normalisation). */
double dataset_channel_median(const struct dataset *dataset, int channel);

/* The order of a part's examples in an epoch: a permutation, a pure function of (seed, epoch). Shards are shuffled,
 * then examples within a window of shards. It is made window by window as it is asked for: 60 million examples
 * need 1 MB. For one thread at a time. */
struct dataset_order;

int dataset_order_create(struct dataset_order **out, const struct dataset *dataset, enum dataset_part part,
                         struct err *err);
void dataset_order_destroy(struct dataset_order *order);
CLEANUP_DEFINE(dataset_order_destroy_ptr, struct dataset_order, dataset_order_destroy)
void dataset_order_begin(struct dataset_order *order, uint64_t seed, uint64_t epoch);
uint64_t dataset_order_at(struct dataset_order *order, uint64_t row); /* row < dataset_count */

/* A numeric column of index.h5 ("mag_g", "rhalf", ...), one value an example of the part, in its order.
 * -ENOENT when absent, or when the dataset has no index. */
int dataset_column(const struct dataset *dataset, enum dataset_part part, const char *name, double *values,
                   struct err *err);
/* A text column ("brickname"): values is count x width, NUL-padded. */
int dataset_text_column(const struct dataset *dataset, enum dataset_part part, const char *name, size_t width,
                        char *values, struct err *err);

#endif
