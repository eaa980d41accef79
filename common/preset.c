/* See preset.h. */
#include "common/preset.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

enum { ROOTS = 3 };

static void find_roots(const char *roots[ROOTS])
{
    roots[0] = getenv("DECOY_ETC");
    roots[1] = DECOY_INSTALL_ETC;
    roots[2] = DECOY_SOURCE_ETC;
}

/* Adds the names of a root that text has not yet. */
static char *add_names(char *text, const char *root, const char *folder)
{
    CLEANUP(free_ptr) char *pattern = str_format("%s/%s/*.yaml", root, folder);
    glob_t found = {0};
    int status = glob(pattern, 0, NULL, &found);
    for (size_t i = 0; status == 0 && i < found.gl_pathc; i++) {
        const char *name = path_name(found.gl_pathv[i]);
        CLEANUP(free_ptr) char *line = str_format("\n%.*s\n", (int)(strlen(name) - strlen(".yaml")), name);
        CLEANUP(free_ptr) char *before = str_format("\n%s", text);
        if (strstr(before, line))
            continue;
        free(text);
        text = str_format("%s%s", before + 1, line + 1);
    }
    globfree(&found);
    return text;
}

char *preset_names(const char *folder)
{
    const char *roots[ROOTS];
    char *text = str_format("%s", "");
    find_roots(roots);
    for (size_t i = 0; i < ROOTS; i++) {
        if (roots[i])
            text = add_names(text, roots[i], folder);
    }
    return text;
}

int preset_find(const char *folder, const char *name, char **path, struct err *err)
{
    const char *roots[ROOTS];
    find_roots(roots);
    if (strchr(name, '/')) {
        if (!path_exists(name))
            return err_set(err, -ENOENT, "%s does not exist", name);
        *path = str_format("%s", name);
        return 0;
    }
    for (size_t i = 0; i < ROOTS; i++) {
        if (!roots[i])
            continue;
        CLEANUP(free_ptr) char *candidate = str_format("%s/%s/%s.yaml", roots[i], folder, name);
        if (path_exists(candidate)) {
            *path = TAKE(candidate);
            return 0;
        }
    }
    CLEANUP(free_ptr) char *names = preset_names(folder);
    for (char *end = strchr(names, '\n'); end; end = strchr(end, '\n'))
        *end = end[1] ? ' ' : '\0';
    return err_set(err, -ENOENT, "no %s.yaml in etc/%s, which has %s (a file of your own is given by a path with a slash)",
                   name, folder, names);
}
