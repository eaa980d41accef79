/* See message.h. A job is checked here by the same table (spec.h) as on the command line: the daemon believes
 * no client's validation. */
#include "proto/message.h"
#include "common/str.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>

enum { WORD_MAX = 64 };

void job_row_destroy(struct job_row *row)
{
    if (!row)
        return;
    free(row->kind);
    free(row->name);
    free(row->tag);
    free(row->group);
    free(row->key);
    free(row->out);
    free(row->body);
    free(row->after);
    json_decref(row->fields);
    json_decref(row->options);
    json_decref(row->result);
    free(row);
}

static void set_text(char **to, const char *text)
{
    free(*to);
    *to = text ? str_format("%s", text) : NULL;
}

/* Sets name, out, priority, ranks, ... from the resolved specs. */
static void use_specs(struct job_row *row)
{
    const json_t *options = row->options;
    set_text(&row->name, spec_text(options, "name"));
    set_text(&row->tag, spec_text(options, "tag"));
    row->ranks = (int)spec_int(options, "ranks");
    row->threads = (int)spec_int(options, "threads");
    row->life.priority = (int)spec_int(options, "priority");
    row->retries = (int)spec_int(options, "retries");
    row->backoff_s = spec_real(options, "backoff");
    row->time_limit_s = spec_real(options, "time_limit");
    row->hold = spec_bool(options, "hold");
    set_text(&row->out, spec_text(row->fields, "out"));
}

void job_row_forget_spec(struct job_row *row)
{
    json_decref(row->fields);
    json_decref(row->options);
    free(row->body);
    row->fields = row->options = NULL;
    row->body = NULL;
}

/* key and group: null, or 1 to 64 bytes of clean text. */
static int take_word(const json_t *job, const char *name, char **word, struct err *err)
{
    const json_t *value = json_object_get(job, name);
    if (!value || json_is_null(value))
        return 0;
    const char *text = json_string_value(value);
    if (!text || json_string_length(value) != strlen(text) || !*text || strlen(text) > WORD_MAX ||
        str_has_control(text))
        return err_set(err, -EINVAL, "%s must be null or a text of 1 to %d bytes", name, WORD_MAX);
    set_text(word, text);
    return 0;
}

/* The id that "#i" stands for or a number is; 0 for anything else. *index is i, or -1. */
static int64_t reference_id(const json_t *reference, const int64_t *ids, size_t count, int64_t *index)
{
    const char *text = json_string_value(reference);
    *index = -1;
    if (!text)
        return json_integer_value(reference);
    if (*text != '#' || !str_to_int(text + 1, index) || *index < 0 || (size_t)*index >= count)
        return 0;
    return ids[*index];
}

/* A job named twice is named once, and then its success is asked for if either asks for it. */
static void add_after(struct job_row *row, int64_t id, bool any)
{
    for (size_t i = 0; i < row->after_count; i++) {
        if (row->after[i].id == id) {
            row->after[i].any &= any;
            return;
        }
    }
    row->after[row->after_count++] = (struct job_after){id, any};
}

static int take_after(const json_t *job, const char *name, const int64_t *ids, size_t count,
                      struct job_row *row, struct err *err)
{
    const json_t *after = json_object_get(job, name);
    int64_t index;
    if (!after || json_is_null(after))
        return 0;
    if (!json_is_array(after))
        return err_set(err, -EINVAL, "%s must be an array of job ids or \"#i\"", name);
    size_t size = row->after_count + json_array_size(after);
    struct job_after *larger = realloc(row->after, (size + 1) * sizeof *larger);
    if (!larger)
        return err_set(err, -ENOMEM, "out of memory");
    row->after = larger;
    for (size_t i = 0; i < json_array_size(after); i++) {
        int64_t id = reference_id(json_array_get(after, i), ids, count, &index);
        if (id < 1)
            return err_set(err, -EINVAL,
                           "%s[%zu] is neither a job's id nor \"#i\" of an earlier job of the submit", name,
                           i);
        add_after(row, id, strcmp(name, "after_any") == 0);
    }
    return 0;
}

