/* What a process that reads files of the world may still do. CFITSIO and HDF5 have bugs that a crafted file can
 * use; whoever takes over such a process finds no network, no program to start, no other process to reach, and
 * no file but those it was given.
 *
 * Layers: no new privileges; resource limits (no core, bounded memory and CPU time); Landlock, where the kernel
 * has it, for files; seccomp, where the kernel has it, an allow-list of system calls. What is not confined:
 * the names and sizes of files everywhere can be asked for (stat), since Landlock does not cover that. */
#ifndef DECOY_WORKER_CONFINE_H
#define DECOY_WORKER_CONFINE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { CONFINE_PATHS = 64 };

/* Borrowed paths; a symbolic link stands for what it points to. A path that is not there is passed over. */
struct confinement {
    const char *readable[CONFINE_PATHS]; /* files, or directories with all below */
    size_t readable_count;
    const char *writable; /* a directory with all below, for reading, too; NULL: none */
    size_t memory;        /* bytes of address space beyond what the process has; 0: as many as it likes */
    double cpu_s;         /* beyond what it has used; 0: as long as it likes */
};

/* Beyond CONFINE_PATHS a path is not added, and thus not readable. NULL is passed over. */
void confinement_allow(struct confinement *may, const char *path);

/* Makes the system call filter, which every child then inherits ready made; optional, saves a millisecond a
 * child. */
void confine_prepare(void);

/* For good, and for what this process forks. A layer that the kernel lacks is left out; one that it has and
 * refuses is an error. Call it in a process of one thread. */
int confine(const struct confinement *may, struct err *err);

/* For a rank, which needs its sockets and its libraries' files: from here on this thread and those that it starts
 * write nowhere but in the given directories (NULL-ended; those that are not there are passed over), in /dev and
 * where temporary files go; and no thread of the process traces, mounts, loads kernel code or, without
 * `programs`, starts a program. It may read what its user may. Call it when MPI and ZeroMQ have been started. */
int confine_rank(const char *const *writable, bool programs, struct err *err);

/* "no new privileges, limits, Landlock 7, seccomp": what confine does on this kernel. */
void confine_layers(char *text, size_t size);

/* Sentence on the layers that this kernel lacks; NULL when it has all. */
const char *confine_lack(void);

#endif
