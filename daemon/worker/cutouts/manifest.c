/* See manifest.h. */
#include "daemon/worker/cutouts/manifest.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "daemon/worker/cutouts/stamp.h"
#include "daemon/worker/dataset/h5.h"
#include "daemon/worker/sky/plane.h"
#include "proto/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *report, const char *key)
{
    const char *text = json_string_value(json_object_get(report, key));
    return text ? text : "";
}

static void add_to(json_t *totals, const char *key, json_int_t value)
{
    json_object_set_new(totals, key, json_integer(json_integer_value(json_object_get(totals, key)) + value));
}

/* *cut becomes true where cuts applied. */
static void add_report(json_t *totals, const json_t *report, json_int_t *left, size_t cut_count, bool *cut)
{
    static const char *const counts[] = {"collided", "injected", "given", "catalogued", "matched",
                                         "merged",   "selected", "edge",  "blank",      "stamps"};
    bool bad = json_object_get(report, "reason") != NULL;
    add_to(totals, bad ? "quarantined" : "bricks", 1);
    if (bad)
        return;
    add_to(totals, "fresh", json_is_true(json_object_get(report, "fresh")));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const json_t *value = json_object_get(report, counts[i]);
        if (value)
            add_to(totals, counts[i], json_integer_value(value));
    }
    const json_t *list = json_object_get(report, "cuts_left");
    *cut = *cut || list;
    for (size_t i = 0; i < cut_count; i++)
        left[i] += json_integer_value(json_array_get(list, i));
}

static json_t *summarise_class(const json_t *reports, const struct cuts *cuts, const char *class_name)
{
    size_t i, cut_count = cuts_count(cuts);
    json_t *report, *totals = json_pack("{si si si}", "bricks", 0, "fresh", 0, "quarantined", 0),
                    *steps = json_array();
    bool cut = false;
    CLEANUP(free_ptr) json_int_t *left = calloc(cut_count + 1, sizeof *left);
    json_array_foreach(reports, i, report)
    {
        if (left && strcmp(text_of(report, "class"), class_name) == 0)
            add_report(totals, report, left, cut_count, &cut);
    }
    for (i = 0; left && cut && i < cut_count; i++)
        json_array_append_new(steps, json_pack("{ss sI}", "cut", cuts_name(cuts, i), "left", left[i]));
    json_object_set_new(totals, "cuts", steps);
    return totals;
}

json_t *manifest_summary(const json_t *reports, const struct cuts *cuts, bool real, bool fake)
{
    json_t *summary = json_object();
    if (real)
        json_object_set_new(summary, "real", summarise_class(reports, cuts, "real"));
    if (fake)
        json_object_set_new(summary, "fake", summarise_class(reports, cuts, "fake"));
    return summary;
}

const char *manifest_libraries(void)
{
    static char text[96];
    snprintf(text, sizeof text, "HDF5 %s; planes: decoy's own decoder, plain images by CFITSIO %s",
             h5_version(), plane_library_version());
    return text;
}

/* The good reports. `fresh` tells runs apart and no outputs, so it is left out. New reference. */
static json_t *pick_good(const json_t *reports)
{
    json_t *picked = json_array(), *report;
    size_t i;
    json_array_foreach(reports, i, report)
    {
        if (json_object_get(report, "reason"))
            continue;
        json_t *copy = json_copy(report);
        json_object_del(copy, "fresh");
        json_array_append_new(picked, copy);
    }
    return picked;
}

/* The summary without what differs between a first run and a rerun. */
static json_t *lasting_summary(const json_t *summary)
{
    json_t *copy = json_deep_copy(summary), *totals;
    const char *class_name;
    json_object_foreach(copy, class_name, totals) json_object_del(totals, "fresh");
    return copy;
}

int manifest_publish(const struct cutting *cutting, const json_t *reports, const json_t *summary,
                     struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(cutting->out, "cutouts.json");
    const char *simulation = cutting->simulation ? survey_directory(cutting->simulation) : NULL;
    json_t *file =
        json_pack("{si ss ss ss ss? si ss ss ss sf ss ss so so}", "version", 1, "decoy", DECOY_VERSION,
                  "libraries", manifest_libraries(), "survey", survey_directory(cutting->survey),
                  "simulation", simulation, "stamp_px", cutting->stamp_px, "edge",
                  cutting->pad ? "pad" : "skip", "dtype", cutting->half ? "float16" : "float32", "bands",
                  cutting->bands, "match_arcsec", cutting->match_arcsec, "placement", STAMP_PLACEMENT, "cuts",
                  cuts_text(cutting->cuts), "classes", lasting_summary(summary), "files", pick_good(reports));
    int code =
        file ? json_publish_file(path, file, err) : err_set(err, -ENOMEM, "out of memory for %s", path);
    json_decref(file);
    return code;
}

const char *manifest_failure(const json_t *reports, const json_t *summary, const char **class_name)
{
    const char *name;
    json_t *totals, *report;
    size_t i;
    json_object_foreach((json_t *)summary, name, totals)
    {
        if (json_integer_value(json_object_get(totals, "bricks")) > 0)
            continue;
        json_array_foreach(reports, i, report)
        {
            *class_name = name;
            if (strcmp(text_of(report, "class"), name) == 0 && json_object_get(report, "reason"))
                return text_of(report, "reason");
        }
    }
    return NULL;
}
