/* Verbs that only look. */
#include "common/path.h"
#include "daemon/output.h"
#include "daemon/run.h"
#include "daemon/service.h"
#include "daemon/spawn.h"
#include "daemon/stream.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>

enum { CHUNK_DEFAULT = 64 << 10, CHUNK_MAX = 512 << 10 };

struct listing {
    struct call *call;
    const char *group, *tag, *name, *state; /* what is asked for; NULL: any */
    json_t *rows, *arrays;
    struct row_members members; /* what a row is to have; count 0: all, as an object in rows */
    FILE *text;                 /* else rows are written here */
    bool any;                   /* one was */
    size_t live;                /* index in the queue of the next that has not ended */
    int64_t array;              /* that was counted last: an array's jobs stand together */
};

static bool selects(const struct listing *listing, const struct job_row *row)
{
    return (!listing->group || (row->group && strcmp(row->group, listing->group) == 0)) &&
           (!listing->tag || message_has_tag(row->tag, listing->tag)) &&
           (!listing->name || (row->name && fnmatch(listing->name, row->name, 0) == 0)) &&
           (!listing->state || strcmp(job_state_name(row->life.state), listing->state) == 0);
}

/* Counts the array of a listed job, once. */
static int count_array(struct listing *listing, const struct job_row *row, struct err *err)
{
    int64_t counts[JOB_STATE_MAX], last;
    if (!row->array || row->array == listing->array)
        return 0;
    int code = store_count_array(listing->call->daemon->store, row->array, counts, &last, err);
    if (code)
        return code;
    listing->array = row->array;
    json_array_append_new(listing->arrays, json_pack("{sI sI so}", "array", (json_int_t)row->array, "last",
                                                     (json_int_t)last, "counts", call_counts(counts, false)));
    return 0;
}

/* Adds a job: of one in memory all is known, of another its row. */
static int list_job(struct listing *listing, const struct job *job, const struct job_row *row, struct err *err)
{
    const struct streams *streams = listing->call->daemon->streams;
    const struct row_extra none = {0};
    if (!selects(listing, row))
        return 0;
    if (!listing->members.count) {
        json_array_append_new(listing->rows, job ? stream_job_row(streams, job) : message_row(row, &none));
        return count_array(listing, row, err);
    }
    fputs(listing->any ? "," : "", listing->text);
    listing->any = true;
    if (job)
        stream_write_cells(streams, job, &listing->members, listing->text);
    else
        message_write_cells(row, &none, &listing->members, listing->text);
    return count_array(listing, row, err);
}

/* Those that have not ended, all in memory, from the last one that was listed up to an id. */
static int list_live(struct listing *listing, int64_t before, struct err *err)
{
    int code = 0;
    struct job *job;
    for (; !code && (job = queue_at(listing->call->daemon->queue, listing->live)) && job->row->id < before; listing->live++)
        code = job_ended(job->row->life.state) ? 0 : list_job(listing, job, job->row, err);
    return code;
}

static int list_ended(void *context, struct job_row **row)
{
    struct listing *listing = context;
    int code = list_live(listing, (*row)->id, NULL);
    return code ? code : list_job(listing, queue_find(listing->call->daemon->queue, (*row)->id), *row, NULL);
}

/* In order of id. */
static int list_all(struct listing *listing, bool ended, struct err *err)
{
    int code = ended ? store_each_job(listing->call->daemon->store, STORE_ENDED, list_ended, listing, err) : 0;
    return code ? code : list_live(listing, INT64_MAX, err);
}

/* The answer with only those members. */
static int list_cells(struct listing *listing, const json_t *members, bool ended, struct err *err)
{
    size_t size;
    listing->text = open_memstream(&listing->call->text, &size);
    if (!listing->text)
        return err_set(err, -ENOMEM, "out of memory");
    fputs("{\"jobs\":[", listing->text);
    int code = list_all(listing, ended, err);
    fputs("],\"arrays\":", listing->text);
    json_dumpf(listing->arrays, listing->text, JSON_COMPACT);
    fputs(",\"members\":", listing->text);
    json_dumpf(members, listing->text, JSON_COMPACT);
    putc('}', listing->text);
    fclose(listing->text);
    return code;
}

static const char *asked_text(const struct call *call, const char *name)
{
    return json_string_value(json_object_get(call->body, name));
}

int verb_list(struct call *call, struct err *err)
{
    struct listing listing = {call,
                              asked_text(call, "group"),
                              asked_text(call, "tag"),
                              asked_text(call, "name"),
                              asked_text(call, "state"),
                              json_array(),
                              json_array()};
    const json_t *members = json_object_get(call->body, "members");
    bool all = json_is_true(json_object_get(call->body, "all"));
    int code = 0;
    if (listing.state && job_state_find(listing.state) == JOB_STATE_MAX)
        code = call_refuse(call, err, "bad_request", "there is no state %.40s", listing.state);
    else if (members && !json_is_null(members) && message_members(members, &listing.members, err) != 0)
        code = call_refuse(call, err, "bad_request", "%s", err->text);
    else if (listing.members.count)
        code = list_cells(&listing, members, all, err);
    else
        code = list_all(&listing, all, err);
    call->answer = json_pack("{so so}", "jobs", listing.rows, "arrays", listing.arrays);
    return code;
}

static int find_row(struct call *call, struct job_row **row, struct err *err)
{
    int64_t id;
    if (!message_int(call->body, "job", 1, &id))
        return call_refuse(call, err, "bad_request", "job must be a job's id");
    int code = store_find_job(call->daemon->store, id, row, err);
    if (code == -ENOENT)
        call->code = "no_job";
    return code;
}

