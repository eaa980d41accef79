/* See choice.h. */
#include "daemon/worker/report/choice.h"
#include "common/str.h"

#include <math.h>

/* The best so far, smallest cost first. */
struct shortlist {
    size_t count, room, *index;
    double cost[CHOICE_MAX];
};

static void shortlist_offer(struct shortlist *list, size_t index, double cost)
{
    if (!isfinite(cost) || list->room == 0 ||
        (list->count == list->room && !(cost < list->cost[list->count - 1])))
        return;
    size_t at = list->count < list->room ? list->count++ : list->count - 1;
    for (; at > 0 && cost < list->cost[at - 1]; at--) {
        list->index[at] = list->index[at - 1];
        list->cost[at] = list->cost[at - 1];
    }
    list->index[at] = index;
    list->cost[at] = cost;
}

/* The real one nearest to a magnitude that is in no pair yet; (size_t)-1 without one. */
static size_t find_real(const double *mag, const uint8_t *label, size_t n, double target, const size_t *pairs,
                        size_t pair_count)
{
    size_t best = (size_t)-1;
    for (size_t i = 0; i < n; i++) {
        const double distance = fabs(mag[i] - target);
        bool taken = !isfinite(distance) || label[i] || (best < n && !(distance < fabs(mag[best] - target)));
        for (size_t u = 0; u < pair_count && !taken; u++)
            taken = pairs[2 * u] == i;
        best = taken ? best : i;
    }
    return best;
}

void choice_near(const double *mag, const uint8_t *label, size_t n, double target, size_t count,
                 size_t *pairs)
{
    size_t index[CHOICE_MAX];
    struct shortlist fakes = {.room = count < CHOICE_MAX ? count : CHOICE_MAX, .index = index};
    for (size_t i = 0; i < n; i++) {
        if (label[i])
            shortlist_offer(&fakes, i, fabs(mag[i] - target));
    }
    for (size_t i = 0; i < count; i++) {
        bool fake = i < fakes.count;
        pairs[2 * i + 1] = fake ? index[i] : (size_t)-1;
        pairs[2 * i] = find_real(mag, label, n, fake ? mag[index[i]] : target, pairs, i);
    }
}

size_t choice_extreme(const double *value, const uint8_t *label, size_t n, bool highest, size_t count,
                      size_t *fakes)
{
    struct shortlist list = {.room = count < CHOICE_MAX ? count : CHOICE_MAX, .index = fakes};
    for (size_t i = 0; i < n; i++) {
        if (label[i])
            shortlist_offer(&list, i, highest ? -value[i] : value[i]);
    }
    return list.count;
}

double choice_percentile(const double *sorted, size_t n, double percent)
{
    const double at = percent / 100 * (double)(n - 1);
    const size_t below = (size_t)at;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* The largest difference of magnitude within a pair. */
static double widest_pair(const struct gallery_example *examples, size_t rows)
{
    double widest = 0;
    for (size_t i = 0; i < rows; i++) {
        if (examples[2 * i].pixels && examples[2 * i + 1].pixels)
            widest = fmax(widest, fabs(examples[2 * i].mag - examples[2 * i + 1].mag));
    }
    return widest;
}

char *choice_caption(const char *band, double percent, double target, size_t n,
                     const struct gallery_example *examples, size_t rows)
{
    bool reals = examples[0].pixels, fakes = examples[1].pixels;
    CLEANUP(free_ptr)
    char *pairs =
        str_format("Right the fakes (F) nearest to it, left the real galaxies (R) nearest to each of them; "
                   "in a row they differ by at most %.2f mag and share one grey scale.",
                   widest_pair(examples, rows));
    return str_format("Percentile %g of %s among the %zu examples: %.2f mag. %s", percent, band, n, target,
                      reals && fakes ? pairs
                      : reals        ? "Real ones only: there are no fakes."
                                     : "Fakes only: there are no real ones.");
}
