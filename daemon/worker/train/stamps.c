/* See stamps.h. */
#include "daemon/worker/train/stamps.h"
#include "daemon/worker/report/choice.h"
#include "daemon/worker/report/gallery.h"

#include <errno.h>
#include <math.h>

enum { ROWS = 4 };

static int tell(struct trainer *trainer, const struct stamp_layout *layout, const char *tag,
                const double *scores, const size_t *chosen, size_t rows, struct err *err)
{
    CLEANUP(picture_destroy_ptr) struct picture *picture = NULL;
    struct gallery_example examples[ROWS];
    for (size_t i = 0; i < rows; i++) {
        const float *pixels = dataset_pixels(trainer->dataset, DATASET_VALID, chosen[i], err);
        if (!pixels)
            return -EIO;
        examples[i] =
            (struct gallery_example){.pixels = pixels, .fake = 1, .mag = NAN, .score = scores[chosen[i]]};
    }
    int code = gallery_draw(&picture, layout, layout->name[0], examples, (int)rows, 1, err);
    return code ? code : journal_picture(trainer->journal, trainer->now.state.step, tag, picture, err);
}

int stamps_tell(struct trainer *trainer, const double *scores, const uint8_t *labels, struct err *err)
{
    static const char *const TAGS[] = {"gallery/passed", "gallery/giveaways"};
    const char *channels[DATASET_CHANNELS_MAX];
    const size_t n = dataset_count(trainer->dataset, DATASET_VALID);
    const int count = dataset_channels(trainer->dataset);
    struct stamp_layout layout;
    for (int i = 0; i < count; i++)
        channels[i] = dataset_channel_name(trainer->dataset, i);
    int code = 0;
    if (stamp_layout_fill(&layout, dataset_stamp(trainer->dataset), channels, count, NULL) != 0)
        return 0;
    for (int highest = 0; highest < 2 && !code; highest++) {
        size_t chosen[ROWS], rows = choice_extreme(scores, labels, n, highest, ROWS, chosen);
        if (rows)
            code = tell(trainer, &layout, TAGS[highest], scores, chosen, rows, err);
    }
    return code;
}
