/* See plane_window.h. Strips, rows of tiles, take turns in as many slots as the rows asked for at once can touch:
 * strip s lies in slot s % slots, and whoever needs strip s + slots needs s no more. */
#include "daemon/worker/sky/plane_window.h"

#include <assert.h>
#include <errno.h>

struct plane_window {
    struct plane_tiles *tiles;
    long width;                   /* of the plane, px */
    long tile_width, tile_height; /* px */
    long across, slots;           /* tiles in a strip; strips */
    long *held;                   /* slots x across: the strip whose tile is there, or -1 */
    float *pixels;                /* slots x tile_height x width */
};

int plane_window_open(struct plane_window **out, struct plane_tiles *tiles, long rows, struct err *err)
{
    CLEANUP(plane_window_close_ptr) struct plane_window *window = calloc(1, sizeof *window);
    if (!window)
        return err_set(err, -ENOMEM, "out of memory for a plane");
    const struct plane *plane = plane_tiles_plane(tiles);
    window->tiles = tiles;
    window->width = plane->width;
    window->tile_width = plane_tiles_width(tiles);
    window->tile_height = plane_tiles_height(tiles);
    window->across = (plane->width + window->tile_width - 1) / window->tile_width;
    long strips = (plane->height + window->tile_height - 1) / window->tile_height;
    window->slots = (rows + window->tile_height - 2) / window->tile_height + 1;
    if (window->slots > strips)
        window->slots = strips;
    size_t cells = (size_t)(window->slots * window->across);
    window->held = malloc(cells * sizeof *window->held);
    window->pixels =
        malloc((size_t)(window->slots * window->tile_height * window->width) * sizeof *window->pixels);
    if (!window->held || !window->pixels)
        return err_set(err, -ENOMEM, "out of memory for %ld rows of %ld px",
                       window->slots * window->tile_height, window->width);
    for (size_t i = 0; i < cells; i++)
        window->held[i] = -1;
    *out = TAKE(window);
    return 0;
}

void plane_window_close(struct plane_window *window)
{
    if (!window)
        return;
    free(window->held);
    free(window->pixels);
    free(window);
}

static float *strip_pixels(const struct plane_window *window, long strip)
{
    return window->pixels + strip % window->slots * window->tile_height * window->width;
}

int plane_window_cover(struct plane_window *window, long x, long y, long width, long height, struct err *err)
{
    const long last_strip = (y + height - 1) / window->tile_height,
               last_column = (x + width - 1) / window->tile_width;
    int code = 0;
    for (long strip = y / window->tile_height; strip <= last_strip && !code; strip++) {
        long *held = window->held + strip % window->slots * window->across;
        for (long column = x / window->tile_width; column <= last_column && !code; column++) {
            if (held[column] == strip)
                continue;
            assert(held[column] < strip); /* rows do not go back */
            code = plane_tiles_decode(window->tiles, column, strip,
                                      strip_pixels(window, strip) + column * window->tile_width,
                                      (size_t)window->width, err);
            held[column] = code ? -1 : strip;
        }
    }
    return code;
}

const float *plane_window_row(const struct plane_window *window, long y)
{
    return strip_pixels(window, y / window->tile_height) + y % window->tile_height * window->width;
}
