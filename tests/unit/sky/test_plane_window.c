#include "common/path.h"
#include "daemon/worker/sky/plane_window.h"
#include "tests/unit/check.h"

#include <fitsio.h>

enum { WIDTH = 230, HEIGHT = 310 };

static char *root, *path;
static struct plane whole;

/* 3 x 4 tiles of 100 x 100 px. */
static int make_plane(void **state)
{
    (void)state;
    root = check_directory();
    path = path_join(root, "a.fits.fz");
    CLEANUP(free_ptr) float *pixels = malloc(sizeof *pixels * WIDTH * HEIGHT);
    for (long i = 0; i < WIDTH * HEIGHT; i++)
        pixels[i] = (float)(i * 7919 % 1000);
    struct plane plane = {.width = WIDTH, .height = HEIGHT, .pixels = pixels};
    return plane_write(&plane, path, -0.5f, 3, NULL) || plane_read(&whole, path, NULL);
}

static int remove_plane(void **state)
{
    (void)state;
    plane_free(&whole);
    unlink(path);
    rmdir(root);
    free(path);
    free(root);
    return 0;
}

static void check_part(struct plane_window *window, long x, long y, long width, long height)
{
    assert_int_equal(plane_window_cover(window, x, y, width, height, NULL), 0);
    for (long row = y; row < y + height; row++)
        assert_memory_equal(plane_window_row(window, row) + x, whole.pixels + row * WIDTH + x,
                            (size_t)width * sizeof(float));
}

static void every_part_on_the_way_up_is_as_in_the_whole_plane(void **state)
{
    (void)state;
    CLEANUP(plane_tiles_close_ptr) struct plane_tiles *tiles = NULL;
    CLEANUP(plane_window_close_ptr) struct plane_window *window = NULL;
    assert_int_equal(plane_tiles_open(&tiles, path, NULL), 0);
    assert_int_equal(plane_window_open(&window, tiles, 64, NULL), 0);
    for (long y = 0; y + 64 <= HEIGHT; y += 3) {
        for (long x = 0; x + 64 <= WIDTH; x += 29)
            check_part(window, x, y, 64, 64);
    }
    check_part(window, 0, HEIGHT - 5, WIDTH, 5);
    assert_int_equal(plane_tiles_decoded(tiles), 12); /* each once */
    assert_int_equal(plane_tiles_count(tiles), 12);
}

static void only_tiles_that_are_asked_for_are_decoded(void **state)
{
    (void)state;
    CLEANUP(plane_tiles_close_ptr) struct plane_tiles *tiles = NULL;
    CLEANUP(plane_window_close_ptr) struct plane_window *window = NULL;
    assert_int_equal(plane_tiles_open(&tiles, path, NULL), 0);
    assert_int_equal(plane_window_open(&window, tiles, 64, NULL), 0);
    check_part(window, 10, 10, 64, 64);
    check_part(window, 12, 36, 64, 64);
    assert_int_equal(plane_tiles_decoded(tiles), 1);
    check_part(window, 90, 90, 20, 20);
    assert_int_equal(plane_tiles_decoded(tiles), 4);
    check_part(window, 170, 250, 60, 60);
    assert_int_equal(plane_tiles_decoded(tiles), 4 + 4);
}

static void a_stamp_may_be_higher_than_many_tiles_and_the_image_lower_than_a_stamp(void **state)
{
    (void)state;
    for (long rows = 1; rows <= 310; rows += 103) {
        CLEANUP(plane_tiles_close_ptr) struct plane_tiles *tiles = NULL;
        CLEANUP(plane_window_close_ptr) struct plane_window *window = NULL;
        assert_int_equal(plane_tiles_open(&tiles, path, NULL), 0);
        assert_int_equal(plane_window_open(&window, tiles, rows, NULL), 0);
        for (long y = 0; y + rows <= HEIGHT; y += 11)
            check_part(window, 3, y, 201, rows);
        assert_true(plane_tiles_decoded(tiles) <= 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_on_the_way_up_is_as_in_the_whole_plane),
        cmocka_unit_test(only_tiles_that_are_asked_for_are_decoded),
        cmocka_unit_test(a_stamp_may_be_higher_than_many_tiles_and_the_image_lower_than_a_stamp),
    };
    return cmocka_run_group_tests(tests, make_plane, remove_plane);
}
