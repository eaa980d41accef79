#include "common/file.h"
#include "daemon/worker/dataset/dataset.h"
#include "proto/json.h"
#include "tests/unit/split/cutouts_fixture.h"

#include <errno.h>
#include <sys/stat.h>

static char *cutouts;

static const struct fixture CLEAN = {.bricks = 12, .per_brick = 24};

static char *split_clean(int seed)
{
    char *out = fixture_split(cutouts, seed, NULL);
    assert_non_null(out);
    return out;
}

static uint64_t checksum_of(const char *directory, const char *name)
{
    CLEANUP(free_ptr) char *path = path_join(directory, name);
    uint64_t checksum;
    assert_int_equal(file_checksum(path, &checksum, NULL), 0);
    return checksum;
}

static void split_is_deterministic(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(1);
    const uint64_t manifest = checksum_of(out, "manifest.json"), index = checksum_of(out, "index.h5");
    free(split_clean(1));
    assert_true(checksum_of(out, "manifest.json") == manifest);
    assert_true(checksum_of(out, "index.h5") == index);
    free(split_clean(2));
    assert_false(checksum_of(out, "manifest.json") == manifest);
}

static uint8_t label_of(struct dataset *dataset, int part, size_t i)
{
    uint8_t label = 2;
    assert_int_equal(dataset_labels(dataset, (enum dataset_part)part, i, 1, &label, NULL), 0);
    return label;
}

static void split_keeps_bricks_whole_and_classes_equal(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(3);
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    int seen[12] = {0}, surplus[12] = {0};
    assert_int_equal(dataset_open(&dataset, out, NULL), 0);
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        size_t count = dataset_count(dataset, (enum dataset_part)p), fakes = 0;
        CLEANUP(free_ptr) char *bricks = malloc(count * 8);
        assert_true(count > 0);
        assert_int_equal(dataset_text_column(dataset, (enum dataset_part)p, "brickname", 8, bricks, NULL), 0);
        for (size_t i = 0; i < count; i++) {
            fakes += label_of(dataset, p, i);
            seen[atoi(bricks + 8 * i)] |= 1 << p;
            surplus[atoi(bricks + 8 * i)] += label_of(dataset, p, i) ? 1 : -1;
        }
        assert_int_equal(2 * fakes, count);
    }
    for (int b = 0; b < 12; b++) {
        assert_int_equal(__builtin_popcount((unsigned)seen[b]), 1);
        assert_int_equal(surplus[b], 0);
    }
}

static void split_carries_every_stamp_with_its_row(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(1);
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    assert_int_equal(dataset_open(&dataset, out, NULL), 0);
    assert_int_equal(dataset_stamp(dataset), FIXTURE_SIDE);
    assert_string_equal(dataset_channel_name(dataset, 1), "ivar_g");
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        size_t count = dataset_count(dataset, (enum dataset_part)p);
        CLEANUP(free_ptr)
        double *id = calloc(count, sizeof *id), *only_real = calloc(count, sizeof *only_real);
        assert_int_equal(dataset_column(dataset, (enum dataset_part)p, "id", id, NULL), 0);
        assert_int_equal(dataset_column(dataset, (enum dataset_part)p, "only_real", only_real, NULL), 0);
        for (size_t i = 0; i < count; i++) {
            const size_t serial = (size_t)id[i];
            float pixels[FIXTURE_ROW];
            struct fixture_stamp stamp = {(int)(serial / 2000), (int)(serial / 1000 % 2), serial % 1000,
                                          serial, pixels};
            fixture_draw(&stamp);
            assert_memory_equal(pixels, dataset_pixels(dataset, (enum dataset_part)p, i, NULL),
                                sizeof pixels);
            assert_int_equal(stamp.label, label_of(dataset, p, i));
            assert_int_equal(isnan(only_real[i]) != 0, stamp.label);
        }
    }
}

static void split_measures_medians_of_the_training_part(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(1);
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    assert_int_equal(dataset_open(&dataset, out, NULL), 0);
    for (int c = 0; c < FIXTURE_CHANNELS; c++) {
        double median = dataset_channel_median(dataset, c), below = 0, positive = 0;
        for (size_t i = 0; i < dataset_count(dataset, DATASET_TRAIN); i++) {
            for (int j = c; j < FIXTURE_ROW; j += FIXTURE_CHANNELS) {
                float value = dataset_pixels(dataset, DATASET_TRAIN, i, NULL)[j];
                positive += value > 0;
                below += value > 0 && value < median;
            }
        }
        assert_near(below / positive, 0.5, 0.01);
    }
}

