/* See schedule.h. */
#include "daemon/worker/net/schedule.h"

#include <math.h>

#define FIRST_DIVISOR 25.0
#define LAST_DIVISOR  250000.0

const char *const SCHEDULE_RULES[SCHEDULE_RULE_MAX] = {"constant", "onecycle", "step", "cosine"};

static double half_cosine(double from, double to, double fraction)
{
    return to + (from - to) * 0.5 * (1 + cos(M_PI * fraction));
}

static double onecycle(const struct schedule *schedule, double now)
{
    double highest = schedule->highest, last = schedule->steps > 1 ? (double)(schedule->steps - 1) : 1;
    double turn = fmax(schedule->warm_up * (double)schedule->steps - 1, 0);
    if (now < turn)
        return half_cosine(highest / FIRST_DIVISOR, highest, now / turn);
    return last > turn ? half_cosine(highest, highest / LAST_DIVISOR, (now - turn) / (last - turn)) : highest;
}

double schedule_rate(const struct schedule *schedule, int64_t step)
{
    double now = (double)step, turn = floor(schedule->warm_up * (double)schedule->steps);
    double rise = now < turn ? (now + 1) / turn : 1;
    switch (schedule->rule) {
    case SCHEDULE_ONECYCLE:
        return onecycle(schedule, now);
    case SCHEDULE_STEP:
        return rise * schedule->highest * pow(schedule->factor, floor(now / (double)schedule->every));
    case SCHEDULE_COSINE:
        return now < turn
                   ? rise * schedule->highest
                   : half_cosine(schedule->highest, 0, (now - turn) / ((double)schedule->steps - turn));
    default:
        return rise * schedule->highest;
    }
}
