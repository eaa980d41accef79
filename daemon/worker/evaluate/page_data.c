/* See page_data.h. audit.json: {"v": 1, "checks": [{"name", "value", "error", "threshold", "status": "pass"
 * or "warn", "unit", "sentence", "plot"}]}; a plot is a file name beside it. */
#include "daemon/worker/evaluate/page_data.h"
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
    html_tags(html, "<h3>The parts</h3>\n<div class=\"scroll\"><table>\n<tr><th>part</th><th "
                    "class=\"n\">examples</th><th class=\"n\">real</th><th "
                    "class=\"n\">fake</th>"
                    "<th class=\"n\">left out, real</th><th class=\"n\">left out, fake</th><th "
                    "class=\"n\">bricks</th></tr>\n");
    for (size_t i = 0; i < 3; i++) {
        if (json_object_get(parts, names[i]))
            put_part(html, names[i], json_object_get(parts, names[i]));
    }
    html_tags(html, "</table></div>\n");
}

static void put_step(struct html *html, const char *name, const json_t *real, const json_t *fake)
{
    const json_t *classes[] = {real, fake};
    html_tags(html, "<tr>");
    html_element(html, "td", "lines", "%s", name);
    for (int i = 0; i < 2; i++) {
        if (json_is_integer(classes[i]))
            html_element(html, "td", "n", "%lld", (long long)json_integer_value(classes[i]));
        else
            html_tags(html, "<td></td>");
    }
    html_tags(html, "</tr>\n");
}

static void put_step_of(struct html *html, const char *name, const json_t *selection, const char *key)
{
    put_step(html, name, json_object_get(json_object_get(selection, "real"), key),
             json_object_get(json_object_get(selection, "fake"), key));
}

/* How many of each class were left after each step of the cutouts job; both classes have the same cuts. */
static void put_selection(struct html *html, const json_t *selection)
{
    const json_t *real = json_object_get(json_object_get(selection, "real"), "cuts"),
                 *fake = json_object_get(json_object_get(selection, "fake"), "cuts");
    const json_t *longer = json_array_size(real) > json_array_size(fake) ? real : fake;
    size_t i;
    json_t *cut;
    if (!json_is_object(selection))
        return;
    html_element(html, "h3", NULL, "What was selected");
    html_tags(html, "<table>\n<tr><th>sources left after each step</th><th class=\"n\">real</th><th "
                    "class=\"n\">fake</th></tr>\n");
    put_step_of(html, "injected", selection, "injected");
    put_step_of(html, "given by a catalogue of places", selection, "given");
    put_step_of(html, "in the catalogues", selection, "catalogued");
    put_step_of(html, "injected ones found in the catalogues", selection, "matched");
    put_step_of(html, "injected ones merged with a source that was there (left out)", selection, "merged");
    json_array_foreach(longer, i, cut)
        put_step(html, text_of(cut, "cut"), json_object_get(json_array_get(real, i), "left"),
                 json_object_get(json_array_get(fake, i), "left"));
    put_step_of(html, "of these too near the edge of a brick for a stamp", selection, "edge");
    put_step_of(html, "of these without data in a band", selection, "blank");
    put_step_of(html, "stamps", selection, "stamps");
    put_step_of(html, "bricks", selection, "bricks");
    put_step_of(html, "bricks left out as bad", selection, "quarantined");
    html_tags(html, "</table>\n");
}

static bool all_are(const json_t *entries, bool (*is)(const json_t *value))
{
    size_t i;
    json_t *entry;
    json_array_foreach(entries, i, entry)
    {
        if (!is(json_object_get(entry, "value")))
            return false;
    }
    return true;
}

static bool is_number(const json_t *value)
{
    return json_is_number(value);
}

static bool is_integer(const json_t *value)
{
    return json_is_integer(value);
}

static bool is_counts(const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item)
    {
        if (!json_is_integer(item))
            return false;
    }
    return json_array_size(value) > 0;
}

static double files_of(const json_t *entry)
{
    return json_number_value(json_object_get(entry, "files"));
}

/* Numbers that differ from file to file: their range, and for counts their sum. */
static void put_spread(struct html *html, const json_t *entries)
{
    double low = INFINITY, high = -INFINITY, sum = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(entries, i, entry)
    {
        double value = json_number_value(json_object_get(entry, "value"));
        low = fmin(low, value);
        high = fmax(high, value);
        sum += value * files_of(entry);
    }
    html_text(html, "%g to %g a file", low, high);
    if (all_are(entries, is_integer))
        html_text(html, "; %.0f in all", sum);
}

