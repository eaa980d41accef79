/* See shards.h. Stamps of a piece are read in the order of their files, each file opened once a piece and
 * without HDF5 where the plan knows the offset of its rows; they land in the buffer at their places. */
#include "daemon/worker/split/shards.h"
#include "common/file.h"
#include "common/str.h"
#include "daemon/worker/dataset/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

int histogram_init(struct histogram *histogram, int channels)
{
    histogram->channels = channels;
    histogram->counts = calloc((size_t)channels * HISTOGRAM_BINS, sizeof *histogram->counts);
    return histogram->counts ? 0 : -ENOMEM;
}

void histogram_free(struct histogram *histogram)
{
    free(histogram->counts);
    histogram->counts = NULL;
}

void histogram_add(struct histogram *histogram, const float *pixels, size_t count)
{
    const size_t channels = (size_t)histogram->channels;
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < channels; c++) {
            float value = pixels[i * channels + c];
            uint32_t bits;
            memcpy(&bits, &value, sizeof bits);
            histogram->counts[c * HISTOGRAM_BINS + (bits >> HISTOGRAM_SHIFT & (HISTOGRAM_BINS - 1))] +=
                value > 0;
        }
    }
}

static double bin_edge(size_t bin)
{
    uint32_t bits = (uint32_t)bin << HISTOGRAM_SHIFT;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double histogram_median(const double *counts)
{
    double total = 0, below = 0;
    for (size_t bin = 0; bin < HISTOGRAM_BINS; bin++)
        total += counts[bin];
    for (size_t bin = 0; bin < HISTOGRAM_BINS && total > 0; bin++) {
        if (below + counts[bin] >= total / 2 && counts[bin] > 0) {
            double low = bin_edge(bin), high = bin + 1 < HISTOGRAM_BINS ? bin_edge(bin + 1) : low;
            return isfinite(high) ? low + (high - low) * (total / 2 - below) / counts[bin] : low;
        }
        below += counts[bin];
    }
    return 0;
}

/* One stamp to fetch: from where, and to which row of the buffer. */
struct fetch {
    uint64_t example;
    size_t slot;
};

static int compare_fetches(const void *a, const void *b)
{
    uint64_t one = ((const struct fetch *)a)->example, two = ((const struct fetch *)b)->example;
    return one < two ? -1 : one > two;
}

static size_t stamp_bytes(const struct plan *plan)
{
    return (size_t)plan->stamp * (size_t)plan->stamp * (size_t)plan->channels * sizeof(float);
}

static int read_plain(const struct plan *plan, const struct plan_source *source, const struct fetch *fetches,
                      size_t count, char *buffer, struct err *err)
{
    const size_t size = stamp_bytes(plan);
    CLEANUP(close_fd) int fd = open(source->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "cannot read %s: %s", source->path, strerror(errno));
    for (size_t i = 0; i < count; i++) {
        int64_t offset = source->plain_offset + (int64_t)(plan_row_of(fetches[i].example) * size);
        int code = cutout_file_pread(fd, source->path, offset, size, buffer + fetches[i].slot * size, err);
        if (code)
            return code;
    }
    return 0;
}

static int read_by_hdf5(const struct plan *plan, const struct plan_source *source,
                        const struct fetch *fetches, size_t count, char *buffer, struct err *err)
{
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    int code = cutout_file_open(&file, source->path, err);
    for (size_t i = 0; i < count && !code; i++) {
        float *pixels = (float *)(buffer + fetches[i].slot * stamp_bytes(plan));
        code = cutout_file_read_images(file, plan_row_of(fetches[i].example), 1, pixels, err);
    }
    return code;
}

/* Examples first .. first+count-1 of the plan to the rows of buffer. */
static int gather(const struct plan *plan, size_t first, size_t count, struct fetch *fetches, char *buffer,
                  struct err *err)
{
    for (size_t i = 0; i < count; i++)
        fetches[i] = (struct fetch){plan->examples[first + i], i};
    qsort(fetches, count, sizeof *fetches, compare_fetches);
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && plan_source_of(fetches[end].example) == plan_source_of(fetches[i].example))
            end++;
        const struct plan_source *source = &plan->sources[plan_source_of(fetches[i].example)];
        int code = (source->plain_offset < 0 ? read_by_hdf5 : read_plain)(plan, source, fetches + i, end - i,
                                                                          buffer, err);
        if (code)
            return code;
        i = end;
    }
    return 0;
}

/* A file on its way: what is written is hashed. */
struct stream {
    struct outfile *file;
    const char *path;
    XXH3_state_t *hash;
    size_t bytes;
};

