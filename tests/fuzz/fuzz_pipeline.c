/* A pipeline file, read and planned. */
#include "client/pipeline.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(pipeline_destroy_ptr) struct pipeline *pipeline = NULL;
    json_t *plan = NULL;
    struct err err = {0};
    if (pipeline_read(&pipeline, fuzz_file(data, size), &err) == 0) {
        pipeline_set(pipeline, "seed=7", NULL);
        if (pipeline_plan(pipeline, "/tmp/run", "key", &plan, &err) == 0)
            json_decref(plan);
    }
    fuzz_require(plan || err.text[0], "a refused pipeline has a sentence");
    return 0;
}
