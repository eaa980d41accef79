/* Each leak is planted into cutout files, split and audited: it must be found, and a clean set must pass. */
#include "common/file.h"
#include "daemon/worker/dataset/h5.h"
#include "proto/json.h"
#include "tests/unit/split/cutouts_fixture.h"

#include <errno.h>

enum { BRICKS = 9, PER_BRICK = 60 };

static char *search_path; /* with gnuplot; most tests do without, for speed */

/* audit.json of a dataset, into "audit" beside it. */
static json_t *audit_dataset(const char *dataset)
{
    CLEANUP(free_ptr) char *directory = path_directory(dataset);
    CLEANUP(free_ptr) char *out = path_join(directory, "audit");
    CLEANUP(free_ptr) char *path = path_join(out, "audit.json");
    json_t *audit;
    assert_int_equal(
        fixture_run("audit", audit_run, json_pack("{ss ss}", "out", out, "dataset", dataset), NULL), 0);
    assert_int_equal(json_read_file(path, &audit, NULL), 0);
    return audit;
}

static json_t *audit_fixture(const struct fixture *fixture)
{
    CLEANUP(free_ptr) char *cutouts = fixture_make(fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL);
    assert_non_null(dataset);
    return audit_dataset(dataset);
}

static json_t *find_check(const json_t *audit, const char *name)
{
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(audit, "checks"), i, check)
    {
        if (strcmp(json_string_value(json_object_get(check, "name")), name) == 0)
            return check;
    }
    fail_msg("there is no check %s", name);
    return NULL;
}

static double value_of(const json_t *audit, const char *name)
{
    return json_number_value(json_object_get(find_check(audit, name), "value"));
}

/* Only the checks named (parted by a blank, with blanks around) warn. */
static void assert_warned(const json_t *audit, const char *names)
{
    size_t i, warned = 0;
    json_t *check;
    json_array_foreach(json_object_get(audit, "checks"), i, check)
    {
        CLEANUP(free_ptr) char *name = str_format(" %s ", json_string_value(json_object_get(check, "name")));
        bool warn = strcmp(json_string_value(json_object_get(check, "status")), "warn") == 0;
        if (warn != (strstr(names, name) != NULL))
            fail_msg("%s: %s", name, json_string_value(json_object_get(check, "sentence")));
        warned += warn;
    }
    assert_int_equal(json_integer_value(json_object_get(audit, "warnings")), warned);
}

static void audit_passes_a_clean_set(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, "");
    assert_int_equal(json_array_size(json_object_get(audit, "checks")), 21);
    static const char *const ABSENT[] = {"fractions_x", "fractions_y", "selection_r_z", "selection_mag_z",
                                         "selection_rhalf"};
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(json_string_value(json_object_get(find_check(audit, ABSENT[i]), "status")),
                            "impossible");
        assert_contains(json_string_value(json_object_get(find_check(audit, ABSENT[i]), "sentence")),
                        "no column");
    }
    assert_int_equal(json_integer_value(json_object_get(audit, "impossible")), 5);
    json_decref(audit);
}

static void shift_fakes(struct fixture_stamp *stamp)
{
    float moved[FIXTURE_ROW];
    memcpy(moved, stamp->pixels, sizeof moved);
    for (int y = 1; y < FIXTURE_SIDE && stamp->label; y++)
        memcpy(moved + (y * FIXTURE_SIDE + 1) * FIXTURE_CHANNELS,
               stamp->pixels + (y - 1) * FIXTURE_SIDE * FIXTURE_CHANNELS,
               (FIXTURE_SIDE - 1) * FIXTURE_CHANNELS * sizeof *moved);
    if (stamp->label)
        memcpy(stamp->pixels, moved, sizeof moved);
}

static void audit_finds_a_shift_of_one_pixel(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .change = shift_fakes};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " placement ");
    assert_near(value_of(audit, "placement"), 1, 0.1);
    json_decref(audit);
}

static void dip_fakes(struct fixture_stamp *stamp)
{
    for (int i = 0; i < FIXTURE_SIDE * FIXTURE_SIDE && stamp->label; i++) {
        int dx = i % FIXTURE_SIDE - FIXTURE_SIDE / 2, dy = i / FIXTURE_SIDE - FIXTURE_SIDE / 2;
        if (dx * dx + dy * dy <= 4)
            stamp->pixels[i * FIXTURE_CHANNELS + 5] *= 0.9f;
    }
}

