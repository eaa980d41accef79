/* What test_update.py compares with PyTorch. Numbers come in on standard input as raw little-endian values.
 *   update_probe optimise RULE MOMENTUM DECAY CLIP RATE STEPS COUNT: float32 x (COUNT), then STEPS gradients
 *     (COUNT each) -> float32 x after each step
 *   update_probe schedule RULE HIGHEST WARM_UP STEPS EVERY FACTOR -> a rate a line
 *   update_probe loss SMOOTHING REAL FAKE ROWS: float32 logits (ROWS, 2), uint8 labels -> the loss, then a
 *     slope a line */
#include "daemon/worker/net/loss.h"
#include "daemon/worker/net/optimiser.h"
#include "daemon/worker/net/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    exit(2);
}

static void take(void *data, size_t size)
{
    if (fread(data, 1, size, stdin) != size)
        exit(3);
}

static void optimise(char **argv)
{
    struct optimiser optimiser = {(enum optimiser_rule)find(OPTIMISER_RULES, OPTIMISER_RULE_MAX, argv[0]),
                                  atof(argv[1]), atof(argv[2])};
    double clip = atof(argv[3]), rate = atof(argv[4]);
    size_t count = (size_t)atol(argv[6]);
    float *values = calloc(4 * count, sizeof *values);
    struct optimiser_block block = {values, values + count, values + 2 * count, values + 3 * count, count};
    take(values, count * sizeof *values);
    for (int step = 1; step <= atoi(argv[5]); step++) {
        take(values + 3 * count, count * sizeof *values);
        double scale = optimiser_clip_scale(optimiser_norm(block.gradient, count), clip);
        optimiser_update(&optimiser, &block, rate, scale, step);
        fwrite(values, sizeof *values, count, stdout);
    }
    free(values);
}

static void schedule(char **argv)
{
    struct schedule schedule = {
        .rule = (enum schedule_rule)find(SCHEDULE_RULES, SCHEDULE_RULE_MAX, argv[0]),
        .highest = atof(argv[1]),
        .warm_up = atof(argv[2]),
        .steps = atol(argv[3]),
        .every = atol(argv[4]),
        .factor = atof(argv[5]),
    };
    for (int64_t step = 0; step < schedule.steps; step++)
        printf("%.17g\n", schedule_rate(&schedule, step));
}

static void lose(char **argv)
{
    struct loss loss = {atof(argv[0]), {atof(argv[1]), atof(argv[2])}};
    int rows = atoi(argv[3]), correct;
    float *logits = calloc(4 * (size_t)rows, sizeof *logits);
    uint8_t *labels = calloc((size_t)rows, 1);
    take(logits, 2 * (size_t)rows * sizeof *logits);
    take(labels, (size_t)rows);
    printf("%.17g\n", loss_sum(&loss, logits, labels, rows, rows, 1, logits + 2 * rows, &correct));
    for (int i = 0; i < 2 * rows; i++)
        printf("%.9g\n", (double)logits[2 * rows + i]);
    free(logits);
    free(labels);
}

int main(int argc, char **argv)
{
    if (argc == 9 && strcmp(argv[1], "optimise") == 0)
        optimise(argv + 2);
    else if (argc == 8 && strcmp(argv[1], "schedule") == 0)
        schedule(argv + 2);
    else if (argc == 6 && strcmp(argv[1], "loss") == 0)
        lose(argv + 2);
    else
        return 2;
    return 0;
}
