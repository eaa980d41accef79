/* See profile.h. */
#include "daemon/worker/net/profile.h"
#include "common/clock.h"
#include "daemon/worker/net/cost.h"

#include <math.h>
#include <string.h>

enum { OTHER_PARTS = 16 }; /* besides two a layer */

struct profile *profile_create(const struct model *model)
{
    struct profile *profile = calloc(1, sizeof *profile);
    if (!profile)
        return NULL;
    profile->model = model;
    profile->room = 2 * model->layer_count + OTHER_PARTS;
    profile->parts = calloc((size_t)profile->room, sizeof *profile->parts);
    if (profile->parts)
        return profile;
    free(profile);
    return NULL;
}

void profile_destroy(struct profile *profile)
{
    if (profile)
        free(profile->parts);
    free(profile);
}

static void add(struct profile *profile, const char *name, double spent_s, double flops)
{
    int i = 0;
    while (i < profile->count && strcmp(profile->parts[i].name, name) != 0)
        i++;
    if (i == profile->room)
        abort(); /* our own mistake */
    struct profile_part *part = &profile->parts[i];
    profile->count += i == profile->count;
    snprintf(part->name, sizeof part->name, "%s", name);
    part->spent_s += spent_s;
    part->flops += flops;
}

void profile_add(struct profile *profile, const char *part, double spent_s)
{
    add(profile, part, spent_s, 0);
}

void profile_add_layer(struct profile *profile, const char *layer, const char *phase, int stamps,
                       double spent_s)
{
    const struct model *model = profile->model;
    char name[64];
    double flops = 0;
    for (int i = 0; i < model->layer_count; i++) {
        double forward = cost_forward_flops(&model->layers[i]);
        if (strcmp(model->layers[i].name, layer) == 0)
            flops = strcmp(phase, "forward") == 0 ? forward : cost_step_flops(model, i) - forward;
    }
    snprintf(name, sizeof name, "%s %s", layer, phase);
    add(profile, name, spent_s, flops * stamps);
}

static int compare_falling(const void *a, const void *b)
{
    double left = ((const struct profile_part *)a)->spent_s,
           right = ((const struct profile_part *)b)->spent_s;
    return (left < right) - (left > right);
}

static void print_part(FILE *text, const struct profile_part *part, double steps, double step_s, double peak)
{
    double rate = part->spent_s > 0 ? part->flops / part->spent_s / 1e9 : 0;
    fprintf(text, "%-32s %9.3f %6.1f", part->name, 1e3 * part->spent_s / steps,
            100 * part->spent_s / (steps * step_s));
    if (rate > 0)
        fprintf(text, " %9.1f", rate);
    if (rate > 0 && peak > 0)
        fprintf(text, " %10.0f", 100 * rate / peak);
    fputc('\n', text);
}

char *profile_table(const struct profile *profile, int64_t steps, double step_s, double peak_gflops)
{
    char *bytes = NULL;
    size_t size;
    FILE *text = open_memstream(&bytes, &size);
    struct profile_part *parts = calloc((size_t)profile->count + 1, sizeof *parts);
    struct profile_part rest = {.name = "the rest", .spent_s = (double)steps * step_s}, all = rest;
    if (!text || !parts)
        abort();
    memcpy(parts, profile->parts, (size_t)profile->count * sizeof *parts);
    qsort(parts, (size_t)profile->count, sizeof *parts, compare_falling);
    fprintf(text, "%-32s %9s %6s %9s %10s\n", "part of a step", "ms", "%", "GFLOP/s", "% of peak");
    for (int i = 0; i < profile->count; i++) {
        print_part(text, &parts[i], (double)steps, step_s, peak_gflops);
        rest.spent_s -= parts[i].spent_s;
        all.flops += parts[i].flops;
    }
    snprintf(all.name, sizeof all.name, "all");
    print_part(text, &rest, (double)steps, step_s, peak_gflops);
    print_part(text, &all, (double)steps, step_s, peak_gflops);
    free(parts);
    if (fclose(text) != 0)
        abort();
    return bytes;
}

#if defined __x86_64__
/* Twelve independent sums of eight: enough to fill two units of latency 4 or 5. */
__attribute__((target("avx2,fma"))) static double multiply_add_rate(void)
{
    enum { SUMS = 12, ROUNDS = 5000000 };
    typedef float eight __attribute__((vector_size(32)));
    eight sums[SUMS] = {{0}}, factor = {0.999f, 0.999f, 0.999f, 0.999f, 0.999f, 0.999f, 0.999f, 0.999f};
    for (int i = 0; i < SUMS; i++)
        sums[i] = factor * (float)i;
    double start_s = clock_monotonic_s();
    for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++)
            sums[i] = sums[i] * factor + factor;
    }
    double took_s = clock_monotonic_s() - start_s;
    volatile float keep = 0;
    for (int i = 0; i < SUMS; i++)
        keep += sums[i][0];
    (void)keep;
    return 2.0 * 8 * SUMS * ROUNDS / took_s / 1e9;
}

double profile_core_peak(void)
{
    double best = 0;
    for (int i = 0; i < 4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); i++)
        best = fmax(best, multiply_add_rate());
    return best;
}
#else
double profile_core_peak(void)
{
    return 0;
}
#endif
