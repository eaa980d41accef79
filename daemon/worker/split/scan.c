/* See scan.h. The brick of a file is its column brickname, or without one its name up to the last '-' (class
 * fake) or the whole of it (class real). Files without stamps count for nothing but the provenance. */
#include "daemon/worker/split/scan.h"
#include "common/str.h"
#include "daemon/worker/dataset/listing.h"

#include <errno.h>
#include <string.h>

const char *const CLASS_NAMES[CLASS_MAX] = {"real", "fake"};

/* Attributes that differ from file to file, from run to run or from machine to machine, and say nothing of
 * how stamps were made. */
static const char *const PRIVATE_ATTRIBUTES[] = {
    "job",      "attempt",    "sources", "source_directory", "seed",    "class",
    "brick",    "brickname",  "run",     "injected",         "matched", "merged",
    "selected", "catalogued", "stamps",  "cuts_left",        "edge",
    "collided", "given",      "blank",
};

static bool is_private(const char *name)
{
    for (size_t i = 0; i < sizeof PRIVATE_ATTRIBUTES / sizeof *PRIVATE_ATTRIBUTES; i++) {
        if (strcmp(name, PRIVATE_ATTRIBUTES[i]) == 0)
            return true;
    }
    return false;
}

/* One more file with this value. After VALUES_MAX different ones the rest are counted as null. */
static void count_value(json_t *values, json_t *value)
{
    enum { VALUES_MAX = 32 };
    size_t i;
    json_t *entry, *counted = json_array_size(values) < VALUES_MAX ? json_incref(value) : json_null();
    json_array_foreach(values, i, entry)
    {
        json_t *known = json_object_get(entry, "value");
        if (json_equal(known, value) || json_equal(known, counted)) {
            json_object_set_new(entry, "files",
                                json_integer(json_integer_value(json_object_get(entry, "files")) + 1));
            json_decref(counted);
            return;
        }
    }
    json_array_append_new(values, json_pack("{so si}", "value", counted, "files", 1));
}

static void count_attributes(struct scan *scan, int label, json_t *attributes)
{
    json_t *class = json_object_get(scan->provenance, CLASS_NAMES[label]), *value;
    const char *name;
    json_object_foreach(attributes, name, value)
    {
        if (is_private(name))
            continue;
        if (!json_object_get(class, name))
            json_object_set_new(class, name, json_array());
        count_value(json_object_get(class, name), value);
    }
}

/* Numbers of two types become the wider one; a text and a number cannot be one column. */
static int merge_types(struct scan_column *known, const struct cutout_column *column)
{
    if ((known->type == CUTOUT_TEXT) != (column->type == CUTOUT_TEXT))
        return -EINVAL;
    if (known->type != CUTOUT_TEXT && known->type != column->type)
        known->type = CUTOUT_REAL64;
    if (column->width > known->width)
        known->width = column->width;
    return 0;
}

static int add_column(struct scan *scan, const struct cutout_column *column, const char *path,
                      struct err *err)
{
    static const char *const RESERVED[] = {"split", "shard", "row", "label"};
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++) {
        if (strcmp(column->name, RESERVED[i]) == 0)
            return err_set(err, -EINVAL, "%s has a column %s, a name that index.h5 needs for itself", path,
                           column->name);
    }
    for (size_t i = 0; i < scan->column_count; i++) {
        if (strcmp(scan->columns[i].name, column->name) != 0)
            continue;
        if (merge_types(&scan->columns[i], column) == 0)
            return 0;
        return err_set(err, -EINVAL,
                       "%s: column %s is a text here and a number in other files, or the other way round",
                       path, column->name);
    }
    void *larger = realloc(scan->columns, (scan->column_count + 1) * sizeof *scan->columns);
    if (!larger)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    scan->columns = larger;
    scan->columns[scan->column_count++] = (struct scan_column){
        .name = str_format("%s", column->name),
        .unit = column->unit ? str_format("%s", column->unit) : NULL,
        .type = column->type,
        .width = column->width,
    };
    return 0;
}

static char *brick_of_columns(const struct cutout_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i].type == CUTOUT_TEXT && strcmp(columns[i].name, "brickname") == 0)
            return str_format("%.*s", (int)strnlen(columns[i].values, columns[i].width),
                              (const char *)columns[i].values);
    }
    return NULL;
}

