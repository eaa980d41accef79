/* Reads whole planes (plane.h), tile by tile. */
#include "daemon/worker/sky/plane.h"
#include "daemon/worker/sky/plane_tiles.h"

#include <errno.h>
#include <string.h>

void plane_free(struct plane *plane)
{
    free(plane->pixels);
    free(plane->header);
    memset(plane, 0, sizeof *plane);
}

static int read_tiles(struct plane_tiles *tiles, struct plane *plane, struct err *err)
{
    const long width = plane_tiles_width(tiles), height = plane_tiles_height(tiles);
    int code = 0;
    for (long row = 0; row * height < plane->height && !code; row++) {
        for (long column = 0; column * width < plane->width && !code; column++)
            code = plane_tiles_decode(tiles, column, row,
                                      plane->pixels + row * height * plane->width + column * width,
                                      (size_t)plane->width, err);
    }
    return code;
}

int plane_read(struct plane *plane, const char *path, struct err *err)
{
    CLEANUP(plane_tiles_close_ptr) struct plane_tiles *tiles = NULL;
    memset(plane, 0, sizeof *plane);
    int code = plane_tiles_open(&tiles, path, err);
    if (code)
        return code;
    *plane = *plane_tiles_plane(tiles);
    plane->header = strdup(plane->header);
    plane->pixels = malloc((size_t)plane->width * (size_t)plane->height * sizeof *plane->pixels);
    code = plane->header && plane->pixels ? read_tiles(tiles, plane, err)
                                          : err_set(err, -ENOMEM, "out of memory for the %ld x %ld px of %s",
                                                    plane->width, plane->height, path);
    if (code)
        plane_free(plane);
    return code;
}
