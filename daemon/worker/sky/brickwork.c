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

/* This rank's part of the tally, summed over the ranks in the end. */
struct tally {
    double made, kept, bad, counts[BRICKWORK_COUNTS];
    json_t *quarantine; /* [{"brick", "run", "reason"}] */
};

void yield_add_file(struct brick_yield *yield, char *path)
{
    if (yield->file_count < BRICKWORK_FILES)
        yield->files[yield->file_count++] = path;
    else
        free(path);
}

static const struct {
    const char *kind;
    char band;
} PLANES[] = {{"image", 'g'},  {"image", 'r'},  {"image", 'z'},
              {"invvar", 'g'}, {"invvar", 'r'}, {"invvar", 'z'}};

int yield_add_planes(struct brick_yield *yield, const char *directory, const struct brick *brick,
                     struct err *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < sizeof PLANES / sizeof *PLANES; i++) {
        char *path = NULL;
        code = survey_plane_path(directory, brick, PLANES[i].kind, PLANES[i].band, &path, err);
        if (!code)
            yield_add_file(yield, path);
    }
    return code;
}

int yield_add_survey_planes(struct brick_yield *yield, const struct survey *survey, const struct brick *brick,
                            struct err *err)
{
    int code = 0;
    for (size_t i = 0; !code && i < sizeof PLANES / sizeof *PLANES; i++) {
        char *path = NULL;
        code = survey_find_plane(survey, brick, PLANES[i].kind, PLANES[i].band, &path, err);
        if (!code)
            yield_add_file(yield, path);
    }
    return code;
}

