/* See cuts.h: files of cuts, and what they keep of a catalogue. */
#include "daemon/worker/sky/cuts.h"
#include "common/str.h"
#include "daemon/worker/sky/cut.h"
#include "proto/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { CUTS_MAX = 100 };

#define INT64_LIMIT 9e18

struct cuts {
    char *path, *text;
    struct cut *items;
    size_t count;
};

void cuts_close(struct cuts *cuts)
{
    if (!cuts)
        return;
    for (size_t i = 0; i < cuts->count; i++)
        free(cuts->items[i].name);
    free(cuts->items);
    free(cuts->path);
    free(cuts->text);
    free(cuts);
}

size_t cuts_count(const struct cuts *cuts)
{
    return cuts->count;
}

const char *cuts_name(const struct cuts *cuts, size_t i)
{
    return cuts->items[i].name;
}

const char *cuts_text(const struct cuts *cuts)
{
    return cuts->text;
}

static int check_keys(const json_t *file, const char *path, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)file, key, value)
    {
        if (strcmp(key, "cuts") != 0 && strcmp(key, "description") != 0)
            return err_set(err, -EINVAL, "%s: unknown key %.40s; a file of cuts has cuts and description",
                           path, key);
    }
    const json_t *list = json_object_get(file, "cuts");
    if (!json_is_array(list) || json_array_size(list) > CUTS_MAX)
        return err_set(err, -EINVAL, "%s: needs the key cuts, a list of at most %d", path, CUTS_MAX);
    return 0;
}

static int parse_list(struct cuts *cuts, const json_t *list, struct err *err)
{
    size_t i;
    json_t *value;
    cuts->items = calloc(json_array_size(list) + 1, sizeof *cuts->items);
    if (!cuts->items)
        return err_set(err, -ENOMEM, "out of memory for %s", cuts->path);
    json_array_foreach(list, i, value)
    {
        struct cut *cut = &cuts->items[cuts->count++];
        if (cut_parse(cut, value, err))
            return cut->name ? err_prefix(err, "%s: cut %zu (%.100s)", cuts->path, i + 1, cut->name)
                             : err_prefix(err, "%s: cut %zu", cuts->path, i + 1);
        char *longer = str_format("%s%s%s", cuts->text ? cuts->text : "", cuts->text ? "\n" : "", cut->name);
        free(cuts->text);
        cuts->text = longer;
    }
    if (!cuts->text)
        cuts->text = str_format("none");
    return 0;
}

int cuts_open(struct cuts **out, const char *path, struct err *err)
{
    CLEANUP(cuts_close_ptr) struct cuts *cuts = calloc(1, sizeof *cuts);
    json_t *file = NULL;
    if (!cuts)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    cuts->path = str_format("%s", path);
    int code = yaml_read_file(path, &file, err);
    if (!code)
        code = check_keys(file, path, err);
    if (!code)
        code = parse_list(cuts, json_object_get(file, "cuts"), err);
    json_decref(file);
    if (!code)
        *out = TAKE(cuts);
    return code;
}

static bool condition_holds(enum relation relation, double sum)
{
    switch (relation) {
    case LESS:
        return sum < 0;
    case AT_MOST:
        return sum <= 0;
    case EQUAL:
        return sum == 0;
    case NOT_ZERO:
        break;
    }
    return isfinite(sum) && sum != 0;
}

static int apply_condition(const struct condition *condition, struct catalogue *catalogue, bool *keep,
                           struct err *err)
{
    const struct linear *sum = &condition->sum;
    const double *values[LINEAR_TERMS_MAX];
    for (size_t t = 0; t < sum->count; t++) {
        int code = catalogue_quantity(catalogue, sum->terms[t].name, &values[t], err);
        if (code)
            return code;
    }
    for (size_t row = 0; row < catalogue_rows(catalogue); row++) {
        double total = sum->constant;
        for (size_t t = 0; t < sum->count; t++)
            total += sum->terms[t].factor * values[t][row];
        keep[row] = keep[row] && condition_holds(condition->relation, total);
    }
    return 0;
}

static void apply_types(const struct cut *cut, const struct catalogue *catalogue, bool *keep)
{
    for (size_t row = 0; row < catalogue_rows(catalogue); row++) {
        bool listed = false;
        for (size_t t = 0; t < cut->type_count; t++)
            listed =
                listed || strncmp(cut->types[t], catalogue_type(catalogue, row), CATALOGUE_TYPE_WIDTH) == 0;
        keep[row] = keep[row] && listed != cut->types_excluded;
    }
}

/* A value that is no integer fails. */
static int apply_bits(const struct cut *cut, struct catalogue *catalogue, bool *keep, struct err *err)
{
    const double *values;
    int code = catalogue_quantity(catalogue, cut->bits_of, &values, err);
    for (size_t row = 0; row < catalogue_rows(catalogue) && !code; row++) {
        bool integer = fabs(values[row]) < INT64_LIMIT;
        bool set = integer && ((int64_t)values[row] & cut->bits) != 0;
        keep[row] = keep[row] && integer && set != cut->bits_unset;
    }
    return code;
}

static size_t count_kept(const bool *keep, size_t rows)
{
    size_t kept = 0;
    for (size_t row = 0; row < rows; row++)
        kept += keep[row];
    return kept;
}

static int apply_cut(const struct cut *cut, struct catalogue *catalogue, bool *keep, struct err *err)
{
    int code = 0;
    for (size_t c = 0; c < cut->condition_count && !code; c++)
        code = apply_condition(&cut->conditions[c], catalogue, keep, err);
    if (cut->type_count)
        apply_types(cut, catalogue, keep);
    return !code && cut->bits_of[0] ? apply_bits(cut, catalogue, keep, err) : code;
}

int cuts_apply(const struct cuts *cuts, struct catalogue *catalogue, bool *keep, size_t *left,
               struct err *err)
{
    for (size_t i = 0; i < cuts->count; i++) {
        if (apply_cut(&cuts->items[i], catalogue, keep, err))
            return err_prefix(err, "cut %zu (%.100s) of %s", i + 1, cuts->items[i].name, cuts->path);
        if (left)
            left[i] = count_kept(keep, catalogue_rows(catalogue));
    }
    return 0;
}
