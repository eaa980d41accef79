/* See plan.h. In each brick: the stamps of a class in a random order, the larger class cut to the smaller
 * one's length. Balancing each brick and not only each part keeps a network from guessing a stamp's class by
 * its brick (depth, seeing), which would make the scores of a brick's stamps hang together. Then the stamps
 * of all bricks of a part in a random order. */
#include "daemon/worker/split/plan.h"
#include "common/rng.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

enum { STREAM_SURPLUS = 0x73706c32, STREAM_MIX = 0x73706c33 };

#define NO_SOURCE UINT32_MAX

/* The sources of each brick and class as linked lists, in the scan's order. */
struct lists {
    uint32_t *head; /* (bricks, CLASS_MAX) */
    uint32_t *next; /* (sources) */
};

static void lists_free(struct lists *lists)
{
    free(lists->head);
    free(lists->next);
}

static int lists_make(struct lists *lists, const struct scan *scan)
{
    lists->head = malloc((scan->brick_count * CLASS_MAX + 1) * sizeof *lists->head);
    lists->next = malloc((scan->source_count + 1) * sizeof *lists->next);
    if (!lists->head || !lists->next)
        return -ENOMEM;
    for (size_t i = 0; i < scan->brick_count * CLASS_MAX; i++)
        lists->head[i] = NO_SOURCE;
    for (size_t s = scan->source_count; s-- > 0;) {
        uint32_t *head = &lists->head[scan->sources[s].brick * CLASS_MAX + scan->sources[s].label];
        lists->next[s] = *head;
        *head = (uint32_t)s;
    }
    return 0;
}

/* What plan_make was given. */
struct wish {
    const struct scan *scan;
    const uint8_t *parts;
    bool balanced;
    uint64_t seed;
};

/* All stamps of a brick's class that go to the part, in a random order; returns how many. */
static size_t draw_stamps(const struct wish *wish, const struct lists *lists, size_t brick, int label,
                          int part, uint64_t *items)
{
    const struct source *sources = wish->scan->sources;
    struct rng rng;
    size_t count = 0;
    for (uint32_t s = lists->head[brick * CLASS_MAX + (size_t)label]; s != NO_SOURCE; s = lists->next[s]) {
        for (size_t row = 0; row < sources[s].count; row++) {
            if (wish->parts[sources[s].first + row] == part)
                items[count++] = (uint64_t)s << 32 | row;
        }
    }
    rng_init(&rng, wish->seed, STREAM_SURPLUS,
             (brick * CLASS_MAX + (size_t)label) * DATASET_PART_MAX + (size_t)part);
    rng_shuffle(&rng, items, count);
    return count;
}

/* A brick's examples of the part to items, which has room for all its stamps; returns how many. */
static size_t plan_brick(struct plan *plan, const struct wish *wish, const struct lists *lists, size_t brick,
                         int part, uint64_t *items)
{
    size_t reals = draw_stamps(wish, lists, brick, CLASS_REAL, part, items);
    size_t fakes = draw_stamps(wish, lists, brick, CLASS_FAKE, part, items + reals);
    const size_t least = reals < fakes ? reals : fakes;
    const size_t kept_reals = wish->balanced ? least : reals, kept_fakes = wish->balanced ? least : fakes;
    memmove(items + kept_reals, items + reals, kept_fakes * sizeof *items);
    plan->kept[part][CLASS_REAL] += kept_reals;
    plan->kept[part][CLASS_FAKE] += kept_fakes;
    plan->dropped[part][CLASS_REAL] += reals - kept_reals;
    plan->dropped[part][CLASS_FAKE] += fakes - kept_fakes;
    return kept_reals + kept_fakes;
}

static void plan_part(struct plan *plan, const struct wish *wish, const struct lists *lists, int part)
{
    struct rng rng;
    uint64_t *items = plan->examples + plan->total;
    for (size_t brick = 0; brick < wish->scan->brick_count; brick++)
        plan->counts[part] += plan_brick(plan, wish, lists, brick, part, items + plan->counts[part]);
    rng_init(&rng, wish->seed, STREAM_MIX, (uint64_t)part);
    rng_shuffle(&rng, items, plan->counts[part]);
    plan->total += plan->counts[part];
}

static int copy_sources(struct plan *plan, const struct scan *scan)
{
    plan->sources = calloc(scan->source_count + 1, sizeof *plan->sources);
    plan->examples = calloc(scan->total + 1, sizeof *plan->examples);
    if (!plan->sources || !plan->examples)
        return -ENOMEM;
    for (size_t s = 0; s < scan->source_count; s++) {
        plan->sources[s] =
            (struct plan_source){str_format("%s", scan->sources[s].path), scan->sources[s].label};
    }
    plan->source_count = scan->source_count;
    return 0;
}

static int check_part(const struct plan *plan, int part, struct err *err)
{
    const char *name = dataset_part_name((enum dataset_part)part);
    for (int c = 0; c < CLASS_MAX; c++) {
        if (plan->kept[part][c] + plan->dropped[part][c] == 0)
            return err_set(err, -EINVAL, "the %s part would have no %s stamp; more stamps are needed", name,
                           CLASS_NAMES[c]);
    }
    if (plan->counts[part] == 0)
        return err_set(err, -EINVAL,
                       "no brick has stamps of both classes in the %s part, and balanced classes want as "
                       "many of each in every brick; try --classes natural",
                       name);
    return 0;
}

