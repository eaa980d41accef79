/* See journal.h. */
#include "daemon/worker/train/journal.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/report/events.h"
#include "daemon/worker/train/graph.h"
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
    return file_publish(path, text, kept, err); /* also whole: who appends to the old file, appends to nobody's (fence.h) */
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
        code = graph_write(journal->events, model, err);
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

int journal_weights(struct journal *journal, int64_t step, const struct model *model, const float *parameters,
                    struct err *err)
{
    int code = 0;
    for (int i = 0; i < model_tensor_count(model) && !code; i++) {
        struct model_tensor tensor = model_tensor(model, i);
        *strrchr(tensor.name, '.') = '/'; /* TensorBoard groups by what stands before */
        code = events_histogram(journal->events, step, tensor.name, parameters + tensor.offset, tensor.count,
                                err);
    }
    return code;
}

int journal_sync(struct journal *journal, struct err *err)
{
    if (fsync(fileno(journal->metrics)) == 0)
        return 0;
    return err_set(err, -errno, "cannot write %s: %s", journal->metrics_path, strerror(errno));
}
