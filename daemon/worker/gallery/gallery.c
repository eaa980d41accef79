/* See gallery.h. */
#include "daemon/worker/gallery/gallery.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/report/choice.h"
#include "daemon/worker/report/html.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { PERCENTILES_MAX = 32 };

struct gallery {
    struct job *job;
    const char *out;
    struct pool pool;
    struct stamp_layout layout;
    double percentile[PERCENTILES_MAX], *sorted; /* magnitudes that are known */
    size_t percentiles, known, rows;
    json_t *pictures;
};

static void gallery_free(struct gallery *gallery)
{
    pool_free(&gallery->pool);
    free(gallery->sorted);
    json_decref(gallery->pictures);
}

static int read_percentiles(struct gallery *gallery, const char *text, struct err *err)
{
    CLEANUP(free_ptr) char *copy = str_format("%s", text);
    char *rest = copy, *word;
    while ((word = strsep(&rest, ","))) {
        double value;
        if (!str_to_real(word, &value) || !(value >= 0 && value <= 100) ||
            gallery->percentiles == PERCENTILES_MAX)
            return err_set(err, -EINVAL,
                           "percentiles must be up to %d numbers from 0 to 100 with commas, not %.100s",
                           PERCENTILES_MAX, text);
        gallery->percentile[gallery->percentiles++] = value;
    }
    return 0;
}

static int compare_reals(const void *a, const void *b)
{
    double one = *(const double *)a, two = *(const double *)b;
    return (one > two) - (one < two);
}

static int sort_magnitudes(struct gallery *gallery, struct err *err)
{
    const struct pool *pool = &gallery->pool;
    gallery->sorted = calloc(pool->count + 1, sizeof *gallery->sorted);
    if (!gallery->sorted)
        return err_set(err, -ENOMEM, "out of memory for %zu magnitudes", pool->count);
    for (size_t i = 0; i < pool->count; i++) {
        if (isfinite(pool->mag[i]))
            gallery->sorted[gallery->known++] = pool->mag[i];
    }
    qsort(gallery->sorted, gallery->known, sizeof *gallery->sorted, compare_reals);
    return 0;
}

/* Stamps without magnitudes: the first of each class. */
static void choose_first(const struct gallery *gallery, size_t *pairs)
{
    size_t found[2] = {0, 0};
    memset(pairs, 0xff, 2 * gallery->rows * sizeof *pairs);
    for (size_t i = 0; i < gallery->pool.count; i++) {
        const uint8_t label = gallery->pool.label[i] != 0;
        if (found[label] < gallery->rows)
            pairs[2 * found[label]++ + label] = i;
    }
}

/* Rows that have an example, and whether both columns have. With one class alone, its examples in one column. */
static int arrange(const struct gallery *gallery, struct gallery_example *examples, size_t *rows)
{
    bool any[2] = {false, false};
    *rows = 0;
    for (size_t i = 0; i < gallery->rows; i++) {
        any[0] = any[0] || examples[2 * i].pixels;
        any[1] = any[1] || examples[2 * i + 1].pixels;
        *rows = examples[2 * i].pixels || examples[2 * i + 1].pixels ? i + 1 : *rows;
    }
    if (any[0] && any[1])
        return 2;
    for (size_t i = 0; i < *rows; i++)
        examples[i] = examples[2 * i + any[1]];
    return 1;
}

static int read_examples(const struct gallery *gallery, const size_t *pairs, float *pixels,
                         struct gallery_example *examples, json_t *shown, struct err *err)
{
    const struct pool *pool = &gallery->pool;
    const size_t items = (size_t)pool->side * (size_t)pool->side * (size_t)pool->channels;
    for (size_t i = 0; i < 2 * gallery->rows; i++) {
        examples[i] = (struct gallery_example){.mag = NAN, .score = NAN, .fake = i % 2};
        if (pairs[i] >= pool->count)
            continue;
        int code = pool_pixels(pool, pairs[i], pixels + i * items, err);
        if (code)
            return code;
        examples[i].pixels = pixels + i * items;
        examples[i].mag = pool->mag[pairs[i]];
        json_array_append_new(shown,
                              json_pack("[sI]", i % 2 ? "fake" : "real", (json_int_t)pool->id[pairs[i]]));
    }
    return 0;
}

