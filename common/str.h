/* Small helpers for text. */
#ifndef DECOY_COMMON_STR_H
#define DECOY_COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* printf into fresh memory, the caller's to free. Aborts when memory is out. */
char *str_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The whole text as a number; false when there is anything else in it or it does not fit. */
bool str_to_int(const char *text, int64_t *value);
bool str_to_real(const char *text, double *value);

/* Seconds from "90", "90s", "15m", "2h", "1d", "1:30:00" (h:m:s) or "2:30" (m:s). */
bool str_to_seconds(const char *text, double *seconds);

/* The candidate nearest to word by edit distance, or NULL when none is near enough to have been meant. */
const char *str_nearest(const char *word, const char *const *candidates, size_t count);

/* True when a NUL-ended text holds a control character (a newline among them) or is not UTF-8. */
bool str_has_control(const char *text);

/* Text from outside made fit for a line of at most size bytes with its NUL: control characters but tabs, and
 * what is not UTF-8, become '?'; cut at a character. Ends at a NUL. to may be from. */
void str_clean(char *to, size_t size, const char *from, size_t length);

#endif
