/* Check of the order in which stamps lie in the shards. A trainer that reads them as they come learns by it, and a shard
 * that is no fair part of the dataset makes a poor batch. Runs of one label are counted in each shard and compared with
 * what a shuffle gives (Wald & Wolfowitz 1940, Ann. Math. Stat. 11, 147): 1 + 2 n1 n0 / n on the mean. */
#include "daemon/worker/audit/audit.h"
#include "daemon/worker/statistics/distribution.h"

#include <errno.h>
#include <math.h>

#define LEAST_SHARE 0.02 /* fewer or more runs than this matter to nobody */
enum { BLOCKS = 60 };

struct runs {
    double counted, expected, variance;
};

static void count_runs(const struct audit *audit, const struct span *span, struct runs *runs)
{
    const uint8_t *labels = audit->labels + span->at;
    double fakes = 0, n = (double)span->shard.count;
    for (size_t i = 0; i < span->shard.count; i++)
        fakes += labels[i];
    const double product = 2 * fakes * (n - fakes);
    if (span->shard.count < 2 || product == 0) /* one label: told by counts */
        return;
    runs->counted += 1;
    for (size_t i = 1; i < span->shard.count; i++)
        runs->counted += labels[i] != labels[i - 1];
    runs->expected += 1 + product / n;
    runs->variance += product * (product - n) / (n * n * (n - 1));
}

/* The share of fakes in BLOCKS pieces of the sample as it lies. */
static int draw_order(const struct audit *audit, struct err *err)
{
    static const char *const columns[] = {"percent", "fakes"};
    static const char script[] =
        "set xlabel 'place in the dataset (per cent)'\nset ylabel 'share of fakes'\nset yrange [0:1]\n"
        "plot 0.5 with lines lc rgb neutral dt 2 lw 1 notitle, \\\n"
        "     data using 1:2 with steps lc rgb fake lw 1.4 title 'fake'\n";
    double rows[BLOCKS][2];
    for (size_t b = 0; b < BLOCKS; b++) {
        const size_t first = b * audit->count / BLOCKS, end = (b + 1) * audit->count / BLOCKS;
        double fakes = 0;
        for (size_t i = first; i < end; i++)
            fakes += audit->labels[i];
        rows[b][0] = 100 * ((double)b + 0.5) / BLOCKS;
        rows[b][1] = end > first ? fakes / (double)(end - first) : NAN;
    }
    const struct plot_table table = {columns, 2, BLOCKS, rows[0]};
    return audit_plot(audit, "order", &table, 1, script, err);
}

int check_order(struct audit *audit, struct err *err)
{
    struct runs runs = {0};
    int code = draw_order(audit, err);
    for (size_t s = 0; s < audit->span_count; s++)
        count_runs(audit, &audit->spans[s], &runs);
    if (code || !(runs.variance > 0))
        return code ? code : check_add_impossible(audit, "order", "no shard has stamps of both classes");
    const double error = sqrt(runs.variance) / runs.expected, value = fabs(runs.counted / runs.expected - 1),
                 quantile = normal_quantile(1 - audit->alpha / 2);
    const struct check check = {.name = "order",
                                .unit = "",
                                .value = value,
                                .error = error,
                                .p = 2 * normal_upper_tail(value / error),
                                .threshold = fmax(LEAST_SHARE, quantile * error),
                                .plotted = true};
    return check_add(audit, &check,
                     "%.0f runs of one label in %zu shards, where a shuffle gives %.0f (error %.0f)%s",
                     runs.counted, audit->span_count, runs.expected, sqrt(runs.variance),
                     check.value <= check.threshold ? ""
                     : runs.counted < runs.expected ? ": stamps of a class lie together"
                                                    : ": the classes alternate");
}
