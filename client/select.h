/* Which jobs a verb is about: the ids among its words, or those that --tag, --name, --group and --only find. */
#ifndef DECOY_CLIENT_SELECT_H
#define DECOY_CLIENT_SELECT_H

#include "client/client.h"
#include "client/endpoint.h"

const struct spec_kind *select_flags(void);

/* The body of `list` that the flags given ask for; all: ended jobs too. A new reference. */
json_t *select_body(const struct client *client, bool all);

/* Ids from the words, or of the jobs that the flags find and that are in one of the states ("held,ready"; NULL:
 * any), as a new reference, perhaps empty. Without words and flags `otherwise` is the state that is meant; NULL:
 * that is an error. Opens *endpoint once the words are known to be good. An exit code. */
int select_ids(const struct client *client, struct endpoint **endpoint, const char *states,
               const char *otherwise, json_t **ids, struct err *err);

#endif
