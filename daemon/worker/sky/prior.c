/* See prior.h. The CSV read here: one record a line, commas, optional blanks and double quotes about a value,
 * lines that are empty or begin with # passed over. */
#include "daemon/worker/sky/prior.h"
#include "common/file.h"
#include "common/str.h"
#include "daemon/worker/child.h"
#include "daemon/worker/sky/sersic.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { FIELD_COUNT = 7, CSV_COLUMN_MAX = 256 };

#define READ_S       600.0 /* that reading a table may take */
#define CSV_SIZE_MAX ((size_t)1 << 30)

/* The properties, their names in files (the first that is there counts), and what is believed of them. */
static const struct {
    const char *names[4];
    bool required;
    double least, most;
    const char *unit;
} FIELDS[FIELD_COUNT] = {
    {{"g", "mag_g", "gmag"}, true, 5, 40, " mag"},
    {{"r", "mag_r", "rmag"}, true, 5, 40, " mag"},
    {{"z", "mag_z", "zmag"}, true, 5, 40, " mag"},
    {{"rhalf", "shape_r", "fwhm_or_rhalf", "size"}, true, 0, 60, " arcsec"},
    {{"n", "sersic"}, false, SERSIC_N_MIN, SERSIC_N_MAX, ""},
    {{"ba"}, false, 0.01, 1, ""},
    {{"pa"}, false, -360, 360, " deg"},
};

struct prior {
    size_t rows, room;
    bool has[FIELD_COUNT];
    double (*values)[FIELD_COUNT];
};

static int check_value(int field, const char *column, double value, const char *path, size_t line,
                       struct err *err)
{
    if (value >= FIELDS[field].least && value <= FIELDS[field].most)
        return 0;
    return err_set(err, -EINVAL, "%s:%zu: %s is %g, which is not within %g to %g%s", path, line, column,
                   value, FIELDS[field].least, FIELDS[field].most, FIELDS[field].unit);
}

static int missing_column(int field, const char *path, struct err *err)
{
    return err_set(err, -EINVAL, "%s has no column %s%s%s%s%s", path, FIELDS[field].names[0],
                   FIELDS[field].names[1] ? ", " : "", FIELDS[field].names[1] ? FIELDS[field].names[1] : "",
                   FIELDS[field].names[2] ? " or " : "",
                   FIELDS[field].names[2] ? FIELDS[field].names[2] : "");
}

/* The next value of a line, blanks and quotes gone; *at moves on, to NULL after the last. */
static char *next_value(char **at)
{
    char *value = *at, *comma = strchr(value, ',');
    *at = comma ? comma + 1 : NULL;
    if (comma)
        *comma = '\0';
    value += strspn(value, " \t\"");
    size_t length = strlen(value);
    while (length && strchr(" \t\r\"", value[length - 1]))
        value[--length] = '\0';
    return value;
}

/* Which column of the file holds each field; -1: none. */
static int read_csv_head(char *line, int columns[FIELD_COUNT], const char *path, struct err *err)
{
    char *names[CSV_COLUMN_MAX];
    int count = 0;
    for (char *at = line; at && count < CSV_COLUMN_MAX;)
        names[count++] = next_value(&at);
    for (int f = 0; f < FIELD_COUNT; f++) {
        columns[f] = -1;
        for (int n = 0; n < 4 && FIELDS[f].names[n] && columns[f] < 0; n++) {
            for (int c = 0; c < count; c++) {
                if (strcasecmp(names[c], FIELDS[f].names[n]) == 0)
                    columns[f] = c;
            }
        }
        if (columns[f] < 0 && FIELDS[f].required && count < 2)
            return err_set(err, -EINVAL,
                           "the first line of %s must name the columns, with commas between them", path);
        if (columns[f] < 0 && FIELDS[f].required)
            return missing_column(f, path, err);
    }
    return 0;
}

static int add_row(struct prior *prior, const char *path, struct err *err)
{
    if (prior->rows == prior->room) {
        size_t room = prior->room ? 2 * prior->room : 1024;
        void *grown = realloc(prior->values, room * sizeof *prior->values);
        if (!grown)
            return err_set(err, -ENOMEM, "out of memory for the rows of %s", path);
        prior->values = grown;
        prior->room = room;
    }
    prior->rows++;
    return 0;
}

static int read_csv_row(struct prior *prior, char *line, const int columns[FIELD_COUNT], const char *path,
                        size_t number, struct err *err)
{
    char *values[CSV_COLUMN_MAX];
    int count = 0, code = add_row(prior, path, err);
    for (char *at = line; at && count < CSV_COLUMN_MAX;)
        values[count++] = next_value(&at);
    for (int f = 0; !code && f < FIELD_COUNT; f++) {
        double *value = &prior->values[prior->rows - 1][f];
        if (columns[f] < 0)
            continue;
        if (columns[f] >= count || !*values[columns[f]])
            return err_set(err, -EINVAL, "%s:%zu: no value for %s", path, number, FIELDS[f].names[0]);
        if (!str_to_real(values[columns[f]], value))
            return err_set(err, -EINVAL, "%s:%zu: %s is '%.40s', which is no number", path, number,
                           FIELDS[f].names[0], values[columns[f]]);
        code = check_value(f, FIELDS[f].names[0], *value, path, number, err);
    }
    return code;
}

static int read_csv(struct prior *prior, const char *path, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    size_t size, number = 0;
    int columns[FIELD_COUNT], code = file_read(path, CSV_SIZE_MAX, &text, &size, err);
    bool head = true;
    if (!code && (!size || memchr(text, '\0', size)))
        return err_set(err, -EINVAL, size ? "%s is neither a FITS nor a CSV table" : "%s is empty", path);
    char *start = text && strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text; /* a spreadsheet's mark */
    for (char *line = start, *next; !code && line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        if (line[strspn(line, " \t\r")] == '\0' || *line == '#')
            continue;
        code = head ? read_csv_head(line, columns, path, err)
                    : read_csv_row(prior, line, columns, path, number, err);
        head = false;
    }
    for (int f = 0; !code && !head && f < FIELD_COUNT; f++)
        prior->has[f] = columns[f] >= 0;
    return code;
}

