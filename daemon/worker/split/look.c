/* See look.h. */
#include "daemon/worker/split/look.h"
#include "common/str.h"
#include "daemon/worker/split/stampfile.h"

#include <errno.h>
#include <math.h>
#include <string.h>

int looks_init(struct looks *looks)
{
    *looks = (struct looks){json_array(), json_object(), json_array(), json_null(), NULL, 0};
    return looks->kinds && looks->numbers && looks->files ? 0 : -ENOMEM;
}

void looks_free(struct looks *looks)
{
    json_decref(looks->kinds);
    json_decref(looks->numbers);
    json_decref(looks->files);
    json_decref(looks->failure);
    free(looks->keys);
    *looks = (struct looks){0};
}

/* Attributes that differ from file to file, from run to run or from machine to machine, and say nothing of
 * how stamps were made. */
static const char *const PRIVATE_ATTRIBUTES[] = {
    "job",       "attempt",   "sources",  "source_directory", "seed",   "class",    "brick",
    "brickname", "run",       "injected", "matched",          "merged", "selected", "catalogued",
    "stamps",    "cuts_left", "edge",     "collided",         "given",  "blank",    "source_states",
};

static bool is_private(const char *name)
{
    for (size_t i = 0; i < sizeof PRIVATE_ATTRIBUTES / sizeof *PRIVATE_ATTRIBUTES; i++) {
        if (strcmp(name, PRIVATE_ATTRIBUTES[i]) == 0)
            return true;
    }
    return false;
}

/* New references, both. */
static json_t *describe_attributes(struct stampfile *stamps)
{
    json_t *kept = json_object(), *value;
    const char *name;
    json_object_foreach(stampfile_attributes(stamps), name, value)
    {
        if (!is_private(name))
            json_object_set(kept, name, value);
    }
    return kept;
}

static json_t *describe_columns(struct stampfile *stamps, const char *path, struct err *err)
{
    const struct cutout_column *columns;
    size_t count = 0;
    json_t *list = json_array();
    int code = stampfile_list_columns(stamps, &columns, &count, err);
    for (size_t c = 0; c < count && !code; c++) {
        json_t *column = json_pack("[siIs?]", columns[c].name, (int)columns[c].type,
                                   (json_int_t)columns[c].width, columns[c].unit);
        if (!column)
            code = err_set(err, -EINVAL, "%s has a column whose name or unit is not UTF-8", path);
        else
            json_array_append_new(list, column);
    }
    if (!code)
        return list;
    json_decref(list);
    return NULL;
}

/* The number of what the file shares with others. */
static int find_kind(struct looks *looks, struct stampfile *stamps, const char *path, json_int_t *kind,
                     struct err *err)
{
    json_t *columns = stampfile_count(stamps) ? describe_columns(stamps, path, err) : json_array();
    if (!columns)
        return -EINVAL;
    json_t *described = json_pack("{si sO sb so so}", "side", stampfile_side(stamps), "channels",
                                  stampfile_channels(stamps), "edge", stampfile_is_edge(stamps), "attributes",
                                  describe_attributes(stamps), "columns", columns);
    CLEANUP(free_ptr) char *text = described ? json_dumps(described, JSON_COMPACT) : NULL;
    const json_t *known = text ? json_object_get(looks->numbers, text) : NULL;
    *kind = known ? json_integer_value(known) : (json_int_t)json_array_size(looks->kinds);
    int code = text ? 0 : err_set(err, -ENOMEM, "out of memory for %s", path);
    if (text && !known) {
        json_object_set_new(looks->numbers, text, json_integer(*kind));
        json_array_append(looks->kinds, described);
    }
    json_decref(described);
    return code;
}

/* ra, dec and id of a file's stamps, behind those of the files before. */
static int add_keys(struct looks *looks, struct stampfile *stamps, const char *path, struct err *err)
{
    const size_t count = stampfile_count(stamps), before = looks->key_count;
    struct stamp_key *larger = realloc(looks->keys, (before + count) * sizeof *larger);
    if (!larger)
        return err_set(err, -ENOMEM, "out of memory for the places of the stamps of %s", path);
    looks->keys = larger;
    const struct cutout_column *ra = NULL, *dec = NULL, *id = NULL;
    int code = stampfile_column(stamps, "ra", CUTOUT_REAL64, &ra, err);
    if (!code)
        code = stampfile_column(stamps, "dec", CUTOUT_REAL64, &dec, err);
    if (!code)
        code = stampfile_column(stamps, "id", CUTOUT_INT64, &id, err);
    for (size_t i = 0; i < count && !code; i++)
        larger[before + i] = (struct stamp_key){ra ? ((const double *)ra->values)[i] : NAN,
                                                dec ? ((const double *)dec->values)[i] : NAN,
                                                id ? ((const int64_t *)id->values)[i] : NO_ID};
    if (!code)
        looks->key_count += count;
    return code;
}

static int add_file(struct looks *looks, struct stampfile *stamps, size_t number, const char *path, int label,
                    struct err *err)
{
    json_int_t kind = 0;
    const size_t count = stampfile_count(stamps);
    int code = count > UINT32_MAX ? err_set(err, -EFBIG, "%s has more than 2^32 stamps", path)
                                  : find_kind(looks, stamps, path, &kind, err);
    if (!code && count)
        code = add_keys(looks, stamps, path, err);
    if (code)
        return code;
    CLEANUP(free_ptr) char *brick = stampfile_brick(stamps, label, err);
    if (!brick)
        return err->code ? err->code : err_set(err, -ENOMEM, "out of memory for %s", path);
    json_t *file = json_pack("[IIIs]", (json_int_t)number, kind, (json_int_t)count, brick);
    if (!file)
        return err_set(err, -EINVAL, "%s: its brickname is not UTF-8", path);
    json_array_append_new(looks->files, file);
    return 0;
}

void look_at(struct looks *looks, size_t number, const char *path, int label)
{
    CLEANUP(stampfile_close_ptr) struct stampfile *stamps = NULL;
    struct err err = {0};
    int code = stampfile_open(&stamps, path, &err);
    if (!code)
        code = add_file(looks, stamps, number, path, label, &err);
    if (!code)
        return;
    json_decref(looks->failure);
    looks->failure = json_pack("[Iis]", (json_int_t)number, code, err.text);
}