/* One picture of these pairs, and its row of gallery.json. */
static int draw_picture(struct gallery *gallery, const char *name, double percentile, double mag,
                        const size_t *pairs, struct err *err)
{
    const struct pool *pool = &gallery->pool;
    CLEANUP(free_ptr) struct gallery_example *examples = calloc(2 * gallery->rows, sizeof *examples);
    CLEANUP(free_ptr)
    float *pixels = calloc(2 * gallery->rows * (size_t)pool->side * (size_t)pool->side,
                           (size_t)pool->channels * sizeof *pixels);
    CLEANUP(picture_destroy_ptr) struct picture *picture = NULL;
    CLEANUP(free_ptr) char *path = path_join(gallery->out, name);
    json_t *shown = json_array();
    if (!examples || !pixels)
        return err_set(err, -ENOMEM, "out of memory for a gallery");
    int code = read_examples(gallery, pairs, pixels, examples, shown, err);
    CLEANUP(free_ptr)
    char *caption = isfinite(mag)
                        ? choice_caption(pool->band, percentile, mag, gallery->known, examples, gallery->rows)
                        : str_format("The first stamps of each class: their magnitudes are not known.");
    size_t rows;
    int columns = arrange(gallery, examples, &rows);
    if (!code)
        code = gallery_draw(&picture, &gallery->layout, pool->band, examples, (int)rows, columns, err);
    if (!code)
        code = picture_publish_png(picture, path, err);
    json_array_append_new(gallery->pictures, json_pack("{so so ss ss so}", "percentile",
                                                       isfinite(mag) ? json_real(percentile) : json_null(),
                                                       "mag", isfinite(mag) ? json_real(mag) : json_null(),
                                                       "picture", name, "caption", caption, "shown", shown));
    return code;
}

static int draw_percentile(struct gallery *gallery, size_t i, struct err *err)
{
    const struct pool *pool = &gallery->pool;
    const double mag = choice_percentile(gallery->sorted, gallery->known, gallery->percentile[i]);
    CLEANUP(free_ptr) size_t *pairs = calloc(2 * gallery->rows, sizeof *pairs);
    CLEANUP(free_ptr) char *number = str_format("%02g", gallery->percentile[i]);
    CLEANUP(free_ptr) char *name = str_format("p%s.png", number);
    if (!pairs)
        return err_set(err, -ENOMEM, "out of memory for a gallery");
    choice_near(pool->mag, pool->label, pool->count, mag, gallery->rows, pairs);
    return draw_picture(gallery, name, gallery->percentile[i], mag, pairs, err);
}

static int draw_all(struct gallery *gallery, struct err *err)
{
    int code = 0;
    for (size_t i = 0; i < gallery->percentiles && gallery->known && !code; i++)
        code = draw_percentile(gallery, i, err);
    if (gallery->known || code)
        return code;
    CLEANUP(free_ptr) size_t *pairs = calloc(2 * gallery->rows, sizeof *pairs);
    if (!pairs)
        return err_set(err, -ENOMEM, "out of memory for a gallery");
    choose_first(gallery, pairs);
    return draw_picture(gallery, "first.png", NAN, NAN, pairs, err);
}

static int put_picture(struct html *html, const struct gallery *gallery, const json_t *row, struct err *err)
{
    const char *name = json_string_value(json_object_get(row, "picture")),
               *caption = json_string_value(json_object_get(row, "caption"));
    CLEANUP(free_ptr) char *path = path_join(gallery->out, name);
    html_tags(html, "<figure>\n<div class=\"scroll\">");
    int code = html_image(html, path, "gallery", caption, err);
    html_tags(html, "</div>\n");
    html_element(html, "figcaption", NULL, "%s", caption);
    html_tags(html, "</figure>\n");
    return code;
}

