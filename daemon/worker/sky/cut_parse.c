/* See cut.h. */
#include "common/str.h"
#include "daemon/worker/sky/cut.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { BIT_MAX = 62 };

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

/* "g - r <= 1.15 (r - z) - 0.15, padded by 0.5" */
static void name_line(struct cut *cut, const json_t *value, bool below, double slope, double intercept,
                      double pad)
{
    CLEANUP(free_ptr) char *padding = pad != 0 ? str_format(", padded by %.12g", pad) : str_format("%s", "");
    free(cut->name);
    cut->name = str_format("%s %s %.12g (%s) %c %.12g%s", json_string_value(json_object_get(value, "y")),
                           below ? "<=" : ">=", slope, json_string_value(json_object_get(value, "x")),
                           intercept < 0 ? '-' : '+', fabs(intercept), padding);
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
    name_line(cut, value, below, slope, edge.constant, pad);
    edge.constant += (below ? pad : -pad) * sqrt(1 + slope * slope);
    code = linear_add(&edge, &x, slope, err);
    return code ? code : add_condition(cut, &y, below ? "<=" : ">=", &edge, err);
}

/* The bit that a word or number of the list stands for; -1: none. */
static int bit_of(const char *column, const json_t *item)
{
    /* https://www.legacysurvey.org/dr10/bitmasks: those of DR8 and DR9 are the same, as far as there are any. */
    static const char *const MASKBITS[] = {
        "NPRIMARY", "BRIGHT", "SATUR_G", "SATUR_R", "SATUR_Z", "ALLMASK_G", "ALLMASK_R", "ALLMASK_Z",
        "WISEM1",   "WISEM2", "BAILOUT", "MEDIUM",  "GALAXY",  "CLUSTER",   "SATUR_I",   "ALLMASK_I"};
    const char *word = json_string_value(item);
    if (json_is_integer(item))
        return json_integer_value(item) >= 0 && json_integer_value(item) <= BIT_MAX
                   ? (int)json_integer_value(item)
                   : -1;
    for (size_t i = 0; word && strcasecmp(column, "maskbits") == 0 && i < sizeof MASKBITS / sizeof *MASKBITS;
         i++) {
        if (strcasecmp(word, MASKBITS[i]) == 0)
            return (int)i;
    }
    return -1;
}

/* maskbits: {none: [BRIGHT, 12]} */
static int parse_bits(struct cut *cut, const char *column, const json_t *value, struct err *err)
{
    const json_t *list = json_object_get(value, "none"), *item;
    size_t i;
    cut->bits_unset = list != NULL;
    if (!list)
        list = json_object_get(value, "any");
    if (json_object_size(value) != 1 || !json_array_size(list) || strlen(column) >= LINEAR_NAME_MAX)
        return err_set(err, -EINVAL, "%.40s takes {none: [...]} or {any: [...]} with bits", column);
    snprintf(cut->bits_of, sizeof cut->bits_of, "%s", column);
    json_array_foreach(list, i, item)
    {
        int bit = bit_of(column, item);
        if (bit < 0)
            return err_set(err, -EINVAL,
                           "a bit is a number from 0 to %d, or of maskbits a name like BRIGHT (item %zu)",
                           BIT_MAX, i + 1);
        cut->bits |= INT64_C(1) << bit;
    }
    return 0;
}

/* "type not [COMP, DEV]": what the words in a value say, on one line. */
static char *name_of_list(const char *key, const json_t *value)
{
    const char *rule = json_object_iter_key(json_object_iter((json_t *)value));
    const json_t *list = json_object_get(value, rule ? rule : ""), *item;
    char *name = str_format("%s %s", key, rule ? rule : "");
    size_t i;
    json_array_foreach(list, i, item)
    {
        CLEANUP(free_ptr) char *word = json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT);
        char *longer = str_format("%s%s %s", name, i ? "," : "",
                                  json_is_string(item) ? json_string_value(item)
                                  : word               ? word
                                                       : "");
        free(name);
        name = longer;
    }
    return name;
}

int cut_parse(struct cut *cut, const json_t *value, struct err *err)
{
    if (json_is_string(value)) {
        cut->name = str_format("%s", json_string_value(value));
        return parse_comparison(cut, json_string_value(value), err);
    }
    const char *key = json_object_iter_key(json_object_iter((json_t *)value));
    const json_t *inner = key ? json_object_get(value, key) : NULL;
    if (json_object_size(value) != 1 || !json_is_object(inner))
        return err_set(
            err, -EINVAL,
            "expected a comparison like flux_g > 0, or type: {...}, or line: {...}, or bits of a column, "
            "like maskbits: {none: [...]}");
    cut->name = strcmp(key, "line") == 0 ? str_format("line") : name_of_list(key, inner);
    return strcmp(key, "type") == 0   ? parse_types(cut, inner, err)
           : strcmp(key, "line") == 0 ? parse_line(cut, inner, err)
                                      : parse_bits(cut, key, inner, err);
}
