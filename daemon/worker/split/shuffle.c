/* See shuffle.h. Which run an example is in follows from its source and row alone, and its place there from the
 * order of the plan: each rank walks through the plan for itself, and no one tells another anything. */
#include "daemon/worker/split/shuffle.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/split/stampfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define PIECEWISE 0x80000000u

/* An example on its way to a slot of the buffer: from a row of a source, or from a place in a run. */
struct fetch {
    uint64_t from; /* source << 32 | row; run << 32 | place */
    uint32_t slot;
};

struct shuffle {
    const struct plan *plan;
    char *directory;
    struct batch batch;
    struct fetch *fetches; /* room */
    uint32_t *slots;       /* room; at most as many rows of one file */
    uint32_t *first_run; /* of each source; with PIECEWISE, of a source whose every `room` rows are one run */
    size_t runs, buckets, bucket_shards;
    size_t next;     /* of plan->examples: up to here, */
    uint32_t *taken; /* so many are of each run */
};

void shuffle_destroy(struct shuffle *shuffle)
{
    if (!shuffle)
        return;
    batch_free(&shuffle->batch);
    free(shuffle->directory);
    free(shuffle->fetches);
    free(shuffle->slots);
    free(shuffle->first_run);
    free(shuffle->taken);
    free(shuffle);
}

static uint32_t run_of(const struct shuffle *shuffle, uint64_t example)
{
    const uint32_t first = shuffle->first_run[plan_source_of(example)];
    if (!(first & PIECEWISE))
        return first;
    return (first & ~PIECEWISE) + (uint32_t)(plan_row_of(example) / shuffle->batch.room);
}

/* How many examples each source gives, and up to which row. */
struct share {
    uint32_t kept, rows;
};

static void part_sources(struct shuffle *shuffle, const struct share *shares)
{
    const size_t room = shuffle->batch.room;
    size_t filled = 0; /* of the run at hand */
    for (size_t s = 0; s < shuffle->plan->source_count; s++) {
        if (shares[s].kept > room) {
            shuffle->runs += filled > 0;
            shuffle->first_run[s] = (uint32_t)shuffle->runs | PIECEWISE;
            shuffle->runs += (shares[s].rows + room - 1) / room;
            filled = 0;
            continue;
        }
        if (filled + shares[s].kept > room) {
            shuffle->runs++;
            filled = 0;
        }
        shuffle->first_run[s] = (uint32_t)shuffle->runs;
        filled += shares[s].kept;
    }
    shuffle->runs += filled > 0;
}

static int part_plan(struct shuffle *shuffle, struct err *err)
{
    const struct plan *plan = shuffle->plan;
    const size_t shards = plan_shard_count(plan);
    CLEANUP(free_ptr) struct share *shares = calloc(plan->source_count + 1, sizeof *shares);
    shuffle->first_run = calloc(plan->source_count + 1, sizeof *shuffle->first_run);
    if (!shares || !shuffle->first_run)
        return err_set(err, -ENOMEM, "out of memory for %zu files", plan->source_count);
    for (size_t i = 0; i < plan->total; i++) {
        struct share *share = &shares[plan_source_of(plan->examples[i])];
        const uint32_t row = plan_row_of(plan->examples[i]);
        share->kept++;
        share->rows = row >= share->rows ? row + 1 : share->rows;
    }
    part_sources(shuffle, shares);
    shuffle->bucket_shards = shuffle->runs > 1 ? shuffle->batch.room / plan->shard_examples : shards;
    shuffle->buckets = shards ? (shards + shuffle->bucket_shards - 1) / shuffle->bucket_shards : 0;
    shuffle->taken = calloc(shuffle->runs + 1, sizeof *shuffle->taken);
    return shuffle->taken ? 0 : err_set(err, -ENOMEM, "out of memory for %zu runs", shuffle->runs);
}

/* Examples that the buffer is to hold: less than it could where otherwise some ranks had nothing to do. */
static int choose_room(const struct plan *plan, size_t buffer_bytes, int ranks, size_t *room, struct err *err)
{
    const size_t bytes = batch_example_bytes(plan);
    *room = buffer_bytes / bytes;
    if (plan->total <= *room) {
        *room = plan->total;
        return 0;
    }
    if (*room < plan->shard_examples)
        return err_set(err, -EINVAL,
                       "--shard %zu: a shard of stamps of %zu bytes does not fit in --buffer; give fewer "
                       "examples a shard or a buffer of %zu MiB",
                       plan->shard_examples, bytes, (plan->shard_examples * bytes >> 20) + 1);
    const size_t fair = (plan->total + (size_t)ranks - 1) / (size_t)ranks;
    if (*room > fair)
        *room = fair > plan->shard_examples ? fair : plan->shard_examples;
    return 0;
}

