/* See journal.h. */
#include "daemon/worker/train/journal.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/report/events.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

#define METRICS_LIMIT ((size_t)4 << 30)

struct journal {
    FILE *metrics;
    char *metrics_path;
    struct events *events;
    struct link *link;
};

/* A row belongs to the past of state: step rows up to its step, epoch rows up to its last validation. */
static bool is_past(const char *line, size_t length, const struct train_state *state)
{
    json_t *row = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(row, "step");
    int64_t limit = json_object_get(row, "epoch_loss") ? state->validated_step : state->step;
    bool past = json_is_integer(step) && json_integer_value(step) <= limit;
    json_decref(row);
    return past;
}

static int cut_metrics(const char *path, const struct train_state *state, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    size_t size = 0, kept = 0;
    int code = path_exists(path) ? file_read(path, METRICS_LIMIT, &text, &size, err) : 0;
    if (code || !size)
        return code;
    for (char *line = text, *end; (end = memchr(line, '\n', size - (size_t)(line - text))); line = end + 1) {
        size_t length = (size_t)(end - line) + 1;
        if (is_past(line, length, state)) {
            memmove(text + kept, line, length);
            kept += length;
        }
    }
    return kept == size ? 0 : file_publish(path, text, kept, err);
}

static const char *operation_of(enum model_layer_type type)
{
    static const char *const OPERATIONS[MODEL_LAYER_TYPE_MAX] = {
        [MODEL_CONV] = "Conv2D",     [MODEL_AVGPOOL] = "AvgPool", [MODEL_MAXPOOL] = "MaxPool",
        [MODEL_GLOBALPOOL] = "Mean", [MODEL_DENSE] = "MatMul",    [MODEL_BATCHNORM] = "FusedBatchNormV3",
        [MODEL_DROPOUT] = "Dropout", [MODEL_RELU] = "Relu",       [MODEL_GELU] = "Gelu",
        [MODEL_SILU] = "Swish",      [MODEL_FORK] = "Identity",   [MODEL_ADD] = "AddV2",
    };
    return OPERATIONS[type];
}

static void fill_node(struct events_node *node, const char *name, const char *operation,
                      const char *const *input, struct model_shape shape)
{
    *node = (struct events_node){.name = name,
                                 .operation = operation,
                                 .inputs = input,
                                 .input_count = input ? 1 : 0,
                                 .shape = {-1, shape.side_px, shape.side_px, shape.channels},
                                 .dimensions = 4};
}

static int write_graph(struct journal *journal, const struct model *model, struct err *err)
{
    int count = 0, layers = model->layer_count;
    CLEANUP(free_ptr) struct events_node *nodes = calloc(2 * (size_t)layers + 2, sizeof *nodes);
    CLEANUP(free_ptr) char *names = calloc(2 * (size_t)layers + 2, sizeof model->layers->name + 8);
    if (!nodes || !names)
        return err_set(err, -ENOMEM, "out of memory");
    fill_node(&nodes[count++], "input", "Placeholder", NULL, model->in);
    for (int i = 0; i < layers; i++) {
        const struct model_layer *layer = &model->layers[i];
        fill_node(&nodes[count], layer->name, operation_of(layer->type), &nodes[count - 1].name, layer->out);
        count++;
        if (!layer->relu)
            continue;
        char *name = names + (size_t)i * (sizeof layer->name + 8);
        snprintf(name, sizeof layer->name + 8, "%s/relu", layer->name);
        fill_node(&nodes[count], name, "Relu", &nodes[count - 1].name, layer->out);
        count++;
    }
    fill_node(&nodes[count], "softmax", "Softmax", &nodes[count - 1].name, model->layers[layers - 1].out);
    return events_graph(journal->events, nodes, count + 1, err);
}

static int open_files(struct journal *journal, const char *directory, const struct train_state *state,
                      struct err *err)
{
    CLEANUP(free_ptr) char *logs = path_join(directory, "logs");
    journal->metrics_path = path_join(directory, "metrics.jsonl");
    int code = path_make_directories(logs, 0777, err);
    if (!code)
        code = cut_metrics(journal->metrics_path, state, err);
    if (code)
        return code;
    journal->metrics = fopen(journal->metrics_path, "ae");
    if (!journal->metrics)
        return err_set(err, -errno, "cannot write %s: %s", journal->metrics_path, strerror(errno));
    return events_open(&journal->events, logs, "train", err);
}

