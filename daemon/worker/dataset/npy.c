/* See npy.h. */
#include "daemon/worker/dataset/npy.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PREAMBLE = 10, ALIGNMENT = 64 };

static const char MAGIC[] = "\x93NUMPY\x01";

size_t npy_header(char header[NPY_HEADER_MAX], const char *descr, int rank, const size_t *sizes)
{
    char shape[128];
    size_t used = 0;
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, i ? ", %zu" : "%zu", sizes[i]);
    int length = snprintf(header + PREAMBLE, NPY_HEADER_MAX - PREAMBLE,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (%s%s), }", descr, shape,
                          rank == 1 ? "," : "");
    size_t end = PREAMBLE + (size_t)length, total = (end + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memcpy(header, MAGIC, 7);
    header[7] = '\0';
    header[8] = (char)((total - PREAMBLE) & 0xff);
    header[9] = (char)((total - PREAMBLE) >> 8);
    memset(header + end, ' ', total - end - 1);
    header[total - 1] = '\n';
    return total;
}

/* What follows 'key': in the header's text, blanks skipped; NULL when the key is not there. */
static const char *find_value(const char *text, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *place = strstr(text, quoted);
    return place ? place + strlen(quoted) + strspn(place + strlen(quoted), " ") : NULL;
}

static int parse_shape(struct npy *npy, const char *text)
{
    if (*text++ != '(')
        return -EINVAL;
    size_t count = 1;
    for (npy->rank = 0; npy->rank < NPY_RANK_MAX; npy->rank++) {
        text += strspn(text, " ,");
        if (*text == ')')
            return 0;
        size_t size = 0, digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 18)
            return -EINVAL;
        for (size_t i = 0; i < digits; i++)
            size = size * 10 + (size_t)(text[i] - '0');
        npy->sizes[npy->rank] = size;
        if (__builtin_mul_overflow(count, size, &count))
            return -EINVAL;
        text += digits;
    }
    return -EINVAL;
}

static int parse_text(struct npy *npy, const char *text, struct err *err)
{
    const char *descr = find_value(text, "descr"), *order = find_value(text, "fortran_order"),
               *shape = find_value(text, "shape");
    if (!descr || !order || !shape)
        return err_set(err, -EINVAL, "the npy header has no descr, fortran_order or shape");
    size_t length = *descr == '\'' ? strcspn(descr + 1, "'") : 0;
    if (length == 0 || length >= sizeof npy->descr)
        return err_set(err, -EINVAL, "the npy items are not plain numbers");
    memcpy(npy->descr, descr + 1, length);
    if (strncmp(order, "False", 5) != 0)
        return err_set(err, -EINVAL, "the npy array is in Fortran order");
    if (parse_shape(npy, shape) != 0)
        return err_set(err, -EINVAL, "the npy header's shape cannot be read");
    return 0;
}

int npy_parse(struct npy *npy, const void *data, size_t size, struct err *err)
{
    enum { TEXT_MAX = 4096 };
    const unsigned char *bytes = data;
    char text[TEXT_MAX + 1];
    memset(npy, 0, sizeof *npy);
    if (size < PREAMBLE || memcmp(bytes, MAGIC, 7) != 0)
        return err_set(err, -EINVAL, "not an npy file of version 1");
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (length > TEXT_MAX || length > size - PREAMBLE)
        return err_set(err, -EINVAL, "the npy header is cut short or longer than %d bytes", TEXT_MAX);
    memcpy(text, bytes + PREAMBLE, length);
    text[length] = '\0';
    npy->offset = PREAMBLE + length;
    return parse_text(npy, text, err);
}
