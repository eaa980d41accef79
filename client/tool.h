/* Verbs that do a job kind's work here and now, without a daemon: the kinds that proto/spec_table.h marks so. */
#ifndef DECOY_CLIENT_TOOL_H
#define DECOY_CLIENT_TOOL_H

#include "client/client.h"

/* The verb that runs the kind of this name, valid until the next call; NULL when it is no such kind. */
const struct verb *tool_verb(const char *name);

/* The field that the i-th word of such a verb is; NULL: it takes no more. */
const struct spec_field *tool_word(const struct spec_kind *kind, size_t i);

/* Runs a kind with these fields, as the command line gave them, and prints what came of it: the member "text" of its
 * result, or with --json all of it. Returns an exit code, with a sentence unless it is EXIT_DONE. */
int tool_do(const struct client *client, const struct spec_kind *kind, json_t *fields, struct err *err);

#endif
