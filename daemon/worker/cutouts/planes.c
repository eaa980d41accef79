/* See planes.h. */
#include "daemon/worker/cutouts/planes.h"
#include "common/path.h"
#include "daemon/worker/sky/plane_window.h"

#include <errno.h>
#include <string.h>

struct planes {
    struct plane_tiles *tiles[PLANES_MAX];
    struct plane_window *windows[PLANES_MAX];
    int count, stamp_px;
    long width, height;
};

/* The part of a stamp that lies in the image. */
struct part {
    long x, y, width, height;
};

void planes_close(struct planes *planes)
{
    if (!planes)
        return;
    for (int i = 0; i < planes->count; i++) {
        plane_window_close(planes->windows[i]);
        plane_tiles_close(planes->tiles[i]);
    }
    free(planes);
}

static int open_one(struct planes *planes, char *const *paths, int i, struct err *err)
{
    int code = plane_tiles_open(&planes->tiles[i], paths[i], err);
    if (code)
        return code;
    const struct plane *plane = plane_tiles_plane(planes->tiles[i]);
    if (i == 0) {
        planes->width = plane->width;
        planes->height = plane->height;
    }
    if (plane->width != planes->width || plane->height != planes->height)
        return err_set(err, -EINVAL, "%s is %ld x %ld px where %s is %ld x %ld", paths[i], plane->width,
                       plane->height, path_name(paths[0]), planes->width, planes->height);
    return plane_window_open(&planes->windows[i], planes->tiles[i], planes->stamp_px, err);
}

int planes_open(struct planes **out, char *const *paths, int count, int stamp_px, struct err *err)
{
    CLEANUP(planes_close_ptr) struct planes *planes = calloc(1, sizeof *planes);
    if (!planes)
        return err_set(err, -ENOMEM, "out of memory for %d planes", count);
    planes->count = count;
    planes->stamp_px = stamp_px;
    int code = 0;
    for (int i = 0; i < count && !code; i++)
        code = open_one(planes, paths, i, err);
    if (!code)
        *out = TAKE(planes);
    return code;
}

const struct plane *planes_first(const struct planes *planes)
{
    return plane_tiles_plane(planes->tiles[0]);
}

static void clip(long *from, long *size, long limit)
{
    long to = *from + *size < limit ? *from + *size : limit;
    *from = *from > 0 ? *from : 0;
    *size = to > *from ? to - *from : 0;
}

static struct part part_of(const struct planes *planes, struct corner corner)
{
    struct part part = {corner.x, corner.y, planes->stamp_px, planes->stamp_px};
    clip(&part.x, &part.width, planes->width);
    clip(&part.y, &part.height, planes->height);
    return part;
}

int planes_cover(struct planes *planes, struct corner corner, struct err *err)
{
    const struct part part = part_of(planes, corner);
    int code = 0;
    for (int i = 0; i < planes->count && part.width && part.height && !code; i++)
        code = plane_window_cover(planes->windows[i], part.x, part.y, part.width, part.height, err);
    return code;
}

void planes_copy(const struct planes *planes, struct corner corner, float *image)
{
    const struct part part = part_of(planes, corner);
    const size_t side = (size_t)planes->stamp_px, row = side * (size_t)planes->count;
    if (part.width < planes->stamp_px || part.height < planes->stamp_px)
        memset(image, 0, side * row * sizeof *image);
    for (long y = part.y; y < part.y + part.height; y++) {
        const float *rows[PLANES_MAX];
        for (int i = 0; i < planes->count; i++)
            rows[i] = plane_window_row(planes->windows[i], y) + part.x;
        stamp_interleave(rows, planes->count, part.width,
                         image + (size_t)(y - corner.y) * row +
                             (size_t)(part.x - corner.x) * (size_t)planes->count);
    }
}

json_t *planes_tiles(const struct planes *planes)
{
    json_int_t read = 0, all = 0;
    for (int i = 0; i < planes->count; i++) {
        read += (json_int_t)plane_tiles_decoded(planes->tiles[i]);
        all += (json_int_t)plane_tiles_count(planes->tiles[i]);
    }
    return json_pack("{sI sI}", "read", read, "all", all);
}

/* One text when all are the same. Takes texts. */
static json_t *common_text(json_t *texts)
{
    for (size_t i = 1; i < json_array_size(texts); i++) {
        if (!json_equal(json_array_get(texts, 0), json_array_get(texts, i)))
            return texts;
    }
    json_t *first = json_incref(json_array_get(texts, 0));
    json_decref(texts);
    return first;
}

json_t *planes_compression(const struct planes *planes)
{
    json_t *texts = json_array();
    for (int i = 0; i < planes->count; i++) {
        const char *text = plane_tiles_plane(planes->tiles[i])->compression;
        json_array_append_new(texts, json_string(text[0] ? text : "none"));
    }
    return common_text(texts);
}

json_t *planes_quantize(const struct planes *planes)
{
    json_t *texts = json_array();
    for (int i = 0; i < planes->count; i++) {
        const char *text = plane_tiles_plane(planes->tiles[i])->quantize;
        json_array_append_new(texts, json_string(text[0] ? text : "none"));
    }
    return common_text(texts);
}
