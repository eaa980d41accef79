/* ${name} in a pipeline file's values. */
#ifndef DECOY_CLIENT_SUBSTITUTE_H
#define DECOY_CLIENT_SUBSTITUTE_H

#include "common/err.h"

#include <jansson.h>
#include <stddef.h>

enum { SUBSTITUTE_NAME_MAX = 64 };

/* What stands for name: a borrowed reference (JSON null: known but not given), or NULL and a sentence. */
typedef json_t *substitute_find(void *context, const char *name, struct err *err);

/* text with every ${name} replaced and "$$" made "$". A text that is one ${name} and nothing else keeps the
 * type of what it stands for; in a longer text everything becomes text. *value is a new reference. */
int substitute(const char *text, substitute_find *find, void *context, json_t **value, struct err *err);

/* A number or yes/no as text; other scalars as they are. A new reference. */
json_t *scalar_as_text(const json_t *value);

/* Makes ${name} to $(name), in place: braces would end a YAML flow mapping, {kind: mock, seed: ${seed}}.
 * substitute() takes both. Places in the file stay what they were. */
void substitute_hide_braces(char *text, size_t size);

#endif
