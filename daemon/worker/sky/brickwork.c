/* See brickwork.h. */
#include "daemon/worker/sky/brickwork.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/sky/earlier.h"
#include "daemon/worker/sky/receipt.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *kind;
    char band;
} PLANES[] = {{"image", 'g'},  {"image", 'r'},  {"image", 'z'},
              {"invvar", 'g'}, {"invvar", 'r'}, {"invvar", 'z'}};

int list_planes(struct file_list *list, const char *directory, const struct brick *brick, struct err *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < sizeof PLANES / sizeof *PLANES; i++) {
        char *path = NULL;
        code = survey_plane_path(directory, brick, PLANES[i].kind, PLANES[i].band, &path, err);
        if (!code)
            file_list_add(list, path);
    }
    return code;
}

int list_survey_planes(struct file_list *list, const struct survey *survey, const struct brick *brick,
                       struct err *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < sizeof PLANES / sizeof *PLANES; i++) {
        char *path = NULL;
        code = survey_find_plane(survey, brick, PLANES[i].kind, PLANES[i].band, &path, err);
        if (!code)
            file_list_add(list, path);
    }
    return code;
}

static void yield_free(struct brick_yield *yield)
{
    file_list_free(&yield->files);
}

static void json_release(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

/* Errors that are not the brick's but the machine's: the next brick would meet them, too. */
static bool is_fatal(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EROFS || code == -ENOMEM || code == -EMFILE ||
           code == -ENFILE || code == -ECANCELED;
}

static char *receipt_path(const struct brickwork *work, const struct brick *brick)
{
    return str_format("%s/receipts/%.3s/%s%s%s.json", work->out, brick->name, brick->name,
                      brick->run[0] ? "-" : "", brick->run);
}

static int list_files(const struct file_list *list, json_t **files, struct err *err)
{
    return receipt_list_files((const char *const *)list->items, list->count, files, err);
}

/* made_from with the brick's own input files. */
static int describe_origin(const struct brickwork *work, const struct file_list *inputs, json_t **origin,
                           struct err *err)
{
    json_t *files = NULL;
    int code = list_files(inputs, &files, err);
    if (code)
        return code;
    *origin = json_deep_copy(work->made_from);
    json_object_set_new(*origin, "inputs", files);
    return 0;
}

static int make_brick(const struct brickwork *work, const struct brick *brick, const struct file_list *inputs,
                      const char *receipt, json_t **counts, struct err *err)
{
    CLEANUP(json_release) json_t *origin = NULL;
    CLEANUP(yield_free) struct brick_yield yield = {0};
    CLEANUP(json_release) json_t *files = NULL;
    int code = describe_origin(work, inputs, &origin, err);
    if (code)
        return code;
    unlink(receipt);
    code = work->make(work->context, brick, &yield, err);
    if (!code)
        code = list_files(&yield.files, &files, err);
    if (code)
        return code;
    *counts = json_object();
    for (int i = 0; work->names[i]; i++)
        json_object_set_new(*counts, work->names[i], json_integer((json_int_t)yield.counts[i]));
    return receipt_publish(receipt, origin, *counts, files, err);
}

/* --- what bricks.h asks for --- */

static json_t *name_brick(void *context, long index)
{
    const struct brick *brick = &((const struct brickwork *)context)->bricks[index];
    return json_pack("{ss ss}", "brick", brick->name, "run", brick->run);
}

static int find_inputs(void *context, long index, struct file_list *list, struct err *err)
{
    const struct brickwork *work = context;
    return work->inputs ? work->inputs(work->context, &work->bricks[index], list, err) : 0;
}

/* The report: {"kept", "counts"}. */
static int do_brick(void *context, long index, json_t **report, bool *fatal, struct err *err)
{
    const struct brickwork *work = context;
    const struct brick *brick = &work->bricks[index];
    CLEANUP(free_ptr) char *receipt = receipt_path(work, brick);
    CLEANUP(file_list_free) struct file_list inputs = {0};
    CLEANUP(json_release) json_t *counts = NULL;
    int code = find_inputs(context, index, &inputs, err);
    bool kept = !code && receipt_holds(receipt, work->made_from, (const char *const *)inputs.items,
                                       inputs.count, &counts);
    if (!code && !kept)
        code = make_brick(work, brick, &inputs, receipt, &counts, err);
    *fatal = is_fatal(code);
    if (!code)
        *report = json_pack("{sb sO}", "kept", kept, "counts", counts);
    return code;
}

/* --- all of them --- */

static void add_to(json_t *totals, const char *name, json_int_t value)
{
    json_object_set_new(totals, name,
                        json_integer(json_integer_value(json_object_get(totals, name)) + value));
}

/* A new reference. */
static json_t *sum_up(const struct brickwork *work, const json_t *reports)
{
    json_t *report, *result = json_pack("{sI si si si}", "bricks", (json_int_t)work->count, "made", 0, "kept",
                                        0, "quarantined", 0);
    size_t i;
    for (int k = 0; work->names[k]; k++)
        add_to(result, work->names[k], 0);
    json_array_foreach(reports, i, report)
    {
        bool bad = json_object_get(report, "reason") != NULL,
             kept = json_is_true(json_object_get(report, "kept"));
        add_to(result, bad ? "quarantined" : kept ? "kept" : "made", 1);
        for (int k = 0; work->names[k]; k++)
            add_to(result, work->names[k],
                   json_integer_value(json_object_get(json_object_get(report, "counts"), work->names[k])));
    }
    return result;
}

/* Rank 0 looks; all ranks hear of it. */
static int check_earlier(const struct brickwork *work, struct job *job, struct err *err)
{
    struct err found = {0};
    if (team_rank(job->team) == 0)
        earlier_check(work->out, work->bricks, work->count, work->made_from, &found);
    team_broadcast(job->team, &found, sizeof found, 0);
    return found.code ? err_set(err, found.code, "%s", found.text) : 0;
}

int brickwork_run(const struct brickwork *work, struct job *job, json_t **result, struct err *err)
{
    CLEANUP(json_release) json_t *reports = NULL;
    const struct bricks bricks = {.out = work->out,
                                  .inputs = {work->survey},
                                  .count = work->count,
                                  .max_bad = work->max_bad,
                                  .limit_s = work->limit_s,
                                  .context = (void *)work,
                                  .name = name_brick,
                                  .files = find_inputs,
                                  .make = do_brick};
    *result = NULL;
    int code = check_earlier(work, job, err);
    if (!code)
        code = bricks_run(&bricks, job, &reports, err);
    if (!code && reports)
        *result = sum_up(work, reports);
    return code;
}
