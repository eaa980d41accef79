/* See tiling.h. */
#include "daemon/worker/mock/tiling.h"
#include "common/path.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define TILE_DEG    0.25
#define CENTRE_DEG  135.0
#define HIGHEST_DEG 60.0

static int tile_order(const void *a, const void *b)
{
    return strcmp(((const struct tile *)a)->brick.name, ((const struct tile *)b)->brick.name);
}

/* Row 0 lies just north of the equator, 1 south of it, 2 north of row 0, ... */
static struct tile tile_at(long row, long column, double spacing_deg)
{
    struct tile tile = {.row = (int)row, .column = (int)column};
    double dec = spacing_deg * (row % 2 ? -(double)(row / 2) - 0.5 : (double)(row / 2) + 0.5);
    double highest = fabs(dec) + 0.5 * spacing_deg;
    double step = 360 / floor(360 * cos(highest * M_PI / 180) / spacing_deg);
    double ra = CENTRE_DEG + step * (column % 2 ? -(double)(column / 2) - 0.5 : (double)(column / 2) + 0.5);
    tile.ra_deg = fmod(ra + 360, 360);
    tile.dec_deg = dec;
    tile.ra1_deg = tile.ra_deg - 0.5 * step;
    tile.ra2_deg = tile.ra_deg + 0.5 * step;
    tile.dec1_deg = dec - 0.5 * spacing_deg;
    tile.dec2_deg = dec + 0.5 * spacing_deg;
    snprintf(tile.brick.name, sizeof tile.brick.name, "%04d%c%03d", (int)(tile.ra_deg * 10),
             dec < 0 ? 'm' : 'p', (int)(fabs(dec) * 10));
    return tile;
}

int tiling_create(struct tile **tiles, long count, double side_deg, struct err *err)
{
    double spacing = TILE_DEG * fmax(1, ceil(side_deg / (1.05 * TILE_DEG))); /* real bricks overlap by 5 % */
    long columns = (long)ceil(sqrt((double)count)), rows = (count + columns - 1) / columns;
    double highest = spacing * (double)((rows + 1) / 2);
    if (highest > HIGHEST_DEG || (double)columns > floor(360 * cos(highest * M_PI / 180) / spacing))
        return err_set(err, -ERANGE, "bricks is %ld: so many bricks of %.2f deg do not fit on the sky", count,
                       side_deg);
    struct tile *made = calloc((size_t)count, sizeof *made);
    if (!made)
        return err_set(err, -ENOMEM, "out of memory for %ld bricks", count);
    for (long i = 0; i < count; i++)
        made[i] = tile_at(i / columns, i % columns, spacing);
    qsort(made, (size_t)count, sizeof *made, tile_order);
    *tiles = made;
    return 0;
}

enum { NAME_WIDTH = 8, REALS = 6 };

int tiling_publish(const struct tile *tiles, long count, const char *directory, struct err *err)
{
    size_t rows = (size_t)count;
    CLEANUP(free_ptr) char *path = path_join(directory, "survey-bricks.fits.gz");
    CLEANUP(free_ptr) char *names = calloc(rows, NAME_WIDTH);
    CLEANUP(free_ptr) int32_t *ints = calloc(rows, 3 * sizeof *ints);
    CLEANUP(free_ptr) double *reals = calloc(rows, REALS * sizeof *reals);
    if (!names || !ints || !reals)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    for (size_t i = 0; i < rows; i++) {
        const struct tile *tile = &tiles[i];
        const double values[REALS] = {tile->ra_deg,  tile->dec_deg,  tile->ra1_deg,
                                      tile->ra2_deg, tile->dec1_deg, tile->dec2_deg};
        memcpy(names + i * NAME_WIDTH, tile->brick.name, NAME_WIDTH);
        ints[i] = (int32_t)i + 1;
        ints[rows + i] = tile->row;
        ints[2 * rows + i] = tile->column;
        for (size_t c = 0; c < REALS; c++)
            reals[c * rows + i] = values[c];
    }
    const struct table_column columns[] = {
        {"brickname", TABLE_TEXT, NAME_WIDTH, NULL, names},
        {"brickid", TABLE_INT32, 0, NULL, ints},
        {"brickrow", TABLE_INT32, 0, NULL, ints + rows},
        {"brickcol", TABLE_INT32, 0, NULL, ints + 2 * rows},
        {"ra", TABLE_REAL64, 0, "deg", reals},
        {"dec", TABLE_REAL64, 0, "deg", reals + rows},
        {"ra1", TABLE_REAL64, 0, "deg", reals + 2 * rows},
        {"ra2", TABLE_REAL64, 0, "deg", reals + 3 * rows},
        {"dec1", TABLE_REAL64, 0, "deg", reals + 4 * rows},
        {"dec2", TABLE_REAL64, 0, "deg", reals + 5 * rows},
    };
    return table_publish(path, "BRICKS", rows, columns, sizeof columns / sizeof *columns, NULL, 0, err);
}
