/* The job kind `cutouts`: stamps of real and fake galaxies, one HDF5 file a brick (formats.md, "Cutout
 * file").
 *
 * Rank 0 lists the items (items.c), the ranks share them out, largest first, and cut each in a child of its own
 * (bricks.h). Rank 0 makes their reports into cutouts.json, which is written last. An item whose output is there
 * and verifies is not made again; one whose files are bad is quarantined and costs no other. */
#include "common/path.h"
#include "common/preset.h"
#include "common/str.h"
#include "daemon/worker/bricks.h"
#include "daemon/worker/cutouts/cut_brick.h"
#include "daemon/worker/cutouts/manifest.h"
#include "daemon/worker/cutouts/items.h"
#include "daemon/worker/cutouts/source.h"
#include "proto/spec.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define INJECTED_WARNING                                                                                     \
    "--select injected: fakes are taken whether or not they were found, at their true places and without "   \
    "cuts, reals where they were measured and by cuts on what was measured. A network can tell them by how " \
    "exactly they are centred, by their faintness and by their blends, however well they are drawn"

static void cutting_free(struct cutting *cutting)
{
    cuts_close(cutting->cuts);
    survey_close(cutting->survey);
    survey_close(cutting->simulation);
}

static int check_bands(const char *bands, struct err *err)
{
    size_t length = strlen(bands);
    for (size_t i = 0; i < length; i++) {
        if (!isalpha((unsigned char)bands[i]) || strchr(bands + i + 1, bands[i]))
            return err_set(err, -EINVAL, "--bands %.20s: give different letters, like grz", bands);
    }
    return length && length <= CUTTING_BANDS_MAX
               ? 0
               : err_set(err, -EINVAL, "--bands %.20s: give 1 to %d letters", bands, CUTTING_BANDS_MAX);
}

static int open_cuts(struct cutting *cutting, const char *name, struct err *err)
{
    CLEANUP(free_ptr) char *path = NULL;
    int code = preset_find("cuts", name, &path, err);
    return code ? code : cuts_open(&cutting->cuts, path, err);
}

/* Fakes need a simulation, or a user who says where they are. */
static int check_classes(const json_t *spec, struct err *err)
{
    const char *classes = spec_text(spec, "class");
    bool both = strcmp(classes, "both") == 0, fake = strcmp(classes, "real") != 0;
    if (spec_text(spec, "catalogue") && both)
        return err_set(err, -EINVAL,
                       "--catalogue holds places of one class: say --class real or --class fake");
    if (fake && !spec_text(spec, "simulation") && !spec_text(spec, "catalogue"))
        return err_set(err, -EINVAL,
                       "--class %s needs --simulation, a directory in obiwan's layout or legacysim's",
                       classes);
    return 0;
}

static int cutting_open(struct cutting *cutting, const struct job *job, bool fake, struct err *err)
{
    const char *simulation = spec_text(job->spec, "simulation");
    cutting->job = job;
    cutting->out = spec_text(job->spec, "out");
    cutting->bands = spec_text(job->spec, "bands");
    cutting->stamp_px = (int)spec_int(job->spec, "stamp");
    cutting->pad = strcmp(spec_text(job->spec, "edge"), "pad") == 0;
    cutting->half = strcmp(spec_text(job->spec, "dtype"), "float16") == 0;
    cutting->match_arcsec = spec_real(job->spec, "match");
    if (cutting->stamp_px % 2)
        return err_set(err, -EINVAL,
                       "--stamp %d is odd; a stamp has as many pixels on either side of its centre",
                       cutting->stamp_px);
    cutting->all_injected = strcmp(spec_text(job->spec, "select"), "injected") == 0;
    cutting->places = spec_text(job->spec, "catalogue");
    int code = check_classes(job->spec, err);
    if (!code)
        code = check_bands(cutting->bands, err);
    if (!code)
        code = open_cuts(cutting, spec_text(job->spec, "cuts"), err);
    if (!code)
        code = survey_open_unlisted(&cutting->survey, spec_text(job->spec, "survey"), err);
    if (!code && fake && simulation)
        code = survey_open_unlisted(&cutting->simulation, simulation, err);
    return code ? code : path_make_directories(cutting->out, 0777, err);
}

/* What bricks.h works through. */
struct job_items {
    const struct cutting *cutting;
    struct item *items;
};

