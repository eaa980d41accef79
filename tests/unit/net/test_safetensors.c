#include "daemon/worker/net/safetensors.h"
#include "common/file.h"
#include "common/path.h"
#include "common/rng.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <math.h>

struct fixture {
    char *directory, *path;
    struct model *model;
    float *parameters, *copy;
};

static int set_up(void **state)
{
    struct err err = {0};
    struct fixture *f = calloc(1, sizeof *f);
    json_t *file = json_pack("{ss s[{ss si si} {ss si}]}", "name", "t", "layers", "kind", "conv", "features",
                             3, "kernel", 3, "kind", "dense", "features", 2);
    f->directory = check_directory();
    f->path = path_join(f->directory, "model.safetensors");
    assert_int_equal(model_from_json(&f->model, file, 8, 2, &err), 0);
    json_decref(file);
    f->parameters = calloc(2 * f->model->parameter_count, sizeof(float));
    f->copy = f->parameters + f->model->parameter_count;
    model_initial_weights(f->model, 1, f->parameters);
    json_t *metadata = json_pack("{ss}", "format", "pt");
    assert_int_equal(safetensors_publish(f->path, f->model, f->parameters, metadata, &err), 0);
    json_decref(metadata);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    rmdir(f->directory);
    model_destroy(f->model);
    free(f->parameters);
    free(f->directory);
    free(f->path);
    free(f);
    return 0;
}

static void safetensors_read_back_bit_for_bit(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    assert_int_equal(safetensors_read(f->path, f->model, f->copy, NULL, &err), 0);
    assert_memory_equal(f->parameters, f->copy, f->model->parameter_count * sizeof(float));
}

static void put(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* Every truncation and many flips of the header: an error that names the file, or a good read; never a crash.
 */
static void safetensors_survive_damage(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    CLEANUP(free_ptr) char *good = NULL;
    size_t size;
    assert_int_equal(file_read(f->path, 1 << 20, &good, &size, &err), 0);
    CLEANUP(free_ptr) char *bad = malloc(size);
    struct rng rng;
    rng_init(&rng, 1, 2, 3);
    for (size_t cut = 0; cut < size; cut += cut < 400 ? 1 : 37) {
        put(f->path, good, cut);
        assert_int_not_equal(safetensors_read(f->path, f->model, f->copy, NULL, &err), 0);
        assert_contains(err.text, f->path);
    }
    for (int trial = 0; trial < 500; trial++) {
        memcpy(bad, good, size);
        bad[rng_below(&rng, 400)] ^= (char)(1 << rng_below(&rng, 8));
        put(f->path, bad, size);
        if (safetensors_read(f->path, f->model, f->copy, NULL, &err) != 0)
            assert_contains(err.text, f->path);
    }
}

static void safetensors_refuse_what_is_not_a_number(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    json_t *metadata = json_object();
    f->parameters[5] = NAN;
    assert_int_equal(safetensors_publish(f->path, f->model, f->parameters, metadata, &err), 0);
    assert_int_equal(safetensors_read(f->path, f->model, f->copy, NULL, &err), -EINVAL);
    assert_contains(err.text, "conv1.weight holds a value that is not finite");
    json_decref(metadata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(safetensors_read_back_bit_for_bit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(safetensors_survive_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(safetensors_refuse_what_is_not_a_number, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