static int publish_page(const struct gallery *gallery, struct err *err)
{
    CLEANUP(html_destroy_ptr) struct html *html = NULL;
    CLEANUP(free_ptr) char *path = path_join(gallery->out, "gallery.html");
    const struct pool *pool = &gallery->pool;
    size_t i, fakes = 0;
    json_t *row;
    for (i = 0; i < pool->count; i++)
        fakes += pool->label[i] != 0;
    int code = html_create(&html, "Real and fake galaxies", err);
    if (code)
        return code;
    html_element(html, "h1", NULL, "Real and fake galaxies, side by side");
    html_element(html, "p", NULL, "%zu real and %zu fake stamps of %s.", pool->count - fakes, fakes,
                 spec_text(gallery->job->spec, "stamps"));
    if (pool->files_read < pool->files)
        html_element(html, "p", "note", "Chosen from %zu of the %zu cutout files, evenly spread over them.",
                     pool->files_read, pool->files);
    html_element(html, "p", "note",
                 "Colour, then each band from -3 sigma up by asinh, then each inverse variance from 0. North "
                 "is up where "
                 "y runs north; brown is no data.");
    json_array_foreach(gallery->pictures, i, row)
    {
        if (!code)
            code = put_picture(html, gallery, row, err);
    }
    return code ? code : html_publish(html, path, err);
}

static int publish(const struct gallery *gallery, struct err *err)
{
    const struct pool *pool = &gallery->pool;
    CLEANUP(free_ptr) char *path = path_join(gallery->out, "gallery.json");
    CLEANUP(free_ptr) char *page = path_join(gallery->out, "gallery.html");
    int code = publish_page(gallery, err);
    json_t *file = json_pack("{si ss ss? sI sO}", "v", 1, "stamps", spec_text(gallery->job->spec, "stamps"),
                             "band", pool->band[0] ? pool->band : NULL, "examples", (json_int_t)pool->count,
                             "pictures", gallery->pictures);
    if (!code)
        code = json_publish_file(path, file, err);
    json_decref(file);
    if (code)
        return code;
    CLEANUP(free_ptr)
    char *text =
        str_format("%zu pictures of %zu stamps: %s\n", json_array_size(gallery->pictures), pool->count, page);
    return link_result(gallery->job->link,
                       json_pack("{ss sI sI ss}", "text", text, "pictures",
                                 (json_int_t)json_array_size(gallery->pictures), "stamps",
                                 (json_int_t)pool->count, "page", page),
                       err);
}

static int make_gallery(struct gallery *gallery, struct err *err)
{
    int code = read_percentiles(gallery, spec_text(gallery->job->spec, "percentiles"), err);
    if (!code)
        code = pool_open(&gallery->pool, spec_text(gallery->job->spec, "stamps"), gallery->job, err);
    if (!code)
        code = pool_layout(&gallery->pool, &gallery->layout, err);
    if (!code && link_stop_asked(gallery->job->link))
        code = -ECANCELED;
    if (!code)
        code = sort_magnitudes(gallery, err);
    if (!code)
        code = path_make_directories(gallery->out, 0777, err);
    if (!code)
        code = draw_all(gallery, err);
    return code ? code : publish(gallery, err);
}

/* One rank's work: a picture takes less time than a message. */
int gallery_run(struct job *job, struct err *err)
{
    CLEANUP(gallery_free)
    struct gallery gallery = {.job = job,
                              .out = spec_text(job->spec, "out"),
                              .rows = (size_t)spec_int(job->spec, "examples"),
                              .pictures = json_array()};
    int code = team_rank(job->team) == 0 ? make_gallery(&gallery, err) : 0;
    bool failed = team_any(job->team, code != 0);
    return code ? code : failed ? -ECANCELED : 0;
}
