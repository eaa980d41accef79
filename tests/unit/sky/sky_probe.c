/* For oracles in other languages: shows what sky/ reads.
 *   sky_probe plane FILE          raw float32 pixels on standard output
 *   sky_probe to_pixel FILE       lines "ra dec" in, lines "x y" out, by the header of FILE
 *   sky_probe to_sky FILE         the other way
 *   sky_probe column FILE NAME    a column's numbers, a line each
 *   sky_probe cuts FILE CUTS      the rows, from 0, that a file of cuts keeps, a line each */
#include "daemon/worker/sky/cuts.h"
#include "daemon/worker/sky/plane.h"
#include "daemon/worker/sky/table.h"
#include "daemon/worker/sky/wcs.h"

#include <string.h>

static int show_plane(const char *path, struct err *err)
{
    struct plane plane;
    int code = plane_read(&plane, path, err);
    if (code)
        return code;
    fwrite(plane.pixels, sizeof *plane.pixels, (size_t)plane.width * (size_t)plane.height, stdout);
    plane_free(&plane);
    return 0;
}

static int convert_lines(const char *path, int to_pixel, struct err *err)
{
    struct plane plane;
    CLEANUP(wcs_close_ptr) struct wcs *wcs = NULL;
    double a, b, c, d;
    int code = plane_read(&plane, path, err);
    if (code)
        return code;
    code = wcs_open(&wcs, plane.header, path, err);
    plane_free(&plane);
    while (!code && scanf("%lf %lf", &a, &b) == 2) {
        code = to_pixel ? wcs_to_pixel(wcs, 1, &a, &b, &c, &d, err) : wcs_to_sky(wcs, 1, &a, &b, &c, &d, err);
        printf("%.17g %.17g\n", c, d);
    }
    return code;
}

static int show_column(const char *path, const char *name, struct err *err)
{
    CLEANUP(table_close_ptr) struct table *table = NULL;
    int code = table_open(&table, path, err);
    if (code)
        return code;
    CLEANUP(free_ptr) double *values = calloc(table_rows(table) + 1, sizeof *values);
    code = table_read_reals(table, name, 0, values, err);
    for (size_t i = 0; !code && i < table_rows(table); i++)
        printf("%.17g\n", values[i]);
    return code;
}

static int show_kept(const char *path, const char *cuts_path, struct err *err)
{
    CLEANUP(cuts_close_ptr) struct cuts *cuts = NULL;
    CLEANUP(catalogue_close_ptr) struct catalogue *catalogue = NULL;
    int code = cuts_open(&cuts, cuts_path, err);
    if (!code)
        code = catalogue_open(&catalogue, path, "grz", err);
    if (code)
        return code;
    size_t rows = catalogue_rows(catalogue);
    CLEANUP(free_ptr) bool *keep = malloc(rows + 1);
    memcpy(keep, catalogue_usable(catalogue), rows);
    code = cuts_apply(cuts, catalogue, keep, NULL, err);
    for (size_t row = 0; row < rows && !code; row++) {
        if (keep[row])
            printf("%zu\n", row);
    }
    return code;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int code = 2;
    if (argc == 3 && strcmp(argv[1], "plane") == 0)
        code = show_plane(argv[2], &err);
    else if (argc == 3 && (strcmp(argv[1], "to_pixel") == 0 || strcmp(argv[1], "to_sky") == 0))
        code = convert_lines(argv[2], strcmp(argv[1], "to_pixel") == 0, &err);
    else if (argc == 4 && strcmp(argv[1], "column") == 0)
        code = show_column(argv[2], argv[3], &err);
    else if (argc == 4 && strcmp(argv[1], "cuts") == 0)
        code = show_kept(argv[2], argv[3], &err);
    if (err.code)
        fprintf(stderr, "%s\n", err.text);
    return code ? 1 : 0;
}
