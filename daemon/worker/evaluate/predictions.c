/* predictions.h5: the rows of index.h5 that are the part's, column by column as they are, with `score` beside
 * them. */
#include "common/path.h"
#include "daemon/worker/dataset/h5.h"
#include "daemon/worker/evaluate/evaluation.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The rows of a column that belong to the part (the parts follow one another in index.h5). */
static int copy_column(const struct evaluation *evaluation, struct h5 *index, struct h5 *out,
                       const char *name, struct err *err)
{
    struct h5_shape shape;
    size_t first = 0, all = 0;
    for (int part = 0; part < DATASET_PART_MAX; part++) {
        first +=
            part < (int)evaluation->part ? dataset_count(evaluation->dataset, (enum dataset_part)part) : 0;
        all += dataset_count(evaluation->dataset, (enum dataset_part)part);
    }
    int code = h5_shape(index, name, &shape, err);
    if (code)
        return code;
    if (shape.rank != 1 || shape.count != all)
        return err_set(err, -EINVAL, "%s, column %s has not one value for each of the %zu examples",
                       h5_path(index), name, all);
    CLEANUP(free_ptr) void *values = malloc(evaluation->n * h5_item_size(shape.type, shape.width));
    if (!values)
        return err_set(err, -ENOMEM, "out of memory for column %s of %s", name, h5_path(index));
    code = h5_read_rows(index, name, shape.type, shape.width, first, evaluation->n, values, err);
    if (!code)
        code = h5_write(out, name, shape.type, shape.width, 1, &evaluation->n, values, err);
    return code;
}

/* The columns that are evaluate's own take the place of those of the same name. */
static int copy_columns(const struct evaluation *evaluation, struct h5 *out, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(evaluation->dataset_path, "index.h5");
    CLEANUP(h5_close_ptr) struct h5 *index = NULL;
    CLEANUP(free_ptr) char **names = NULL;
    size_t count = 0;
    if (json_is_true(json_object_get(dataset_manifest(evaluation->dataset), "foreign")))
        return 0; /* the original's datasets have no index */
    int code = h5_open(&index, path, err);
    if (!code)
        code = h5_names(index, "/", &names, &count, err);
    for (size_t i = 0; i < count && !code; i++) {
        if (strcmp(names[i], "label") != 0 && strcmp(names[i], "score") != 0)
            code = copy_column(evaluation, index, out, names[i], err);
    }
    return code;
}

static int write_attributes(const struct evaluation *evaluation, struct h5 *out, struct err *err)
{
    char fingerprint[32];
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, dataset_fingerprint(evaluation->dataset));
    json_t *attributes = json_pack("{si ss ss ss ss ss}", "v", 1, "part", dataset_part_name(evaluation->part),
                                   "score", "P(fake), 0 to 1", "label", "1 fake, 0 real", "fingerprint",
                                   fingerprint, "decoy", DECOY_VERSION);
    int code =
        attributes ? h5_write_attributes(out, "/", attributes, err) : err_set(err, -ENOMEM, "out of memory");
    json_decref(attributes);
    return code;
}

int predictions_publish(const struct evaluation *evaluation, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(evaluation->out, "predictions.h5");
    CLEANUP(h5_close_ptr) struct h5 *out = NULL;
    int code = h5_create(&out, path, err);
    if (!code)
        code = copy_columns(evaluation, out, err);
    if (!code)
        code = h5_write(out, "label", H5_TYPE_UINT8, 0, 1, &evaluation->n, evaluation->label, err);
    if (!code)
        code = h5_write(out, "score", H5_TYPE_REAL64, 0, 1, &evaluation->n, evaluation->score, err);
    if (!code)
        code = write_attributes(evaluation, out, err);
    return code ? code : h5_publish(TAKE(out), err);
}
