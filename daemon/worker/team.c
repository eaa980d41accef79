/* See team.h. Claims: rank 0 holds the counter and, from its own first claim on, a thread that answers the other
 * ranks, which look for their answer a thousand times a second: a brick takes seconds, so neither costs anything.
 * A training claims nothing, and would feel that thread on its core. */
#include "daemon/worker/team.h"
#include "daemon/worker/segments.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <errno.h>
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { TAG_DATA = 1, TAG_CLAIM = 2, TAG_CLAIMED = 3, TAG_CLOSE = 4, TAG_TEXT = 5, TAG_BEAT = 6, TAG_CHANNEL = 100 };

/* Open MPI makes the files of a starting job within seconds of one another. */
enum { SEGMENTS_AGE_S = 600 };

struct team {
    int rank, size, local_rank, local_size;
    bool with_mpi;
    pthread_t server; /* on rank 0 of several */
    bool serving;     /* it was started */
    atomic_long next; /* the counter, on rank 0 */
};

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Waits for a message of tag without keeping a core busy. */
static void await_message(int from, int tag, MPI_Status *status)
{
    int there = 0;
    for (;;) {
        MPI_Iprobe(from, tag, MPI_COMM_WORLD, &there, status);
        if (there)
            return;
        nap();
    }
}

static void *serve_claims(void *argument)
{
    struct team *team = argument;
    int left = team->size - 1;
    while (left > 0) {
        MPI_Status status;
        long claim;
        int closing = 0;
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_CLOSE, MPI_COMM_WORLD, &closing, &status);
        if (closing) {
            MPI_Recv(&claim, 1, MPI_LONG, status.MPI_SOURCE, TAG_CLOSE, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            left--;
            continue;
        }
        int asked = 0;
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_CLAIM, MPI_COMM_WORLD, &asked, &status);
        if (!asked) {
            nap();
            continue;
        }
        MPI_Recv(&claim, 1, MPI_LONG, status.MPI_SOURCE, TAG_CLAIM, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        claim = atomic_fetch_add(&team->next, 1);
        MPI_Send(&claim, 1, MPI_LONG, status.MPI_SOURCE, TAG_CLAIMED, MPI_COMM_WORLD);
    }
    return NULL;
}

static void start_serving(struct team *team)
{
    if (team->serving || team->size == 1)
        return;
    if (pthread_create(&team->server, NULL, serve_claims, team) != 0)
        abort();
    team->serving = true;
}

static void find_neighbours(struct team *team)
{
    MPI_Comm host;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, team->rank, MPI_INFO_NULL, &host);
    MPI_Comm_rank(host, &team->local_rank);
    MPI_Comm_size(host, &team->local_size);
    MPI_Comm_free(&host);
}

/* Ranks of a host hand each other messages through memory that they share, not by reading each other's: of what is
 * confined as ranks are (confine.h) the kernel refuses that, once for every message, and Open MPI says so each time. */
static int start_mpi(struct team *team, struct err *err)
{
    int provided;
    setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0);
    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
    team->with_mpi = true;
    MPI_Comm_rank(MPI_COMM_WORLD, &team->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &team->size);
    if (provided < MPI_THREAD_MULTIPLE)
        return err_set(err, -ENOTSUP, "this Open MPI was built without MPI_THREAD_MULTIPLE");
    find_neighbours(team);
    if (team->local_rank == 0)
        segments_sweep("/dev/shm", SEGMENTS_AGE_S);
    return 0;
}

int team_create(struct team **out, struct err *err)
{
    struct team *team = calloc(1, sizeof *team);
    if (!team)
        return err_set(err, -ENOMEM, "out of memory");
    team->size = team->local_size = 1;
    int64_t ranks = 0; /* srun sets no variable of Open MPI's */
    bool several = getenv("DECOY_RANKS") && str_to_int(getenv("DECOY_RANKS"), &ranks) && ranks > 1;
    int code = several || getenv("OMPI_COMM_WORLD_SIZE") ? start_mpi(team, err) : 0;
    if (code) {
        free(team);
        return code;
    }
    *out = team;
    return 0;
}

void team_destroy(struct team *team)
{
    if (!team)
        return;
    long none = 0;
    if (team->size > 1 && team->rank > 0)
        MPI_Send(&none, 1, MPI_LONG, 0, TAG_CLOSE, MPI_COMM_WORLD);
    if (team->serving)
        pthread_join(team->server, NULL);
    else if (team->size > 1 && team->rank == 0)
        serve_claims(team); /* the others' farewells */
    if (team->size > 1 && team->rank == 0)
        team_hear(team, NULL);
    if (team->with_mpi)
        MPI_Finalize();
    free(team);
}

int team_rank(const struct team *team)
{
    return team->rank;
}

int team_size(const struct team *team)
{
    return team->size;
}

int team_local_rank(const struct team *team)
{
    return team->local_rank;
}

int team_local_size(const struct team *team)
{
    return team->local_size;
}

void team_barrier(struct team *team)
{
    if (team->size > 1)
        MPI_Barrier(MPI_COMM_WORLD);
}

