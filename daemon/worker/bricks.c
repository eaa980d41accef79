/* See bricks.h. */
#include "daemon/worker/bricks.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/child.h"
#include "proto/json.h"

#include <errno.h>
#include <fts.h>
#include <signal.h>
#include <string.h>

void file_list_add(struct file_list *list, char *path)
{
    if (path && list->count < BRICK_FILES)
        list->items[list->count++] = path;
    else
        free(path);
}

void file_list_free(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    list->count = 0;
}

static void json_release(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

/* --- one brick --- */

struct piece {
    const struct bricks *bricks;
    long index;
};

static int do_piece(void *context, struct child_yield *yield, struct err *err)
{
    const struct piece *piece = context;
    CLEANUP(json_release) json_t *report = NULL;
    int code = piece->bricks->make(piece->bricks->context, piece->index, &report, &yield->fatal, err);
    if (code)
        return code;
    yield->data = json_dumps(report, JSON_COMPACT | JSON_REAL_PRECISION(17));
    yield->size = yield->data ? strlen(yield->data) : 0;
    return yield->data ? 0 : err_set(err, -ENOMEM, "out of memory for the report of a brick");
}

/* *report: what the child says. */
static int do_brick(const struct bricks *bricks, const struct job *job, long index, json_t **report,
                    bool *fatal, struct err *err)
{
    CLEANUP(file_list_free) struct file_list files = {0};
    struct confinement may = {.writable = bricks->out,
                              .memory = child_memory(team_local_size(job->team)),
                              .cpu_s = bricks->limit_s * job->threads};
    struct piece piece = {bricks, index};
    struct child_yield yield;
    int code = bricks->files ? bricks->files(bricks->context, index, &files, err) : 0;
    if (code)
        return code;
    for (size_t i = 0; bricks->inputs[i]; i++)
        confinement_allow(&may, bricks->inputs[i]);
    for (size_t i = 0; i < files.count; i++)
        confinement_allow(&may, files.items[i]);
    code = child_run(&may, bricks->limit_s, do_piece, &piece, &yield, err);
    *fatal = yield.fatal;
    if (code)
        return code;
    *report = json_loadb(yield.data, yield.size, 0, NULL);
    free(yield.data);
    return json_is_object(*report) ? 0 : err_set(err, -EPROTO, "the reader's report cannot be read");
}

static const char *text_of(const json_t *report, const char *key)
{
    const char *text = json_string_value(json_object_get(report, key));
    return text ? text : "";
}

/* The report, or the reason why there is none, under the brick's name. A fatal error is the caller's. */
static int report_brick(const struct bricks *bricks, const struct job *job, long index, json_t *reports,
                        struct err *err)
{
    CLEANUP(json_release) json_t *report = NULL;
    json_t *entry = bricks->name(bricks->context, index);
    struct err mine = {0};
    bool fatal = false;
    int code = do_brick(bricks, job, index, &report, &fatal, &mine);
    if (code && fatal) {
        json_decref(entry);
        return err_set(err, code, "%s", mine.text);
    }
    if (code) {
        const char *run = text_of(entry, "run"), *class = text_of(entry, "class");
        link_warning(job->link, "%s%sbrick %s%s%s is quarantined: %s", class, *class ? " " : "",
                     text_of(entry, "brick"), *run ? " " : "", run, mine.text);
        json_object_set_new(entry, "reason", json_string(mine.text));
    } else {
        json_object_update_missing(entry, report);
        if (bricks->done)
            bricks->done(bricks->context, entry);
    }
    json_array_append_new(reports, entry);
    return 0;
}

/* --- all that this rank can get --- */

/* Goes on claiming after a stop, as team_claim asks. */
static int work_through(const struct bricks *bricks, const struct job *job, json_t *reports, struct err *err)
{
    double done = 0;
    bool stopped = false;
    link_progress(job->link, 0, (double)bricks->count, "bricks");
    for (long index; (index = team_claim(job->team, bricks->count)) < bricks->count;) {
        stopped = stopped || link_stop_asked(job->link);
        if (stopped)
            continue;
        int code = report_brick(bricks, job, index, reports, err);
        if (code)
            return code; /* the job ends at once, all ranks with it */
        link_progress(job->link, ++done, (double)bricks->count, "bricks");
    }
    return team_any(job->team, stopped) ? err_set(err, -ECANCELED, "stopped as asked") : 0;
}

/* --- all of them, on rank 0 --- */

static int report_order(const void *a, const void *b)
{
    static const char *const keys[] = {"class", "brick", "run"};
    const json_t *left = *(json_t *const *)a, *right = *(json_t *const *)b;
    int order = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !order; i++)
        order = strcmp(text_of(left, keys[i]), text_of(right, keys[i]));
    return order;
}

