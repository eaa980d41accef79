/* See log.h. Each line is one write, so that lines of several processes do not mix. */
#include "common/log.h"
#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const LEVEL_NAMES[LOG_LEVEL_MAX] = {"info", "warning", "error"};

void log_line(enum log_level level, const char *format, ...)
{
    char line[2048], stamp[CLOCK_TEXT_MAX];
    int used = snprintf(line, sizeof line, "%s %s: ", clock_format_utc(clock_realtime_us(), stamp), LEVEL_NAMES[level]);
    va_list arguments;
    va_start(arguments, format);
    int text = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
    va_end(arguments);
    size_t size = (size_t)used + (text < 0 ? 0 : (size_t)text);
    if (size > sizeof line - 2)
        size = sizeof line - 2;
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* nowhere left to say it */
}
