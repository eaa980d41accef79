/* See watch.h. Every visible change of a job gives it the next revision; a watcher is sent the rows above the
 * revision it has seen. Each row is made once, however many watch. One that cannot take a message is made up for later, from the jobs that had events
 * since. */
#include "daemon/watch.h"
#include "common/clock.h"

#include <errno.h>
#include <stdlib.h>

enum { PERIOD_MS = 100 };

static void arm(struct streams *streams)
{
    if (uv_is_active((uv_handle_t *)&streams->flush))
        return;
    double since_ms = 1e3 * (clock_monotonic_s() - streams->flushed_s);
    uv_timer_start(&streams->flush, watch_on_flush,
                   since_ms < PERIOD_MS ? (uint64_t)(PERIOD_MS - since_ms) : 0, 0);
}

struct touched {
    int64_t id;
    json_t *row; /* made when somebody wants it */
};

void watch_touch(struct streams *streams, struct job *job)
{
    bool noted = job->revision > streams->flushed;
    job->revision = ++streams->revision;
    arm(streams);
    if (noted)
        return;
    if (streams->touched_count == streams->touched_room) {
        streams->touched_room = streams->touched_room ? 2 * streams->touched_room : 64;
        streams->touched = realloc(streams->touched, streams->touched_room * sizeof *streams->touched);
        if (!streams->touched)
            abort();
    }
    streams->touched[streams->touched_count++] = (struct touched){job->row->id, NULL};
}

/* The flush is over: nothing is noted. */
static void forget_touched(struct streams *streams)
{
    for (size_t i = 0; i < streams->touched_count; i++)
        json_decref(streams->touched[i].row);
    streams->touched_count = 0;
    streams->flushed = streams->revision;
}

/* Sends rows (taken) unless there are none and the watcher was told the beginning. */
static void send_rows(struct streams *streams, struct stream *stream, json_t *rows, bool even_empty)
{
    int code = 0;
    if (even_empty || json_array_size(rows)) {
        json_t *body = json_pack("{sO}", "jobs", rows);
        code = stream_send(streams, stream, "event", body);
        json_decref(body);
    }
    json_decref(rows);
    stream->behind = code == -EAGAIN;
    if (code)
        return;
    stream->revision = streams->revision;
    stream->seq = streams->last_seq;
}

static void finish_if_done(struct streams *streams, struct stream *stream)
{
    if (stream->gone || stream->behind || !stream_all_ended(streams, stream))
        return;
    json_t *body = json_object();
    stream->behind = stream_send(streams, stream, "ok", body) == -EAGAIN;
    json_decref(body);
}

static json_t *all_rows(struct streams *streams)
{
    json_t *rows = json_array();
    struct job *job;
    for (size_t i = 0; (job = queue_at(streams->daemon->queue, i)); i++)
        json_array_append_new(rows, stream_job_row(streams, job));
    return rows;
}

/* Of what changed since the last flush, the rows that a watcher selects and has not seen. */
static json_t *changed_rows(struct streams *streams, const struct stream *stream)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < streams->touched_count; i++) {
        struct touched *touched = &streams->touched[i];
        const struct job *job = queue_find(streams->daemon->queue, touched->id);
        if (!job || job->revision <= stream->revision || !stream_selects(stream, touched->id))
            continue;
        if (!touched->row)
            touched->row = stream_job_row(streams, job);
        json_array_append(rows, touched->row);
    }
    return rows;
}

/* Rows of a selection by id, ended ones too. */
static json_t *rows_of(struct streams *streams, const struct stream *stream, const int64_t *ids, size_t count)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++) {
        if (stream_selects(stream, ids[i]))
            json_array_append_new(rows, stream_row(streams, ids[i]));
    }
    return rows;
}

void watch_begin(struct streams *streams, struct stream *stream)
{
    json_t *rows = stream->count ? rows_of(streams, stream, stream->jobs, stream->count) : all_rows(streams);
    stream->seq = streams->last_seq;
    send_rows(streams, stream, rows, true);
    finish_if_done(streams, stream);
    if (stream->behind)
        arm(streams);
}

static json_t *missed_rows(struct streams *streams, const struct stream *stream)
{
    CLEANUP(free_ptr) int64_t *ids = NULL;
    size_t count = 0;
    store_changed_jobs(streams->daemon->store, stream->seq, &ids, &count, NULL);
    return rows_of(streams, stream, ids, count);
}

void watch_on_flush(uv_timer_t *timer)
{
    struct streams *streams = timer->data;
    bool behind = false;
    streams->flushed_s = clock_monotonic_s();
    for (struct stream *stream = streams->first; stream; stream = stream->next) {
        if (stream->gone || stream->kind != STREAM_WATCH)
            continue;
        json_t *rows = stream->behind ? missed_rows(streams, stream) : changed_rows(streams, stream);
        send_rows(streams, stream, rows, false);
        finish_if_done(streams, stream);
        behind |= stream->behind && !stream->gone;
    }
    forget_touched(streams);
    streams_free_gone(streams);
    queue_forget_ended(streams->daemon->queue);
    if (behind)
        arm(streams);
}
