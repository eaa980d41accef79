/* The parts of report.html that show other jobs' JSON: the dataset's manifest. What is missing
 * or of another type in them is left out. */
#ifndef DECOY_EVALUATE_PAGE_DATA_H
#define DECOY_EVALUATE_PAGE_DATA_H

#include "daemon/worker/report/html.h"

#include <jansson.h>

void page_put_manifest(struct html *html, const json_t *manifest);

#endif
