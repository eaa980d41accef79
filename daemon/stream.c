/* See stream.h. A stream's place is the seq of the last event it was sent or had no use for. Whoever is at
 * the last place is sent each event at its commit; whoever is not is pumped from the store, a piece at a
 * time. */
#include "daemon/stream.h"
#include "common/log.h"
#include "daemon/run.h"
#include "daemon/watch.h"

#include <errno.h>
#include <string.h>

enum { STREAMS_MAX = 100000, PIECE = 500, BLOCKED_MS = 50, LOOK_MS = 30000, LOOK_LEAST = 1000 };

int streams_create(struct streams **out, struct daemon *daemon, struct err *err)
{
    struct streams *streams = calloc(1, sizeof *streams);
    if (!streams)
        return err_set(err, -ENOMEM, "out of memory");
    streams->daemon = daemon;
    uv_timer_init(daemon->loop, &streams->again);
    uv_timer_init(daemon->loop, &streams->flush);
    uv_timer_init(daemon->loop, &streams->look);
    streams->again.data = streams->flush.data = streams->look.data = streams;
    streams->look_at = LOOK_LEAST;
    *out = streams;
    return store_last_seq(daemon->store, &streams->last_seq, err);
}

static void stream_free(struct stream *stream)
{
    free(stream->jobs);
    free(stream);
}

void streams_free_gone(struct streams *streams)
{
    for (struct stream **at = &streams->first; *at;) {
        struct stream *stream = *at;
        if (stream->gone) {
            *at = stream->next;
            streams->count--;
            stream_free(stream);
        } else {
            at = &stream->next;
        }
    }
}

/* Nothing is sent, so that who waits for nothing costs nothing. */
static void free_ended(struct streams *streams)
{
    for (struct stream *stream = streams->first; stream; stream = stream->next)
        stream->gone |= peer_has_ended(&stream->peer);
    streams_free_gone(streams);
    streams->look_at = 2 * streams->count > LOOK_LEAST ? 2 * streams->count : LOOK_LEAST;
}

static void on_look(uv_timer_t *timer)
{
    struct streams *streams = timer->data;
    free_ended(streams);
    if (streams->count == 0)
        uv_timer_stop(timer);
}

int stream_send(struct streams *streams, struct stream *stream, const char *kind, const json_t *body)
{
    int code = zsock_send(streams->daemon->zsock, &stream->peer, kind, stream->id, stream->id_size, body);
    if ((code && code != -EAGAIN) || (!code && strcmp(kind, "event") != 0))
        stream->gone = true;
    return code;
}

bool stream_selects(const struct stream *stream, int64_t job)
{
    for (size_t i = 0; i < stream->count; i++) {
        if (stream->jobs[i] == job)
            return true;
    }
    return stream->count == 0;
}

bool stream_all_ended(const struct streams *streams, const struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        const struct job *job = queue_find(streams->daemon->queue, stream->jobs[i]);
        if (job && !job_ended(job->row->life.state))
            return false;
    }
    return stream->count > 0;
}

/* What goes with a job's row; a ready job that this daemon has too few slots for says so. why holds the sentence, and
 * the caller drops extra.progress. */
static struct row_extra extra_of(const struct streams *streams, const struct job *job, struct err *why)
{
    struct row_extra extra = {0};
    if (job->run) {
        extra.progress = progress_json(job->run->progress);
        extra.metrics = job->run->metrics;
    }
    if (job->row->life.state == JOB_READY && slots_ranks(&streams->daemon->slots, job->row) == 0 &&
        slots_check(&streams->daemon->slots, job->row, why) != 0)
        extra.reason = why->text;
    return extra;
}

json_t *stream_job_row(const struct streams *streams, const struct job *job)
{
    struct err why;
    struct row_extra extra = extra_of(streams, job, &why);
    json_t *row = message_row(job->row, &extra);
    json_decref(extra.progress);
    return row;
}

void stream_write_cells(const struct streams *streams, const struct job *job, const struct row_members *members, FILE *to)
{
    struct err why;
    struct row_extra extra = extra_of(streams, job, &why);
    message_write_cells(job->row, &extra, members, to);
    json_decref(extra.progress);
}

json_t *stream_row(const struct streams *streams, int64_t id)
{
    struct job *job = queue_find(streams->daemon->queue, id);
    CLEANUP(job_row_destroy_ptr) struct job_row *row = NULL;
    if (job)
        return stream_job_row(streams, job);
    return store_find_job(streams->daemon->store, id, &row, NULL) == 0
               ? message_row(row, &(struct row_extra){0})
               : NULL;
}

static void on_again(uv_timer_t *timer);

static void again_after(struct streams *streams, uint64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&streams->again) || uv_timer_get_due_in(&streams->again) > ms)
        uv_timer_start(&streams->again, on_again, ms, 0);
}

static json_t *last_body(const struct streams *streams, const struct stream *stream)
{
    if (stream->kind != STREAM_WAIT)
        return json_pack("{sI}", "seq", (json_int_t)stream->seq);
    json_t *rows = json_array();
    for (size_t i = 0; i < stream->count; i++)
        json_array_append_new(rows, stream_row(streams, stream->jobs[i]));
    return json_pack("{so}", "jobs", rows);
}

/* The last reply, once a stream has had every event and needs no more. */
static void finish_if_done(struct streams *streams, struct stream *stream)
{
    stream->check = false;
    if (stream->follow && !stream_all_ended(streams, stream))
        return;
    json_t *body = last_body(streams, stream);
    if (stream_send(streams, stream, "ok", body) == -EAGAIN) {
        stream->check = true;
        again_after(streams, BLOCKED_MS);
    }
    json_decref(body);
}

