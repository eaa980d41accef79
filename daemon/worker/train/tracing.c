/* What some steps take: prof/trace-<rank>.json for a timeline, prof/layers.txt for a table. */
#include "common/clock.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/train/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void trainer_trace(struct trainer *trainer, const char *name, const char *category, double start_s)
{
    double end_s = clock_monotonic_s();
    if (trainer->tracing)
        trace_slice(trainer->trace, name, category, start_s, end_s);
    if (trainer->in_step && trainer->profile)
        profile_add(trainer->profile, name, end_s - start_s);
}

static void trace_layer(void *context, const char *layer, const char *phase, double start_s, double end_s)
{
    struct trainer *trainer = context;
    trace_slice(trainer->trace, layer, phase, start_s, end_s);
    if (trainer->in_step && trainer->profile)
        profile_add_layer(trainer->profile, layer, phase, trainer->micro_batch, end_s - start_s);
}

static void trace_reduce(void *context, double start_s, double end_s)
{
    struct trainer *trainer = context;
    trace_slice(trainer->trace, "reduce", "reduce", start_s, end_s);
    if (trainer->in_step && trainer->profile)
        profile_add(trainer->profile, "reduce", end_s - start_s);
}

/* Hosts are numbered by their first rank. */
static int number_node(struct trainer *trainer, char host[256], int *node, struct err *err)
{
    struct team *team = trainer->job->team;
    int ranks = team_size(team);
    char **hosts = NULL;
    CLEANUP(free_ptr) int *nodes = calloc((size_t)ranks, sizeof *nodes);
    gethostname(host, 255);
    if (!nodes || team_gather_text(team, host, &hosts) != 0)
        return err_set(err, -ENOMEM, "out of memory");
    for (int rank = 0; hosts && rank < ranks; rank++) {
        while (strcmp(hosts[nodes[rank]], hosts[rank]) != 0)
            nodes[rank]++;
    }
    for (int rank = 0; hosts && rank < ranks; rank++)
        free(hosts[rank]);
    free(hosts);
    team_broadcast(team, nodes, (size_t)ranks * sizeof *nodes, 0);
    *node = nodes[team_rank(team)];
    return 0;
}

static int begin(struct trainer *trainer, struct err *err)
{
    char host[256] = "";
    int node = 0, code = number_node(trainer, host, &node, err);
    if (code)
        return code;
    code = trace_create(&trainer->trace, node, team_rank(trainer->job->team), host);
    trainer->profile = trainer->first ? profile_create(trainer->model) : NULL;
    if (code || (trainer->first && !trainer->profile))
        return err_set(err, -ENOMEM, "out of memory for the trace");
    network_set_hook(trainer->network, trace_layer, trainer);
    tree_set_hook(trainer->gradients, trace_reduce, trainer);
    trainer->tracing = true;
    return 0;
}

int trainer_trace_begin(struct trainer *trainer, struct err *err)
{
    int64_t step = trainer->now.state.step;
    if (step < trainer->trace_from || step >= trainer->trace_end)
        return 0;
    int code = trainer->trace ? 0 : begin(trainer, err);
    trainer->in_step = trainer->tracing;
    trainer->step_start_s = clock_monotonic_s();
    return code;
}

static int publish_trace(struct trainer *trainer, struct err *err)
{
    CLEANUP(free_ptr) char *directory = path_join(trainer->out, "prof");
    CLEANUP(free_ptr) char *path = str_format("%s/trace-%d.json", directory, team_rank(trainer->job->team));
    int code = trainer->first ? fence_check(&trainer->fence, err) : 0;
    if (!code)
        code = path_make_directories(directory, 0777, err);
    return code ? code : trace_publish(trainer->trace, path, err);
}

static int publish_table(const struct trainer *trainer, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(trainer->out, "prof/layers.txt");
    int threads = trainer->job->threads;
    double peak = profile_core_peak();
    CLEANUP(free_ptr)
    char *table = profile_table(trainer->profile, trainer->profiled_steps,
                                trainer->profiled_s / (double)trainer->profiled_steps, peak * threads);
    CLEANUP(free_ptr)
    char *text = str_format(
        "%s in %s, batch %d in micro-batches of %d, rank 0 of %d with %d thread%s: mean of %" PRId64
        " steps up to step "
        "%" PRId64 "\nmost that one core can do (multiply-adds in registers, float32): %.1f GFLOP/s\n\n%s\n"
        "GFLOP/s count what direct loops do: a kernel that transforms does less, and may pass the peak. "
        "reduce: the "
        "sum over\nranks, with the wait for them\n",
        trainer->model->name, trainer->precision, trainer->batch, trainer->micro_batch,
        team_size(trainer->job->team), threads, threads > 1 ? "s" : "", trainer->profiled_steps,
        trainer->now.state.step, peak, table);
    return file_publish(path, text, strlen(text), err);
}

int trainer_trace_end(struct trainer *trainer, bool last, struct err *err)
{
    if (trainer->in_step) {
        trainer->in_step = false;
        trainer->profiled_steps++;
        trainer->profiled_s += clock_monotonic_s() - trainer->step_start_s;
    }
    if (!trainer->tracing || (!last && trainer->now.state.step < trainer->trace_end))
        return 0;
    trainer->tracing = false;
    network_set_hook(trainer->network, NULL, NULL);
    tree_set_hook(trainer->gradients, NULL, NULL);
    int code = publish_trace(trainer, err);
    return code || !trainer->profile || !trainer->profiled_steps ? code : publish_table(trainer, err);
}

int trainer_trace_checkpoint(struct trainer *trainer, double start_s, struct err *err)
{
    if (!trainer->trace)
        return 0;
    trace_slice(trainer->trace, "checkpoint", "checkpoint", start_s, clock_monotonic_s());
    if (trainer->tracing)
        return 0;
    int code = publish_trace(trainer, err);
    trace_destroy(TAKE(trainer->trace));
    return code;
}
