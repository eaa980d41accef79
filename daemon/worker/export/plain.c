/* The layout npy: a cutout file's stamps as an array as they are, (N, y, x, channel), and its columns as a FITS table. */
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/npy.h"
#include "daemon/worker/export/export.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <string.h>

static int write_array(struct stamps *stamps, const char *path, struct err *err)
{
    CLEANUP(outfile_discard_ptr) struct outfile *file = NULL;
    char header[NPY_HEADER_MAX];
    const size_t sizes[] = {stamps->count, (size_t)stamps->side, (size_t)stamps->side,
                            (size_t)stamps->channels};
    int code = outfile_open(&file, path, err);
    if (!code)
        code = outfile_write(file, header, npy_header(header, "<f4", 4, sizes), err);
    for (size_t row = 0; row < stamps->count && !code; row += stamps->held) {
        const float *pixels;
        code = stamps_pixels(stamps, row, &pixels, err);
        if (!code)
            code = outfile_write(file, pixels, stamps->held * sizes[1] * sizes[2] * sizes[3] * sizeof *pixels,
                                 err);
    }
    return code ? code : outfile_publish(TAKE(file), err);
}

static int write_table(const struct stamps *stamps, const char *path, struct err *err)
{
    static const enum table_type TYPES[] = {[CUTOUT_INT64] = TABLE_INT64,
                                            [CUTOUT_REAL64] = TABLE_REAL64,
                                            [CUTOUT_REAL32] = TABLE_REAL32,
                                            [CUTOUT_TEXT] = TABLE_TEXT};
    const struct cutout_column *columns;
    size_t count;
    int code = cutout_file_read_columns(stamps->file, &columns, &count, err);
    CLEANUP(free_ptr) struct table_column *table = calloc(count + 1, sizeof *table);
    if (code || !table)
        return code ? code : err_set(err, -ENOMEM, "out of memory for %s", path);
    for (size_t i = 0; i < count; i++)
        table[i] = (struct table_column){columns[i].name, TYPES[columns[i].type], columns[i].width,
                                         columns[i].unit, columns[i].values};
    return table_publish(path, "STAMPS", stamps->count, table, count, NULL, 0, err);
}

static int write_stamps(struct stamps *stamps, const char *folder, const void *context, struct err *err)
{
    (void)context;
    const char *name = path_name(stamps->path);
    const int stem = (int)(strlen(name) - strlen(strrchr(name, '.') ? strrchr(name, '.') : ""));
    CLEANUP(free_ptr) char *array = str_format("%s/%.*s.npy", folder, stem, name);
    CLEANUP(free_ptr) char *table = str_format("%s/%.*s.fits", folder, stem, name);
    int code = write_array(stamps, array, err);
    return code ? code : write_table(stamps, table, err);
}

int export_npy(const struct exporting *exporting, const struct export_item *item, struct tally *tally,
               struct err *err)
{
    return stamps_export(exporting, item, tally, str_format("%s/%.3s", item_class(item), item->brick),
                         write_stamps, NULL, err);
}