static void yield_free(struct brick_yield *yield)
{
    for (size_t i = 0; i < yield->file_count; i++)
        free(yield->files[i]);
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

/* made_from with the brick's own input files. */
static int describe_origin(const struct brickwork *work, const struct brick *brick, json_t **origin,
                           struct err *err)
{
    CLEANUP(yield_free) struct brick_yield inputs = {0};
    json_t *files = NULL;
    int code = work->inputs ? work->inputs(work->context, brick, &inputs, err) : 0;
    if (!code)
        code = receipt_list_files((const char *const *)inputs.files, inputs.file_count, &files, err);
    if (code)
        return code;
    *origin = json_deep_copy(work->made_from);
    json_object_set_new(*origin, "inputs", files);
    return 0;
}

static void tally_counts(const struct brickwork *work, struct tally *tally, const json_t *counts)
{
    for (int i = 0; work->names[i]; i++)
        tally->counts[i] += json_number_value(json_object_get(counts, work->names[i]));
}

static int make_brick(const struct brickwork *work, const struct brick *brick, const json_t *origin,
                      const char *receipt, struct tally *tally, struct err *err)
{
    CLEANUP(yield_free) struct brick_yield yield = {0};
    CLEANUP(json_release) json_t *files = NULL;
    CLEANUP(json_release) json_t *counts = json_object();
    unlink(receipt);
    int code = work->make(work->context, brick, &yield, err);
    if (!code)
        code = receipt_list_files((const char *const *)yield.files, yield.file_count, &files, err);
    for (int i = 0; work->names[i]; i++)
        json_object_set_new(counts, work->names[i], json_integer((json_int_t)yield.counts[i]));
    if (!code)
        code = receipt_publish(receipt, origin, counts, files, err);
    if (!code) {
        tally->made++;
        tally_counts(work, tally, counts);
    }
    return code;
}

static int do_brick(const struct brickwork *work, const struct brick *brick, struct tally *tally,
                    struct err *err)
{
    CLEANUP(free_ptr) char *receipt = receipt_path(work, brick);
    CLEANUP(json_release) json_t *origin = NULL;
    CLEANUP(json_release) json_t *counts = NULL;
    int code = describe_origin(work, brick, &origin, err);
    if (code)
        return code;
    if (!receipt_holds(receipt, origin, &counts))
        return make_brick(work, brick, origin, receipt, tally, err);
    tally->kept++;
    tally_counts(work, tally, counts);
    return 0;
}

static void set_aside(const struct brick *brick, struct job *job, struct tally *tally, const struct err *err)
{
    link_warning(job->link, "brick %s%s%s is quarantined: %s", brick->name, brick->run[0] ? " " : "",
                 brick->run, err->text);
    json_array_append_new(tally->quarantine, json_pack("{s:s, s:s, s:s}", "brick", brick->name, "run",
                                                       brick->run, "reason", err->text));
    tally->bad++;
}

/* All bricks that this rank can get. Goes on claiming after a stop, as team_claim asks. */
static int work_through(const struct brickwork *work, struct job *job, struct tally *tally, struct err *err)
{
    int code = 0;
    double done = 0;
    for (long item; (item = team_claim(job->team, work->count)) < work->count;) {
        if (!code && link_stop_asked(job->link))
            code = err_set(err, -ECANCELED, "stopped as asked");
        if (code)
            continue;
        struct err mine = {0};
        int failed = do_brick(work, &work->bricks[item], tally, &mine);
        if (failed && is_fatal(failed))
            code = err_set(err, failed, "%s", mine.text);
        else if (failed)
            set_aside(&work->bricks[item], job, tally, &mine);
        link_progress(job->link, ++done, (double)work->count, "bricks");
        if (failed && is_fatal(failed) && team_size(job->team) > 1)
            return code; /* the job ends at once, all ranks with it */
    }
    return code;
}

/* Every rank's quarantine into one file, in order of name; no file when all is well. */
static int publish_quarantine(const struct brickwork *work, struct job *job, const json_t *mine,
                              struct err *err)
{
    CLEANUP(free_ptr) char *path = str_format("%s/quarantine.json", work->out);
    CLEANUP(free_ptr) char *text = json_dumps(mine, JSON_COMPACT);
    char **texts = NULL;
    int code = team_gather_text(job->team, text, &texts);
    if (code || team_rank(job->team) != 0)
        return code ? err_set(err, code, "cannot gather the quarantined bricks of all ranks") : 0;
    json_t *all = json_array();
    for (int rank = 0; rank < team_size(job->team); rank++) {
        json_t *part = json_loads(texts[rank], 0, NULL);
        json_array_extend(all, part);
        json_decref(part);
        free(texts[rank]);
    }
    free(texts);
    if (json_array_size(all))
        code = json_publish_file(path, all, err);
    else
        unlink(path);
    json_decref(all);
    return code;
}

static int conclude(const struct brickwork *work, struct job *job, struct tally *tally, json_t **result,
                    struct err *err)
{
    double sums[3 + BRICKWORK_COUNTS] = {tally->made, tally->kept, tally->bad};
    memcpy(sums + 3, tally->counts, sizeof tally->counts);
    team_sum(job->team, sums, 3 + BRICKWORK_COUNTS);
    int code = publish_quarantine(work, job, tally->quarantine, err);
    if (code)
        return code;
    if (sums[2] > 0 && sums[0] + sums[1] == 0)
        return err_set(
            err, -EINVAL, "none of the %ld bricks could be done; %s/quarantine.json says why of each%s%s",
            work->count, work->out, json_array_size(tally->quarantine) ? "; the first: " : "",
            json_array_size(tally->quarantine)
                ? json_string_value(json_object_get(json_array_get(tally->quarantine, 0), "reason"))
                : "");
    if (team_rank(job->team) != 0)
        return 0;
    *result = json_pack("{s:I, s:I, s:I, s:I}", "bricks", (json_int_t)work->count, "made",
                        (json_int_t)sums[0], "kept", (json_int_t)sums[1], "quarantined", (json_int_t)sums[2]);
    for (int i = 0; work->names[i]; i++)
        json_object_set_new(*result, work->names[i], json_integer((json_int_t)sums[3 + i]));
    return 0;
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
    struct tally tally = {.quarantine = json_array()};
    *result = NULL;
    int code = check_earlier(work, job, err);
    if (code) {
        json_decref(tally.quarantine);
        return code;
    }
    team_claim_reset(job->team);
    code = work_through(work, job, &tally, err);
    bool stopped = code == -ECANCELED;
    if (!code || stopped) {
        stopped = team_any(job->team, stopped);
        code =
            stopped ? err_set(err, -ECANCELED, "stopped as asked") : conclude(work, job, &tally, result, err);
    }
    json_decref(tally.quarantine);
    return code;
}
