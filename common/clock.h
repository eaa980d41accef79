/* The two clocks: wall time for what is recorded, monotonic time for what is measured. */
#ifndef DECOY_COMMON_CLOCK_H
#define DECOY_COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT_MAX 32

int64_t clock_realtime_us(void); /* since 1970-01-01 UTC */
double clock_monotonic_s(void);  /* since an arbitrary start; never goes back */

/* "2026-01-31T12:00:00Z"; returns text. */
const char *clock_format_utc(int64_t realtime_us, char text[CLOCK_TEXT_MAX]);

/* A point in time that a person names: "18:30[:00]" (the next one, local time), "2026-01-31 18:30[:00]" (also with T; local
 * time, UTC with Z behind it), "@1769857200" (seconds since 1970), "+2h" (from now). False: none of these. */
bool clock_parse(const char *text, int64_t now_us, int64_t *time_us);

/* "18:30:00" of today or, of another day, "Sat 2026-01-31 18:30:00", local time; returns text. */
const char *clock_format_local(int64_t realtime_us, char text[CLOCK_TEXT_MAX]);

/* "45 s", "3 min 20 s", "2 h 5 min", "4 d 3 h"; returns text. */
const char *clock_format_span(double seconds, char text[CLOCK_TEXT_MAX]);

#endif