/* Takes the name. */
static int find_brick(struct scan *scan, char *name, size_t *brick)
{
    CLEANUP(free_ptr) char *owned = name;
    const json_t *known = json_object_get(scan->brick_index, name);
    *brick = known ? (size_t)json_integer_value(known) : scan->brick_count;
    if (known)
        return 0;
    char **larger = realloc(scan->bricks, (scan->brick_count + 1) * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    scan->bricks = larger;
    json_object_set_new(scan->brick_index, name, json_integer((json_int_t)*brick));
    scan->bricks[scan->brick_count++] = TAKE(owned);
    return 0;
}

static int check_shape(struct scan *scan, const struct cutout_file *file, const char *path, struct err *err)
{
    json_t *names = json_array();
    for (int c = 0; c < cutout_file_channels(file); c++)
        json_array_append_new(names, json_string(cutout_file_channel_name(file, c)));
    if (!scan->channels) {
        scan->channels = json_incref(names);
        scan->stamp = cutout_file_stamp(file);
        scan->channel_count = cutout_file_channels(file);
    }
    bool same = json_equal(scan->channels, names) && scan->stamp == cutout_file_stamp(file);
    json_decref(names);
    if (same)
        return 0;
    return err_set(err, -EINVAL,
                   "%s has stamps of %d px or channels that are not those of the files before it (%d px)",
                   path, cutout_file_stamp(file), scan->stamp);
}

static int add_source(struct scan *scan, struct cutout_file *file, const char *path, int label,
                      struct err *err)
{
    const struct cutout_column *columns;
    size_t count;
    int code = cutout_file_read_columns(file, &columns, &count, err);
    for (size_t i = 0; i < count && !code; i++)
        code = add_column(scan, &columns[i], path, err);
    if (code)
        return code;
    char *brick = brick_of_columns(columns, count);
    struct source *source = &scan->sources[scan->source_count];
    if (find_brick(scan, brick ? brick : listing_brick(path, label == CLASS_FAKE), &source->brick) != 0)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    source->path = str_format("%s", path);
    source->label = (uint8_t)label;
    source->count = cutout_file_count(file);
    source->first = scan->total;
    source->plain_offset = cutout_file_plain_offset(file);
    scan->total += source->count;
    scan->source_count++;
    return source->count <= UINT32_MAX ? 0 : err_set(err, -EFBIG, "%s has more than 2^32 stamps", path);
}

static int scan_file(struct scan *scan, const char *path, int label, struct err *err)
{
    CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
    int code = cutout_file_open(&file, path, err);
    if (!code)
        code = check_shape(scan, file, path, err);
    if (code)
        return code;
    count_attributes(scan, label, cutout_file_attributes(file));
    return cutout_file_count(file) ? add_source(scan, file, path, label, err) : 0;
}

static int scan_class(struct scan *scan, const char *root, const json_t *manifest, int label, struct err *err)
{
    CLEANUP(listing_free) struct listing listing = {0};
    int code = manifest ? listing_read(&listing, root, manifest, CLASS_NAMES[label], err)
                        : listing_walk(&listing, root, CLASS_NAMES[label], err);
    if (!code && listing.count) {
        void *larger = realloc(scan->sources, (scan->source_count + listing.count) * sizeof *scan->sources);
        code = larger ? 0 : err_set(err, -ENOMEM, "out of memory for %s", root);
        if (larger)
            scan->sources = larger;
    }
    for (size_t i = 0; i < listing.count && !code; i++)
        code = scan_file(scan, listing.paths[i], label, err);
    return code;
}

int scan_cutouts(struct scan *scan, const char *root, struct err *err)
{
    memset(scan, 0, sizeof *scan);
    scan->provenance = json_pack("{s{} s{}}", CLASS_NAMES[CLASS_REAL], CLASS_NAMES[CLASS_FAKE]);
    scan->brick_index = json_object();
    json_t *manifest = NULL;
    int code = listing_manifest(root, &manifest, err);
    for (int label = 0; label < CLASS_MAX && !code; label++)
        code = scan_class(scan, root, manifest, label, err);
    scan->selection = json_incref(json_object_get(manifest, "classes"));
    json_decref(manifest);
    if (code)
        scan_free(scan);
    return code;
}

void scan_free(struct scan *scan)
{
    for (size_t i = 0; i < scan->source_count; i++)
        free(scan->sources[i].path);
    for (size_t i = 0; i < scan->brick_count; i++)
        free(scan->bricks[i]);
    for (size_t i = 0; i < scan->column_count; i++) {
        free(scan->columns[i].name);
        free(scan->columns[i].unit);
    }
    free(scan->sources);
    free(scan->bricks);
    free(scan->columns);
    json_decref(scan->brick_index);
    json_decref(scan->channels);
    json_decref(scan->provenance);
    json_decref(scan->selection);
    memset(scan, 0, sizeof *scan);
}
