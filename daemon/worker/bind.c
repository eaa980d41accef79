/* See bind.h. */
#include "daemon/worker/bind.h"
#include "common/log.h"
#include "common/str.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CPUS_MAX = 4096 };

/* Behind "HOST/" in text; NULL where there is no such host. */
static const char *find_host(const char *text, const char *host)
{
    size_t length = strcspn(host, ".");
    for (const char *at = text; at; at = strchr(at, ';')) {
        at += *at == ';';
        size_t name = strcspn(at, "/:;"), first = strcspn(at, "./:;");
        if (first == length && strncmp(at, host, length) == 0 && at[name] == '/')
            return at + name + 1;
    }
    return NULL;
}

int bind_choose(const char *text, const char *host, int local_rank, int threads, int cpus, int *chosen)
{
    const char *at = find_host(text, host);
    char *rest;
    if (!at)
        return -ENOENT;
    if (strtol(at, &rest, 10) != cpus)
        return -EDOM;
    for (int i = 0; i < (local_rank + 1) * threads; i++) {
        if (*rest != (i ? ',' : ':'))
            return -ENOENT;
        at = rest + 1;
        long cpu = strtol(at, &rest, 10);
        if (rest == at || cpu < 0 || cpu >= cpus)
            return -ENOENT;
        if (i >= local_rank * threads)
            chosen[i - local_rank * threads] = (int)cpu;
    }
    return 0;
}

static int read_local_rank(void)
{
    static const char *const NAMES[] = {"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *text = getenv(NAMES[i]);
        int64_t rank;
        if (text && str_to_int(text, &rank) && rank >= 0 && rank < CPUS_MAX)
            return (int)rank;
    }
    return 0;
}

/* The set of the chosen ones among those that the process may use. */
static void pick(const cpu_set_t *allowed, size_t size, const int *chosen, int count, cpu_set_t *picked)
{
    CPU_ZERO_S(size, picked);
    for (int cpu = 0, index = 0; cpu < CPUS_MAX; cpu++) {
        if (!CPU_ISSET_S((size_t)cpu, size, allowed))
            continue;
        for (int i = 0; i < count; i++) {
            if (chosen[i] == index)
                CPU_SET_S((size_t)cpu, size, picked);
        }
        index++;
    }
}

void bind_rank(int threads)
{
    const char *text = getenv("DECOY_CPUS");
    char host[256] = "";
    int chosen[CPUS_MAX];
    cpu_set_t *allowed = CPU_ALLOC(CPUS_MAX), *picked = CPU_ALLOC(CPUS_MAX);
    size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    gethostname(host, sizeof host - 1);
    if (text && allowed && picked && threads <= CPUS_MAX && sched_getaffinity(0, size, allowed) == 0) {
        int code = bind_choose(text, host, read_local_rank(), threads, CPU_COUNT_S(size, allowed), chosen);
        if (code == 0) {
            pick(allowed, size, chosen, threads, picked);
            if (sched_setaffinity(0, size, picked) != 0)
                log_warning("cannot bind to a core: %s", strerror(errno));
        }
    }
    CPU_FREE(allowed);
    CPU_FREE(picked);
}
