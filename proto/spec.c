/* See spec.h. A value has one path into a spec: text is parsed to JSON by the field's type, and JSON (from
 * the wire or a pipeline file) is checked by the same rules. */
#include "proto/spec.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "proto/spec_table.h"

enum { TEXT_LIMIT = 4096 };

static const char *const TYPE_NAMES[SPEC_TYPE_MAX] = {"yes/no", "integer", "number", "time span", "text", "choice", "path", "path", "name or path"};

const struct spec_kind *spec_kinds(size_t *count)
{
    *count = sizeof KINDS / sizeof *KINDS;
    return KINDS;
}

const struct spec_kind *spec_job_options(void)
{
    return &JOB_OPTIONS;
}

const struct spec_kind *spec_daemon_options(void)
{
    return &DAEMON_OPTIONS;
}

static const char *hint(const char *word, const char *const *names, size_t count, char text[96])
{
    const char *nearest = str_nearest(word, names, count);
    snprintf(text, 96, nearest ? "; did you mean %s?" : "%s", nearest ? nearest : "");
    return text;
}

/* The kind called so whose use is not `unless`. */
static const struct spec_kind *find_kind(const char *name, enum spec_use unless, const char *what, struct err *err)
{
    const char *names[sizeof KINDS / sizeof *KINDS];
    char suggestion[96];
    size_t count = 0;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (KINDS[i].use == unless)
            continue;
        if (strcmp(name, KINDS[i].name) == 0)
            return &KINDS[i];
        names[count++] = KINDS[i].name;
    }
    err_set(err, -EINVAL, "no %s %.40s%s", what, name, hint(name, names, count, suggestion));
    return NULL;
}

const struct spec_kind *spec_kind_find(const char *name, struct err *err)
{
    return find_kind(name, SPEC_LOOK, "job kind", err);
}

const struct spec_kind *spec_tool_find(const char *name, struct err *err)
{
    return find_kind(name, SPEC_JOB, "tool", err);
}

const struct spec_field *spec_field_find(const struct spec_kind *kind, const char *name, struct err *err)
{
    const char *names[64];
    char suggestion[96];
    for (size_t i = 0; i < kind->count; i++) {
        names[i] = kind->fields[i].name;
        if (strcmp(name, names[i]) == 0)
            return &kind->fields[i];
    }
    err_set(err, -EINVAL, "%s has no field %.40s%s", kind->name, name, hint(name, names, kind->count, suggestion));
    return NULL;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = choices; at && *at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        if (length && strncmp(at, text, length) == 0 && (at[length] == '|' || at[length] == '\0'))
            return true;
    }
    return false;
}

static int check_number(const struct spec_field *field, double number, struct err *err)
{
    if (!isfinite(number))
        return err_set(err, -EINVAL, "%s must be a finite number", field->name);
    if ((field->least != 0 || field->most != 0) && (number < field->least || number > field->most))
        return err_set(err, -EINVAL, "%s must be between %.10g and %.10g%s%s, not %.10g", field->name, field->least,
                       field->most, field->unit ? " " : "", field->unit ? field->unit : "", number);
    return 0;
}

static int check_text(const struct spec_field *field, const char *text, struct err *err)
{
    if (!*text)
        return err_set(err, -EINVAL, "%s is empty", field->name);
    if (strlen(text) > TEXT_LIMIT)
        return err_set(err, -EINVAL, "%s is longer than %d bytes", field->name, TEXT_LIMIT);
    if (str_has_control(text))
        return err_set(err, -EINVAL, "%s holds a control character or is not UTF-8", field->name);
    if (field->type == SPEC_CHOICE && !is_choice(field->choices, text))
        return err_set(err, -EINVAL, "%s must be one of %s, not %.40s", field->name, field->choices, text);
    return 0;
}

/* Beyond check_text: what only a spec on the wire must satisfy. */
static int check_path(const struct spec_field *field, const char *text, struct err *err)
{
    bool path = field->type == SPEC_INPUT || field->type == SPEC_OUTPUT;
    if (path && *text != '/')
        return err_set(err, -EINVAL, "%s must be an absolute path, not %.200s", field->name, text);
    if (field->type == SPEC_PRESET && *text != '/' && (strchr(text, '/') || *text == '.'))
        return err_set(err, -EINVAL, "%s must be a name or an absolute path, not %.200s", field->name, text);
    return 0;
}

