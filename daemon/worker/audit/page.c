/* audit.html: the warnings first, then all checks with their plots, and what a pass is worth. */
#include "common/path.h"
#include "daemon/worker/audit/audit.h"
#include "daemon/worker/report/checks.h"

static void put_sentence(const struct audit *audit, struct html *html, size_t warnings, size_t impossible)
{
    html_element(html, "h1", NULL, "What could a classifier cheat with?");
    if (warnings)
        html_element(html, "p", "sentence",
                     "%zu of %zu checks warn: real and fake stamps differ in more than galaxies.", warnings,
                     json_array_size(audit->checks));
    else
        html_element(html, "p", "sentence",
                     "No warning: nothing beside the galaxies tells real stamps from fake ones, "
                     "as far as %zu checks see.",
                     json_array_size(audit->checks) - impossible);
    if (impossible)
        html_element(html, "p", NULL,
                     "%zu checks could not be made, for the dataset does not hold what they need.",
                     impossible);
}

static void put_facts(const struct audit *audit, struct html *html, const json_t *file)
{
    const json_t *stamps = json_object_get(file, "stamps"), *chance = json_object_get(file, "chance");
    html_element(html, "p", NULL, "%lld real and %lld fake stamps were measured, of %zu in %s.",
                 (long long)json_integer_value(json_object_get(stamps, "real")),
                 (long long)json_integer_value(json_object_get(stamps, "fake")), audit->total,
                 audit->directory);
    html_element(html, "p", "note",
                 "A check warns when its value exceeds both what matters to a network and what chance would "
                 "exceed in one "
                 "of %.0f audits; over all %d comparisons, fewer than one honest dataset in %.0f raises any "
                 "warning. Where "
                 "there are enough bricks, errors allow for stamps of a brick resembling one another.",
                 1 / audit->alpha, audit->comparisons,
                 1 / json_number_value(json_object_get(chance, "family")));
}

int page_publish_audit(const struct audit *audit, const json_t *file, struct err *err)
{
    CLEANUP(html_destroy_ptr) struct html *html = NULL;
    CLEANUP(free_ptr) char *path = path_join(audit->out, "audit.html");
    const size_t warnings = (size_t)json_integer_value(json_object_get(file, "warnings")),
                 impossible = (size_t)json_integer_value(json_object_get(file, "impossible"));
    int code = html_create(&html, "Audit of a dataset", err);
    if (code)
        return code;
    put_sentence(audit, html, warnings, impossible);
    put_facts(audit, html, file);
    if (warnings)
        checks_put_warnings(html, file);
    html_element(html, "h2", NULL, "All checks");
    checks_put(html, audit->out, file);
    return html_publish(html, path, err);
}
