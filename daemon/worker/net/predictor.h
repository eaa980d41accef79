/* A trained model as a train job left it (model.yaml, model.safetensors, input.json), ready to score stamps.
 */
#ifndef DECOY_NET_PREDICTOR_H
#define DECOY_NET_PREDICTOR_H

#include "common/cleanup.h"
#include "common/err.h"
#include "daemon/worker/net/sight.h"

#include <stddef.h>
#include <stdint.h>

struct predictor;

/* directory: a train job's output. Takes the best model by validation loss where there is one, else the last.
 * stamp and channels must be the model's; batch: stamps a call, at most. fingerprint: of the dataset whose
 * stamps will be scored, which must be the one trained on (another split may have trained on them). */
int predictor_open(struct predictor **out, const char *directory, uint64_t fingerprint, int stamp,
                   int channels, int batch, int threads, struct err *err);
void predictor_close(struct predictor *predictor);
CLEANUP_DEFINE(predictor_close_ptr, struct predictor, predictor_close)

/* What the network was shown of a stamp, in training and here. */
enum sight predictor_sight(const struct predictor *predictor);

/* score[i] = P(fake) of stamps[i], raw pixels (side, side, channels), count <= batch. The score of a stamp
 * does not depend on what else is in the batch. gradients (NULL: none): d score / d normalised input, count x
 * side x side x channels. */
int predictor_score(struct predictor *predictor, const float *const *stamps, size_t count, double *score,
                    float *gradients, struct err *err);

#endif
