/* See twins.h. Equal hashes are only a suspicion: two stamps are compared before they are called equal. */
#include "daemon/worker/split/twins.h"
#include "daemon/worker/split/index.h"
#include "daemon/worker/split/stampfile.h"

#include <errno.h>
#include <string.h>

struct mark {
    uint64_t hash, example; /* of plan->examples */
};

struct marks {
    struct mark *items;
    size_t count, room;
};

static void marks_free(struct marks *marks)
{
    free(marks->items);
}

static int compare_marks(const void *a, const void *b)
{
    const struct mark *one = a, *two = b;
    if (one->hash != two->hash)
        return one->hash < two->hash ? -1 : 1;
    return one->example < two->example ? -1 : one->example > two->example;
}

static int marks_add(struct marks *marks, uint64_t hash, uint64_t example)
{
    if (marks->count == marks->room) {
        const size_t room = marks->room ? 2 * marks->room : 1 << 16;
        struct mark *larger = realloc(marks->items, room * sizeof *larger);
        if (!larger)
            return -ENOMEM;
        marks->items = larger;
        marks->room = room;
    }
    marks->items[marks->count++] = (struct mark){hash, example};
    return 0;
}

/* The hashes of one `turn` of `turns`. */
static int collect(const char *aside, const struct plan *plan, const struct shuffle *shuffle, uint64_t turn,
                   uint64_t turns, struct marks *marks, struct err *err)
{
    int code = 0;
    marks->count = 0;
    for (size_t bucket = 0; bucket < shuffle_buckets(shuffle) && !code; bucket++) {
        struct batch batch;
        code = index_take(aside, plan, shuffle, bucket, &batch, err);
        for (size_t slot = 0; slot < batch.count && !code; slot++) {
            const uint64_t hash = *batch_hash(&batch, slot);
            if (((hash >> 32) * turns >> 32) == turn && marks_add(marks, hash, batch.first + slot) != 0)
                code = err_set(err, -ENOMEM, "the hashes of %zu examples do not fit in memory", plan->total);
        }
        batch_free(&batch);
    }
    return code;
}

static enum dataset_part part_of(const struct plan *plan, uint64_t example)
{
    size_t end = 0;
    int part = 0;
    for (; part < DATASET_PART_MAX - 1; part++) {
        end += plan->counts[part];
        if (example < end)
            break;
    }
    return (enum dataset_part)part;
}

static int read_stamp(const struct plan *plan, uint64_t example, float *pixels, struct err *err)
{
    CLEANUP(stampfile_close_ptr) struct stampfile *stamps = NULL;
    int code = stampfile_open(&stamps, plan->sources[plan_source_of(plan->examples[example])].path, err);
    return code ? code : stampfile_read(stamps, plan_row_of(plan->examples[example]), 1, &pixels, err);
}

/* Two examples with one hash: -EEXIST when they are equal and in two parts. */
static int compare_stamps(const struct plan *plan, uint64_t one, uint64_t two, size_t *twins, struct err *err)
{
    const size_t bytes = plan_stamp_bytes(plan);
    const enum dataset_part parts[] = {part_of(plan, one), part_of(plan, two)};
    CLEANUP(free_ptr) float *first = malloc(bytes);
    CLEANUP(free_ptr) float *second = malloc(bytes);
    int code = first && second ? 0 : err_set(err, -ENOMEM, "out of memory for two stamps");
    if (!code)
        code = read_stamp(plan, one, first, err);
    if (!code)
        code = read_stamp(plan, two, second, err);
    if (code || memcmp(first, second, bytes) != 0)
        return code;
    (*twins)++;
    if (parts[0] == parts[1])
        return 0;
    const uint64_t a = plan->examples[one], b = plan->examples[two];
    return err_set(
        err, -EEXIST,
        "row %u of %s (%s) and row %u of %s (%s) are the same stamp, byte for byte: a network would be "
        "tested on what it was trained on; take one of them out of the cutouts",
        plan_row_of(a), plan->sources[plan_source_of(a)].path, dataset_part_name(parts[0]), plan_row_of(b),
        plan->sources[plan_source_of(b)].path, dataset_part_name(parts[1]));
}

int twins_check(const char *aside, const struct plan *plan, const struct shuffle *shuffle,
                size_t buffer_bytes, size_t *twins, struct err *err)
{
    CLEANUP(marks_free) struct marks marks = {0};
    const uint64_t turns = 2 * plan->total * sizeof(struct mark) / buffer_bytes + 1; /* 2: room is doubled */
    int code = 0;
    *twins = 0;
    for (uint64_t turn = 0; turn < turns && !code; turn++) {
        code = collect(aside, plan, shuffle, turn, turns, &marks, err);
        if (!code && marks.count)
            qsort(marks.items, marks.count, sizeof *marks.items, compare_marks);
        for (size_t i = 1; i < marks.count && !code; i++) {
            if (marks.items[i].hash == marks.items[i - 1].hash)
                code = compare_stamps(plan, marks.items[i - 1].example, marks.items[i].example, twins, err);
        }
    }
    return code;
}
