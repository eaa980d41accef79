/* Each leak is planted into cutout files, split and audited: it must be found, and a clean set must pass. */
#include "common/file.h"
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
    assert_int_equal(json_array_size(json_object_get(audit, "checks")), 11);
    json_decref(audit);
}

static void shift_fakes(struct fixture_stamp *stamp)
{
    float moved[FIXTURE_ROW] = {0};
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
    assert_warned(audit, " selection_mag_g ");
    json_decref(audit);
}

/* A dataset whose index says that bricks and objects are on both sides, and whose test shard was altered. */
static void audit_finds_overlap_and_damage(void **state)
{
    (void)state;
    const struct fixture fixture = {.bricks = BRICKS, .per_brick = PER_BRICK};
    CLEANUP(free_ptr) char *cutouts = fixture_make(&fixture);
    for (int b = 1; b < BRICKS;
         b++) { /* every brick's files with the rows of brick 0's, under their own names */
        CLEANUP(free_ptr) char *from = str_format("%s/real/000/0000p010.h5", cutouts);
        CLEANUP(free_ptr) char *to = str_format("%s/real/000/%04dp010.h5", cutouts, b);
        CLEANUP(free_ptr) char *data = NULL;
        size_t size;
        assert_int_equal(file_read(from, 1 << 30, &data, &size, NULL), 0);
        for (char *name = data; (name = memmem(name, (size_t)(data + size - name), "0000p010", 8)) != NULL;)
            memcpy(name, strrchr(to, '/') + 1, 8);
        assert_int_equal(file_publish(to, data, size, NULL), 0);
    }
    CLEANUP(free_ptr) char *dataset = fixture_split(cutouts, 1, NULL);
    assert_non_null(dataset);
    CLEANUP(free_ptr) char *shard = path_join(dataset, "xtest_1.npy");
    FILE *file = fopen(shard, "r+");
    assert_non_null(file);
    fseek(file, 4000, SEEK_SET);
    fputc(getc(file) ^ 1, file);
    fclose(file);
    json_t *audit = audit_dataset(dataset);
    assert_string_equal(json_string_value(json_object_get(find_check(audit, "overlap"), "status")), "warn");
    assert_string_equal(json_string_value(json_object_get(find_check(audit, "duplicates"), "status")),
                        "warn");
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
        cmocka_unit_test(audit_finds_overlap_and_damage),
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
