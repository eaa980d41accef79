/* See segments.h. Names are those of Open MPI 4.1's btl vader: vader_segment.<host>.<uid>.<job>.<rank>. */
#include "daemon/worker/segments.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "vader_segment."

struct candidates {
    char **names;
    bool *used;
    size_t count;
};

static void candidates_free(struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++)
        free(candidates->names[i]);
    free(candidates->names);
    free(candidates->used);
}

static bool is_old(int directory, const char *name, time_t age_s)
{
    struct stat status;
    return strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
           fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           status.st_uid == geteuid() && time(NULL) - status.st_mtime > age_s;
}

static void list(DIR *directory, time_t age_s, struct candidates *candidates)
{
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!is_old(dirfd(directory), entry->d_name, age_s))
            continue;
        char **longer = realloc(candidates->names, (candidates->count + 1) * sizeof *longer);
        if (!longer)
            break;
        candidates->names = longer;
        candidates->names[candidates->count++] = str_format("%s", entry->d_name);
    }
    candidates->used = calloc(candidates->count + 1, sizeof *candidates->used);
}

/* Those that a process has mapped are in use. One that does not tell counts as having none: it has gone, is another
 * user's, or no rank. */
static void mark_used(const char *pid, struct candidates *candidates)
{
    char path[300], line[4500];
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    CLEANUP(close_stream) FILE *maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps)) {
        const char *name = strstr(line, PREFIX);
        for (size_t i = 0; name && i < candidates->count; i++) {
            size_t length = strlen(candidates->names[i]);
            bool same = strncmp(name, candidates->names[i], length) == 0 && strchr(" \n", name[length]);
            candidates->used[i] = candidates->used[i] || same;
        }
    }
}

/* false: nothing is known of any. */
static bool mark_all_used(struct candidates *candidates)
{
    DIR *processes = candidates->used ? opendir("/proc") : NULL;
    if (!processes)
        return false;
    for (struct dirent *entry; (entry = readdir(processes));) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            mark_used(entry->d_name, candidates);
    }
    closedir(processes);
    return true;
}

int segments_sweep(const char *directory, time_t age_s)
{
    struct candidates candidates = {0};
    int removed = 0;
    DIR *entries = opendir(directory);
    if (!entries)
        return 0;
    list(entries, age_s, &candidates);
    if (candidates.count && mark_all_used(&candidates)) {
        for (size_t i = 0; i < candidates.count; i++)
            removed += !candidates.used[i] && unlinkat(dirfd(entries), candidates.names[i], 0) == 0;
    }
    candidates_free(&candidates);
    closedir(entries);
    return removed;
}
