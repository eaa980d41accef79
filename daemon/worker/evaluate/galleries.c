/* The galleries of a report: <out>/galleries/p01.png ... p99.png, giveaways.png, passed.png. */
#include "common/path.h"
#include "common/str.h"
#include "daemon/worker/evaluate/evaluation.h"
#include "daemon/worker/report/choice.h"
#include "proto/spec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int fill_layout(struct stamp_layout *layout, const struct evaluation *evaluation, struct err *err)
{
    const char *channels[DATASET_CHANNELS_MAX];
    int count = dataset_channels(evaluation->dataset);
    for (int i = 0; i < count; i++)
        channels[i] = dataset_channel_name(evaluation->dataset, i);
    return stamp_layout_fill(layout, dataset_stamp(evaluation->dataset), channels, count, err);
}

/* Those of the numbers given; one beyond the last is no example. */
static int take_examples(const struct evaluation *evaluation, const size_t *numbers, size_t count,
                         struct gallery_example *examples, struct err *err)
{
    for (size_t k = 0; k < count; k++) {
        const size_t i = numbers[k];
        examples[k] = (struct gallery_example){.mag = NAN, .score = NAN};
        if (i >= evaluation->n)
            continue;
        examples[k] =
            (struct gallery_example){.pixels = dataset_pixels(evaluation->dataset, evaluation->part, i, err),
                                     .fake = evaluation->label[i],
                                     .mag = evaluation->mag_g ? evaluation->mag_g[i] : NAN,
                                     .score = evaluation->score[i]};
        if (!examples[k].pixels)
            return -EIO;
    }
    return 0;
}

/* Pixels and gradients of a dataset in the original's order, turned: *upright is the examples' memory from here on. */
static int turn_upright(const struct evaluation *evaluation, struct gallery_example *examples, size_t count,
                        float **upright, struct err *err)
{
    const struct dataset *dataset = evaluation->dataset;
    const size_t side = (size_t)dataset_stamp(dataset),
                 items = side * side * (size_t)dataset_channels(dataset);
    if (!dataset_is_transposed(dataset))
        return 0;
    float *next = *upright = malloc((2 * count * items + 1) * sizeof *next);
    if (!next)
        return err_set(err, -ENOMEM, "out of memory for a gallery");
    for (size_t i = 0; i < count; i++) {
        const float **parts[] = {&examples[i].pixels, &examples[i].gradient};
        for (size_t k = 0; k < 2; k++, next += items) {
            if (!*parts[k])
                continue;
            dataset_turn_upright(dataset, *parts[k], next);
            *parts[k] = next;
        }
    }
    return 0;
}

static int publish(struct figure *figure, const struct evaluation *evaluation, const char *name,
                   struct gallery_example *examples, int rows, int columns, struct err *err)
{
    CLEANUP(free_ptr) float *upright = NULL;
    struct stamp_layout layout;
    CLEANUP(picture_destroy_ptr) struct picture *picture = NULL;
    CLEANUP(free_ptr) char *path = str_format("%s/galleries/%s.png", evaluation->out, name);
    int code = fill_layout(&layout, evaluation, err);
    if (!code)
        code = turn_upright(evaluation, examples, (size_t)rows * (size_t)columns, &upright, err);
    if (!code)
        code = gallery_draw(&picture, &layout, "g", examples, rows, columns, err);
    if (!code)
        code = picture_publish_png(picture, path, err);
    if (!code)
        figure->path = TAKE(path);
    return code;
}

int gallery_of_percentile(struct figure *figure, const struct evaluation *evaluation, int percentile,
                          struct err *err)
{
    const struct verdict_property *g = verdict_property_find(&evaluation->verdict, "mag_g");
    const size_t rows = (size_t)spec_int(evaluation->job->spec, "examples");
    if (!g)
        return err_set(err, -ENOENT, "the dataset has no magnitudes mag_g, by which examples are chosen");
    const double mag = g->percentile[percentile];
    CLEANUP(free_ptr) size_t *pairs = calloc(2 * rows, sizeof *pairs);
    CLEANUP(free_ptr) struct gallery_example *examples = calloc(2 * rows, sizeof *examples);
    if (!pairs || !examples)
        return err_set(err, -ENOMEM, "out of memory for a gallery");
    choice_near(evaluation->mag_g, evaluation->label, evaluation->n, mag, rows, pairs);
    int code = take_examples(evaluation, pairs, 2 * rows, examples, err);
    if (code)
        return code;
    CLEANUP(free_ptr) char *name = str_format("p%02.0f", VERDICT_PERCENTILE[percentile]);
    figure->caption = choice_caption("g", VERDICT_PERCENTILE[percentile], mag, evaluation->n, examples, rows);
    return publish(figure, evaluation, name, examples, (int)rows, 2, err);
}

/* Gradients of the stamps shown, one block. */
static int find_gradients(const struct evaluation *evaluation, struct gallery_example *examples, size_t count,
                          float *gradients, struct err *err)
{
    const size_t side = (size_t)dataset_stamp(evaluation->dataset);
    const size_t items = side * side * (size_t)dataset_channels(evaluation->dataset);
    for (size_t i = 0; i < count; i++) {
        double score;
        int code = predictor_score(evaluation->predictor, &examples[i].pixels, 1, &score,
                                   gradients + i * items, err);
        if (code)
            return code;
        examples[i].gradient = gradients + i * items;
    }
    return 0;
}

int gallery_of_fakes(struct figure *figure, const struct evaluation *evaluation, bool giveaways,
                     struct err *err)
{
    const size_t room = (size_t)spec_int(evaluation->job->spec, "examples"),
                 side = (size_t)dataset_stamp(evaluation->dataset);
    CLEANUP(free_ptr) size_t *fakes = calloc(room, sizeof *fakes);
    CLEANUP(free_ptr) struct gallery_example *examples = calloc(room, sizeof *examples);
    CLEANUP(free_ptr)
    float *gradients =
        calloc(room * side * side * (size_t)dataset_channels(evaluation->dataset), sizeof *gradients);
    if (!fakes || !examples || !gradients)
        return err_set(err, -ENOMEM, "out of memory for a gallery");
    size_t count =
        choice_extreme(evaluation->score, evaluation->label, evaluation->n, giveaways, room, fakes);
    int code = take_examples(evaluation, fakes, count, examples, err);
    if (!code)
        code = find_gradients(evaluation, examples, count, gradients, err);
    if (code)
        return code;
    figure->caption = str_format(
        "The %zu of %zu fakes with the %s P. The last two panels show where a change of a pixel would "
        "change P most: length of the gradient over the image channels and over the invvar channels, "
        "on one scale.",
        count, evaluation->verdict.fakes, giveaways ? "highest" : "lowest");
    return publish(figure, evaluation, giveaways ? "giveaways" : "passed", examples, (int)count, 1, err);
}
