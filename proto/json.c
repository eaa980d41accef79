/* JSON half of json.h. */
#include "proto/json.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <string.h>

enum { FILE_LIMIT = 256 << 20 };

int json_parse_bytes(const char *data, size_t size, json_t **value, struct err *err)
{
    json_error_t where;
    *value = json_loadb(data, size, JSON_REJECT_DUPLICATES, &where);
    if (!*value)
        return err_set(err, -EINVAL, "line %d, column %d: %s", where.line, where.column, where.text);
    return 0;
}

int json_read_file(const char *path, json_t **value, struct err *err)
{
    CLEANUP(free_ptr) char *data = NULL;
    size_t size;
    int code = file_read(path, FILE_LIMIT, &data, &size, err);
    if (code)
        return code;
    code = json_parse_bytes(data, size, value, err);
    return code ? err_prefix(err, "%s", path) : 0;
}

int json_publish_file(const char *path, const json_t *value, struct err *err)
{
    CLEANUP(free_ptr) char *text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    if (!text)
        return err_set(err, -EINVAL, "cannot write %s: a value is not JSON", path);
    return file_publish(path, text, strlen(text), err);
}
