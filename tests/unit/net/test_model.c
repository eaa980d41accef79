#include "daemon/worker/net/model.h"
#include "common/file.h"
#include "common/str.h"
#include "proto/json.h"
#include "tests/ref/net_reference.h"
#include "tests/unit/check.h"

#include <errno.h>

#include <math.h>

static void model_lenet_has_the_documents_shape(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"lenet", "lenet-2x2"};
    for (int i = 0; i < 2; i++) {
        struct err err = {0};
        struct model *model;
        CLEANUP(free_ptr) char *path = str_format("%s/models/%s.yaml", DECOY_SOURCE_ETC, NAMES[i]);
        assert_int_equal(model_read(&model, path, 64, 6, &err), 0);
        assert_string_equal(model->name, NAMES[i]);
        assert_int_equal(model->parameter_count, 353786);
        assert_int_equal(model->layers[5].out.side_px, 8);
        assert_int_equal(model->layers[5].out.channels, 54);
        assert_int_equal(model_tensor_count(model), 10);
        assert_string_equal(model_tensor(model, 5).name, "conv3.bias");
        struct model_tensor tensor = model_tensor(model, 4);
        assert_int_equal(tensor.shape[0] * 1000 + tensor.shape[1] * 100 + tensor.shape[2] * 10 +
                             tensor.shape[3],
                         54 * 1000 + 3600 + 77);
        assert_int_equal(model_tensor(model, 6).shape[1], 54 * 64);
        model_destroy(model);
    }
}

/* tf.nn.avg_pool2d, padding SAME, by hand: 64 px, window 7, stride 2 -> 32 px, 2 before and 3 after. */
static void model_same_padding_is_tensorflows(void **state)
{
    (void)state;
    static const struct {
        int side, kernel, stride, out, before, after;
    } BY_HAND[] = {{64, 7, 2, 32, 2, 3}, {64, 2, 2, 32, 0, 0}, {65, 2, 2, 33, 0, 1},
                   {64, 7, 1, 64, 3, 3}, {64, 4, 1, 64, 1, 2}, {10, 2, 5, 2, 0, 0}};
    for (size_t i = 0; i < sizeof BY_HAND / sizeof *BY_HAND; i++) {
        struct err err = {0};
        struct model *model;
        json_t *file =
            json_pack("{ss s[{ss si si} {ss si}]}", "name", "test", "layers", "kind", "avgpool", "kernel",
                      BY_HAND[i].kernel, "stride", BY_HAND[i].stride, "kind", "dense", "features", 2);
        assert_int_equal(model_from_json(&model, file, BY_HAND[i].side, 1, &err), 0);
        assert_int_equal(model->layers[0].out.side_px, BY_HAND[i].out);
        assert_int_equal(model->layers[0].pad_before_px, BY_HAND[i].before);
        assert_int_equal(model->layers[0].pad_after_px, BY_HAND[i].after);
        assert_int_equal(reference_pad_before(BY_HAND[i].side, BY_HAND[i].kernel, BY_HAND[i].stride),
                         BY_HAND[i].before);
        json_decref(file);
        model_destroy(model);
    }
}

static void check_reads_back(const char *name)
{
    struct err err = {0};
    struct model *model, *copy, *wrong;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = str_format("%s/model.yaml", directory);
    CLEANUP(free_ptr) char *preset = str_format("%s/models/%s.yaml", DECOY_SOURCE_ETC, name);
    assert_int_equal(model_read(&model, preset, 64, 6, &err), 0);
    assert_int_equal(model_publish(model, path, &err), 0);
    assert_int_equal(model_read(&copy, path, 0, 0, &err), 0);
    CLEANUP(free_ptr) char *text = model_text(model);
    CLEANUP(free_ptr) char *again = model_text(copy);
    assert_string_equal(text, again);
    assert_int_equal(copy->layer_count, model->layer_count);
    assert_int_equal(copy->parameter_count, model->parameter_count);
    assert_int_equal(model_read(&wrong, path, 32, 6, &err), -EINVAL);
    assert_contains(err.text, "stamps are 32 px");
    model_destroy(model);
    model_destroy(copy);
    unlink(path);
    rmdir(directory);
}

static void model_file_reads_back_as_itself(void **state)
{
    (void)state;
    check_reads_back("lenet");
    check_reads_back("vgg8");
    check_reads_back("resnet8");
}

static void model_residual_block_lies_flat(void **state)
{
    (void)state;
    struct err err = {0};
    struct model *model;
    assert_int_equal(model_read(&model, DECOY_SOURCE_ETC "/models/resnet8.yaml", 64, 6, &err), 0);
    const struct model_layer *fork = &model->layers[8], *projection = &model->layers[13],
                             *sum = &model->layers[14];
    assert_string_equal(fork->name, "residual2.in");
    assert_string_equal(projection->name, "residual2.projection");
    assert_string_equal(sum->name, "residual2");
    assert_int_equal(projection->source, 9);
    assert_int_equal(projection->stride_px, 2);
    assert_int_equal(sum->source, 13);
    assert_int_equal(sum->shortcut, 14);
    assert_int_equal(sum->out.side_px * 1000 + sum->out.channels, 32032);
    int trained = model_trained_tensor_count(model), all = model_tensor_count(model);
    assert_int_equal(all - trained, 14); /* seven batchnorms */
    assert_string_equal(model_tensor(model, trained).name, "batchnorm1.running_mean");
    assert_string_equal(model_tensor(model, all - 1).name, "batchnorm7.running_var");
    size_t end = model->trained;
    for (int t = 0; t < all; t++) {
        end = t == trained ? 0 : end; /* the statistics lie at the beginning */
        assert_int_equal(model_tensor(model, t).offset, end);
        end += model_tensor(model, t).count;
        if (t == trained - 1)
            assert_int_equal(end, model->parameter_count);
    }
    assert_int_equal(end, model->trained);
    model_destroy(model);
}