static int stream_write(struct stream *stream, const void *data, size_t size, struct err *err)
{
    XXH3_64bits_update(stream->hash, data, size);
    stream->bytes += size;
    return outfile_write(stream->file, data, size, err);
}

static int stream_open(struct stream *stream, const char *path, struct err *err)
{
    *stream = (struct stream){.path = path, .hash = XXH3_createState()};
    if (!stream->hash)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    XXH3_64bits_reset(stream->hash);
    return outfile_open(&stream->file, path, err);
}

/* {"bytes", "xxh3"} of what was written, which then has its name. */
static int stream_publish(struct stream *stream, json_t **entry, struct err *err)
{
    int code = outfile_publish(TAKE(stream->file), err);
    if (code)
        return code;
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)XXH3_64bits_digest(stream->hash));
    *entry = json_pack("{sI ss}", "bytes", (json_int_t)stream->bytes, "xxh3", digits);
    return 0;
}

static void stream_close(struct stream *stream)
{
    outfile_discard(stream->file);
    XXH3_freeState(stream->hash);
}

static int write_pieces(const struct plan *plan, const struct plan_shard *shard, struct stream *stream,
                        struct histogram *histogram, struct err *err)
{
    const size_t size = stamp_bytes(plan), most = SHARDS_BUFFER_BYTES / size ? SHARDS_BUFFER_BYTES / size : 1;
    const size_t piece = shard->count < most ? shard->count : most,
                 pixels = size / sizeof(float) / (size_t)plan->channels;
    CLEANUP(free_ptr) char *buffer = malloc(piece * size);
    CLEANUP(free_ptr) struct fetch *fetches = calloc(piece, sizeof *fetches);
    if (!buffer || !fetches)
        return err_set(err, -ENOMEM, "out of memory for %s", stream->path);
    for (size_t done = 0; done < shard->count;) {
        size_t count = shard->count - done < piece ? shard->count - done : piece;
        int code = gather(plan, shard->first + done, count, fetches, buffer, err);
        if (!code)
            code = stream_write(stream, buffer, count * size, err);
        if (code)
            return code;
        if (shard->part == DATASET_TRAIN)
            histogram_add(histogram, (const float *)buffer, count * pixels);
        done += count;
    }
    return 0;
}

static int publish_pixels(const char *path, const struct plan *plan, const struct plan_shard *shard,
                          struct histogram *histogram, json_t **entry, struct err *err)
{
    const size_t sizes[] = {shard->count, (size_t)plan->stamp, (size_t)plan->stamp, (size_t)plan->channels};
    char header[NPY_HEADER_MAX];
    CLEANUP(stream_close) struct stream stream;
    int code = stream_open(&stream, path, err);
    if (!code)
        code = stream_write(&stream, header, npy_header(header, "<f4", 4, sizes), err);
    if (!code)
        code = write_pieces(plan, shard, &stream, histogram, err);
    return code ? code : stream_publish(&stream, entry, err);
}

static int publish_labels(const char *path, const struct plan *plan, const struct plan_shard *shard,
                          json_t **entry, struct err *err)
{
    char header[NPY_HEADER_MAX];
    CLEANUP(stream_close) struct stream stream;
    CLEANUP(free_ptr) int64_t *labels = calloc(shard->count, sizeof *labels);
    int code = stream_open(&stream, path, err);
    if (!code && !labels)
        code = err_set(err, -ENOMEM, "out of memory for %s", path);
    for (size_t i = 0; i < shard->count && !code; i++)
        labels[i] = plan->sources[plan_source_of(plan->examples[shard->first + i])].label;
    if (!code)
        code = stream_write(&stream, header, npy_header(header, "<i8", 1, &shard->count), err);
    if (!code)
        code = stream_write(&stream, labels, shard->count * sizeof *labels, err);
    return code ? code : stream_publish(&stream, entry, err);
}

int shard_publish(const char *directory, const struct plan *plan, size_t i, struct histogram *histogram,
                  json_t **entry, struct err *err)
{
    const struct plan_shard shard = plan_shard(plan, i);
    CLEANUP(free_ptr) char *pixels = dataset_shard_path(directory, 'x', shard.part, shard.k);
    CLEANUP(free_ptr) char *labels = dataset_shard_path(directory, 'y', shard.part, shard.k);
    json_t *x = NULL, *y = NULL;
    int code = publish_pixels(pixels, plan, &shard, histogram, &x, err);
    if (!code)
        code = publish_labels(labels, plan, &shard, &y, err);
    if (code) {
        json_decref(x);
        return code;
    }
    *entry = json_pack("{ss sI sI so so}", "part", dataset_part_name(shard.part), "k", (json_int_t)shard.k,
                       "examples", (json_int_t)shard.count, "x", x, "y", y);
    return 0;
}
