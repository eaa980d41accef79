/* See scan_merge.h. Files without stamps count for nothing but the provenance. */
#include "daemon/worker/split/scan_merge.h"
#include "common/str.h"

#include <errno.h>
#include <string.h>

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

static void count_attributes(struct scan *scan, int label, const json_t *attributes)
{
    json_t *class = json_object_get(scan->provenance, CLASS_NAMES[label]), *value;
    const char *name;
    json_object_foreach((json_t *)attributes, name, value)
    {
        if (!json_object_get(class, name))
            json_object_set_new(class, name, json_array());
        count_value(json_object_get(class, name), value);
    }
}

static int find_brick(struct scan *scan, const char *name, size_t *brick)
{
    const json_t *known = json_object_get(scan->brick_index, name);
    *brick = known ? (size_t)json_integer_value(known) : scan->brick_count;
    if (known)
        return 0;
    char **larger = realloc(scan->bricks, (scan->brick_count + 1) * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    scan->bricks = larger;
    json_object_set_new(scan->brick_index, name, json_integer((json_int_t)*brick));
    scan->bricks[scan->brick_count++] = str_format("%s", name);
    return 0;
}

static int check_shape(struct scan *scan, const struct scan_file *file, int side, struct err *err)
{
    json_t *names = json_object_get(file->kind, "channels");
    if (!scan->channels && file->count) {
        scan->channels = json_incref(names);
        scan->stamp = side;
        scan->channel_count = (int)json_array_size(names);
    }
    if (!file->count || (json_equal(scan->channels, names) && scan->stamp == side))
        return 0;
    return err_set(err, -EINVAL,
                   "%s has stamps of %d px or channels that are not those of the files before it (%d px)",
                   file->path, side, scan->stamp);
}

/* Once for all files of a kind: what they add is the same. */
static int add_columns(struct scan *scan, const struct scan_file *file, struct err *err)
{
    json_t *columns = json_object_get(file->kind, "columns"), *column;
    size_t i;
    if (json_is_true(json_object_get(file->kind, "added")))
        return 0;
    json_array_foreach(columns, i, column)
    {
        const struct cutout_column one = {.name = json_string_value(json_array_get(column, 0)),
                                          .type =
                                              (enum cutout_type)json_integer_value(json_array_get(column, 1)),
                                          .width = (size_t)json_integer_value(json_array_get(column, 2)),
                                          .unit = json_string_value(json_array_get(column, 3))};
        int code = rows_add(&scan->rows, &one, file->path, err);
        if (code)
            return code;
    }
    json_object_set_new(file->kind, "added", json_true());
    return 0;
}

static int add_source(struct scan *scan, struct scan_file *file, struct err *err)
{
    int code = add_columns(scan, file, err);
    if (code)
        return code;
    struct source *source = &scan->sources[scan->source_count];
    if (find_brick(scan, file->brick, &source->brick) != 0)
        return err_set(err, -ENOMEM, "out of memory for %s", file->path);
    file->source = scan->source_count++;
    source->path = TAKE(file->path);
    source->label = (uint8_t)file->label;
    source->count = file->count;
    source->first = scan->total;
    scan->total += file->count;
    return 0;
}

int scan_merge(struct scan *scan, struct scan_file *file, struct err *err)
{
    const int side = (int)json_integer_value(json_object_get(file->kind, "side"));
    const json_t *attributes = json_object_get(file->kind, "attributes");
    file->source = NO_SOURCE;
    if (json_is_true(json_object_get(file->kind, "edge")) && side != scan->stamp) {
        scan->left_out += file->count;
        return 0;
    }
    int code = check_shape(scan, file, side, err);
    if (code)
        return code;
    const double pixscale = json_number_value(json_object_get(attributes, "pixscale"));
    if (pixscale > scan->pixscale_arcsec)
        scan->pixscale_arcsec = pixscale;
    count_attributes(scan, file->label, attributes);
    return file->count ? add_source(scan, file, err) : 0;
}