static json_t *attempt_json(const struct daemon *daemon, const struct attempt *attempt)
{
    CLEANUP(free_ptr) char *directory = spawn_directory(daemon->state, attempt->job, attempt->attempt);
    return json_pack("{si sI sI ss? si si ss}", "attempt", attempt->attempt, "started_us",
                     (json_int_t)attempt->started_us, "ended_us", (json_int_t)attempt->ended_us, "outcome",
                     *attempt->outcome ? attempt->outcome : NULL, "exit_status", attempt->exit_status,
                     "signal", attempt->signal, "directory", directory);
}

static int show_attempt(void *context, const struct attempt *attempt)
{
    struct listing *listing = context;
    return json_array_append_new(listing->rows, attempt_json(listing->call->daemon, attempt));
}

int verb_show(struct call *call, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    struct listing listing = {.call = call};
    int code = find_row(call, &row, err);
    if (!code)
        code = store_load_spec(call->daemon->store, row, err);
    if (code)
        return code;
    json_t *shown = stream_row(call->daemon->streams, row->id);
    json_object_set_new(
        shown, "spec",
        json_pack("{ss sO sO}", "kind", row->kind, "fields", row->fields, "options", row->options));
    listing.rows = json_array();
    const struct job *job = queue_find(call->daemon->queue, row->id);
    json_t *curve = job && job->run ? curve_json(&job->run->curve) : NULL;
    json_object_set_new(shown, "curve", curve ? curve : json_null());
    json_object_set_new(shown, "attempts", listing.rows);
    call->answer = json_pack("{so}", "job", shown);
    return store_each_attempt(call->daemon->store, row->id, show_attempt, &listing, err);
}

int verb_logs(struct call *call, struct err *err)
{
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    struct attempt attempt;
    int64_t number = 0, offset = 0, limit = CHUNK_DEFAULT, next;
    bool at_end;
    message_int(call->body, "attempt", 0, &number);
    message_int(call->body, "offset", INT64_MIN, &offset);
    if (!message_int(call->body, "limit", 1, &limit))
        limit = CHUNK_DEFAULT;
    if (number < 0)
        return call_refuse(call, err, "bad_request", "attempt must not be negative");
    limit = limit < 16 ? 16 : limit > CHUNK_MAX ? CHUNK_MAX : limit;
    const char *which = json_string_value(json_object_get(call->body, "stream"));
    if (which && strcmp(which, "stdout") != 0 && strcmp(which, "stderr") != 0)
        return call_refuse(call, err, "bad_request", "stream must be stdout or stderr");
    int code = find_row(call, &row, err);
    if (code)
        return code;
    if (!number && !row->life.attempt)
        return call_refuse(call, err, "refused", "job %lld has not started yet", (long long)row->id);
    number = number ? number : row->life.attempt;
    if (number > INT_MAX || store_find_attempt(call->daemon->store, row->id, (int)number, &attempt, err) != 0)
        return call_refuse(call, err, "refused", "job %lld has no output of an attempt %lld",
                           (long long)row->id, (long long)number);
    CLEANUP(free_ptr) char *directory = spawn_directory(call->daemon->state, attempt.job, attempt.attempt);
    CLEANUP(free_ptr) char *path = path_join(directory, which ? which : "stderr"), *text = NULL;
    code = output_chunk(path, offset, limit, &text, &next, &at_end, err);
    if (!code)
        call->answer = json_pack("{si ss ss sI sb}", "attempt", attempt.attempt, "path", path, "text", text,
                                 "next", (json_int_t)next, "ended", attempt.ended_us != 0 && at_end);
    return code;
}

static int start_stream(struct call *call, enum stream_kind kind, int64_t *ids, size_t count,
                        int64_t after_seq, bool follow, struct err *err)
{
    int code = streams_start(call->daemon->streams, kind, call->peer, call->request, ids, count, after_seq,
                             follow, err);
    if (code)
        call->code = "refused";
    return code;
}

int verb_events(struct call *call, struct err *err)
{
    int64_t id = 0, after_seq = 0;
    if (json_object_get(call->body, "job") && !message_int(call->body, "job", 0, &id))
        return call_refuse(call, err, "bad_request", "job must be a job's id, or 0 for all");
    if (json_object_get(call->body, "after_seq") && !message_int(call->body, "after_seq", 0, &after_seq))
        return call_refuse(call, err, "bad_request", "after_seq must be a number from 0 on");
    int code = id ? call_known_job(call, id, err) : 0;
    if (code)
        return code;
    int64_t *ids = calloc(1, sizeof *ids);
    if (!ids)
        return err_set(err, -ENOMEM, "out of memory");
    *ids = id;
    bool follow = json_is_true(json_object_get(call->body, "follow"));
    return start_stream(call, STREAM_EVENTS, ids, id != 0, after_seq, follow, err);
}

int verb_wait(struct call *call, struct err *err)
{
    int64_t *ids = NULL;
    size_t count = 0;
    int code = call_jobs(call, &ids, &count, err);
    if (!code && !count) {
        free(ids);
        return call_refuse(call, err, "bad_request", "jobs is empty: there is nothing to wait for");
    }
    return code ? code
                : start_stream(call, STREAM_WAIT, ids, count, call->daemon->streams->last_seq, true, err);
}

int verb_watch(struct call *call, struct err *err)
{
    int64_t *ids = NULL;
    size_t count = 0;
    int code = call_jobs(call, &ids, &count, err);
    return code ? code : start_stream(call, STREAM_WATCH, ids, count, 0, true, err);
}
