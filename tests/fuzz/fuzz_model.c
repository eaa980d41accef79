/* A model file: what is accepted, written as text, is the same model again. */
#include "daemon/worker/net/model.h"
#include "proto/json.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void read_again(const struct model *model)
{
    CLEANUP(free_ptr) char *text = model_text(model);
    json_t *file = NULL;
    struct err err = {0};
    CLEANUP(model_destroy_ptr) struct model *again = NULL;
    fuzz_require(yaml_parse_bytes("model", text, strlen(text), &file, &err) == 0, "a model's text is YAML");
    fuzz_require(model_from_json(&again, file, 0, 0, &err) == 0, "a model's text is a model");
    CLEANUP(free_ptr) char *same = model_text(again);
    fuzz_require(strcmp(text, same) == 0, "a model's text is of the same model");
    json_decref(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(model_destroy_ptr) struct model *model = NULL;
    struct err err = {0};
    if (model_read(&model, fuzz_file(data, size), 64, 6, &err) == 0)
        read_again(model);
    else
        fuzz_require(err.text[0], "a refused model has a sentence");
    return 0;
}
