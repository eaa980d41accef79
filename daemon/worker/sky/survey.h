/* A directory in Legacy Survey layout, or a simulation of one in obiwan's or legacysim's: which bricks there
 * are, where their files lie. DR8 and later have two such directories, north and south.
 *
 *   survey     coadd/<AAA>/<brick>/legacysurvey-<brick>-{image,invvar}-<band>.fits.fz
 *              tractor/<AAA>/tractor-<brick>.fits
 *              https://www.legacysurvey.org/dr9/files (and the same page of the other releases)
 *   obiwan     coadd/<AAA>/<brick>/<run>/..., tractor/<AAA>/<brick>/<run>/tractor-<brick>.fits,
 *              obiwan/<AAA>/<brick>/<run>/simcat-elg-<brick>.fits; its version for DR9 has .../randoms-<brick>.fits
 *              https://obiwan.readthedocs.io, "Data model"
 *   legacysim  <run>/coadd/<AAA>/<brick>/..., <run>/tractor/<AAA>/tractor-<brick>.fits,
 *              <run>/sim/<AAA>/injected-<brick>.fits
 *              https://legacysim.readthedocs.io, "Data model" (doc/user/data_model.rst)
 *
 * <AAA>, a group, is the first three characters of the brick's name. A run is rs<digits>, alone or after a
 * word and "_" (skip_rs0, more_rs300, more_skip_rs0), and may end in _skip<digits> (file0_rs500_skip0). */
#ifndef DECOY_SKY_SURVEY_H
#define DECOY_SKY_SURVEY_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BRICK_NAME_MAX 16
#define RUN_NAME_MAX   48
#define GROUP_NAME_MAX 4

struct brick {
    char name[BRICK_NAME_MAX];
    char run[RUN_NAME_MAX]; /* "" for the survey itself */
};

struct survey;
struct brick_names;

enum survey_part { SURVEY_OWN = 1, SURVEY_RUNS = 2 };

/* Finds out which layout it is, and lists no brick. */
int survey_open_unlisted(struct survey **out, const char *directory, struct err *err);

/* The same, and all bricks and runs. A folder of a brick without runs, or with files beside them, is the
 * survey's own brick. */
int survey_open(struct survey **out, const char *directory, struct err *err);
void survey_close(struct survey *survey);
CLEANUP_DEFINE(survey_close_ptr, struct survey, survey_close)

const char *survey_directory(const struct survey *survey);

/* What was listed, sorted by name, then run, when groups were scanned in order. */
const struct brick *survey_bricks(const struct survey *survey, size_t *count);

/* The groups of the survey's own bricks, sorted, fresh memory; with `only` just those of its names. One
 * folder is read. */
int survey_groups(const struct survey *survey, const struct brick_names *only, char (**groups)[GROUP_NAME_MAX],
                  size_t *count, struct err *err);

/* Lists one group: its own bricks, its runs, or both, of the names in `only` (NULL: all). Own bricks alone
 * cost one folder, and no look into theirs: each folder counts. A group that is not there holds nothing. */
int survey_scan(struct survey *survey, const char *group, int parts, const struct brick_names *only,
                struct err *err);

/* Has the brick's folder runs and nothing else? Of a simulation in legacysim's layout this is true of all, and
 * brick may be NULL. */
bool survey_is_simulated(const struct survey *survey, const struct brick *brick);

/* Paths, the caller's to free. The finders look for .fits.fz, .fits, .fits.gz in that order. */
int survey_find_plane(const struct survey *survey, const struct brick *brick, const char *kind /* image, invvar */,
                      char band, char **path, struct err *err);
int survey_find_catalogue(const struct survey *survey, const struct brick *brick, char **path, struct err *err);
int survey_find_truth(const struct survey *survey, const struct brick *brick, char **path, struct err *err);

/* Bytes of a plane's file, 0 where there is none. One question to the file system where it is a .fits.fz. */
int64_t survey_plane_size(const struct survey *survey, const struct brick *brick, const char *kind, char band);

/* Where a writer puts them (directories are made), in obiwan's layout. directory: root of survey or simulation. */
int survey_plane_path(const char *directory, const struct brick *brick, const char *kind, char band, char **path, struct err *err);
int survey_catalogue_path(const char *directory, const struct brick *brick, char **path, struct err *err);
int survey_truth_path(const char *directory, const struct brick *brick, char **path, struct err *err); /* obiwan/.../simcat-elg-BRICK.fits */

#endif
