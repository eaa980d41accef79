#include "common/cleanup.h"
#include "daemon/worker/mock/tiling.h"
#include "daemon/worker/sky/table.h"
#include "common/path.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

static void bricks_have_names_and_sky_of_their_own(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    CLEANUP(free_ptr) struct tile *tiles = NULL;
    assert_int_equal(tiling_create(&tiles, COUNT, 0.0745, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        const struct tile *tile = &tiles[i];
        char name[BRICK_NAME_MAX];
        snprintf(name, sizeof name, "%04d%c%03d", (int)(tile->ra_deg * 10), tile->dec_deg < 0 ? 'm' : 'p',
                 (int)(fabs(tile->dec_deg) * 10));
        assert_string_equal(tile->brick.name, name);
        assert_true(i == 0 || strcmp(tiles[i - 1].brick.name, tile->brick.name) < 0);
        assert_true(tile->ra1_deg < tile->ra_deg && tile->ra_deg < tile->ra2_deg);
        assert_near((tile->ra2_deg - tile->ra1_deg) * cos(tile->dec_deg * M_PI / 180), 0.25, 0.01);
        assert_near(tile->dec2_deg - tile->dec1_deg, 0.25, 1e-9);
    }
}

static void large_bricks_have_wider_tiles(void **state)
{
    (void)state;
    CLEANUP(free_ptr) struct tile *tiles = NULL;
    assert_int_equal(tiling_create(&tiles, 4, 0.6, NULL), 0);
    assert_near(tiles[0].dec2_deg - tiles[0].dec1_deg, 0.75, 1e-9);
}

static void more_than_the_sky_holds_is_refused(void **state)
{
    (void)state;
    struct tile *tiles = NULL;
    struct err err = {0};
    assert_int_equal(tiling_create(&tiles, 1000000, 0.2, &err), -ERANGE);
    assert_contains(err.text, "bricks is 1000000");
}

static void the_table_of_bricks_is_gzipped_fits(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = path_join(directory, "survey-bricks.fits.gz");
    CLEANUP(free_ptr) struct tile *tiles = NULL;
    CLEANUP(table_close_ptr) struct table *table = NULL;
    double dec[5];
    char names[5 * 8];
    assert_int_equal(tiling_create(&tiles, 5, 0.0745, NULL), 0);
    assert_int_equal(tiling_publish(tiles, 5, directory, NULL), 0);
    assert_int_equal(table_open(&table, path, NULL), 0);
    assert_int_equal(table_read_reals(table, "dec", 0, dec, NULL), 0);
    assert_int_equal(table_read_text(table, "brickname", 8, names, NULL), 0);
    assert_near(dec[4], tiles[4].dec_deg, 0);
    assert_memory_equal(names + 32, tiles[4].brick.name, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bricks_have_names_and_sky_of_their_own),
        cmocka_unit_test(large_bricks_have_wider_tiles),
        cmocka_unit_test(more_than_the_sky_holds_is_refused),
        cmocka_unit_test(the_table_of_bricks_is_gzipped_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
