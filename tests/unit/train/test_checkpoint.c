/* A checkpoint that is torn or altered in any place is noticed, and the one before is used. */
#include "daemon/worker/train/checkpoint.h"
#include "common/file.h"
#include "common/rng.h"
#include "common/str.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>

enum { COUNT = 300, FLIPS = 10000 };

struct fixture {
    char *directory, *older, *newer;
    float blocks[3 * COUNT], found[3 * COUNT];
    json_t *setup;
    struct checkpoint saved, loaded;
    int warnings;
    char warning[ERR_TEXT_MAX];
};

static struct checkpoint over(float *blocks, const json_t *setup)
{
    return (struct checkpoint){.parameters = blocks,
                               .first = blocks + COUNT,
                               .second = blocks + 2 * COUNT,
                               .count = COUNT,
                               .steps_per_epoch = 7,
                               .setup = setup};
}

static void save(struct fixture *f, int64_t step)
{
    struct err err = {0};
    f->saved.state = (struct train_state){
        .step = step, .best_step = 3, .best_loss = 0.1 + 0.2, .row_loss = 1e300, .valid_loss = M_PI};
    for (int i = 0; i < 3 * COUNT; i++)
        f->blocks[i] = (float)(step + i) / 7;
    if (checkpoint_save(f->directory, &f->saved, &err) != 0)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->directory = check_directory();
    f->older = str_format("%s/ckpt-9.h5", f->directory);
    f->newer = str_format("%s/ckpt-12.h5", f->directory);
    f->setup = json_pack("{ss sf si ss si}", "dataset", "ab", "rate", 0.002, "batch", 32, "library", "x 1.0",
                         "threads", 2);
    f->saved = over(f->blocks, f->setup);
    f->loaded = over(f->found, f->setup);
    save(f, 9);
    save(f, 12);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->older);
    unlink(f->newer);
    assert_int_equal(rmdir(f->directory), 0); /* and nothing else was left */
    json_decref(f->setup);
    free(f->directory);
    free(f->older);
    free(f->newer);
    free(f);
    return 0;
}

static void count_warning(void *context, const char *text)
{
    struct fixture *f = context;
    f->warnings++;
    snprintf(f->warning, sizeof f->warning, "%s", text);
}

static int load(struct fixture *f, struct err *err)
{
    f->warnings = 0;
    return checkpoint_load_newest(f->directory, &f->loaded, count_warning, f, err);
}

/* In place: some file systems flush a file that is truncated and written anew. */
static void put(const char *path, const char *data, size_t size)
{
    CLEANUP(close_fd) int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, size, 0), size);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

static void checkpoint_loads_the_newest_bit_for_bit(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    assert_int_equal(load(f, &err), 0);
    assert_int_equal(f->warnings, 0);
    assert_memory_equal(&f->loaded.state, &f->saved.state, sizeof f->saved.state);
    assert_memory_equal(f->found, f->blocks, sizeof f->blocks);
}

static void expect_older(struct fixture *f)
{
    struct err err = {0};
    if (load(f, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(f->warnings, 1);
    assert_contains(f->warning, "ckpt-12.h5");
    assert_int_equal(f->loaded.state.step, 9);
    assert_true(f->found[0] == 9.0f / 7);
}

static void checkpoint_truncations_are_noticed(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    CLEANUP(free_ptr) char *good = NULL;
    size_t size;
    assert_int_equal(file_read(f->newer, 1 << 20, &good, &size, &err), 0);
    CLEANUP(free_ptr) char *bad = calloc(1, size);
    for (size_t cut = 0; cut < size; cut += 64) {
        memcpy(bad, good, cut);
        put(f->newer, bad, cut);
        expect_older(f);
        put(f->newer, bad, size); /* a tail of zeros */
        expect_older(f);
    }
}

static void checkpoint_bit_flips_are_noticed(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    CLEANUP(free_ptr) char *good = NULL;
    size_t size;
    struct rng rng;
    rng_init(&rng, 1, 1, 1);
    assert_int_equal(file_read(f->newer, 1 << 20, &good, &size, &err), 0);
    for (int flip = 0; flip < FLIPS; flip++) {
        size_t place = rng_below(&rng, size);
        char bit = (char)(1 << rng_below(&rng, 8));
        good[place] ^= bit;
        put(f->newer, good, size);
        struct checkpoint copy = f->loaded;
        assert_int_equal(checkpoint_load(f->directory, 12, &copy, NULL, &err), -EBADMSG);
        good[place] ^= bit;
    }
    put(f->newer, good, size);
    assert_int_equal(load(f, &err), 0);
    assert_int_equal(f->loaded.state.step, 12);
}

static void checkpoint_under_another_steps_name_is_noticed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(rename(f->older, f->newer), 0);
    save(f, 9);
    expect_older(f);
    assert_contains(f->warning, "is of step 9");
}

static void checkpoint_of_another_run_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    json_object_set_new(f->setup, "rate", json_real(0.001));
    assert_int_equal(load(f, &err), -ESTALE);
    assert_contains(err.text, "its rate is 0.002, this job's is 0.001");
}

static void checkpoint_that_names_no_precision_is_of_f32(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    json_object_set_new(f->setup, "precision", json_string("f32"));
    assert_int_equal(load(f, &err), 0);
    json_object_set_new(f->setup, "precision", json_string("bf16"));
    assert_int_equal(load(f, &err), -ESTALE);
    assert_contains(err.text, "its precision is \"f32\", this job's is \"bf16\"");
}

static void checkpoint_of_other_threads_is_used_with_a_warning(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    json_object_set_new(f->setup, "threads", json_integer(1));
    assert_int_equal(load(f, &err), 0);
    assert_int_equal(f->warnings, 1);
    assert_contains(f->warning, "made with threads 2, this run has 1");
}

static void checkpoint_prune_keeps_the_last_and_the_best(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char *path[4];
    for (int i = 0; i < 4; i++) {
        path[i] = str_format("%s/ckpt-%d.h5", f->directory, i + 1);
        save(f, i + 1);
    }
    save(f, 11);
    assert_int_equal(checkpoint_prune(f->directory, 2, 11, 3, &err), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(unlink(path[i]), i == 2 ? 0 : -1);
        free(path[i]);
    }
    assert_int_equal(access(f->older, F_OK), 0);
    assert_int_equal(access(f->newer, F_OK), -1); /* beyond the newest: it was passed over */
    CLEANUP(free_ptr) char *newest = str_format("%s/ckpt-11.h5", f->directory);
    assert_int_equal(unlink(newest), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(checkpoint_loads_the_newest_bit_for_bit),
        CASE(checkpoint_truncations_are_noticed),
        CASE(checkpoint_bit_flips_are_noticed),
        CASE(checkpoint_under_another_steps_name_is_noticed),
        CASE(checkpoint_of_another_run_is_refused_by_name),
        CASE(checkpoint_that_names_no_precision_is_of_f32),
        CASE(checkpoint_of_other_threads_is_used_with_a_warning),
        CASE(checkpoint_prune_keeps_the_last_and_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
