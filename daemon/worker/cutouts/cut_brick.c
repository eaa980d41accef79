/* See cut_brick.h. Planes are read one after the other, so that memory holds one plane and the stamps; each
 * is decompressed once. The first is read before the selection is made: it gives the image's size and WCS. */
#include "daemon/worker/cutouts/cut_brick.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/cutouts/columns.h"
#include "daemon/worker/cutouts/selection.h"
#include "daemon/worker/cutouts/source.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* What an item's time goes into. */
enum phase { PHASE_CHECK, PHASE_DECODE, PHASE_GATHER, PHASE_WRITE, PHASE_SUM, PHASE_MAX };

static const char *const PHASES[PHASE_MAX] = {"check", "decode", "gather", "write", "sum"};

struct work {
    const struct cutting *cutting;
    const struct item *item;
    struct source source;
    struct plane plane; /* the one at hand */
    struct wcs *wcs;
    struct catalogue *catalogue;
    struct truth *truth; /* NULL for reals */
    struct selection selection;
    float *images;
    json_t *compression, *quantize; /* one text a plane */
    double then_s, seconds[PHASE_MAX];
};

/* Counts the time since the last call for a phase. */
static void count_time(struct work *work, enum phase phase)
{
    double now_s = clock_monotonic_s();
    work->seconds[phase] += now_s - work->then_s;
    work->then_s = now_s;
}

static void work_free(struct work *work)
{
    source_free(&work->source);
    plane_free(&work->plane);
    wcs_close(work->wcs);
    catalogue_close(work->catalogue);
    truth_close(work->truth);
    selection_free(&work->selection);
    free(work->images);
    json_decref(work->compression);
    json_decref(work->quantize);
}

/* Which row of the catalogue, if there is one, measured each row of the truth. */
static int match_truth(struct work *work, struct err *err)
{
    const struct cutting *cutting = work->cutting;
    if (!work->truth || !work->catalogue)
        return 0;
    CLEANUP(catalogue_close_ptr) struct catalogue *before = NULL;
    int code =
        truth_match(work->truth, work->catalogue, cutting->match_arcsec / wcs_pixscale(work->wcs), err);
    if (code || !work->source.before)
        return code;
    code = catalogue_open(&before, work->source.before, cutting->bands, err);
    return code ? code : truth_drop_merged(work->truth, work->catalogue, before, err);
}

/* With the first plane at hand: catalogue, truth, cuts, places. */
static int select_rows(struct work *work, struct err *err)
{
    const struct cutting *cutting = work->cutting;
    int code = wcs_open(&work->wcs, work->plane.header, work->source.planes[0], err);
    if (!code && work->source.catalogue)
        code = catalogue_open(&work->catalogue, work->source.catalogue, cutting->bands, err);
    if (!code && work->source.truth)
        code = truth_open(&work->truth, work->source.truth, cutting->places != NULL, cutting->bands,
                          work->wcs, err);
    if (!code)
        code = match_truth(work, err);
    if (!code)
        code = item_takes_all(cutting, work->item)
                   ? selection_take_all(&work->selection, work->truth, &work->plane, cutting->stamp_px, err)
                   : selection_make(&work->selection, work->catalogue, work->truth, cutting->cuts,
                                    &work->plane, cutting->stamp_px, err);
    if (code)
        return code;
    size_t side = (size_t)cutting->stamp_px, floats = side * side * (size_t)work->source.plane_count;
    work->images = calloc(work->selection.count + 1, floats * sizeof *work->images);
    return work->images ? 0
                        : err_set(err, -ENOMEM, "out of memory for %zu stamps of brick %s",
                                  work->selection.count, work->item->brick.name);
}

static void copy_channel(struct work *work, int channel)
{
    size_t side = (size_t)work->cutting->stamp_px;
    int channels = work->source.plane_count;
    for (size_t i = 0; i < work->selection.count; i++) {
        float *image = work->images + i * side * side * (size_t)channels;
        stamp_copy(&work->plane, work->selection.chosen[i].corner, work->cutting->stamp_px, channel, channels,
                   image);
    }
}

