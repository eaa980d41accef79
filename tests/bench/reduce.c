/* reduce MODEL.yaml ROUNDS, run by mpirun: what a sum of MODEL's gradients over all ranks costs when each has one
 * micro-batch that takes no time, by the fixed tree and by MPI_Allreduce in turn, and what the line between ranks 0
 * and 1 gives. One JSON line: medians in seconds. */
#include "common/clock.h"
#include "daemon/worker/net/model.h"
#include "daemon/worker/train/tree.h"

#include <stdio.h>

enum { ROUNDS_MAX = 10000, STARTS_MAX = 256, PING = 8, PING_CHANNEL = 9999 };

static int fill_leaf(void *context, long leaf, float *block, double *statistics, struct err *err)
{
    (void)context, (void)leaf, (void)err;
    block[0] = 1;
    statistics[0] = 1;
    return 0;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

static void need(int code, const struct err *err)
{
    if (!code)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static double time_sum(struct team *team, struct tree *sums)
{
    struct err err = {0};
    const float *block;
    const double *statistics;
    team_barrier(team);
    double start_s = clock_monotonic_s();
    need(tree_sum(sums, team_size(team), fill_leaf, NULL, &block, &statistics, &err), &err);
    return clock_monotonic_s() - start_s;
}

/* Half the time of a message there and back between ranks 0 and 1. */
static double time_ping(struct team *team, void *data, size_t size)
{
    int me = team_rank(team);
    team_barrier(team);
    double start_s = clock_monotonic_s();
    for (int i = 0; i < 2 * PING && me < 2; i++) {
        struct team_request request = {0};
        if (i % 2 == me)
            team_start_send(team, data, size, 1 - me, PING_CHANNEL, &request);
        else
            team_start_receive(team, data, size, 1 - me, PING_CHANNEL, &request);
        team_wait(&request);
    }
    return (clock_monotonic_s() - start_s) / (2 * PING);
}

int main(int argc, char **argv)
{
    static size_t starts[STARTS_MAX];
    static double took_s[4][ROUNDS_MAX];
    struct err err = {0};
    struct team *team;
    struct model *model;
    struct tree *sums[TREE_WAY_MAX];
    int rounds = argc == 3 ? atoi(argv[2]) : 0;
    if (rounds < 1 || rounds > ROUNDS_MAX)
        return 2;
    need(team_create(&team, &err), &err);
    need(model_read(&model, argv[1], 64, 6, &err), &err);
    for (int i = 0; i < model_tensor_count(model) && i < STARTS_MAX; i++)
        starts[i] = model_tensor(model, i).offset;
    for (int way = 0; way < TREE_WAY_MAX; way++) {
        const struct tree_options options = {.way = (enum tree_way)way,
                                             .block_count = model->parameter_count,
                                             .starts = starts,
                                             .segments = model_tensor_count(model),
                                             .statistic_count = 4};
        need(tree_create(&sums[way], team, &options, &err), &err);
    }
    size_t bytes = model->parameter_count * sizeof(float);
    void *data = calloc(1, bytes);
    for (int i = -3; i < rounds; i++) { /* the first ones do not count */
        for (int way = 0; way < TREE_WAY_MAX; way++)
            took_s[way][i < 0 ? 0 : i] = time_sum(team, sums[way]);
        took_s[2][i < 0 ? 0 : i] = time_ping(team, data, 8);
        took_s[3][i < 0 ? 0 : i] = time_ping(team, data, bytes);
    }
    if (team_rank(team) == 0)
        printf("{\"model\": \"%s\", \"ranks\": %d, \"bytes\": %zu, \"rounds\": %d, \"tree_s\": %.3e, "
               "\"allreduce_s\": %.3e, "
               "\"small_s\": %.3e, \"large_s\": %.3e}\n",
               model->name, team_size(team), bytes, rounds, median(took_s[0], rounds),
               median(took_s[1], rounds), median(took_s[2], rounds), median(took_s[3], rounds));
    free(data);
    for (int way = 0; way < TREE_WAY_MAX; way++)
        tree_destroy(sums[way]);
    model_destroy(model);
    team_destroy(team);
    return 0;
}