static void audit_finds_a_dip_of_invvar(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .change = dip_fakes};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " invvar ");
    assert_near(value_of(audit, "invvar"), 0.1, 0.01);
    assert_contains(json_string_value(json_object_get(find_check(audit, "invvar"), "sentence")), "in z");
    json_decref(audit);
}

static void raise_fakes(struct fixture_stamp *stamp)
{
    for (int i = 0; i < FIXTURE_ROW && stamp->label; i += FIXTURE_CHANNELS)
        stamp->pixels[i] += 0.3f;
}

static void audit_finds_another_background(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .change = raise_fakes};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " background ");
    json_decref(audit);
}

static void smooth_fakes(struct fixture_stamp *stamp)
{
    for (int i = FIXTURE_ROW - 1; i >= FIXTURE_CHANNELS && stamp->label; i--) {
        if (i % 2 == 0)
            stamp->pixels[i] = 0.96f * stamp->pixels[i] + 0.28f * stamp->pixels[i - FIXTURE_CHANNELS];
    }
}

static void audit_finds_another_noise_texture(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .change = smooth_fakes};
    json_t *audit = audit_fixture(&fixture);
    assert_string_equal(json_string_value(json_object_get(find_check(audit, "texture"), "status")), "warn");
    assert_near(value_of(audit, "texture"), 0.14, 0.05);
    json_decref(audit);
}

static void repeat_stamps(struct fixture_stamp *stamp)
{
    struct fixture_stamp first = *stamp;
    first.row = 0;
    if (stamp->row == 7 && stamp->label)
        fixture_draw(&first);
}

static void audit_finds_duplicates(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .change = repeat_stamps};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " duplicates ");
    assert_near(value_of(audit, "duplicates"), 2 * BRICKS, 0);
    json_decref(audit);
}

static void audit_finds_other_compression(void **state)
{
    (void)state;
    const struct fixture fixture = {
        .bricks = BRICKS, .per_brick = PER_BRICK, .compression = {"RICE_1", "GZIP_1"}};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " headers ");
    assert_contains(json_string_value(json_object_get(find_check(audit, "headers"), "sentence")),
                    "compression");
    json_decref(audit);
}

static void audit_finds_another_selection(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .mag_offset_fake = 0.3};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " selection_mag_g selection_mag_r ");
    json_decref(audit);
}

static void audit_finds_another_colour(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .red_offset_fake = 0.15};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " selection_mag_r selection_g_r ");
    assert_contains(json_string_value(json_object_get(find_check(audit, "selection_g_r"), "sentence")),
                    "AUC 0.");
    json_decref(audit);
}

static void audit_finds_fakes_that_keep_their_distance(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .neighbour_factor_fake = 2};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " selection_neighbour ");
    json_decref(audit);
}

static void mask_fakes(struct fixture_stamp *stamp)
{
    for (int y = 0; y < FIXTURE_SIDE && stamp->label; y++) {
        if (stamp->row % 3 == 0)
            stamp->pixels[(y * FIXTURE_SIDE + 3) * FIXTURE_CHANNELS + 3] = 0;
    }
}

static void audit_finds_masked_pixels_of_one_class(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .change = mask_fakes};
    json_t *audit = audit_fixture(&fixture);
    assert_warned(audit, " masks ");
    assert_near(value_of(audit, "masks"), 1 / 3.0 / FIXTURE_SIDE, 0.003);
    assert_contains(json_string_value(json_object_get(find_check(audit, "masks"), "sentence")), "in r");
    json_decref(audit);
}

/* Bytes of a file of a dataset, changed by `change`, back into it. */
static void alter_file(const char *dataset, const char *name, void change(char *data, size_t size))
{
    CLEANUP(free_ptr) char *path = path_join(dataset, name);
    CLEANUP(free_ptr) char *data = NULL;
    size_t size;
    assert_int_equal(file_read(path, 1 << 30, &data, &size, NULL), 0);
    change(data, size);
    assert_int_equal(file_publish(path, data, size, NULL), 0);
}

