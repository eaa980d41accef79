/* See queue.h. An array in order of id, so finding is bisection; ids of new jobs only grow, so adding is
 * appending, but for a job that is reopened. The ready ones stand in a second array, in order of their turn, and the ids
 * of those that have ended in a third: with a million jobs, none of this may look at each of them. */
#include "daemon/queue.h"
#include "daemon/slots.h"

#include <stdlib.h>
#include <string.h>

struct jobs {
    struct job **items;
    size_t count, room;
};

struct queue {
    struct jobs all, ready;
    int64_t *ended;
    size_t ended_count, ended_room;
};

struct queue *queue_create(void)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        abort();
    return queue;
}

static void job_destroy(struct job *job)
{
    job_row_destroy(job->row);
    free(job);
}

void queue_destroy(struct queue *queue)
{
    if (!queue)
        return;
    for (size_t i = 0; i < queue->all.count; i++)
        job_destroy(queue->all.items[i]);
    free(queue->all.items);
    free(queue->ready.items);
    free(queue->ended);
    free(queue);
}

static void insert(struct jobs *jobs, size_t place, struct job *job)
{
    if (jobs->count == jobs->room) {
        jobs->room = jobs->room ? 2 * jobs->room : 64;
        jobs->items = realloc(jobs->items, jobs->room * sizeof(struct job *));
        if (!jobs->items)
            abort();
    }
    memmove(jobs->items + place + 1, jobs->items + place, (jobs->count - place) * sizeof(struct job *));
    jobs->items[place] = job;
    jobs->count++;
}

static void take_out(struct jobs *jobs, size_t place)
{
    jobs->count--;
    memmove(jobs->items + place, jobs->items + place + 1, (jobs->count - place) * sizeof(struct job *));
}

/* The first place whose job's id is not below id. */
static size_t place_of(const struct queue *queue, int64_t id)
{
    struct job **jobs = queue->all.items;
    size_t low = 0, high = queue->all.count;
    if (high && jobs[high - 1]->row->id < id)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (jobs[middle]->row->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first place among the ready ones whose job's turn is not before that of priority and id. */
static size_t turn_of(const struct jobs *ready, int priority, int64_t id)
{
    size_t low = 0, high = ready->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct job *job = ready->items[middle];
        if (job->listed_priority > priority || (job->listed_priority == priority && job->row->id < id))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void note_ended(struct queue *queue, int64_t id)
{
    if (queue->ended_count == queue->ended_room) {
        queue->ended_room = queue->ended_room ? 2 * queue->ended_room : 64;
        queue->ended = realloc(queue->ended, queue->ended_room * sizeof *queue->ended);
        if (!queue->ended)
            abort();
    }
    queue->ended[queue->ended_count++] = id;
}

static void unlist(struct queue *queue, struct job *job)
{
    if (job->listed)
        take_out(&queue->ready, turn_of(&queue->ready, job->listed_priority, job->row->id));
    job->listed = false;
}

void queue_changed(struct queue *queue, struct job *job)
{
    const struct job_life *life = &job->row->life;
    bool ready = life->state == JOB_READY;
    if (!ready || life->priority != job->listed_priority)
        unlist(queue, job);
    if (ready && !job->listed) {
        job->listed = true;
        job->listed_priority = life->priority;
        insert(&queue->ready, turn_of(&queue->ready, life->priority, job->row->id), job);
    }
    if (job_ended(life->state))
        note_ended(queue, job->row->id);
}

struct job *queue_add(struct queue *queue, struct job_row *row)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->row = row;
    insert(&queue->all, place_of(queue, row->id), job);
    queue_changed(queue, job);
    return job;
}

struct job *queue_find(struct queue *queue, int64_t id)
{
    size_t place = place_of(queue, id);
    return place < queue->all.count && queue->all.items[place]->row->id == id ? queue->all.items[place] : NULL;
}

struct job *queue_at(struct queue *queue, size_t index)
{
    return index < queue->all.count ? queue->all.items[index] : NULL;
}

struct job *queue_next(struct queue *queue, const struct slots *slots, int64_t now_us, int64_t *wake_us)
{
    *wake_us = 0;
    for (size_t i = 0; i < queue->ready.count; i++) {
        struct job *job = queue->ready.items[i];
        int64_t not_before_us = job->row->life.not_before_us;
        if (slots_ranks(slots, job->row) == 0)
            continue;
        if (not_before_us <= now_us)
            return job;
        if (!*wake_us || not_before_us < *wake_us)
            *wake_us = not_before_us;
    }
    return NULL;
}

void queue_forget_ended(struct queue *queue)
{
    size_t kept = 0;
    for (size_t i = 0; i < queue->ended_count; i++) {
        int64_t id = queue->ended[i];
        struct job *job = queue_find(queue, id);
        if (!job || !job_ended(job->row->life.state))
            continue; /* it was reopened */
        if (job->run) {
            queue->ended[kept++] = id;
            continue;
        }
        take_out(&queue->all, place_of(queue, id));
        job_destroy(job);
    }
    queue->ended_count = kept;
}
