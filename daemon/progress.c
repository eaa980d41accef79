/* See progress.h. The rate is that over the last samples, at least half a second and at most about half a
 * minute long: a job that goes on from a checkpoint starts with a jump, which the first sample takes up. */
#include "daemon/progress.h"
#include "common/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 60, UNIT_MAX = 24 };

#define SAMPLE_PERIOD_S 0.5
#define RATE_SPAN_S     0.5

struct sample {
    double time_s, done;
};

struct progress {
    int ranks;
    double *done; /* of each rank */
    double total;
    char unit[UNIT_MAX];
    bool known;
    struct sample samples[SAMPLES]; /* a ring; the newest is at (first + count - 1) % SAMPLES */
    int first, count;
    struct sample now;
};

struct progress *progress_create(int ranks)
{
    struct progress *progress = calloc(1, sizeof *progress);
    if (!progress || !(progress->done = calloc((size_t)ranks, sizeof *progress->done)))
        abort();
    progress->ranks = ranks;
    return progress;
}

void progress_destroy(struct progress *progress)
{
    if (!progress)
        return;
    free(progress->done);
    free(progress);
}

static double sum(const struct progress *progress)
{
    double done = 0;
    for (int rank = 0; rank < progress->ranks; rank++)
        done += progress->done[rank];
    return fmin(done, progress->total);
}

static void keep_sample(struct progress *progress)
{
    const struct sample *newest =
        &progress->samples[(progress->first + progress->count + SAMPLES - 1) % SAMPLES];
    if (progress->count && progress->now.time_s - newest->time_s < SAMPLE_PERIOD_S)
        return;
    if (progress->count == SAMPLES)
        progress->first = (progress->first + 1) % SAMPLES;
    else
        progress->count++;
    progress->samples[(progress->first + progress->count - 1) % SAMPLES] = progress->now;
}

bool progress_report(struct progress *progress, int rank, double done, double total, const char *unit,
                     double now_s)
{
    if (rank < 0 || rank >= progress->ranks || !isfinite(done) || !isfinite(total) || done < 0 || total <= 0)
        return false;
    bool another = progress->known && (total != progress->total || strcmp(unit, progress->unit) != 0);
    if (another) { /* a new phase of the job */
        memset(progress->done, 0, (size_t)progress->ranks * sizeof *progress->done);
        progress->count = 0;
    }
    progress->done[rank] = done;
    progress->total = total;
    str_clean(progress->unit, sizeof progress->unit, unit, strlen(unit));
    progress->known = true;
    progress->now = (struct sample){now_s, sum(progress)};
    keep_sample(progress);
    return true;
}

json_t *progress_json(const struct progress *progress)
{
    if (!progress->known)
        return NULL;
    const struct sample *oldest = &progress->samples[progress->first], *now = &progress->now;
    double span_s = now->time_s - oldest->time_s;
    double rate = span_s >= RATE_SPAN_S ? (now->done - oldest->done) / span_s : 0;
    json_t *body =
        json_pack("{sf sf ss}", "done", now->done, "total", progress->total, "unit", progress->unit);
    json_object_set_new(body, "rate", rate > 0 ? json_real(rate) : json_null());
    json_object_set_new(body, "left_s",
                        rate > 0 ? json_real((progress->total - now->done) / rate) : json_null());
    return body;
}
