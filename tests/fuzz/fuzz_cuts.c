/* A file of cuts. */
#include "daemon/worker/sky/cuts.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(cuts_close_ptr) struct cuts *cuts = NULL;
    struct err err = {0};
    if (cuts_open(&cuts, fuzz_file(data, size), &err) != 0)
        fuzz_require(err.text[0], "refused cuts have a sentence");
    for (size_t i = 0; cuts && i < cuts_count(cuts); i++)
        fuzz_require(cuts_name(cuts, i)[0], "a cut has a name");
    return 0;
}
