/* See hosts.h. */
#include "daemon/hosts.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS_MAX = 16384, HOSTS_MAX = 4096, NUMBER_MAX = 1000000000, SLOTS_MAX = 1000000, TAIL = 1 << 16 };

struct list {
    struct host hosts[HOSTS_MAX];
    size_t count;
};

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

static int bad_list(const char *what, const char *text, struct err *err)
{
    return err_set(err, -EINVAL, "%s %.200s: not understood", what, text);
}

static int add(struct list *list, const char *name, size_t length, int total)
{
    if (length == 0 || length >= HOST_NAME_MAX_ || list->count == HOSTS_MAX || total < 1 || total > SLOTS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < list->count; i++) {
        if (strlen(list->hosts[i].name) == length && strncmp(list->hosts[i].name, name, length) == 0)
            return -EINVAL;
    }
    struct host *host = &list->hosts[list->count++];
    *host = (struct host){.total = total};
    memcpy(host->name, name, length);
    return 0;
}

/* "h1:4,h2" */
static int read_hosts(struct list *list, const char *text, int cpus)
{
    int code = *text ? 0 : -EINVAL;
    while (!code && *text) {
        size_t length = strcspn(text, ",");
        const char *colon = memchr(text, ':', length);
        char *end = NULL;
        long total = colon ? strtol(colon + 1, &end, 10) : cpus;
        if (colon && end != text + length)
            return -EINVAL;
        code = add(list, text, colon ? (size_t)(colon - text) : length, total > SLOTS_MAX ? 0 : (int)total);
        text += length;
        if (*text == ',' && !*++text)
            return -EINVAL;
    }
    return code;
}

/* What stands in brackets, "1-3,07", with what is before and behind them. */
static int read_ranges(struct list *list, const char *prefix, size_t length, const char *ranges, size_t size)
{
    const char *end = ranges + size;
    while (ranges < end) {
        char *rest;
        long first = strtol(ranges, &rest, 10), last = first;
        int width = (int)(rest - ranges);
        if (width == 0 || first < 0)
            return -EINVAL;
        if (*rest == '-')
            last = strtol(rest + 1, &rest, 10);
        if (last < first || last > NUMBER_MAX || last - first >= HOSTS_MAX || rest > end || (rest < end && *rest != ','))
            return -EINVAL;
        for (long number = first; number <= last; number++) {
            CLEANUP(free_ptr) char *name = str_format("%.*s%0*ld", (int)length, prefix, width, number);
            if (add(list, name, strlen(name), 1) != 0)
                return -EINVAL;
        }
        ranges = rest + (rest < end);
    }
    return size ? 0 : -EINVAL;
}

/* Slurm's list, "n[1-3,07],m2"; brackets stand at the end of a name. */
static int read_nodelist(struct list *list, const char *text)
{
    int code = *text ? 0 : -EINVAL;
    while (!code && *text) {
        size_t length = strcspn(text, ",[");
        if (text[length] == '[') {
            const char *ranges = text + length + 1;
            size_t size = strcspn(ranges, "]");
            if (!ranges[size])
                return -EINVAL;
            code = read_ranges(list, text, length, ranges, size);
            text = ranges + size + 1;
        } else {
            code = add(list, text, length, 1);
            text += length;
        }
        if (*text && *text != ',')
            return -EINVAL;
        text += *text == ',';
    }
    return code;
}

/* "4(x2),8": of each host in turn. */
static int read_cpus(struct list *list, const char *text)
{
    size_t at = 0;
    while (*text) {
        char *rest;
        long cpus = strtol(text, &rest, 10), times = 1;
        if (rest == text || cpus < 1 || cpus > SLOTS_MAX)
            return -EINVAL;
        if (strncmp(rest, "(x", 2) == 0) {
            times = strtol(rest + 2, &rest, 10);
            if (*rest++ != ')')
                return -EINVAL;
        }
        for (; times > 0 && at < list->count; times--)
            list->hosts[at++].total = (int)cpus;
        if (times > 0 || (*rest && *rest != ','))
            return -EINVAL;
        text = rest + (*rest == ',');
    }
    return at == list->count ? 0 : -EINVAL;
}

