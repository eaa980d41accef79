/* YAML half of json.h: libyaml's events into jansson values, by recursive descent. */
#include "common/cleanup.h"
#include "common/file.h"
#include "common/str.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_LIMIT = 32, SIZE_LIMIT = 1 << 20, PLACE_MAX = 512 };

struct reader {
    yaml_parser_t parser;
    const char *path;
    int depth;
    json_t *lines;         /* {place: line}; NULL: nobody asks */
    char place[PLACE_MAX]; /* "vary/rate/2" */
};

static int refuse(struct reader *reader, const yaml_event_t *event, const char *why, struct err *err)
{
    return err_set(err, -EINVAL, "%s:%zu: %s", reader->path, event->start_mark.line + 1, why);
}

static int next_event(struct reader *reader, yaml_event_t *event, struct err *err)
{
    if (yaml_parser_parse(&reader->parser, event))
        return 0;
    return err_set(err, -EINVAL, "%s:%zu: %s", reader->path, reader->parser.problem_mark.line + 1,
                   reader->parser.problem ? reader->parser.problem : "not YAML");
}

static json_t *scalar_value(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    int64_t whole;
    double number;
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_string(text);
    if (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    if (str_to_int(text, &whole))
        return json_integer(whole);
    return str_to_real(text, &number) ? json_real(number) : json_string(text);
}

static int read_value(struct reader *reader, yaml_event_t *first, json_t **value, struct err *err);

/* A value one level further in, noted under its place with the line on which its key or itself begins. */
static int read_part(struct reader *reader, const char *name, size_t line, yaml_event_t *event, json_t **value,
                     struct err *err)
{
    size_t length = strlen(reader->place);
    snprintf(reader->place + length, PLACE_MAX - length, "%s%s", length ? "/" : "", name);
    if (reader->lines)
        json_object_set_new(reader->lines, reader->place,
                            json_integer((json_int_t)line + 1));
    int code = read_value(reader, event, value, err);
    reader->place[length] = '\0';
    return code;
}

static int read_sequence(struct reader *reader, json_t *array, struct err *err)
{
    for (;;) {
        yaml_event_t event;
        json_t *item = NULL;
        int code = next_event(reader, &event, err);
        if (code)
            return code;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        CLEANUP(free_ptr) char *name = str_format("%zu", json_array_size(array));
        if (!end)
            code = read_part(reader, name, event.start_mark.line, &event, &item, err);
        yaml_event_delete(&event);
        if (end || code)
            return code;
        json_array_append_new(array, item);
    }
}

static int read_pair(struct reader *reader, yaml_event_t *key, json_t *object, struct err *err)
{
    yaml_event_t event;
    json_t *value = NULL;
    if (key->type != YAML_SCALAR_EVENT)
        return refuse(reader, key, "a key must be plain text", err);
    const char *name = (const char *)key->data.scalar.value;
    if (json_object_get(object, name))
        return err_set(err, -EINVAL, "%s:%zu: %.60s stands here twice", reader->path, key->start_mark.line + 1, name);
    int code = next_event(reader, &event, err);
    if (code)
        return code;
    code = read_part(reader, name, key->start_mark.line, &event, &value, err);
    yaml_event_delete(&event);
    if (!code && json_object_set_new(object, name, value) != 0)
        code = refuse(reader, key, "a key is not UTF-8", err);
    return code;
}

static int read_mapping(struct reader *reader, json_t *object, struct err *err)
{
    for (;;) {
        yaml_event_t key;
        int code = next_event(reader, &key, err);
        if (code)
            return code;
        bool end = key.type == YAML_MAPPING_END_EVENT;
        if (!end)
            code = read_pair(reader, &key, object, err);
        yaml_event_delete(&key);
        if (end || code)
            return code;
    }
}

static int read_value(struct reader *reader, yaml_event_t *first, json_t **value, struct err *err)
{
    int code = 0;
    json_t *made = NULL;
    if (++reader->depth > DEPTH_LIMIT)
        return refuse(reader, first, "too many levels", err);
    if (first->type == YAML_SCALAR_EVENT) {
        made = scalar_value(first);
    } else if (first->type == YAML_SEQUENCE_START_EVENT) {
        made = json_array();
        code = read_sequence(reader, made, err);
    } else if (first->type == YAML_MAPPING_START_EVENT) {
        made = json_object();
        code = read_mapping(reader, made, err);
    }
    reader->depth--;
    if (!made)
        return refuse(reader, first, "expected a value (anchors and aliases are not accepted)", err);
    if (code) {
        json_decref(made);
        return code;
    }
    *value = made;
    return 0;
}

/* The document's first event that carries a value. */
static int read_document(struct reader *reader, json_t **value, struct err *err)
{
    for (;;) {
        yaml_event_t event;
        int code = next_event(reader, &event, err);
        if (code)
            return code;
        bool opening = event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
        if (event.type == YAML_STREAM_END_EVENT)
            code = err_set(err, -EINVAL, "%s is empty", reader->path);
        else if (!opening)
            code = read_value(reader, &event, value, err);
        yaml_event_delete(&event);
        if (!opening || code)
            return code;
    }
}

static int parse_bytes(const char *path, const char *data, size_t size, json_t **value, json_t *lines,
                       struct err *err)
{
    struct reader reader = {.path = path, .lines = lines};
    if (!yaml_parser_initialize(&reader.parser))
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)data, size);
    int code = read_document(&reader, value, err);
    yaml_parser_delete(&reader.parser);
    return code;
}

int yaml_parse_bytes(const char *path, const char *data, size_t size, json_t **value, struct err *err)
{
    return parse_bytes(path, data, size, value, NULL, err);
}

int yaml_read_lines(const char *path, json_t **value, json_t *lines, struct err *err)
{
    CLEANUP(free_ptr) char *data = NULL;
    size_t size;
    int code = file_read(path, SIZE_LIMIT, &data, &size, err);
    return code ? code : parse_bytes(path, data, size, value, lines, err);
}

int yaml_read_file(const char *path, json_t **value, struct err *err)
{
    return yaml_read_lines(path, value, NULL, err);
}