int shuffle_create(struct shuffle **out, const struct plan *plan, size_t buffer_bytes, int ranks,
                   const char *directory, struct err *err)
{
    CLEANUP(shuffle_destroy_ptr) struct shuffle *shuffle = calloc(1, sizeof *shuffle);
    size_t room;
    if (!shuffle)
        return err_set(err, -ENOMEM, "out of memory");
    shuffle->plan = plan;
    shuffle->directory = str_format("%s", directory);
    int code = choose_room(plan, buffer_bytes, ranks, &room, err);
    if (!code)
        code = batch_init(&shuffle->batch, plan, room, err);
    if (code)
        return code;
    shuffle->fetches = calloc(room + 1, sizeof *shuffle->fetches);
    shuffle->slots = calloc(room + 1, sizeof *shuffle->slots);
    if (!shuffle->fetches || !shuffle->slots)
        return err_set(err, -ENOMEM, "the buffer of %zu examples does not fit in memory", room);
    code = part_plan(shuffle, err);
    if (!code)
        *out = TAKE(shuffle);
    return code;
}

size_t shuffle_runs(const struct shuffle *shuffle)
{
    return shuffle->runs;
}

size_t shuffle_buckets(const struct shuffle *shuffle)
{
    return shuffle->buckets;
}

void shuffle_bucket_shards(const struct shuffle *shuffle, size_t bucket, size_t *first, size_t *count)
{
    const size_t shards = plan_shard_count(shuffle->plan);
    *first = bucket * shuffle->bucket_shards;
    *count = shards - *first < shuffle->bucket_shards ? shards - *first : shuffle->bucket_shards;
}

struct batch *shuffle_batch(struct shuffle *shuffle)
{
    return &shuffle->batch;
}

static int compare_fetches(const void *a, const void *b)
{
    uint64_t one = ((const struct fetch *)a)->from, two = ((const struct fetch *)b)->from;
    return one < two ? -1 : one > two;
}

/* The fetches from one source or run: i .. the end returned. */
static size_t end_of_group(const struct shuffle *shuffle, size_t i)
{
    size_t end = i;
    while (end < shuffle->batch.count && shuffle->fetches[end].from >> 32 == shuffle->fetches[i].from >> 32)
        end++;
    return end;
}

static int find_columns(const struct row_layout *rows, struct stampfile *stamps,
                        const struct cutout_column **from, struct err *err)
{
    const struct cutout_column *columns;
    size_t count = 0;
    int code = stampfile_columns(stamps, &columns, &count, err);
    for (size_t c = 0; c < rows->count && !code; c++) {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(columns[i].name, rows->columns[c].name) == 0)
                from[c] = &columns[i];
        }
    }
    return code;
}

/* Pixels of fetches i .. end-1, all of one file: rows that follow one another are read together. */
static int read_pixels(struct shuffle *shuffle, struct stampfile *stamps, size_t i, size_t end,
                       struct err *err)
{
    enum { ROWS = 64 };
    const struct fetch *fetches = shuffle->fetches;
    float *pixels[ROWS];
    int code = 0;
    while (i < end && !code) {
        const uint32_t first = plan_row_of(fetches[i].from);
        size_t count = 0;
        for (; count < ROWS && i < end && plan_row_of(fetches[i].from) == first + count; count++, i++)
            pixels[count] = (float *)batch_pixels(&shuffle->batch, fetches[i].slot);
        code = stampfile_read(stamps, first, count, pixels, err);
    }
    return code;
}

