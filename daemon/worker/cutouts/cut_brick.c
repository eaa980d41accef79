/* See cut_brick.h. All planes are gone through together, from the first row to the last: each stamp is written as
 * soon as the sweep has come to it (planes.h), and the disk writes while the next are decompressed. */
#include "daemon/worker/cutouts/cut_brick.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/cutouts/columns.h"
#include "daemon/worker/cutouts/manifest.h"
#include "daemon/worker/cutouts/planes.h"
#include "daemon/worker/cutouts/selection.h"
#include "daemon/worker/cutouts/source.h"
#include "daemon/worker/dataset/cutout_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* What an item's time goes into: finding and summing its files and its output; reading and checking planes;
 * catalogue and cuts; decompression; copying pixels to stamps; writing them; summing the output; waiting for the
 * disk. */
enum phase {
    PHASE_CHECK,
    PHASE_READ,
    PHASE_SELECT,
    PHASE_DECODE,
    PHASE_GATHER,
    PHASE_WRITE,
    PHASE_SUM,
    PHASE_SYNC,
    PHASE_MAX
};

static const char *const PHASES[PHASE_MAX] = {"check",  "read",  "select", "decode",
                                              "gather", "write", "sum",    "sync"};

struct work {
    const struct cutting *cutting;
    const struct item *item;
    struct source source;
    struct planes *planes; /* NULL until they are read */
    struct wcs *wcs;
    struct catalogue *catalogue;
    struct truth *truth; /* NULL for reals */
    struct selection selection;
    uint64_t checksum; /* of the output */
    double then_s, seconds[PHASE_MAX];
    char names[SOURCE_PLANES_MAX][8]; /* of the channels; the writer keeps the pointers to its end */
    const char *channels[SOURCE_PLANES_MAX];
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
    planes_close(work->planes);
    wcs_close(work->wcs);
    catalogue_close(work->catalogue);
    truth_close(work->truth);
    selection_free(&work->selection);
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

/* Catalogue, truth, cuts, places. */
static int select_rows(struct work *work, struct err *err)
{
    const struct cutting *cutting = work->cutting;
    const struct plane *plane = planes_first(work->planes);
    int code = wcs_open(&work->wcs, plane->header, work->source.planes[0], err);
    if (!code && work->source.catalogue)
        code = catalogue_open(&work->catalogue, work->source.catalogue, cutting->bands, err);
    if (!code && work->source.truth)
        code = truth_open(&work->truth, work->source.truth, cutting->places != NULL, cutting->bands,
                          work->wcs, err);
    if (!code)
        code = match_truth(work, err);
    if (!code)
        code = item_takes_all(cutting, work->item)
                   ? selection_take_all(&work->selection, work->truth, plane, cutting->stamp_px, cutting->pad,
                                        err)
                   : selection_make(&work->selection, work->catalogue, work->truth, cutting->cuts, plane,
                                    cutting->stamp_px, cutting->pad, err);
    return code;
}

/* Stamps in the order of their rows: the sweep does not go back. */
static int compare_places(const void *a, const void *b, void *context)
{
    const struct chosen *chosen = context;
    const size_t left = *(const size_t *)a, right = *(const size_t *)b;
    if (chosen[left].corner.y != chosen[right].corner.y)
        return chosen[left].corner.y < chosen[right].corner.y ? -1 : 1;
    return (left > right) - (left < right);
}

/* Every stamp that has data into the file, which keeps the order of the catalogue; the others are dropped. *fatal:
 * the output failed. */
static int cut_stamps(struct work *work, struct cutout_writer *writer, bool *fatal, struct err *err)
{
    struct selection *selection = &work->selection;
    const size_t side = (size_t)work->cutting->stamp_px;
    CLEANUP(free_ptr) bool *blank = calloc(selection->count + 1, sizeof *blank);
    CLEANUP(free_ptr) size_t *order = calloc(selection->count + 1, sizeof *order);
    CLEANUP(free_ptr) float *stamp = calloc(side * side * (size_t)work->source.plane_count, sizeof *stamp);
    if (!blank || !order || !stamp)
        return err_set(err, -ENOMEM, "out of memory for %zu stamps", selection->count);
    for (size_t i = 0; i < selection->count; i++)
        order[i] = i;
    qsort_r(order, selection->count, sizeof *order, compare_places, selection->chosen);
    int code = 0;
    for (size_t i = 0; i < selection->count && !code; i++) {
        struct corner corner = selection->chosen[order[i]].corner;
        code = planes_cover(work->planes, corner, err);
        count_time(work, PHASE_DECODE);
        if (code)
            break;
        planes_copy(work->planes, corner, stamp);
        blank[order[i]] = !stamp_covered(stamp, work->cutting->stamp_px, work->source.plane_count);
        count_time(work, PHASE_GATHER);
        if (!blank[order[i]])
            code = cutout_writer_put(writer, order[i], stamp, err);
        count_time(work, PHASE_WRITE);
        *fatal = code != 0 && code != -ERANGE;
    }
    selection_drop(selection, blank);
    return code;
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

/* New reference. */
static json_t *make_attributes(const struct work *work)
{
    json_t *attributes = json_copy(work->source.identity), *simulation = source_simulation(&work->source);
    add_counts(work, attributes);
    json_object_set(attributes, "source_states", work->source.states);
    json_object_set_new(attributes, "libraries", json_string(manifest_libraries()));
    if (simulation)
        json_object_set_new(attributes, "simulation", simulation);
    json_object_set_new(attributes, "compression", planes_compression(work->planes));
    json_object_set_new(attributes, "quantize", planes_quantize(work->planes));
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

static int open_writer(struct work *work, struct cutout_writer **writer, struct err *err)
{
    CLEANUP(free_ptr) char *folder = path_directory(work->source.output);
    name_channels(work->cutting->bands, work->names, work->channels);
    const struct cutout_shape shape = {.count = work->selection.count,
                                       .stamp = work->cutting->stamp_px,
                                       .channel_count = work->source.plane_count,
                                       .channels = work->channels,
                                       .half = work->cutting->half};
    int code = path_make_directories(folder, 0777, err);
    return code ? code : cutout_writer_open(writer, work->source.output, &shape, err);
}

/* All stamps are written. *fatal: the output failed. */
static int finish_output(struct work *work, struct cutout_writer *writer, json_t **attributes, bool *fatal,
                         struct err *err)
{
    struct columns columns = {0};
    int code = columns_make(&columns, work->item, work->cutting->bands, work->catalogue, work->truth,
                            &work->selection, wcs_pixscale(work->wcs), err);
    if (!code) {
        *attributes = make_attributes(work);
        code = cutout_writer_finish(writer, columns.items, columns.count, *attributes, &work->checksum, err);
        *fatal = code != 0;
    }
    columns_free(&columns);
    return code;
}

static int make_output(struct work *work, json_t **attributes, bool *fatal, struct err *err)
{
    CLEANUP(cutout_writer_discard_ptr) struct cutout_writer *writer = NULL;
    int code = planes_open(&work->planes, work->source.planes, work->source.plane_count,
                           work->cutting->stamp_px, err);
    count_time(work, PHASE_READ);
    if (!code)
        code = select_rows(work, err);
    count_time(work, PHASE_SELECT);
    if (code)
        return code;
    code = open_writer(work, &writer, err);
    *fatal = code != 0;
    count_time(work, PHASE_WRITE);
    if (!code)
        code = cut_stamps(work, writer, fatal, err);
    if (!code)
        code = finish_output(work, writer, attributes, fatal, err);
    count_time(work, PHASE_SUM);
    if (code)
        return code;
    code = cutout_writer_publish(TAKE(writer), err);
    *fatal = code != 0;
    count_time(work, PHASE_SYNC);
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
    int code = fresh ? 0 : file_checksum(work->source.output, &work->checksum, err);
    if (code)
        return code;
    CLEANUP(free_ptr) char *text = str_format("%016" PRIx64, work->checksum);
    const char *path = work->source.output + strlen(work->cutting->out);
    count_time(work, PHASE_SUM);
    *report = json_pack("{ss ss sb so}", "path", path + strspn(path, "/"), "xxh3", text, "fresh", fresh,
                        "seconds", make_cost(work));
    if (work->planes)
        json_object_set_new(*report, "tiles", planes_tiles(work->planes));
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