static void split_removes_what_an_earlier_attempt_left(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(1);
    CLEANUP(free_ptr)
    char *stale = path_join(out, "xtrain_99.npy"), *part = path_join(out, ".xtest_1.npy.123-4.part");
    CLEANUP(free_ptr) char *theirs = path_join(out, "notes.txt");
    assert_int_equal(file_publish(stale, "x", 1, NULL), 0);
    assert_int_equal(file_publish(part, "x", 1, NULL), 0);
    assert_int_equal(file_publish(theirs, "x", 1, NULL), 0);
    free(split_clean(1));
    assert_false(path_exists(stale));
    assert_false(path_exists(part));
    assert_true(path_exists(theirs));
}

static void split_names_a_cutout_file_it_cannot_read(void **state)
{
    (void)state;
    const struct fixture few = {.bricks = 4, .per_brick = 4};
    CLEANUP(free_ptr) char *root = fixture_make(&few);
    CLEANUP(free_ptr) char *path = path_join(root, "fake/000/0002p010-rs0.h5");
    struct err err;
    assert_int_equal(truncate(path, 5000), 0);
    assert_null(fixture_split(root, 1, &err));
    assert_contains(err.text, path);
}

static void write_listing(const char *root, const char *text)
{
    CLEANUP(free_ptr) char *path = path_join(root, "cutouts.json");
    assert_int_equal(file_publish(path, text, strlen(text), NULL), 0);
}

static void split_goes_by_the_listing_of_cutouts(void **state)
{
    (void)state;
    const struct fixture few = {.bricks = 3, .per_brick = 4};
    CLEANUP(free_ptr) char *root = fixture_make(&few);
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    struct err err;
    write_listing(root, "{\"classes\": {\"fake\": {\"injected\": 9}}, \"files\": [{\"path\": "
                        "\"real/000/0000p010.h5\", \"class\": \"real\"},"
                        "{\"path\": \"real/000/0002p010.h5\", \"class\": \"real\"},"
                        "{\"path\": \"fake/000/0000p010-rs0.h5\", \"class\": \"fake\"},"
                        "{\"path\": \"fake/000/0002p010-rs0.h5\", \"class\": \"fake\"}]}");
    CLEANUP(free_ptr) char *out = fixture_split(root, 1, &err);
    assert_non_null(out);
    assert_int_equal(dataset_open(&dataset, out, NULL), 0);
    assert_int_equal(dataset_count(dataset, DATASET_TRAIN) + dataset_count(dataset, DATASET_TEST), 16);
    const json_t *kept = json_object_get(json_object_get(dataset_manifest(dataset), "selection"), "fake");
    assert_int_equal(json_integer_value(json_object_get(kept, "injected")), 9);
    write_listing(root, "{\"files\": [{\"path\": \"real/000/0007p010.h5\", \"class\": \"real\"}]}");
    assert_null(fixture_split(root, 1, &err));
    assert_contains(err.text, "0007p010.h5 is missing");
    write_listing(root, "{\"files\": [{\"path\": \"../real/000/0000p010.h5\", \"class\": \"real\"}]}");
    assert_null(fixture_split(root, 1, &err));
    assert_contains(err.text, "cutouts.json");
    write_listing(root, "{}");
    assert_null(fixture_split(root, 1, &err));
    assert_contains(err.text, "does not list");
}

static void split_leaves_no_manifest_when_it_fails(void **state)
{
    (void)state;
    const struct fixture few = {.bricks = 4, .per_brick = 4};
    CLEANUP(free_ptr) char *root = fixture_make(&few);
    CLEANUP(free_ptr) char *out = fixture_split(root, 1, NULL);
    CLEANUP(free_ptr)
    char *path = path_join(root, "real/000/0001p010.h5"), *manifest = path_join(out, "manifest.json");
    assert_true(path_exists(manifest));
    assert_int_equal(truncate(path, 100), 0);
    assert_null(fixture_split(root, 1, NULL));
    assert_false(path_exists(manifest));
}

static void split_says_when_there_is_too_little(void **state)
{
    (void)state;
    const struct fixture one = {.bricks = 1, .per_brick = 4};
    CLEANUP(free_ptr) char *root = fixture_make(&one);
    struct err err;
    assert_null(fixture_split(root, 1, &err));
    assert_contains(err.text, "only one brick");
    assert_null(fixture_split("/nonexistent", 1, &err));
    assert_contains(err.text, "/nonexistent");
}

static void split_says_when_a_class_is_missing(void **state)
{
    (void)state;
    const struct fixture none = {.bricks = 3, .per_brick = 0};
    CLEANUP(free_ptr) char *root = fixture_make(&none);
    struct err err;
    assert_null(fixture_split(root, 1, &err));
    assert_contains(err.text, "no fake stamp");
}

