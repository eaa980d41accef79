/* See slots.h. A job is put on one host where one has room, on the fullest that does; else it takes the emptiest hosts first,
 * so that it is spread over few. */
#include "daemon/slots.h"
#include "common/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void slots_init(struct slots *slots, struct host *hosts, size_t count, bool allocated)
{
    *slots = (struct slots){.hosts = hosts, .count = count, .allocated = allocated};
    for (size_t i = 0; i < count; i++) {
        hosts[i].taken = calloc((size_t)hosts[i].total, sizeof *hosts[i].taken);
        if (!hosts[i].taken)
            abort();
        slots->total += hosts[i].total;
    }
}

void slots_clear(struct slots *slots)
{
    for (size_t i = 0; i < slots->count; i++)
        free(slots->hosts[i].taken);
    free(slots->hosts);
    *slots = (struct slots){0};
}

long slots_needed(const struct job_row *row)
{
    return (long)row->ranks * row->threads;
}

int slots_ranks(const struct slots *slots, const struct job_row *row)
{
    long most = 0;
    for (size_t i = 0; i < slots->count; i++)
        most += slots->hosts[i].lost ? 0 : slots->hosts[i].total / row->threads;
    if (most >= row->ranks)
        return row->ranks;
    return slots->allocated ? (int)most : 0;
}

int slots_check(const struct slots *slots, const struct job_row *row, struct err *err)
{
    int ranks = slots_ranks(slots, row);
    if (ranks == row->ranks)
        return 0;
    if (slots_needed(row) > slots->total)
        return err_set(
            err, -EINVAL,
            "%s asks for %d ranks x %d threads = %ld slots, but decoyd has %d: ask for fewer ranks or threads",
            row->kind, row->ranks, row->threads, slots_needed(row), slots->total);
    return err_set(err, -EINVAL,
                   "%s asks for %d ranks x %d threads, but the hosts have room for %d such ranks: ask for fewer ranks or "
                   "threads",
                   row->kind, row->ranks, row->threads, ranks);
}

static int room(const struct host *host, int threads)
{
    return host->lost ? 0 : (host->total - host->used) / threads;
}

/* The host for the next ranks, of which `wanted` are left; -1: none has room. */
static int choose(const struct slots *slots, int wanted, int threads)
{
    int best = -1, best_room = 0;
    for (size_t i = 0; i < slots->count; i++) {
        int here = room(&slots->hosts[i], threads);
        bool whole = here >= wanted, best_whole = best_room >= wanted;
        if (here > 0 && (best < 0 || (whole && (!best_whole || here < best_room)) || (!best_whole && here > best_room))) {
            best = (int)i;
            best_room = here;
        }
    }
    return best;
}

static void take_share(struct slots *slots, struct placement *placement, int host, int wanted)
{
    struct host *at = &slots->hosts[host];
    int here = room(at, placement->threads), ranks = here < wanted ? here : wanted, left = ranks * placement->threads;
    struct share *share = &placement->shares[placement->count++];
    *share = (struct share){.host = host, .ranks = ranks, .cpus = calloc((size_t)left, sizeof *share->cpus)};
    if (!share->cpus)
        abort();
    at->used += left;
    slots->used += left;
    for (int slot = 0, taken = 0; taken < left; slot++) {
        if (at->taken[slot])
            continue;
        at->taken[slot] = true;
        share->cpus[taken++] = slot;
    }
    placement->ranks += ranks;
}

static int by_host(const void *a, const void *b)
{
    return ((const struct share *)a)->host - ((const struct share *)b)->host;
}

bool slots_take(struct slots *slots, const struct job_row *row, struct placement *placement)
{
    int wanted = slots_ranks(slots, row), free_ranks = 0;
    *placement = (struct placement){.threads = row->threads};
    for (size_t i = 0; i < slots->count; i++)
        free_ranks += room(&slots->hosts[i], row->threads);
    if (wanted == 0 || free_ranks < wanted)
        return false;
    placement->shares = calloc(slots->count, sizeof *placement->shares);
    if (!placement->shares)
        abort();
    while (placement->ranks < wanted) {
        int left = wanted - placement->ranks;
        take_share(slots, placement, choose(slots, left, row->threads), left);
    }
    qsort(placement->shares, placement->count, sizeof *placement->shares, by_host); /* rank 0 is on the daemon's, if any is */
    return true;
}

void slots_give(struct slots *slots, struct placement *placement)
{
    for (size_t i = 0; i < placement->count; i++) {
        struct share *share = &placement->shares[i];
        struct host *host = &slots->hosts[share->host];
        int count = share->ranks * placement->threads;
        for (int j = 0; j < count; j++)
            host->taken[share->cpus[j]] = false;
        host->used -= count;
        slots->used -= host->lost ? 0 : count;
        free(share->cpus);
    }
    free(placement->shares);
    *placement = (struct placement){0};
}

void slots_lose(struct slots *slots, int host)
{
    struct host *lost = &slots->hosts[host];
    if (lost->lost)
        return;
    lost->lost = true;
    slots->total -= lost->total;
    slots->used -= lost->used;
}

char *placement_cpus(const struct slots *slots, const struct placement *placement)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    for (size_t i = 0; i < placement->count; i++) {
        const struct share *share = &placement->shares[i];
        fprintf(stream, "%s%s/%d", i ? ";" : "", slots->hosts[share->host].name, slots->hosts[share->host].total);
        for (int j = 0; j < share->ranks * placement->threads; j++)
            fprintf(stream, "%c%d", j ? ',' : ':', share->cpus[j]);
    }
    fclose(stream);
    return text;
}
