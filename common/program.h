/* Where the programs of one installation find one another. */
#ifndef DECOY_COMMON_PROGRAM_H
#define DECOY_COMMON_PROGRAM_H

#include "common/err.h"

#include <stddef.h>

/* The first of places, relative to the directory of the running program, that is a program; in fresh memory,
 * NULL when none is. */
char *program_beside(const char *const *places, size_t count);

/* The program in the first directory of $PATH that has it, in fresh memory; NULL when none has. */
char *program_in_path(const char *name);

/* decoy-worker: what $DECOY_WORKER names, else beside the running program (installed, or in the build tree),
 * else by $PATH. *path is fresh memory. -ENOENT with a sentence. */
int program_find_worker(char **path, struct err *err);

#endif
