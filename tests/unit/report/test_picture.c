#include "daemon/worker/report/picture.h"
#include "common/path.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <png.h>
#include <stdbool.h>

static const struct rgb BLACK = {0, 0, 0}, RED = {255, 0, 0};

static struct rgb at(const struct picture *picture, int x, int y)
{
    return picture->pixels[y * picture->width_px + x];
}

static void drawing_outside_is_cut_off(void **state)
{
    (void)state;
    struct picture *picture = picture_create(10, 6, BLACK);
    picture_fill(picture, -3, -3, 5, 5, RED);
    picture_fill(picture, 8, 4, 100, 100, RED);
    picture_fill(picture, 20, 20, 5, 5, RED);
    picture_fill(picture, 4, 4, -2, 2, RED);
    picture_text(picture, -20, -5, 2, RED, "far \xff out");
    int red = 0;
    for (int i = 0; i < 60; i++)
        red += picture->pixels[i].r == 255;
    assert_true(at(picture, 1, 1).r == 255 && at(picture, 9, 5).r == 255 && at(picture, 5, 2).r == 0);
    assert_true(red >= 8);
    picture_destroy(picture);
    picture_destroy(NULL);
}

static void text_draws_each_letter_its_own_way(void **state)
{
    (void)state;
    struct picture *picture = picture_create(96 * 8, 13, BLACK);
    char all[96] = {0};
    for (int i = 0; i < 95; i++)
        all[i] = (char)(32 + i);
    picture_text(picture, 0, 0, 1, RED, all);
    for (int i = 0; i < 95; i++) {
        for (int j = 0; j < i; j++) {
            bool same = true;
            for (int p = 0; p < 8 * 13; p++)
                same &= at(picture, 8 * i + p % 8, p / 8).r == at(picture, 8 * j + p % 8, p / 8).r;
            if (same)
                fail_msg("'%c' and '%c' look alike", all[i], all[j]);
        }
    }
    picture_destroy(picture);
}

static void png_is_read_back_the_same(void **state)
{
    (void)state;
    char *directory = check_directory(), *path = path_join(directory, "a.png");
    struct picture *picture = picture_create(37, 21, BLACK);
    for (int i = 0; i < 37 * 21; i++)
        picture->pixels[i] = (struct rgb){(uint8_t)i, (uint8_t)(i * 5), (uint8_t)(i >> 3)};
    assert_int_equal(picture_publish_png(picture, path, NULL), 0);
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    assert_true(image.width == 37 && image.height == 21 && image.format == PNG_FORMAT_RGB);
    struct rgb back[37 * 21];
    assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
    assert_memory_equal(back, picture->pixels, sizeof back);
    struct err err = {0};
    assert_int_equal(picture_publish_png(picture, "/nowhere/a.png", &err), -ENOENT);
    assert_contains(err.text, "/nowhere");
    picture_destroy(picture);
    unlink(path);
    rmdir(directory);
    free(path);
    free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawing_outside_is_cut_off),
        cmocka_unit_test(text_draws_each_letter_its_own_way),
        cmocka_unit_test(png_is_read_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
