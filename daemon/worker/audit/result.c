/* What came of the checks: audit.json, audit.html and the job's result. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/audit/audit.h"
#include "daemon/worker/report/checks.h"
#include "daemon/worker/statistics/distribution.h"
#include "proto/json.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static const char *status_of(const struct check *check)
{
    if (!isfinite(check->value))
        return "impossible";
    return check->value > check->threshold ? "warn" : "pass";
}

int check_add(struct audit *audit, const struct check *check, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    json_t *plot = check->plotted && audit->plotting ? json_sprintf("%s.png", check->name) : json_null();
    json_t *row = json_pack("{ss so so so sf ss ss ss so}", "name", check->name, "value",
                            number_or_null(check->value), "error", number_or_null(check->error), "p",
                            number_or_null(check->p), "threshold", check->threshold, "unit", check->unit,
                            "status", status_of(check), "sentence", sentence, "plot", plot);
    return json_array_append_new(audit->checks, row) == 0 ? 0 : -ENOMEM;
}

int check_add_impossible(struct audit *audit, const char *name, const char *format, ...)
{
    char why[512];
    const struct check check = {.name = name, .unit = "", .value = NAN, .error = NAN, .p = NAN};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return check_add(audit, &check, "cannot be checked: %s", why);
}

int audit_plot(const struct audit *audit, const char *name, const struct plot_table *tables, size_t count,
               const char *script, struct err *err)
{
    int code = plot_publish(audit->out, name, tables, count, script, err);
    return code == -ENOENT && !audit->plotting ? 0 : code;
}

static bool has_status(const json_t *check, const char *status)
{
    return strcmp(json_string_value(json_object_get(check, "status")), status) == 0;
}

/* Names of the checks with this status, a new reference. */
static json_t *list_checks(const struct audit *audit, const char *status)
{
    json_t *names = json_array(), *check;
    size_t i;
    json_array_foreach(audit->checks, i, check)
    {
        if (has_status(check, status))
            json_array_append(names, json_object_get(check, "name"));
    }
    return names;
}

/* What a person is told: the warnings, each a line. Fresh memory. */
static char *tell(const struct audit *audit, size_t warnings, size_t impossible)
{
    char *text = NULL;
    size_t size, i;
    json_t *check;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        abort();
    fprintf(stream, "%zu checks of %zu stamps", json_array_size(audit->checks), audit->count);
    if (audit->count < audit->total)
        fprintf(stream, " out of %zu", audit->total);
    fprintf(stream, ", %zu warning%s", warnings, warnings == 1 ? "" : "s");
    if (impossible)
        fprintf(stream, ", %zu impossible", impossible);
    fprintf(stream, ": %s/audit.html\n", audit->out);
    json_array_foreach(audit->checks, i, check)
    {
        if (!has_status(check, "pass"))
            fprintf(stream, "%s: %s\n", json_string_value(json_object_get(check, "name")),
                    json_string_value(json_object_get(check, "sentence")));
    }
    fclose(stream);
    return text;
}

static void warn_each(const struct audit *audit)
{
    size_t i;
    json_t *check;
    json_array_foreach(audit->checks, i, check)
    {
        if (has_status(check, "warn") && audit->job->id) /* a tool tells them in its text */
            link_warning(audit->job->link, "%s: %s", json_string_value(json_object_get(check, "name")),
                         json_string_value(json_object_get(check, "sentence")));
    }
}

static json_t *make_file(const struct audit *audit, size_t warnings, size_t impossible)
{
    size_t fakes = 0;
    for (size_t s = 0; s < audit->count; s++)
        fakes += audit->labels[s];
    return json_pack("{si ss s{sI sI sI} s{sf si sf} sI sI sO}", "v", 1, "dataset", audit->directory,
                     "stamps", "real", (json_int_t)(audit->count - fakes), "fake", (json_int_t)fakes, "of",
                     (json_int_t)audit->total, "chance", "family", audit->alpha * audit->comparisons,
                     "comparisons", audit->comparisons, "each", audit->alpha, "warnings",
                     (json_int_t)warnings, "impossible", (json_int_t)impossible, "checks", audit->checks);
}

int result_publish(struct audit *audit, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(audit->out, "audit.json");
    json_t *warned = list_checks(audit, "warn"), *impossible = list_checks(audit, "impossible");
    json_t *file = make_file(audit, json_array_size(warned), json_array_size(impossible));
    int code =
        file ? page_publish_audit(audit, file, err) : err_set(err, -ENOMEM, "out of memory for %s", path);
    if (!code)
        code = json_publish_file(path, file, err);
    json_decref(file);
    CLEANUP(free_ptr) char *text = tell(audit, json_array_size(warned), json_array_size(impossible));
    json_t *result = json_pack(
        "{ss sI sI so so}", "text", text, "checks", (json_int_t)json_array_size(audit->checks), "warnings",
        (json_int_t)json_array_size(warned), "warned", warned, "impossible", impossible);
    warn_each(audit);
    if (!code)
        return link_result(audit->job->link, result, err);
    json_decref(result);
    return code;
}
