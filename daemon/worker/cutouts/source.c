/* See source.h. A source is recorded as "<path below its survey> xxh3:<16 hex digits>", so that a survey may
 * be moved as a whole without its cutouts being made anew. */
#include "daemon/worker/cutouts/source.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/cutouts/places.h"
#include "daemon/worker/cutouts/stamp.h"
#include "daemon/worker/dataset/cutout_file.h"
#include "proto/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

void source_free(struct source *source)
{
    free(source->output);
    for (int i = 0; i < SOURCE_PLANES_MAX; i++)
        free(source->planes[i]);
    free(source->catalogue);
    free(source->truth);
    free(source->before);
    free(source->receipt);
    json_decref(source->identity);
    json_decref(source->states);
    json_decref(source->earlier);
    memset(source, 0, sizeof *source);
}

/* Of decoy's own simulations (sky/brickwork.h). */
static void find_receipt(struct source *source, const struct cutting *cutting, const struct item *item)
{
    const struct brick *brick = &item->brick;
    if (!item->fake || cutting->places || !cutting->simulation)
        return;
    source->receipt = str_format("%s/receipts/%.3s/%s%s%s.json", survey_directory(cutting->simulation),
                                 brick->name, brick->name, brick->run[0] ? "-" : "", brick->run);
    if (!path_exists(source->receipt))
        free(TAKE(source->receipt));
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
    find_receipt(source, cutting, item);
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
    file_list_add(list, TAKE(source.receipt));
    source_free(&source);
    return code;
}

/* What a rerun goes by: a file of the size and modification time it had is believed to be the same. */
static int describe_state(const char *path, char text[48], struct err *err)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
    snprintf(text, 48, "%lld %lld.%09ld", (long long)status.st_size, (long long)status.st_mtim.tv_sec,
             status.st_mtim.tv_nsec);
    return 0;
}

/* The earlier output's word on its source number i, when that has this name and is in this state; or NULL. */
static json_t *known_source(const json_t *earlier, size_t i, const char *name, const char *state)
{
    json_t *source = json_array_get(json_object_get(earlier, "sources"), i);
    const char *text = json_string_value(source),
               *then = json_string_value(json_array_get(json_object_get(earlier, "source_states"), i));
    const size_t length = strlen(name);
    const bool same = text && then && strcmp(then, state) == 0 && strncmp(text, name, length) == 0 &&
                      strncmp(text + length, " xxh3:", 6) == 0 && strlen(text) == length + 6 + 16;
    return same ? json_incref(source) : NULL;
}

/* The state is taken before the bytes are read: a change meanwhile shows later. */
static int add_source(struct source *source, const json_t *earlier, const char *directory, const char *path,
                      struct err *err)
{
    json_t *list = json_object_get(source->identity, "sources");
    uint64_t checksum;
    char state[48];
    int code = describe_state(path, state, err);
    if (code)
        return code;
    const char *name = path + strlen(directory);
    name += strspn(name, "/");
    json_t *known = known_source(earlier, json_array_size(list), name, state);
    if (!known)
        code = file_checksum(path, &checksum, err);
    if (code)
        return code;
    json_array_append_new(list, known ? known : json_sprintf("%s xxh3:%016" PRIx64, name, checksum));
    json_array_append_new(source->states, json_string(state));
    return 0;
}

static int add_sources(struct source *source, const struct cutting *cutting, const struct item *item,
                       const json_t *earlier, struct err *err)
{
    const char *directory = survey_directory(item_survey(cutting, item));
    int code = 0;
    for (int i = 0; i < source->plane_count && !code; i++)
        code = add_source(source, earlier, directory, source->planes[i], err);
    if (!code && source->catalogue)
        code = add_source(source, earlier, directory, source->catalogue, err);
    if (!code && source->truth)
        code = add_source(source, earlier, cutting->places ? cutting->places : directory, source->truth, err);
    if (!code && source->before)
        code = add_source(source, earlier, survey_directory(cutting->survey), source->before, err);
    return code;
}

/* The attributes of the output that is there, a new reference; NULL when it cannot be read or has another number of
 * stamps than it says. */
static json_t *read_earlier(const char *path)
{
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    if (!path_exists(path) || cutout_file_open(&file, path, NULL) != 0)
        return NULL;
    json_t *attributes = cutout_file_attributes(file), *stamps = json_object_get(attributes, "stamps");
    return (size_t)json_integer_value(stamps) == cutout_file_count(file) ? json_incref(attributes) : NULL;
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
    source->states = json_array();
    if (!source->identity || !source->states ||
        json_object_set_new(source->identity, "sources", json_array()) != 0)
        return err_set(err, -ENOMEM, "out of memory for brick %s", brick->name);
    if (item->fake || cutting->places)
        json_object_set_new(source->identity, "match_arcsec", json_real(cutting->match_arcsec));
    source->earlier = read_earlier(source->output);
    int code = find_files(source, cutting, item, err);
    return code ? code : add_sources(source, cutting, item, source->earlier, err);
}

json_t *source_find_output(const struct source *source)
{
    const char *name;
    json_t *value;
    json_object_foreach(source->identity, name, value)
    {
        if (!json_equal(value, json_object_get(source->earlier, name)))
            return NULL;
    }
    return json_incref(source->earlier);
}

json_t *source_simulation(const struct source *source)
{
    static const char *const HERE[] = {"inputs", "survey", "prior"}; /* where it was made, not how */
    json_t *receipt = NULL;
    if (!source->receipt || json_read_file(source->receipt, &receipt, NULL) != 0)
        return NULL;
    json_t *made_from = json_incref(json_object_get(receipt, "made_from"));
    json_decref(receipt);
    for (size_t i = 0; i < sizeof HERE / sizeof *HERE; i++)
        json_object_del(made_from, HERE[i]);
    return made_from;
}