/* array: null, or "#i" of the first job of the array, which may be this one. */
static int take_array(const json_t *job, const int64_t *ids, size_t count, struct job_row *row,
                      struct err *err)
{
    const json_t *array = json_object_get(job, "array");
    int64_t index;
    if (!array || json_is_null(array))
        return 0;
    int64_t id = json_is_string(array) ? reference_id(array, ids, count, &index) : 0;
    if (json_is_string(array) && id == 0 && index == (int64_t)count)
        id = -1;
    row->array = id;
    return id ? 0
              : err_set(err, -EINVAL,
                        "array must be null or \"#i\" of the array's first job, this one or an earlier one");
}

/* Two submits with one key are the same when this text is. */
static char *canonical_body(const json_t *job, const struct job_row *row)
{
    json_t *fields = json_object_get(job, "fields"), *options = json_object_get(job, "options");
    json_t *any = message_after(row, true);
    json_t *body = json_pack("{ss sO? sO? so ss?}", "kind", row->kind, "fields", fields, "options", options,
                             "after", message_after(row, false), "group", row->group);
    if (json_array_size(any))
        json_object_set(body, "after_any", any);
    json_decref(any);
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    json_decref(body);
    return text;
}

static int resolve(const json_t *job, const char *name, const struct spec_kind *kind, json_t **resolved,
                   struct err *err)
{
    json_t *given = json_object_get(job, name);
    if (given && !json_is_null(given))
        return spec_resolve(kind, given, resolved, err);
    json_t *empty = json_object();
    int code = spec_resolve(kind, empty, resolved, err);
    json_decref(empty);
    return code;
}

static int resolve_specs(const json_t *job, struct job_row *row, struct err *err)
{
    const char *name = json_string_value(json_object_get(job, "kind"));
    const struct spec_kind *kind = name ? spec_kind_find(name, err) : NULL;
    if (!kind)
        return name ? -EINVAL : err_set(err, -EINVAL, "a job needs a kind");
    set_text(&row->kind, name);
    int code = resolve(job, "fields", kind, &row->fields, err);
    return code ? code : resolve(job, "options", spec_job_options(), &row->options, err);
}

int message_parse_job(const json_t *job, const int64_t *ids, size_t count, struct job_row **out,
                      const char **code, struct err *err)
{
    *code = "bad_request";
    if (!json_is_object(job))
        return err_set(err, -EINVAL, "a job must be an object");
    CLEANUP(job_row_destroy_ptr) struct job_row *row = calloc(1, sizeof *row);
    if (!row)
        return err_set(err, -ENOMEM, "out of memory");
    if (take_word(job, "key", &row->key, err) != 0 || take_word(job, "group", &row->group, err) != 0 ||
        take_after(job, "after", ids, count, row, err) != 0 ||
        take_after(job, "after_any", ids, count, row, err) != 0 || take_array(job, ids, count, row, err) != 0)
        return -EINVAL;
    *code = "bad_spec";
    if (resolve_specs(job, row, err) != 0)
        return -EINVAL;
    use_specs(row);
    if (row->key)
        row->body = canonical_body(job, row);
    *out = TAKE(row);
    return 0;
}

json_t *message_event(const struct job_event *event)
{
    json_t *context = event->context ? json_incref((json_t *)event->context) : json_object();
    return json_pack("{sI sI sI ss ss si so}", "job", (json_int_t)event->job, "seq", (json_int_t)event->seq,
                     "time_us", (json_int_t)event->time_us, "name", job_event_text(event->name), "state",
                     job_state_name(event->state), "attempt", event->attempt, "context", context);
}

json_t *message_error(const char *code, const char *text)
{
    return json_pack("{ss ss}", "code", code, "text", text);
}

bool message_has_tag(const char *tag, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = tag; at && length; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || !at[length]))
            return true;
    }
    return false;
}

bool message_int(const json_t *body, const char *name, int64_t least, int64_t *value)
{
    const json_t *number = json_object_get(body, name);
    *value = json_integer_value(number);
    return json_is_integer(number) && *value >= least;
}
