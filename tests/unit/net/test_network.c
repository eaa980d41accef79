/* Layers against tests/ref/net_reference.c. Tolerances are relative to the largest value of a quantity: 2e-6
 * for logits (float32 sums of at most a few thousand terms), 1e-5 for gradients; in bfloat16, whose factors are off by
 * 2^-9 each, 2^-7 for what has gone through two convolutions and back. */
#include "common/rng.h"
#include "daemon/worker/net/network.h"
#include "proto/json.h"
#include "tests/ref/net_reference.h"
#include "tests/unit/check.h"

#include <math.h>

#define LOGIT_TOLERANCE    2e-6
#define GRADIENT_TOLERANCE 1e-5
#define BF16_TOLERANCE     0x1p-7

static struct model *make_model(const char *layers, int side, int channels)
{
    struct err err = {0};
    struct model *model;
    char text[2048];
    json_t *file;
    snprintf(text, sizeof text, "{\"name\": \"test\", \"layers\": [%s]}", layers);
    assert_int_equal(json_parse_bytes(text, strlen(text), &file, &err), 0);
    if (model_from_json(&model, file, side, channels, &err) != 0)
        fail_msg("%s", err.text);
    json_decref(file);
    return model;
}

static void fill_normal(float *values, size_t count, double scale, uint64_t index)
{
    struct rng rng;
    rng_init(&rng, 5, 1, index);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(scale * rng_normal(&rng));
}

static double *widen(const float *values, size_t count)
{
    double *wide = malloc(count * sizeof *wide);
    for (size_t i = 0; i < count; i++)
        wide[i] = values[i];
    return wide;
}

/* The largest deviation, over the largest value. */
static double compare(const char *what, const float *ours, const double *reference, size_t count,
                      double tolerance)
{
    double largest = 0, off = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(reference[i]));
        off = fmax(off, fabs(ours[i] - reference[i]));
    }
    if (!(largest > 0) || !(off <= tolerance * largest))
        fail_msg("%s: off by %g, largest value %g, tolerance %g", what, off, largest, tolerance);
    return off / largest;
}

static struct network *make_network(const struct model *model, int batch, int uses)
{
    struct err err = {0};
    struct network *network;
    if (network_create(&network, model, batch, 1, uses, &err) != 0)
        fail_msg("%s", err.text);
    model_initial_weights(model, 3, network_parameters(network));
    for (int t = 1; t < model_trained_tensor_count(model);
         t += 2) /* biases are 0 at first: give them values */
        fill_normal(network_parameters(network) + model_tensor(model, t).offset, model_tensor(model, t).count,
                    0.1, (uint64_t)t);
    for (size_t i = 0; i < model->trained; i++) /* means and variances */
        network_parameters(network)[i] = 0.5f + 0.01f * (float)(i % 13);
    fill_normal(network_input(network),
                (size_t)batch * (size_t)(model->in.side_px * model->in.side_px * model->in.channels), 1, 99);
    return network;
}

/* Returns the deviation of the first layer's weights' gradient. */
static double check_in(const char *layers, int side, int channels, bool train, bool bf16)
{
    enum { BATCH = 19 }; /* more than a chunk of our own convolutions */
    const uint8_t labels[BATCH] = {0, 1, 1, 0, 1, 1};
    struct err err = {0};
    struct model *model = make_model(layers, side, channels);
    struct network *network =
        make_network(model, BATCH, NETWORK_TRAIN | NETWORK_INPUT_GRADIENT | (bf16 ? NETWORK_BF16 : 0));
    double off = 0, tolerance = bf16 ? BF16_TOLERANCE : GRADIENT_TOLERANCE;
    size_t inputs = (size_t)(BATCH * side * side * channels), count = model->parameter_count;
    float *gradient = malloc(count * sizeof *gradient);
    double logits[2 * BATCH], *slopes = malloc(count * sizeof *slopes),
                              *input_slopes = malloc(inputs * sizeof *input_slopes);
    double *parameters = widen(network_parameters(network), count),
           *input = widen(network_input(network), inputs);
    const struct network_pass pass = {.train = train, .rows = BATCH, .seed = 7, .step = 11, .first = 32};
    int correct;
    double loss =
        reference_run(model, &pass, parameters, input, labels, BATCH, 0.25, logits, slopes, input_slopes);
    assert_int_equal(network_load(network, &err), 0);
    network_begin(network, &pass);
    assert_int_equal(network_forward(network, &err), 0);
    assert_near(0.25 * network_loss(network, &LOSS_PLAIN, labels, BATCH, 0.25, &correct), loss,
                (bf16 ? BF16_TOLERANCE : 1e-6) * loss);
    assert_int_equal(network_backward(network, gradient, &err), 0);
    compare("logits", network_logits(network), logits, 2 * BATCH, bf16 ? BF16_TOLERANCE : LOGIT_TOLERANCE);
    for (int t = 0; t < model_tensor_count(model); t++) {
        struct model_tensor tensor = model_tensor(model, t);
        double by =
            compare(tensor.name, gradient + tensor.offset, slopes + tensor.offset, tensor.count, tolerance);
        off = t ? off : by;
    }
    compare("input gradient", network_input_gradient(network), input_slopes, inputs, tolerance);
    free(gradient);
    free(slopes);
    free(input_slopes);
    free(parameters);
    free(input);
    network_destroy(network);
    model_destroy(model);
    return off;
}

