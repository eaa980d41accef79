/* See clock.h. */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_realtime_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

double clock_monotonic_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const char *clock_format_utc(int64_t realtime_us, char text[CLOCK_TEXT_MAX])
{
    time_t seconds = (time_t)(realtime_us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

const char *clock_format_span(double seconds, char text[CLOCK_TEXT_MAX])
{
    long whole = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (whole < 60)
        snprintf(text, CLOCK_TEXT_MAX, "%ld s", whole);
    else if (whole < 3600)
        snprintf(text, CLOCK_TEXT_MAX, "%ld min %ld s", whole / 60, whole % 60);
    else if (whole < 86400)
        snprintf(text, CLOCK_TEXT_MAX, "%ld h %ld min", whole / 3600, whole % 3600 / 60);
    else
        snprintf(text, CLOCK_TEXT_MAX, "%ld d %ld h", whole / 86400, whole % 86400 / 3600);
    return text;
}
