/* A user's own catalogues: <directory>/<brick>.fits, or <brick>-<run>.fits for one run of a simulation, with
 * columns id and ra, dec (or x, y): what obiwan's create_training.py calls userDefined. */
#ifndef DECOY_CUTOUTS_PLACES_H
#define DECOY_CUTOUTS_PLACES_H

#include "common/err.h"
#include "daemon/worker/sky/survey.h"

/* The brick's file, the caller's to free: the run's own, or that of the brick. May end in .gz or .fz, too. */
int places_find(const char *directory, const struct brick *brick, char **path, struct err *err);

#endif
