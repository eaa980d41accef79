#include "common/file.h"
#include "common/path.h"
#include "common/rng.h"
#include "common/str.h"
#include "daemon/worker/sky/plane.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fitsio.h>
#include <math.h>

enum {
    WIDTH = 120,
    HEIGHT = 90,
    STREAM_NOISE = 1,
    STREAM_FLIPS = 2,
    FLIPS = 400,
    HEADER_AT = 2880,
    DATA_AT = 2 * 2880
};

static char *root, *packed_path, *plain_path;

static void write_image(const char *path, int compression)
{
    fitsfile *file = NULL;
    int status = 0;
    long sides[2] = {WIDTH, HEIGHT}, tile[2] = {50, 40}, first[2] = {1, 1};
    float pixels[WIDTH * HEIGHT];
    struct rng rng;
    rng_init(&rng, 1, STREAM_NOISE, 0);
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        pixels[i] = (float)rng_normal(&rng);
    pixels[5] = NAN;
    pixels[7] = INFINITY;
    fits_create_diskfile(&file, path, &status);
    if (compression) {
        fits_set_compression_type(file, compression, &status);
        fits_set_tile_dim(file, 2, tile, &status);
    }
    fits_create_img(file, FLOAT_IMG, 2, sides, &status);
    fits_write_pix(file, TFLOAT, first, WIDTH * HEIGHT, pixels, &status);
    fits_write_chksum(file, &status);
    fits_close_file(file, &status);
    assert_int_equal(status, 0);
}

static int make_images(void **state)
{
    (void)state;
    root = check_directory();
    packed_path = path_join(root, "packed.fits.fz");
    plain_path = path_join(root, "plain.fits");
    write_image(packed_path, RICE_1);
    write_image(plain_path, 0);
    return 0;
}

static int remove_images(void **state)
{
    (void)state;
    unlink(packed_path);
    unlink(plain_path);
    free(packed_path);
    free(plain_path);
    int status = rmdir(root);
    free(root);
    return status;
}

static void packed_and_plain_images_are_read_alike(void **state)
{
    (void)state;
    struct plane packed, plain;
    struct err err;
    assert_int_equal(plane_read(&packed, packed_path, &err), 0);
    assert_int_equal(plane_read(&plain, plain_path, &err), 0);
    assert_int_equal(plain.width, WIDTH);
    assert_int_equal(plain.height, HEIGHT);
    assert_string_equal(packed.compression, "RICE_1");
    assert_string_equal(plain.compression, "");
    assert_int_equal(strlen(packed.header) % 80, 0);
    assert_contains(packed.header, "NAXIS1  =                  120");
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        assert_near(packed.pixels[i], plain.pixels[i], 0.2);
    plane_free(&packed);
    plane_free(&plain);
}

static void pixels_that_are_not_finite_become_zero(void **state)
{
    (void)state;
    struct plane plane;
    assert_int_equal(plane_read(&plane, plain_path, NULL), 0);
    assert_true(plane.pixels[5] == 0 && plane.pixels[7] == 0 && plane.pixels[6] != 0);
    plane_free(&plane);
}

/* Reads `size` bytes as if they were a file; 0 or the error, with what the sentence must hold. */
static int read_bytes(const char *bytes, size_t size, struct plane *plane, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(root, "spoiled.fits");
    FILE *stream = fopen(path, "wb"); /* without file_publish's fsync, of which there would be thousands */
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
    int code = plane_read(plane, path, err);
    if (code)
        assert_contains(err->text, "spoiled.fits");
    unlink(path);
    return code;
}

static void a_file_cut_anywhere_is_refused_with_its_name(void **state)
{
    (void)state;
    const char *const paths[] = {packed_path, plain_path};
    for (size_t p = 0; p < 2; p++) {
        CLEANUP(free_ptr) char *bytes = NULL;
        size_t size;
        assert_int_equal(file_read(paths[p], 1 << 20, &bytes, &size, NULL), 0);
        for (size_t cut = 0; cut + 2880 <= size; cut += 512) {
            struct plane plane;
            struct err err = {0};
            assert_int_not_equal(read_bytes(bytes, cut, &plane, &err), 0);
            assert_null(plane.pixels);
        }
    }
}

/* Some bytes of from .. from+range-1 replaced by those of an alphabet, or by any. How often that was noticed.
 */
