/* See filters.h. */
#include "daemon/worker/train/filters.h"

#include <math.h>

enum { ZOOM = 5, GAP_PX = 4, FILTERS_MAX = 64 };

/* value in -1 .. 1 */
static struct rgb colour_of(float value)
{
    uint8_t faded = (uint8_t)(255 - 220 * fminf(fabsf(value), 1));
    return value < 0 ? (struct rgb){faded, faded, 255} : (struct rgb){255, faded, faded};
}

static float largest(const float *weights, size_t count)
{
    float most = 1e-30f;
    for (size_t i = 0; i < count; i++)
        most = fmaxf(most, fabsf(weights[i]));
    return most;
}

static void draw(struct picture *picture, const float *weights, int kernel_px, float scale, int left, int top)
{
    for (int row = 0; row < kernel_px; row++) {
        for (int column = 0; column < kernel_px; column++)
            picture_block(picture, left + column * ZOOM, top + row * ZOOM, ZOOM,
                          colour_of(weights[row * kernel_px + column] / scale));
    }
}

struct picture *filters_picture(const struct model *model, const float *parameters)
{
    const struct model_layer *layer = &model->layers[0];
    if (layer->type != MODEL_CONV)
        return NULL;
    int kernel_px = layer->kernel_px, tile_px = kernel_px * ZOOM + GAP_PX, channels = layer->in.channels;
    int filters = layer->out.channels < FILTERS_MAX ? layer->out.channels : FILTERS_MAX;
    size_t plane = (size_t)kernel_px * (size_t)kernel_px, size = plane * (size_t)channels;
    struct picture *picture =
        picture_create(channels * tile_px + GAP_PX, filters * tile_px + GAP_PX, (struct rgb){128, 128, 128});
    for (int f = 0; picture && f < filters; f++) {
        const float *filter = parameters + layer->weight + (size_t)f * size;
        float scale = largest(filter, size);
        for (int c = 0; c < channels; c++)
            draw(picture, filter + (size_t)c * plane, kernel_px, scale, GAP_PX + c * tile_px,
                 GAP_PX + f * tile_px);
    }
    return picture;
}
