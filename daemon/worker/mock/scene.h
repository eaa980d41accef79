/* What stands in a mock brick, and its light. */
#ifndef DECOY_MOCK_SCENE_H
#define DECOY_MOCK_SCENE_H

#include "daemon/worker/mock/conditions.h"
#include "daemon/worker/sky/simcat.h"

struct scene {
    struct simcat_row *rows;
    size_t count, stars;
};

/* Stars and galaxies at random places of the brick and a margin about it, their numbers Poisson. */
int scene_draw(struct scene *scene, const struct mock_survey *survey, const struct brick *brick,
               struct err *err);
void scene_free(struct scene *scene); /* its contents */

/* Noiseless flux a pixel, added to light[band], each size_px x size_px. */
int scene_render(const struct scene *scene, const struct mock_survey *survey,
                 const struct observation *observation, float *light[BAND_COUNT], struct err *err);

#endif
