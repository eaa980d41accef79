/* See frame.h. Nothing of a message is believed before it has passed here: sizes first, then the verb's
 * letters, then the body as JSON. */
#include "proto/frame.h"
#include "proto/json.h"

#include <errno.h>
#include <string.h>

enum { PROTOCOL, VERB, ID, BODY };

static int refuse(const char **code_out, const char *code, struct err *err, const char *text)
{
    *code_out = code;
    return err_set(err, -EINVAL, "%s", text);
}

static int copy_verb(const struct frame *frame, char *verb)
{
    if (frame->size < 1 || frame->size > FRAME_VERB_MAX)
        return -EINVAL;
    memcpy(verb, frame->data, frame->size);
    verb[frame->size] = '\0';
    return strspn(verb, "abcdefghijklmnopqrstuvwxyz_") == frame->size ? 0 : -EINVAL;
}

static int parse_body(const struct frame *frame, struct request *request, const char **code, struct err *err)
{
    struct err why;
    if (frame->size > FRAME_BODY_MAX)
        return refuse(code, "bad_frame", err, "the body is larger than 1 MiB");
    if (json_parse_bytes(frame->data, frame->size, &request->body, &why) != 0) {
        *code = "bad_frame";
        return err_set(err, -EINVAL, "the body is not JSON: %s", why.text);
    }
    if (json_is_object(request->body))
        return 0;
    request_clear(request);
    return refuse(code, "bad_frame", err, "the body is not a JSON object");
}

int frame_parse(const struct frame *frames, size_t count, struct request *request, const char **code,
                struct err *err)
{
    *request = (struct request){0};
    if (count > ID && frames[ID].size <= FRAME_ID_MAX) {
        request->id_size = frames[ID].size;
        if (request->id_size)
            memcpy(request->id, frames[ID].data, request->id_size);
    }
    const size_t size = sizeof FRAME_PROTOCOL - 1;
    if (count < 1 || frames[PROTOCOL].size != size ||
        memcmp(frames[PROTOCOL].data, FRAME_PROTOCOL, size) != 0)
        return refuse(code, "bad_version", err, "the first frame must be " FRAME_PROTOCOL);
    if (count != FRAME_COUNT)
        return refuse(code, "bad_frame", err, "a message has four frames");
    if (frames[ID].size > FRAME_ID_MAX)
        return refuse(code, "bad_frame", err, "the request id is longer than 32 bytes");
    if (copy_verb(&frames[VERB], request->verb) != 0)
        return refuse(code, "bad_frame", err, "the verb is not a word of small letters");
    return parse_body(&frames[BODY], request, code, err);
}

void request_clear(struct request *request)
{
    json_decref(request->body);
    request->body = NULL;
}
