/* What every part of a cutouts job goes by: the job's fields, and one item of its work. Private to cutouts/.
 */
#ifndef DECOY_CUTOUTS_CUTTING_H
#define DECOY_CUTOUTS_CUTTING_H

#include "daemon/worker/job.h"
#include "daemon/worker/sky/cuts.h"
#include "daemon/worker/sky/survey.h"

#include <stdbool.h>
#include <stdint.h>

enum { CUTTING_BANDS_MAX = 8 };

struct cutting {
    const struct job *job;
    const char *out, *bands;
    int stamp_px;
    bool pad;  /* cut stamps that leave the image, too */
    bool half; /* pixels as float16 */
    double match_arcsec;
    bool all_injected;  /* fakes at their true places, whatever was measured */
    const char *places; /* directory of a user's catalogues; NULL: the survey's and the simulation's */
    struct cuts *cuts;
    struct survey *survey,
        *simulation; /* their finders; simulation is NULL where its images are not asked for */
};

/* A brick of class real, or a brick and run of class fake. Plain data: rank 0 sends it to the others. */
struct item {
    struct brick brick;
    bool fake;
    int64_t size; /* of its first image file, bytes; 0 when it is not there */
};

static inline const char *item_class(const struct item *item)
{
    return item->fake ? "fake" : "real";
}

/* Whose images it is cut from: a user may know of fakes in the survey's own. */
static inline const struct survey *item_survey(const struct cutting *cutting, const struct item *item)
{
    return item->fake && cutting->simulation ? cutting->simulation : cutting->survey;
}

/* Are its stamps at given places, and not where and if a catalogue measured something? */
static inline bool item_takes_all(const struct cutting *cutting, const struct item *item)
{
    return cutting->places || (item->fake && cutting->all_injected);
}

#endif