/* Sends an event where it is wanted and moves on; -EAGAIN keeps the place. */
static int offer(struct streams *streams, struct stream *stream, const struct job_event *event)
{
    bool wanted =
        stream_selects(stream, event->job) && (stream->kind == STREAM_EVENTS || job_event_moves(event->name));
    if (wanted) {
        json_t *body = message_event(event);
        int code = stream_send(streams, stream, "event", body);
        json_decref(body);
        if (code)
            return code;
    }
    stream->seq = event->seq;
    return 0;
}

struct pump {
    struct streams *streams;
    struct stream *stream;
    int seen;
};

static int pump_event(void *context, const struct job_event *event)
{
    struct pump *pump = context;
    pump->seen++;
    return offer(pump->streams, pump->stream, event);
}

/* One piece of what a stream has not had yet. */
static void pump(struct streams *streams, struct stream *stream)
{
    struct pump pump = {streams, stream, 0};
    struct err err = {0};
    int64_t job = stream->count == 1 ? stream->jobs[0] : 0;
    int code = store_each_event(streams->daemon->store, job, stream->seq, PIECE, pump_event, &pump, &err);
    if (stream->gone)
        return;
    if (code == -EAGAIN) {
        again_after(streams, BLOCKED_MS);
    } else if (code) {
        log_error("%s", err.text);
        json_t *body = message_error("internal", err.text);
        stream_send(streams, stream, "error", body);
        json_decref(body);
        stream->gone = true;
    } else if (pump.seen == PIECE) {
        again_after(streams, 0);
    } else {
        stream->seq = streams->last_seq;
        finish_if_done(streams, stream);
    }
}

static void on_again(uv_timer_t *timer)
{
    struct streams *streams = timer->data;
    for (struct stream *stream = streams->first; stream; stream = stream->next) {
        if (!stream->gone && stream->kind != STREAM_WATCH &&
            (stream->check || stream->seq < streams->last_seq))
            pump(streams, stream);
    }
    streams_free_gone(streams);
}

void streams_event(struct streams *streams, struct job *job, const struct job_event *event)
{
    int64_t before = streams->last_seq;
    streams->last_seq = event->seq;
    watch_touch(streams, job);
    for (struct stream *stream = streams->first; stream; stream = stream->next) {
        if (stream->gone || stream->kind == STREAM_WATCH || stream->seq != before)
            continue;
        int code = offer(streams, stream, event);
        stream->check |= job_ended(event->state);
        if (code == -EAGAIN || stream->check) /* done only after the other events of the same commit */
            again_after(streams, code ? BLOCKED_MS : 0);
    }
}

static struct stream *add(struct streams *streams, enum stream_kind kind, const struct peer *peer,
                          const struct request *request)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        abort();
    stream->kind = kind;
    stream->peer = *peer;
    peer_know(&stream->peer);
    memcpy(stream->id, request->id, request->id_size);
    stream->id_size = request->id_size;
    stream->next = streams->first;
    streams->first = stream;
    streams->count++;
    return stream;
}

int streams_start(struct streams *streams, enum stream_kind kind, const struct peer *peer,
                  const struct request *request, int64_t *jobs, size_t count, int64_t after_seq, bool follow,
                  struct err *err)
{
    if (streams->count >= streams->look_at || streams->count >= STREAMS_MAX)
        free_ended(streams);
    if (streams->count >= STREAMS_MAX) {
        free(jobs);
        return err_set(err, -EBUSY, "decoyd already serves %d streams", STREAMS_MAX);
    }
    struct stream *stream = add(streams, kind, peer, request);
    stream->jobs = jobs;
    stream->count = count;
    stream->follow = follow;
    stream->seq = after_seq;
    if (!uv_is_active((uv_handle_t *)&streams->look))
        uv_timer_start(&streams->look, on_look, LOOK_MS, LOOK_MS);
    if (kind == STREAM_WATCH)
        watch_begin(streams, stream);
    else
        pump(streams, stream);
    return 0;
}

static int by_peer(const void *a, const void *b)
{
    return peer_compare(*(const struct peer *const *)a, *(const struct peer *const *)b);
}

size_t streams_clients(const struct streams *streams)
{
    CLEANUP(free_ptr) const struct peer **peers = calloc(streams->count + 1, sizeof *peers);
    size_t open = 0, count = 0;
    if (!peers)
        abort();
    for (const struct stream *stream = streams->first; stream; stream = stream->next) {
        if (!stream->gone && !peer_has_ended(&stream->peer))
            peers[open++] = &stream->peer;
    }
    qsort(peers, open, sizeof *peers, by_peer);
    for (size_t i = 0; i < open; i++)
        count += i == 0 || peer_compare(peers[i - 1], peers[i]) != 0;
    return count;
}

void streams_close(struct streams *streams)
{
    json_t *body = message_error("ending", "decoyd is ending");
    for (struct stream *stream = streams->first; stream; stream = stream->next) {
        if (!stream->gone)
            stream_send(streams, stream, "error", body);
        stream->gone = true;
    }
    json_decref(body);
    streams_free_gone(streams);
    uv_close((uv_handle_t *)&streams->again, NULL);
    uv_close((uv_handle_t *)&streams->flush, NULL);
    uv_close((uv_handle_t *)&streams->look, NULL);
}

void streams_destroy(struct streams *streams)
{
    if (streams)
        free(streams->touched);
    free(streams);
}
