/* The checks of an audit.json (daemon/worker/audit/audit.h) on a page. */
#ifndef DECOY_REPORT_CHECKS_H
#define DECOY_REPORT_CHECKS_H

#include "daemon/worker/report/html.h"

#include <jansson.h>

/* A line for each check whose status is "warn"; audit may be NULL. */
void checks_put_warnings(struct html *html, const json_t *audit);

/* All checks as a table, then their plots, found beside audit.json in directory. */
void checks_put(struct html *html, const char *directory, const json_t *audit);

#endif
