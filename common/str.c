/* See str.h. */
#include "common/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *str_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        abort();
    return text;
}

bool str_to_int(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end || isspace((unsigned char)*text))
        return false;
    *value = number;
    return true;
}

bool str_to_real(const char *text, double *value)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (errno == ERANGE || end == text || *end || isspace((unsigned char)*text) || !isfinite(number))
        return false;
    *value = number;
    return true;
}

static bool clock_to_seconds(const char *text, double *seconds)
{
    double total = 0;
    int fields = 0;
    for (const char *at = text;; at++) {
        char *end;
        if (!isdigit((unsigned char)*at) || ++fields > 3)
            return false;
        total = 60 * total + (double)strtoul(at, &end, 10);
        at = end;
        if (!*at)
            break;
        if (*at != ':')
            return false;
    }
    *seconds = total;
    return fields > 1;
}

bool str_to_seconds(const char *text, double *seconds)
{
    static const struct {
        char unit;
        double seconds;
    } UNITS[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (*end == UNITS[i].unit && (!*end || !end[1])) {
            *seconds = number * UNITS[i].seconds;
            return isfinite(*seconds);
        }
    }
    return clock_to_seconds(text, seconds);
}

/* Levenshtein distance; words longer than the row are cut. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64];
    size_t width = strnlen(b, 63);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            size_t cost = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            size_t least = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;
            row[j + 1] = cost < least ? cost : least;
        }
    }
    return row[width];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, candidates[i]);
        if (distance < least && distance < strlen(candidates[i])) {
            least = distance;
            best = candidates[i];
        }
    }
    return best;
}

/* Length of the good UTF-8 sequence at text, 0 when it is none. Overlong forms and surrogates are none. */
static size_t sequence_length(const unsigned char *text, size_t left)
{
    static const unsigned LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *text < 0x80             ? 1
                    : (*text & 0xe0) == 0xc0 ? 2
                    : (*text & 0xf0) == 0xe0 ? 3
                    : (*text & 0xf8) == 0xf0 ? 4
                                             : 0;
    if (length < 2 || length > left)
        return length == 1;
    unsigned point = *text & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    bool good = point >= LEAST[length] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    return good ? length : 0;
}

bool str_has_control(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strlen(text);
    while (left) {
        size_t length = sequence_length(at, left);
        if (!length || *at < 0x20 || *at == 0x7f)
            return true;
        at += length;
        left -= length;
    }
    return false;
}

void str_clean(char *to, size_t size, const char *from, size_t length)
{
    size_t used = 0;
    while (length && *from) {
        size_t step = sequence_length((const unsigned char *)from, length);
        bool good = step && !(step == 1 && ((unsigned char)*from < 0x20 || *from == 0x7f) && *from != '\t');
        if (used + (step ? step : 1) >= size)
            break;
        if (good)
            memmove(to + used, from, step);
        else
            to[used] = '?';
        step = step ? step : 1;
        used += good ? step : 1;
        from += step;
        length -= step;
    }
    to[used] = '\0';
}
