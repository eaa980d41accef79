/* Which examples the galleries show: a pure function of magnitudes, labels and scores; ties go to the first.
 */
#include "daemon/worker/evaluate/evaluation.h"

#include <math.h>

/* The best `count` so far, smallest cost first. */
struct shortlist {
    size_t count, room, *index;
    double *cost;
};

static void shortlist_offer(struct shortlist *list, size_t index, double cost)
{
    if (list->count == list->room && !(cost < list->cost[list->count - 1]))
        return;
    size_t at = list->count < list->room ? list->count++ : list->count - 1;
    for (; at > 0 && cost < list->cost[at - 1]; at--) {
        list->index[at] = list->index[at - 1];
        list->cost[at] = list->cost[at - 1];
    }
    list->index[at] = index;
    list->cost[at] = cost;
}

enum { LIST_MAX = 64 };

void examples_near(const struct evaluation *evaluation, double mag, size_t count, size_t *pairs)
{
    size_t index[2][LIST_MAX];
    double cost[2][LIST_MAX];
    struct shortlist lists[2];
    for (size_t label = 0; label < 2; label++)
        lists[label] = (struct shortlist){
            .room = count < LIST_MAX ? count : LIST_MAX, .index = index[label], .cost = cost[label]};
    for (size_t i = 0; i < evaluation->n && evaluation->mag_g; i++) {
        double distance = fabs(evaluation->mag_g[i] - mag);
        if (isfinite(distance))
            shortlist_offer(&lists[evaluation->label[i]], i, distance);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t label = 0; label < 2; label++)
            pairs[2 * i + label] = i < lists[label].count ? lists[label].index[i] : (size_t)-1;
    }
}

size_t examples_extreme(const struct evaluation *evaluation, bool highest, size_t count, size_t *fakes)
{
    double cost[LIST_MAX];
    struct shortlist list = {.room = count < LIST_MAX ? count : LIST_MAX, .index = fakes, .cost = cost};
    for (size_t i = 0; i < evaluation->n; i++) {
        if (evaluation->label[i])
            shortlist_offer(&list, i, highest ? -evaluation->score[i] : evaluation->score[i]);
    }
    return list.count;
}
