/* See brick_names.h. */
#include "daemon/worker/sky/brick_names.h"
#include "common/file.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { NAME_LEAST = 3, FILE_MAX = 64 << 20 };

struct named {
    struct brick brick;
    int line;
};

bool brick_name_valid(const char *name)
{
    size_t length = strlen(name);
    for (const char *at = name; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("+-_", *at))
            return false;
    }
    return length >= NAME_LEAST && length < BRICK_NAME_MAX;
}

void brick_names_free(struct brick_names *names)
{
    free((void *)names->bricks);
    free(names->lines);
    memset(names, 0, sizeof *names);
}

static int named_order(const void *a, const void *b)
{
    const struct named *left = a, *right = b;
    int order = strcmp(left->brick.name, right->brick.name);
    return order ? order : left->line - right->line;
}

static int name_order(const void *name, const void *brick)
{
    return strcmp(name, ((const struct brick *)brick)->name);
}

bool brick_names_have(const struct brick_names *names, const char *name)
{
    return names->count && bsearch(name, names->bricks, names->count, sizeof *names->bricks, name_order) != NULL;
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* The names of text, which is cut up. */
static int parse_lines(char *text, const char *path, struct named *named, size_t *count, struct err *err)
{
    int line = 0;
    for (char *at = text, *next; at; at = next) {
        next = strchr(at, '\n');
        if (next)
            *next++ = '\0';
        line++;
        at += strspn(at, " \t\r");
        at[strcspn(at, " \t\r")] = '\0';
        if (!*at || *at == '#')
            continue;
        if (!brick_name_valid(at))
            return err_set(err, -EINVAL, "%s:%d: %.40s is no brick's name", path, line, at);
        snprintf(named[*count].brick.name, BRICK_NAME_MAX, "%s", at);
        named[(*count)++].line = line;
    }
    return *count ? 0 : err_set(err, -ENOENT, "%s names no brick", path);
}

/* Sorted, each name once, with the line that has it first. */
static int keep_sorted(struct brick_names *names, struct named *named, size_t count)
{
    struct brick *bricks = calloc(count, sizeof *bricks);
    names->bricks = bricks;
    names->lines = calloc(count, sizeof *names->lines);
    if (!bricks || !names->lines)
        return -ENOMEM;
    qsort(named, count, sizeof *named, named_order);
    for (size_t i = 0; i < count; i++) {
        if (i && strcmp(named[i].brick.name, named[i - 1].brick.name) == 0)
            continue;
        names->lines[names->count] = named[i].line;
        bricks[names->count++] = named[i].brick;
    }
    return 0;
}

int brick_names_read(struct brick_names *names, const char *path, struct err *err)
{
    CLEANUP(free_ptr) char *text = NULL;
    size_t size, count = 0;
    memset(names, 0, sizeof *names);
    int code = file_read(path, FILE_MAX, &text, &size, err);
    if (code)
        return code;
    CLEANUP(free_ptr) struct named *named = calloc(count_lines(text), sizeof *named);
    code = named ? parse_lines(text, path, named, &count, err) : -ENOMEM;
    if (!code)
        code = keep_sorted(names, named, count);
    return code == -ENOMEM ? err_set(err, code, "out of memory for %s", path) : code;
}