/* int64 labels behind a header of 128 bytes. */
static void sort_labels(char *data, size_t size)
{
    int64_t *labels = (int64_t *)(data + 128);
    size_t count = (size - 128) / sizeof *labels, fakes = 0;
    for (size_t i = 0; i < count; i++)
        fakes += labels[i] != 0;
    for (size_t i = 0; i < count; i++)
        labels[i] = i < fakes;
}

static void audit_finds_labels_that_lie_in_order(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL);
    for (int k = 1; k <= 5; k++) {
        CLEANUP(free_ptr) char *name = str_format("ytrain_%d.npy", k);
        alter_file(dataset, name, sort_labels);
    }
    json_t *audit = audit_dataset(dataset);
    assert_string_equal(json_string_value(json_object_get(find_check(audit, "order"), "status")), "warn");
    assert_contains(json_string_value(json_object_get(find_check(audit, "order"), "sentence")),
                    "lie together");
    assert_near(value_of(audit, "integrity"), 5, 0);
    json_decref(audit);
}

/* Every brick of the index becomes one. */
static void merge_bricks(char *data, size_t size)
{
    for (size_t i = 0; i + 8 <= size; i++) {
        if (memcmp(data + i, "000", 3) == 0 && memcmp(data + i + 4, "p010", 4) == 0)
            data[i + 3] = '0';
    }
}

static void audit_finds_bricks_in_two_parts(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL);
    alter_file(dataset, "index.h5", merge_bricks);
    json_t *audit = audit_dataset(dataset);
    assert_warned(audit, " overlap ");
    assert_near(value_of(audit, "overlap"), 1, 0);
    json_decref(audit);
}

/* Every ra of the index becomes one. */
static void join_meridians(const char *dataset)
{
    CLEANUP(free_ptr) char *path = path_join(dataset, "index.h5");
    CLEANUP(free_ptr) char **names = NULL;
    CLEANUP(h5_close_ptr) struct h5 *from = NULL;
    struct h5 *to;
    size_t count;
    assert_int_equal(h5_open(&from, path, NULL), 0);
    assert_int_equal(h5_create(&to, path, NULL), 0);
    assert_int_equal(h5_names(from, "/", &names, &count, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        struct h5_shape shape;
        assert_int_equal(h5_shape(from, names[i], &shape, NULL), 0);
        CLEANUP(free_ptr) double *values = calloc(shape.count, h5_item_size(shape.type, shape.width));
        assert_int_equal(h5_read(from, names[i], shape.type, shape.width, shape.count, values, NULL), 0);
        for (size_t row = 0; row < shape.count && strcmp(names[i], "ra") == 0; row++)
            values[row] = 10;
        assert_int_equal(h5_write(to, names[i], shape.type, shape.width, 1, &shape.count, values, NULL), 0);
    }
    assert_int_equal(h5_publish(to, NULL), 0);
}

static void audit_finds_an_object_in_two_parts(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL);
    join_meridians(dataset);
    json_t *audit = audit_dataset(dataset);
    assert_warned(audit, " overlap ");
    assert_true(value_of(audit, "overlap") > 100);
    json_decref(audit);
}

/* As the original's split_testtrain names its files: <AAA>/<brick>/xtrain_1.npy, without index or manifest. */
static void audit_reads_what_the_original_wrote(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK, .change = dip_fakes};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL), *directory = path_directory(dataset);
    CLEANUP(free_ptr) char *foreign = str_format("%s/foreign", directory);
    CLEANUP(free_ptr) char *folder = str_format("%s/testtrain/000/0000p010", foreign);
    static const char *const NAMES[] = {"xtrain_1", "ytrain_1", "xtest_1", "ytest_1"};
    assert_int_equal(path_make_directories(folder, 0777, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(free_ptr) char *from = str_format("%s/%s.npy", dataset, NAMES[i]);
        CLEANUP(free_ptr) char *to = str_format("%s/%s.npy", folder, NAMES[i]);
        assert_int_equal(link(from, to), 0);
    }
    json_t *audit = audit_dataset(foreign);
    assert_warned(audit, " counts invvar overlap ");
    static const char *const IMPOSSIBLE[] = {"integrity", "headers", "selection_mag_g",
                                             "selection_neighbour"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(json_string_value(json_object_get(find_check(audit, IMPOSSIBLE[i]), "status")),
                            "impossible");
    json_decref(audit);
}

static void audit_measures_no_more_than_its_sample(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL), *directory = path_directory(dataset);
    CLEANUP(free_ptr) char *out = path_join(directory, "audit");
    CLEANUP(free_ptr) char *path = path_join(out, "audit.json");
    json_t *given = json_pack("{ss ss si}", "out", out, "dataset", dataset, "sample", 300), *audit;
    assert_int_equal(fixture_run("audit", audit_run, given, NULL), 0);
    assert_int_equal(json_read_file(path, &audit, NULL), 0);
    const json_t *stamps = json_object_get(audit, "stamps");
    json_int_t measured = json_integer_value(json_object_get(stamps, "real")) +
                          json_integer_value(json_object_get(stamps, "fake"));
    assert_true(measured <= 300 && measured >= 150);
    assert_int_equal(json_integer_value(json_object_get(stamps, "of")), 2 * BRICKS * PER_BRICK);
    assert_warned(audit, "");
    json_decref(audit);
}

