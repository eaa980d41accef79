/* See network.h. */
#include "daemon/worker/export/network.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/net/safetensors.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *name;
    network_write *write;
} FORMATS[] = {
    {"safetensors", network_write_safetensors}, {"npz", network_write_npz}, {"onnx", network_write_onnx}};

static network_write *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
        if (strcmp(name, FORMATS[i].name) == 0)
            return FORMATS[i].write;
    }
    return NULL;
}

int network_write_safetensors(const struct trained *trained, const char *path, const json_t *metadata,
                              struct err *err)
{
    return safetensors_publish(path, trained->model, trained->parameters, metadata, err);
}

static int publish(struct job *job, const struct trained *trained, const char *file, const json_t *metadata,
                   struct err *err)
{
    const json_t *spec = job->spec;
    const char *out = spec_text(spec, "out"), *weights = spec_text(spec, "weights");
    const size_t parameters = trained->model->parameter_count - trained->model->trained;
    CLEANUP(free_ptr) char *path = path_join(out, "export.json");
    json_t *row = json_pack("{si ss ss ss ss sI sO}", "v", 1, "format", spec_text(spec, "format"), "model",
                            spec_text(spec, "model"), "weights", weights, "file", file, "parameters",
                            (json_int_t)parameters, "metadata", metadata);
    int code = row ? json_publish_file(path, row, err) : err_set(err, -ENOMEM, "out of memory for %s", path);
    if (!code) {
        const char *step = json_string_value(json_object_get(metadata, "step"));
        CLEANUP(free_ptr)
        char *text = str_format("%s, %zu parameters, after step %s: %s/%s\n", trained->model->name,
                                parameters, step ? step : "unknown", out, file);
        json_object_set_new(row, "text", json_string(text));
        json_object_set_new(row, "out", json_string(out));
        code = link_result(job->link, json_incref(row), err);
    }
    json_decref(row);
    return code;
}

static int write_network(struct job *job, struct trained *trained, json_t *metadata, struct err *err)
{
    const char *format = spec_text(job->spec, "format");
    CLEANUP(free_ptr) char *file = str_format("model.%s", format);
    CLEANUP(free_ptr) char *path = path_join(spec_text(job->spec, "out"), file);
    int code = find_format(format)(trained, path, metadata, err);
    return code ? code : publish(job, trained, file, metadata, err);
}

int export_network(struct job *job, struct err *err)
{
    const char *model = spec_text(job->spec, "model");
    struct trained trained = {0};
    json_t *metadata = NULL;
    if (!spec_text(job->spec, "format"))
        return err_set(err, -EINVAL, "--model needs --format safetensors, npz or onnx");
    if (team_rank(job->team) > 0)
        return 0;
    int code = trained_open(&trained, model, err);
    if (!code)
        code = trained_weights(&trained, model, strcmp(spec_text(job->spec, "weights"), "last") == 0,
                               &metadata, err);
    if (!code)
        code = path_make_directories(spec_text(job->spec, "out"), 0777, err);
    if (!code)
        code = write_network(job, &trained, metadata, err);
    json_decref(metadata);
    trained_close(&trained);
    return code;
}
