/* The part of report.html that says for which galaxies: AUC by ranges of each property. */
#include "daemon/worker/evaluate/evaluation.h"

#include <string.h>

/* As in the sentences, but in a column headed p an equals sign would be one too many. */
static const char *bin_p(double probability, char text[32])
{
    const char *value = verdict_say_p(probability, text) + strlen("p ");
    return *value == '=' ? value + strlen("= ") : value;
}

static void put_bin(struct html *html, const struct verdict_property *property, size_t i)
{
    char p[32];
    const struct verdict_bin *bin = &property->bins[i];
    html_tags(html, "<tr>");
    html_element(html, "td", NULL, "%s", property->of->label);
    html_element(html, "td", "span", "%.2f to %.2f%s%s", bin->low, bin->high,
                 property->of->unit[0] ? " " : "", property->of->unit);
    html_element(html, "td", NULL, "%g to %g", VERDICT_PERCENTILE[i], VERDICT_PERCENTILE[i + 1]);
    html_element(html, "td", "n", "%zu", bin->fakes);
    html_element(html, "td", "n", "%zu", bin->reals);
    if (bin->measured) {
        html_element(html, "td", NULL, "%.3f", bin->auc.value);
        html_element(html, "td", "span", "%.3f to %.3f", bin->auc_low, bin->auc_high);
        html_element(html, "td", "span", "%s", bin_p(bin->p_holm, p));
    } else {
        html_tags(html, "<td colspan=\"3\">too few</td>");
    }
    html_tags(html, "</tr>\n");
}

static void put_table(struct html *html, const struct verdict *verdict)
{
    html_tags(html, "<details><summary>The numbers</summary>\n<div "
                    "class=\"scroll\"><table>\n<tr><th>property</th><th>range</th><th>percentiles</th>"
                    "<th class=\"n\">fakes</th><th class=\"n\">reals</th>"
                    "<th>AUC</th><th>95 % interval</th><th>p, Holm</th></tr>\n");
    for (size_t i = 0; i < verdict->property_count * VERDICT_BINS; i++) {
        const struct verdict_property *property = &verdict->properties[i / VERDICT_BINS];
        const struct verdict_bin *bin = &property->bins[i % VERDICT_BINS];
        if (bin->fakes + bin->reals > 0) /* of whole numbers a range may have no width */
            put_bin(html, property, i % VERDICT_BINS);
    }
    html_tags(html, "</table></div>\n</details>\n");
    html_element(
        html, "p", "note",
        "Ranges lie between percentiles of a property of all examples; the 1 %% at each end is in none "
        "of them. p: one-sided against 0.5, adjusted for the number of ranges of all properties.");
}

int page_put_properties(struct html *html, const struct evaluation *evaluation, const struct figures *figures,
                        struct err *err)
{
    const struct verdict *verdict = &evaluation->verdict;
    const struct figure *of = &figures->of[FIGURE_PROPERTIES];
    int code = 0;
    html_element(html, "h2", NULL, "For which galaxies");
    if (verdict->property_count == 0)
        html_element(html, "p", "note", "The dataset has no properties of its galaxies.");
    for (size_t i = 0; i < verdict->property_count && !code; i += 2)
        code = i + 1 < verdict->property_count ? page_put_pair(html, &of[i], &of[i + 1], err)
                                               : page_put_figure(html, &of[i], "single", err);
    if (!code && verdict->property_count > 0)
        put_table(html, verdict);
    return code;
}