static void check_pass(const char *layers, int side, int channels, bool train)
{
    check_in(layers, side, channels, train, false);
}

static void check_model(const char *layers, int side, int channels)
{
    check_pass(layers, side, channels, true);
}

#define LAST "{\"kind\": \"dense\", \"features\": 2}"

static void network_dense_equals_the_reference(void **state)
{
    (void)state;
    check_model(LAST, 4, 3);
    check_model("{\"kind\": \"dense\", \"features\": 13, \"relu\": true}," LAST, 6, 5);
}

static void network_conv_equals_the_reference(void **state)
{
    (void)state;
    check_model("{\"kind\": \"conv\", \"features\": 18, \"kernel\": 7, \"relu\": true}," LAST, 16, 6);
    check_model("{\"kind\": \"conv\", \"features\": 5, \"kernel\": 4}," LAST, 9, 2);
    check_model("{\"kind\": \"conv\", \"features\": 7, \"kernel\": 5, \"stride\": 3, \"relu\": true}," LAST,
                17, 3);
    check_model(
        "{\"kind\": \"conv\", \"features\": 9, \"kernel\": 5, \"padding\": \"valid\", \"relu\": true}," LAST,
        17, 11);
    check_model("{\"kind\": \"conv\", \"features\": 3, \"kernel\": 6}," LAST, 13, 1);
    check_model("{\"kind\": \"conv\", \"features\": 8, \"kernel\": 15, \"relu\": true}," LAST, 12, 8);
    check_model(
        "{\"kind\": \"conv\", \"features\": 4, \"kernel\": 3, \"padding\": \"valid\", \"relu\": true}," LAST,
        8, 3);
}

static void network_pooling_equals_the_reference(void **state)
{
    (void)state;
    check_model("{\"kind\": \"avgpool\", \"kernel\": 2}," LAST, 8, 6);
    check_model("{\"kind\": \"avgpool\", \"kernel\": 7, \"stride\": 2}," LAST, 16, 18);
    check_model("{\"kind\": \"avgpool\", \"kernel\": 3, \"stride\": 2}," LAST, 11, 4);
    check_model("{\"kind\": \"maxpool\", \"kernel\": 2}," LAST, 8, 6);
    check_model("{\"kind\": \"maxpool\", \"kernel\": 3, \"stride\": 2}," LAST, 12, 5);
    check_model("{\"kind\": \"maxpool\", \"kernel\": 3, \"stride\": 2, \"padding\": \"valid\"}," LAST, 12, 5);
}

static void network_activations_equal_the_reference(void **state)
{
    (void)state;
    check_model("{\"kind\": \"gelu\"}," LAST, 6, 5);
    check_model("{\"kind\": \"silu\"}," LAST, 6, 5);
    check_model("{\"kind\": \"relu\"}," LAST, 6, 5);
    check_model("{\"kind\": \"dense\", \"features\": 13}, {\"kind\": \"gelu\"}," LAST, 3, 2);
    check_model("{\"kind\": \"globalpool\"}," LAST, 9, 11);
}

static void network_batchnorm_equals_the_reference(void **state)
{
    (void)state;
    for (int train = 0; train < 2; train++) {
        check_pass("{\"kind\": \"batchnorm\"}," LAST, 6, 5, train);
        check_pass(
            "{\"kind\": \"batchnorm\", \"relu\": true}, {\"kind\": \"conv\", \"features\": 4, \"kernel\": 3},"
            "{\"kind\": \"dense\", \"features\": 9, \"relu\": true}, {\"kind\": \"batchnorm\", \"relu\": "
            "true}," LAST,
            8, 3, train);
    }
}

