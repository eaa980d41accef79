/* See clock.h. */
#include "common/clock.h"
#include "common/str.h"

#include <stdio.h>
#include <string.h>
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

const char *clock_format_local(int64_t realtime_us, char text[CLOCK_TEXT_MAX])
{
    time_t seconds = (time_t)(realtime_us / 1000000), now = time(NULL);
    struct tm parts, today;
    localtime_r(&seconds, &parts);
    localtime_r(&now, &today);
    bool same_day = parts.tm_yday == today.tm_yday && parts.tm_year == today.tm_year;
    strftime(text, CLOCK_TEXT_MAX, same_day ? "%H:%M:%S" : "%a %Y-%m-%d %H:%M:%S", &parts);
    return text;
}

/* The next time that the clock on the wall shows text. */
static bool parse_time_of_day(const char *text, time_t now, time_t *seconds)
{
    struct tm parts;
    localtime_r(&now, &parts);
    parts.tm_sec = 0;
    const char *rest = strptime(text, "%H:%M", &parts);
    if (rest && *rest == ':')
        rest = strptime(rest + 1, "%S", &parts);
    if (!rest || *rest)
        return false;
    parts.tm_isdst = -1;
    *seconds = mktime(&parts);
    if (*seconds <= now) {
        parts.tm_mday++;
        parts.tm_isdst = -1;
        *seconds = mktime(&parts);
    }
    return true;
}

static bool parse_date(const char *text, time_t *seconds)
{
    struct tm parts = {.tm_isdst = -1};
    const char *rest = strptime(text, "%Y-%m-%d", &parts);
    if (!rest || (*rest != 'T' && *rest != ' '))
        return false;
    rest = strptime(rest + 1, "%H:%M", &parts);
    if (rest && *rest == ':')
        rest = strptime(rest + 1, "%S", &parts);
    bool utc = rest && strcmp(rest, "Z") == 0;
    if (!rest || (*rest && !utc))
        return false;
    *seconds = utc ? timegm(&parts) : mktime(&parts);
    return true;
}

bool clock_parse(const char *text, int64_t now_us, int64_t *time_us)
{
    time_t seconds;
    double span_s;
    int64_t number;
    if (*text == '+') {
        if (!str_to_seconds(text + 1, &span_s) || !(span_s < 1e10))
            return false;
        *time_us = now_us + (int64_t)(1e6 * span_s);
        return true;
    }
    if (*text == '@') {
        if (!str_to_int(text + 1, &number) || number < 0 || number > (int64_t)1e11)
            return false;
        *time_us = number * 1000000;
        return true;
    }
    if (!parse_time_of_day(text, (time_t)(now_us / 1000000), &seconds) && !parse_date(text, &seconds))
        return false;
    *time_us = (int64_t)seconds * 1000000;
    return true;
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
