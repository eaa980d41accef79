/* See export.h. Ranks take items as they are free; each reports what it wrote, and rank 0 writes export.json. */
#include "daemon/worker/export/export.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/export/network.h"
#include "proto/json.h"
#include "proto/spec.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *name;
    export_layout *write;
} LAYOUTS[] = {{"dplearn", export_dplearn}, {"npy", export_npy}, {"png", export_png}, {"jpeg", export_jpeg}};

static export_layout *find_layout(const char *name)
{
    for (size_t i = 0; i < sizeof LAYOUTS / sizeof *LAYOUTS; i++) {
        if (strcmp(name, LAYOUTS[i].name) == 0)
            return LAYOUTS[i].write;
    }
    return NULL;
}

/* One item, and its row of export.json with its number to rows. */
static int export_item(const struct exporting *exporting, long i, export_layout *write, json_t *rows,
                       struct err *err)
{
    struct export_item *item = &exporting->items[i];
    struct tally tally = {0};
    int code = item_find_clashes(item, err);
    if (!code)
        code = write(exporting, item, &tally, err);
    if (!code)
        json_array_append_new(rows,
                              json_pack("{si ss ss ss sI sI}", "item", (int)i, "class", item_class(item),
                                        "brick", item->brick, "path", tally.path, "stamps",
                                        (json_int_t)tally.stamps, "edge", (json_int_t)tally.edge));
    free(tally.path);
    return code;
}

static int export_items(const struct exporting *exporting, json_t *rows, struct err *err)
{
    struct job *job = exporting->job;
    const long count = (long)exporting->item_count;
    export_layout *write = find_layout(spec_text(job->spec, "layout"));
    double done = 0;
    int code = 0;
    for (long i; (i = team_claim(job->team, count)) < count;) {
        if (code || link_stop_asked(job->link))
            continue;
        code = export_item(exporting, i, write, rows, err);
        if (code && team_size(job->team) > 1)
            return code; /* ends the other ranks too */
        link_progress(job->link, ++done, (double)count, "bricks");
    }
    return code;
}

static void place_row(json_t *files, json_t *row)
{
    const size_t item = (size_t)json_integer_value(json_object_get(row, "item"));
    json_object_del(row, "item");
    json_array_set(files, item, row);
}

/* All ranks' rows in the order of the items, on rank 0; NULL elsewhere. */
static json_t *gather_rows(const struct exporting *exporting, const json_t *rows)
{
    CLEANUP(free_ptr) char *mine = json_dumps(rows, JSON_COMPACT);
    char **texts = NULL;
    struct team *team = exporting->job->team;
    if (team_gather_text(team, mine ? mine : "[]", &texts) != 0 || team_rank(team) != 0)
        return NULL;
    json_t *files = json_array();
    for (size_t i = 0; i < exporting->item_count; i++)
        json_array_append_new(files, json_null());
    for (int rank = 0; rank < team_size(team); rank++) {
        size_t i;
        json_t *row, *theirs = json_loads(texts[rank], 0, NULL);
        json_array_foreach(theirs, i, row) place_row(files, row);
        json_decref(theirs);
        free(texts[rank]);
    }
    free(texts);
    return files;
}

static void add_up(const json_t *files, json_int_t stamps[2], json_int_t *edge)
{
    size_t i;
    json_t *row;
    json_array_foreach(files, i, row)
    {
        bool fake = strcmp(json_string_value(json_object_get(row, "class")), "fake") == 0;
        stamps[fake] += json_integer_value(json_object_get(row, "stamps"));
        *edge += json_integer_value(json_object_get(row, "edge"));
    }
}

static int publish(const struct exporting *exporting, const json_t *files, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(exporting->out, "export.json");
    const char *layout = spec_text(exporting->job->spec, "layout");
    json_int_t stamps[2] = {0, 0}, edge = 0;
    add_up(files, stamps, &edge);
    json_t *file =
        json_pack("{si ss ss s{sI sI} sO}", "v", 1, "layout", layout, "cutouts", exporting->cutouts, "stamps",
                  "real", stamps[0], "fake", stamps[1], "files", files);
    int code =
        file ? json_publish_file(path, file, err) : err_set(err, -ENOMEM, "out of memory for %s", path);
    json_decref(file);
    if (code)
        return code;
    CLEANUP(free_ptr)
    char *text = str_format("%lld real and %lld fake stamps (%lld on an edge) of %zu bricks: %s\n",
                            (long long)stamps[0], (long long)stamps[1], (long long)edge,
                            exporting->item_count, exporting->out);
    return link_result(exporting->job->link,
                       json_pack("{ss ss sI sI sI ss}", "text", text, "layout", layout, "real", stamps[0],
                                 "fake", stamps[1], "edge", edge, "out", exporting->out),
                       err);
}

static int export_cutouts(struct job *job, struct err *err)
{
    CLEANUP(items_free)
    struct exporting exporting = {.job = job,
                                  .cutouts = spec_text(job->spec, "cutouts"),
                                  .out = spec_text(job->spec, "out"),
                                  .zoom = (int)spec_int(job->spec, "zoom")};
    json_t *rows = json_array(), *files = NULL;
    int code = items_find(&exporting, err);
    if (!code)
        code = path_make_directories(exporting.out, 0777, err);
    if (!code)
        code = export_items(&exporting, rows, err);
    if (!code && team_any(job->team, link_stop_asked(job->link)))
        code = -ECANCELED;
    if (!code)
        files = gather_rows(&exporting, rows);
    if (!code && team_rank(job->team) == 0)
        code = publish(&exporting, files, err);
    json_decref(rows);
    json_decref(files);
    team_barrier(job->team);
    return code;
}

int export_run(struct job *job, struct err *err)
{
    const char *cutouts = spec_text(job->spec, "cutouts"), *model = spec_text(job->spec, "model");
    if (!cutouts == !model)
        return err_set(err, -EINVAL, "give either --cutouts, with a --layout, or --model, with a --format");
    if (cutouts && !spec_text(job->spec, "layout"))
        return err_set(err, -EINVAL, "--cutouts needs --layout dplearn, npy, png or jpeg");
    return cutouts ? export_cutouts(job, err) : export_network(job, err);
}
