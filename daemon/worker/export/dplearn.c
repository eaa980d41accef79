/* The layout of obiwan's dplearn/create_training.py, which its split_testtrain.py reads. In hdf5/<AAA>/<brick>/:
 *
 *     img_ivar_<bands>.hdf5         <id>/img and <id>/ivar, float32 (x, y, band), of stamps that lie in the image
 *     img_ivar_<bands>_onedge.hdf5  the same of those that do not; what is outside is 0
 *     jpeg_<bands>.hdf5             <id>/img, uint8 (y, x, colour), red first
 *     sorted_ids.fits               id and mag_g of both, the brightest first
 *
 * Bands are in the order of the alphabet. Two things differ from the original: its stamps on the edge have a pixel
 * more a side and their bands added up, a slip; and it cut colours out of the survey's JPEG of the brick, where we
 * stretch the stamp's own pixels. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/dataset/h5.h"
#include "daemon/worker/export/export.h"
#include "daemon/worker/report/stamp.h"
#include "daemon/worker/sky/table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* An item on its way out. Buffers: one stamp each. */
struct dplearn {
    char *folder;
    struct h5 *inside, *edge, *colour;
    struct stamp_layout layout;
    int order[STAMP_BANDS_MAX]; /* bands by name */
    char bands[STAMP_BANDS_MAX * STAMP_NAME_MAX];
    float *planes;    /* (x, y, band) */
    uint8_t *colours; /* (y, x, 3) */
    struct picture *picture;
    int64_t *ids; /* of all stamps so far */
    double *mags;
    size_t count;
};

static void dplearn_free(struct dplearn *out)
{
    h5_close(out->inside);
    h5_close(out->edge);
    h5_close(out->colour);
    picture_destroy(out->picture);
    free(out->folder);
    free(out->planes);
    free(out->colours);
    free(out->ids);
    free(out->mags);
}

static int find_layout(struct dplearn *out, const struct stamps *stamps, struct err *err)
{
    const char *names[64];
    for (int c = 0; c < stamps->channels; c++)
        names[c] = cutout_file_channel_name(stamps->file, c);
    int code = stamp_layout_fill(&out->layout, stamps->side, names, stamps->channels, err);
    for (int b = 0; b < out->layout.bands && !code; b++) {
        if (out->layout.invvar[b] < 0)
            code = err_set(err, -EINVAL, "%s has no invvar of band %s, which this layout needs", stamps->path,
                           out->layout.name[b]);
        int at = b;
        for (; at > 0 && strcmp(out->layout.name[b], out->layout.name[out->order[at - 1]]) < 0; at--)
            out->order[at] = out->order[at - 1];
        out->order[at] = b;
    }
    size_t length = 0;
    for (int b = 0; b < out->layout.bands; b++)
        length += (size_t)snprintf(out->bands + length, sizeof out->bands - length, "%s",
                                   out->layout.name[out->order[b]]);
    return code;
}

static int create_file(const struct dplearn *out, const char *begin, const char *end, struct h5 **file,
                       struct err *err)
{
    CLEANUP(free_ptr) char *path = str_format("%s/%s_%s%s.hdf5", out->folder, begin, out->bands, end);
    return h5_create(file, path, err);
}

static int open_outputs(struct dplearn *out, const struct stamps *stamps, struct err *err)
{
    const size_t pixels = (size_t)stamps->side * (size_t)stamps->side;
    int code = create_file(out, "img_ivar", "", &out->inside, err);
    if (!code)
        code = create_file(out, "img_ivar", "_onedge", &out->edge, err);
    if (!code)
        code = create_file(out, "jpeg", "", &out->colour, err);
    out->planes = calloc(pixels * (size_t)out->layout.bands, sizeof *out->planes);
    out->colours = calloc(pixels, 3);
    out->picture = picture_create(stamps->side, stamps->side, (struct rgb){0, 0, 0});
    if (!code && (!out->planes || !out->colours || !out->picture))
        code = err_set(err, -ENOMEM, "out of memory for %s", out->folder);
    return code;
}

/* One kind of channel, (y, x, channel) -> (x, y, band). */
static int write_planes(const struct dplearn *out, struct h5 *file, int64_t id, const char *what,
                        const int *channel, const float *pixels, struct err *err)
{
    const size_t side = (size_t)out->layout.side_px, bands = (size_t)out->layout.bands,
                 channels = (size_t)out->layout.channels;
    const size_t sizes[] = {side, side, bands};
    char name[64];
    for (size_t x = 0; x < side; x++) {
        for (size_t y = 0; y < side; y++) {
            for (size_t b = 0; b < bands; b++)
                out->planes[(x * side + y) * bands + b] =
                    pixels[(y * side + x) * channels + (size_t)channel[out->order[b]]];
        }
    }
    snprintf(name, sizeof name, "%lld/%s", (long long)id, what);
    return h5_write(file, name, H5_TYPE_REAL32, 0, 3, sizes, out->planes, err);
}

