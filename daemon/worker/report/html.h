/* One HTML page in one file: text is escaped, pictures are embedded, nothing is fetched; light and dark.
 * Writing goes to memory; what cannot be had there is found by html_publish. */
#ifndef DECOY_REPORT_HTML_H
#define DECOY_REPORT_HTML_H

#include "common/cleanup.h"
#include "common/err.h"

struct html;

int html_create(struct html **out, const char *title, struct err *err);
void html_destroy(struct html *html);
CLEANUP_DEFINE(html_destroy_ptr, struct html, html_destroy)

/* Tags as they are: only ever a literal of ours. */
void html_tags(struct html *html, const char *tags);

/* Text, with & < > " escaped. */
void html_text(struct html *html, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* <tag class="class">text</tag>; class may be NULL. */
void html_element(struct html *html, const char *tag, const char *class_name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* <img> of a PNG or SVG file, embedded; class: "plot" (dark pages turn it), "gallery" or NULL. -ENOENT. */
int html_image(struct html *html, const char *path, const char *class_name, const char *alternative,
               struct err *err);

/* Ends the page and writes it. */
int html_publish(struct html *html, const char *path, struct err *err);

#endif
