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

static int describe_file(const char *path, json_t **file, struct err *err)
{
    struct stat status;
    uint64_t checksum;
    char text[20];
    if (stat(path, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    int code = file_checksum(path, &checksum, err);
    snprintf(text, sizeof text, "%016" PRIx64, checksum);
    if (!code)
        *file = json_pack("{s:s, s:I, s:s}", "path", path, "size", (json_int_t)status.st_size, "xxh3", text);
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

static bool file_holds(const json_t *file)
{
    const char *path = json_string_value(json_object_get(file, "path"));
    json_t *now = NULL;
    bool same = path && describe_file(path, &now, NULL) == 0 && json_equal(now, file);
    json_decref(now);
    return same;
}

bool receipt_holds(const char *path, const json_t *made_from, json_t **counts)
{
    json_t *receipt = NULL;
    if (!path_exists(path) || json_read_file(path, &receipt, NULL) != 0)
        return false;
    bool holds = json_equal(json_object_get(receipt, "made_from"), made_from);
    const json_t *files = json_object_get(receipt, "files");
    for (size_t i = 0; holds && i < json_array_size(files); i++)
        holds = file_holds(json_array_get(files, i));
    if (holds)
        *counts = json_incref(json_object_get(receipt, "counts"));
    json_decref(receipt);
    return holds;
}
