/* See scan.h. Files without stamps count for nothing but the provenance. */
#include "daemon/worker/split/scan.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/listing.h"
#include "daemon/worker/split/stampfile.h"

#include <errno.h>
#include <math.h>
#include <string.h>

const char *const CLASS_NAMES[CLASS_MAX] = {"real", "fake"};

/* Attributes that differ from file to file, from run to run or from machine to machine, and say nothing of
 * how stamps were made. */
static const char *const PRIVATE_ATTRIBUTES[] = {
    "job",       "attempt",   "sources",  "source_directory", "seed",   "class",    "brick",
    "brickname", "run",       "injected", "matched",          "merged", "selected", "catalogued",
    "stamps",    "cuts_left", "edge",     "collided",         "given",  "blank",
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

static int check_shape(struct scan *scan, const struct stampfile *stamps, const char *path, struct err *err)
{
    json_t *names = stampfile_channels(stamps);
    if (!scan->channels && stampfile_count(stamps)) {
        scan->channels = json_incref(names);
        scan->stamp = stampfile_side(stamps);
        scan->channel_count = (int)json_array_size(names);
    }
    if (!stampfile_count(stamps) ||
        (json_equal(scan->channels, names) && scan->stamp == stampfile_side(stamps)))
        return 0;
    return err_set(err, -EINVAL,
                   "%s has stamps of %d px or channels that are not those of the files before it (%d px)",
                   path, stampfile_side(stamps), scan->stamp);
}

/* ra, dec and id of a file's stamps, behind those of the files before. */
static int add_keys(struct scan *scan, struct stampfile *stamps, size_t count, struct err *err)
{
    const struct cutout_column *ra = NULL, *dec = NULL, *id = NULL;
    struct stamp_key *larger = realloc(scan->keys, (scan->total + count) * sizeof *larger);
    if (!larger)
        return err_set(err, -ENOMEM, "out of memory for the places of %zu stamps", scan->total + count);
    scan->keys = larger;
    int code = stampfile_column(stamps, "ra", CUTOUT_REAL64, &ra, err);
    if (!code)
        code = stampfile_column(stamps, "dec", CUTOUT_REAL64, &dec, err);
    if (!code)
        code = stampfile_column(stamps, "id", CUTOUT_INT64, &id, err);
    for (size_t i = 0; i < count && !code; i++)
        larger[scan->total + i] = (struct stamp_key){ra ? ((const double *)ra->values)[i] : NAN,
                                                     dec ? ((const double *)dec->values)[i] : NAN,
                                                     id ? ((const int64_t *)id->values)[i] : NO_ID};
    return code;
}

static int add_source(struct scan *scan, struct stampfile *stamps, const char *path, int label,
                      bool with_keys, struct err *err)
{
    const struct cutout_column *columns;
    size_t column_count = 0;
    const size_t count = stampfile_count(stamps);
    int code = count > UINT32_MAX ? err_set(err, -EFBIG, "%s has more than 2^32 stamps", path)
                                  : stampfile_list_columns(stamps, &columns, &column_count, err);
    for (size_t i = 0; i < column_count && !code; i++)
        code = rows_add(&scan->rows, &columns[i], path, err);
    if (!code && with_keys)
        code = add_keys(scan, stamps, count, err);
    if (code)
        return code;
    char *brick = stampfile_brick(stamps, label, err);
    struct source *source = &scan->sources[scan->source_count];
    if (!brick || find_brick(scan, brick, &source->brick) != 0)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    source->path = str_format("%s", path);
    source->label = (uint8_t)label;
    source->count = count;
    source->first = scan->total;
    scan->total += count;
    scan->source_count++;
    return 0;
}

static int scan_file(struct scan *scan, const char *path, int label, bool with_keys, struct err *err)
{
    CLEANUP(stampfile_close_ptr) struct stampfile *stamps = NULL;
    int code = stampfile_open(&stamps, path, err);
    if (!code && stampfile_is_edge(stamps) && stampfile_side(stamps) != scan->stamp) {
        scan->left_out += stampfile_count(stamps);
        return 0;
    }
    if (!code)
        code = check_shape(scan, stamps, path, err);
    if (code)
        return code;
    json_t *attributes = stampfile_attributes(stamps);
    const double pixscale = json_number_value(json_object_get(attributes, "pixscale"));
    if (pixscale > scan->pixscale_arcsec)
        scan->pixscale_arcsec = pixscale;
    count_attributes(scan, label, attributes);
    return stampfile_count(stamps) ? add_source(scan, stamps, path, label, with_keys, err) : 0;
}

/* A root that was given for one class alone need not have a directory of the class's name. */
static int walk_class(struct listing *listing, const char *root, const char *name, bool alone,
                      struct err *err)
{
    CLEANUP(free_ptr) char *directory = path_join(root, name);
    if (alone && !path_is_directory(directory))
        return listing_walk(listing, root, stampfile_is_name, err);
    return listing_walk_class(listing, root, name, stampfile_is_name, err);
}

static int scan_class(struct scan *scan, const struct scan_roots *roots, int label, bool with_keys,
                      struct err *err)
{
    CLEANUP(listing_free) struct listing listing = {0};
    const char *root = roots->each[label] ? roots->each[label] : roots->both, *name = CLASS_NAMES[label];
    json_t *manifest = NULL;
    int code = listing_manifest(root, &manifest, err);
    if (!code)
        code = manifest ? listing_read(&listing, root, manifest, name, err)
                        : walk_class(&listing, root, name, roots->each[label] != NULL, err);
    json_t *counts = json_object_get(json_object_get(manifest, "classes"), name);
    if (counts && !scan->selection)
        scan->selection = json_object();
    if (counts)
        json_object_set(scan->selection, name, counts);
    json_decref(manifest);
    if (!code && listing.count) {
        void *larger = realloc(scan->sources, (scan->source_count + listing.count) * sizeof *scan->sources);
        code = larger ? 0 : err_set(err, -ENOMEM, "out of memory for %s", root);
        if (larger)
            scan->sources = larger;
    }
    for (size_t i = 0; i < listing.count && !code; i++)
        code = scan_file(scan, listing.paths[i], label, with_keys, err);
    return code;
}

int scan_cutouts(struct scan *scan, const struct scan_roots *roots, bool with_keys, struct err *err)
{
    memset(scan, 0, sizeof *scan);
    scan->provenance = json_pack("{s{} s{}}", CLASS_NAMES[CLASS_REAL], CLASS_NAMES[CLASS_FAKE]);
    scan->brick_index = json_object();
    int code = 0;
    for (int label = 0; label < CLASS_MAX && !code; label++)
        code = scan_class(scan, roots, label, with_keys, err);
    rows_settle(&scan->rows);
    if (code)
        scan_free(scan);
    return code;
}

size_t scan_source_of(const struct scan *scan, size_t stamp)
{
    size_t low = 0, high = scan->source_count; /* sources[low].first <= stamp < sources[high].first */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        *(scan->sources[middle].first <= stamp ? &low : &high) = middle;
    }
    return low;
}

void scan_free(struct scan *scan)
{
    for (size_t i = 0; i < scan->source_count; i++)
        free(scan->sources[i].path);
    for (size_t i = 0; i < scan->brick_count; i++)
        free(scan->bricks[i]);
    free(scan->sources);
    free(scan->bricks);
    free(scan->keys);
    rows_free(&scan->rows);
    json_decref(scan->brick_index);
    json_decref(scan->channels);
    json_decref(scan->provenance);
    json_decref(scan->selection);
    memset(scan, 0, sizeof *scan);
}