/* MPI counts are ints: larger blocks go in pieces. */
enum { PIECE = 1 << 30 };

void team_broadcast(struct team *team, void *data, size_t size, int root)
{
    for (size_t done = 0; team->size > 1 && done < size; done += PIECE)
        MPI_Bcast((char *)data + done, (int)(size - done < PIECE ? size - done : PIECE), MPI_BYTE, root,
                  MPI_COMM_WORLD);
}

void team_send(struct team *team, const void *data, size_t size, int to)
{
    (void)team;
    for (size_t done = 0; done < size; done += PIECE)
        MPI_Send((const char *)data + done, (int)(size - done < PIECE ? size - done : PIECE), MPI_BYTE, to,
                 TAG_DATA, MPI_COMM_WORLD);
}

void team_receive(struct team *team, void *data, size_t size, int from)
{
    (void)team;
    for (size_t done = 0; done < size; done += PIECE)
        MPI_Recv((char *)data + done, (int)(size - done < PIECE ? size - done : PIECE), MPI_BYTE, from,
                 TAG_DATA, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

_Static_assert(sizeof(MPI_Request) == sizeof(void *), "struct team_request holds an MPI_Request");

void team_start_send(struct team *team, const void *data, size_t size, int to, int channel,
                     struct team_request *request)
{
    (void)team;
    MPI_Isend(data, (int)size, MPI_BYTE, to, TAG_CHANNEL + channel, MPI_COMM_WORLD,
              (MPI_Request *)&request->handle);
}

void team_start_receive(struct team *team, void *data, size_t size, int from, int channel,
                        struct team_request *request)
{
    (void)team;
    MPI_Irecv(data, (int)size, MPI_BYTE, from, TAG_CHANNEL + channel, MPI_COMM_WORLD,
              (MPI_Request *)&request->handle);
}

void team_start_sum_floats(struct team *team, float *values, int count, struct team_request *request)
{
    (void)team;
    MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD,
                   (MPI_Request *)&request->handle);
}

void team_start_sum_doubles(struct team *team, double *values, int count, struct team_request *request)
{
    (void)team;
    MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD,
                   (MPI_Request *)&request->handle);
}

bool team_test(struct team_request *request)
{
    int done;
    MPI_Test((MPI_Request *)&request->handle, &done, MPI_STATUS_IGNORE);
    return done;
}

void team_wait(struct team_request *request)
{
    MPI_Wait((MPI_Request *)&request->handle, MPI_STATUS_IGNORE);
}

void team_sum(struct team *team, double *values, int count)
{
    if (team->size > 1)
        MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

bool team_any(struct team *team, bool mine)
{
    int any = mine;
    if (team->size > 1)
        MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_LOR, MPI_COMM_WORLD);
    return any;
}

static char *receive_text(int from)
{
    MPI_Status status;
    int size;
    MPI_Probe(from, TAG_TEXT, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_CHAR, &size);
    char *text = malloc((size_t)size + 1);
    if (!text)
        abort();
    MPI_Recv(text, size, MPI_CHAR, from, TAG_TEXT, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    text[size] = '\0';
    return text;
}

int team_gather_text(struct team *team, const char *mine, char ***texts)
{
    *texts = NULL;
    if (team->rank > 0) {
        MPI_Send(mine, (int)strlen(mine), MPI_CHAR, 0, TAG_TEXT, MPI_COMM_WORLD);
        return 0;
    }
    *texts = calloc((size_t)team->size, sizeof **texts);
    if (!*texts)
        return -ENOMEM;
    for (int rank = 0; rank < team->size; rank++)
        (*texts)[rank] = rank ? receive_text(rank) : str_format("%s", mine);
    return 0;
}

long team_claim(struct team *team, long count)
{
    long claim = 0;
    if (team->rank == 0) {
        start_serving(team);
        claim = atomic_fetch_add(&team->next, 1);
    } else {
        MPI_Status status;
        MPI_Send(&claim, 1, MPI_LONG, 0, TAG_CLAIM, MPI_COMM_WORLD);
        await_message(0, TAG_CLAIMED, &status);
        MPI_Recv(&claim, 1, MPI_LONG, 0, TAG_CLAIMED, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    return claim < count ? claim : count;
}

void team_claim_reset(struct team *team)
{
    team_barrier(team);
    if (team->rank == 0)
        atomic_store(&team->next, 0);
    team_barrier(team);
}

void team_beat(struct team *team)
{
    (void)team;
    MPI_Send(NULL, 0, MPI_BYTE, 0, TAG_BEAT, MPI_COMM_WORLD);
}

void team_hear(struct team *team, bool *heard)
{
    MPI_Status status;
    int there = team->size > 1;
    while (there) {
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_BEAT, MPI_COMM_WORLD, &there, &status);
        if (!there)
            return;
        MPI_Recv(NULL, 0, MPI_BYTE, status.MPI_SOURCE, TAG_BEAT, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (heard)
            heard[status.MPI_SOURCE] = true;
    }
}

void team_abort(struct team *team, int status)
{
    if (team->with_mpi)
        MPI_Abort(MPI_COMM_WORLD, status);
    _exit(status);
}
