/* See cuts.h. A cut is some conditions `sum < 0`, `sum <= 0`, `sum == 0` or `sum is not 0`, or a list of
 * types. */
#include "daemon/worker/sky/cuts.h"
#include "common/str.h"
#include "daemon/worker/sky/linear.h"
#include "proto/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { CUTS_MAX = 100, CONDITIONS_MAX = 4, TYPES_MAX = 16 };
enum relation { LESS, AT_MOST, EQUAL, NOT_ZERO };

struct condition {
    struct linear sum;
    enum relation relation;
};

struct cut {
    char *name;
    struct condition conditions[CONDITIONS_MAX];
    size_t condition_count;
    char types[TYPES_MAX][CATALOGUE_TYPE_WIDTH + 1];
    size_t type_count;
    bool types_excluded;
};

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

/* left REL right, as a condition on left - right or right - left. */
static int add_condition(struct cut *cut, const struct linear *left, const char *relation,
                         const struct linear *right, struct err *err)
{
    if (cut->condition_count == CONDITIONS_MAX)
        return err_set(err, -EINVAL, "more than %d comparisons in one cut", CONDITIONS_MAX);
    struct condition *condition = &cut->conditions[cut->condition_count++];
    bool greater = relation[0] == '>';
    condition->sum = greater ? *right : *left;
    condition->relation = relation[0] == '=' ? EQUAL : relation[1] == '=' ? AT_MOST : LESS;
    return linear_add(&condition->sum, greater ? left : right, -1, err);
}

/* The relation at *at, which moves behind it; NULL when there is none. */
static const char *parse_relation(const char **at)
{
    static const char *const relations[] = {"<=", ">=", "==", "<", ">"};
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
        size_t length = strlen(relations[i]);
        if (strncmp(*at, relations[i], length) == 0) {
            *at += length;
            return relations[i];
        }
    }
    return NULL;
}

/* "sum", "sum REL sum", "sum REL sum REL sum". */
static int parse_comparison(struct cut *cut, const char *text, struct err *err)
{
    struct linear left, right;
    const char *at = text;
    int code = linear_parse(&at, &left, err);
    while (!code && *at) {
        const char *relation = parse_relation(&at);
        if (!relation)
            return err_set(err, -EINVAL, "expected <, <=, >, >= or == before \"%.20s\"", at);
        code = linear_parse(&at, &right, err);
        if (!code)
            code = add_condition(cut, &left, relation, &right, err);
        left = right;
    }
    if (code || cut->condition_count)
        return code;
    cut->conditions[cut->condition_count++] = (struct condition){left, NOT_ZERO};
    return left.count ? 0 : err_set(err, -EINVAL, "expected a quantity");
}

/* type: {not: [COMP, DEV]} */
static int parse_types(struct cut *cut, const json_t *value, struct err *err)
{
    const json_t *list = json_object_get(value, "not"), *item;
    cut->types_excluded = list != NULL;
    if (!list)
        list = json_object_get(value, "only");
    if (json_object_size(value) != 1 || !json_is_array(list) || !json_array_size(list) ||
        json_array_size(list) > TYPES_MAX)
        return err_set(err, -EINVAL, "type takes {not: [...]} or {only: [...]} with 1 to %d types",
                       TYPES_MAX);
    size_t i;
    json_array_foreach(list, i, item)
    {
        const char *type = json_string_value(item);
        if (!type || !*type || strlen(type) > CATALOGUE_TYPE_WIDTH)
            return err_set(err, -EINVAL, "a type is text of at most %d characters, like PSF",
                           CATALOGUE_TYPE_WIDTH);
        snprintf(cut->types[cut->type_count++], sizeof *cut->types, "%s", type);
    }
    return 0;
}

/* A key of a line that is a sum of quantities. */
static int line_axis(const json_t *value, const char *key, struct linear *sum, struct err *err)
{
    const char *text = json_string_value(json_object_get(value, key));
    if (!text)
        return err_set(err, -EINVAL, "line needs %s, a quantity or colour like r - z", key);
    int code = linear_parse(&text, sum, err);
    if (!code && *text)
        code = err_set(err, -EINVAL, "line: %s ends with \"%.20s\", which is no part of a sum", key, text);
    return code;
}

