/* The loss of a running training, as many points of it as a picture has room for. */
#ifndef DECOY_DAEMON_CURVE_H
#define DECOY_DAEMON_CURVE_H

#include <jansson.h>

enum { CURVE_POINTS = 512 };

/* All zero is an empty one. When it is full, every second point goes, and from then on half as many are kept. */
struct curve {
    double step[CURVE_POINTS], loss[CURVE_POINTS];
    int count;
    int stride, skipped; /* of so many rows one is kept; rows since the last that was */
};

/* A row of metrics; one without numbers called step and loss is no point. */
void curve_add(struct curve *curve, const json_t *row);

/* [[step, loss], ...], a new reference; NULL of an empty one. */
json_t *curve_json(const struct curve *curve);

#endif
