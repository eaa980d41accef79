/* See slots.h. */
#include "daemon/slots.h"
#include "common/str.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
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

int slots_init(struct slots *slots, struct err *err)
{
    const char *text = getenv("DECOY_SLOTS");
    int64_t given = 0;
    slots->used = 0;
    if (text && *text) {
        if (!str_to_int(text, &given) || given < 1 || given > 1000000)
            return err_set(err, -EINVAL, "DECOY_SLOTS must be a number from 1 to 1000000, not %.40s", text);
        slots->total = (int)given;
        return 0;
    }
    int count = count_cpus(err);
    slots->total = count;
    return count < 0 ? count : 0;
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