static void network_dropout_equals_the_reference(void **state)
{
    (void)state;
    for (int train = 0; train < 2; train++)
        check_pass(
            "{\"kind\": \"dropout\", \"rate\": 0.3}, {\"kind\": \"dense\", \"features\": 20, \"relu\": true},"
            "{\"kind\": \"dropout\", \"rate\": 0.5}," LAST,
            5, 4, train);
}

static void network_residual_block_equals_the_reference(void **state)
{
    (void)state;
    check_model("{\"kind\": \"residual\", \"layers\": [{\"kind\": \"gelu\"}]}," LAST, 5, 3);
    check_model(
        "{\"kind\": \"conv\", \"features\": 6, \"kernel\": 3, \"relu\": true}, {\"kind\": \"residual\", "
        "\"relu\": "
        "true, \"layers\": [{\"kind\": \"conv\", \"features\": 6, \"kernel\": 3, \"relu\": true}, {\"kind\": "
        "\"conv\", \"features\": 6, \"kernel\": 3}]}," LAST,
        8, 4);
    check_model(
        "{\"kind\": \"residual\", \"relu\": true, \"layers\": [{\"kind\": \"conv\", \"features\": 8, "
        "\"kernel\": 3, "
        "\"stride\": 2, \"relu\": true}, {\"kind\": \"conv\", \"features\": 8, \"kernel\": 5}]}, {\"kind\": "
        "\"residual\", \"layers\": [{\"kind\": \"batchnorm\"}, {\"kind\": \"silu\"}]}," LAST,
        9, 4);
    check_model(/* the projection's channels do not fill a vector: net/conv.c, overruns */
                "{\"kind\": \"conv\", \"features\": 6, \"kernel\": 4}, {\"kind\": \"residual\", \"layers\": "
                "[{\"kind\": "
                "\"conv\", \"features\": 8, \"kernel\": 3, \"stride\": 2}]}," LAST,
                16, 6);
}

static void network_of_all_layers_equals_the_reference(void **state)
{
    (void)state;
    check_model("{\"kind\": \"conv\", \"features\": 18, \"kernel\": 7, \"relu\": true}, {\"kind\": "
                "\"avgpool\", \"kernel\": 7, \"stride\": 2},"
                "{\"kind\": \"conv\", \"features\": 36, \"kernel\": 7, \"relu\": true}, {\"kind\": "
                "\"maxpool\", \"kernel\": 2},"
                "{\"kind\": \"conv\", \"features\": 20, \"kernel\": 3, \"relu\": true}, {\"kind\": "
                "\"avgpool\", \"kernel\": 2},"
                "{\"kind\": \"dense\", \"features\": 16, \"relu\": true}," LAST,
                16, 6);
}

static void need_bf16(void)
{
    if (network_has_bf16())
        return;
    puts("skipped: this processor multiplies no bfloat16 (avx512_bf16)");
    skip();
}

#define CONV(features, kernel, more)                                                                         \
    "{\"kind\": \"conv\", \"features\": " #features ", \"kernel\": " #kernel ", " more                       \
    "\"padding\": \"same\"},"

/* Without ReLUs: of an output that rounding moves through 0 the whole term of a gradient would come or go. */
static void network_in_bf16_equals_the_reference_within_its_error(void **state)
{
    (void)state;
    need_bf16();
    static const struct {
        const char *layers;
        int side, channels;
    } CASES[] = {
        {CONV(18, 3, ) LAST, 16, 6},
        {CONV(7, 3, "\"stride\": 2, ") CONV(9, 1, ) LAST, 17, 3},
        {CONV(4, 3, ) CONV(5, 2, ) "{\"kind\": \"avgpool\", \"kernel\": 2}," LAST, 8, 3},
        {CONV(6, 3, ) "{\"kind\": \"silu\"}, {\"kind\": \"batchnorm\"}, {\"kind\": \"residual\", \"layers\": "
                      "[{\"kind\": \"conv\", "
                      "\"features\": 8, \"kernel\": 3, \"stride\": 2}]}," LAST,
         9, 6},
        {CONV(6, 4, ) "{\"kind\": \"residual\", \"layers\": [{\"kind\": \"conv\", \"features\": 8, "
                      "\"kernel\": 3, "
                      "\"stride\": 2}]}," LAST,
         16, 6}, /* net/conv.c, overruns */
        {CONV(18, 7, ) CONV(36, 5, ) "{\"kind\": \"dense\", \"features\": 9, \"relu\": true}," LAST, 16, 6},
        {CONV(3, 6, ) CONV(8, 15, ) LAST, 13, 1},
        {CONV(9, 5, ) LAST, 17, 11},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        double off = check_in(CASES[i].layers, CASES[i].side, CASES[i].channels, true, true);
        assert_true(off > 10 * GRADIENT_TOLERANCE); /* rounded it was */
    }
}

