/* The envelope of a message: four frames (README.md, Frames), their limits, and their check. */
#ifndef DECOY_PROTO_FRAME_H
#define DECOY_PROTO_FRAME_H

#include "common/err.h"

#include <jansson.h>
#include <stddef.h>

#define FRAME_PROTOCOL "decoy1"
#define FRAME_VERSION  1 /* of the bodies; hello agrees on it */

enum { FRAME_COUNT = 4, FRAME_VERB_MAX = 31, FRAME_ID_MAX = 32, FRAME_BODY_MAX = 1 << 20 };

struct frame {
    const void *data; /* borrowed */
    size_t size;
};

struct request {
    char verb[FRAME_VERB_MAX + 1];
    unsigned char id[FRAME_ID_MAX];
    size_t id_size;
    json_t *body; /* an object; owned */
};

/* Checks the frames of one message after the peer's identity. On failure returns -EINVAL with a sentence,
 * sets *code to the error code of the reply, and request->id to what can be answered to; body is then NULL.
 */
int frame_parse(const struct frame *frames, size_t count, struct request *request, const char **code,
                struct err *err);

void request_clear(struct request *request);

#endif
