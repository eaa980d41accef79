/* The model tool: `decoy model show NAME|FILE` tells what a model file makes of a stamp, layer by layer, and
 * what that costs. Operations are counted as direct loops make them (net/cost.h); memory is what a network of
 * that micro-batch has allocated. */
#include "common/preset.h"
#include "daemon/worker/job.h"
#include "daemon/worker/net/cost.h"
#include "daemon/worker/net/network.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>

enum { STAMP_PX = 64, CHANNELS = 6 }; /* of a file that does not say */

static int open_model(struct model **model, const json_t *spec, struct err *err)
{
    int stamp_px = (int)spec_int(spec, "stamp"), channels = (int)spec_int(spec, "channels");
    CLEANUP(free_ptr) char *path = NULL;
    json_t *file = NULL;
    int code = preset_find("models", spec_text(spec, "file"), &path, err);
    if (!code)
        code = yaml_read_file(path, &file, err);
    if (code)
        return code;
    if (!json_object_get(file, "input")) {
        stamp_px = stamp_px ? stamp_px : STAMP_PX;
        channels = channels ? channels : CHANNELS;
    }
    json_decref(file);
    return model_read(model, path, stamp_px, channels, err);
}

static void print_layer(FILE *text, const struct model *model, int l)
{
    const struct model_layer *layer = &model->layers[l];
    char shape[40], window[40] = "";
    snprintf(shape, sizeof shape, "%d x %d x %d", layer->out.side_px, layer->out.side_px,
             layer->out.channels);
    if (layer->kernel_px)
        snprintf(window, sizeof window, "%d x %d / %d", layer->kernel_px, layer->kernel_px, layer->stride_px);
    fprintf(text, "%-22s %-12s %-5s %14s %12zu %12.3f %12.3f\n", layer->name, window,
            layer->relu ? "relu" : "", shape, layer->weight_count + layer->bias_count,
            cost_forward_flops(layer) / 1e6, cost_step_flops(model, l) / 1e6);
}

static void print_memory(FILE *text, const struct network_memory *memory, int micro_batch,
                         const char *precision)
{
    fprintf(
        text,
        "memory of a micro-batch of %d in %s: activations %.1f MB, their derivatives %.1f MB, work of the "
        "kernels %.1f "
        "MB\n",
        micro_batch, precision, (double)memory->activations / 1e6, (double)memory->derivatives / 1e6,
        (double)memory->kernels / 1e6);
}

static char *describe(const struct model *model, const struct network_memory *memory, int micro_batch,
                      const char *precision)
{
    char *bytes = NULL;
    size_t size = 0;
    double forward = 0, step = 0;
    FILE *text = open_memstream(&bytes, &size);
    if (!text)
        abort();
    fprintf(text, "%s: stamps of %d x %d x %d\n\n%-22s %-12s %-5s %14s %12s %12s %12s\n", model->name,
            model->in.side_px, model->in.side_px, model->in.channels, "layer", "window", "", "output",
            "parameters", "MFLOP", "a step");
    for (int l = 0; l < model->layer_count; l++) {
        print_layer(text, model, l);
        forward += cost_forward_flops(&model->layers[l]);
        step += cost_step_flops(model, l);
    }
    fprintf(text, "%-22s %-12s %-5s %14s %12zu %12.3f %12.3f\n\n", "all", "", "", "",
            model->parameter_count - model->trained, forward / 1e6, step / 1e6);
    fprintf(text, "MFLOP: of one stamp, forward and in a training step, as direct loops count them\n");
    print_memory(text, memory, micro_batch, precision);
    if (fclose(text) != 0)
        abort();
    return bytes;
}

static json_t *describe_layers(const struct model *model)
{
    json_t *layers = json_array();
    for (int l = 0; l < model->layer_count; l++) {
        const struct model_layer *layer = &model->layers[l];
        json_array_append_new(
            layers, json_pack("{ss s[iii] sI sf sf}", "name", layer->name, "output", layer->out.side_px,
                              layer->out.side_px, layer->out.channels, "parameters",
                              (json_int_t)(layer->weight_count + layer->bias_count), "forward_flops",
                              cost_forward_flops(layer), "step_flops", cost_step_flops(model, l)));
    }
    return layers;
}

int model_run(struct job *job, struct err *err)
{
    CLEANUP(model_destroy_ptr) struct model *model = NULL;
    CLEANUP(network_destroy_ptr) struct network *network = NULL;
    int micro_batch = (int)spec_int(job->spec, "micro_batch");
    const char *precision = spec_text(job->spec, "precision");
    bool bf16 = strcmp(precision, "bf16") == 0;
    int code = open_model(&model, job->spec, err);
    if (!code && bf16 && !network_has_bf16())
        code = err_set(err, -EINVAL, "--precision bf16: this processor multiplies no bfloat16 (avx512_bf16)");
    if (!code)
        code = network_create(&network, model, micro_batch, job->threads,
                              NETWORK_TRAIN | (bf16 ? NETWORK_BF16 : 0), err);
    if (code)
        return code;
    struct network_memory memory = network_memory(network);
    CLEANUP(free_ptr) char *text = describe(model, &memory, micro_batch, precision);
    return link_result(job->link,
                       json_pack("{ss ss s[iii] sI so s{sI sI sI}}", "text", text, "name", model->name,
                                 "input", model->in.side_px, model->in.side_px, model->in.channels,
                                 "parameters", (json_int_t)(model->parameter_count - model->trained),
                                 "layers", describe_layers(model), "memory_bytes", "activations",
                                 (json_int_t)memory.activations, "derivatives",
                                 (json_int_t)memory.derivatives, "kernels", (json_int_t)memory.kernels),
                       err);
}
