/* See loader.h. A ring of batches: the thread fills the one at `filled`, the network has the one at `taken`.
 *
 * Reading ahead: the rows of a pass are taken in groups. While batches of one group are converted, the
 * examples of the next are asked for (dataset_prefetch), sorted by where they lie, so many with each batch
 * that both end together. Groups begin small, so that a pass does not wait for its first, and double until
 * they have group_rows. With as many as a rank's share of the window of shards within which dataset_order
 * shuffles, the disk is read nearly in sequence. The page cache holds a group: what is left of one, and what
 * there is of the next. */
#include "daemon/worker/train/loader.h"
#include "daemon/worker/dataset/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { DEPTH = 3, FIRST_GROUP = 4, STOP_LOOK_MS = 20 };
enum { STREAM_AUGMENT = 0x6175676d };

struct slot {
    float *planes;
    uint8_t *labels;
    int count, code;
    struct err err; /* with code */
};

struct loader {
    struct loader_options options;
    struct slot slots[DEPTH];
    float *changed;        /* an augmented stamp, before it is converted */
    struct stream *stream; /* NULL: pixels are looked at where they are mapped */
    uint64_t *ahead;       /* examples of the next group, sorted */
    int64_t ahead_count, ahead_asked;
    int64_t group_first, group_end, next_batches,
        most_batches; /* of the group in hand, the next, the largest */

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed_state;
    struct loader_pass pass;
    int64_t filled, taken;    /* batches of the pass; taken counts the one the network has */
    bool running, busy, quit; /* busy: the thread is at work on the pass */

    atomic_bool given_up; /* the batch in hand is for nobody */
};