static int read_fits_field(struct prior *prior, struct table *table, int field, const char *path,
                           struct err *err)
{
    const char *name = NULL;
    for (int n = 0; n < 4 && FIELDS[field].names[n] && !name; n++) {
        if (table_has(table, FIELDS[field].names[n]))
            name = FIELDS[field].names[n];
    }
    if (!name)
        return FIELDS[field].required ? missing_column(field, path, err) : 0;
    prior->has[field] = true;
    CLEANUP(free_ptr) double *values = calloc(prior->rows + 1, sizeof *values);
    int code = values ? table_read_reals(table, name, 0, values, err)
                      : err_set(err, -ENOMEM, "out of memory for the rows of %s", path);
    for (size_t i = 0; !code && i < prior->rows; i++) {
        prior->values[i][field] = values[i];
        code = check_value(field, name, values[i], path, i + 1, err);
    }
    return code;
}

static int read_fits(struct prior *prior, const char *path, struct err *err)
{
    CLEANUP(table_close_ptr) struct table *table = NULL;
    int code = table_open(&table, path, err);
    if (code)
        return code;
    prior->rows = table_rows(table);
    prior->values = calloc(prior->rows + 1, sizeof *prior->values);
    if (!prior->values)
        return err_set(err, -ENOMEM, "out of memory for the rows of %s", path);
    for (int f = 0; !code && f < FIELD_COUNT; f++)
        code = read_fits_field(prior, table, f, path, err);
    return code;
}

/* FITS files begin with the same word; a gzipped one is taken for FITS, too. */
static int is_fits(const char *path, bool *fits, struct err *err)
{
    unsigned char head[6] = {0};
    CLEANUP(close_stream) FILE *file = fopen(path, "rb");
    if (!file)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    size_t size = fread(head, 1, sizeof head, file);
    *fits = size == sizeof head && (memcmp(head, "SIMPLE", 6) == 0 || (head[0] == 0x1f && head[1] == 0x8b));
    return 0;
}

/* --- the table is read in a child, which brings home the head and the rows --- */

struct head {
    size_t rows;
    bool has[FIELD_COUNT];
};

static int read_prior(struct prior *prior, const char *path, struct err *err)
{
    bool fits = false;
    int code = is_fits(path, &fits, err);
    if (!code)
        code = fits ? read_fits(prior, path, err) : read_csv(prior, path, err);
    return code || prior->rows ? code : err_set(err, -EINVAL, "%s has no rows", path);
}

static int bring_prior(void *context, struct child_yield *yield, struct err *err)
{
    CLEANUP(prior_close_ptr) struct prior *prior = calloc(1, sizeof *prior);
    const char *path = context;
    if (!prior)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    int code = read_prior(prior, path, err);
    if (code)
        return code;
    struct head head = {.rows = prior->rows};
    memcpy(head.has, prior->has, sizeof head.has);
    size_t size = prior->rows * sizeof *prior->values;
    char *data = malloc(sizeof head + size);
    if (!data)
        return err_set(err, -ENOMEM, "out of memory for the rows of %s", path);
    memcpy(data, &head, sizeof head);
    memcpy(data + sizeof head, prior->values, size);
    yield->data = data;
    yield->size = sizeof head + size;
    return 0;
}

int prior_open(struct prior **out, const char *path, struct err *err)
{
    CLEANUP(prior_close_ptr) struct prior *prior = calloc(1, sizeof *prior);
    struct confinement may = {.memory = child_memory(1), .cpu_s = READ_S};
    struct child_yield yield;
    struct head head;
    if (!prior)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    confinement_allow(&may, path);
    int code = child_run(&may, READ_S, bring_prior, (void *)path, &yield, err);
    if (code)
        return code == -ECHILD || code == -ETIMEDOUT ? err_prefix(err, "%s", path) : code;
    CLEANUP(free_ptr) char *data = yield.data;
    memcpy(&head, data, yield.size < sizeof head ? 0 : sizeof head);
    if (yield.size < sizeof head || !head.rows ||
        (yield.size - sizeof head) / sizeof *prior->values != head.rows)
        return err_set(err, -EPROTO, "%s: its reader brought too few rows", path);
    prior->rows = head.rows;
    memcpy(prior->has, head.has, sizeof head.has);
    if (!(prior->values = malloc(yield.size)))
        return err_set(err, -ENOMEM, "out of memory for the rows of %s", path);
    memcpy(prior->values, data + sizeof head, head.rows * sizeof *prior->values);
    *out = TAKE(prior);
    return 0;
}

void prior_close(struct prior *prior)
{
    if (!prior)
        return;
    free(prior->values);
    free(prior);
}

size_t prior_rows(const struct prior *prior)
{
    return prior->rows;
}

void prior_draw(const struct prior *prior, struct rng *rng, struct galaxy *galaxy)
{
    const double *row = prior->values[rng_below(rng, prior->rows)];
    for (int b = 0; b < BAND_COUNT; b++)
        galaxy->mag[b] = row[b];
    galaxy->rhalf_arcsec = row[3];
    galaxy->n = prior->has[4] ? row[4] : population_draw_n(rng);
    galaxy->ba = prior->has[5] ? row[5] : population_draw_ba(rng);
    galaxy->pa_deg = prior->has[6] ? row[6] : rng_range(rng, 0, 180);
}
