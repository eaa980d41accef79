/* The verb submit: an array of jobs, all or none. Requests that arrive together share a transaction, in which each is a
 * part that can fail by itself: an fsync costs the same for one as for a hundred. A job whose key is known already is not
 * made again: its id stands for it, also for `"#i"` of later jobs. */
#include "daemon/act.h"
#include "daemon/service.h"
#include "daemon/submit.h"

#include <errno.h>

enum { JOBS_MAX = 10000, BATCH_MAX = 128 };

static int check_after(struct call *call, const struct job_row *row, struct err *err)
{
    for (size_t i = 0; i < row->after_count; i++) {
        CLEANUP(job_row_destroy_ptr) struct job_row *prior = NULL;
        if (store_find_job(call->daemon->store, row->after[i].id, &prior, NULL) != 0)
            return call_refuse(call, err, "no_job", "there is no job %lld to come after",
                               (long long)row->after[i].id);
    }
    return 0;
}

/* *id is that of an earlier submit with the key, or 0. */
static int find_earlier(struct call *call, const struct job_row *row, int64_t *id, struct err *err)
{
    bool same = false;
    *id = 0;
    int code = row->key ? store_find_key(call->daemon->store, row->key, row->body, id, &same, err) : 0;
    if (!code && *id && !same)
        return call_refuse(call, err, "conflict", "key %s was used for job %lld, which is another job",
                           row->key, (long long)*id);
    return code;
}

static int submit_one(struct call *call, const json_t *job, int64_t *ids, size_t count, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    int code = message_parse_job(job, ids, count, &row, &call->code, err);
    if (!code)
        code = find_earlier(call, row, &ids[count], err);
    if (code || ids[count])
        return code;
    if (slots_check(&call->daemon->slots, row, err) != 0) {
        call->code = "refused";
        return -EINVAL;
    }
    code = check_after(call, row, err);
    return code ? code : history_submit(call->daemon->history, &row, &ids[count], err);
}

static int submit_all(struct call *call, const json_t *jobs, int64_t *ids, struct err *err)
{
    struct err why = {0};
    size_t count = json_array_size(jobs);
    for (size_t i = 0; i < count; i++) {
        call->code = "internal";
        int code = submit_one(call, json_array_get(jobs, i), ids, i, &why);
        if (!code)
            continue;
        if (count > 1)
            return err_set(err, code, "jobs[%zu]: %.900s", i, why.text);
        return err_set(err, code, "%s", why.text);
    }
    return 0;
}

/* One request's jobs, as a part of the transaction. Sets call->answer, or fails with call->code. */
static int submit_part(struct call *call, struct err *err)
{
    const json_t *jobs = json_object_get(call->body, "jobs");
    struct history *history = call->daemon->history;
    size_t count = json_array_size(jobs);
    if (count < 1 || count > JOBS_MAX)
        return call_refuse(call, err, "bad_request", "jobs must be an array of 1 to %d jobs", JOBS_MAX);
    if (call->daemon->ending)
        return call_refuse(call, err, "refused", "decoyd is ending and takes no jobs");
    CLEANUP(free_ptr) int64_t *ids = calloc(count, sizeof *ids);
    struct err unmarked = {0};
    int code = ids ? history_mark(history, err) : err_set(err, -ENOMEM, "out of memory");
    if (code)
        return code;
    code = submit_all(call, jobs, ids, err);
    int failed = history_unmark(history, code == 0, &unmarked);
    if (failed && code != -ENOSPC) { /* a full disk may have undone the whole transaction already */
        *err = unmarked;
        code = failed;
    }
    if (code)
        return code;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(ids[i]));
    call->answer = json_pack("{so}", "ids", list);
    return 0;
}

/* --- many requests in one transaction --- */

struct waiting {
    struct peer peer;
    struct request request; /* its body is ours */
    struct call call;
    struct err err;
    int code;
};

struct submits {
    struct waiting *waiting;
    size_t count;
};

int submits_create(struct submits **out, struct err *err)
{
    struct submits *submits = calloc(1, sizeof *submits);
    if (submits)
        submits->waiting = calloc(BATCH_MAX, sizeof *submits->waiting);
    if (!submits || !submits->waiting) {
        submits_destroy(submits);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *out = submits;
    return 0;
}

void submits_destroy(struct submits *submits)
{
    if (!submits)
        return;
    for (size_t i = 0; i < submits->count; i++)
        request_clear(&submits->waiting[i].request);
    free(submits->waiting);
    free(submits);
}

void submits_add(struct daemon *daemon, const struct peer *peer, struct request *request)
{
    struct submits *submits = daemon->submits;
    submits->waiting[submits->count++] = (struct waiting){.peer = *peer, .request = *request};
    request->body = NULL;
    if (submits->count == BATCH_MAX)
        submits_flush(daemon);
}

/* All of them failed for the same reason. */
static void fail_all(struct submits *submits, int code, const struct err *err)
{
    for (size_t i = 0; i < submits->count; i++) {
        struct waiting *waiting = &submits->waiting[i];
        json_decref(waiting->call.answer);
        waiting->call.answer = NULL;
        waiting->call.code = "internal";
        waiting->code = code;
        waiting->err = *err;
    }
}

/* The transaction; 0, or why all of it failed. */
static int commit_all(struct daemon *daemon, struct submits *submits, struct err *err)
{
    int code = history_begin(daemon->history, err);
    bool any = false;
    for (size_t i = 0; !code && i < submits->count; i++) {
        struct waiting *waiting = &submits->waiting[i];
        waiting->call =
            (struct call){.daemon = daemon, .peer = &waiting->peer, .request = &waiting->request, .body = waiting->request.body, .code = "internal"};
        waiting->code = submit_part(&waiting->call, &waiting->err);
        any |= waiting->code == 0;
        if (waiting->code == -EIO || waiting->code == -ENOSPC || waiting->code == -EBUSY) {
            *err = waiting->err;
            code = waiting->code;
        }
    }
    if (!code && any)
        return history_commit(daemon->history, err);
    history_abort(daemon->history);
    return code;
}

void submits_flush(struct daemon *daemon)
{
    struct submits *submits = daemon->submits;
    struct err err = {0};
    if (!submits->count || daemon->failed)
        return;
    int code = commit_all(daemon, submits, &err);
    if (code) {
        struct call whole = {.daemon = daemon};
        call_commit_failed(&whole, code, &err);
        fail_all(submits, code, &err);
    }
    for (size_t i = 0; i < submits->count; i++) {
        struct waiting *waiting = &submits->waiting[i];
        call_answer(&waiting->call, waiting->code, &waiting->err);
        request_clear(&waiting->request);
    }
    submits->count = 0;
    acts_schedule(daemon->acts);
}
