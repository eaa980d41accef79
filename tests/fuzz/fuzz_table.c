/* A FITS binary table, plain or gzipped, and a catalogue in it: every column that is there and some that are
 * not, as each type. */
#include "daemon/worker/sky/catalogue.h"
#include "daemon/worker/sky/table.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 4 };

static const char *const COLUMNS[] = {"type",          "ra", "dec",    "bx",         "by",
                                      "objid",         "id", "flux_g", "decam_flux", "release",
                                      "brick_primary", "odd"};

static void read_column(struct table *table, const char *name)
{
    struct err err = {0};
    size_t rows = table_rows(table);
    double *reals = malloc(rows * sizeof *reals + 1);
    int64_t *ints = malloc(rows * sizeof *ints + 1);
    char *text = malloc(rows * WIDTH + 1);
    fuzz_require(reals && ints && text, "there is memory for a small file's rows");
    if (table_read_reals(table, name, 0, reals, &err) != 0)
        fuzz_require(err.text[0], "a refused column has a sentence");
    table_read_reals(table, name, 5, reals, NULL);
    table_read_ints(table, name, ints, NULL);
    if (table_read_text(table, name, WIDTH, text, NULL) != 0)
        table_read_text(table, name, 1, text, NULL);
    free(reals);
    free(ints);
    free(text);
}

static void read_catalogue(const char *path)
{
    static const char *const QUANTITIES[] = {"g", "snr_r", "rhalf", "nobs_z", "brick_primary", "maskbits"};
    CLEANUP(catalogue_close_ptr) struct catalogue *catalogue = NULL;
    struct err err = {0};
    const double *values;
    if (catalogue_open(&catalogue, path, "grz", &err) != 0) {
        fuzz_require(err.text[0], "a refused catalogue has a sentence");
        return;
    }
    for (size_t i = 0; i < sizeof QUANTITIES / sizeof *QUANTITIES; i++)
        catalogue_quantity(catalogue, QUANTITIES[i], &values, NULL);
    for (size_t row = 0; row < catalogue_rows(catalogue); row++)
        catalogue_id(catalogue, row);
    catalogue_release(catalogue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(table_close_ptr) struct table *table = NULL;
    struct err err = {0};
    const char *path = fuzz_file(data, size);
    if (table_open(&table, path, &err) != 0) {
        fuzz_require(err.text[0], "a refused table has a sentence");
        return 0;
    }
    fuzz_require(strlen(table_origin(table)) < 256, "the origin is a text");
    for (size_t i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; i++)
        read_column(table, COLUMNS[i]);
    read_catalogue(path);
    return 0;
}