static int cut_planes(struct work *work, struct err *err)
{
    long width = 0, height = 0;
    work->compression = json_array();
    work->quantize = json_array();
    for (int channel = 0; channel < work->source.plane_count; channel++) {
        const char *path = work->source.planes[channel];
        plane_free(&work->plane);
        int code = plane_read(&work->plane, path, err);
        count_time(work, PHASE_DECODE);
        if (!code && channel == 0)
            code = select_rows(work, err);
        if (code)
            return code;
        if (channel == 0) {
            width = work->plane.width;
            height = work->plane.height;
        }
        if (work->plane.width != width || work->plane.height != height)
            return err_set(err, -EINVAL, "%s is %ld x %ld px where %s is %ld x %ld", path, work->plane.width,
                           work->plane.height, path_name(work->source.planes[0]), width, height);
        json_array_append_new(work->compression,
                              json_string(work->plane.compression[0] ? work->plane.compression : "none"));
        json_array_append_new(work->quantize,
                              json_string(work->plane.quantize[0] ? work->plane.quantize : "none"));
        count_time(work, PHASE_CHECK);
        copy_channel(work, channel);
        count_time(work, PHASE_GATHER);
    }
    return 0;
}

static void add_count(json_t *attributes, const char *name, size_t count)
{
    json_object_set_new(attributes, name, json_integer((json_int_t)count));
}

static void add_counts(const struct work *work, json_t *attributes)
{
    const struct selection *selection = &work->selection;
    const struct truth *truth = work->truth;
    if (truth) {
        add_count(attributes, "collided", truth->collided);
        add_count(attributes, truth->bare ? "given" : "injected", truth->rows);
    }
    if (work->catalogue)
        add_count(attributes, "catalogued", catalogue_rows(work->catalogue));
    if (truth && work->catalogue) {
        add_count(attributes, "matched", truth->matched);
        add_count(attributes, "merged", truth->merged);
    }
    add_count(attributes, "selected", selection->selected);
    add_count(attributes, "edge", selection->edge);
    add_count(attributes, "blank", selection->blank);
    add_count(attributes, "stamps", selection->count);
    json_t *left = json_array();
    for (size_t i = 0; selection->left && i < cuts_count(work->cutting->cuts); i++)
        json_array_append_new(left, json_integer((json_int_t)selection->left[i]));
    if (json_array_size(left))
        json_object_set(attributes, "cuts_left", left);
    json_decref(left);
}

/* One text when all planes have the same, else one a plane. */
static void set_common(json_t *attributes, const char *name, json_t *texts)
{
    bool same = json_array_size(texts) > 0;
    for (size_t i = 1; i < json_array_size(texts); i++)
        same = same && json_equal(json_array_get(texts, 0), json_array_get(texts, i));
    json_object_set(attributes, name, same ? json_array_get(texts, 0) : texts);
}

/* New reference. */
static json_t *make_attributes(const struct work *work)
{
    json_t *attributes = json_copy(work->source.identity);
    add_counts(work, attributes);
    set_common(attributes, "compression", work->compression);
    set_common(attributes, "quantize", work->quantize);
    if (work->catalogue) {
        json_object_set_new(attributes, "catalogue_origin", json_string(catalogue_origin(work->catalogue)));
        json_object_set_new(attributes, "release", json_integer(catalogue_release(work->catalogue)));
    }
    json_object_set_new(attributes, "pixscale", json_real(wcs_pixscale(work->wcs)));
    json_object_set_new(attributes, "image_unit",
                        json_string("nanomaggy; ivar channels 1/nanomaggy^2; not finite in the source: 0"));
    json_object_set_new(attributes, "source_directory",
                        json_string(survey_directory(item_survey(work->cutting, work->item))));
    json_object_set_new(attributes, "version", json_string(DECOY_VERSION));
    json_object_set_new(attributes, "job", json_integer(work->cutting->job->id));
    json_object_set_new(attributes, "attempt", json_integer(work->cutting->job->attempt));
    return attributes;
}

