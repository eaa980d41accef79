/* See directory.h. */
#include "proto/directory.h"
#include "common/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int directory_find(const char *given, char **state, struct err *err)
{
    const char *named = given && *given ? given : getenv("DECOY_STATE");
    const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (named && *named)
        *state = path_absolute(named);
    else if (base && *base == '/')
        *state = path_join(base, "decoy");
    else if (home && *home == '/')
        *state = path_join(home, ".local/state/decoy");
    else
        return err_set(err, -ENOENT,
                       "no state directory: neither --state, DECOY_STATE, XDG_STATE_HOME nor HOME is set");
    size_t length = strlen(*state);
    while (length > 1 && (*state)[length - 1] == '/')
        (*state)[--length] = '\0';
    return 0;
}
