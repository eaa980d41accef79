/* What a cutouts job leaves beside its files: cutouts.json. Made from the reports of all items (cut_brick.h), or
 * for a bad brick {class, brick, run, reason}. */
#ifndef DECOY_CUTOUTS_MANIFEST_H
#define DECOY_CUTOUTS_MANIFEST_H

#include "daemon/worker/cutouts/cutting.h"

/* Counts over all reports, a new reference, for the classes that were asked for: {real: {bricks, fresh,
 * quarantined, catalogued, selected, edge, blank, stamps, cuts: [{cut, left}]}, fake: {the same and collided,
 * injected, matched, merged}}.
 *
 *   collided    of the truth, but not put into the image       catalogued  rows of the measured catalogue
 *   injected    rows of the truth; given: of a user's places   matched     of them, found there
 *   merged      found as one with a source of the survey       cuts        how many are left after each
 *   selected    to be cut                                      edge        ... whose stamp leaves the image
 *   blank       ... whose stamp lacks all data in a band       stamps      written */
json_t *manifest_summary(const json_t *reports, const struct cuts *cuts, bool real, bool fake);

/* Writes cutouts.json: its presence says that the job ended well. */
int manifest_publish(const struct cutting *cutting, const json_t *reports, const json_t *summary,
                     struct err *err);

/* The reason of the first bad brick of a class of which no brick is good; NULL when there is none such. */
const char *manifest_failure(const json_t *reports, const json_t *summary, const char **class_name);

/* Which libraries the pixels go through, with their versions. */
const char *manifest_libraries(void);

#endif
