/* Files of etc/: presets of cuts, models and pipelines, by name or by path. */
#ifndef DECOY_COMMON_PRESET_H
#define DECOY_COMMON_PRESET_H

#include "common/err.h"

/* The path of NAME.yaml in folder ("cuts", "models", "pipelines"), searched for in $DECOY_ETC, the installed
 * and the source tree; a name with a slash is a path and is only checked to exist. *path is the caller's. */
int preset_find(const char *folder, const char *name, char **path, struct err *err);

/* The names in a folder, a line each, in fresh memory; those of an earlier root hide later ones. */
char *preset_names(const char *folder);

#endif
