/* Verdicts of networks that saw a part of the stamps only, to be read beside the verdict of one that saw all: a
 * network that wins on invvar or on the background alone has found a flaw of the simulation or of the dataset, not
 * of the galaxies. And of one whose labels were drawn by lot: where that wins, something is wrong with the dataset's
 * parts or with decoy.
 *
 * "controls" of verdict.json: [{"sees": "invvar", "sham": false, "verdict", "n", "auc": {"value", "low", "high", ...}}]. */
#ifndef DECOY_EVALUATE_CONTROLS_H
#define DECOY_EVALUATE_CONTROLS_H

#include "common/err.h"
#include "daemon/worker/net/sight.h"
#include "daemon/worker/report/html.h"

#include <jansson.h>
#include <stdint.h>

/* The verdict.json of each control that the job's spec names. *out: the list, to be freed also after an error.
 * -EINVAL: it saw something else than its field says, or another dataset or part. */
int controls_read(json_t **out, const json_t *spec, uint64_t fingerprint, const char *part, struct err *err);

/* A row a control, and a warning for each that tells the classes apart without the galaxies. */
void controls_put(struct html *html, const json_t *controls);
void controls_put_warnings(struct html *html, const json_t *controls);

#endif
