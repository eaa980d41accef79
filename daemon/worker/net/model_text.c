/* A model as a file that model_read takes again. */
#include "common/file.h"
#include "daemon/worker/net/model_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_line(FILE *text, const struct model_layer *layer)
{
    fprintf(text, "{kind: %s", MODEL_KINDS[layer->type]);
    if (layer->type == MODEL_CONV || layer->type == MODEL_DENSE)
        fprintf(text, ", features: %d", layer->out.channels);
    if (layer->type == MODEL_CONV || layer->type == MODEL_AVGPOOL || layer->type == MODEL_MAXPOOL)
        fprintf(text, ", kernel: %d, stride: %d, padding: %s", layer->kernel_px, layer->stride_px,
                layer->valid ? "valid" : "same");
    if (layer->type == MODEL_DROPOUT)
        fprintf(text, ", rate: %.17g", layer->rate);
    fprintf(text, "%s}", layer->relu ? ", relu: true" : "");
}

/* A block from its fork to its sum, one line of the file. */
static const struct model_layer *write_block(FILE *text, const struct model_layer *fork)
{
    const struct model_layer *sum = fork, *layer = fork + 1;
    while (sum->type != MODEL_ADD)
        sum++;
    fprintf(text, "{kind: residual%s, layers: [", sum->relu ? ", relu: true" : "");
    for (; layer < sum && !layer->implied; layer++) {
        fprintf(text, "%s", layer == fork + 1 ? "" : ", ");
        write_line(text, layer);
    }
    fprintf(text, "]}");
    return sum;
}

char *model_text(const struct model *model)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&bytes, &size);
    if (!text)
        abort();
    fprintf(text, "name: \"%s\"\ninput: {stamp: %d, channels: %d}\nlayers:\n", model->name, model->in.side_px,
            model->in.channels);
    const struct model_layer *end = model->layers + model->layer_count;
    for (const struct model_layer *layer = model->layers; layer < end; layer++) {
        fprintf(text, "  - ");
        if (layer->type == MODEL_FORK)
            layer = write_block(text, layer);
        else
            write_line(text, layer);
        fprintf(text, "\n");
    }
    if (fclose(text) != 0)
        abort();
    return bytes;
}

int model_publish(const struct model *model, const char *path, struct err *err)
{
    CLEANUP(free_ptr) char *text = model_text(model);
    return file_publish(path, text, strlen(text), err);
}
