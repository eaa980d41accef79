/* What every fuzz target shares. A target is one fuzz_NAME.c that defines LLVMFuzzerTestOneInput: libFuzzer's
 * main calls it with bytes of its making (./run fuzz), replay.c with the files of corpus/NAME (every test
 * run). */
#ifndef DECOY_TESTS_FUZZ_FUZZ_H
#define DECOY_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a regular file in memory that holds these bytes until the next call; for parsers that take a
 * path. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* Ends the program when a parser that failed said nothing, or one that did not fail gave nothing. */
void fuzz_require(int holds, const char *what);

#endif
