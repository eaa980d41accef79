/* See curve.h. */
#include "client/curve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double coordinate(const json_t *points, size_t i, size_t which)
{
    return json_number_value(json_array_get(json_array_get(points, i), which));
}

void curve_range(const json_t *points, double *least, double *greatest)
{
    *least = INFINITY;
    *greatest = -INFINITY;
    for (size_t i = 0; i < json_array_size(points); i++) {
        *least = fmin(*least, coordinate(points, i, 1));
        *greatest = fmax(*greatest, coordinate(points, i, 1));
    }
}

struct grid {
    unsigned char *dots; /* width x height, top row first */
    int width, height;
};

/* A line of dots from one place to another. */
static void join(struct grid *grid, int column, int row, int to_column, int to_row)
{
    int wide = to_column - column, high = to_row - row;
    int steps = abs(wide) > abs(high) ? abs(wide) : abs(high);
    for (int i = 0; i <= steps; i++) {
        double part = steps ? (double)i / steps : 0;
        int x = column + (int)lrint(part * wide), y = row + (int)lrint(part * high);
        grid->dots[y * grid->width + x] = 1;
    }
}

static void mark(const json_t *points, struct grid *grid)
{
    double least, greatest, first = coordinate(points, 0, 0),
                            last = coordinate(points, json_array_size(points) - 1, 0);
    curve_range(points, &least, &greatest);
    double wide = last > first ? last - first : 1, high = greatest > least ? greatest - least : 1;
    int before_column = -1, before_row = 0;
    for (size_t i = 0; i < json_array_size(points); i++) {
        double x = (coordinate(points, i, 0) - first) / wide, y = (coordinate(points, i, 1) - least) / high;
        if (!(x >= 0 && x <= 1) || !isfinite(y))
            continue;
        int column = (int)lrint(x * (grid->width - 1)),
            row = grid->height - 1 - (int)lrint(y * (grid->height - 1));
        join(grid, before_column < 0 ? column : before_column, before_column < 0 ? row : before_row, column,
             row);
        before_column = column;
        before_row = row;
    }
}

/* The dots of one character, numbered as Unicode numbers them from U+2800 on. */
static unsigned braille(const unsigned char *grid, int width, int column, int row)
{
    static const unsigned char BITS[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    unsigned dots = 0;
    for (int y = 0; y < 4; y++) {
        for (int x = 0; x < 2; x++)
            dots |= grid[(4 * row + y) * width + 2 * column + x] ? BITS[y][x] : 0;
    }
    return dots;
}

static void put_cell(FILE *stream, unsigned dots)
{
    if (!dots)
        putc(' ', stream);
    else
        fprintf(stream, "%c%c%c", 0xe2, 0xa0 | dots >> 6, 0x80 | (dots & 0x3f));
}

char *curve_draw(const json_t *points, int width, int height, bool utf8)
{
    int across = utf8 ? 2 : 1, down = utf8 ? 4 : 1;
    char *text = NULL;
    size_t size;
    if (json_array_size(points) < 2 || width < 2 || height < 1)
        return NULL;
    struct grid grid = {calloc((size_t)(width * across), (size_t)(height * down)), width * across,
                        height * down};
    FILE *stream = open_memstream(&text, &size);
    if (!stream || !grid.dots)
        abort();
    mark(points, &grid);
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            if (utf8)
                put_cell(stream, braille(grid.dots, grid.width, column, row));
            else
                putc(grid.dots[row * width + column] ? '*' : ' ', stream);
        }
        if (row + 1 < height)
            putc('\n', stream);
    }
    fclose(stream);
    free(grid.dots);
    return text;
}
