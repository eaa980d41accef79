/* Replies that go on: `events` and `wait` here, `watch` in watch.c. Nothing polls: a stream is sent what was
 * just committed, and one that lags (a slow peer, a long history) goes on from its own place in the events on
 * disk. */
#ifndef DECOY_DAEMON_STREAM_H
#define DECOY_DAEMON_STREAM_H

#include "daemon/daemon.h"
#include "proto/frame.h"

enum stream_kind { STREAM_EVENTS, STREAM_WAIT, STREAM_WATCH };

struct stream {
    struct stream *next;
    enum stream_kind kind;
    struct peer peer;
    unsigned char id[FRAME_ID_MAX];
    size_t id_size;
    int64_t *jobs; /* the selection; count 0: all */
    size_t count;
    bool follow;
    bool gone;         /* to be freed */
    bool check;        /* may be done: look when it has had all events */
    int64_t seq;       /* last event sent or passed over */
    uint64_t revision; /* watch: last revision sent */
    bool behind;       /* watch: missed rows, to be made up for from the events after seq */
};

struct streams {
    struct daemon *daemon;
    struct stream *first;
    size_t count;
    int64_t last_seq; /* of all events committed */
    uv_timer_t again; /* for streams that have more to read */
    uv_timer_t flush; /* for watch.c */
    uv_timer_t look;  /* for peers that have ended */
    size_t look_at;   /* so many streams are looked through at once */
    uint64_t revision;
    double flushed_s;
    struct touched *touched; /* watch: jobs whose rows changed since the last flush */
    size_t touched_count, touched_room;
    uint64_t flushed; /* watch: revision of the last flush */
};

int streams_create(struct streams **out, struct daemon *daemon, struct err *err);
void streams_close(
    struct streams *streams); /* ends every stream with an error; handles close with the loop */
void streams_destroy(struct streams *streams); /* once the loop is closed */

/* Starts a stream, which from then on answers by itself. Takes jobs. 0, or -EBUSY when there are too many. */
int streams_start(struct streams *streams, enum stream_kind kind, const struct peer *peer,
                  const struct request *request, int64_t *jobs, size_t count, int64_t after_seq, bool follow,
                  struct err *err);

/* An event was committed. */
void streams_event(struct streams *streams, struct job *job, const struct job_event *event);

/* Frees the streams marked as gone: called where nobody walks the list. Also the streams whose peers have ended are, half a
 * minute later at most, and before there are twice as many as were left the last time. */
void streams_free_gone(struct streams *streams);

size_t streams_clients(const struct streams *streams); /* peers that have a stream */

/* For watch.c: one reply of a stream, which is gone when its peer is; and its last one. */
int stream_send(struct streams *streams, struct stream *stream, const char *kind, const json_t *body);
bool stream_selects(const struct stream *stream, int64_t job);
bool stream_all_ended(const struct streams *streams, const struct stream *stream);

/* Only some of its members, as message_write_cells. */
void stream_write_cells(const struct streams *streams, const struct job *job, const struct row_members *members, FILE *to);

/* ROW of a job, running or not; NULL when there is none. */
json_t *stream_row(const struct streams *streams, int64_t id);
json_t *stream_job_row(const struct streams *streams, const struct job *job);

#endif
