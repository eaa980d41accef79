/* Who may connect. Of the local socket: the owner's uid, which ZeroMQ asks the kernel for. By TCP, where decoyd was
 * told to listen: who has a key of STATE/authorized_keys (proto/keyfile.h), by CURVE (rfc.zeromq.org/spec/26) with
 * ZAP (rfc.zeromq.org/spec/27).
 *
 * Counted as refused is each connection that decoyd ends: of another uid; that asks for another mechanism than the
 * socket's (no key, a password); of CURVE for another server's key; of a key that is not listed. Not who hangs up
 * before he has said that much: the client does, to know whether anybody listens, and about a quarter of ZeroMQ's
 * clients without a key do, as soon as they hear of CURVE. Nor bytes that are no greeting of ZeroMQ 4: ZeroMQ drops
 * them without a word to us. */
#ifndef DECOY_DAEMON_AUTH_H
#define DECOY_DAEMON_AUTH_H

#include "common/err.h"

#include <jansson.h>
#include <uv.h>

struct auth;

/* Counts who is refused at `router`, a ZeroMQ socket of `context`, from now on. */
int auth_create(struct auth **out, uv_loop_t *loop, void *context, void *router, const char *state,
                struct err *err);

/* Also serves at "IFACE[:PORT]" by TCP. Makes the keys where they are missing, and writes STATE/endpoint.json. */
int auth_listen(struct auth *auth, const char *where, struct err *err);

/* Closes its sockets now; the memory is freed by the loop. NULL is fine. */
void auth_close(struct auth *auth);

/* {"uid", "address" (null: not by TCP), "keys", "refused", "refused_by": {reason: n}}, a new reference. */
json_t *auth_json(const struct auth *auth);

#endif