/* "g", "ivar_g", "r", ... for the planes of source.h. */
static void name_channels(const char *bands, char names[][8], const char **channels)
{
    for (int b = 0; bands[b]; b++) {
        snprintf(names[2 * b], sizeof names[0], "%c", bands[b]);
        snprintf(names[2 * b + 1], sizeof names[0], "ivar_%c", bands[b]);
        channels[2 * b] = names[2 * b];
        channels[2 * b + 1] = names[2 * b + 1];
    }
}

static int publish(const struct work *work, const struct columns *columns, const json_t *attributes,
                   struct err *err)
{
    char names[SOURCE_PLANES_MAX][8];
    const char *channels[SOURCE_PLANES_MAX];
    CLEANUP(free_ptr) char *folder = path_directory(work->source.output);
    name_channels(work->cutting->bands, names, channels);
    int code = path_make_directories(folder, 0777, err);
    return code ? code
                : cutout_file_publish(work->source.output, work->images, work->selection.count,
                                      work->cutting->stamp_px, channels, work->source.plane_count,
                                      columns->items, columns->count, attributes, err);
}

static int make_output(struct work *work, json_t **attributes, bool *fatal, struct err *err)
{
    struct columns columns = {0};
    int code = cut_planes(work, err);
    if (!code) {
        selection_drop_blank(&work->selection, work->images, work->cutting->stamp_px,
                             work->source.plane_count);
        code = columns_make(&columns, work->item, work->cutting->bands, work->catalogue, work->truth,
                            &work->selection, wcs_pixscale(work->wcs), err);
    }
    if (!code) {
        *attributes = make_attributes(work);
        count_time(work, PHASE_CHECK);
        code = publish(work, &columns, *attributes, err);
        count_time(work, PHASE_WRITE);
        *fatal = code != 0;
    }
    columns_free(&columns);
    return code;
}

/* New reference. */
static json_t *make_cost(const struct work *work)
{
    json_t *cost = json_object();
    for (int i = 0; i < PHASE_MAX; i++)
        json_object_set_new(cost, PHASES[i], json_real(work->seconds[i]));
    return cost;
}

static int make_report(struct work *work, const json_t *attributes, bool fresh, json_t **report,
                       struct err *err)
{
    static const char *const copied[] = {"class",    "brick",      "run",     "collided", "injected",
                                         "given",    "catalogued", "matched", "merged",   "cuts_left",
                                         "selected", "edge",       "blank",   "stamps"};
    uint64_t checksum;
    int code = file_checksum(work->source.output, &checksum, err);
    if (code)
        return code;
    CLEANUP(free_ptr) char *text = str_format("%016" PRIx64, checksum);
    const char *path = work->source.output + strlen(work->cutting->out);
    count_time(work, PHASE_SUM);
    *report = json_pack("{ss ss sb so}", "path", path + strspn(path, "/"), "xxh3", text, "fresh", fresh,
                        "seconds", make_cost(work));
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        json_t *value = json_object_get(attributes, copied[i]);
        if (value)
            json_object_set(*report, copied[i], value);
    }
    return 0;
}

int cut_brick(const struct cutting *cutting, const struct item *item, json_t **report, bool *fatal,
              struct err *err)
{
    CLEANUP(work_free) struct work work = {.cutting = cutting, .item = item, .then_s = clock_monotonic_s()};
    *fatal = false;
    int code = source_open(&work.source, cutting, item, err);
    if (code)
        return code;
    json_t *attributes = source_find_output(&work.source);
    count_time(&work, PHASE_CHECK);
    bool fresh = !attributes;
    if (fresh)
        code = make_output(&work, &attributes, fatal, err);
    if (!code)
        code = make_report(&work, attributes, fresh, report, err);
    json_decref(attributes);
    *fatal = *fatal || code == -ENOMEM;
    return code;
}