static void flip_a_bit(char *data, size_t size)
{
    data[size / 2] ^= 1;
}

static void audit_finds_damage(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL);
    alter_file(dataset, "xtest_1.npy", flip_a_bit);
    json_t *audit = audit_dataset(dataset);
    assert_warned(audit, " integrity ");
    assert_near(value_of(audit, "integrity"), 1, 0);
    json_decref(audit);
}

static void audit_draws_what_it_names(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = 3, .per_brick = 20};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL), *directory = path_directory(dataset);
    setenv("PATH", search_path, 1);
    json_t *audit = audit_dataset(dataset), *check;
    size_t i, plots = 0;
    setenv("PATH", "/nonexistent", 1);
    json_array_foreach(json_object_get(audit, "checks"), i, check)
    {
        const char *plot = json_string_value(json_object_get(check, "plot"));
        CLEANUP(free_ptr) char *path = str_format("%s/audit/%s", directory, plot ? plot : "audit.json");
        CLEANUP(free_ptr) char *data = NULL;
        size_t size;
        assert_int_equal(file_read(path, 1 << 24, &data, &size, NULL), 0);
        assert_true(size > 100);
        plots += plot && memcmp(data, "\x89PNG", 4) == 0;
    }
    assert_true(plots >= 6);
    json_decref(audit);
}

static void audit_works_without_gnuplot(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = 3, .per_brick = 20};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL);
    json_t *audit = audit_dataset(dataset);
    assert_true(json_is_null(json_object_get(find_check(audit, "placement"), "plot")));
    json_decref(audit);
}

static void audit_names_a_dataset_that_is_none(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *directory = check_directory();
    struct err err;
    assert_int_equal(
        fixture_run("audit", audit_run, json_pack("{ss ss}", "out", directory, "dataset", directory), &err),
        -ENOENT);
    assert_contains(err.text, directory);
    assert_contains(err.text, "manifest.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audit_passes_a_clean_set),
        cmocka_unit_test(audit_finds_a_shift_of_one_pixel),
        cmocka_unit_test(audit_finds_a_dip_of_invvar),
        cmocka_unit_test(audit_finds_another_background),
        cmocka_unit_test(audit_finds_another_noise_texture),
        cmocka_unit_test(audit_finds_duplicates),
        cmocka_unit_test(audit_finds_other_compression),
        cmocka_unit_test(audit_finds_another_selection),
        cmocka_unit_test(audit_finds_another_colour),
        cmocka_unit_test(audit_finds_fakes_that_keep_their_distance),
        cmocka_unit_test(audit_finds_masked_pixels_of_one_class),
        cmocka_unit_test(audit_finds_labels_that_lie_in_order),
        cmocka_unit_test(audit_finds_bricks_in_two_parts),
        cmocka_unit_test(audit_finds_an_object_in_two_parts),
        cmocka_unit_test(audit_finds_damage),
        cmocka_unit_test(audit_reads_what_the_original_wrote),
        cmocka_unit_test(audit_measures_no_more_than_its_sample),
        cmocka_unit_test(audit_draws_what_it_names),
        cmocka_unit_test(audit_works_without_gnuplot),
        cmocka_unit_test(audit_names_a_dataset_that_is_none),
    };
    search_path = strdup(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(search_path);
    return failed;
}
