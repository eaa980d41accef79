/* See gallery.h. On a dark ground, as astronomers look at stamps, whatever the page around it is like. */
#include "daemon/worker/report/gallery.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum {
    PANEL_PX = 128,
    GAP_PX = 3,
    LABEL_PX = 124,
    BLOCK_GAP_PX = 24,
    HEADER_PX = 34,
    MARGIN_PX = 10,
    COLUMNS_MAX = 8
};

static const struct rgb GROUND = {17, 19, 24}, TEXT = {214, 217, 223}, SOFT = {140, 146, 156},
                        REAL = {86, 180, 233}, FAKE = {240, 150, 60};

/* Sizes that follow from the layout. */
struct frame {
    int zoom, panel_px, panels, block_px, row_px;
    bool gradients;
    const char *band; /* of the magnitudes */
};

static struct frame frame_of(const struct stamp_layout *layout, const struct gallery_example *examples,
                             int count)
{
    struct frame frame = {.zoom = PANEL_PX / layout->side_px > 1 ? PANEL_PX / layout->side_px : 1,
                          .panels = 1 + layout->bands};
    for (int band = 0; band < layout->bands; band++)
        frame.panels += layout->invvar[band] >= 0;
    for (int i = 0; i < count; i++)
        frame.gradients |= examples[i].pixels && examples[i].gradient;
    frame.panels += frame.gradients ? 2 : 0;
    frame.panel_px = frame.zoom * layout->side_px;
    frame.block_px = LABEL_PX + frame.panels * (frame.panel_px + GAP_PX) + BLOCK_GAP_PX;
    frame.row_px = (frame.panel_px > PANEL_PX ? frame.panel_px : PANEL_PX) + GAP_PX;
    return frame;
}

/* Draws text in the middle of a panel's width, at twice the font's size where it fits. */
static void draw_title(struct picture *picture, const struct frame *frame, int *x, const char *prefix,
                       const char *name)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%s%s", prefix, name);
    int zoom = length * PICTURE_TEXT_WIDTH_PX * 2 <= frame->panel_px ? 2 : 1;
    int left = *x + (frame->panel_px - length * PICTURE_TEXT_WIDTH_PX * zoom) / 2;
    picture_text(picture, left, MARGIN_PX + (2 - zoom) * 6, zoom, TEXT, text);
    *x += frame->panel_px + GAP_PX;
}

static void draw_header(struct picture *picture, const struct frame *frame, const struct stamp_layout *layout,
                        int x)
{
    x += LABEL_PX;
    draw_title(picture, frame, &x, "", "colour");
    for (int band = 0; band < layout->bands; band++)
        draw_title(picture, frame, &x, "", layout->name[band]);
    for (int band = 0; band < layout->bands; band++) {
        if (layout->invvar[band] >= 0)
            draw_title(picture, frame, &x, "ivar ", layout->name[band]);
    }
    if (frame->gradients) {
        draw_title(picture, frame, &x, "", "d image");
        draw_title(picture, frame, &x, "", "d ivar");
    }
}

static void draw_label(struct picture *picture, int x, int y, const char *band,
                       const struct gallery_example *example)
{
    char text[32];
    picture_text(picture, x, y + 4, 4, example->fake ? FAKE : REAL, example->fake ? "F" : "R");
    if (isfinite(example->mag)) {
        snprintf(text, sizeof text, "%s %.2f", band, example->mag);
        picture_text(picture, x, y + 64, 2, TEXT, text);
    }
    if (isfinite(example->score)) {
        snprintf(text, sizeof text, "P %.3f", example->score);
        picture_text(picture, x, y + 96, 2, SOFT, text);
    }
}

static void draw_example(struct picture *picture, const struct frame *frame,
                         const struct stamp_layout *layout, const struct stamp_scale *scale,
                         const struct gallery_example *example, int x, int y)
{
    const int step = frame->panel_px + GAP_PX, zoom = frame->zoom;
    draw_label(picture, x, y, frame->band, example);
    x += LABEL_PX;
    stamp_draw_colour(picture, x, y, zoom, layout, example->pixels);
    for (int band = 0; band < layout->bands; band++)
        stamp_draw_image(picture, x += step, y, zoom, layout, scale, example->pixels, band);
    for (int band = 0; band < layout->bands; band++) {
        if (layout->invvar[band] >= 0)
            stamp_draw_invvar(picture, x += step, y, zoom, layout, scale, example->pixels, band);
    }
    double peak = example->gradient ? stamp_gradient_peak(layout, example->gradient) : 0;
    for (int invvar = 0; example->gradient && invvar < 2; invvar++)
        stamp_draw_gradient(picture, x += step, y, zoom, layout, example->gradient, invvar, peak);
}

static void draw_row(struct picture *picture, const struct frame *frame, const struct stamp_layout *layout,
                     const struct gallery_example *examples, int columns, int y)
{
    const float *stamps[COLUMNS_MAX];
    struct stamp_scale scale;
    int count = 0;
    for (int i = 0; i < columns && i < COLUMNS_MAX; i++) {
        if (examples[i].pixels)
            stamps[count++] = examples[i].pixels;
    }
    if (count == 0)
        return;
    stamp_scale_fill(&scale, layout, stamps, count);
    for (int i = 0; i < columns; i++) {
        if (examples[i].pixels)
            draw_example(picture, frame, layout, &scale, &examples[i], MARGIN_PX + i * frame->block_px, y);
    }
}

int gallery_draw(struct picture **out, const struct stamp_layout *layout, const char *band,
                 const struct gallery_example *examples, int rows, int columns, struct err *err)
{
    struct frame frame = frame_of(layout, examples, rows * columns);
    frame.band = band;
    int width_px = 2 * MARGIN_PX + columns * frame.block_px - BLOCK_GAP_PX;
    int height_px = HEADER_PX + 2 * MARGIN_PX + rows * frame.row_px;
    struct picture *picture = picture_create(width_px, height_px, GROUND);
    if (!picture)
        return err_set(err, -ENOMEM, "out of memory for a gallery of %d x %d pixels", width_px, height_px);
    for (int i = 0; i < columns; i++)
        draw_header(picture, &frame, layout, MARGIN_PX + i * frame.block_px);
    for (int row = 0; row < rows; row++)
        draw_row(picture, &frame, layout, examples + (size_t)row * (size_t)columns, columns,
                 MARGIN_PX + HEADER_PX + row * frame.row_px);
    *out = picture;
    return 0;
}
