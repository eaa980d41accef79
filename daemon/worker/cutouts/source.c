/* See source.h. A source is recorded as "<path below its survey> xxh3:<16 hex digits>", so that a survey may
 * be moved as a whole without its cutouts being made anew. */
#include "daemon/worker/cutouts/source.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/cutouts/places.h"
#include "daemon/worker/cutouts/stamp.h"
#include "daemon/worker/dataset/cutout_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void source_free(struct source *source)
{
    free(source->output);
    for (int i = 0; i < SOURCE_PLANES_MAX; i++)
        free(source->planes[i]);
    free(source->catalogue);
    free(source->truth);
    free(source->before);
    json_decref(source->identity);
    memset(source, 0, sizeof *source);
}

/* Whoever gives places needs no catalogue of measured sources. */
static int find_tables(struct source *source, const struct cutting *cutting, const struct item *item,
                       struct err *err)
{
    const struct survey *survey = item_survey(cutting, item);
    struct brick plain = item->brick;
    plain.run[0] = '\0';
    int code = survey_find_catalogue(survey, &item->brick, &source->catalogue, cutting->places ? NULL : err);
    if (cutting->places)
        return places_find(cutting->places, &item->brick, &source->truth, err);
    if (!code && item->fake)
        code = survey_find_truth(survey, &item->brick, &source->truth, err);
    if (!code && item->fake && survey_find_catalogue(cutting->survey, &plain, &source->before, NULL) != 0)
        source->before = NULL;
    return code;
}

static int find_files(struct source *source, const struct cutting *cutting, const struct item *item,
                      struct err *err)
{
    const struct survey *survey = item_survey(cutting, item);
    int code = 0;
    for (const char *band = cutting->bands; *band && !code; band++) {
        code = survey_find_plane(survey, &item->brick, "image", *band, &source->planes[source->plane_count++],
                                 err);
        if (!code)
            code = survey_find_plane(survey, &item->brick, "invvar", *band,
                                     &source->planes[source->plane_count++], err);
    }
    return code ? code : find_tables(source, cutting, item, err);
}

static const char *item_selection(const struct cutting *cutting, const struct item *item)
{
    return cutting->places ? "given" : item_takes_all(cutting, item) ? "injected" : "matched";
}

int source_list(const struct cutting *cutting, const struct item *item, struct file_list *list,
                struct err *err)
{
    struct source source = {0};
    int code = find_files(&source, cutting, item, err);
    for (int i = 0; i < source.plane_count; i++)
        file_list_add(list, TAKE(source.planes[i]));
    file_list_add(list, TAKE(source.catalogue));
    file_list_add(list, TAKE(source.truth));
    file_list_add(list, TAKE(source.before));
    source_free(&source);
    return code;
}

static int add_checksum(json_t *list, const char *directory, const char *path, struct err *err)
{
    uint64_t checksum;
    int code = file_checksum(path, &checksum, err);
    if (code)
        return code;
    size_t skip = strlen(directory);
    while (path[skip] == '/')
        skip++;
    CLEANUP(free_ptr) char *text = str_format("%s xxh3:%016" PRIx64, path + skip, checksum);
    json_array_append_new(list, json_string(text));
    return 0;
}

static int add_checksums(const struct source *source, const struct cutting *cutting, const struct item *item,
                         json_t *list, struct err *err)
{
    const char *directory = survey_directory(item_survey(cutting, item));
    int code = 0;
    for (int i = 0; i < source->plane_count && !code; i++)
        code = add_checksum(list, directory, source->planes[i], err);
    if (!code && source->catalogue)
        code = add_checksum(list, directory, source->catalogue, err);
    if (!code && source->truth)
        code = add_checksum(list, cutting->places ? cutting->places : directory, source->truth, err);
    if (!code && source->before)
        code = add_checksum(list, survey_directory(cutting->survey), source->before, err);
    return code;
}

int source_open(struct source *source, const struct cutting *cutting, const struct item *item,
                struct err *err)
{
    const struct brick *brick = &item->brick;
    memset(source, 0, sizeof *source);
    source->output = str_format("%s/%s/%.3s/%s%s%s.h5", cutting->out, item_class(item), brick->name,
                                brick->name, brick->run[0] ? "-" : "", brick->run);
    source->identity =
        json_pack("{ss ss ss ss ss ss ss si ss ss}", "class", item_class(item), "brick", brick->name, "run",
                  brick->run, "placement", STAMP_PLACEMENT, "select", item_selection(cutting, item), "cuts",
                  item_takes_all(cutting, item) ? "none" : cuts_text(cutting->cuts), "bands", cutting->bands,
                  "stamp_px", cutting->stamp_px, "edge_rule", cutting->pad ? "pad" : "skip", "dtype",
                  cutting->half ? "float16" : "float32");
    json_t *list = json_array();
    if (!source->identity || json_object_set_new(source->identity, "sources", list) != 0)
        return err_set(err, -ENOMEM, "out of memory for brick %s", brick->name);
    if (item->fake || cutting->places)
        json_object_set_new(source->identity, "match_arcsec", json_real(cutting->match_arcsec));
    int code = find_files(source, cutting, item, err);
    return code ? code : add_checksums(source, cutting, item, list, err);
}

json_t *source_find_output(const struct source *source)
{
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    const char *name;
    json_t *value;
    if (!path_exists(source->output) || cutout_file_open(&file, source->output, NULL) != 0)
        return NULL;
    json_t *attributes = cutout_file_attributes(file);
    json_object_foreach(source->identity, name, value)
    {
        if (!json_equal(value, json_object_get(attributes, name)))
            return NULL;
    }
    json_t *stamps = json_object_get(attributes, "stamps");
    return (size_t)json_integer_value(stamps) == cutout_file_count(file) ? json_incref(attributes) : NULL;
}
