/* See match.h. Both go through the points in order of x and stop when x alone is too far. */
#include "daemon/worker/cutouts/match.h"
#include "common/cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct sorted {
    double x, y;
    size_t row;
};

struct pair {
    double separation;
    size_t from, to;
};

static int x_order(const void *a, const void *b)
{
    const struct sorted *left = a, *right = b;
    if (left->x != right->x)
        return left->x < right->x ? -1 : 1;
    return left->row < right->row ? -1 : left->row > right->row;
}

static int pair_order(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    if (left->separation != right->separation)
        return left->separation < right->separation ? -1 : 1;
    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    return left->to < right->to ? -1 : left->to > right->to;
}

static int sort_points(const struct points *points, struct sorted **sorted, size_t *count, struct err *err)
{
    *count = 0;
    *sorted = calloc(points->count + 1, sizeof **sorted);
    if (!*sorted)
        return err_set(err, -ENOMEM, "out of memory for %zu positions", points->count);
    for (size_t i = 0; i < points->count; i++) {
        if ((!points->usable || points->usable[i]) && isfinite(points->x[i]) && isfinite(points->y[i]))
            (*sorted)[(*count)++] = (struct sorted){points->x[i], points->y[i], i};
    }
    qsort(*sorted, *count, sizeof **sorted, x_order);
    return 0;
}

/* The first sorted point with x not below. */
static size_t lower_bound(const struct sorted *sorted, size_t count, double x)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle].x < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* All pairs within radius, counted, and kept when pairs is not NULL. */
static size_t list_pairs(const struct points *from, const struct sorted *to, size_t count, double radius,
                         struct pair *pairs)
{
    size_t found = 0;
    for (size_t i = 0; i < from->count; i++) {
        if ((from->usable && !from->usable[i]) || !isfinite(from->x[i]) || !isfinite(from->y[i]))
            continue;
        for (size_t k = lower_bound(to, count, from->x[i] - radius);
             k < count && to[k].x <= from->x[i] + radius; k++) {
            double separation = hypot(to[k].x - from->x[i], to[k].y - from->y[i]);
            if (separation > radius)
                continue;
            if (pairs)
                pairs[found] = (struct pair){separation, i, to[k].row};
            found++;
        }
    }
    return found;
}

int match_nearest(const struct points *from, const struct points *to, double radius, long *partner,
                  double *separation, struct err *err)
{
    CLEANUP(free_ptr) struct sorted *sorted = NULL;
    CLEANUP(free_ptr) bool *taken = calloc(to->count + 1, sizeof *taken);
    size_t count;
    int code = sort_points(to, &sorted, &count, err);
    if (code)
        return code;
    size_t pair_count = list_pairs(from, sorted, count, radius, NULL);
    CLEANUP(free_ptr) struct pair *pairs = calloc(pair_count + 1, sizeof *pairs);
    if (!pairs || !taken)
        return err_set(err, -ENOMEM, "out of memory for %zu pairs of positions", pair_count);
    list_pairs(from, sorted, count, radius, pairs);
    qsort(pairs, pair_count, sizeof *pairs, pair_order);
    for (size_t i = 0; i < from->count; i++) {
        partner[i] = -1;
        separation[i] = NAN;
    }
    for (size_t i = 0; i < pair_count; i++) {
        if (partner[pairs[i].from] >= 0 || taken[pairs[i].to])
            continue;
        partner[pairs[i].from] = (long)pairs[i].to;
        separation[pairs[i].from] = pairs[i].separation;
        taken[pairs[i].to] = true;
    }
    return 0;
}

/* From sorted point i outwards in one direction, while x alone is nearer than the best. */
static double search_side(const struct sorted *sorted, size_t count, size_t i, int step, double best)
{
    for (size_t k = i + (size_t)step; k < count && fabs(sorted[k].x - sorted[i].x) < best; k += (size_t)step)
        best = fmin(best, hypot(sorted[k].x - sorted[i].x, sorted[k].y - sorted[i].y));
    return best;
}

int match_neighbours(const struct points *points, double *distance, struct err *err)
{
    CLEANUP(free_ptr) struct sorted *sorted = NULL;
    size_t count;
    int code = sort_points(points, &sorted, &count, err);
    if (code)
        return code;
    for (size_t i = 0; i < points->count; i++)
        distance[i] = NAN;
    for (size_t i = 0; i < count; i++) {
        double best = search_side(sorted, count, i, 1, INFINITY);
        best = search_side(sorted, count, i, -1, best); /* past the first, i wraps round to beyond count */
        distance[sorted[i].row] = isfinite(best) ? best : NAN;
    }
    return 0;
}