static json_t *name_item(void *context, long index)
{
    const struct item *item = &((const struct job_items *)context)->items[index];
    return json_pack("{ss ss ss}", "class", item_class(item), "brick", item->brick.name, "run",
                     item->brick.run);
}

static int list_item_files(void *context, long index, struct file_list *list, struct err *err)
{
    const struct job_items *all = context;
    return source_list(all->cutting, &all->items[index], list, err);
}

static int do_item(void *context, long index, json_t **report, bool *fatal, struct err *err)
{
    const struct job_items *all = context;
    return cut_brick(all->cutting, &all->items[index], report, fatal, err);
}

/* What a brick cost goes into metrics.jsonl, and not into what is the same after every run. */
static void report_cost(void *context, json_t *report)
{
    const struct cutting *cutting = ((const struct job_items *)context)->cutting;
    json_t *row = json_pack("{sO sO sO sO}", "class", json_object_get(report, "class"), "brick",
                            json_object_get(report, "brick"), "stamps", json_object_get(report, "stamps"),
                            "seconds", json_object_get(report, "seconds"));
    json_t *tiles = json_object_get(report, "tiles");
    if (row && tiles)
        json_object_set(row, "tiles", tiles);
    json_object_del(report, "seconds");
    json_object_del(report, "tiles");
    if (row)
        link_metrics(cutting->job->link, row);
}

static void warn_if_empty(const struct job *job, const json_t *summary)
{
    const char *name;
    json_t *totals;
    json_object_foreach((json_t *)summary, name, totals)
    {
        if (json_integer_value(json_object_get(totals, "stamps")) == 0)
            link_warning(job->link, "no galaxy of class %s passes the cuts with a stamp inside its image",
                         name);
    }
}

/* On rank 0, with all reports at hand. */
static int finish(const struct cutting *cutting, const json_t *reports, bool real, bool fake, struct err *err)
{
    const char *class_name;
    json_t *summary = manifest_summary(reports, cutting->cuts, real, fake);
    const char *reason = manifest_failure(reports, summary, &class_name);
    int code = reason ? err_set(err, -EINVAL, "no %s brick could be cut; the first: %s", class_name, reason)
                      : manifest_publish(cutting, reports, summary, err);
    if (code) {
        json_decref(summary);
        return code;
    }
    warn_if_empty(cutting->job, summary);
    return link_result(cutting->job->link, summary, err);
}

static int do_items(struct cutting *cutting, struct job *job, struct item *items, size_t count,
                    json_t **reports, struct err *err)
{
    const json_t *spec = job->spec;
    struct job_items all = {cutting, items};
    const struct bricks bricks = {
        .out = cutting->out,
        .inputs = {survey_directory(cutting->survey),
                   cutting->simulation ? survey_directory(cutting->simulation) : NULL},
        .count = (long)count,
        .max_bad = spec_real(spec, "max_bad"),
        .limit_s = spec_real(spec, "brick_time"),
        .context = &all,
        .name = name_item,
        .files = list_item_files,
        .make = do_item,
        .done = report_cost};
    return bricks_run(&bricks, job, reports, err);
}

static int cut_all(struct cutting *cutting, struct job *job, bool real, bool fake, struct err *err)
{
    CLEANUP(free_ptr) struct item *items = NULL;
    json_t *reports = NULL;
    size_t count, orphans;
    int code = items_make(cutting, real, fake, spec_text(job->spec, "bricks"), &items, &count, &orphans, err);
    if (code)
        return code;
    if (orphans && team_rank(job->team) == 0)
        link_warning(job->link, "%zu of the survey's bricks have no %s in %s", orphans,
                     cutting->places ? "catalogue" : "run",
                     cutting->places ? cutting->places : survey_directory(cutting->simulation));
    if (fake && cutting->all_injected && !cutting->places && team_rank(job->team) == 0)
        link_warning(job->link, INJECTED_WARNING);
    code = do_items(cutting, job, items, count, &reports, err);
    if (!code && reports)
        code = finish(cutting, reports, real, fake, err);
    json_decref(reports);
    return code;
}

int cutouts_run(struct job *job, struct err *err)
{
    CLEANUP(cutting_free) struct cutting cutting = {0};
    const char *classes = spec_text(job->spec, "class");
    bool real = strcmp(classes, "fake") != 0, fake = strcmp(classes, "real") != 0;
    int code = cutting_open(&cutting, job, fake, err);
    return code ? code : cut_all(&cutting, job, real, fake, err);
}
