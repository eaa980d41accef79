/* See cost.h. */
#include "daemon/worker/net/cost.h"

double cost_forward_flops(const struct model_layer *layer)
{
    double outputs = (double)layer->out.side_px * layer->out.side_px;
    return 2 * (double)layer->weight_count * outputs;
}

double cost_step_flops(const struct model *model, int layer)
{
    return (layer ? 3 : 2) * cost_forward_flops(&model->layers[layer]);
}
