/* An ONNX model under construction (onnx.proto): a graph of nodes over named values, weights with it. Values are
 * float32 unless a node makes others. All that is given is copied; memory that runs out ends the process, but for
 * the file itself. */
#ifndef DECOY_EXPORT_ONNX_H
#define DECOY_EXPORT_ONNX_H

#include "common/cleanup.h"
#include "common/err.h"

#include <stdint.h>

enum { ONNX_OPERATORS = 13, ONNX_ANY = -1, ONNX_INT64 = 7 }; /* set of operators; a size; a data type */

struct onnx;

struct onnx *onnx_create(const char *name);
void onnx_destroy(struct onnx *onnx);
CLEANUP_DEFINE(onnx_destroy_ptr, struct onnx, onnx_destroy)

void onnx_metadata(struct onnx *onnx, const char *key, const char *value);

/* What the user gives and gets. A size of ONNX_ANY is the number of stamps. */
void onnx_input(struct onnx *onnx, const char *name, const char *description, int rank, const int64_t *sizes);
void onnx_output(struct onnx *onnx, const char *name, const char *description, int rank,
                 const int64_t *sizes);

/* Constants. rank 0: one number. */
void onnx_tensor(struct onnx *onnx, const char *name, int rank, const long *shape, const float *values);
void onnx_number(struct onnx *onnx, const char *name, float value);
void onnx_integers(struct onnx *onnx, const char *name, int rank, int count, const int64_t *values);

/* Appends a node, named as the value that it makes; what it reads must be there already. The list of inputs
 * ends with NULL: onnx_add(onnx, "Add", "sum", (const char *[]){"a", "b", NULL}). */
void onnx_add(struct onnx *onnx, const char *operation, const char *output, const char *const *inputs);

/* More of the node that was added last: a second output, attributes. */
void onnx_also_makes(struct onnx *onnx, const char *output);
void onnx_set_int(struct onnx *onnx, const char *name, int64_t value);
void onnx_set_ints(struct onnx *onnx, const char *name, int count, const int64_t *values);
void onnx_set_float(struct onnx *onnx, const char *name, float value);

/* -EFBIG: more than the 2 GiB that a file may hold. */
int onnx_publish(const struct onnx *onnx, const char *path, struct err *err);

#endif
