/* See export.h. Ids: of reals objid, as the original has it (id where there is none, or where a user gave places and
 * ids); of fakes id, the row of the injection list. Realisations that number their fakes anew would clash: then 2^32 times the number of the file, from
 * 0, is added. */
#include "common/path.h"
#include "daemon/worker/export/export.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { BLOCK_ROWS = 64 };

static int compare_ids(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;
    return one < two ? -1 : one > two;
}

static int read_ids(struct cutout_file *file, const char *path, bool fake, int64_t *ids, struct err *err)
{
    const char *select = json_string_value(json_object_get(cutout_file_attributes(file), "select"));
    bool given = select && strcmp(select, "given") == 0;
    int code = cutout_file_ints(file, fake || given ? "id" : "objid", ids, err);
    if (code == -ENOENT)
        code = cutout_file_ints(file, "id", ids, err);
    return code == -ENOENT ? err_set(err, code, "%s has no column id to name its stamps by", path) : code;
}

/* Ids of all files of the item, *ids in fresh memory. */
static int gather_ids(const struct export_item *item, int64_t **ids, size_t *count, struct err *err)
{
    for (size_t i = 0; i < item->count; i++) {
        CLEANUP(cutout_file_close_ptr) struct cutout_file *file = NULL;
        int code = cutout_file_open(&file, item->paths[i], err);
        if (code)
            return code;
        int64_t *larger = realloc(*ids, (*count + cutout_file_count(file) + 1) * sizeof *larger);
        if (!larger)
            return err_set(err, -ENOMEM, "out of memory for %s", item->paths[i]);
        *ids = larger;
        code = read_ids(file, item->paths[i], item->fake, *ids + *count, err);
        if (code)
            return code;
        *count += cutout_file_count(file);
    }
    return 0;
}

int item_find_clashes(struct export_item *item, struct err *err)
{
    CLEANUP(free_ptr) int64_t *ids = NULL;
    size_t count = 0;
    int code = item->count > 1 ? gather_ids(item, &ids, &count, err) : 0;
    if (code || count == 0)
        return code;
    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 1; i < count; i++)
        item->clash = item->clash || ids[i] == ids[i - 1];
    return 0;
}

static int fill_columns(struct stamps *stamps, const struct export_item *item, size_t i, struct err *err)
{
    int code = read_ids(stamps->file, stamps->path, item->fake, stamps->id, err);
    if (code)
        return code;
    for (size_t row = 0; row < stamps->count && item->clash; row++)
        stamps->id[row] += (int64_t)i << 32;
    code = cutout_file_reals(stamps->file, "mag_g", stamps->mag, err);
    for (size_t row = 0; row < stamps->count && code == -ENOENT; row++)
        stamps->mag[row] = NAN;
    if (code && code != -ENOENT)
        return code;
    code = cutout_file_ints(stamps->file, "edge", stamps->edge, err);
    return code == -ENOENT ? 0 : code;
}

int stamps_open(struct stamps *stamps, const struct export_item *item, size_t i, struct err *err)
{
    *stamps = (struct stamps){.path = item->paths[i]};
    int code = cutout_file_open(&stamps->file, stamps->path, err);
    if (code)
        return code;
    stamps->count = cutout_file_count(stamps->file);
    stamps->side = cutout_file_stamp(stamps->file);
    stamps->channels = cutout_file_channels(stamps->file);
    const size_t items = (size_t)stamps->side * (size_t)stamps->side * (size_t)stamps->channels;
    stamps->id = calloc(stamps->count + 1, sizeof *stamps->id);
    stamps->mag = calloc(stamps->count + 1, sizeof *stamps->mag);
    stamps->edge = calloc(stamps->count + 1, sizeof *stamps->edge);
    stamps->block = calloc(BLOCK_ROWS * items, sizeof *stamps->block);
    if (!stamps->id || !stamps->mag || !stamps->edge || !stamps->block)
        return err_set(err, -ENOMEM, "out of memory for %s", stamps->path);
    return fill_columns(stamps, item, i, err);
}

void stamps_free(struct stamps *stamps)
{
    cutout_file_close(stamps->file);
    free(stamps->id);
    free(stamps->mag);
    free(stamps->edge);
    free(stamps->block);
}

int stamps_pixels(struct stamps *stamps, size_t row, const float **pixels, struct err *err)
{
    const size_t items = (size_t)stamps->side * (size_t)stamps->side * (size_t)stamps->channels;
    if (row < stamps->first || row >= stamps->first + stamps->held) {
        stamps->first = row;
        stamps->held = stamps->count - row < BLOCK_ROWS ? stamps->count - row : BLOCK_ROWS;
        int code = cutout_file_read_images(stamps->file, row, stamps->held, stamps->block, err);
        if (code) {
            stamps->held = 0;
            return code;
        }
    }
    *pixels = stamps->block + (row - stamps->first) * items;
    return 0;
}

int stamps_export(const struct exporting *exporting, const struct export_item *item, struct tally *tally,
                  char *folder, export_file *write, const void *context, struct err *err)
{
    tally->path = folder;
    CLEANUP(free_ptr) char *directory = path_join(exporting->out, folder);
    int code = path_make_directories(directory, 0777, err);
    for (size_t i = 0; i < item->count && !code; i++) {
        CLEANUP(stamps_free) struct stamps stamps = {0};
        code = stamps_open(&stamps, item, i, err);
        if (!code)
            code = write(&stamps, directory, context, err);
        for (size_t row = 0; row < stamps.count && !code; row++)
            tally->edge += stamps.edge[row] != 0;
        tally->stamps += code ? 0 : stamps.count;
    }
    return code;
}