/* Row 0 of an array is the bottom row of the picture. */
static int write_colour(const struct dplearn *out, int64_t id, const float *pixels, struct err *err)
{
    const size_t side = (size_t)out->layout.side_px;
    const size_t sizes[] = {side, side, 3};
    char name[64];
    stamp_draw_colour(out->picture, 0, 0, 1, &out->layout, pixels);
    for (size_t y = 0; y < side; y++)
        memcpy(out->colours + y * side * 3, out->picture->pixels + (side - 1 - y) * side, side * 3);
    snprintf(name, sizeof name, "%lld/img", (long long)id);
    return h5_write(out->colour, name, H5_TYPE_UINT8, 0, 3, sizes, out->colours, err);
}

static int write_one(const struct dplearn *out, const struct stamps *stamps, size_t row, const float *pixels,
                     struct err *err)
{
    struct h5 *file = stamps->edge[row] ? out->edge : out->inside;
    int code = write_planes(out, file, stamps->id[row], "img", out->layout.image, pixels, err);
    if (!code)
        code = write_planes(out, file, stamps->id[row], "ivar", out->layout.invvar, pixels, err);
    return code || stamps->edge[row] ? code : write_colour(out, stamps->id[row], pixels, err);
}

static int keep_order(struct dplearn *out, const struct stamps *stamps, struct err *err)
{
    const size_t count = out->count + stamps->count;
    void *ids = realloc(out->ids, (count + 1) * sizeof *out->ids);
    out->ids = ids ? ids : out->ids;
    void *mags = realloc(out->mags, (count + 1) * sizeof *out->mags);
    out->mags = mags ? mags : out->mags;
    if (!ids || !mags)
        return err_set(err, -ENOMEM, "out of memory for %s", stamps->path);
    memcpy(out->ids + out->count, stamps->id, stamps->count * sizeof *out->ids);
    memcpy(out->mags + out->count, stamps->mag, stamps->count * sizeof *out->mags);
    out->count = count;
    return 0;
}

static int write_stamps(struct dplearn *out, struct stamps *stamps, struct tally *tally, struct err *err)
{
    int code = keep_order(out, stamps, err);
    for (size_t row = 0; row < stamps->count && !code; row++) {
        const float *pixels;
        code = stamps_pixels(stamps, row, &pixels, err);
        if (!code)
            code = write_one(out, stamps, row, pixels, err);
        tally->edge += !code && stamps->edge[row];
        tally->stamps += !code;
    }
    return code;
}

struct ranked {
    double mag;
    int64_t id;
};

/* Those without a magnitude come last. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *one = a, *two = b;
    const double left = isnan(one->mag) ? INFINITY : one->mag, right = isnan(two->mag) ? INFINITY : two->mag;
    if (left != right)
        return left < right ? -1 : 1;
    return one->id < two->id ? -1 : one->id > two->id;
}

static int write_sorted(const struct dplearn *out, struct err *err)
{
    CLEANUP(free_ptr) struct ranked *ranked = calloc(out->count + 1, sizeof *ranked);
    CLEANUP(free_ptr) char *path = path_join(out->folder, "sorted_ids.fits");
    if (!ranked)
        return err_set(err, -ENOMEM, "out of memory for %s", path);
    for (size_t i = 0; i < out->count; i++)
        ranked[i] = (struct ranked){out->mags[i], out->ids[i]};
    qsort(ranked, out->count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < out->count; i++) {
        out->mags[i] = ranked[i].mag;
        out->ids[i] = ranked[i].id;
    }
    const struct table_column columns[] = {{"id", TABLE_INT64, 0, NULL, out->ids},
                                           {"mag_g", TABLE_REAL64, 0, "mag", out->mags}};
    return table_publish(path, "SORTED", out->count, columns, 2, NULL, 0, err);
}

static int publish_all(struct dplearn *out, struct err *err)
{
    int code = h5_publish(TAKE(out->inside), err);
    if (!code)
        code = h5_publish(TAKE(out->edge), err);
    if (!code)
        code = h5_publish(TAKE(out->colour), err);
    return code ? code : write_sorted(out, err);
}

int export_dplearn(const struct exporting *exporting, const struct export_item *item, struct tally *tally,
                   struct err *err)
{
    CLEANUP(dplearn_free) struct dplearn out = {0};
    tally->path = str_format("%s/hdf5/%.3s/%s", item_class(item), item->brick, item->brick);
    out.folder = path_join(exporting->out, tally->path);
    int code = path_make_directories(out.folder, 0777, err);
    for (size_t i = 0; i < item->count && !code; i++) {
        CLEANUP(stamps_free) struct stamps stamps = {0};
        code = stamps_open(&stamps, item, i, err);
        if (!code && i == 0)
            code = find_layout(&out, &stamps, err);
        if (!code && i == 0)
            code = open_outputs(&out, &stamps, err);
        if (!code && (stamps.side != out.layout.side_px || stamps.channels != out.layout.channels))
            code = err_set(err, -EINVAL, "%s has other stamps than %s", stamps.path, item->paths[0]);
        if (!code)
            code = write_stamps(&out, &stamps, tally, err);
    }
    return code ? code : publish_all(&out, err);
}
