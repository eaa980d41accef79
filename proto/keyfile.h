/* Files that let a client in by TCP, all in the state directory and open to their owner alone:
 *   server.key, client.key   a key pair of CURVE, {"public": Z85, "secret": Z85}
 *   authorized_keys          public keys that decoyd lets in, one a line: `KEY who it is`; `# ` begins a comment
 *   endpoint.json            what a client needs to know, see struct keyfile_endpoint
 * Z85 is ZeroMQ's text form of 32 bytes: 40 characters (rfc.zeromq.org/spec/32). */
#ifndef DECOY_PROTO_KEYFILE_H
#define DECOY_PROTO_KEYFILE_H

#include "common/err.h"

#include <stdbool.h>

enum { KEY_SIZE = 41, KEYFILE_ADDRESS_MAX = 128 }; /* with the NUL */

struct keypair {
    char public_key[KEY_SIZE], secret_key[KEY_SIZE];
};

/* Refuses a file that is a link, another user's, or open to others. -ENOENT where there is none. */
int keyfile_read(const char *path, struct keypair *pair, struct err *err);
int keyfile_write(const char *path, const struct keypair *pair, struct err *err);

/* How many keys the list holds, and whether public_key is among them (NULL: only counts). The same files are
 * refused; a line that is neither a key nor a comment is an error that names it. */
int keyfile_allows(const char *path, const char *public_key, bool *allowed, int *count, struct err *err);
int keyfile_allow(const char *path, const char *public_key, const char *who,
                  struct err *err); /* the list's first key */

struct keyfile_endpoint {
    char address[KEYFILE_ADDRESS_MAX]; /* "tcp://10.0.0.5:7890" */
    char server_key[KEY_SIZE];         /* public */
    struct keypair client;             /* of the file that it names, by a path beside its own */
};

int keyfile_read_endpoint(const char *path, struct keyfile_endpoint *endpoint, struct err *err);
int keyfile_write_endpoint(const char *path, const char *address, const char *server_key, struct err *err);

#endif
