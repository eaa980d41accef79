/* Paths: text only, but for path_make_directories and the questions about what exists. */
#ifndef DECOY_COMMON_PATH_H
#define DECOY_COMMON_PATH_H

#include "common/err.h"

#include <stdbool.h>

/* "directory/name" in fresh memory, the caller's to free. */
char *path_join(const char *directory, const char *name);

/* The part before the last slash ("." without one), in fresh memory. */
char *path_directory(const char *path);

/* The part after the last slash, inside path. */
const char *path_name(const char *path);

/* path made absolute against the working directory, in fresh memory; links are not resolved. */
char *path_absolute(const char *path);

bool path_exists(const char *path);
bool path_is_directory(const char *path);

/* mkdir -p; mode is for the directories made. */
int path_make_directories(const char *path, unsigned mode, struct err *err);

#endif
