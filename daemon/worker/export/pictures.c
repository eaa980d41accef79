/* The layouts png and jpeg: a colour picture a stamp, by the stretch of the report's galleries. */
#include "common/file.h"
#include "common/str.h"
#include "daemon/worker/export/export.h"
#include "daemon/worker/report/stamp.h"

#include <errno.h>
#include <string.h>

enum { JPEG_QUALITY = 95 };

typedef int encode(const struct picture *picture, void **data, size_t *size, struct err *err);

static int encode_jpeg(const struct picture *picture, void **data, size_t *size, struct err *err)
{
    return picture_encode_jpeg(picture, JPEG_QUALITY, data, size, err);
}

/* How a stamp becomes a picture. */
struct style {
    int zoom;
    encode *encode;
    const char *ending;
};

static int write_pictures(struct stamps *stamps, const char *folder, const void *context, struct err *err)
{
    const struct style *style = context;
    const int side_px = style->zoom * stamps->side;
    const char *names[64];
    struct stamp_layout layout;
    for (int c = 0; c < stamps->channels; c++)
        names[c] = cutout_file_channel_name(stamps->file, c);
    int code = stamp_layout_fill(&layout, stamps->side, names, stamps->channels, err);
    CLEANUP(picture_destroy_ptr)
    struct picture *picture = picture_create(side_px, side_px, (struct rgb){0, 0, 0});
    if (!code && !picture)
        code = err_set(err, -ENOMEM, "out of memory for a picture");
    for (size_t row = 0; row < stamps->count && !code; row++) {
        CLEANUP(free_ptr)
        char *path = str_format("%s/%lld.%s", folder, (long long)stamps->id[row], style->ending);
        CLEANUP(free_ptr) void *data = NULL;
        const float *pixels;
        size_t size = 0;
        code = stamps_pixels(stamps, row, &pixels, err);
        if (!code)
            stamp_draw_colour(picture, 0, 0, style->zoom, &layout, pixels);
        if (!code)
            code = style->encode(picture, &data, &size, err);
        if (!code)
            code = file_publish(path, data, size, err);
    }
    return code;
}

static int write_item(const struct exporting *exporting, const struct export_item *item, struct tally *tally,
                      encode *encoder, const char *ending, struct err *err)
{
    const struct style style = {exporting->zoom, encoder, ending};
    return stamps_export(exporting, item, tally,
                         str_format("%s/%.3s/%s", item_class(item), item->brick, item->brick), write_pictures,
                         &style, err);
}

int export_png(const struct exporting *exporting, const struct export_item *item, struct tally *tally,
               struct err *err)
{
    return write_item(exporting, item, tally, picture_encode_png, "png", err);
}

int export_jpeg(const struct exporting *exporting, const struct export_item *item, struct tally *tally,
                struct err *err)
{
    return write_item(exporting, item, tally, encode_jpeg, "jpg", err);
}