int plan_make(struct plan *plan, struct scan *scan, const uint8_t *parts, bool balanced, bool with_test,
              uint64_t seed, size_t shard_examples, struct err *err)
{
    *plan = (struct plan){
        .stamp = scan->stamp, .channels = scan->channel_count, .shard_examples = shard_examples};
    CLEANUP(lists_free) struct lists lists = {NULL, NULL};
    const struct wish wish = {scan, parts, balanced, seed};
    int code = scan->source_count >= NO_SOURCE ? -EFBIG : copy_sources(plan, scan);
    if (!code)
        code = lists_make(&lists, scan);
    if (code) {
        plan_free(plan);
        return err_set(err, code, "the plan of %zu stamps does not fit in memory", scan->total);
    }
    for (int part = 0; part < DATASET_PART_MAX; part++)
        plan_part(plan, &wish, &lists, part);
    plan->rows = scan->rows;
    scan->rows = (struct row_layout){0};
    code = check_part(plan, DATASET_TRAIN, err);
    if (!code && with_test)
        code = check_part(plan, DATASET_TEST, err);
    if (code)
        plan_free(plan);
    return code;
}

/* Sources and columns as JSON text. */
static char *plan_text(const struct plan *plan)
{
    json_t *list = json_array();
    for (size_t s = 0; s < plan->source_count; s++)
        json_array_append_new(list, json_pack("[si]", plan->sources[s].path, plan->sources[s].label));
    json_t *both = json_pack("{soso}", "sources", list, "columns", rows_to_json(&plan->rows));
    char *text = json_dumps(both, JSON_COMPACT);
    json_decref(both);
    return text;
}

static int take_text(struct plan *plan, const char *text, struct err *err)
{
    json_t *both, *list, *entry;
    size_t s;
    int code = json_parse_bytes(text, strlen(text), &both, err);
    if (code)
        return code;
    list = json_object_get(both, "sources");
    plan->sources = calloc(json_array_size(list) + 1, sizeof *plan->sources);
    if (!plan->sources)
        code = err_set(err, -ENOMEM, "out of memory for the names of %zu files", json_array_size(list));
    for (s = 0; !code && (entry = json_array_get(list, s)) != NULL; s++) {
        plan->sources[s] = (struct plan_source){str_format("%s", json_string_value(json_array_get(entry, 0))),
                                                (uint8_t)json_integer_value(json_array_get(entry, 1))};
        plan->source_count = s + 1;
    }
    if (!code)
        code = rows_from_json(&plan->rows, json_object_get(both, "columns"), err);
    json_decref(both);
    return code;
}

int plan_share(struct plan *plan, struct team *team, struct err *err)
{
    const bool mine = team_rank(team) == 0;
    struct plan head = *plan;
    CLEANUP(free_ptr) char *text = mine ? plan_text(plan) : NULL;
    size_t size = text ? strlen(text) + 1 : 0;
    team_broadcast(team, &head, sizeof head, 0);
    team_broadcast(team, &size, sizeof size, 0);
    if (!mine) {
        *plan = head;
        plan->sources = NULL;
        plan->source_count = 0;
        plan->rows = (struct row_layout){0};
        plan->examples = calloc(plan->total + 1, sizeof *plan->examples);
        text = calloc(size + 1, 1);
    }
    if (!text || !size || !plan->examples) /* the rank that fails ends the others */
        return err_set(err, -ENOMEM, "the plan of %zu examples does not fit in memory", plan->total);
    team_broadcast(team, text, size, 0);
    team_broadcast(team, plan->examples, plan->total * sizeof *plan->examples, 0);
    return mine ? 0 : take_text(plan, text, err);
}

void plan_free(struct plan *plan)
{
    for (size_t s = 0; s < plan->source_count; s++)
        free(plan->sources[s].path);
    free(plan->sources);
    free(plan->examples);
    rows_free(&plan->rows);
    memset(plan, 0, sizeof *plan);
}

static size_t shards_of(const struct plan *plan, int part)
{
    return (plan->counts[part] + plan->shard_examples - 1) / plan->shard_examples;
}

size_t plan_shard_count(const struct plan *plan)
{
    size_t count = 0;
    for (int part = 0; part < DATASET_PART_MAX; part++)
        count += shards_of(plan, part);
    return count;
}

struct plan_shard plan_shard(const struct plan *plan, size_t i)
{
    size_t first = 0;
    int part = 0;
    for (; part < DATASET_PART_MAX - 1 && i >= shards_of(plan, part); part++) {
        i -= shards_of(plan, part);
        first += plan->counts[part];
    }
    size_t before = i * plan->shard_examples, left = plan->counts[part] - before;
    return (struct plan_shard){(enum dataset_part)part, i + 1, first + before,
                               left < plan->shard_examples ? left : plan->shard_examples};
}

size_t plan_stamp_bytes(const struct plan *plan)
{
    return (size_t)plan->stamp * (size_t)plan->stamp * (size_t)plan->channels * sizeof(float);
}
