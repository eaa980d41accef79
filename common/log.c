/* See log.h. Each line is one write, so that lines of several processes do not mix. */
#include "common/log.h"
#include "common/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const LEVEL_NAMES[LOG_LEVEL_MAX] = {"info", "warning", "error"};

static const int PRIORITIES[LOG_LEVEL_MAX] = {6, 4, 3};

/* JOURNAL_STREAM is "device:inode" of what systemd connected (systemd.exec(5)): it may have been redirected since. */
static bool is_journal(void)
{
    const char *named = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat status;
    return named && sscanf(named, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[2048], stamp[CLOCK_TEXT_MAX];
    int used = is_journal() ? snprintf(line, sizeof line, "<%d>", PRIORITIES[level])
                            : snprintf(line, sizeof line, "%s %s: ", clock_format_utc(clock_realtime_us(), stamp),
                                       LEVEL_NAMES[level]);
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
