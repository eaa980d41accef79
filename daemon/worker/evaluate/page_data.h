/* The parts of report.html that show other jobs' JSON: audit.json and the dataset's manifest. What is missing
 * or of another type in them is left out. */
#ifndef DECOY_EVALUATE_PAGE_DATA_H
#define DECOY_EVALUATE_PAGE_DATA_H

#include "daemon/worker/report/html.h"

#include <jansson.h>

/* A line for each check whose status is "warn"; audit may be NULL. */
void page_put_audit_warnings(struct html *html, const json_t *audit);

/* All checks as a table, then their plots, found beside audit.json in directory. */
void page_put_audit(struct html *html, const char *directory, const json_t *audit);

void page_put_manifest(struct html *html, const json_t *manifest);

#endif
