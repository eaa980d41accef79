/* A verdict as evaluate gives it: {"verdict", "sentence", "report", ...}. */
#ifndef DECOY_CLIENT_VERDICT_H
#define DECOY_CLIENT_VERDICT_H

#include <jansson.h>

/* The two last lines: "verdict: SENTENCE" and the report's path. name (may be NULL) tells several apart. */
void verdict_print(const json_t *verdict, const char *name);

#endif
