/* Where the time of training steps goes: seconds by part, and for layers the operations that cost.h counts. */
#ifndef DECOY_NET_PROFILE_H
#define DECOY_NET_PROFILE_H

#include "common/cleanup.h"
#include "daemon/worker/net/model.h"

struct profile_part {
    char name[64];         /* "conv1 forward", "input" */
    double spent_s, flops; /* since it began; flops 0 where none are counted */
};

struct profile {
    const struct model *model; /* borrowed */
    struct profile_part *parts;
    int count, room;
};

struct profile *profile_create(const struct model *model); /* NULL: out of memory */
void profile_destroy(struct profile *profile);
CLEANUP_DEFINE(profile_destroy_ptr, struct profile, profile_destroy)

void profile_add(struct profile *profile, const char *part, double spent_s);

/* A layer's phase, "forward" or "backward" (network.h's hook), on so many stamps. */
void profile_add_layer(struct profile *profile, const char *layer, const char *phase, int stamps,
                       double spent_s);

/* The parts as a table, the dearest first, with what is left of a step as "the rest": ms and % of a step, GFLOP/s,
 * and % of peak_gflops (0: not known). steps of step_s seconds each. Fresh memory; aborts when memory is out. */
char *profile_table(const struct profile *profile, int64_t steps, double step_s, double peak_gflops);

/* GFLOP/s of multiply-adds in registers, float32, one core, the best of four measurements that take a tenth of a second
 * together: the most that it can do. 0 without AVX2. */
double profile_core_peak(void);

#endif
