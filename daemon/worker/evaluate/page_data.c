/* See page_data.h. audit.json: {"v": 1, "checks": [{"name", "value", "error", "threshold", "status": "pass"
 * or "warn", "sentence", "plot"}]}; a plot is a file name beside it. */
#include "daemon/worker/evaluate/page_data.h"
#include "common/path.h"

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

void page_put_audit_warnings(struct html *html, const json_t *audit)
{
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(audit, "checks"), i, check)
    {
        if (warns(check))
            html_element(html, "p", "warning", "Audit, %s: %s", text_of(check, "name"),
                         text_of(check, "sentence"));
    }
}

static void put_number(struct html *html, const json_t *check, const char *key, const char *before)
{
    const json_t *value = json_object_get(check, key);
    if (json_is_number(value))
        html_text(html, "%s%.4g", before, json_number_value(value));
}

static void put_check(struct html *html, const json_t *check)
{
    html_tags(html, "<tr>");
    html_element(html, "td", NULL, "%s", text_of(check, "name"));
    html_element(html, "td", warns(check) ? "warn" : "pass", "%s", text_of(check, "status"));
    html_tags(html, "<td>");
    put_number(html, check, "value", "");
    put_number(html, check, "error", " \302\261 "); /* plus or minus */
    html_tags(html, "</td><td>");
    put_number(html, check, "threshold", "");
    html_tags(html, "</td>");
    html_element(html, "td", NULL, "%s", text_of(check, "sentence"));
    html_tags(html, "</tr>\n");
}

/* A plot's name is a file name, not a path: nothing outside the audit's directory is embedded. */
static void put_check_plot(struct html *html, const char *directory, const json_t *check)
{
    const char *name = text_of(check, "plot");
    if (name[0] == '\0' || strchr(name, '/'))
        return;
    CLEANUP(free_ptr) char *path = path_join(directory, name);
    struct err problem = {0};
    size_t length = strlen(name);
    bool gallery = length > 4 && strcmp(name + length - 4, ".svg") != 0;
    html_tags(html, "<figure>");
    if (html_image(html, path, gallery ? "gallery" : "plot", text_of(check, "sentence"), &problem) != 0)
        html_element(html, "p", "note", "Not shown: %s.", problem.text);
    html_element(html, "figcaption", NULL, "%s: %s", text_of(check, "name"), text_of(check, "sentence"));
    html_tags(html, "</figure>\n");
}

void page_put_audit(struct html *html, const char *directory, const json_t *audit)
{
    const json_t *checks = json_object_get(audit, "checks");
    size_t i;
    json_t *check;
    html_element(html, "h2", NULL, "What a classifier could have cheated with");
    if (json_array_size(checks) == 0) {
        html_element(html, "p", "note", "No audit was given to this job.");
        return;
    }
    html_tags(html,
              "<table "
              "class=\"wide\">\n<tr><th>check</th><th></th><th>value</th><th>threshold</th><th></th></tr>\n");
    json_array_foreach(checks, i, check) put_check(html, check);
    html_tags(html, "</table>\n<div class=\"pair\">\n");
    json_array_foreach(checks, i, check) put_check_plot(html, directory, check);
    html_tags(html, "</div>\n");
}

/* A scalar or an array of them, as a person writes it. */
static void put_value(struct html *html, const json_t *value)
{
    size_t i;
    json_t *item;
    if (json_is_string(value))
        html_text(html, "%s", json_string_value(value));
    else if (json_is_integer(value))
        html_text(html, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        html_text(html, "%g", json_real_value(value));
    else if (json_is_boolean(value))
        html_text(html, "%s", json_is_true(value) ? "yes" : "no");
    json_array_foreach(value, i, item)
    {
        html_text(html, "%s", i ? ", " : "");
        put_value(html, item);
    }
}

static void put_row(struct html *html, const char *name, const json_t *value)
{
    if (!value)
        return;
    html_tags(html, "<tr>");
    html_element(html, "td", NULL, "%s", name);
    html_tags(html, "<td>");
    put_value(html, value);
    html_tags(html, "</td></tr>\n");
}

static void put_count(struct html *html, const json_t *object, const char *key)
{
    html_element(html, "td", "n", "%lld", (long long)json_integer_value(json_object_get(object, key)));
}

static void put_part(struct html *html, const char *name, const json_t *part)
{
    const json_t *dropped = json_object_get(part, "dropped");
    html_tags(html, "<tr>");
    html_element(html, "td", NULL, "%s", name);
    put_count(html, part, "examples");
    put_count(html, part, "real");
    put_count(html, part, "fake");
    put_count(html, dropped, "real");
    put_count(html, dropped, "fake");
    html_element(html, "td", "n", "%zu", json_array_size(json_object_get(part, "bricks")));
    html_tags(html, "</tr>\n");
}

static void put_parts(struct html *html, const json_t *parts)
{
    static const char *const names[] = {"train", "valid", "test"};
    if (!json_is_object(parts))
        return;
    html_tags(html, "<table>\n<tr><th>part</th><th class=\"n\">examples</th><th class=\"n\">real</th><th "
                    "class=\"n\">fake</th>"
                    "<th class=\"n\">left out, real</th><th class=\"n\">left out, fake</th><th "
                    "class=\"n\">bricks</th></tr>\n");
    for (size_t i = 0; i < 3; i++) {
        if (json_object_get(parts, names[i]))
            put_part(html, names[i], json_object_get(parts, names[i]));
    }
    html_tags(html, "</table>\n");
}

/* {"real": {"compression": [{"value", "files"}]}, ...}: one row a class and property. */
static void put_provenance(struct html *html, const json_t *provenance)
{
    const char *class_name, *property;
    json_t *properties, *values, *entry;
    size_t i;
    if (json_object_size(provenance) == 0)
        return;
    html_tags(html, "<table class=\"wide\">\n<tr><th>class</th><th>made with</th><th></th></tr>\n");
    json_object_foreach((json_t *)provenance, class_name, properties)
    {
        json_object_foreach(properties, property, values)
        {
            html_tags(html, "<tr>");
            html_element(html, "td", NULL, "%s", class_name);
            html_element(html, "td", NULL, "%s", property);
            html_tags(html, "<td>");
            json_array_foreach(values, i, entry)
            {
                html_text(html, "%s", i ? "; " : "");
                put_value(html, json_object_get(entry, "value"));
                html_text(html, " (%lld files)",
                          (long long)json_integer_value(json_object_get(entry, "files")));
            }
            html_tags(html, "</td></tr>\n");
        }
    }
    html_tags(html, "</table>\n");
}

void page_put_manifest(struct html *html, const json_t *manifest)
{
    static const char *const keys[][2] = {{"seed", "seed of the split"},
                                          {"rule", "rule of the split"},
                                          {"balance", "classes balanced"},
                                          {"channels", "channels"},
                                          {"stamp", "side of a stamp, px"}};
    html_tags(html, "<table>\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        put_row(html, keys[i][1], json_object_get(manifest, keys[i][0]));
    html_tags(html, "</table>\n");
    put_parts(html, json_object_get(manifest, "parts"));
    put_provenance(html, json_object_get(manifest, "provenance"));
}