static uint64_t example_of(const struct loader_pass *pass, int64_t row)
{
    return pass->order ? dataset_order_at(pass->order, (uint64_t)row) : (uint64_t)row;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Lists the examples of a group of so many batches from `first` on. */
static void list_ahead(struct loader *loader, const struct loader_pass *pass, int64_t first, int64_t batches)
{
    loader->next_batches = batches < loader->most_batches ? batches : loader->most_batches;
    loader->ahead_count = loader->ahead_asked = 0;
    for (int64_t i = first; i < first + loader->next_batches && i < pass->batches; i++) {
        struct loader_rows rows = pass->rows(pass->context, i);
        for (int row = 0; row < rows.count; row++)
            loader->ahead[loader->ahead_count++] = example_of(pass, rows.first + row);
    }
    qsort(loader->ahead, (size_t)loader->ahead_count, sizeof *loader->ahead, compare);
}

/* Asks for the listed ones up to `end`, neighbours together. */
static void ask_ahead(struct loader *loader, const struct loader_pass *pass, int64_t end)
{
    while (loader->ahead_asked < end && loader->ahead_asked < loader->ahead_count && !loader->given_up) {
        int64_t first = loader->ahead_asked++;
        while (loader->ahead_asked < end && loader->ahead_asked < loader->ahead_count &&
               loader->ahead[loader->ahead_asked] == loader->ahead[loader->ahead_asked - 1] + 1)
            loader->ahead_asked++;
        dataset_prefetch(loader->options.dataset, pass->part, loader->ahead[first],
                         (size_t)(loader->ahead_asked - first));
    }
}

static void read_ahead(struct loader *loader, const struct loader_pass *pass, int64_t batch)
{
    if (batch == 0) {
        list_ahead(loader, pass, 0, FIRST_GROUP);
        ask_ahead(loader, pass, loader->ahead_count);
        loader->group_end = 0;
    }
    if (batch == loader->group_end) {
        loader->group_first = batch;
        loader->group_end += loader->next_batches;
        list_ahead(loader, pass, loader->group_end, 2 * loader->next_batches);
    }
    int64_t done = batch + 1 - loader->group_first, all = loader->group_end - loader->group_first;
    ask_ahead(loader, pass, done * loader->ahead_count / all);
}

/* The changes of an example are a function of seed, epoch and example, whatever rank makes them. */
static const float *change_stamp(struct loader *loader, const struct loader_pass *pass, uint64_t example,
                                 const float *pixels)
{
    const struct loader_options *options = &loader->options;
    struct rng rng;
    if (pass->part != DATASET_TRAIN || !augment_is_on(&options->augment))
        return pixels;
    rng_init(&rng, options->seed, STREAM_AUGMENT,
             pass->epoch * dataset_count(options->dataset, pass->part) + example);
    augment_stamp(&options->augment, options->input, &rng, pixels, loader->changed);
    return loader->changed;
}

static int fill_row(struct loader *loader, const struct loader_pass *pass, uint64_t example,
                    struct slot *slot, int row)
{
    const struct loader_options *options = &loader->options;
    const float *pixels = loader->stream ? stream_read(loader->stream, pass->part, example, &slot->err)
                                         : dataset_pixels(options->dataset, pass->part, example, &slot->err);
    if (!pixels)
        return -EIO;
    input_convert_planes(options->input, change_stamp(loader, pass, example, pixels),
                         slot->planes + (size_t)row * input_planes_size(options->input));
    return dataset_labels(options->dataset, pass->part, example, 1, slot->labels + row, &slot->err);
}

static void fill_slot(struct loader *loader, const struct loader_pass *pass, int64_t batch, struct slot *slot)
{
    struct loader_rows rows = pass->rows(pass->context, batch);
    read_ahead(loader, pass, batch);
    slot->code = 0;
    for (int i = 0; i < rows.count && !loader->given_up && !slot->code; i++)
        slot->code = fill_row(loader, pass, example_of(pass, rows.first + i), slot, i);
    slot->count = rows.count;
}

static bool has_work(const struct loader *loader)
{
    return loader->running && loader->filled < loader->pass.batches &&
           loader->filled - loader->taken < DEPTH - 1;
}

static void *fill_slots(void *argument)
{
    struct loader *loader = argument;
    pthread_mutex_lock(&loader->lock);
    while (!loader->quit) {
        if (!has_work(loader)) {
            pthread_cond_wait(&loader->changed_state, &loader->lock);
            continue;
        }
        const struct loader_pass pass = loader->pass;
        int64_t batch = loader->filled;
        loader->busy = true;
        pthread_mutex_unlock(&loader->lock);
        fill_slot(loader, &pass, batch, &loader->slots[batch % DEPTH]);
        pthread_mutex_lock(&loader->lock);
        loader->busy = false;
        loader->filled++;
        pthread_cond_broadcast(&loader->changed_state);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static int allocate(struct loader *loader)
{
    size_t size = input_planes_size(loader->options.input), rows = (size_t)loader->options.micro_batch;
    loader->most_batches = 1 + (loader->options.group_rows - 1) / loader->options.micro_batch;
    loader->changed = calloc(input_size(loader->options.input), sizeof *loader->changed);
    loader->ahead = calloc((size_t)loader->most_batches * rows, sizeof *loader->ahead);
    for (int i = 0; i < DEPTH; i++) {
        struct slot *slot = &loader->slots[i];
        slot->planes = calloc(rows * size, sizeof *slot->planes);
        slot->labels = calloc(rows, 1);
        if (!slot->planes || !slot->labels)
            return -ENOMEM;
    }
    return loader->changed && loader->ahead ? 0 : -ENOMEM;
}

/* Waits are timed by the clock that never jumps. */
static void open_locks(struct loader *loader)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&loader->changed_state, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int loader_create(struct loader **out, const struct loader_options *options, struct err *err)
{
    CLEANUP(loader_destroy_ptr) struct loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return err_set(err, -ENOMEM, "out of memory for micro-batches");
    loader->options = *options;
    open_locks(loader);
    if (allocate(loader) != 0)
        return err_set(err, -ENOMEM, "out of memory for micro-batches of %d", options->micro_batch);
    int code = options->larger_than_memory ? stream_create(&loader->stream, options->dataset, err) : 0;
    if (code)
        return code;
    if (pthread_create(&loader->thread, NULL, fill_slots, loader) != 0)
        return err_set(err, -EAGAIN, "cannot start a thread that reads ahead");
    loader->has_thread = true;
    *out = TAKE(loader);
    return 0;
}

void loader_destroy(struct loader *loader)
{
    if (!loader)
        return;
    loader->given_up = true;
    pthread_mutex_lock(&loader->lock);
    loader->quit = true;
    pthread_cond_broadcast(&loader->changed_state);
    pthread_mutex_unlock(&loader->lock);
    if (loader->has_thread)
        pthread_join(loader->thread, NULL);
    for (int i = 0; i < DEPTH; i++) {
        free(loader->slots[i].planes);
        free(loader->slots[i].labels);
    }
    stream_destroy(loader->stream);
    free(loader->changed);
    free(loader->ahead);
    pthread_cond_destroy(&loader->changed_state);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}

void loader_start(struct loader *loader, const struct loader_pass *pass)
{
    loader_stop(loader);
    pthread_mutex_lock(&loader->lock);
    loader->pass = *pass;
    loader->filled = loader->taken = 0;
    loader->running = true;
    loader->given_up = false;
    pthread_cond_broadcast(&loader->changed_state);
    pthread_mutex_unlock(&loader->lock);
}

static bool asked_to_stop(const struct loader *loader)
{
    return loader->options.stop && loader->options.stop(loader->options.stop_context);
}

/* Until something changes, or it is time to ask again whether to stop. */
static void wait_a_little(struct loader *loader)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += STOP_LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&loader->changed_state, &loader->lock, &until);
}

int loader_next(struct loader *loader, struct loader_batch *next, struct err *err)
{
    pthread_mutex_lock(&loader->lock);
    int64_t batch = loader->taken++;
    pthread_cond_broadcast(&loader->changed_state); /* the one before may be filled anew */
    while (loader->filled <= batch && !asked_to_stop(loader))
        wait_a_little(loader);
    bool there = loader->filled > batch;
    loader->taken -= !there;
    pthread_mutex_unlock(&loader->lock);
    *next = (struct loader_batch){0};
    if (!there)
        return 0;
    const struct slot *slot = &loader->slots[batch % DEPTH];
    if (slot->code)
        return err_set(err, slot->code, "%s", slot->err.text);
    *next = (struct loader_batch){slot->planes, slot->labels, slot->count};
    return 0;
}

void loader_stop(struct loader *loader)
{
    loader->given_up = true;
    pthread_mutex_lock(&loader->lock);
    loader->running = false;
    while (loader->busy)
        pthread_cond_wait(&loader->changed_state, &loader->lock);
    pthread_mutex_unlock(&loader->lock);
}
