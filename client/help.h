/* --help of every verb and kind, drawn from their tables. */
#ifndef DECOY_CLIENT_HELP_H
#define DECOY_CLIENT_HELP_H

#include "client/client.h"

void help_usage(FILE *stream);           /* all verbs */
void help_verb(const struct verb *verb); /* to standard output */
void help_kind(const struct spec_kind *kind, const struct verb *submit);

/* What stands for a value of the field, "PATH"; "" where a bare flag is meant. */
const char *help_value_word(const struct spec_field *field);

/* What comes after the flag's help: " (1 to 10 px; default 3)"; fresh memory. */
char *help_limits(const struct spec_field *field);

/* Flags of every verb: --state, --json, --help. */
const struct spec_kind *help_common_flags(void);

enum { HINT_SIZE = 160 };

/* What somebody may have meant who took the word for a verb: "; did you mean X?", that it is a kind of job, or "". */
const char *help_hint(const char *word, char text[HINT_SIZE]);
const struct verb *help_find_verb(const char *name); /* NULL when there is none; see tool_verb */

#endif
