/* A safetensors file, read for a model of one dense layer of 3 x 2 weights and 2 biases. */
#include "daemon/worker/net/safetensors.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "tiny";
    struct model_layer dense = {.type = MODEL_DENSE,
                                .name = "dense1",
                                .in = {1, 3},
                                .out = {1, 2},
                                .weight = 0,
                                .weight_count = 6,
                                .bias = 6,
                                .bias_count = 2};
    const struct model model = {name, {1, 3}, &dense, 1, 8};
    float parameters[8];
    struct err err = {0};
    if (safetensors_read(fuzz_file(data, size), &model, parameters, NULL, &err) != 0) {
        fuzz_require(err.text[0], "a refused file has a sentence");
        return 0;
    }
    for (int i = 0; i < 8; i++)
        fuzz_require(isfinite(parameters[i]), "a parameter that was read is finite");
    return 0;
}