static int parse_bool(const struct spec_field *field, const char *text, json_t **value, struct err *err)
{
    bool yes = is_choice("true|yes|on|1", text), no = is_choice("false|no|off|0", text);
    if (!yes && !no)
        return err_set(err, -EINVAL, "%s must be true or false, not %.40s", field->name, text);
    *value = json_boolean(yes);
    return 0;
}

static int parse_number(const struct spec_field *field, const char *text, json_t **value, struct err *err)
{
    int64_t whole = 0;
    double number = 0;
    bool good = field->type == SPEC_INT    ? str_to_int(text, &whole)
                : field->type == SPEC_REAL ? str_to_real(text, &number)
                                           : str_to_seconds(text, &number);
    if (!good)
        return err_set(err, -EINVAL, "%s must be %s %s, not %.40s", field->name, field->type == SPEC_INT ? "an" : "a",
                       TYPE_NAMES[field->type], *text ? text : "empty");
    int code = check_number(field, field->type == SPEC_INT ? (double)whole : number, err);
    if (!code)
        *value = field->type == SPEC_INT ? json_integer(whole) : json_real(number);
    return code;
}

int spec_parse(const struct spec_field *field, const char *text, json_t **value, struct err *err)
{
    switch (field->type) {
    case SPEC_BOOL:
        return parse_bool(field, text, value, err);
    case SPEC_INT:
    case SPEC_REAL:
    case SPEC_SPAN:
        return parse_number(field, text, value, err);
    default:
        break;
    }
    int code = check_text(field, text, err);
    if (!code)
        *value = json_string(text);
    return code;
}

/* A value that arrived as JSON; *checked is a new reference. */
static int check_value(const struct spec_field *field, json_t *value, json_t **checked, struct err *err)
{
    int code;
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        if (strlen(text) != json_string_length(value))
            return err_set(err, -EINVAL, "%s holds a NUL", field->name);
        code = spec_parse(field, text, checked, err);
        return code ? code : json_is_string(*checked) ? check_path(field, text, err) : 0;
    }
    if (field->type == SPEC_BOOL && json_is_boolean(value)) {
        *checked = json_incref(value);
        return 0;
    }
    bool whole = json_is_integer(value) || (json_is_real(value) && nearbyint(json_real_value(value)) == json_real_value(value));
    if ((field->type != SPEC_INT || !whole) && ((field->type != SPEC_REAL && field->type != SPEC_SPAN) || !json_is_number(value)))
        return err_set(err, -EINVAL, "%s must be of type %s", field->name, TYPE_NAMES[field->type]);
    code = check_number(field, json_number_value(value), err);
    if (!code)
        *checked = field->type == SPEC_INT ? json_integer(json_is_integer(value) ? json_integer_value(value) : (json_int_t)json_real_value(value))
                                           : json_real(json_number_value(value));
    return code;
}

static int refuse_unknown(const struct spec_kind *kind, const json_t *given, struct err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)given, name, value)
    {
        if (!spec_field_find(kind, name, err))
            return -EINVAL;
    }
    return 0;
}

int spec_resolve(const struct spec_kind *kind, const json_t *given, json_t **resolved, struct err *err)
{
    if (!json_is_object(given))
        return err_set(err, -EINVAL, "the fields of %s must be an object", kind->name);
    if (refuse_unknown(kind, given, err) != 0)
        return -EINVAL;
    json_t *spec = json_object();
    int code = 0;
    for (size_t i = 0; !code && i < kind->count; i++) {
        const struct spec_field *field = &kind->fields[i];
        json_t *value = json_object_get(given, field->name), *checked = NULL;
        if (value && !json_is_null(value))
            code = check_value(field, value, &checked, err);
        else if (field->required)
            code = err_set(err, -EINVAL, "%s needs %s: %s", kind->name, field->name, field->help);
        else if (field->preset)
            code = spec_parse(field, field->preset, &checked, err);
        json_object_set_new(spec, field->name, checked ? checked : json_null());
    }
    if (code) {
        json_decref(spec);
        return code;
    }
    *resolved = spec;
    return 0;
}

bool spec_bool(const json_t *spec, const char *name)
{
    return json_is_true(json_object_get(spec, name));
}

long spec_int(const json_t *spec, const char *name)
{
    return (long)json_integer_value(json_object_get(spec, name));
}

double spec_real(const json_t *spec, const char *name)
{
    return json_number_value(json_object_get(spec, name));
}

const char *spec_text(const json_t *spec, const char *name)
{
    return json_string_value(json_object_get(spec, name));
}
