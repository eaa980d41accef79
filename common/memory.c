/* See memory.h. Slurm, systemd and container runtimes all hold a job's memory by a cgroup; the page cache that a job
 * fills counts as its memory there. */
#include "common/memory.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <stdio.h>
#include <string.h>

/* The first line of a file that `format` finds a number in; INT64_MAX without one ("max", no such file). */
static int64_t find_number(const char *path, const char *format)
{
    CLEANUP(close_stream) FILE *file = fopen(path, "re");
    char line[4096];
    long long number;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, format, &number) == 1)
            return number;
    }
    return INT64_MAX;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The least limit of a cgroup and those above it, in a hierarchy mounted at `mount`. Cuts group. */
static int64_t limit_of(const char *mount, char *group, const char *knob)
{
    int64_t least = INT64_MAX;
    for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
        *end = '\0';
        CLEANUP(free_ptr) char *path = str_format("%s%s/%s", mount, group, knob);
        least = lesser(least, find_number(path, "%lld"));
    }
    return least;
}

/* A line of /proc/self/cgroup: "4:memory:/a/b", or "0::/a/b" for version 2. */
static int64_t limit_by_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return INT64_MAX;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    bool second = controllers[1] == '\0';
    if (!second && !strstr(controllers, "memory"))
        return INT64_MAX;
    CLEANUP(free_ptr) char *mount = str_format("%s/sys/fs/cgroup%s", root, second ? "" : "/memory");
    return limit_of(mount, group, second ? "memory.max" : "memory.limit_in_bytes");
}

int64_t memory_allowed_below(const char *root)
{
    CLEANUP(free_ptr) char *meminfo = str_format("%s/proc/meminfo", root);
    CLEANUP(free_ptr) char *cgroups = str_format("%s/proc/self/cgroup", root);
    CLEANUP(close_stream) FILE *file = fopen(cgroups, "re");
    char line[4096];
    int64_t available_kb = find_number(meminfo, "MemAvailable: %lld kB");
    int64_t least = available_kb < INT64_MAX / 1024 ? available_kb * 1024 : INT64_MAX;
    while (file && fgets(line, sizeof line, file))
        least = lesser(least, limit_by_line(root, line));
    return least;
}

int64_t memory_allowed(void)
{
    return memory_allowed_below("");
}
