/* One cut of a file of cuts: some conditions `sum < 0`, `sum <= 0`, `sum == 0` or `sum is not 0`, or a list of
 * types, or bits of a column. Private to sky/. */
#ifndef DECOY_SKY_CUT_H
#define DECOY_SKY_CUT_H

#include "daemon/worker/sky/catalogue.h"
#include "daemon/worker/sky/linear.h"

#include <jansson.h>

enum { CONDITIONS_MAX = 4, TYPES_MAX = 16 };
enum relation { LESS, AT_MOST, EQUAL, NOT_ZERO };

struct condition {
    struct linear sum;
    enum relation relation;
};

struct cut {
    char *name; /* as it is shown; equal names, equal cuts */
    struct condition conditions[CONDITIONS_MAX];
    size_t condition_count;
    char types[TYPES_MAX][CATALOGUE_TYPE_WIDTH + 1];
    size_t type_count;
    bool types_excluded;
    char bits_of[LINEAR_NAME_MAX]; /* a column; "" without such a condition */
    int64_t bits;                  /* of these none, or one at least, is set */
    bool bits_unset;
};

/* Reads one item of a file's list (cuts.h). The sentence does not name the file; name may be set after a
 * failure, too, and is freed with free. */
int cut_parse(struct cut *cut, const json_t *value, struct err *err);

#endif