/* Lists of counts, such as what each cut left over: their sums over the files. */
static void put_sums(struct html *html, const json_t *entries)
{
    size_t length = json_array_size(json_object_get(json_array_get(entries, 0), "value"));
    html_text(html, "in all: ");
    for (size_t at = 0; at < length; at++) {
        double sum = 0;
        size_t i;
        json_t *entry;
        json_array_foreach(entries, i, entry) sum +=
            files_of(entry) * (double)json_integer_value(json_array_get(json_object_get(entry, "value"), at));
        html_text(html, "%s%.0f", at ? ", " : "", sum);
    }
}

/* A list of equal items shows as one. */
static void put_once(struct html *html, const json_t *value)
{
    size_t i;
    json_t *item;
    bool equal = json_array_size(value) > 1;
    json_array_foreach(value, i, item) equal = equal && json_equal(item, json_array_get(value, 0));
    put_value(html, equal ? json_array_get(value, 0) : value);
}

/* [{"value", "files"}]: what the files of a class have for a property. */
static void put_entries(struct html *html, const json_t *entries)
{
    enum { LISTED_MAX = 3 };
    size_t i, count = json_array_size(entries);
    json_t *entry;
    if (count == 1)
        put_once(html, json_object_get(json_array_get(entries, 0), "value"));
    else if (count > 1 && all_are(entries, is_number))
        put_spread(html, entries);
    else if (count > 1 && all_are(entries, is_counts))
        put_sums(html, entries);
    else if (count > LISTED_MAX)
        html_text(html, "%zu different values", count);
    else {
        json_array_foreach(entries, i, entry)
        {
            html_text(html, "%s", i ? "; " : "");
            put_once(html, json_object_get(entry, "value"));
            html_text(html, " (%.0f files)", files_of(entry));
        }
    }
}

static const json_t *only_value(const json_t *entries)
{
    return json_array_size(entries) == 1 ? json_object_get(json_array_get(entries, 0), "value") : NULL;
}

/* One cell where all files of both classes have the same, else one each. */
static void put_property(struct html *html, const char *name, const json_t *real, const json_t *fake)
{
    html_tags(html, "<tr>");
    html_element(html, "td", NULL, "%s", name);
    if (only_value(real) && json_equal(only_value(real), only_value(fake))) {
        html_tags(html, "<td class=\"lines\" colspan=\"2\">");
        put_entries(html, real);
    } else {
        html_tags(html, "<td class=\"lines\">");
        put_entries(html, real);
        html_tags(html, "</td><td class=\"lines\">");
        put_entries(html, fake);
    }
    html_tags(html, "</td></tr>\n");
}

/* {"real": {"compression": [{"value", "files"}], ...}, "fake": {...}}: a row a property, the classes side by
 * side. */
static void put_provenance(struct html *html, const json_t *provenance)
{
    const json_t *real = json_object_get(provenance, "real"), *fake = json_object_get(provenance, "fake");
    json_t *both = json_object();
    const char *name;
    json_t *unused;
    json_object_update(both, (json_t *)real);
    json_object_update(both, (json_t *)fake);
    if (json_object_size(both) > 0)
        html_tags(html, "<h3>How the stamps were made</h3>\n<div class=\"scroll\"><table class=\"wide\">\n"
                        "<tr><th>property of the files</th><th>real</th><th>fake</th></tr>\n");
    json_object_foreach(both, name, unused)
        put_property(html, name, json_object_get(real, name), json_object_get(fake, name));
    html_tags(html, json_object_size(both) > 0 ? "</table></div>\n" : "");
    json_decref(both);
}

void page_put_manifest(struct html *html, const json_t *manifest)
{
    static const char *const keys[][2] = {{"seed", "seed of the split"},
                                          {"rule", "rule of the split"},
                                          {"counts", "counts of the classes"},
                                          {"channels", "channels"},
                                          {"stamp", "side of a stamp, px"}};
    html_tags(html, "<table>\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        put_row(html, keys[i][1], json_object_get(manifest, keys[i][0]));
    html_tags(html, "</table>\n");
    put_parts(html, json_object_get(manifest, "parts"));
    put_selection(html, json_object_get(manifest, "selection"));
    put_provenance(html, json_object_get(manifest, "provenance"));
}