static int read_damaged(size_t from, size_t range, const char *alphabet, uint64_t seed)
{
    CLEANUP(free_ptr) char *bytes = NULL;
    size_t size;
    int refused = 0;
    assert_int_equal(file_read(packed_path, 1 << 20, &bytes, &size, NULL), 0);
    for (uint64_t trial = 0; trial < FLIPS; trial++) {
        CLEANUP(free_ptr) char *spoiled = malloc(size);
        struct plane plane;
        struct err err = {0};
        struct rng rng;
        rng_init(&rng, seed, STREAM_FLIPS, trial);
        memcpy(spoiled, bytes, size);
        for (int i = 0; i < 4; i++) {
            size_t at = from + rng_below(&rng, range ? range : size - from);
            spoiled[at] = (char)(alphabet ? alphabet[rng_below(&rng, strlen(alphabet))]
                                          : spoiled[at] + 1 + (int)rng_below(&rng, 255));
        }
        if (read_bytes(spoiled, size, &plane, &err) == 0)
            assert_true(plane.width > 0 && plane.width <= 30000 && plane.height > 0 && plane.height <= 30000);
        else
            refused++;
        plane_free(&plane);
    }
    return refused;
}

/* Whatever a damaged file says, reading ends, and with a sentence or an image of a sane size. */
static void damaged_files_are_survived(void **state)
{
    (void)state;
    int headers = read_damaged(HEADER_AT, DATA_AT - HEADER_AT, "0123456789 -'=T", 1);
    int bytes = read_damaged(HEADER_AT, DATA_AT - HEADER_AT, NULL, 2);
    int data = read_damaged(DATA_AT, 0, NULL, 3);
    print_message("damage noticed in %d + %d headers and %d data of %d each\n", headers, bytes, data, FLIPS);
    assert_true(headers > 0 && bytes > 0);
    assert_int_equal(data, FLIPS);
}

/* One card of the compressed image replaced. */
static void header_values_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *words, *over; /* over: the card it takes the place of, else its own */
    } BAD[] = {
        {"ZNAXIS1 ", "40000", "40000 x 90 px"},
        {"ZNAXIS2 ", "0", "120 x 0 px"},
        {"ZNAXIS  ", "3", "3 axes"},
        {"ZTILE1  ", "121", "tiles of 121 x 40"},
        {"ZTILE2  ", "0", "tiles of 50 x 0"},
        {"ZTILE1  ", "10", "rows of tiles"},
        {"ZVAL1   ", "0", "ZVAL1 0"},
        {"ZVAL2   ", "3", "ZVAL2 3"},
        {"ZCMPTYPE", "'PLIO_1'", "PLIO_1"},
        {"ZCMPTYPE", "'HCOMPRESS_1'", "fpack -r"},
        {"ZBITPIX ", "7", "ZBITPIX 7"},
        {"ZDITHER0", "70000", "ZDITHER0 70000"},
        {"BITPIX  ", "-9223372036854775808", "makes no sense"},
        {"PCOUNT  ", "999999999", "is cut short"},
        {"PCOUNT  ", "10", "lies outside"},
        {"TZERO1  ", "255", "TZERO1 scales", "CHECKSUM"},
        {"TSCAL1  ", "2.0", "TSCAL1 or", "CHECKSUM"},
    };
    CLEANUP(free_ptr) char *bytes = NULL;
    size_t size;
    assert_int_equal(file_read(packed_path, 1 << 20, &bytes, &size, NULL), 0);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        CLEANUP(free_ptr) char *spoiled = malloc(size);
        struct plane plane;
        struct err err = {0};
        memcpy(spoiled, bytes, size);
        char *card = memmem(spoiled + 2880, size - 2880, BAD[i].over ? BAD[i].over : BAD[i].key, 8), text[81];
        char *sum = memmem(spoiled + 2880, size - 2880, "DATASUM ", 8);
        assert_true(card && sum);
        memcpy(sum, "COMMENT ", 8); /* which would notice most of these too */
        snprintf(text, sizeof text, "%-8s= %20s%50s", BAD[i].key, BAD[i].value, "");
        if (BAD[i].value[0] == '\'')
            snprintf(text, sizeof text, "%-8s= %-20s%50s", BAD[i].key, BAD[i].value, "");
        memcpy(card, text, 80);
        assert_int_not_equal(read_bytes(spoiled, size, &plane, &err), 0);
        assert_contains(err.text, BAD[i].words);
    }
}

static void names_are_taken_literally(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *odd = path_join(root, "a[1](b)!.fits.fz");
    CLEANUP(free_ptr) char *missing = str_format("%s(copy.fits)", packed_path);
    struct plane plane;
    struct err err;
    assert_int_equal(link(packed_path, odd), 0);
    assert_int_equal(plane_read(&plane, odd, &err), 0);
    plane_free(&plane);
    unlink(odd);
    assert_int_equal(plane_read(&plane, missing, &err), -ENOENT);
    assert_false(path_exists("copy.fits"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_and_plain_images_are_read_alike),
        cmocka_unit_test(pixels_that_are_not_finite_become_zero),
        cmocka_unit_test(a_file_cut_anywhere_is_refused_with_its_name),
        cmocka_unit_test(header_values_that_cannot_be_are_refused),
        cmocka_unit_test(damaged_files_are_survived),
        cmocka_unit_test(names_are_taken_literally),
    };
    return cmocka_run_group_tests(tests, make_images, remove_images);
}
