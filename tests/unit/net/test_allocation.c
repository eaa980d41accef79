/* A training step allocates nothing for tensors, and plans nothing: every allocation of the process is counted.
 * oneDNN makes a small table of arguments for each primitive it runs; that is all there may be. */
#include "daemon/worker/net/network.h"
#include "tests/unit/check.h"

#include <errno.h>

#if defined __GLIBC__ && !defined __SANITIZE_ADDRESS__
#define COUNTING 1
#else
#define COUNTING 0
#endif

static size_t calls, largest;

#if COUNTING
static void count(size_t size)
{
    calls++;
    largest = size > largest ? size : largest;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t items, size_t size)
{
    count(items * size);
    return __libc_calloc(items, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    count(size);
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
#endif

enum { BATCH = 4, SMALL = 4096, CALLS_A_LAYER = 16 };

static void step(struct network *network, float *gradient)
{
    const uint8_t labels[BATCH] = {0, 1, 1, 0};
    struct err err = {0};
    int correct;
    assert_int_equal(network_load(network, &err), 0);
    assert_int_equal(network_forward(network, &err), 0);
    network_loss(network, &LOSS_PLAIN, labels, BATCH, 1.0 / BATCH, &correct);
    assert_int_equal(network_backward(network, gradient, &err), 0);
}

static void check_preset(const char *path, int precision)
{
    struct err err = {0};
    struct model *model;
    struct network *network;
    assert_int_equal(model_read(&model, path, 64, 6, &err), 0);
    assert_int_equal(network_create(&network, model, BATCH, 1, NETWORK_TRAIN | precision, &err), 0);
    assert_true(calls > 0 && largest > SMALL); /* the counter counts */
    float *gradient = malloc(model->parameter_count * sizeof *gradient);
    model_initial_weights(model, 1, network_parameters(network));
    network_begin(network, &(struct network_pass){.train = true, .rows = BATCH});
    step(network, gradient);
    calls = largest = 0;
    step(network, gradient);
    if (largest > SMALL || calls > (size_t)(CALLS_A_LAYER * model->layer_count))
        fail_msg("%s: %zu allocations, the largest of %zu bytes", path, calls, largest);
    free(gradient);
    network_destroy(network);
    model_destroy(model);
}

static void check_presets(int precision)
{
    check_preset(DECOY_SOURCE_ETC "/models/lenet.yaml", precision);
    check_preset(DECOY_SOURCE_ETC "/models/vgg8.yaml", precision);
    check_preset(DECOY_SOURCE_ETC "/models/resnet8.yaml", precision);
}

static void step_allocates_no_tensor(void **state)
{
    (void)state;
    if (!COUNTING)
        skip();
    check_presets(0);
}

static void step_in_bf16_allocates_no_tensor(void **state)
{
    (void)state;
    if (!network_has_bf16())
        puts("skipped: this processor multiplies no bfloat16 (avx512_bf16)");
    if (!COUNTING || !network_has_bf16())
        skip();
    check_presets(NETWORK_BF16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step_allocates_no_tensor),
        cmocka_unit_test(step_in_bf16_allocates_no_tensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
