/* See sweep.h: which values each trial has. */
#include "client/sweep.h"
#include "common/rng.h"
#include "common/str.h"

#include <errno.h>
#include <math.h>

enum { STREAM_SWEEP = 0x73776565, DRAWS_A_TRIAL = 100 };

/* The grid's i-th point: the last of the file's fields changes fastest. */
static json_t *grid_point(const struct sweep *sweep, size_t i)
{
    json_t *values = json_object(), *reversed = json_array();
    for (size_t v = sweep->vary_count; v-- > 0;) {
        size_t count = json_array_size(sweep->vary[v].values);
        json_array_append(reversed, json_array_get(sweep->vary[v].values, i % count));
        i /= count;
    }
    for (size_t v = 0; v < sweep->vary_count; v++)
        json_object_set(values, sweep->vary[v].name, json_array_get(reversed, sweep->vary_count - 1 - v));
    json_decref(reversed);
    return values;
}

static int make_grid(const struct sweep *sweep, json_t *trials, struct err *err)
{
    size_t count = 1;
    for (size_t v = 0; v < sweep->vary_count && count <= SWEEP_TRIALS_MAX; v++)
        count *= json_array_size(sweep->vary[v].values);
    if (count > SWEEP_TRIALS_MAX) {
        err_set(err, -EINVAL, "the grid has more than %d points: try search: random", SWEEP_TRIALS_MAX);
        return sweep_blame(sweep, "vary", err);
    }
    for (size_t i = 0; i < count; i++)
        json_array_append_new(trials, grid_point(sweep, i));
    return 0;
}

/* Reals have four digits: what the table shows is what was tried. */
static json_t *draw_number(const struct sweep_vary *vary, struct rng *rng)
{
    double to = vary->to + (vary->whole ? 1 : 0), value, rounded = 0;
    value = vary->log ? exp(rng_range(rng, log(vary->from), log(to))) : rng_range(rng, vary->from, to);
    if (vary->whole)
        return json_integer((json_int_t)fmin(floor(value), vary->to));
    CLEANUP(free_ptr) char *text = str_format("%.4g", value);
    str_to_real(text, &rounded);
    return json_real(fmin(fmax(rounded, vary->from), vary->to));
}

/* A function of seed, draw and the fields of the file: more samples leave those before as they are. */
static json_t *random_point(const struct sweep *sweep, uint64_t draw)
{
    json_t *values = json_object();
    struct rng rng;
    rng_init(&rng, sweep->seed, STREAM_SWEEP, draw);
    for (size_t v = 0; v < sweep->vary_count; v++) {
        const struct sweep_vary *vary = &sweep->vary[v];
        size_t count = json_array_size(vary->values);
        if (count)
            json_object_set(values, vary->name, json_array_get(vary->values, (size_t)rng_below(&rng, count)));
        else
            json_object_set_new(values, vary->name, draw_number(vary, &rng));
    }
    return values;
}

static bool holds(const json_t *trials, const json_t *values)
{
    json_t *other;
    size_t i;
    json_array_foreach((json_t *)trials, i, other)
    {
        if (json_equal(other, values))
            return true;
    }
    return false;
}

static int draw_points(const struct sweep *sweep, json_t *trials, struct err *err)
{
    for (uint64_t draw = 0; json_array_size(trials) < sweep->samples; draw++) {
        if (draw >= DRAWS_A_TRIAL * sweep->samples) {
            err_set(err, -EINVAL,
                    "%zu samples are asked for, but only %zu different ones were found: try search: grid",
                    sweep->samples, json_array_size(trials));
            return sweep_blame(sweep, "samples", err);
        }
        json_t *values = random_point(sweep, draw);
        if (!holds(trials, values))
            json_array_append(trials, values);
        json_decref(values);
    }
    return 0;
}

int sweep_trials(const struct sweep *sweep, json_t **trials, struct err *err)
{
    *trials = json_array();
    return sweep->random ? draw_points(sweep, *trials, err) : make_grid(sweep, *trials, err);
}
