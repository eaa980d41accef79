#include "common/path.h"
#include "common/rng.h"
#include "daemon/worker/sky/cards.h"
#include "daemon/worker/sky/coadd.h"
#include "daemon/worker/sky/receipt.h"
#include "daemon/worker/sky/table.h"
#include "common/file.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

enum { WIDTH = 230, HEIGHT = 150 };
#define SIGMA 0.003

static char *directory;

static int make_directory(void **state)
{
    (void)state;
    directory = check_directory();
    return 0;
}

static void fill_coadd(struct coadd *coadd)
{
    memset(coadd, 0, sizeof *coadd);
    coadd->width = WIDTH;
    coadd->height = HEIGHT;
    for (int b = 0; b < BAND_COUNT; b++) {
        struct rng rng;
        rng_init(&rng, 3, 1, (uint64_t)b);
        struct plane *image = &coadd->image[b], *invvar = &coadd->invvar[b];
        *image =
            (struct plane){.width = WIDTH, .height = HEIGHT, .pixels = calloc(WIDTH * HEIGHT, sizeof(float))};
        *invvar =
            (struct plane){.width = WIDTH, .height = HEIGHT, .pixels = calloc(WIDTH * HEIGHT, sizeof(float))};
        cards_add_text(&image->header, "BUNIT", "nanomaggy", "unit");
        cards_add_real(&image->header, "CRVAL1", 135.25, "ra");
        cards_add_text(&invvar->header, "BUNIT", "1/nanomaggy^2", "unit");
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            if (i % WIDTH == 17)
                continue; /* a bad column */
            image->pixels[i] = (float)(SIGMA * rng_normal(&rng));
            invvar->pixels[i] = (float)(1 / (SIGMA * SIGMA));
        }
    }
}

static void planes_come_back_but_for_a_fraction_of_their_noise(void **state)
{
    (void)state;
    CLEANUP(coadd_free) struct coadd written;
    CLEANUP(coadd_free) struct coadd read = {0};
    const struct brick brick = {"1350p000", "rs0"};
    double sum = 0, cards = 0;
    fill_coadd(&written);
    assert_int_equal(coadd_publish(&written, directory, &brick, 1, NULL), 0);
    assert_int_equal(coadd_read_back(&read, directory, &brick, NULL), 0);
    assert_int_equal(read.width, WIDTH);
    assert_int_equal(read.height, HEIGHT);
    assert_string_equal(read.image[0].compression, "RICE_1");
    assert_string_equal(read.image[0].quantize, "SUBTRACTIVE_DITHER_2");
    assert_true(cards_find_real(read.image[2].header, "CRVAL1", &cards));
    assert_near(cards, 135.25, 0);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        double difference = (read.image[1].pixels[i] - written.image[1].pixels[i]) / SIGMA;
        assert_near(difference, 0, 1 / 50.0);
        assert_near(read.invvar[1].pixels[i] * SIGMA * SIGMA, i % WIDTH == 17 ? 0 : 1, 2e-4);
        sum += difference * difference;
        if (i % WIDTH == 17)
            assert_true(read.image[1].pixels[i] == 0 && read.invvar[1].pixels[i] == 0);
    }
    assert_true(sum / (WIDTH * HEIGHT) < 2e-4);
}

static void the_same_coadd_makes_the_same_bytes(void **state)
{
    (void)state;
    CLEANUP(coadd_free) struct coadd coadd;
    CLEANUP(free_ptr) char *path = NULL;
    const struct brick brick = {"1350p000", ""};
    uint64_t first, second;
    fill_coadd(&coadd);
    assert_int_equal(coadd_publish(&coadd, directory, &brick, 1, NULL), 0);
    assert_int_equal(survey_plane_path(directory, &brick, "image", 'g', &path, NULL), 0);
    assert_int_equal(file_checksum(path, &first, NULL), 0);
    assert_int_equal(coadd_publish(&coadd, directory, &brick, 1, NULL), 0);
    assert_int_equal(file_checksum(path, &second, NULL), 0);
    assert_true(first == second);
}

static void a_wrong_dither_seed_is_refused(void **state)
{
    (void)state;
    float pixel = 1;
    const struct plane plane = {.width = 1, .height = 1, .pixels = &pixel};
    struct err err = {0};
    assert_int_equal(plane_write(&plane, "/nowhere/a.fits.fz", 16, 0, &err), -EINVAL);
    assert_contains(err.text, "dither seed 0");
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    (void)state;
    float pixel = 1;
    const struct plane plane = {.width = 1, .height = 1, .pixels = &pixel};
    struct err err = {0};
    assert_int_not_equal(plane_write(&plane, "/nowhere/a.fits.fz", 16, 1, &err), 0);
    assert_contains(err.text, "/nowhere");
}