static bool same_host(const char *a, const char *b)
{
    size_t length = strcspn(a, ".");
    return length == strcspn(b, ".") && strncmp(a, b, length) == 0;
}

/* This host comes first: its ranks report to decoyd by a socket in its file system. */
static void put_first(struct list *list, const char *self)
{
    for (size_t i = 1; i < list->count; i++) {
        if (!same_host(list->hosts[i].name, self))
            continue;
        struct host own = list->hosts[i];
        memmove(list->hosts + 1, list->hosts, i * sizeof own);
        list->hosts[0] = own;
        return;
    }
}

static int read_given(struct list *list, const struct hosts_given *given, struct err *err)
{
    int cpus = given->slots > 0 ? given->slots : count_cpus(err);
    if (cpus < 0)
        return cpus;
    if (given->hosts)
        return read_hosts(list, given->hosts, cpus) ? bad_list("--hosts", given->hosts, err) : 0;
    if (given->slots > 0 || !given->nodelist)
        return add(list, given->self, strlen(given->self), cpus);
    if (read_nodelist(list, given->nodelist) != 0)
        return bad_list("SLURM_JOB_NODELIST", given->nodelist, err);
    if (given->cpus && read_cpus(list, given->cpus) != 0)
        return bad_list("SLURM_JOB_CPUS_PER_NODE", given->cpus, err);
    return 0;
}

int hosts_find(struct slots *slots, const struct hosts_given *given, struct err *err)
{
    CLEANUP(free_ptr) struct list *list = calloc(1, sizeof *list);
    if (!list)
        return err_set(err, -ENOMEM, "out of memory");
    int code = read_given(list, given, err);
    if (code)
        return code;
    put_first(list, given->self);
    struct host *hosts = calloc(list->count, sizeof *hosts);
    if (!hosts)
        return err_set(err, -ENOMEM, "out of memory");
    memcpy(hosts, list->hosts, list->count * sizeof *hosts);
    slots_init(slots, hosts, list->count, given->hosts || (given->slots <= 0 && given->nodelist));
    return 0;
}

static char *read_tail(const char *path)
{
    char *text = calloc(1, TAIL + 1);
    FILE *file = fopen(path, "re");
    if (file && fseek(file, -TAIL, SEEK_END) != 0)
        rewind(file);
    if (file && text)
        text[fread(text, 1, TAIL, file)] = '\0';
    if (file)
        fclose(file);
    return text;
}

int hosts_lost(const struct slots *slots, const struct placement *placement, const char *path)
{
    /* Open MPI 4.1, help-errmgr-base.txt "node-died", and Slurm's srun */
    static const char *const SAYINGS[] = {"Remote daemon: [", "Node failure on "};
    CLEANUP(free_ptr) char *text = read_tail(path);
    for (size_t i = 0; text && i < sizeof SAYINGS / sizeof *SAYINGS; i++) {
        const char *at = strstr(text, SAYINGS[i]);
        const char *name = !at ? NULL : i == 0 ? strstr(at, " on node ") : at + strlen(SAYINGS[i]);
        if (!name)
            continue;
        name += i == 0 ? strlen(" on node ") : 0;
        CLEANUP(free_ptr) char *host = strndup(name, strcspn(name, " \n,"));
        for (size_t j = 0; host && j < placement->count; j++) {
            if (same_host(slots->hosts[placement->shares[j].host].name, host))
                return placement->shares[j].host;
        }
    }
    return -1;
}

json_t *hosts_json(const struct slots *slots)
{
    json_t *hosts = json_array();
    for (size_t i = 0; i < slots->count; i++) {
        const struct host *host = &slots->hosts[i];
        json_array_append_new(hosts, json_pack("{ss si si sb}", "name", host->name, "slots", host->total, "used",
                                               host->used, "lost", host->lost));
    }
    return hosts;
}
