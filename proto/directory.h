/* Where a daemon's state directory lies: the one look-up of client and daemon. */
#ifndef DECOY_PROTO_DIRECTORY_H
#define DECOY_PROTO_DIRECTORY_H

#include "common/err.h"

/* given, or $DECOY_STATE, or ${XDG_STATE_HOME:-~/.local/state}/decoy; absolute, without a slash at its end,
 * the caller's. Opens nothing. -ENOENT when none of them is set. */
int directory_find(const char *given, char **state, struct err *err);

#endif