/* To a multiple of 1/16, at most 8: what bfloat16 holds. */
static void make_exact(float *values, size_t count, double scale)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(fmax(-127, fmin(127, rint(16 * scale * values[i]))) / 16);
}

/* Factors that need no rounding: what is left is the rounding of the sums, float32's; on the way back, that of the
 * derivative of the output. */
static void network_in_bf16_sums_in_float32(void **state)
{
    (void)state;
    enum { BATCH = 5, SIDE = 12, CHANNELS = 40, INPUTS = BATCH * SIDE * SIDE * CHANNELS };
    need_bf16();
    const uint8_t labels[BATCH] = {0, 1, 1, 0, 1};
    struct err err = {0};
    struct model *model = make_model(CONV(24, 3, "\"relu\": true, ") LAST, SIDE, CHANNELS);
    struct network *network = make_network(model, BATCH, NETWORK_TRAIN | NETWORK_BF16);
    size_t count = model->parameter_count;
    float *parameters = network_parameters(network);
    float *gradient = malloc(count * sizeof *gradient);
    int correct;
    make_exact(network_input(network), INPUTS, 1);
    make_exact(parameters, model_tensor(model, 0).count, 20);
    double *wide = widen(parameters, count), *input = widen(network_input(network), INPUTS),
           logits[2 * BATCH], *slopes = malloc(count * sizeof *slopes),
           *input_slopes = malloc(INPUTS * sizeof *input_slopes);
    const struct network_pass pass = {.train = true, .rows = BATCH};
    reference_run(model, &pass, wide, input, labels, BATCH, 1, logits, slopes, input_slopes);
    assert_int_equal(network_load(network, &err), 0);
    network_begin(network, &pass);
    assert_int_equal(network_forward(network, &err), 0);
    compare("logits", network_logits(network), logits, 2 * BATCH, LOGIT_TOLERANCE);
    network_loss(network, &LOSS_PLAIN, labels, BATCH, 1, &correct);
    assert_int_equal(network_backward(network, gradient, &err), 0);
    compare("weights' gradient", gradient, slopes, model_tensor(model, 0).count, BF16_TOLERANCE / 2);
    free(gradient);
    free(wide);
    free(input);
    free(slopes);
    free(input_slopes);
    network_destroy(network);
    model_destroy(model);
}

static double loss_at(struct network *network, const float *origin, const float *direction, size_t count,
                      double step, const uint8_t *labels, int batch)
{
    struct err err = {0};
    int correct;
    for (size_t i = 0; i < count; i++)
        network_parameters(network)[i] = origin[i] + (float)step * direction[i];
    assert_int_equal(network_load(network, &err), 0);
    assert_int_equal(network_forward(network, &err), 0);
    return network_loss(network, &LOSS_PLAIN, labels, batch, 1, &correct);
}

/* Along the gradient itself, normalised: the central difference must be its length. The step is small enough
 * for few ReLUs to flip, and large beside the rounding of the loss: 0.2 %. */
static void check_slope(const char *layers)
{
    enum { BATCH = 8 };
    const uint8_t labels[BATCH] = {0, 1, 1, 0, 1, 0, 0, 1};
    const double step = 5e-5;
    struct err err = {0};
    struct model *model = make_model(layers, 32, 6);
    struct network *network = make_network(model, BATCH, NETWORK_TRAIN);
    network_begin(network, &(struct network_pass){.train = true, .rows = BATCH, .seed = 3});
    size_t count = model->parameter_count;
    float *origin = malloc(count * sizeof *origin), *gradient = malloc(count * sizeof *gradient);
    double length = 0;
    memcpy(origin, network_parameters(network), count * sizeof *origin);
    loss_at(network, origin, origin, count, 0, labels, BATCH);
    assert_int_equal(network_backward(network, gradient, &err), 0);
    memset(gradient, 0, model->trained * sizeof *gradient); /* statistics are no gradients */
    for (size_t i = 0; i < count; i++)
        length += (double)gradient[i] * gradient[i];
    length = sqrt(length);
    for (size_t i = 0; i < count; i++)
        gradient[i] /= (float)length;
    double after = loss_at(network, origin, gradient, count, step, labels, BATCH);
    double before = loss_at(network, origin, gradient, count, -step, labels, BATCH);
    assert_near((after - before) / (2 * step), length, 0.002 * length);
    free(origin);
    free(gradient);
    network_destroy(network);
    model_destroy(model);
}

