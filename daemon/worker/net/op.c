/* See op.h. */
#include "daemon/worker/net/op.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of libgomp, which libdnnl brings: clang's own <omp.h> would bring a second OpenMP. */
void omp_set_num_threads(int count);
void omp_set_dynamic(int dynamic);

static const char *status_text(dnnl_status_t status)
{
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "not implemented for these shapes";
    default:
        return "run-time error";
    }
}

int op_status(dnnl_status_t status, const char *what, struct err *err)
{
    if (status == dnnl_success)
        return 0;
    int code = status == dnnl_out_of_memory ? -ENOMEM : status == dnnl_unimplemented ? -ENOTSUP : -EIO;
    return err_set(err, code, "oneDNN cannot %s: %s", what, status_text(status));
}

int engine_create(struct engine *engine, int threads, struct err *err)
{
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
    int code = op_status(dnnl_engine_create(&engine->engine, dnnl_cpu, 0), "use this CPU", err);
    if (code)
        return code;
    return op_status(dnnl_stream_create(&engine->stream, engine->engine, dnnl_stream_default_flags),
                     "make a stream", err);
}

void engine_destroy(struct engine *engine)
{
    if (engine->stream)
        dnnl_stream_destroy(engine->stream);
    if (engine->engine)
        dnnl_engine_destroy(engine->engine);
    memset(engine, 0, sizeof *engine);
}

static const char *isa_name(void)
{
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
        return "SSE4.1";
    case dnnl_cpu_isa_avx:
        return "AVX";
    case dnnl_cpu_isa_avx2:
        return "AVX2";
    case dnnl_cpu_isa_avx2_vnni:
        return "AVX2_VNNI";
    case dnnl_cpu_isa_avx512_core:
        return "AVX512_CORE";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "AVX512_CORE_VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "AVX512_CORE_BF16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "AVX512_CORE_AMX";
    default:
        return "another ISA";
    }
}

/* The kinds of instructions are bits, each kind with those of the kinds below it. */
bool engine_has_bf16(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

void engine_describe(char text[64])
{
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, 64, "oneDNN %d.%d.%d, %s", version->major, version->minor, version->patch, isa_name());
}

int op_describe(dnnl_primitive_desc_t *made, const struct engine *engine, const void *descriptor,
                dnnl_primitive_attr_t attributes, const_dnnl_primitive_desc_t hint, struct err *err)
{
    return op_status(dnnl_primitive_desc_create(made, descriptor, attributes, engine->engine, hint),
                     "plan a layer", err);
}

static bool is_named(const_dnnl_primitive_desc_t description, const char *start)
{
    const char *name = NULL;
    dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name);
    return name && strncmp(name, start, strlen(start)) == 0;
}

int op_describe_but(dnnl_primitive_desc_t *made, const struct engine *engine, const void *descriptor,
                    const_dnnl_primitive_desc_t hint, const char *avoid, struct err *err)
{
    dnnl_primitive_desc_iterator_t iterator;
    dnnl_status_t status =
        dnnl_primitive_desc_iterator_create(&iterator, descriptor, NULL, engine->engine, hint);
    if (status != dnnl_success)
        return op_status(status, "plan a layer", err);
    for (*made = NULL; !*made && status == dnnl_success;) {
        *made = dnnl_primitive_desc_iterator_fetch(iterator);
        if (*made && is_named(*made, avoid)) {
            dnnl_primitive_desc_destroy(*made);
            *made = NULL;
            status = dnnl_primitive_desc_iterator_next(iterator);
        } else if (!*made) {
            status = dnnl_out_of_memory;
        }
    }
    dnnl_primitive_desc_iterator_destroy(iterator);
    return op_status(*made ? dnnl_success : status, "plan a layer", err);
}

int op_create(struct op *op, const_dnnl_primitive_desc_t description, struct err *err)
{
    return op_status(dnnl_primitive_create(&op->primitive, description), "make a layer", err);
}

void op_destroy(struct op *op)
{
    for (int i = 0; i < op->count; i++)
        dnnl_memory_destroy(op->arguments[i].memory);
    if (op->primitive)
        dnnl_primitive_destroy(op->primitive);
    memset(op, 0, sizeof *op);
}

int op_bind(struct op *op, const struct engine *engine, int argument, const dnnl_memory_desc_t *description,
            void *data, struct err *err)
{
    dnnl_exec_arg_t *slot = &op->arguments[op->count];
    int code =
        op_status(dnnl_memory_create(&slot->memory, description, engine->engine, data), "bind a tensor", err);
    if (code)
        return code;
    slot->arg = argument;
    op->count++;
    return 0;
}

void op_rebind(struct op *op, int argument, void *data)
{
    for (int i = 0; i < op->count; i++) {
        if (op->arguments[i].arg == argument)
            dnnl_memory_set_data_handle(op->arguments[i].memory, data);
    }
}

int op_create_reorder(struct op *op, const struct engine *engine, const dnnl_memory_desc_t *from,
                      void *from_data, const dnnl_memory_desc_t *to, void *to_data, struct err *err)
{
    dnnl_primitive_desc_t plan;
    int code =
        op_status(dnnl_reorder_primitive_desc_create(&plan, from, engine->engine, to, engine->engine, NULL),
                  "plan a reorder", err);
    if (code)
        return code;
    code = op_create(op, plan, err);
    dnnl_primitive_desc_destroy(plan);
    if (!code)
        code = op_bind(op, engine, DNNL_ARG_FROM, from, from_data, err);
    return code ? code : op_bind(op, engine, DNNL_ARG_TO, to, to_data, err);
}

int op_run(const struct op *op, const struct engine *engine, struct err *err)
{
    if (op->call)
        op->call(op->context);
    if (!op->primitive)
        return 0;
    int code = op_status(dnnl_primitive_execute(op->primitive, engine->stream, op->count, op->arguments),
                         "run a layer", err);
    return code ? code : op_status(dnnl_stream_wait(engine->stream), "run a layer", err);
}

const dnnl_memory_desc_t *op_layout(const_dnnl_primitive_desc_t description, dnnl_query_t which)
{
    return dnnl_primitive_desc_query_md(description, which, 0);
}

void *op_allocate(size_t size, struct err *err)
{
    size_t rounded = (size + 63) / 64 * 64;
    void *data = rounded < size ? NULL : aligned_alloc(64, rounded ? rounded : 64);
    if (!data)
        err_set(err, -ENOMEM, "out of memory for %zu bytes of the network", size);
    else
        memset(data, 0, rounded);
    return data;
}
