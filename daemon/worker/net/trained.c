/* See trained.h. */
#include "daemon/worker/net/trained.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/net/safetensors.h"
#include "proto/json.h"

#include <errno.h>

static int read_input(struct trained *trained, const char *directory, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "input.json");
    json_t *file;
    int code = json_read_file(path, &file, err);
    if (code)
        return code;
    code = input_from_json(&trained->input, file, err);
    const char *fingerprint = json_string_value(json_object_get(file, "fingerprint"));
    if (fingerprint)
        trained->fingerprint = str_format("%s", fingerprint);
    json_decref(file);
    return code ? err_prefix(err, "%s", path) : 0;
}

int trained_open(struct trained *trained, const char *directory, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(directory, "model.yaml");
    *trained = (struct trained){0};
    int code =
        path_is_directory(directory) ? 0 : err_set(err, -ENOENT, "there is no directory %s", directory);
    if (!code)
        code = read_input(trained, directory, err);
    if (!code)
        code = model_read(&trained->model, path, input_stamp(trained->input), input_channels(trained->input),
                          err);
    if (code)
        return code;
    trained->parameters = calloc(trained->model->parameter_count, sizeof *trained->parameters);
    return trained->parameters ? 0 : err_set(err, -ENOMEM, "out of memory for the weights of %s", directory);
}

void trained_close(struct trained *trained)
{
    model_destroy(trained->model);
    input_destroy(trained->input);
    free(trained->parameters);
    free(trained->fingerprint);
    *trained = (struct trained){0};
}

int trained_weights(struct trained *trained, const char *directory, bool last, json_t **metadata,
                    struct err *err)
{
    CLEANUP(free_ptr) char *best = path_join(directory, "best.safetensors");
    CLEANUP(free_ptr) char *newest = path_join(directory, "model.safetensors");
    const char *path = last || !path_exists(best) ? newest : best;
    if (!path_exists(path))
        return err_set(err, -ENOENT, "%s has no weights yet: the train job has not ended%s", directory,
                       last ? "" : ", nor an epoch of it");
    return safetensors_read(path, trained->model, trained->parameters, metadata, err);
}
