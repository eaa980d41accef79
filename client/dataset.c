/* See dataset.h. A manifest lists bricks and shards where a result counts them. */
#include "client/dataset.h"
#include "client/print.h"
#include "common/str.h"

static long long count_of(const json_t *value)
{
    return json_is_array(value) ? (long long)json_array_size(value) : (long long)json_number_value(value);
}

static long long member(const json_t *object, const char *name)
{
    return count_of(json_object_get(object, name));
}

static long long bytes_of(const json_t *dataset)
{
    long long bytes = member(dataset, "bytes");
    size_t i;
    json_t *shard;
    json_array_foreach(json_object_get(dataset, "shards"), i, shard) bytes +=
        member(json_object_get(shard, "x"), "bytes") + member(json_object_get(shard, "y"), "bytes");
    return bytes;
}

static void put_line(FILE *stream, const char *name, const char *value)
{
    fprintf(stream, "  %-8s  %s\n", name, value);
}

static void put_head(FILE *stream, const json_t *dataset)
{
    static const char *const TEXTS[][2] = {{"rule", "rule"}, {"classes", "counts"}};
    size_t i;
    json_t *channel;
    for (i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        const char *text = json_string_value(json_object_get(dataset, TEXTS[i][1]));
        if (text)
            put_line(stream, TEXTS[i][0], text);
    }
    if (json_object_get(dataset, "seed"))
        fprintf(stream, "  %-8s  %lld\n", "seed", member(dataset, "seed"));
    fprintf(stream, "  %-8s  %lld px,", "stamps", member(dataset, "stamp"));
    json_array_foreach(json_object_get(dataset, "channels"), i, channel)
        fprintf(stream, " %s", json_string_value(channel) ? json_string_value(channel) : "");
    fprintf(stream, "\n  %-8s  %lld shards, %.2f GB\n", "size", member(dataset, "shards"),
            (double)bytes_of(dataset) / 1e9);
    if (member(dataset, "left_out"))
        fprintf(stream, "  %-8s  %lld stamps, in no part\n", "left out", member(dataset, "left_out"));
    if (member(dataset, "copies"))
        fprintf(stream, "  %-8s  %lld of those, whose galaxy another part has\n", "",
                member(dataset, "copies"));
}

static void add_part(struct table *table, const char *name, const json_t *part)
{
    static const char *const COUNTS[] = {"examples", "real", "fake", "bricks"};
    enum { COUNT = sizeof COUNTS / sizeof *COUNTS };
    const json_t *dropped = json_object_get(part, "dropped");
    CLEANUP(free_ptr) char *title = str_format("  %s", name);
    CLEANUP(free_ptr)
    char *surplus = str_format("%lld", member(dropped, "real") + member(dropped, "fake"));
    const char *cells[2 + COUNT] = {title};
    char numbers[COUNT][24];
    for (int i = 0; i < COUNT; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%lld", member(part, COUNTS[i]));
        cells[1 + i] = numbers[i];
    }
    cells[1 + COUNT] = surplus;
    table_add(table, cells);
}

char *dataset_format(const json_t *dataset, int width)
{
    static const struct table_column COLUMNS[] = {
        {"  part"},
        {"examples", .right = true},
        {"real", .right = true},
        {"fake", .right = true},
        {"bricks", .right = true},
        {"surplus left out", .right = true},
    };
    const char *name;
    json_t *part, *parts = json_object_get(dataset, "parts");
    if (!json_is_object(json_object_get(parts, "train")))
        return NULL;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    CLEANUP(table_destroy_ptr)
    struct table *table = table_create(COLUMNS, sizeof COLUMNS / sizeof *COLUMNS);
    if (!stream)
        abort();
    fputs("dataset\n", stream);
    put_head(stream, dataset);
    json_object_foreach(parts, name, part) add_part(table, name, part);
    CLEANUP(free_ptr) char *rows = table_format(table, width);
    fputs(rows, stream);
    fclose(stream);
    return text;
}
