/* npz: numpy's name for a zip of npy files, one a tensor (numpy.savez: stored, not compressed). Times are left at
 * zip's first day, so that equal weights make equal files. */
#include "common/file.h"
#include "daemon/worker/dataset/npy.h"
#include "daemon/worker/export/network.h"

#include <errno.h>
#include <string.h>
#include <zip.h>

enum { FIRST_DAY = 1 << 5 | 1 }; /* 1980-01-01 as zip counts */

static int refuse(const char *path, const char *why, struct err *err)
{
    return err_set(err, -EIO, "cannot make %s: %s", path, why);
}

/* A tensor as an npy file in memory, which the archive frees. */
static int add_tensor(zip_t *archive, const struct model_tensor *tensor, const float *parameters)
{
    char header[NPY_HEADER_MAX], name[sizeof tensor->name + 4];
    size_t shape[4], size = tensor->count * sizeof *parameters;
    for (int i = 0; i < tensor->dimensions; i++)
        shape[i] = (size_t)tensor->shape[i];
    size_t head = npy_header(header, "<f4", tensor->dimensions, shape);
    char *bytes = malloc(head + size);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, header, head);
    memcpy(bytes + head, parameters + tensor->offset, size);
    zip_source_t *source = zip_source_buffer(archive, bytes, head + size, 1);
    if (!source) {
        free(bytes);
        return -ENOMEM;
    }
    snprintf(name, sizeof name, "%s.npy", tensor->name);
    zip_int64_t place = zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8);
    if (place < 0) {
        zip_source_free(source);
        return -EIO;
    }
    bool done = zip_set_file_compression(archive, (zip_uint64_t)place, ZIP_CM_STORE, 0) == 0 &&
                zip_file_set_dostime(archive, (zip_uint64_t)place, 0, FIRST_DAY, 0) == 0;
    return done ? 0 : -EIO;
}

/* The archive is whole once it is closed; on failure it is thrown away. */
static int fill(zip_t *archive, const struct trained *trained, const json_t *metadata, const char *path,
                struct err *err)
{
    CLEANUP(free_ptr) char *comment = json_dumps(metadata, JSON_COMPACT);
    int code = comment && strlen(comment) < UINT16_MAX ? 0 : -ENOMEM;
    for (int i = 0; i < model_tensor_count(trained->model) && !code; i++) {
        struct model_tensor tensor = model_tensor(trained->model, i);
        code = add_tensor(archive, &tensor, trained->parameters);
    }
    if (!code && zip_set_archive_comment(archive, comment, (zip_uint16_t)strlen(comment)) != 0)
        code = -EIO;
    if (!code && zip_close(archive) == 0)
        return 0;
    refuse(path, code == -ENOMEM ? "out of memory" : zip_strerror(archive), err);
    zip_discard(archive);
    return -EIO;
}

/* What the archive wrote into memory goes to the disk as our files do. */
static int publish(zip_source_t *memory, const char *path, struct err *err)
{
    zip_stat_t status;
    if (zip_source_stat(memory, &status) != 0 || zip_source_open(memory) != 0)
        return refuse(path, zip_error_strerror(zip_source_error(memory)), err);
    CLEANUP(free_ptr) char *bytes = malloc(status.size + 1);
    zip_int64_t got = bytes ? zip_source_read(memory, bytes, status.size) : -1;
    zip_source_close(memory);
    return got == (zip_int64_t)status.size ? file_publish(path, bytes, status.size, err)
                                           : refuse(path, "out of memory", err);
}

int network_write_npz(const struct trained *trained, const char *path, const json_t *metadata,
                      struct err *err)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *memory = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *archive = memory ? zip_open_from_source(memory, ZIP_CREATE | ZIP_TRUNCATE, &error) : NULL;
    int code = archive ? 0 : refuse(path, zip_error_strerror(&error), err);
    zip_error_fini(&error);
    if (archive)
        zip_source_keep(memory);
    if (!code)
        code = fill(archive, trained, metadata, path, err);
    if (!code)
        code = publish(memory, path, err);
    zip_source_free(memory);
    return code;
}
