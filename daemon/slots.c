/* See slots.h. */
#include "daemon/slots.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { CPUS_MAX = 16384 };

static int count_cpus(struct err *err)
{
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    int count = -ENOMEM;
    if (set)
        count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : -errno;
    CPU_FREE(set);
    return count > 0 ? count : err_set(err, count, "cannot count the CPUs: %s", strerror(-count));
}

int slots_init(struct slots *slots, int total, struct err *err)
{
    slots->used = 0;
    slots->total = total > 0 ? total : count_cpus(err);
    return slots->total < 0 ? slots->total : 0;
}

long slots_needed(const struct job_row *row)
{
    return (long)row->ranks * row->threads;
}

int slots_check(const struct slots *slots, const struct job_row *row, struct err *err)
{
    if (slots_needed(row) <= slots->total)
        return 0;
    return err_set(
        err, -EINVAL,
        "%s asks for %d ranks x %d threads = %ld slots, but decoyd has %d: ask for fewer ranks or threads",
        row->kind, row->ranks, row->threads, slots_needed(row), slots->total);
}

bool slots_take(struct slots *slots, const struct job_row *row)
{
    if (slots_needed(row) > slots->total - slots->used)
        return false;
    slots->used += (int)slots_needed(row);
    return true;
}

void slots_give(struct slots *slots, const struct job_row *row)
{
    slots->used -= (int)slots_needed(row);
}
