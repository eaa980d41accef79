/* The ranks of this job: Open MPI behind one file. Without mpirun a team of one that never touches MPI. */
#ifndef DECOY_WORKER_TEAM_H
#define DECOY_WORKER_TEAM_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct team;

int team_create(struct team **out, struct err *err);
void team_destroy(struct team *team);

int team_rank(const struct team *team);
int team_size(const struct team *team);
int team_local_rank(const struct team *team); /* among those on this host */
int team_local_size(const struct team *team); /* how many those are */

void team_barrier(struct team *team);
void team_broadcast(struct team *team, void *data, size_t size, int root);
void team_send(struct team *team, const void *data, size_t size, int to);
void team_receive(struct team *team, void *data, size_t size, int from);
void team_sum(struct team *team, double *values, int count); /* in place, on every rank */
bool team_any(struct team *team, bool mine);                 /* true on every rank if true on one */

/* Transfers under way: started, then tested until done (or waited for); the data stay untouched meanwhile. A
 * channel, 0 .. 9999, tells messages between two ranks apart; those of one channel keep their order. Sums are
 * collective, in place, on every rank, and started in one order on all. At most 2^31 - 1 bytes a message. */
struct team_request {
    void *handle;
};
void team_start_send(struct team *team, const void *data, size_t size, int to, int channel,
                     struct team_request *request);
void team_start_receive(struct team *team, void *data, size_t size, int from, int channel,
                        struct team_request *request);
void team_start_sum_floats(struct team *team, float *values, int count, struct team_request *request);
void team_start_sum_doubles(struct team *team, double *values, int count, struct team_request *request);
bool team_test(struct team_request *request); /* done? */
void team_wait(struct team_request *request);

/* Every rank's text to rank 0: texts[rank], fresh memory there, NULL elsewhere. */
int team_gather_text(struct team *team, const char *mine, char ***texts);

/* Hands out 0 .. count-1, each to one rank, in order of asking; count once all are gone. Collective only in
 * that every rank must go on asking until it gets count. Starts anew after team_claim_reset (collective). */
long team_claim(struct team *team, long count);
void team_claim_reset(struct team *team);

/* A sign of life to rank 0, which is never waited for; rank 0 marks in heard whose signs have come since it last asked
 * (NULL: they are only taken). Each by one thread, beside others at work. */
void team_beat(struct team *team);
void team_hear(struct team *team, bool *heard);

/* Ends all ranks at once, after an error on one of them. */
void team_abort(struct team *team, int status) __attribute__((noreturn));

#endif
