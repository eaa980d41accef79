/* The verb submit: an array of jobs in one transaction, all or none. A job whose key is known already is not
 * made again: its id stands for it, also for `"#i"` of later jobs. */
#include "daemon/act.h"
#include "daemon/service.h"

#include <errno.h>

enum { JOBS_MAX = 10000 };

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

int verb_submit(struct call *call, struct err *err)
{
    const json_t *jobs = json_object_get(call->body, "jobs");
    size_t count = json_array_size(jobs);
    if (count < 1 || count > JOBS_MAX)
        return call_refuse(call, err, "bad_request", "jobs must be an array of 1 to %d jobs", JOBS_MAX);
    if (call->daemon->ending)
        return call_refuse(call, err, "refused", "decoyd is ending and takes no jobs");
    CLEANUP(free_ptr) int64_t *ids = calloc(count, sizeof *ids);
    if (!ids)
        return err_set(err, -ENOMEM, "out of memory");
    int code = history_begin(call->daemon->history, err);
    if (code)
        return call_commit_failed(call, code, err);
    code = submit_all(call, jobs, ids, err);
    if (code) {
        history_abort(call->daemon->history);
        return code == -EIO ? call_commit_failed(call, code, err) : code;
    }
    code = history_commit(call->daemon->history, err);
    if (code)
        return call_commit_failed(call, code, err);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(ids[i]));
    call->answer = json_pack("{so}", "ids", list);
    acts_schedule(call->daemon->acts);
    return 0;
}
