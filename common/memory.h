/* How much memory there is to work with. */
#ifndef DECOY_COMMON_MEMORY_H
#define DECOY_COMMON_MEMORY_H

#include <stdint.h>

/* Bytes that may still be taken on this host, page cache included: the least of what the kernel calls available and
 * of the limits of the cgroups (version 1 or 2) that this process is in, those above them too. INT64_MAX: unknown. */
int64_t memory_allowed(void);

/* The same by the files proc/meminfo, proc/self/cgroup and sys/fs/cgroup/... below root. */
int64_t memory_allowed_below(const char *root);

#endif