static int gather_source(struct shuffle *shuffle, size_t i, size_t end, struct err *err)
{
    const struct plan *plan = shuffle->plan;
    struct batch *batch = &shuffle->batch;
    CLEANUP(stampfile_close_ptr) struct stampfile *stamps = NULL;
    CLEANUP(free_ptr) const struct cutout_column **from = calloc(plan->rows.count + 1, sizeof *from);
    int code = from ? 0 : err_set(err, -ENOMEM, "out of memory for %zu columns", plan->rows.count);
    const char *path = plan->sources[plan_source_of(shuffle->fetches[i].from)].path;
    if (!code)
        code = stampfile_open(&stamps, path, err);
    if (!code && (stampfile_side(stamps) != plan->stamp ||
                  json_array_size(stampfile_channels(stamps)) != (size_t)plan->channels ||
                  stampfile_count(stamps) <= plan_row_of(shuffle->fetches[end - 1].from)))
        code = err_set(err, -EBUSY, "%s changed while it was read", path);
    if (!code)
        code = find_columns(&plan->rows, stamps, from, err);
    if (!code)
        code = read_pixels(shuffle, stamps, i, end, err);
    for (; i < end && !code; i++) {
        const size_t slot = shuffle->fetches[i].slot;
        *batch_hash(batch, slot) = XXH3_64bits(batch_pixels(batch, slot), batch->stamp_bytes);
        rows_pack(&plan->rows, from, plan_row_of(shuffle->fetches[i].from), batch_row(batch, slot));
    }
    return code;
}

int shuffle_gather(struct shuffle *shuffle, size_t run, struct err *err)
{
    struct batch *batch = &shuffle->batch;
    batch->first = batch->count = 0;
    for (size_t i = 0; i < shuffle->plan->total; i++) {
        if (run_of(shuffle, shuffle->plan->examples[i]) != run)
            continue;
        shuffle->fetches[batch->count] = (struct fetch){shuffle->plan->examples[i], (uint32_t)batch->count};
        batch->count++;
    }
    if (batch->count)
        qsort(shuffle->fetches, batch->count, sizeof *shuffle->fetches, compare_fetches);
    int code = 0;
    for (size_t i = 0, end; i < batch->count && !code; i = end) {
        end = end_of_group(shuffle, i);
        code = gather_source(shuffle, i, end, err);
    }
    return code;
}

static char *run_path(const struct shuffle *shuffle, size_t run)
{
    return str_format("%s/run-%zu", shuffle->directory, run);
}

int shuffle_spill(struct shuffle *shuffle, size_t run, struct err *err)
{
    CLEANUP(free_ptr) char *path = run_path(shuffle, run);
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
    return batch_write(&shuffle->batch, fd, path, 0, shuffle->batch.count, err);
}

/* The examples of a bucket as fetches, by run. */
static void find_pieces(struct shuffle *shuffle, size_t bucket)
{
    const struct plan *plan = shuffle->plan;
    size_t shard, count;
    shuffle_bucket_shards(shuffle, bucket, &shard, &count);
    const size_t first = plan_shard(plan, shard).first;
    const struct plan_shard last = plan_shard(plan, shard + count - 1);
    for (; shuffle->next < first; shuffle->next++)
        shuffle->taken[run_of(shuffle, plan->examples[shuffle->next])]++;
    shuffle->batch.first = first;
    shuffle->batch.count = last.first + last.count - first;
    for (size_t slot = 0; slot < shuffle->batch.count; slot++, shuffle->next++) {
        const uint32_t run = run_of(shuffle, plan->examples[shuffle->next]);
        shuffle->fetches[slot] = (struct fetch){(uint64_t)run << 32 | shuffle->taken[run]++, (uint32_t)slot};
    }
    qsort(shuffle->fetches, shuffle->batch.count, sizeof *shuffle->fetches, compare_fetches);
}

static int load_piece(struct shuffle *shuffle, size_t i, size_t end, struct err *err)
{
    const uint64_t from = shuffle->fetches[i].from;
    const size_t record = batch_record_bytes(&shuffle->batch);
    const off_t offset = (off_t)((uint32_t)from * record), size = (off_t)((end - i) * record);
    CLEANUP(free_ptr) char *path = run_path(shuffle, from >> 32);
    CLEANUP(close_fd) int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    for (size_t at = i; at < end; at++)
        shuffle->slots[at - i] = shuffle->fetches[at].slot;
    int code = batch_read(&shuffle->batch, fd, path, offset, shuffle->slots, end - i, err);
    if (!code) /* a help to the disk, not a need */
        (void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
    return code;
}

int shuffle_load(struct shuffle *shuffle, size_t bucket, struct err *err)
{
    int code = 0;
    find_pieces(shuffle, bucket);
    for (size_t i = 0, end; i < shuffle->batch.count && !code; i = end) {
        end = end_of_group(shuffle, i);
        code = load_piece(shuffle, i, end, err);
    }
    return code;
}