static void dataset_refuses_a_shard_that_is_not_whole(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(1);
    CLEANUP(free_ptr) char *shard = path_join(out, "xtrain_2.npy");
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    struct err err;
    struct stat status;
    assert_int_equal(dataset_open(&dataset, out, NULL), 0);
    const size_t in_second = dataset_shard(dataset, 1).first;
    assert_int_equal(dataset_check(dataset, 0, 1, NULL), 0);
    assert_int_equal(stat(shard, &status), 0);
    assert_int_equal(truncate(shard, status.st_size - 1), 0);
    assert_int_equal(dataset_check(dataset, 0, 1, &err), -EINVAL);
    assert_contains(err.text, "xtrain_2.npy");
    assert_int_equal(dataset_check(dataset, 1, 2, NULL), -EINVAL); /* the share of the second of two ranks */
    assert_int_equal(dataset_check(dataset, 0, 2, NULL), 0);
    assert_null(dataset_pixels(dataset, DATASET_TRAIN, in_second, &err));
    assert_contains(err.text, "xtrain_2.npy");
    assert_non_null(dataset_pixels(dataset, DATASET_TRAIN, 0, NULL));
    assert_int_equal(unlink(shard), 0);
    assert_int_equal(dataset_check(dataset, 0, 1, &err), -ENOENT);
    assert_contains(err.text, "xtrain_2.npy");
}

static void dataset_refuses_a_manifest_that_is_not_right(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(1);
    CLEANUP(free_ptr) char *path = path_join(out, "manifest.json");
    static const char *const BAD[] = {
        "",
        "{",
        "[]",
        "{\"v\": 1}",
        "{\"v\": 1, \"stamp\": 16, \"shard_examples\": 0, \"channels\": [\"g\"], \"shards\": []}",
        "{\"v\": 1, \"stamp\": 16, \"shard_examples\": 8, \"channels\": [\"g\"], \"shards\": [{\"part\": "
        "\"x\"}]}",
        "{\"v\": 1, \"stamp\": 16, \"shard_examples\": 8, \"channels\": [\"g\"], \"shards\": [{\"part\": "
        "\"test\", \"k\": 2, \"examples\": 8}]}"};
    struct dataset *dataset;
    struct err err;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(file_publish(path, BAD[i], strlen(BAD[i]), NULL), 0);
        assert_int_equal(dataset_open(&dataset, out, &err), -EINVAL);
        assert_contains(err.text, "manifest.json");
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(dataset_open(&dataset, out, &err), -ENOENT);
    assert_contains(err.text, "no manifest.json");
}

static void dataset_may_have_empty_parts(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(1);
    CLEANUP(free_ptr) char *path = path_join(out, "manifest.json");
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    json_t *manifest;
    assert_int_equal(json_read_file(path, &manifest, NULL), 0);
    json_object_set_new(manifest, "shards", json_array());
    assert_int_equal(json_publish_file(path, manifest, NULL), 0);
    json_decref(manifest);
    assert_int_equal(dataset_open(&dataset, out, NULL), 0);
    for (int p = 0; p < DATASET_PART_MAX; p++) {
        CLEANUP(dataset_order_destroy_ptr) struct dataset_order *order = NULL;
        assert_int_equal(dataset_count(dataset, (enum dataset_part)p), 0);
        assert_int_equal(dataset_order_create(&order, dataset, (enum dataset_part)p, NULL), 0);
        dataset_order_begin(order, 1, 1);
    }
}

static void dataset_names_a_column_that_is_missing(void **state)
{
    (void)state;
    CLEANUP(free_ptr) char *out = split_clean(1);
    CLEANUP(dataset_close_ptr) struct dataset *dataset = NULL;
    struct err err;
    double values[1];
    assert_int_equal(dataset_open(&dataset, out, NULL), 0);
    assert_int_equal(dataset_column(dataset, DATASET_TEST, "redshift", values, &err), -ENOENT);
    assert_contains(err.text, "redshift");
    assert_int_equal(dataset_column(dataset, DATASET_TEST, "brickname", values, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_is_deterministic),
        cmocka_unit_test(split_keeps_bricks_whole_and_classes_equal),
        cmocka_unit_test(split_carries_every_stamp_with_its_row),
        cmocka_unit_test(split_measures_medians_of_the_training_part),
        cmocka_unit_test(split_removes_what_an_earlier_attempt_left),
        cmocka_unit_test(split_names_a_cutout_file_it_cannot_read),
        cmocka_unit_test(split_goes_by_the_listing_of_cutouts),
        cmocka_unit_test(split_leaves_no_manifest_when_it_fails),
        cmocka_unit_test(split_says_when_there_is_too_little),
        cmocka_unit_test(split_says_when_a_class_is_missing),
        cmocka_unit_test(dataset_refuses_a_shard_that_is_not_whole),
        cmocka_unit_test(dataset_refuses_a_manifest_that_is_not_right),
        cmocka_unit_test(dataset_may_have_empty_parts),
        cmocka_unit_test(dataset_names_a_column_that_is_missing),
    };
    cutouts = fixture_make(&CLEAN);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(cutouts);
    return failed;
}
