/* The header of an npy file. */
#include "daemon/worker/dataset/npy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct npy npy;
    struct err err = {0};
    if (npy_parse(&npy, data, size, &err) == 0)
        fuzz_require(npy.offset <= size && npy.rank < NPY_RANK_MAX && npy.descr[0],
                     "an npy header has its type");
    else
        fuzz_require(err.text[0], "a refused npy header has a sentence");
    return 0;
}