static int line_number(const json_t *value, const char *key, double *number, struct err *err)
{
    const json_t *item = json_object_get(value, key);
    if (!json_is_number(item) || !isfinite(json_number_value(item)))
        return err_set(err, -EINVAL, "line needs %s, a number", key);
    *number = json_number_value(item);
    return 0;
}

static int check_line_keys(const json_t *value, struct err *err)
{
    static const char *const known[] = {"x", "y", "slope", "intercept", "keep", "pad"};
    const char *key;
    json_t *item;
    if (!json_is_object(value))
        return err_set(err, -EINVAL,
                       "line takes {x: ..., y: ..., slope: ..., intercept: ..., keep: ..., pad: ...}");
    json_object_foreach((json_t *)value, key, item)
    {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || strcmp(key, known[i]) == 0;
        if (!found)
            return err_set(err, -EINVAL, "line has no key %.40s", key);
    }
    return 0;
}

/* y - slope x - intercept - pad sqrt(1 + slope^2) <= 0, or its mirror image. */
static int parse_line(struct cut *cut, const json_t *value, struct err *err)
{
    struct linear x, y, edge = {0};
    double slope = 0, pad = 0;
    const char *keep = json_string_value(json_object_get(value, "keep"));
    int code = check_line_keys(value, err);
    if (!code)
        code = line_axis(value, "x", &x, err);
    if (!code)
        code = line_axis(value, "y", &y, err);
    if (!code)
        code = line_number(value, "slope", &slope, err);
    if (!code)
        code = line_number(value, "intercept", &edge.constant, err);
    if (!code && json_object_get(value, "pad"))
        code = line_number(value, "pad", &pad, err);
    if (!code && (!keep || (strcmp(keep, "below") != 0 && strcmp(keep, "above") != 0)))
        code = err_set(err, -EINVAL, "line needs keep: below or above");
    if (code)
        return code;
    bool below = strcmp(keep, "below") == 0;
    edge.constant += (below ? pad : -pad) * sqrt(1 + slope * slope);
    code = linear_add(&edge, &x, slope, err);
    return code ? code : add_condition(cut, &y, below ? "<=" : ">=", &edge, err);
}

static int parse_cut(struct cut *cut, const json_t *value, struct err *err)
{
    if (json_is_string(value)) {
        cut->name = str_format("%s", json_string_value(value));
        return parse_comparison(cut, json_string_value(value), err);
    }
    const json_t *type = json_object_get(value, "type"), *line = json_object_get(value, "line");
    if (json_object_size(value) != 1 || (!type && !line))
        return err_set(err, -EINVAL, "expected a comparison like flux_g > 0, or type: {...}, or line: {...}");
    CLEANUP(free_ptr) char *dump = json_dumps(type ? type : line, JSON_COMPACT | JSON_REAL_PRECISION(12));
    cut->name = str_format("%s %s", type ? "type" : "line", dump ? dump : "");
    return type ? parse_types(cut, type, err) : parse_line(cut, line, err);
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
        if (parse_cut(cut, value, err))
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

static size_t count_kept(const bool *keep, size_t rows)
{
    size_t kept = 0;
    for (size_t row = 0; row < rows; row++)
        kept += keep[row];
    return kept;
}

int cuts_apply(const struct cuts *cuts, struct catalogue *catalogue, bool *keep, size_t *left,
               struct err *err)
{
    for (size_t i = 0; i < cuts->count; i++) {
        const struct cut *cut = &cuts->items[i];
        for (size_t c = 0; c < cut->condition_count; c++) {
            if (apply_condition(&cut->conditions[c], catalogue, keep, err))
                return err_prefix(err, "cut %zu (%.100s) of %s", i + 1, cut->name, cuts->path);
        }
        if (cut->type_count)
            apply_types(cut, catalogue, keep);
        if (left)
            left[i] = count_kept(keep, catalogue_rows(catalogue));
    }
    return 0;
}
