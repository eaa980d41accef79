/* The state directory (proto/directory.h): that it is ours alone, and that one decoyd at a time has it. */
#ifndef DECOY_DAEMON_PLACE_H
#define DECOY_DAEMON_PLACE_H

#include "common/err.h"

/* Makes the directory (0700) where it is missing; refuses one that is another user's, that others may enter,
 * or whose name is too long for a socket. */
int place_prepare(const char *state, struct err *err);

/* The lock, held until *fd is closed or the process is gone; -EBUSY names who holds it. */
int place_lock(const char *state, const char *host, int *fd, struct err *err);

/* What tells a directory from a copy of it, and stays when it is renamed: its inode, as text. */
int place_name(const char *state, char name[24], struct err *err);

#endif