/* In one order, whoever made them. *reports is replaced. */
static int sort_reports(json_t **reports, struct err *err)
{
    size_t count = json_array_size(*reports);
    CLEANUP(free_ptr) json_t **items = calloc(count + 1, sizeof *items);
    json_t *sorted = json_array();
    if (!items || !sorted)
        return err_set(err, -ENOMEM, "out of memory for the reports of %zu bricks", count);
    for (size_t i = 0; i < count; i++)
        items[i] = json_array_get(*reports, i);
    qsort(items, count, sizeof *items, report_order);
    for (size_t i = 0; i < count; i++)
        json_array_append(sorted, items[i]);
    json_decref(*reports);
    *reports = sorted;
    return 0;
}

/* Every rank's reports; on rank 0 *all is a new reference. */
static int gather(const struct job *job, const json_t *mine, json_t **all, struct err *err)
{
    CLEANUP(free_ptr) char *text = json_dumps(mine, JSON_COMPACT | JSON_REAL_PRECISION(17));
    char **texts = NULL;
    int code = team_gather_text(job->team, text ? text : "", &texts);
    if (code || !texts)
        return code ? err_set(err, code, "out of memory for the reports of the ranks") : 0;
    *all = json_array();
    for (int rank = 0; rank < team_size(job->team); rank++) {
        CLEANUP(json_release) json_t *part = json_loads(texts[rank], 0, NULL);
        if (json_array_extend(*all, part) != 0)
            code = err_set(err, -EPROTO, "the report of rank %d cannot be read", rank);
        free(texts[rank]);
    }
    free(texts);
    return code ? code : sort_reports(all, err);
}

static json_t *pick_bad(const json_t *reports)
{
    json_t *bad = json_array(), *report;
    size_t i;
    json_array_foreach(reports, i, report)
    {
        if (json_object_get(report, "reason"))
            json_array_append(bad, report);
    }
    return bad;
}

static int publish_quarantine(const char *out, json_t *bad, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(out, "quarantine.json");
    CLEANUP(json_release) json_t *file = json_pack("{si sO}", "version", 1, "quarantined", bad);
    if (json_array_size(bad))
        return json_publish_file(path, file, err);
    return unlink(path) == 0 || errno == ENOENT
               ? 0
               : err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno));
}

static int judge(const struct bricks *bricks, const json_t *reports, struct err *err)
{
    CLEANUP(json_release) json_t *bad = pick_bad(reports);
    size_t count = json_array_size(bad);
    int code = publish_quarantine(bricks->out, bad, err);
    if (code || !count ||
        (count < (size_t)bricks->count && (double)count <= bricks->max_bad * (double)bricks->count))
        return code;
    return err_set(err, -ENODATA, "%zu of %ld bricks could not be done (quarantine.json), the first: %s",
                   count, bricks->count, text_of(json_array_get(bad, 0), "reason"));
}

/* ".NAME.PID-N.part", as outfile_open names what is being written, of a process that is gone? */
static bool is_left_over(const char *name)
{
    size_t length = strlen(name), ending = strlen(".part");
    if (name[0] != '.' || length < ending || strcmp(name + length - ending, ".part") != 0)
        return false;
    const char *dot = memrchr(name, '.', length - ending);
    int pid = 0;
    return dot && sscanf(dot, ".%d-", &pid) == 1 && pid > 0 && kill(pid, 0) != 0;
}

/* Takes away what a killed attempt had not finished. The output directory is one job's alone. */
static void sweep(const char *out)
{
    char *roots[] = {(char *)out, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    for (FTSENT *entry; tree && (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info != FTS_D && is_left_over(entry->fts_name))
            unlink(entry->fts_path);
    }
    if (tree)
        fts_close(tree);
}

int bricks_run(const struct bricks *bricks, struct job *job, json_t **reports, struct err *err)
{
    CLEANUP(json_release) json_t *mine = json_array();
    *reports = NULL;
    if (team_rank(job->team) == 0) {
        sweep(bricks->out);
        if (confine_lack())
            link_warning(job->link, "%s", confine_lack());
    }
    team_claim_reset(job->team);
    int code = work_through(bricks, job, mine, err);
    if (!code)
        code = gather(job, mine, reports, err);
    if (!code && *reports)
        code = judge(bricks, *reports, err);
    if (code)
        json_release(reports);
    return code;
}
