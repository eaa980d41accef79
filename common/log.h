/* Lines to standard error: "2026-01-31T12:00:00Z info: text"; to systemd's journal, which knows the time, "<6>text" with
 * the priority of syslog(3). Only mains, handlers and workers log. */
#ifndef DECOY_COMMON_LOG_H
#define DECOY_COMMON_LOG_H

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVEL_MAX };

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
