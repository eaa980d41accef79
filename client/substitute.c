/* See substitute.h. */
#include "client/substitute.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static bool is_name_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* text is at a '$'. The length of "${name}" or "$(name)", 0 when it is none; name is filled. */
static size_t reference_length(const char *text, char name[SUBSTITUTE_NAME_MAX])
{
    char close = text[1] == '{' ? '}' : text[1] == '(' ? ')' : '\0';
    size_t length = 0;
    while (close && is_name_character(text[2 + length]))
        length++;
    if (!close || text[2 + length] != close || length == 0 || length >= SUBSTITUTE_NAME_MAX)
        return 0;
    memcpy(name, text + 2, length);
    name[length] = '\0';
    return length + 3;
}

json_t *scalar_as_text(const json_t *value)
{
    CLEANUP(free_ptr) char *text = NULL;
    if (json_is_integer(value))
        text = str_format("%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        text = str_format("%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        text = str_format("%s", json_is_true(value) ? "true" : "false");
    return text ? json_string(text) : json_incref((json_t *)value);
}

/* Writes one piece of text, at a '$', to stream; returns how much of text it took. */
static int write_reference(FILE *stream, const char *text, substitute_find *find, void *context,
                           struct err *err)
{
    char name[SUBSTITUTE_NAME_MAX];
    size_t length = reference_length(text, name);
    if (text[1] == '$') {
        fputc('$', stream);
        return 2;
    }
    if (!length)
        return err_set(err, -EINVAL, "a $ begins no ${NAME} in \"%.40s\"; a dollar itself is written $$",
                       text);
    json_t *found = find(context, name, err);
    if (!found)
        return -EINVAL;
    if (json_is_null(found))
        return err_set(err, -EINVAL, "needs --set %s=...", name);
    json_t *as_text = scalar_as_text(found);
    fputs(json_string_value(as_text), stream);
    json_decref(as_text);
    return (int)length;
}

int substitute(const char *text, substitute_find *find, void *context, json_t **value, struct err *err)
{
    char name[SUBSTITUTE_NAME_MAX];
    if (*text == '$' && reference_length(text, name) == strlen(text)) {
        json_t *found = find(context, name, err);
        *value = json_incref(found);
        return found ? 0 : -EINVAL;
    }
    CLEANUP(free_ptr) char *result = NULL;
    size_t size;
    FILE *stream = open_memstream(&result, &size);
    if (!stream)
        return err_set(err, -ENOMEM, "out of memory");
    int taken = 1;
    for (; *text && taken > 0; text += taken > 0 ? taken : 0) {
        taken = 1;
        if (*text == '$')
            taken = write_reference(stream, text, find, context, err);
        else
            fputc(*text, stream);
    }
    fclose(stream);
    if (taken < 0)
        return taken;
    *value = json_string(result);
    return 0;
}

void substitute_hide_braces(char *text, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        char name[SUBSTITUTE_NAME_MAX];
        size_t length = text[i] == '$' ? reference_length(text + i, name) : 0;
        if (length && text[i + 1] == '{') {
            text[i + 1] = '(';
            text[i + length - 1] = ')';
        } else if (text[i] == '$' && text[i + 1] == '$') {
            i++;
        }
    }
}