int journal_open(struct journal **out, const char *directory, const struct model *model,
                 const struct train_state *state, struct link *link, struct err *err)
{
    CLEANUP(journal_close_ptr) struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return err_set(err, -ENOMEM, "out of memory");
    journal->link = link;
    int code = open_files(journal, directory, state, err);
    if (!code && state->step == 0)
        code = write_graph(journal, model, err);
    if (!code)
        *out = TAKE(journal);
    return code;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    close_stream(&journal->metrics);
    events_close(journal->events);
    free(journal->metrics_path);
    free(journal);
}

/* Takes the row. */
static int write_row(struct journal *journal, json_t *row, struct err *err)
{
    CLEANUP(free_ptr) char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9));
    link_metrics(journal->link, row);
    if (!text || fprintf(journal->metrics, "%s\n", text) < 0 || fflush(journal->metrics) != 0)
        return err_set(err, -errno, "cannot write %s: %s", journal->metrics_path, strerror(errno));
    return 0;
}

static int write_scalars(struct journal *journal, int64_t step, const json_t *row,
                         const char *const (*tags)[2], struct err *err)
{
    int code = 0;
    for (; (*tags)[0] && !code; tags++) {
        const json_t *value = json_object_get(row, (*tags)[0]);
        if (value)
            code = events_scalar(journal->events, step, (*tags)[1], json_number_value(value), err);
    }
    return code;
}

int journal_steps(struct journal *journal, const struct train_state *state, int64_t epoch, double rate,
                  double gradient_norm, double img_per_s, double input_share, struct err *err)
{
    static const char *const TAGS[][2] = {{"loss", "train/loss"},
                                          {"accuracy", "train/accuracy"},
                                          {"rate", "train/learning_rate"},
                                          {"gradient_norm", "train/gradient_norm"},
                                          {"img_per_s", "speed/img_per_s"},
                                          {"input_share", "speed/input_share"},
                                          {NULL, NULL}};
    double count = (double)state->row_count;
    json_t *row =
        json_pack("{sI sI sf sf sf sf sf sf}", "step", (json_int_t)state->step, "epoch", (json_int_t)epoch,
                  "loss", state->row_loss / count, "accuracy", state->row_correct / count, "rate", rate,
                  "gradient_norm", gradient_norm, "img_per_s", img_per_s, "input_share", input_share);
    int code = write_scalars(journal, state->step, row, TAGS, err);
    if (!code)
        return write_row(journal, row, err);
    json_decref(row);
    return code;
}

int journal_epoch(struct journal *journal, const struct train_state *state, int64_t epoch,
                  bool with_validation, struct err *err)
{
    static const char *const TAGS[][2] = {{"epoch_loss", "epoch/loss"}, {"epoch_accuracy", "epoch/accuracy"},
                                          {"valid_loss", "valid/loss"}, {"valid_accuracy", "valid/accuracy"},
                                          {"valid_auc", "valid/auc"},   {NULL, NULL}};
    json_t *row = json_pack("{sI sI sf sf}", "step", (json_int_t)state->step, "epoch", (json_int_t)epoch,
                            "epoch_loss", state->train_loss, "epoch_accuracy", state->train_accuracy);
    if (with_validation) {
        json_object_set_new(row, "valid_loss", json_real(state->valid_loss));
        json_object_set_new(row, "valid_accuracy", json_real(state->valid_accuracy));
    }
    if (with_validation && state->valid_auc > 0)
        json_object_set_new(row, "valid_auc", json_real(state->valid_auc));
    int code = write_scalars(journal, state->step, row, TAGS, err);
    if (!code)
        return write_row(journal, row, err);
    json_decref(row);
    return code;
}

int journal_picture(struct journal *journal, int64_t step, const char *tag, const struct picture *picture,
                    struct err *err)
{
    void *png;
    size_t size;
    int code = picture_encode_png(picture, &png, &size, err);
    if (code)
        return code;
    code = events_image(journal->events, step, tag, picture->width_px, picture->height_px, png, size, err);
    free(png);
    return code;
}

int journal_sync(struct journal *journal, struct err *err)
{
    if (fsync(fileno(journal->metrics)) == 0)
        return 0;
    return err_set(err, -errno, "cannot write %s: %s", journal->metrics_path, strerror(errno));
}
