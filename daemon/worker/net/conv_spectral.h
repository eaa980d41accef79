/* Private to net/. A convolution as spectral.h does it, in place of oneDNN's. */
#ifndef DECOY_NET_CONV_SPECTRAL_H
#define DECOY_NET_CONV_SPECTRAL_H

#include "daemon/worker/net/layer.h"

/* Whether it is the faster way for such a layer on this processor. */
bool conv_spectral_suits(const struct model_layer *model);

layer_create layer_create_conv_spectral;

#endif
