/* See receipt.h. Checksums are XXH3-64 in hexadecimal, as `xxhsum -H3` prints them. */
#include "daemon/worker/sky/receipt.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "proto/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static json_int_t modified_ns(const struct stat *status)
{
    return (json_int_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
}

static int hash_file(const char *path, char text[20], struct err *err)
{
    uint64_t checksum = 0;
    int code = file_checksum(path, &checksum, err);
    snprintf(text, 20, "%016" PRIx64, checksum);
    return code;
}

/* The time is taken before the bytes: a change during the reading shows later. */
static int describe_file(const char *path, json_t **file, struct err *err)
{
    struct stat status;
    char text[20];
    if (stat(path, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    int code = hash_file(path, text, err);
    if (!code)
        *file = json_pack("{s:s, s:I, s:I, s:s}", "path", path, "size", (json_int_t)status.st_size,
                          "mtime_ns", modified_ns(&status), "xxh3", text);
    return code;
}

int receipt_list_files(const char *const *paths, size_t count, json_t **list, struct err *err)
{
    json_t *files = json_array();
    int code = 0;
    for (size_t i = 0; !code && i < count; i++) {
        json_t *file = NULL;
        code = describe_file(paths[i], &file, err);
        if (!code)
            json_array_append_new(files, file);
    }
    if (code)
        json_decref(files);
    else
        *list = files;
    return code;
}

int receipt_publish(const char *path, const json_t *made_from, const json_t *counts, const json_t *files,
                    struct err *err)
{
    CLEANUP(free_ptr) char *folder = path_directory(path);
    json_t *receipt = json_pack("{s:O, s:O, s:O}", "made_from", made_from, "counts", counts, "files", files);
    int code = path_make_directories(folder, 0777, err);
    if (!code)
        code = json_publish_file(path, receipt, err);
    json_decref(receipt);
    return code;
}

/* Of the size and time it had, it is believed to be the same; of the same size and another time, it is read. */
static bool file_holds(const json_t *file)
{
    const char *path = json_string_value(json_object_get(file, "path")),
               *checksum = json_string_value(json_object_get(file, "xxh3"));
    const json_t *modified = json_object_get(file, "mtime_ns");
    struct stat status;
    char text[20];
    if (!path || !checksum || stat(path, &status) != 0 ||
        json_integer_value(json_object_get(file, "size")) != (json_int_t)status.st_size)
        return false;
    if (json_is_integer(modified) && json_integer_value(modified) == modified_ns(&status))
        return true;
    return hash_file(path, text, NULL) == 0 && strcmp(text, checksum) == 0;
}

static bool files_hold(const json_t *files)
{
    bool hold = json_is_array(files);
    for (size_t i = 0; hold && i < json_array_size(files); i++)
        hold = file_holds(json_array_get(files, i));
    return hold;
}

/* Whether the inputs recorded have just these paths. */
static bool paths_equal(const json_t *files, const char *const *paths, size_t count)
{
    bool equal = json_array_size(files) == count;
    for (size_t i = 0; equal && i < count; i++) {
        const char *path = json_string_value(json_object_get(json_array_get(files, i), "path"));
        equal = path && strcmp(path, paths[i]) == 0;
    }
    return equal;
}

/* made_from but for its inputs. */
static bool origin_equals(const json_t *recorded, const json_t *made_from)
{
    json_t *rest = json_copy((json_t *)recorded);
    json_object_del(rest, "inputs");
    const bool equal = json_equal(rest, made_from);
    json_decref(rest);
    return equal;
}

bool receipt_holds(const char *path, const json_t *made_from, const char *const *inputs, size_t input_count,
                   json_t **counts)
{
    json_t *receipt = NULL;
    if (!path_exists(path) || json_read_file(path, &receipt, NULL) != 0)
        return false;
    const json_t *recorded = json_object_get(receipt, "made_from"),
                 *before = json_object_get(recorded, "inputs");
    const bool holds = origin_equals(recorded, made_from) && paths_equal(before, inputs, input_count) &&
                       (!input_count || files_hold(before)) && files_hold(json_object_get(receipt, "files"));
    if (holds)
        *counts = json_incref(json_object_get(receipt, "counts"));
    json_decref(receipt);
    return holds;
}
