/* See checks.h. audit.json: {"v": 1, "checks": [{"name", "value", "error", "threshold", "status": "pass", "warn" or
 * "impossible", "unit", "sentence", "plot"}]}; a plot is a file name beside it. What is missing or of another type is
 * left out. */
#include "daemon/worker/report/checks.h"
#include "common/path.h"
#include "common/str.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool warns(const json_t *check)
{
    return strcmp(text_of(check, "status"), "warn") == 0;
}

static size_t count_warnings(const json_t *checks)
{
    size_t i, count = 0;
    json_t *check;
    json_array_foreach(checks, i, check) count += warns(check);
    return count;
}

void checks_put_warnings(struct html *html, const json_t *audit)
{
    const json_t *checks = json_object_get(audit, "checks");
    const size_t count = count_warnings(checks);
    size_t i;
    json_t *check;
    if (count == 0)
        return;
    html_tags(html, "<div class=\"warning\">");
    html_element(html, "p", NULL,
                 "The audit warns in %zu of %zu checks: real and fake stamps differ in more than galaxies.",
                 count, json_array_size(checks));
    html_tags(html, "<ul>\n");
    json_array_foreach(checks, i, check)
    {
        if (warns(check))
            html_element(html, "li", NULL, "%s: %s", text_of(check, "name"), text_of(check, "sentence"));
    }
    html_tags(html, "</ul></div>\n");
}

/* Decimals that show two digits of an error. */
static int decimals_of(double error)
{
    return error > 0 && isfinite(error) ? (int)fmin(6, fmax(0, 1 - floor(log10(error)))) : 0;
}

/* "0.0087 \302\261 0.0066", "12", "0.037": what is known of it, and no more digits. */
static void put_measured(struct html *html, const json_t *check)
{
    const json_t *value = json_object_get(check, "value"), *error = json_object_get(check, "error");
    const double number = json_number_value(value);
    const int decimals = decimals_of(json_number_value(error));
    if (!json_is_number(value))
        html_text(html, "none");
    else if (json_number_value(error) > 0)
        html_text(html, "%.*f \302\261 %.*f", decimals, number, decimals, json_number_value(error));
    else
        html_text(html, number == floor(number) ? "%.0f" : "%#.2g", number);
}

static void put_check(struct html *html, const json_t *check)
{
    html_tags(html, "<tr>");
    html_element(html, "td", NULL, "%s", text_of(check, "name"));
    html_element(html, "td",
                 warns(check)                                    ? "warn"
                 : strcmp(text_of(check, "status"), "pass") == 0 ? "pass"
                                                                 : "soft",
                 "%s", text_of(check, "status"));
    html_tags(html, "<td class=\"n\">");
    put_measured(html, check);
    html_text(html, " %s", text_of(check, "unit"));
    html_tags(html, "</td>");
    const double threshold = json_number_value(json_object_get(check, "threshold"));
    html_element(html, "td", "n", threshold == floor(threshold) ? "%.0f" : "%.2g", threshold);
    html_element(html, "td", NULL, "%s", text_of(check, "sentence"));
    html_tags(html, "</tr>\n");
}

/* The SVG beside NAME.png where there is one, else the PNG. A plot's name is a file name, not a path: nothing
 * outside the audit's directory is embedded. The path is the caller's to free. */
static char *plot_path(const char *directory, const char *name)
{
    size_t length = strlen(name);
    size_t stem = length > 4 && strcmp(name + length - 4, ".png") == 0 ? length - 4 : length;
    CLEANUP(free_ptr) char *svg = str_format("%s/%.*s.svg", directory, (int)stem, name);
    return path_exists(svg) ? TAKE(svg) : path_join(directory, name);
}

static void put_check_plot(struct html *html, const char *directory, const json_t *check)
{
    const char *name = text_of(check, "plot");
    if (name[0] == '\0' || strchr(name, '/'))
        return;
    CLEANUP(free_ptr) char *path = plot_path(directory, name);
    struct err problem = {0};
    html_tags(html, "<figure>");
    if (html_image(html, path, "plot", text_of(check, "sentence"), &problem) != 0)
        html_element(html, "p", "note", "Not shown: %s.", problem.text);
    html_element(html, "figcaption", NULL, "%s: %s", text_of(check, "name"), text_of(check, "sentence"));
    html_tags(html, "</figure>\n");
}

void checks_put(struct html *html, const char *directory, const json_t *audit)
{
    const json_t *checks = json_object_get(audit, "checks");
    size_t i;
    json_t *check;
    if (json_array_size(checks) == 0)
        return;
    html_tags(
        html,
        "<div class=\"scroll\"><table class=\"wide\">\n<tr><th>check</th><th></th><th class=\"n\">value</th>"
        "<th class=\"n\">warns above</th><th>what was found</th></tr>\n");
    json_array_foreach(checks, i, check) put_check(html, check);
    html_tags(html, "</table></div>\n<div class=\"pair\">\n");
    json_array_foreach(checks, i, check) put_check_plot(html, directory, check);
    html_tags(html, "</div>\n");
}
