/* Private to net/. A oneDNN primitive with its memories bound, or a kernel of our own: made once, run many
 * times, without allocation. Every call of the library is in this folder; 2.6 is spoken. */
#ifndef DECOY_NET_OP_H
#define DECOY_NET_OP_H

#include "common/err.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>

struct engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

/* threads: OpenMP threads of the calling thread, for all that is created and run from it. */
int engine_create(struct engine *engine, int threads, struct err *err);
void engine_destroy(struct engine *engine);

/* "oneDNN 2.6.0, AVX512_CORE": what the bits of a result depend on besides the threads. */
void engine_describe(char text[64]);

/* Whether the processor multiplies in bfloat16 (avx512_bf16), and ONEDNN_MAX_CPU_ISA does not forbid it. */
bool engine_has_bf16(void);

enum { OP_ARGUMENTS_MAX = 6 };

typedef void op_call(void *context);

struct op {
    op_call *call; /* a kernel of our own, run with context; or */
    void *context;
    dnnl_primitive_t primitive; /* oneDNN's; neither: nothing to do */
    dnnl_exec_arg_t arguments[OP_ARGUMENTS_MAX];
    int count;
};

/* A primitive of the descriptor (a dnnl_..._desc_t *). hint: the forward descriptor, for backward ones.
 * *made is the caller's to destroy, after it was asked for the layouts it chose. */
int op_describe(dnnl_primitive_desc_t *made, const struct engine *engine, const void *descriptor,
                dnnl_primitive_attr_t attributes, const_dnnl_primitive_desc_t hint, struct err *err);

/* The same, but no implementation whose name begins with `avoid`. */
int op_describe_but(dnnl_primitive_desc_t *made, const struct engine *engine, const void *descriptor,
                    const_dnnl_primitive_desc_t hint, const char *avoid, struct err *err);
int op_create(struct op *op, const_dnnl_primitive_desc_t description, struct err *err);
void op_destroy(struct op *op);

/* Binds an argument (DNNL_ARG_...) to data laid out as description says. The data stay the caller's. */
int op_bind(struct op *op, const struct engine *engine, int argument, const dnnl_memory_desc_t *description,
            void *data, struct err *err);
void op_rebind(struct op *op, int argument, void *data);

/* Copies `from` to `to`, changing the layout. */
int op_create_reorder(struct op *op, const struct engine *engine, const dnnl_memory_desc_t *from,
                      void *from_data, const dnnl_memory_desc_t *to, void *to_data, struct err *err);

int op_run(const struct op *op, const struct engine *engine, struct err *err);

/* Layouts. */
const dnnl_memory_desc_t *op_layout(const_dnnl_primitive_desc_t description, dnnl_query_t which);
int op_status(dnnl_status_t status, const char *what, struct err *err); /* 0 or -EIO and "oneDNN: ..." */

/* 64-byte aligned zeros; NULL and a sentence when memory is out. */
void *op_allocate(size_t size, struct err *err);

#endif