static void tables_come_back(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = path_join(directory, "t.fits");
    CLEANUP(table_close_ptr) struct table *table = NULL;
    const double reals[3] = {1.5, -2, 1e300};
    const int64_t longs[3] = {1, -2, INT64_MAX};
    const int16_t shorts[3] = {1, -2, 32767};
    const bool flags[3] = {true, false, true};
    const struct table_column columns[] = {{"a", TABLE_REAL64, 0, "deg", reals},
                                           {"b", TABLE_INT64, 0, NULL, longs},
                                           {"c", TABLE_INT16, 0, NULL, shorts},
                                           {"d", TABLE_BOOL, 0, NULL, flags},
                                           {"e", TABLE_TEXT, 3, NULL, "PSFREXEXP"}};
    const struct table_key key = {"MADEBY", "a test", "for a test"};
    double values[3];
    int64_t ints[3];
    char text[9];
    assert_int_equal(table_publish(path, "THINGS", 3, columns, 5, &key, 1, NULL), 0);
    assert_int_equal(table_open(&table, path, NULL), 0);
    assert_int_equal(table_rows(table), 3);
    assert_int_equal(table_read_reals(table, "A", 0, values, NULL), 0);
    assert_memory_equal(values, reals, sizeof reals);
    assert_int_equal(table_read_ints(table, "b", ints, NULL), 0);
    assert_memory_equal(ints, longs, sizeof longs);
    assert_int_equal(table_read_ints(table, "c", ints, NULL), 0);
    assert_int_equal(ints[2], 32767);
    assert_int_equal(table_read_ints(table, "d", ints, NULL), 0);
    assert_int_equal(ints[0] * 100 + ints[1] * 10 + ints[2], 101);
    assert_int_equal(table_read_text(table, "e", 3, text, NULL), 0);
    assert_memory_equal(text, "PSFREXEXP", 9);
}

static void an_empty_table_can_be_written(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = path_join(directory, "empty.fits.gz");
    CLEANUP(table_close_ptr) struct table *table = NULL;
    const struct table_column column = {"a", TABLE_REAL64, 0, NULL, NULL};
    assert_int_equal(table_publish(path, "NONE", 0, &column, 1, NULL, 0, NULL), 0);
    assert_int_equal(table_open(&table, path, NULL), 0);
    assert_int_equal(table_rows(table), 0);
}

static void set_time(const char *path, time_t seconds)
{
    const struct timespec times[] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* For the files that were made and for the inputs alike. */
static void a_receipt_holds_until_a_file_changes(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *path = path_join(directory, "r/receipt.json");
    CLEANUP(free_ptr) char *made = path_join(directory, "made");
    CLEANUP(free_ptr) char *input = path_join(directory, "input");
    const char *const ins[] = {input}, *const outs[] = {made}, *const both[] = {input, made};
    json_t *origin = json_pack("{s:i}", "seed", 1), *other = json_pack("{s:i}", "seed", 2);
    json_t *counts = json_pack("{s:i}", "fakes", 7), *inputs = NULL, *files = NULL;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(file_publish(both[i], "content", 7, NULL), 0);
        set_time(both[i], 1000);
    }
    assert_int_equal(receipt_list_files(ins, 1, &inputs, NULL), 0);
    assert_int_equal(receipt_list_files(outs, 1, &files, NULL), 0);
    json_t *whole = json_copy(origin), *read = NULL;
    json_object_set(whole, "inputs", inputs);
    assert_false(receipt_holds(path, origin, ins, 1, &read));
    assert_int_equal(receipt_publish(path, whole, counts, files, NULL), 0);
    assert_true(receipt_holds(path, origin, ins, 1, &read));
    assert_true(json_equal(read, counts));
    json_decref(read);
    assert_false(receipt_holds(path, other, ins, 1, &read));
    assert_false(receipt_holds(path, origin, outs, 1, &read));
    assert_false(receipt_holds(path, origin, NULL, 0, &read));
    for (int i = 0; i < 2; i++) {
        set_time(both[i], 2000); /* a copy */
        assert_true(receipt_holds(path, origin, ins, 1, &read));
        json_decref(read);
        assert_int_equal(file_publish(both[i], "c0ntent", 7, NULL), 0);
        assert_false(receipt_holds(path, origin, ins, 1, &read));
        set_time(both[i], 1000); /* not read again */
        assert_true(receipt_holds(path, origin, ins, 1, &read));
        json_decref(read);
        assert_int_equal(file_publish(both[i], "contents", 8, NULL), 0);
        set_time(both[i], 1000);
        assert_false(receipt_holds(path, origin, ins, 1, &read));
        assert_int_equal(file_publish(both[i], "content", 7, NULL), 0);
    }
    json_t *const all[] = {origin, other, counts, inputs, files, whole};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        json_decref(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_come_back_but_for_a_fraction_of_their_noise),
        cmocka_unit_test(the_same_coadd_makes_the_same_bytes),
        cmocka_unit_test(a_wrong_dither_seed_is_refused),
        cmocka_unit_test(a_folder_that_is_not_there_is_named),
        cmocka_unit_test(tables_come_back),
        cmocka_unit_test(an_empty_table_can_be_written),
        cmocka_unit_test(a_receipt_holds_until_a_file_changes),
    };
    return cmocka_run_group_tests(tests, make_directory, NULL);
}
