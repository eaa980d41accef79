/* The npy format, version 1.0 (numpy.lib.format): a header of text, padded to a multiple of 64 bytes, then
 * the items in C order, little-endian. Headers only: items are written and mapped by the caller. */
#ifndef DECOY_DATASET_NPY_H
#define DECOY_DATASET_NPY_H

#include "common/err.h"

#include <stddef.h>

enum { NPY_RANK_MAX = 8, NPY_HEADER_MAX = 512 };

struct npy {
    char descr[8]; /* "<f4", "<i8", "|u1", ... */
    int rank;
    size_t sizes[NPY_RANK_MAX];
    size_t offset; /* of the first item in the file */
};

/* The header's bytes into header; returns how many. rank is 1 .. 4. */
size_t npy_header(char header[NPY_HEADER_MAX], const char *descr, int rank, const size_t *sizes);

/* The header at the start of a file's bytes. Refuses other versions, Fortran order and structured items.
 * The sentence does not name the file: the caller does, by err_prefix. */
int npy_parse(struct npy *npy, const void *data, size_t size, struct err *err);

#endif
