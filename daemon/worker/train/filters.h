/* The first layer's filters as a picture: what the network looks for in each channel. */
#ifndef DECOY_TRAIN_FILTERS_H
#define DECOY_TRAIN_FILTERS_H

#include "daemon/worker/net/model.h"
#include "daemon/worker/report/picture.h"

/* A row a filter (at most 64), a column a channel; blue is negative, red positive, white 0, one scale a
 * filter. NULL when the first layer is not a convolution, or without memory. */
struct picture *filters_picture(const struct model *model, const float *parameters);

#endif
