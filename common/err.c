/* See err.h. */
#include "common/err.h"
#include "common/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
    if (!err)
        return code;
    va_list arguments;
    va_start(arguments, format);
    err->code = code;
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    str_clean(err->text, sizeof err->text, err->text, strlen(err->text));
    return code;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return -EIO;
    char rest[ERR_TEXT_MAX];
    memcpy(rest, err->text, sizeof rest);
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    if (used >= 0 && (size_t)used < sizeof err->text)
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", rest);
    str_clean(err->text, sizeof err->text, err->text, strlen(err->text));
    return err->code ? err->code : -EIO;
}
