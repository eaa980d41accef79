/* ROW (README.md): a job as a client sees it, whole or only the members that it wants. */
#include "proto/message.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum type {
    TYPE_INT,
    TYPE_INT64,
    TYPE_ID,
    TYPE_TEXT,
    TYPE_STATE,
    TYPE_REASON,
    TYPE_AFTER,
    TYPE_AFTER_ANY,
    TYPE_JSON,
    TYPE_EXTRA
};

/* In the order in which a row has them. The offset is into struct job_row, of TYPE_EXTRA into struct row_extra. */
static const struct {
    const char *name;
    enum type type;
    size_t offset;
} MEMBERS[] = {
    {"id", TYPE_INT64, offsetof(struct job_row, id)},
    {"kind", TYPE_TEXT, offsetof(struct job_row, kind)},
    {"name", TYPE_TEXT, offsetof(struct job_row, name)},
    {"tag", TYPE_TEXT, offsetof(struct job_row, tag)},
    {"group", TYPE_TEXT, offsetof(struct job_row, group)},
    {"state", TYPE_STATE, 0},
    {"attempt", TYPE_INT, offsetof(struct job_row, life.attempt)},
    {"priority", TYPE_INT, offsetof(struct job_row, life.priority)},
    {"ranks", TYPE_INT, offsetof(struct job_row, ranks)},
    {"threads", TYPE_INT, offsetof(struct job_row, threads)},
    {"submitted_us", TYPE_INT64, offsetof(struct job_row, life.submitted_us)},
    {"started_us", TYPE_INT64, offsetof(struct job_row, life.started_us)},
    {"ended_us", TYPE_INT64, offsetof(struct job_row, life.ended_us)},
    {"reason", TYPE_REASON, 0},
    {"out", TYPE_TEXT, offsetof(struct job_row, out)},
    {"after", TYPE_AFTER, 0},
    {"after_any", TYPE_AFTER_ANY, 0},
    {"array", TYPE_ID, offsetof(struct job_row, array)},
    {"progress", TYPE_EXTRA, offsetof(struct row_extra, progress)},
    {"metrics", TYPE_EXTRA, offsetof(struct row_extra, metrics)},
    {"result", TYPE_JSON, offsetof(struct job_row, result)},
};

enum { MEMBERS_MAX = sizeof MEMBERS / sizeof *MEMBERS };

_Static_assert(MEMBERS_MAX <= (int)ROW_MEMBERS_MAX, "more members than message.h says");

json_t *message_after(const struct job_row *row, bool any)
{
    json_t *list = json_array();
    for (size_t i = 0; i < row->after_count; i++) {
        if (row->after[i].any == any)
            json_array_append_new(list, json_integer(row->after[i].id));
    }
    return list;
}

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *copy_or_null(json_t *value)
{
    return value ? json_incref(value) : json_null();
}

static json_t *member(const struct job_row *row, const struct row_extra *extra, size_t i)
{
    const char *at = (const char *)row + MEMBERS[i].offset;
    switch (MEMBERS[i].type) {
    case TYPE_INT:
        return json_integer(*(const int *)at);
    case TYPE_INT64:
        return json_integer(*(const int64_t *)at);
    case TYPE_ID:
        return *(const int64_t *)at ? json_integer(*(const int64_t *)at) : json_null();
    case TYPE_TEXT:
        return text_or_null(*(const char *const *)at);
    case TYPE_STATE:
        return json_string(job_state_name(row->life.state));
    case TYPE_REASON:
        return text_or_null(extra->reason ? extra->reason : row->life.reason);
    case TYPE_AFTER:
    case TYPE_AFTER_ANY:
        return message_after(row, MEMBERS[i].type == TYPE_AFTER_ANY);
    case TYPE_EXTRA:
        return copy_or_null(*(json_t *const *)((const char *)extra + MEMBERS[i].offset));
    default:
        return copy_or_null(*(json_t *const *)at);
    }
}

json_t *message_row(const struct job_row *row, const struct row_extra *extra)
{
    json_t *object = json_object();
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        json_object_set_new_nocheck(object, MEMBERS[i].name, member(row, extra, i));
    return object;
}

int message_members(const json_t *names, struct row_members *members, struct err *err)
{
    json_t *name;
    size_t at;
    members->count = 0;
    if (!json_is_array(names) || json_array_size(names) > ROW_MEMBERS_MAX)
        return err_set(err, -EINVAL, "members must be an array of at most %d names of a row's members",
                       ROW_MEMBERS_MAX);
    json_array_foreach((json_t *)names, at, name)
    {
        const char *text = json_string_value(name);
        size_t i = 0;
        while (i < MEMBERS_MAX && (!text || strcmp(MEMBERS[i].name, text) != 0))
            i++;
        if (i == MEMBERS_MAX)
            return err_set(err, -EINVAL, "members[%zu] is no member of a row", at);
        members->indices[members->count++] = i;
    }
    return 0;
}

/* A JSON string, or null for no text. The text is UTF-8. */
static void write_text(const char *text, FILE *to)
{
    size_t plain = 0;
    if (!text || !*text) {
        fputs_unlocked("null", to);
        return;
    }
    putc_unlocked('"', to);
    for (; *text; text += plain) {
        for (plain = 0; (unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\';)
            plain++;
        fwrite_unlocked(text, 1, plain, to);
        if (text[plain])
            fprintf(to, "\\u%04x", (unsigned char)text[plain++]);
    }
    putc_unlocked('"', to);
}

static void write_int(int64_t value, FILE *to)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    fwrite_unlocked(at, 1, (size_t)(digits + sizeof digits - at), to);
}

/* What takes a JSON value of its own, or none. */
static void write_value(json_t *value, FILE *to)
{
    if (json_is_null(value) || json_dumpf(value, to, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12)) != 0)
        fputs_unlocked("null", to);
    json_decref(value);
}

void message_write_cells(const struct job_row *row, const struct row_extra *extra, const struct row_members *members, FILE *to)
{
    putc_unlocked('[', to);
    for (size_t j = 0; j < members->count; j++) {
        size_t i = members->indices[j];
        const char *at = (const char *)row + MEMBERS[i].offset;
        if (j)
            putc_unlocked(',', to);
        if (MEMBERS[i].type == TYPE_INT64)
            write_int(*(const int64_t *)at, to);
        else if (MEMBERS[i].type == TYPE_TEXT)
            write_text(*(const char *const *)at, to);
        else if (MEMBERS[i].type == TYPE_STATE)
            write_text(job_state_name(row->life.state), to);
        else if (MEMBERS[i].type == TYPE_REASON)
            write_text(extra->reason ? extra->reason : row->life.reason, to);
        else
            write_value(member(row, extra, i), to);
    }
    putc_unlocked(']', to);
}
