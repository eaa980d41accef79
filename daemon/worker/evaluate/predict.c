/* Scores of a part's examples. Rank r of R takes the examples n r / R .. n (r + 1) / R - 1; a stamp's score
 * does not depend on its neighbours in a batch (net/predictor.h), so that the scores are the same for any R.
 */
#include "daemon/worker/evaluate/evaluation.h"

#include <errno.h>

static size_t range_start(size_t n, int rank, int size)
{
    return (size_t)((unsigned __int128)n * (unsigned)rank / (unsigned)size);
}

static int predict_range(struct evaluation *evaluation, size_t first, size_t end, double *score,
                         bool *stopped, struct err *err)
{
    const float *stamps[EVALUATION_BATCH];
    for (size_t i = first; i < end && !*stopped;) {
        size_t count = end - i < EVALUATION_BATCH ? end - i : EVALUATION_BATCH;
        for (size_t j = 0; j < count; j++) {
            stamps[j] = dataset_pixels(evaluation->dataset, evaluation->part, i + j, err);
            if (!stamps[j])
                return -EIO;
        }
        int code = predictor_score(evaluation->predictor, stamps, count, score + (i - first), NULL, err);
        if (code)
            return code;
        i += count;
        link_progress(evaluation->job->link, (double)(i - first), (double)evaluation->n, "examples");
        *stopped = link_stop_asked(evaluation->job->link);
    }
    return 0;
}

/* Rank 0 wrote its own share in place; the others' follow in the order of the ranks. */
static void gather(struct evaluation *evaluation, const double *mine, size_t first, size_t end)
{
    struct team *team = evaluation->job->team;
    int size = team_size(team);
    if (team_rank(team) > 0) {
        team_send(team, mine, (end - first) * sizeof *mine, 0);
        return;
    }
    for (int rank = 1; rank < size; rank++) {
        size_t start = range_start(evaluation->n, rank, size),
               stop = range_start(evaluation->n, rank + 1, size);
        team_receive(team, evaluation->score + start, (stop - start) * sizeof *evaluation->score, rank);
    }
}

int predict_part(struct evaluation *evaluation, struct err *err)
{
    struct team *team = evaluation->job->team;
    const int rank = team_rank(team), size = team_size(team);
    size_t first = range_start(evaluation->n, rank, size), end = range_start(evaluation->n, rank + 1, size);
    bool stopped = false;
    CLEANUP(free_ptr) double *mine = rank ? malloc((end - first + 1) * sizeof *mine) : NULL;
    if (rank && !mine)
        return err_set(err, -ENOMEM, "out of memory for %zu scores", end - first);
    int code = predict_range(evaluation, first, end, rank ? mine : evaluation->score, &stopped, err);
    if (code)
        return code;
    if (team_any(team, stopped))
        return err_set(err, -ECANCELED, "stopped as asked before all of %s was predicted",
                       evaluation->dataset_path);
    gather(evaluation, mine, first, end);
    return 0;
}
