/* See queue.h. An array in order of id, so finding is bisection; ids of new jobs only grow, so adding is
 * appending, but for a job that is reopened. */
#include "daemon/queue.h"
#include "daemon/slots.h"

#include <stdlib.h>
#include <string.h>

struct queue {
    struct job **jobs;
    size_t count, room;
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
    for (size_t i = 0; i < queue->count; i++)
        job_destroy(queue->jobs[i]);
    free(queue->jobs);
    free(queue);
}

/* The first place whose job's id is not below id. */
static size_t place_of(const struct queue *queue, int64_t id)
{
    size_t low = 0, high = queue->count;
    if (high && queue->jobs[high - 1]->row->id < id)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (queue->jobs[middle]->row->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct job *queue_add(struct queue *queue, struct job_row *row)
{
    if (queue->count == queue->room) {
        queue->room = queue->room ? 2 * queue->room : 64;
        queue->jobs = realloc(queue->jobs, queue->room * sizeof(struct job *));
    }
    struct job *job = calloc(1, sizeof *job);
    if (!job || !queue->jobs)
        abort();
    job->row = row;
    size_t place = place_of(queue, row->id);
    memmove(queue->jobs + place + 1, queue->jobs + place, (queue->count - place) * sizeof(struct job *));
    queue->jobs[place] = job;
    queue->count++;
    return job;
}

struct job *queue_find(struct queue *queue, int64_t id)
{
    size_t place = place_of(queue, id);
    return place < queue->count && queue->jobs[place]->row->id == id ? queue->jobs[place] : NULL;
}

struct job *queue_at(struct queue *queue, size_t index)
{
    return index < queue->count ? queue->jobs[index] : NULL;
}

struct job *queue_next(struct queue *queue, const struct slots *slots, int64_t now_us, int64_t *wake_us)
{
    struct job *best = NULL;
    *wake_us = 0;
    for (size_t i = 0; i < queue->count; i++) {
        struct job *job = queue->jobs[i];
        int64_t not_before_us = job->row->life.not_before_us;
        if (job->row->life.state != JOB_READY || slots_ranks(slots, job->row) == 0)
            continue;
        if (not_before_us > now_us) {
            if (!*wake_us || not_before_us < *wake_us)
                *wake_us = not_before_us;
        } else if (!best || job->row->life.priority > best->row->life.priority) {
            best = job;
        }
    }
    return best;
}

void queue_forget_ended(struct queue *queue)
{
    size_t kept = 0;
    for (size_t i = 0; i < queue->count; i++) {
        struct job *job = queue->jobs[i];
        if (job_ended(job->row->life.state) && !job->run)
            job_destroy(job);
        else
            queue->jobs[kept++] = job;
    }
    queue->count = kept;
}
