/* The job kind `cutouts`: stamps of real and fake galaxies, one HDF5 file a brick (formats.md, "Cutout
 * file").
 *
 * Rank 0 lists the items (items.c), the ranks claim them one by one, largest first, and rank 0 gathers their
 * reports into cutouts.json, which is written last. An item whose output is there and verifies is not made
 * again; one whose files are bad is quarantined and costs no other. */
#include "common/path.h"
#include "common/preset.h"
#include "common/str.h"
#include "daemon/worker/cutouts/cut_brick.h"
#include "daemon/worker/cutouts/manifest.h"
#include "daemon/worker/cutouts/items.h"
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
        return err_set(err, -EINVAL, "--catalogue holds places of one class: say --class real or --class fake");
    if (fake && !spec_text(spec, "simulation") && !spec_text(spec, "catalogue"))
        return err_set(err, -EINVAL, "--class %s needs --simulation, a directory in obiwan's layout or legacysim's",
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

/* What one rank has to tell rank 0. */
struct outcome {
    json_t *reports;
    bool stopped;
    struct err failure; /* of the output or the machine: the job cannot go on */
};

/* What a brick cost goes into metrics.jsonl, and not into what is the same after every run. */
static void report_cost(const struct cutting *cutting, json_t *report)
{
    json_t *row = json_pack("{sO sO sO sO}", "class", json_object_get(report, "class"), "brick",
                            json_object_get(report, "brick"), "stamps", json_object_get(report, "stamps"), "seconds",
                            json_object_get(report, "seconds"));
    json_object_del(report, "seconds");
    if (row)
        link_metrics(cutting->job->link, row);
}

static void do_item(const struct cutting *cutting, const struct item *item, struct outcome *outcome)
{
    struct err err = {0};
    json_t *report = NULL;
    bool fatal;
    if (cut_brick(cutting, item, &report, &fatal, &err) == 0) {
        report_cost(cutting, report);
        json_array_append_new(outcome->reports, report);
    } else if (fatal) {
        outcome->failure = err;
    } else {
        link_warning(cutting->job->link, "%s brick %s%s%s is left out: %s", item_class(item),
                     item->brick.name, item->brick.run[0] ? " " : "", item->brick.run, err.text);
        json_array_append_new(outcome->reports,
                              json_pack("{ss ss ss ss}", "class", item_class(item), "brick", item->brick.name,
                                        "run", item->brick.run, "reason", err.text));
    }
}

/* Claims until all are gone; after a stop or a failure only to let the others come to an end. */
static void do_items(const struct cutting *cutting, const struct item *items, size_t count,
                     struct outcome *outcome)
{
    const struct job *job = cutting->job;
    double done = 0;
    long claim;
    link_progress(job->link, 0, (double)count, "bricks");
    while ((claim = team_claim(job->team, (long)count)) < (long)count) {
        outcome->stopped = outcome->stopped || link_stop_asked(job->link);
        if (outcome->stopped || outcome->failure.code)
            continue;
        do_item(cutting, &items[claim], outcome);
        link_progress(job->link, ++done, (double)count, "bricks");
    }
}

/* Rank 0's outcome becomes everyone's: reports joined, the first failure kept. */
static int merge_text(struct outcome *outcome, const char *text, struct err *err)
{
    json_t *other = json_loads(text, 0, NULL);
    if (!other)
        return err_set(err, -EPROTO, "a rank's report cannot be read");
    json_array_extend(outcome->reports, json_object_get(other, "reports"));
    const json_t *failure = json_object_get(other, "failure");
    if (!outcome->failure.code && json_is_string(failure))
        err_set(&outcome->failure, (int)json_integer_value(json_object_get(other, "code")), "%s",
                json_string_value(failure));
    json_decref(other);
    return 0;
}

static int gather(const struct job *job, struct outcome *outcome, struct err *err)
{
    char **texts = NULL;
    json_t *mine = json_pack("{sO si}", "reports", outcome->reports, "code", outcome->failure.code);
    if (outcome->failure.code)
        json_object_set_new(mine, "failure", json_string(outcome->failure.text));
    CLEANUP(free_ptr) char *text = json_dumps(mine, JSON_COMPACT);
    json_decref(mine);
    outcome->stopped = team_any(job->team, outcome->stopped);
    int code = team_gather_text(job->team, text ? text : "", &texts);
    if (code)
        return err_set(err, code, "out of memory for the reports of the ranks");
    if (!texts)
        return 0;
    for (int rank = 0; rank < team_size(job->team); rank++) {
        if (rank && !code)
            code = merge_text(outcome, texts[rank], err);
        free(texts[rank]);
    }
    free(texts);
    return code;
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
static int finish(const struct cutting *cutting, struct outcome *outcome, bool real, bool fake,
                  struct err *err)
{
    const char *class_name;
    int code = manifest_sort(&outcome->reports, err);
    if (code)
        return code;
    json_t *summary = manifest_summary(outcome->reports, cutting->cuts, real, fake);
    code = manifest_publish(cutting, outcome->reports, summary, err);
    const char *reason = manifest_failure(outcome->reports, summary, &class_name);
    if (!code && reason)
        code = err_set(err, -EINVAL, "no %s brick could be cut; the first: %s", class_name, reason);
    if (code) {
        json_decref(summary);
        return code;
    }
    warn_if_empty(cutting->job, summary);
    return link_result(cutting->job->link, summary, err);
}

static int cut_all(const struct cutting *cutting, bool real, bool fake, struct outcome *outcome,
                   struct err *err)
{
    const struct job *job = cutting->job;
    CLEANUP(free_ptr) struct item *items = NULL;
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
    do_items(cutting, items, count, outcome);
    code = gather(job, outcome, err);
    if (code || team_rank(job->team) > 0)
        return code ? code : outcome->stopped ? -ECANCELED : 0; /* a failure is rank 0's to tell */
    if (outcome->failure.code)
        return err_set(err, outcome->failure.code, "%s", outcome->failure.text);
    return outcome->stopped ? -ECANCELED : finish(cutting, outcome, real, fake, err);
}

int cutouts_run(struct job *job, struct err *err)
{
    CLEANUP(cutting_free) struct cutting cutting = {0};
    const char *classes = spec_text(job->spec, "class");
    bool real = strcmp(classes, "fake") != 0, fake = strcmp(classes, "real") != 0;
    struct outcome outcome = {.reports = json_array()};
    int code = cutting_open(&cutting, job, fake, err);
    if (!code)
        code = cut_all(&cutting, real, fake, &outcome, err);
    json_decref(outcome.reports);
    return code;
}
