/* A directory in Legacy Survey layout (or a simulation in obiwan's): which bricks there are, where their
 * files lie. A brick's `run` is NULL for the survey itself and "rs0", "rs300", "skip_rs0", ... for a simulation. */
#ifndef DECOY_SKY_SURVEY_H
#define DECOY_SKY_SURVEY_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stddef.h>

#define BRICK_NAME_MAX 16
#define RUN_NAME_MAX   48

struct brick {
    char name[BRICK_NAME_MAX];
    char run[RUN_NAME_MAX]; /* "" for the survey itself */
};

struct survey;

/* Bricks are those with a coadd/<AAA>/<brick>/ folder, sorted by name, then run; `list` (may be NULL) is a
 * text file of names to keep, and a name in it that is not there is an error. */
int survey_open(struct survey **out, const char *directory, const char *list, struct err *err);

/* The same without looking for bricks: it lists none, and serves for the finders alone. */
int survey_open_unlisted(struct survey **out, const char *directory, struct err *err);
void survey_close(struct survey *survey);
CLEANUP_DEFINE(survey_close_ptr, struct survey, survey_close)

const char *survey_directory(const struct survey *survey);
const struct brick *survey_bricks(const struct survey *survey, size_t *count);

/* Paths, the caller's to free. The finders look for .fits.fz, .fits, .fits.gz in that order. */
int survey_find_plane(const struct survey *survey, const struct brick *brick, const char *kind /* image, invvar */,
                      char band, char **path, struct err *err);
int survey_find_catalogue(const struct survey *survey, const struct brick *brick, char **path, struct err *err);
int survey_find_truth(const struct survey *survey, const struct brick *brick, char **path, struct err *err);

/* Where a writer puts them (directories are made). directory is the root of survey or simulation. */
int survey_plane_path(const char *directory, const struct brick *brick, const char *kind, char band, char **path, struct err *err);
int survey_catalogue_path(const char *directory, const struct brick *brick, char **path, struct err *err);
int survey_truth_path(const char *directory, const struct brick *brick, char **path, struct err *err); /* obiwan/.../simcat-elg-BRICK.fits */

#endif
