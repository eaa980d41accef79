/* See assign.h. A part is chosen by taking groups in a random order as long as each brings the part nearer to
 * its share, then by moves and exchanges as long as one helps; among many groups the first is near enough. */
#include "daemon/worker/split/assign.h"
#include "common/cleanup.h"
#include "common/rng.h"
#include "daemon/worker/dataset/dataset.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

enum { STREAM_GROUPS = 0x73706c31, REFINE_GROUPS_MAX = 512, REFINE_ROUNDS_MAX = 200 };

struct choice {
    const size_t (*counts)[2];
    size_t groups;
    const uint64_t *order; /* of groups */
    uint8_t *parts;
    enum dataset_part part;
    double total[2], target[2], sum[2];
    size_t taken, free, keep; /* groups of the part; groups still with train; how many must stay there */
};

/* How far the part is from its share with these counts more, in units of the classes' totals. */
static double distance(const struct choice *choice, double real, double fake)
{
    double off = 0, more[2] = {real, fake};
    for (int c = 0; c < 2; c++) {
        if (choice->total[c] > 0)
            off += fabs(choice->sum[c] + more[c] - choice->target[c]) / choice->total[c];
    }
    return off;
}

static double distance_with(const struct choice *choice, size_t group)
{
    return distance(choice, (double)choice->counts[group][0], (double)choice->counts[group][1]);
}

static void move(struct choice *choice, size_t group, bool take)
{
    for (int c = 0; c < 2; c++)
        choice->sum[c] += (take ? 1 : -1) * (double)choice->counts[group][c];
    choice->parts[group] = take ? choice->part : DATASET_TRAIN;
    choice->taken += take ? 1 : -1;
    choice->free -= take ? 1 : -1;
}

static void take_greedily(struct choice *choice)
{
    for (size_t i = 0; i < choice->groups && choice->free > choice->keep; i++) {
        size_t group = choice->order[i];
        if (choice->parts[group] == DATASET_TRAIN && distance_with(choice, group) < distance(choice, 0, 0))
            move(choice, group, true);
    }
}

/* When every group alone is more than the share: the one that is least too much. */
static void take_one(struct choice *choice)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < choice->groups; i++) {
        size_t group = choice->order[i];
        if (choice->parts[group] != DATASET_TRAIN)
            continue;
        if (best == SIZE_MAX || distance_with(choice, group) < distance_with(choice, best))
            best = group;
    }
    if (best != SIZE_MAX)
        move(choice, best, true);
}

/* The best exchange of one group of the part for one of train; false when none helps. */
static bool exchange_once(struct choice *choice)
{
    double least = distance(choice, 0, 0) - 1e-12;
    size_t best_in = SIZE_MAX, best_out = SIZE_MAX;
    for (size_t i = 0; i < choice->groups; i++) {
        size_t out = choice->order[i];
        for (size_t j = 0; choice->parts[out] == choice->part && j < choice->groups; j++) {
            size_t in = choice->order[j];
            if (choice->parts[in] != DATASET_TRAIN)
                continue;
            double after = distance(choice, (double)choice->counts[in][0] - (double)choice->counts[out][0],
                                    (double)choice->counts[in][1] - (double)choice->counts[out][1]);
            if (after < least) {
                least = after;
                best_in = in;
                best_out = out;
            }
        }
    }
    if (best_in == SIZE_MAX)
        return false;
    move(choice, best_out, false);
    move(choice, best_in, true);
    return true;
}

static void choose(struct choice *choice, double fraction)
{
    for (int c = 0; c < 2; c++)
        choice->target[c] = fraction * choice->total[c];
    take_greedily(choice);
    if (choice->taken == 0)
        take_one(choice);
    for (int round = 0;
         choice->groups <= REFINE_GROUPS_MAX && round < REFINE_ROUNDS_MAX && exchange_once(choice); round++)
        take_greedily(choice);
}

static int check(size_t groups, const char *noun, double test, double valid, struct err *err)
{
    if (test + valid >= 1)
        return err_set(err, -EINVAL, "test %g and valid %g leave nothing to train on", test, valid);
    if (groups == 0)
        return err_set(err, -EINVAL, "there is not one stamp to split");
    if (groups < 2 && (test > 0 || valid > 0))
        return err_set(err, -EINVAL, "there is only one %s; a split by whole %ss needs at least two", noun,
                       noun);
    return 0;
}

int assign_groups(const size_t (*counts)[2], size_t groups, const char *noun, double test, double valid,
                  uint64_t seed, uint8_t *parts, struct err *err)
{
    int code = check(groups, noun, test, valid, err);
    if (code)
        return code;
    struct rng rng;
    struct choice choice = {.counts = counts, .groups = groups, .parts = parts, .free = groups};
    CLEANUP(free_ptr) uint64_t *order = calloc(groups, sizeof *order);
    if (!order)
        return err_set(err, -ENOMEM, "out of memory for %zu groups", groups);
    for (size_t b = 0; b < groups; b++) {
        order[b] = b;
        parts[b] = DATASET_TRAIN;
        choice.total[0] += (double)counts[b][0];
        choice.total[1] += (double)counts[b][1];
    }
    rng_init(&rng, seed, STREAM_GROUPS, 0);
    rng_shuffle(&rng, order, groups);
    choice.order = order;
    const bool with_valid = valid > 0 && (test <= 0 || groups >= 3);
    if (test > 0) {
        choice.part = DATASET_TEST;
        choice.keep = with_valid ? 2 : 1;
        choose(&choice, test);
    }
    if (with_valid) {
        choice.part = DATASET_VALID;
        choice.keep = 1;
        choice.taken = 0;
        choice.sum[0] = choice.sum[1] = 0;
        choose(&choice, valid);
    }
    return 0;
}