static void network_gradient_equals_finite_differences(void **state)
{
    (void)state;
    check_slope("{\"kind\": \"conv\", \"features\": 18, \"kernel\": 7, \"relu\": true},"
                "{\"kind\": \"avgpool\", \"kernel\": 7, \"stride\": 2},"
                "{\"kind\": \"dense\", \"features\": 16, \"relu\": true}," LAST);
    check_slope(
        "{\"kind\": \"conv\", \"features\": 8, \"kernel\": 3, \"stride\": 2}, {\"kind\": \"batchnorm\"},"
        "{\"kind\": \"gelu\"}, {\"kind\": \"residual\", \"layers\": [{\"kind\": \"conv\", \"features\": 12, "
        "\"kernel\": 5}, {\"kind\": \"silu\"}]}, {\"kind\": \"globalpool\"}, {\"kind\": \"dropout\", "
        "\"rate\": "
        "0.2}," LAST);
}

static void network_rows_beyond_count_change_nothing(void **state)
{
    (void)state;
    const uint8_t labels[4] = {1, 0, 1, 0};
    struct err err = {0};
    struct model *model =
        make_model("{\"kind\": \"conv\", \"features\": 4, \"kernel\": 3, \"relu\": true}, {\"kind\": "
                   "\"conv\", \"features\": 4, \"kernel\": 7}, {\"kind\": \"batchnorm\"}," LAST,
                   8, 2);
    struct network *network = make_network(model, 4, NETWORK_TRAIN);
    size_t count = model->parameter_count;
    float *first = malloc(count * sizeof *first), *second = malloc(count * sizeof *second);
    int correct;
    network_begin(network, &(struct network_pass){.train = true, .rows = 2});
    assert_int_equal(network_load(network, &err), 0);
    for (int run = 0; run < 2; run++) {
        fill_normal(network_input(network) + 2 * 8 * 8 * 2, 2 * 8 * 8 * 2, 3, (uint64_t)run);
        assert_int_equal(network_forward(network, &err), 0);
        network_loss(network, &LOSS_PLAIN, labels, 2, 1, &correct);
        assert_int_equal(network_backward(network, run ? second : first, &err), 0);
    }
    assert_memory_equal(first, second, count * sizeof *first);
    free(first);
    free(second);
    network_destroy(network);
    model_destroy(model);
}

static void network_score_is_the_same_in_any_company(void **state)
{
    (void)state;
    enum { BATCH = 16, SIZE = 64 * 64 * 6 };
    struct err err = {0};
    struct model *model;
    assert_int_equal(model_read(&model, DECOY_SOURCE_ETC "/models/lenet-2x2.yaml", 64, 6, &err), 0);
    struct network *network = make_network(model, BATCH, NETWORK_SCORE);
    float *stamp = malloc(SIZE * sizeof *stamp), *rows = network_input(network);
    double scores[BATCH], alone = -1;
    memcpy(stamp, rows, SIZE * sizeof *stamp);
    assert_int_equal(network_load(network, &err), 0);
    for (int place = 0; place < BATCH; place++) {
        fill_normal(rows, BATCH * SIZE, place, (uint64_t)place);
        memcpy(rows + place * SIZE, stamp, SIZE * sizeof *stamp);
        assert_int_equal(network_forward(network, &err), 0);
        network_scores(network, scores);
        if (place == 0)
            alone = scores[0];
        assert_true(scores[place] == alone);
    }
    free(stamp);
    network_destroy(network);
    model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network_dense_equals_the_reference),
        cmocka_unit_test(network_conv_equals_the_reference),
        cmocka_unit_test(network_pooling_equals_the_reference),
        cmocka_unit_test(network_activations_equal_the_reference),
        cmocka_unit_test(network_batchnorm_equals_the_reference),
        cmocka_unit_test(network_dropout_equals_the_reference),
        cmocka_unit_test(network_residual_block_equals_the_reference),
        cmocka_unit_test(network_of_all_layers_equals_the_reference),
        cmocka_unit_test(network_in_bf16_equals_the_reference_within_its_error),
        cmocka_unit_test(network_in_bf16_sums_in_float32),
        cmocka_unit_test(network_gradient_equals_finite_differences),
        cmocka_unit_test(network_rows_beyond_count_change_nothing),
        cmocka_unit_test(network_score_is_the_same_in_any_company),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