static void refuse(const char *text, const char *part)
{
    struct err err = {0};
    struct model *model;
    json_t *file;
    CLEANUP(free_ptr) char *directory = check_directory();
    CLEANUP(free_ptr) char *path = str_format("%s/model.yaml", directory);
    assert_int_equal(file_publish(path, text, strlen(text), &err), 0);
    assert_int_equal(yaml_read_file(path, &file, &err), 0);
    json_decref(file);
    assert_int_equal(model_read(&model, path, 16, 6, &err), -EINVAL);
    assert_contains(err.text, path);
    assert_contains(err.text, part);
    unlink(path);
    rmdir(directory);
}

static void model_errors_name_layer_and_key(void **state)
{
    (void)state;
#define END "  - {kind: dense, features: 2}\n"
    refuse("name: a\nlayers:\n  - {kind: convolution, features: 2}\n", "layer 1: kind is convolution");
    refuse("name: a\nlayers:\n  - {kind: conv, features: 2}\n" END, "layer 1: kernel is missing");
    refuse("name: a\nlayers:\n  - {kind: conv, features: 2, kernal: 3}\n" END,
           "layer 1: kernal is not a key here");
    refuse("name: a\nlayers:\n  - {kind: conv, features: -2, kernel: 3}\n" END,
           "layer 1: features must be a whole number");
    refuse("name: a\nlayers:\n  - {kind: conv, features: 2.5, kernel: 3}\n" END,
           "layer 1: features must be a whole number");
    refuse("name: a\nlayers:\n  - {kind: maxpool, kernel: 17, padding: valid}\n" END,
           "layer 1: a window of 17 px does not fit in 16 px");
    refuse("name: a\nlayers:\n  - {kind: dense, features: 9}\n  - {kind: avgpool, kernel: 2}\n" END,
           "layer 2: avgpool cannot follow");
    refuse("name: a\nlayers:\n  - {kind: dense, features: 3}\n", "the last layer must be");
    refuse("name: a\nlayers:\n  - {kind: dropout, rate: 1}\n" END, "layer 1: rate must be a number");
    refuse("name: a\nlayers:\n  - {kind: residual, layers: []}\n" END, "layer 1: layers must be a list");
    refuse("name: a\nlayers:\n  - {kind: residual, layers: [{kind: gelu}, {kind: dense, features: 2}]}\n" END,
           "layer 1: layer 2: a dense layer cannot stand in a residual block");
    refuse("name: a\nlayers:\n  - {kind: residual, layers: [{kind: residual, layers: [{kind: gelu}]}]}\n" END,
           "layer 1: layer 1: residual cannot stand in another one");
    refuse("name: a\nlayers:\n  - {kind: residual, layers: [{kind: conv, features: 4, kernel: 6, padding: "
           "valid}]}\n" END,
           "layer 1: its layers make 11 px x 4 channels, to which no stride brings the 16 px x 6 it reads");
    refuse("name: a\nlayers: []\n", "layers must be a list");
    refuse("layers:\n" END, "name is missing");
    refuse("name: a\nlayer:\n" END, "layer is not a key here");
    refuse("- 1\n", "not a model");
    refuse("name: a\nlayers:\n  - {kind: dense, features: 65000}\n  - {kind: dense, features: 65000}\n" END,
           "parameters");
}

static void model_initial_weights_have_their_variance(void **state)
{
    (void)state;
    struct err err = {0};
    struct model *model;
    assert_int_equal(model_read(&model, DECOY_SOURCE_ETC "/models/lenet-2x2.yaml", 64, 6, &err), 0);
    CLEANUP(free_ptr) float *weights = calloc(2 * model->parameter_count, sizeof *weights);
    float *again = weights + model->parameter_count;
    model_initial_weights(model, 1, weights);
    struct model_tensor tensor = model_tensor(model, 4); /* conv3: 36 x 7 x 7 inputs */
    double squares = 0, wanted = 2.0 / (36 * 49);
    for (size_t i = 0; i < tensor.count; i++)
        squares += (double)weights[tensor.offset + i] * weights[tensor.offset + i];
    assert_near(squares / (double)tensor.count, wanted, 5 * wanted * sqrt(2.0 / (double)tensor.count));
    tensor = model_tensor(model, 8);
    for (size_t i = 0; i < tensor.count; i++)
        assert_true(fabsf(weights[tensor.offset + i]) < sqrtf(6.0f / 66));
    model_initial_weights(model, 1, again);
    assert_memory_equal(weights, again, model->parameter_count * sizeof *weights);
    model_initial_weights(model, 2, again);
    assert_memory_not_equal(weights, again, model->parameter_count * sizeof *weights);
    model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_lenet_has_the_documents_shape),
        cmocka_unit_test(model_same_padding_is_tensorflows),
        cmocka_unit_test(model_file_reads_back_as_itself),
        cmocka_unit_test(model_residual_block_lies_flat),
        cmocka_unit_test(model_errors_name_layer_and_key),
        cmocka_unit_test(model_initial_weights_have_their_variance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
