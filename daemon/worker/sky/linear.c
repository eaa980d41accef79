/* See linear.h: a recursive descent over the three rules. */
#include "daemon/worker/sky/linear.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

static void skip_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
}

static int add_term(struct linear *sum, const char *name, size_t length, double factor, struct err *err)
{
    for (size_t i = 0; i < sum->count; i++) {
        if (strlen(sum->terms[i].name) == length && strncmp(sum->terms[i].name, name, length) == 0) {
            sum->terms[i].factor += factor;
            return 0;
        }
    }
    if (sum->count == LINEAR_TERMS_MAX || length >= LINEAR_NAME_MAX)
        return err_set(err, -EINVAL, "too many quantities, or a name too long, at %.*s",
                       (int)(length < 60 ? length : 60), name);
    memcpy(sum->terms[sum->count].name, name, length);
    sum->terms[sum->count].name[length] = '\0';
    sum->terms[sum->count++].factor = factor;
    return 0;
}

int linear_add(struct linear *sum, const struct linear *other, double factor, struct err *err)
{
    sum->constant += factor * other->constant;
    int code = 0;
    for (size_t i = 0; i < other->count && !code; i++)
        code = add_term(sum, other->terms[i].name, strlen(other->terms[i].name),
                        factor * other->terms[i].factor, err);
    return code;
}

static int parse_sum(const char **at, struct linear *sum, int depth, struct err *err);

/* "(" sum ")", times factor. */
static int parse_group(const char **at, struct linear *sum, double factor, int depth, struct err *err)
{
    struct linear inner;
    (*at)++;
    int code = parse_sum(at, &inner, depth + 1, err);
    if (code)
        return code;
    if (**at != ')')
        return err_set(err, -EINVAL, "expected ) before \"%.20s\"", *at);
    (*at)++;
    return linear_add(sum, &inner, factor, err);
}

static size_t name_length(const char *at)
{
    size_t length = 0;
    if (!isalpha((unsigned char)*at))
        return 0;
    while (isalnum((unsigned char)at[length]) || at[length] == '_')
        length++;
    return length;
}

/* strtod would also take "inf", "nan" and hexadecimals. */
static bool parse_number(const char **at, double *number)
{
    char *end;
    if (!isdigit((unsigned char)**at) && !(**at == '.' && isdigit((unsigned char)(*at)[1])))
        return false;
    *number = strtod(*at, &end);
    *at = end;
    return isfinite(*number);
}

static int parse_term(const char **at, struct linear *sum, double sign, int depth, struct err *err)
{
    double number = 1;
    bool times = false, numbered = parse_number(at, &number);
    skip_blanks(at);
    if (numbered && **at == '*') {
        times = true;
        (*at)++;
        skip_blanks(at);
    }
    size_t length = name_length(*at);
    int code = 0;
    if (length) {
        code = add_term(sum, *at, length, sign * number, err);
        *at += length;
    } else if (**at == '(' && depth < DEPTH_MAX) {
        code = parse_group(at, sum, sign * number, depth, err);
    } else if (numbered && !times) {
        sum->constant += sign * number;
    } else {
        return err_set(err, -EINVAL, "expected a number or a quantity before \"%.20s\"", *at);
    }
    skip_blanks(at);
    return code;
}

static int parse_sum(const char **at, struct linear *sum, int depth, struct err *err)
{
    memset(sum, 0, sizeof *sum);
    skip_blanks(at);
    double sign = 1;
    bool signed_ = **at == '-';
    for (;;) {
        if (signed_) {
            sign = **at == '-' ? -1 : 1;
            (*at)++;
            skip_blanks(at);
        }
        int code = parse_term(at, sum, sign, depth, err);
        if (code)
            return code;
        signed_ = **at == '-' || **at == '+';
        if (!signed_)
            return 0;
    }
}

int linear_parse(const char **at, struct linear *sum, struct err *err)
{
    return parse_sum(at, sum, 0, err);
}
