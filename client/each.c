/* See each.h. */
#include "client/each.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

enum { FILE_LIMIT = 16 << 20, PARTS_MAX = 10000 };

struct part {
    const char *line; /* NULL with --per */
    char *number, *file;
};

/* The lines of a file that say something, as an array of texts. */
static int read_lines(const char *path, json_t **lines, struct err *err)
{
    CLEANUP(free_ptr) char *data = NULL;
    size_t size;
    int code = file_read(path, FILE_LIMIT, &data, &size, err);
    if (code)
        return code;
    *lines = json_array();
    char *rest = NULL;
    for (char *line = strtok_r(data, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        line += strspn(line, " \t");
        size_t length = strlen(line);
        while (length && strchr(" \t", line[length - 1]))
            line[--length] = '\0';
        if (length && *line != '#' && json_array_append_new(*lines, json_string(line)) != 0)
            code = err_set(err, -EINVAL, "%s: a line is not UTF-8", path);
    }
    if (!code && json_array_size(*lines) == 0)
        code = err_set(err, -EINVAL, "%s has no lines to make jobs of", path);
    return code;
}

static int fill_place(FILE *stream, const struct part *part, const char *name, size_t length, struct err *err)
{
    const char *value = length == 0                                    ? part->line
                        : length == 1 && *name == 'n'                  ? part->number
                        : length == 4 && strncmp(name, "file", 4) == 0 ? part->file
                                                                       : "";
    if (!value)
        return err_set(err, -EINVAL, "{} is one line, but --per makes parts of several: use {file} or {n}");
    if (!*value)
        return err_set(err, -EINVAL, "{%.*s} is no place that --each fills in: there are {}, {n} and {file}",
                       (int)length, name);
    fputs(value, stream);
    return 0;
}

/* A text with its places filled in; *filled is fresh memory. */
static int fill_text(const char *text, const struct part *part, char **filled, struct err *err)
{
    size_t size;
    FILE *stream = open_memstream(filled, &size);
    int code = 0;
    if (!stream)
        abort();
    while (!code && *text) {
        const char *open = strchr(text, '{'), *close = open ? strchr(open, '}') : NULL;
        if (!close) {
            fputs(text, stream);
            break;
        }
        fwrite(text, 1, (size_t)(open - text), stream);
        code = fill_place(stream, part, open + 1, (size_t)(close - open - 1), err);
        text = close + 1;
    }
    fclose(stream);
    return code;
}

static int fill_values(json_t *values, const struct part *part, struct err *err)
{
    const char *name;
    json_t *value;
    int code = 0;
    json_object_foreach(values, name, value)
    {
        CLEANUP(free_ptr) char *filled = NULL;
        if (code || !json_is_string(value))
            continue;
        code = fill_text(json_string_value(value), part, &filled, err);
        if (code)
            err_prefix(err, "--%s", name);
        else if (strcmp(filled, json_string_value(value)) != 0)
            json_object_set_new(values, name, json_string(filled));
    }
    return code;
}

static int make_job(const json_t *pattern, const struct part *part, json_t *jobs, struct err *err)
{
    const char *key = json_string_value(json_object_get(pattern, "key"));
    json_t *job = json_deep_copy(pattern);
    json_array_append_new(jobs, job);
    json_object_set_new(job, "array", json_string("#0"));
    if (key) {
        CLEANUP(free_ptr) char *own = str_format("%s/%s", key, part->number);
        json_object_set_new(job, "key", json_string(own));
    }
    int code = fill_values(json_object_get(job, "fields"), part, err);
    return code ? code : fill_values(json_object_get(job, "options"), part, err);
}

static int write_part(const char *path, const json_t *lines, size_t from, size_t count, struct err *err)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    for (size_t i = from; i < from + count; i++)
        fprintf(stream, "%s\n", json_string_value(json_array_get(lines, i)));
    fclose(stream);
    int code = file_publish(path, text, size, err);
    free(text);
    return code;
}

/* Whether the pattern's values hold {file}. */
static bool wants_files(const json_t *pattern)
{
    CLEANUP(free_ptr) char *text = json_dumps(pattern, JSON_COMPACT);
    return text && strstr(text, "{file}");
}

/* Two jobs that write to one place would undo each other. */
static int check_outputs(const json_t *jobs, struct err *err)
{
    json_t *seen = json_object(), *job;
    size_t i;
    int code = 0;
    json_array_foreach((json_t *)jobs, i, job)
    {
        const char *out = json_string_value(json_object_get(json_object_get(job, "fields"), "out"));
        if (!code && out && json_object_get(seen, out))
            code = err_set(err, -EINVAL, "--out %s is the same for several jobs: put {} or {n} into it", out);
        else if (out)
            json_object_set_new(seen, out, json_true());
    }
    json_decref(seen);
    return code;
}

static int make_parts(const json_t *pattern, const char *path, const json_t *lines, long per, json_t *jobs,
                      struct err *err)
{
    size_t step = per > 0 ? (size_t)per : 1, total = json_array_size(lines),
           parts = (total + step - 1) / step;
    CLEANUP(free_ptr) char *directory = str_format("%s.parts", path), *last = str_format("%zu", parts);
    bool files = wants_files(pattern);
    if (parts > PARTS_MAX)
        return err_set(err, -EINVAL, "%s makes %zu jobs, more than the %d of one submit: use --per", path,
                       parts, PARTS_MAX);
    int code = files ? path_make_directories(directory, 0777, err) : 0;
    for (size_t i = 0; !code && i < parts; i++) {
        CLEANUP(free_ptr) char *number = str_format("%0*zu", (int)strlen(last), i + 1);
        CLEANUP(free_ptr) char *file = str_format("%s/%s.txt", directory, number);
        const char *line = per > 0 ? NULL : json_string_value(json_array_get(lines, i));
        struct part part = {line, number, file};
        size_t left = total - i * step;
        if (files)
            code = write_part(file, lines, i * step, left < step ? left : step, err);
        if (!code)
            code = make_job(pattern, &part, jobs, err);
    }
    return code;
}

int each_jobs(const json_t *pattern, const char *path, long per, json_t **jobs, struct err *err)
{
    json_t *lines = NULL, *made = json_array();
    int code = read_lines(path, &lines, err);
    if (!code)
        code = make_parts(pattern, path, lines, per, made, err);
    if (!code)
        code = check_outputs(made, err);
    json_decref(lines);
    if (code)
        json_decref(made);
    else
        *jobs = made;
    return code;
}
