/* A predictor for tests: the fakes of make_dataset.py are a little narrower, and this score sees it: P rises
 * with the share of the light in the middle of the first band. Its "gradient" is a ring, and more where there is
 * light. Directory: any that
 * exists. */
#include "daemon/worker/net/predictor.h"
#include "common/path.h"

#include <errno.h>
#include <math.h>

struct predictor {
    int side, channels, batch;
};

int predictor_open(struct predictor **out, const char *directory, uint64_t fingerprint, int stamp,
                   int channels, int batch, int threads, struct err *err)
{
    (void)fingerprint;
    (void)threads;
    struct predictor *predictor = calloc(1, sizeof *predictor);
    if (!predictor || !path_is_directory(directory)) {
        free(predictor);
        return err_set(err, -ENOENT, "there is no model in %s", directory);
    }
    *predictor = (struct predictor){stamp, channels, batch};
    *out = predictor;
    return 0;
}

enum sight predictor_sight(const struct predictor *predictor)
{
    (void)predictor;
    return SIGHT_ALL;
}

void predictor_close(struct predictor *predictor)
{
    free(predictor);
}

static double middle_share(const struct predictor *predictor, const float *stamp)
{
    double inner = 0, outer = 0;
    for (int y = 0; y < predictor->side; y++) {
        for (int x = 0; x < predictor->side; x++) {
            double r = hypot(x - predictor->side / 2, y - predictor->side / 2);
            double value = stamp[(y * predictor->side + x) * predictor->channels];
            inner += r <= 2 ? value : 0;
            outer += r > 2 && r <= 6 ? value : 0;
        }
    }
    return inner / (fabs(inner) + fabs(outer) + 1e-9);
}

int predictor_score(struct predictor *predictor, const float *const *stamps, size_t count, double *score,
                    float *gradients, struct err *err)
{
    if (count > (size_t)predictor->batch)
        return err_set(err, -EINVAL, "%zu stamps are more than the batch of %d", count, predictor->batch);
    for (size_t i = 0; i < count; i++)
        score[i] = 1 / (1 + exp(-12 * (middle_share(predictor, stamps[i]) - 0.42)));
    size_t items = (size_t)predictor->side * (size_t)predictor->side * (size_t)predictor->channels;
    for (size_t i = 0; gradients && i < count * items; i++) {
        int pixel = (int)(i % items) / predictor->channels, channel = (int)(i % items) % predictor->channels;
        double r = hypot(pixel % predictor->side - predictor->side / 2,
                         pixel / predictor->side - predictor->side / 2);
        gradients[i] = (float)(exp(-0.5 * pow((r - 5) / 2, 2)) * (channel % 2 ? 0.2 : 1) *
                               (1 + fabs(stamps[i / items][i % items])));
    }
    return 0;
}
